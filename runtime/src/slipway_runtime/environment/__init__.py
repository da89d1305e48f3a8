"""Training environments: the versions that saved a model, installed beside the runtime's own.

A model is opened, converted and natively served where it was born; see docs/adr/0011.
"""
