"""What is watched while a model serves, and the baseline it is compared with."""
