"""Pure decisions: no I/O, no clock, no randomness (README.md says it in full)."""
