"""Slipway data side: opens models, proves them, serves them, and holds no cluster rights."""
