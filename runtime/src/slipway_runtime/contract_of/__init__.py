"""The contract of a fitted model: what its columns are and may hold, read out of its attributes."""
