"""What exists: plain frozen values read out of Kubernetes JSON. No I/O, no clock, no randomness."""
