"""Runs a piece of code inside a real sandbox and brings back what it found."""

import json
from pathlib import Path
from typing import Any

from slipway_runtime.sandbox import SandboxExit, SandboxPolicy, policy_for, run_sandboxed

GIB = 1 << 30

_PROLOGUE = """
import ctypes, errno, json, os, socket, sys
libc = ctypes.CDLL(None, use_errno=True)
found = {}
def attempt(name, call):
    try:
        found[name] = ["ok", call()]
    except OSError as error:
        found[name] = [errno.errorcode[error.errno], None]
    except ValueError:  # the resource module's word for EPERM
        found[name] = ["EPERM", None]
def system_call(number, *arguments):
    result = libc.syscall(ctypes.c_long(number), *[ctypes.c_long(one) for one in arguments])
    if result < 0:
        raise OSError(ctypes.get_errno(), "system call")
    return result
"""


def probe_policy(scratch: Path, *, read: tuple[Path, ...] = (), **changes: Any) -> SandboxPolicy:
    """A policy with small limits that a test may change."""
    values: dict[str, Any] = {"memory_bytes": GIB, "cpu_seconds": 20} | changes
    return policy_for(read=read, write=(scratch,), **values)


def run_code(
    code: str,
    policy: SandboxPolicy,
    *,
    wall_seconds: float = 30,
    watch: tuple[Path, ...] = (),
    watch_bytes: int = 0,
) -> SandboxExit:
    """Run `code` shut in."""
    return run_sandboxed(
        target="builtins:exec",
        argument=f"exec({_PROLOGUE + code!r}, {{'__name__': 'probe'}})",
        policy=policy,
        wall_seconds=wall_seconds,
        watch=watch,
        watch_bytes=watch_bytes,
    )


def run_probes(code: str, scratch: Path, **options: Any) -> dict[str, list[Any]]:
    """Run probes (`attempt(name, call)`); returns name → [errno name or "ok", value]."""
    target = scratch / "found.json"
    ended = run_code(
        code + f"\nwith open({str(target)!r}, 'w') as stream: json.dump(found, stream)\n",
        probe_policy(scratch, **options),
    )
    assert ended.finished, ended
    assert ended.problem is None, ended
    found: dict[str, list[Any]] = json.loads(target.read_text())
    return found
