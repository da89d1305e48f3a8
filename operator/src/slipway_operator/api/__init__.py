"""What was asked, and what is answered: the spec and the status, read, checked, described."""
