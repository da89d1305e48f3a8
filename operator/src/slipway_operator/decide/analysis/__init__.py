"""What the counts of two revisions prove, at every moment, and how much longer it may take."""
