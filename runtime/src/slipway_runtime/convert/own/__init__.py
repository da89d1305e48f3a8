"""Converters of our own, registered with skl2onnx, for estimators that it does not know.

A small module for each idea. None is trusted: what they make passes the same proof as all else.
"""

from slipway_runtime.convert.own.registry import Registry, own_converters

__all__ = ["Registry", "own_converters"]
