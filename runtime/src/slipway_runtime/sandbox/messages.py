"""What a parent and its sandboxed child say to each other, one JSON line each."""

from typing import Any

import msgspec

from slipway_runtime.sandbox.policy import SandboxPolicy


class Start(msgspec.Struct, frozen=True, kw_only=True):
    """What to run: `target` is `module:function`, called with `argument` (plain JSON)."""

    target: str
    argument: Any
    policy: SandboxPolicy
    status: int
    keep: tuple[int, ...]
    parent: int


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """A `BuildError` on its way to the parent."""

    reason: str
    message: str
    retryable: bool = False


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What the target returned, or why it stopped."""

    result: Any = None
    error: Problem | None = None
