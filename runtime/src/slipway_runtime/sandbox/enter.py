"""Shut this process in. Called by the child itself, single-threaded, before it opens a model.

Needs no privilege. What this machine cannot enforce is returned in `missing`, never raised: it is
said in the report and in the manifest.
"""

import contextlib
import ctypes
import os
import resource
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec

from slipway_runtime.sandbox.landlock import restrict_paths
from slipway_runtime.sandbox.policy import SandboxPolicy, library_paths
from slipway_runtime.sandbox.seccomp import install_filter

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_CAPBSET_DROP = 1, 4, 24
_PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL = 38, 47, 4
_CAPABILITY_VERSION_3 = 0x20080522
_LAST_CAPABILITY = 63
_SHARED_MEMORY_BYTES = 2 << 30
_GRACE_CPU_SECONDS = 2
_MORE_TASKS = 16_384


class Enforcement(msgspec.Struct, frozen=True, kw_only=True):
    """Which walls stand, and which this machine does not have."""

    enforced: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


def enter(policy: SandboxPolicy, *, keep: tuple[int, ...] = ()) -> Enforcement:
    """Give up everything that the policy does not name, for the rest of this process.

    Args:
        policy: what stays allowed.
        keep: descriptors above 2 that stay open (a channel to the parent).

    Raises:
        RuntimeError: the process has more than one thread; a wall would not hold for the others.
        FileNotFoundError: a path of the policy is not there (a defect of the caller).
    """
    for path in (*policy.read, *policy.write):
        os.stat(path)
    if threading.active_count() > 1:
        raise RuntimeError("Cannot enter the sandbox: this process already runs several threads.")
    enforced: list[str] = []
    missing: list[str] = []
    libraries = library_paths()
    os.umask(0o077)
    _close_descriptors(keep)
    missing += _limit_resources(policy)
    enforced.append("rlimits")
    linux = sys.platform.startswith("linux")
    if linux and policy.die_with_parent:
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)

    def _paths() -> None:
        read = [*libraries, *(Path(path) for path in policy.read)]
        missing.extend(restrict_paths(read=read, write=[Path(path) for path in policy.write]))

    steps: tuple[tuple[str, Callable[[], None]], ...] = (
        ("no_new_privs", lambda: _prctl(_PR_SET_NO_NEW_PRIVS, 1)),
        ("capabilities", _drop_capabilities),
        ("landlock", _paths),
        ("seccomp", install_filter),  # last: it would forbid the steps before it
    )
    for name, step in steps:
        try:
            if not linux:
                raise OSError(f"{name} is part of Linux")
            step()
        except OSError:
            missing.append(name)
        else:
            enforced.append(name)
    return Enforcement(enforced=tuple(sorted(enforced)), missing=tuple(sorted(missing)))


def _close_descriptors(keep: tuple[int, ...]) -> None:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = 1 << 20 if soft == resource.RLIM_INFINITY else soft
    start = 3
    for descriptor in sorted(keep):
        os.closerange(start, descriptor)
        start = descriptor + 1
    os.closerange(start, highest)


def _limit_resources(policy: SandboxPolicy) -> list[str]:
    """Set the limits; return the names of those that this system does not take."""
    cpu = policy.cpu_seconds
    wanted: list[tuple[str, int, int]] = [
        ("CORE", 0, 0),
        ("DATA", policy.memory_bytes, policy.memory_bytes),
        (
            "AS",
            policy.memory_bytes + _SHARED_MEMORY_BYTES,
            policy.memory_bytes + _SHARED_MEMORY_BYTES,
        ),
        ("FSIZE", policy.file_bytes, policy.file_bytes),
        ("NOFILE", policy.open_files, policy.open_files),
    ]
    if cpu is not None:
        wanted.append(("CPU", cpu, cpu + _GRACE_CPU_SECONDS))
    tasks = _count_tasks_of_user()
    if os.getuid() != 0 and tasks is not None:
        # Counted over all that the user runs: in a container over every pod of the node that runs
        # under the same number, none of which is seen from here. So this only keeps a bomb from
        # filling the machine; the limit that binds is the parent's count. Root is never counted.
        wanted.append(("NPROC", tasks + _MORE_TASKS, tasks + _MORE_TASKS))
    missing = []
    for name, wanted_soft, wanted_hard in wanted:
        number = getattr(resource, f"RLIMIT_{name}")
        soft, hard = wanted_soft, wanted_hard
        _, highest = resource.getrlimit(number)
        if highest != resource.RLIM_INFINITY:
            soft, hard = min(wanted_soft, highest), min(wanted_hard, highest)
        try:
            resource.setrlimit(number, (soft, hard))
        except (ValueError, OSError):
            missing.append(f"rlimit-{name.lower()}")
    return missing


def _count_tasks_of_user() -> int | None:
    """Threads of this user now; None where the system does not tell."""
    total = 0
    try:
        with os.scandir("/proc") as entries:
            for entry in filter(lambda one: one.name.isdigit(), entries):
                with contextlib.suppress(OSError):  # it ended meanwhile
                    if entry.stat().st_uid == os.getuid():
                        total += len(os.listdir(f"/proc/{entry.name}/task"))
    except OSError:
        return None
    return total


def _prctl(option: int, *arguments: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    padded = [ctypes.c_ulong(value) for value in (*arguments, 0, 0, 0, 0)[:4]]
    if libc.prctl(ctypes.c_int(option), *padded) != 0:
        raise OSError(ctypes.get_errno(), f"prctl {option} was refused")


def _drop_capabilities() -> None:
    """Root without capabilities is an ordinary user who owns root's files."""
    for capability in range(_LAST_CAPABILITY + 1):
        try:
            _prctl(_PR_CAPBSET_DROP, capability)
        except OSError:
            break  # not privileged, or past the last one: nothing to drop
    with contextlib.suppress(OSError):  # kernels before 4.3 have no ambient set
        _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    nothing = (ctypes.c_uint32 * 6)()
    if libc.capset(ctypes.byref(header), ctypes.byref(nothing)) != 0:
        raise OSError(ctypes.get_errno(), "capset was refused")
