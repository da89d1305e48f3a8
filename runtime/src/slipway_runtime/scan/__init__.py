"""What a model file would run, read out of its bytes before anything opens it.

`scan_model` walks the file's opcodes and imports nothing; `watch_globals` holds the same rules
against the real opening. Both only refuse: the sandbox is what protects, whatever they let by.
"""

from slipway_runtime.scan.guard import watch_globals
from slipway_runtime.scan.model import scan_model
from slipway_runtime.scan.pickle_walk import Damaged, Finding, walk_pickles

__all__ = ["Damaged", "Finding", "scan_model", "walk_pickles", "watch_globals"]
