"""Every wall of the sandbox, tried from inside: the kernel's own answer is what is asserted."""

import os
import platform
import sys
from pathlib import Path
from typing import Any

import pytest

from sandbox_probe import run_probes
from slipway_runtime.sandbox.landlock import landlock_abi

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"),
    reason="the walls are Linux's; elsewhere they are reported",
)

X86 = platform.machine() == "x86_64"


def _number(x86_64: int, aarch64: int) -> int:
    return x86_64 if X86 else aarch64


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """An input folder, a scratch folder, and a secret outside both."""
    folder = tmp_path_factory.mktemp("places")
    for name in ("inputs", "scratch", "outside"):
        (folder / name).mkdir()
    (folder / "inputs" / "model").write_text("model")
    (folder / "outside" / "secret").write_text("secret")
    return {name: folder / name for name in ("inputs", "scratch", "outside")}


@pytest.fixture(scope="module")
def found(places: dict[str, Path]) -> dict[str, list[Any]]:
    """What one sandboxed child found when it tried everything."""
    os.environ["SLIPWAY_TEST_SECRET"] = "planted"
    inputs, scratch, outside = (str(places[name]) for name in ("inputs", "scratch", "outside"))
    parent = os.getpid()
    code = f"""
inputs, scratch, outside, parent = {inputs!r}, {scratch!r}, {outside!r}, {parent}
attempt("inet socket", lambda: socket.socket(socket.AF_INET).close())
attempt("inet6 socket", lambda: socket.socket(socket.AF_INET6).close())
attempt("netlink socket", lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW).close())
attempt("unix socket", lambda: socket.socket(socket.AF_UNIX).close())
attempt("unix datagram pair", lambda: socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM))
def pair():
    one, other = socket.socketpair()
    one.sendall(b"x")
    return other.recv(1).decode()
attempt("unix stream pair", pair)
def reconnect():
    one, other = socket.socketpair()
    one.connect("/run/anything")
attempt("connect", reconnect)
attempt("read outside", lambda: open(outside + "/secret").read())
attempt("read shadow", lambda: open("/etc/shadow").read())
attempt("list root", lambda: os.listdir("/"))
attempt("write outside", lambda: open(outside + "/new", "w"))
attempt("truncate outside", lambda: os.truncate(outside + "/secret", 0))
attempt("delete outside", lambda: os.unlink(outside + "/secret"))
attempt("read input", lambda: open(inputs + "/model").read())
attempt("write input", lambda: open(inputs + "/model", "a"))
attempt("write scratch", lambda: open(scratch + "/mine", "w").write("x"))
attempt("symlink", lambda: os.symlink(outside, scratch + "/link"))
attempt("hard link", lambda: os.link(inputs + "/model", scratch + "/hard"))
attempt("fifo", lambda: os.mkfifo(scratch + "/fifo"))
attempt("device", lambda: os.mknod(scratch + "/device", 0o20600, os.makedev(1, 1)))
attempt("write library", lambda: open(os.__file__, "a"))
attempt("environment of parent", lambda: open(f"/proc/{{parent}}/environ").read())
attempt("memory of parent", lambda: open(f"/proc/{{parent}}/mem", "rb"))
attempt("fork", lambda: os.fork())
attempt("exec", lambda: os.execv("/bin/true", ["true"]))
attempt("kill parent", lambda: os.kill(parent, 0))
attempt("kill all", lambda: os.kill(-1, 0))
attempt("kill self", lambda: os.kill(os.getpid(), 0))
attempt("kernel key", lambda: system_call({_number(250, 219)}, 0, -3, 0, 0, 0))
attempt("add key", lambda: system_call({_number(248, 217)}, 0, 0, 0, 0, 0))
attempt("ptrace", lambda: system_call({_number(101, 117)}, 16, parent, 0, 0))
attempt("read memory of parent", lambda: system_call({_number(310, 270)}, parent, 0, 0, 0, 0, 0))
attempt("bpf", lambda: system_call({_number(321, 280)}, 0, 0, 0))
attempt("userfaultfd", lambda: system_call({_number(323, 282)}, 0))
attempt("io_uring", lambda: system_call(425, 1, 0))
attempt("perf", lambda: system_call({_number(298, 241)}, 0, 0, -1, -1, 0))
attempt("pidfd", lambda: system_call(434, parent, 0))
attempt("pidfd_getfd", lambda: system_call(438, 0, 0, 0))
attempt("mount", lambda: system_call({_number(165, 40)}, 0, 0, 0, 0, 0))
attempt("memory file", lambda: os.memfd_create("x"))
attempt("reserve disk", lambda: os.posix_fallocate(open(scratch + "/r", "w").fileno(), 0, 1))
attempt("mode outside", lambda: os.chmod(outside + "/secret", 0o777))
attempt("mode of a library", lambda: os.fchmod(open(os.__file__).fileno(), 0o777))
attempt("owner outside", lambda: os.chown(outside + "/secret", os.getuid(), os.getgid()))
attempt("time outside", lambda: os.utime(outside + "/secret", (0, 0)))
attempt("attribute outside", lambda: os.setxattr(outside + "/secret", "user.x", b"x"))
attempt("signal by descriptor", lambda: __import__("fcntl").fcntl(0, 8, parent))
attempt("signal number by descriptor", lambda: __import__("fcntl").fcntl(0, 10, 9))
attempt("owner of a descriptor", lambda: __import__("fcntl").ioctl(1, 0x8901, b"\\0" * 4))
attempt("outlive the parent", lambda: system_call({_number(157, 167)}, 1, 0, 0, 0, 0))
attempt("move the parent", lambda: os.sched_setaffinity(parent, {{0}}))
attempt("slow the parent", lambda: os.sched_setscheduler(parent, os.SCHED_IDLE, os.sched_param(0)))
attempt("own processors", lambda: os.sched_setaffinity(0, os.sched_getaffinity(0)))
attempt("unshare", lambda: system_call({_number(272, 97)}, 0x10000000))
attempt("setns", lambda: system_call({_number(308, 268)}, 0, 0))
attempt("clone into namespace", lambda: system_call({_number(56, 220)}, 0x10000011, 0, 0, 0, 0))
attempt("clone3", lambda: system_call(435, 0, 0))
attempt("chroot", lambda: os.chroot(scratch))
attempt("limits of parent", lambda: __import__("resource").prlimit(parent, 7, (9, 9)))
attempt("raise own limit", lambda: __import__("resource").setrlimit(7, (9999, 9999)))
attempt("shared memory", lambda: system_call({_number(29, 194)}, 1, 4096, 0o1600))
attempt("message queue", lambda: system_call({_number(240, 180)}, 0, 0, 0, 0))
attempt("newer than known", lambda: system_call(480))
attempt("type into terminal", lambda: __import__("fcntl").ioctl(0, 0x5412, b"x"))
def run_thread():
    import threading
    done = []
    thread = threading.Thread(target=done.append, args=(1,))
    thread.start(); thread.join()
    return done
attempt("thread", run_thread)
attempt("environment", lambda: sorted(os.environ))
attempt("descriptors", lambda: sorted(int(one) for one in os.listdir("/proc/self/fd")))
walls = ("NoNewPrivs", "CapEff", "Seccomp:")
attempt("walls", lambda: [line for line in open("/proc/self/status") if line.startswith(walls)])
"""
    try:
        return run_probes(code, places["scratch"], read=(places["inputs"],))
    finally:
        del os.environ["SLIPWAY_TEST_SECRET"]


@pytest.mark.parametrize(
    "name",
    [
        "inet socket", "inet6 socket", "netlink socket", "unix socket", "unix datagram pair",
        "connect", "fork", "exec", "kill parent", "kill all", "kernel key", "add key", "ptrace",
        "read memory of parent", "bpf", "userfaultfd", "io_uring", "perf", "pidfd", "pidfd_getfd",
        "mount", "unshare", "setns", "clone into namespace", "chroot", "limits of parent",
        "shared memory", "message queue", "type into terminal", "memory file", "reserve disk",
        "mode outside", "mode of a library", "owner outside", "time outside", "attribute outside",
        "signal by descriptor", "signal number by descriptor", "owner of a descriptor",
        "outlive the parent", "move the parent", "slow the parent",
    ],
)  # fmt: skip
def test_system_call_is_refused(found: dict[str, list[Any]], name: str) -> None:
    assert found[name][0] == "EPERM"


@pytest.mark.parametrize("name", ["clone3", "newer than known"])
def test_unreadable_call_looks_unknown(found: dict[str, list[Any]], name: str) -> None:
    assert found[name][0] == "ENOSYS"


@pytest.mark.parametrize(
    "name",
    [
        "read outside", "read shadow", "list root", "write outside", "delete outside",
        "write input", "write library", "symlink", "fifo", "device", "environment of parent",
        "memory of parent",
        pytest.param("truncate outside", marks=pytest.mark.skipif(
            landlock_abi() < 3, reason="the kernel guards truncation from Landlock 3 on")),
    ],
)  # fmt: skip
def test_path_is_refused(found: dict[str, list[Any]], name: str) -> None:
    assert found[name][0] in ("EACCES", "EPERM")


def test_hard_link_does_not_bring_an_input_out(found: dict[str, list[Any]]) -> None:
    assert found["hard link"][0] in ("EXDEV", "EACCES", "EPERM")


def test_outside_is_untouched(found: dict[str, list[Any]], places: dict[str, Path]) -> None:
    assert [path.name for path in places["outside"].iterdir()] == ["secret"]
    assert (places["outside"] / "secret").read_text() == "secret"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("unix stream pair", "x"),
        ("read input", "model"),
        ("write scratch", 1),
        ("kill self", None),
        ("own processors", None),
        ("thread", [1]),
    ],
)
def test_needed_things_work(found: dict[str, list[Any]], name: str, value: object) -> None:
    assert found[name] == ["ok", value]


def test_limits_cannot_be_raised_again(found: dict[str, list[Any]]) -> None:
    assert found["raise own limit"][0] != "ok"


def test_environment_is_our_own(found: dict[str, list[Any]]) -> None:
    names = found["environment"][1]
    assert "SLIPWAY_TEST_SECRET" not in names
    assert set(names) <= {
        "HOME", "JOBLIB_MULTIPROCESSING", "LANG", "LC_ALL", "LC_CTYPE", "LOKY_MAX_CPU_COUNT",
        "MKL_NUM_THREADS", "MPLCONFIGDIR", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS",
        "ORT_DISABLE_TELEMETRY", "PATH", "PYTHONDONTWRITEBYTECODE", "PYTHONHASHSEED", "PYTHONUTF8",
        "TMPDIR", "TZ",
    }  # fmt: skip


def test_few_descriptors_are_open(found: dict[str, list[Any]]) -> None:
    # 0, 1, 2, the status channel, and the one that lists the folder
    assert len(found["descriptors"][1]) <= 5


def test_kernel_confirms_the_walls(found: dict[str, list[Any]]) -> None:
    lines = dict(line.split(":\t") for line in found["walls"][1])
    assert lines["NoNewPrivs"].strip() == "1"
    assert lines["Seccomp"].strip() == "2"
    assert int(lines["CapEff"], 16) == 0
