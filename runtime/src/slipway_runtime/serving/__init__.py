"""Serving: codec → contract → session → codec, in one process, without ever opening a pickle."""
