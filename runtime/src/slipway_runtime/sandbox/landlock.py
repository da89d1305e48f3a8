"""Landlock: which paths this process may still open, asked of the kernel without privilege.

Rights that an older kernel does not know are left out and named in the result. Linux only.
"""

import ctypes
import errno
import os
import stat
import struct
import sys
from collections.abc import Iterable
from pathlib import Path

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same on every architecture
_VERSION_FLAG, _RULE_PATH_BENEATH = 1, 1

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR, _REMOVE_DIR, _REMOVE_FILE = (1 << n for n in range(6))
_MAKE_DIR, _MAKE_REG = 1 << 7, 1 << 8
_REFER, _TRUNCATE, _IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
_FS_FIRST = (1 << 13) - 1  # every right of ABI 1
_FS_BY_ABI = {2: _REFER, 3: _TRUNCATE, 5: _IOCTL_DEV}
_NET_TCP = 0b11  # bind, connect: ABI 4
_SCOPES = 0b11  # abstract sockets, signals: ABI 6

_READ = _READ_FILE | _READ_DIR
# No devices, sockets, pipes or links can be made: what comes out is plain files and folders.
_WRITE = (
    _READ | _WRITE_FILE | _REMOVE_DIR | _REMOVE_FILE | _MAKE_DIR | _MAKE_REG | _REFER | _TRUNCATE
)
_ON_FILES = _WRITE_FILE | _READ_FILE | _TRUNCATE

_WRITABLE_DEVICES = ("/dev/null",)


def landlock_abi() -> int:
    """The kernel's Landlock version; 0 where there is none."""
    if not sys.platform.startswith("linux"):
        return 0
    version = _syscall(_CREATE_RULESET, None, 0, _VERSION_FLAG)
    return max(version, 0)


def restrict_paths(*, read: Iterable[Path], write: Iterable[Path]) -> tuple[str, ...]:
    """Leave this thread (and what it starts) only `read` and `write`; nothing can be executed.

    Returns:
        The parts of Landlock that this kernel lacks, by name.

    Raises:
        OSError: no Landlock at all, or the kernel refused it.
    """
    abi = landlock_abi()
    if abi < 1:
        raise OSError(errno.ENOSYS, "the kernel has no Landlock")
    handled = _FS_FIRST
    for since, right in _FS_BY_ABI.items():
        handled |= right if abi >= since else 0
    # A shorter structure is how an older ABI is asked.
    if abi >= 6:
        attributes = struct.pack("QQQ", handled, _NET_TCP, _SCOPES)
    elif abi >= 4:
        attributes = struct.pack("QQ", handled, _NET_TCP)
    else:
        attributes = struct.pack("Q", handled)
    ruleset = _checked(
        _syscall(_CREATE_RULESET, ctypes.create_string_buffer(attributes), len(attributes), 0)
    )
    try:
        for path in read:
            rights = _READ | (_WRITE_FILE if str(path) in _WRITABLE_DEVICES else 0)
            _allow(ruleset, path, rights & handled)
        for path in write:
            _allow(ruleset, path, _WRITE & handled)
        _checked(_syscall(_RESTRICT_SELF, ruleset, 0, 0))
    finally:
        os.close(ruleset)
    missing = []
    if abi < 4:
        missing.append("landlock-tcp")
    if abi < 6:
        missing.append("landlock-scope")
    return tuple(missing)


def _allow(ruleset: int, path: Path, rights: int) -> None:
    descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
            rights &= _ON_FILES
        rule = ctypes.create_string_buffer(struct.pack("=Qi", rights, descriptor))
        _checked(_syscall(_ADD_RULE, ruleset, _RULE_PATH_BENEATH, rule, 0))
    finally:
        os.close(descriptor)


def _syscall(number: int, *arguments: object) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    converted = [
        ctypes.c_long(argument) if isinstance(argument, int) else argument for argument in arguments
    ]
    return int(libc.syscall(ctypes.c_long(number), *converted))


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"Landlock: {os.strerror(number)}")
    return result
