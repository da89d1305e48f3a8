"""The cluster as the operator reads and writes it; the official client is imported here alone."""
