"""A process shut in by itself, before it opens a model: no network, no other files, limits.

The child calls `enter`; a parent calls `run_sandboxed` (one call, watched) or `spawn` (a worker
over an inherited socketpair). Works without privilege; what the system lacks is reported.
"""

from slipway_runtime.sandbox.enter import Enforcement, enter
from slipway_runtime.sandbox.explain import explain_exit
from slipway_runtime.sandbox.parent import HERE, Sandboxed, SandboxExit, run_sandboxed, spawn
from slipway_runtime.sandbox.policy import Interpreter, SandboxPolicy, policy_for

__all__ = [
    "HERE",
    "Enforcement",
    "Interpreter",
    "SandboxExit",
    "SandboxPolicy",
    "Sandboxed",
    "enter",
    "explain_exit",
    "policy_for",
    "run_sandboxed",
    "spawn",
]
