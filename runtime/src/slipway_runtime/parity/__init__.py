"""The proof that a converted model answers as the original: rows, tolerance, comparison."""
