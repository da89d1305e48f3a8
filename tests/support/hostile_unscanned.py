"""`slipway-runtime` with the scan taken out, to prove that the sandbox holds without it.

The product has no switch for this: the sandboxed child is started on a few lines that put nothing
in the scan's place, and then does what it always does.
"""

import json
import os
import sys
from typing import Any

import slipway_runtime.steps.convert as step
from slipway_runtime.__main__ import main as run_verb

_BEFORE = """
import contextlib
import slipway_runtime.convert.load as load
load.scan_model = lambda *_: False
load.watch_globals = lambda *_, **__: contextlib.nullcontext()
"""
LIMITS = "SLIPWAY_TEST_LIMITS"  # set by the program that starts this, never by the engine


def take_out_the_scan() -> None:
    """Let this process's conversions open files that were not scanned."""
    plain = step.run_sandboxed

    def _unscanned(*, target: str, argument: Any, **others: Any) -> Any:
        module, _, function = target.partition(":")
        code = f"{_BEFORE}\nfrom {module} import {function} as run\nrun({argument!r})"
        return plain(target="builtins:exec", argument=f"exec({code!r}, {{}})", **others)

    step.run_sandboxed = _unscanned


def lower_limits(limits: dict[str, Any]) -> None:
    """Give this process's build less than the engine would (docs/wire.md names the limits)."""
    if "SLIPWAY_BUILD" in os.environ:
        build = json.loads(os.environ["SLIPWAY_BUILD"])
        build["limits"] = {**build.get("limits", {}), **limits}
        os.environ["SLIPWAY_BUILD"] = json.dumps(build)


def main() -> int:
    """Run one verb."""
    lower_limits(json.loads(os.environ.get(LIMITS, "{}")))
    take_out_the_scan()
    return run_verb()


if __name__ == "__main__":
    sys.exit(main())
