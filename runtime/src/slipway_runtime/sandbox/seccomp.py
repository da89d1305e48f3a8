"""The system-call filter: a small classic-BPF program, built here, for x86_64 and aarch64.

What is not listed stays allowed, because numeric libraries need much; what leads out of the
process (network, other processes, new namespaces, kernel surface) answers EPERM. A call of a
foreign ABI kills the process, and calls newer than this table answer ENOSYS.
"""

import ctypes
import errno
import os
import platform
import socket
import struct
import sys

_ARCHITECTURES = {"x86_64": (0, 0xC000003E, 317), "aarch64": (1, 0xC00000B7, 277)}
_X32_BIT = 0x40000000
_NEWEST_KNOWN = 469

# (x86_64, aarch64); None where the architecture has no such call.
_DENIED: dict[str, tuple[int | None, int | None]] = {
    # network: a descriptor that was inherited goes on working, a new one cannot be made
    "socket": (41, 198), "connect": (42, 203), "bind": (49, 200), "listen": (50, 201),
    "accept": (43, 202), "accept4": (288, 242),
    # other processes, and new ones
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271),
    "process_madvise": (440, 440), "process_mrelease": (448, 448), "kcmp": (312, 272),
    "pidfd_open": (434, 434), "pidfd_getfd": (438, 438), "pidfd_send_signal": (424, 424),
    "tkill": (200, 130), "rt_sigqueueinfo": (129, 138), "rt_tgsigqueueinfo": (297, 240),
    "fork": (57, None), "vfork": (58, None), "execve": (59, 221), "execveat": (322, 281),
    "setpriority": (141, 140), "ioprio_set": (251, 30), "migrate_pages": (256, 238),
    "move_pages": (279, 239),
    # mounts, namespaces, other roots
    "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51),
    "move_mount": (429, 429), "open_tree": (428, 428), "open_tree_attr": (467, 467),
    "fsopen": (430, 430), "fsconfig": (431, 431), "fsmount": (432, 432), "fspick": (433, 433),
    "mount_setattr": (442, 442), "swapon": (167, 224), "swapoff": (168, 225),
    "quotactl": (179, 60), "quotactl_fd": (443, 443), "unshare": (272, 97), "setns": (308, 268),
    "name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265),
    "fanotify_init": (300, 262), "lookup_dcookie": (212, 18), "nfsservctl": (180, 42),
    # keys and kernel surface
    "keyctl": (250, 219), "add_key": (248, 217), "request_key": (249, 218), "bpf": (321, 280),
    "userfaultfd": (323, 282), "perf_event_open": (298, 241), "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426), "io_uring_register": (427, 427), "memfd_secret": (447, 447),
    "memfd_create": (319, 279),  # memory that no limit counts
    "fallocate": (285, 47),  # disk that no count of written bytes shows
    "io_setup": (206, 0), "inotify_init": (253, None), "inotify_init1": (294, 26),
    "vmsplice": (278, 75), "personality": (135, 92), "modify_ldt": (154, None),
    "uselib": (134, None), "iopl": (172, None), "ioperm": (173, None), "syslog": (103, 116),
    # what Landlock does not guard: modes, owners, times and attributes of files that lie outside
    "chmod": (90, None), "fchmod": (91, 52), "fchmodat": (268, 53), "fchmodat2": (452, 452),
    "chown": (92, None), "lchown": (94, None), "fchown": (93, 55), "fchownat": (260, 54),
    "setxattr": (188, 5), "lsetxattr": (189, 6), "fsetxattr": (190, 7), "setxattrat": (463, 463),
    "removexattr": (197, 14), "lremovexattr": (198, 15), "fremovexattr": (199, 16),
    "removexattrat": (466, 466), "utime": (132, None), "utimes": (235, None),
    "futimesat": (261, None), "utimensat": (280, 88), "file_setattr": (469, 469),
    # the machine
    "init_module": (175, 105), "finit_module": (313, 273), "delete_module": (176, 106),
    "kexec_load": (246, 104), "kexec_file_load": (320, 294), "reboot": (169, 142),
    "acct": (163, 89), "settimeofday": (164, 170), "clock_settime": (227, 112),
    "adjtimex": (159, 171), "clock_adjtime": (305, 266), "sethostname": (170, 161),
    "setdomainname": (171, 162), "vhangup": (153, 58),
    # shared memory and queues that other processes of this user could hold
    "shmget": (29, 194), "shmat": (30, 196), "shmctl": (31, 195), "msgget": (68, 186),
    "msgsnd": (69, 189), "msgrcv": (70, 188), "msgctl": (71, 187), "semget": (64, 190),
    "semop": (65, 193), "semctl": (66, 191), "semtimedop": (220, 192), "mq_open": (240, 180),
    "mq_unlink": (241, 181),
}  # fmt: skip
_CLONE = (56, 220)
_CLONE3 = (435, 435)  # its flags lie behind a pointer: ENOSYS makes libc use clone
_SOCKETPAIR = (53, 199)
_KILL, _TGKILL, _PRLIMIT = (62, 129), (234, 131), (302, 261)
_IOCTL, _FCNTL, _PRCTL = (16, 29), (72, 25), (157, 167)
# How this process is scheduled, and never another one.
_SCHEDULING = ((203, 122), (144, 119), (142, 118), (314, 274))

_CLONE_THREAD = 0x00010000
_CLONE_NAMESPACES = 0x7E020080  # NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET, NEWTIME
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C  # both write into a terminal's input
_FIOSETOWN, _SIOCSPGRP = 0x8901, 0x8902
_F_SETOWN, _F_SETSIG, _F_SETOWN_EX = 8, 10, 15  # a signal of one's choice, to any process
_PR_SET_PDEATHSIG, _PR_SET_MM, _PR_SET_PTRACER = 1, 35, 0x59616D61

_LD, _JEQ, _JGE, _JGT, _JSET, _AND, _RET = 0x20, 0x15, 0x35, 0x25, 0x45, 0x54, 0x06
_AT_NUMBER, _AT_ARCHITECTURE = 0, 4
_ALLOW, _KILL_PROCESS, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_SET_MODE_FILTER, _FLAG_TSYNC = 1, 1

_Instruction = tuple[int, int, int, int]


def _at_argument(index: int) -> int:
    return 16 + 8 * index  # the low half; both architectures are little-endian


def _errno(number: int) -> _Instruction:
    return (_RET, 0, 0, _ERRNO | number)


def _deny(number: int) -> list[_Instruction]:
    return [(_JEQ, 0, 1, number), _errno(errno.EPERM)]


def _when(number: int, body: list[_Instruction]) -> list[_Instruction]:
    """Run `body`, which must return, only for call `number`."""
    return [(_JEQ, 0, len(body), number), *body]


def _only_argument(index: int, values: tuple[int, ...]) -> list[_Instruction]:
    """Allow the call when the argument has one of the values, else EPERM."""
    tests: list[_Instruction] = [
        (_JEQ, len(values) - place, 0, value) for place, value in enumerate(values)
    ]
    return [(_LD, 0, 0, _at_argument(index)), *tests, _errno(errno.EPERM), (_RET, 0, 0, _ALLOW)]


def _without_argument(index: int, values: tuple[int, ...]) -> list[_Instruction]:
    """Answer EPERM when the argument has one of the values, else allow the call."""
    tests: list[_Instruction] = [
        (_JEQ, len(values) - place, 0, value) for place, value in enumerate(values)
    ]
    return [(_LD, 0, 0, _at_argument(index)), *tests, (_RET, 0, 0, _ALLOW), _errno(errno.EPERM)]


def build_filter(machine: str, pid: int) -> bytes:
    """Build the program for `machine` (as `platform.machine()`), for the process `pid`.

    Raises:
        OSError: there is no table for this architecture.
    """
    if machine not in _ARCHITECTURES:
        raise OSError(errno.ENOSYS, f"no system-call table for {machine}")
    column, audit_architecture, _ = _ARCHITECTURES[machine]
    program: list[_Instruction] = [
        (_LD, 0, 0, _AT_ARCHITECTURE),
        (_JEQ, 1, 0, audit_architecture),
        (_RET, 0, 0, _KILL_PROCESS),
        (_LD, 0, 0, _AT_NUMBER),
    ]
    if machine == "x86_64":
        program += [(_JGE, 0, 1, _X32_BIT), (_RET, 0, 0, _KILL_PROCESS)]
    program += [(_JGT, 0, 1, _NEWEST_KNOWN), _errno(errno.ENOSYS)]
    for numbers in _DENIED.values():
        number = numbers[column]
        if number is not None:
            program += _deny(number)
    program += [(_JEQ, 0, 1, _CLONE3[column]), _errno(errno.ENOSYS)]
    # A thread may be made; a process or a namespace may not.
    program += _when(
        _CLONE[column],
        [
            (_LD, 0, 0, _at_argument(0)),
            (_JSET, 1, 0, _CLONE_NAMESPACES),
            (_JSET, 1, 0, _CLONE_THREAD),
            _errno(errno.EPERM),
            (_RET, 0, 0, _ALLOW),
        ],
    )
    # Stream only: a datagram socket could be sent to any named one.
    program += _when(
        _SOCKETPAIR[column],
        [
            (_LD, 0, 0, _at_argument(0)),
            (_JEQ, 0, 3, int(socket.AF_UNIX)),
            (_LD, 0, 0, _at_argument(1)),
            (_AND, 0, 0, 0xF),
            (_JEQ, 1, 0, int(socket.SOCK_STREAM)),
            _errno(errno.EPERM),
            (_RET, 0, 0, _ALLOW),
        ],
    )
    program += _when(_KILL[column], _only_argument(0, (pid,)))
    program += _when(_TGKILL[column], _only_argument(0, (pid,)))
    program += _when(_PRLIMIT[column], _only_argument(0, (0, pid)))
    for numbers in _SCHEDULING:
        program += _when(numbers[column], _only_argument(0, (0, pid)))
    program += _when(
        _IOCTL[column], _without_argument(1, (_TIOCSTI, _TIOCLINUX, _FIOSETOWN, _SIOCSPGRP))
    )
    program += _when(_FCNTL[column], _without_argument(1, (_F_SETOWN, _F_SETSIG, _F_SETOWN_EX)))
    program += _when(
        _PRCTL[column], _without_argument(0, (_PR_SET_PDEATHSIG, _PR_SET_MM, _PR_SET_PTRACER))
    )
    program.append((_RET, 0, 0, _ALLOW))
    return b"".join(struct.pack("HBBI", *instruction) for instruction in program)


def install_filter() -> None:
    """Put the filter on every thread of this process. `no_new_privs` must be set before.

    Raises:
        OSError: the kernel or the architecture has no seccomp filter.
    """
    if not sys.platform.startswith("linux"):
        raise OSError(errno.ENOSYS, "seccomp is part of Linux")
    machine = platform.machine()
    program = build_filter(machine, os.getpid())
    buffer = ctypes.create_string_buffer(program, len(program))
    header = ctypes.create_string_buffer(
        struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(buffer))
    )
    libc = ctypes.CDLL(None, use_errno=True)
    number = _ARCHITECTURES[machine][2]
    result = libc.syscall(
        ctypes.c_long(number),
        ctypes.c_ulong(_SET_MODE_FILTER),
        ctypes.c_ulong(_FLAG_TSYNC),
        header,
    )
    if result != 0:
        raise OSError(ctypes.get_errno(), "the kernel refused the system-call filter")
