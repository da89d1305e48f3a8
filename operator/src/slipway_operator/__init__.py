"""Slipway control side: decides what shall be, and never opens a model."""
