"""What a sandboxed process may touch: a value, made by the parent and obeyed by the child.

`policy_for` chooses careful values; the libraries of the child's own interpreter are always
readable and need not be named.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec

# Data that libraries look up while they are imported or asked for dates and processors.
_SYSTEM_PATHS = (
    "/usr/lib",
    "/usr/lib64",
    "/usr/local/lib",
    "/lib",
    "/lib64",
    "/usr/share/zoneinfo",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/dev/null",
    "/dev/zero",
    "/dev/urandom",
    "/proc/self",
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/proc/sys/vm/overcommit_memory",
    "/sys/devices/system/cpu",
    "/sys/bus/pci/devices",  # onnxruntime looks for accelerators and complains when it may not
)
_PREFIX_FOLDERS = ("lib", "lib64", "share")
_MAX_THREADS = 4


class Interpreter(msgspec.Struct, frozen=True, kw_only=True):
    """The Python that a sandboxed process runs.

    Attributes:
        python: its executable, of an environment that has what slipway-runtime imports.
        path: the folder to import slipway-runtime from; None: it is installed there.
    """

    python: str = sys.executable
    path: str | None = None


class SandboxPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """The limits of one sandboxed process.

    Attributes:
        read: files and folders that may be read, beside the interpreter's own libraries.
        write: folders that may also be written; nothing else can be.
        memory_bytes: private memory (RLIMIT_DATA); shared mappings get 2 GiB more (RLIMIT_AS).
        cpu_seconds: processor time before SIGXCPU; None for a process that lives long.
        file_bytes: the largest file it may write.
        open_files: the most descriptors it may hold.
        threads: how many threads numeric libraries are told to start.
        die_with_parent: killed by the kernel when the thread that started it ends.
    """

    read: tuple[str, ...]
    write: tuple[str, ...]
    memory_bytes: int
    cpu_seconds: int | None = None
    file_bytes: int = 4 << 30
    open_files: int = 256
    threads: int = 1
    die_with_parent: bool = True


def policy_for(
    *,
    read: tuple[Path, ...],
    write: tuple[Path, ...] = (),
    memory_bytes: int,
    cpu_seconds: int | None = None,
    file_bytes: int = 4 << 30,
) -> SandboxPolicy:
    """Make a policy from real paths (made absolute) and limits."""
    return SandboxPolicy(
        read=tuple(str(path.resolve()) for path in read),
        write=tuple(str(path.resolve()) for path in write),
        memory_bytes=memory_bytes,
        cpu_seconds=cpu_seconds,
        file_bytes=file_bytes,
        threads=max(1, min(_MAX_THREADS, os.cpu_count() or 1)),
    )


def sandbox_environment(policy: SandboxPolicy, interpreter: Interpreter) -> Mapping[str, str]:
    """The whole environment of the child: nothing of the parent's is passed on."""
    imports = {} if interpreter.path is None else {"PYTHONPATH": interpreter.path}
    home = policy.write[0] if policy.write else "/nonexistent"
    threads = str(policy.threads)
    return {
        "PATH": "/usr/bin:/bin",
        "HOME": home,
        "TMPDIR": home,
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "PYTHONUTF8": "1",
        "PYTHONHASHSEED": "0",  # conversions and probes come out the same every time
        "PYTHONDONTWRITEBYTECODE": "1",
        "OMP_NUM_THREADS": threads,
        "OPENBLAS_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
        "JOBLIB_MULTIPROCESSING": "0",  # no process can be started inside
        "LOKY_MAX_CPU_COUNT": threads,
        "MPLCONFIGDIR": home,
        "ORT_DISABLE_TELEMETRY": "1",
        **imports,
    }


def library_paths() -> tuple[Path, ...]:
    """What this interpreter needs to import its libraries; called inside the child."""
    prefixes = {Path(prefix) for prefix in (sys.prefix, sys.base_prefix, sys.exec_prefix)}
    candidates = [Path(path) for path in _SYSTEM_PATHS]
    candidates += [prefix / folder for prefix in sorted(prefixes) for folder in _PREFIX_FOLDERS]
    # A path entry that holds a home (or everything) is not a library folder.
    home = Path(os.path.expanduser("~"))
    candidates += [
        path
        for path in map(Path, sys.path)
        if path.is_absolute() and path != home and path not in home.parents
    ]
    return tuple(dict.fromkeys(path for path in candidates if os.path.exists(path)))
