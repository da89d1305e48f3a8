"""How a sandboxed process may end, done for real, and what a person is told about each."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from sandbox_probe import GIB, probe_policy, run_code
from slipway_runtime.errors import BuildError
from slipway_runtime.sandbox import explain_exit, spawn

MIB = 1 << 20


def _ending(
    code: str, scratch: Path, *, wall_seconds: float = 30, **changes: int
) -> BuildError | None:
    policy = probe_policy(scratch, **changes)
    ended = run_code(
        code, policy, wall_seconds=wall_seconds, watch=(scratch,), watch_bytes=64 * MIB
    )
    return explain_exit(ended, policy=policy, wall_seconds=wall_seconds, doing="Opening the model")


@pytest.mark.parametrize(
    ("code", "reason", "words"),
    [
        pytest.param(
            "os.kill(os.getpid(), 11)", "ModelRejected", "RuntimeCrash(signal 11)", id="segv"
        ),
        pytest.param("ctypes.string_at(0)", "ModelRejected", "RuntimeCrash(signal 11)", id="null"),
        pytest.param("os.abort()", "ModelRejected", "RuntimeCrash(signal 6)", id="abort"),
        pytest.param("os.kill(os.getpid(), 9)", "OutOfMemory", "memory", id="kill"),
        pytest.param(
            "os.write(2, b'std::bad_alloc'); os.abort()", "OutOfMemory", "memory", id="bad_alloc"
        ),
        pytest.param("raise BlockingIOError(11, 'no')", "BuildInterrupted", "threads", id="again"),
        pytest.param(
            'raise RuntimeError("can\'t start new thread")',
            "BuildInterrupted",
            "threads",
            id="no thread",
        ),
        pytest.param("os._exit(0)", "ModelRejected", "exit code 0", id="exit-0"),
        pytest.param("os._exit(3)", "ModelRejected", "exit code 3", id="exit-3"),
        pytest.param("raise SystemExit(0)", "ModelRejected", "SystemExit", id="system-exit"),
        pytest.param("raise KeyError('colour')", "ModelRejected", "KeyError", id="exception"),
        pytest.param("socket.socket()", "ModelUnsafe", "sandbox forbids", id="socket"),
        pytest.param("open('/etc/passwd')", "ModelUnsafe", "sandbox forbids", id="other-file"),
        pytest.param("os.fork()", "ModelUnsafe", "sandbox forbids", id="fork"),
        pytest.param("while True: pass", "DeadlineExceeded", "processor time", id="cpu"),
        pytest.param(
            "import signal; signal.signal(signal.SIGXCPU, signal.SIG_IGN)\nwhile True: pass",
            "DeadlineExceeded",
            "processor time",
            id="cpu-ignored",
            marks=pytest.mark.timeout(60),
        ),
    ],
)
def test_ending_is_explained(tmp_path: Path, code: str, reason: str, words: str) -> None:
    error = _ending(code, tmp_path, cpu_seconds=1)
    assert error is not None
    assert (error.reason, words in error.message) == (reason, True), error


def test_too_much_memory(tmp_path: Path) -> None:
    error = _ending(
        "held = [bytearray(1 << 24) for _ in range(10_000)]", tmp_path, memory_bytes=GIB // 2
    )
    assert error is not None
    assert error.reason == "OutOfMemory"


def test_shared_memory_is_bounded_too(tmp_path: Path) -> None:
    code = "import mmap\nheld = [mmap.mmap(-1, 1 << 30) for _ in range(10)]"
    error = _ending(code, tmp_path, memory_bytes=GIB // 2)
    assert error is not None
    assert error.reason == "OutOfMemory"


def test_deadline(tmp_path: Path) -> None:
    started = time.monotonic()
    error = _ending("import time; time.sleep(60)", tmp_path, wall_seconds=1.5)
    assert error is not None
    assert error.reason == "DeadlineExceeded"
    assert "1.5 s" in error.message
    assert time.monotonic() - started < 20


def test_one_large_file(tmp_path: Path) -> None:
    code = f"open({str(tmp_path / 'big')!r}, 'wb').write(bytes(2 << 20))"
    error = _ending(code, tmp_path, file_bytes=MIB)
    assert error is not None
    assert error.reason == "DiskFull"
    assert (tmp_path / "big").stat().st_size <= MIB


def test_many_files(tmp_path: Path) -> None:
    code = f"""
import time
for number in range(10_000):
    open({str(tmp_path)!r} + f"/{{number}}", "wb").write(bytes(8 << 20))
    time.sleep(0.02)
"""
    error = _ending(code, tmp_path)
    assert error is not None
    assert error.reason == "DiskFull"


def test_deleted_files_are_counted(tmp_path: Path) -> None:
    """A file that is open and deleted takes disk, and no folder shows it."""
    code = f"""
held = []
while True:
    held.append(open({str(tmp_path / "gone")!r}, "wb", buffering=0))
    os.unlink({str(tmp_path / "gone")!r})
    for _ in range(8):
        held[-1].write(bytes(1 << 20))
"""
    error = _ending(code, tmp_path, wall_seconds=60)
    assert error is not None
    assert error.reason == "DiskFull"
    assert list(tmp_path.iterdir()) == []


def test_thread_bomb_is_stopped(tmp_path: Path) -> None:
    code = """
import threading, time
threading.stack_size(65536)
while True:
    try:
        threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
    except RuntimeError:
        pass
"""
    error = _ending(code, tmp_path, memory_bytes=2 * GIB)
    assert error is not None
    assert error.reason in ("ModelUnsafe", "OutOfMemory"), error


def test_fork_bomb_makes_no_process(tmp_path: Path) -> None:
    code = """
made = 0
for _ in range(1000):
    try:
        os.fork(); made += 1
    except OSError:
        pass
assert made == 0
"""
    assert _ending(code, tmp_path) is None


def test_flood_of_output_is_cut(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    policy = probe_policy(tmp_path)
    ended = run_code("for _ in range(4000): os.write(1, b'x' * 1023 + b'\\x1b')", policy)
    assert ended.finished
    assert len(ended.tail) <= 16 << 10
    shown = capsys.readouterr().err
    assert len(shown) <= (1 << 20) + 65536
    assert "\x1b" not in shown + ended.tail


def test_lies_on_the_status_channel_are_no_crash(tmp_path: Path) -> None:
    code = """
for number in range(3, 64):
    try:
        os.write(number, b'{"error": {"reason": "Owned", "message": "x"}}\\n')
    except OSError:
        pass
os._exit(0)
"""
    error = _ending(code, tmp_path)
    assert error is not None
    assert error.reason == "ModelRejected"


def test_result_comes_back(tmp_path: Path) -> None:
    policy = probe_policy(tmp_path)
    ended = run_code("pass", policy)
    assert explain_exit(ended, policy=policy, wall_seconds=30, doing="x") is None
    assert ended.code == 0
    assert ended.peak_memory_bytes > MIB


def test_libraries_work_inside(tmp_path: Path) -> None:
    code = """
import numpy, onnxruntime, sklearn.ensemble
data = numpy.arange(200.0).reshape(100, 2)
model = sklearn.ensemble.RandomForestRegressor(n_estimators=4, n_jobs=2).fit(data, data[:, 0])
assert model.predict(data).shape == (100,)
assert (numpy.ones((300, 300)) @ numpy.ones((300, 300)))[0, 0] == 300
"""
    assert _ending(code, tmp_path, wall_seconds=90, cpu_seconds=60, memory_bytes=2 * GIB) is None


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="PR_SET_PDEATHSIG is Linux's")
def test_child_dies_with_its_parent(tmp_path: Path) -> None:
    script = f"""
import sys
from pathlib import Path
from slipway_runtime.sandbox import policy_for, spawn
child = spawn(target="time:sleep", argument=60,
              policy=policy_for(read=(), write=(Path({str(tmp_path)!r}),), memory_bytes=1 << 30))
child.wait_until_shut_in()
print(child.pid, flush=True)
sys.stdin.read()
"""
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert _is_alive(pid)
        parent.kill()
        parent.wait()
        deadline = time.monotonic() + 10
        while _is_alive(pid) and time.monotonic() < deadline:
            time.sleep(0.01)
    assert not _is_alive(pid)


def _is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def test_channel_is_inherited(tmp_path: Path) -> None:
    import socket

    from slipway_runtime.sandbox import spawn

    ours, theirs = socket.socketpair()
    with ours, theirs:
        number = theirs.fileno()
        code = f"""
import socket
channel = socket.socket(fileno={number})
channel.sendall(channel.recv(4)[::-1])
"""
        child = spawn(
            target="builtins:exec", argument=code, policy=probe_policy(tmp_path), keep=(number,)
        )
        enforcement = child.wait_until_shut_in()
        ours.settimeout(20)
        ours.sendall(b"ping")
        assert ours.recv(4) == b"gnip"
        ended = child.wait(enforcement=enforcement, wall_seconds=20)
    assert ended.code == 0
    assert "rlimits" in ended.enforcement.enforced


@pytest.mark.skipif(os.getuid() != 0, reason="needs root to become somebody else")
def test_shuts_in_without_privilege(tmp_path: Path) -> None:
    """The same walls for an ordinary user: the process drops root before it shuts itself in."""
    script = """
import os, sys
from pathlib import Path
from slipway_runtime.sandbox import enter, policy_for
import json, socket
os.setgroups([]); os.setgid(65534); os.setuid(65534)
walls = enter(policy_for(read=(), memory_bytes=1 << 30))
print(json.dumps([walls.enforced, walls.missing]))
try:
    socket.socket(); sys.exit(3)
except PermissionError:
    pass
try:
    open("/etc/passwd"); sys.exit(4)
except PermissionError:
    pass
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == (
        '[["capabilities", "landlock", "no_new_privs", "rlimits", "seccomp"], []]'
    )


def test_foreign_abi_kills(tmp_path: Path) -> None:
    """A 32-bit system call (int 0x80) would slip past a filter that knows numbers only."""
    if os.uname().machine != "x86_64":
        pytest.skip("int 0x80 is x86_64's")
    # mov eax, 20 (getpid in 32 bit); int 0x80; ret
    code = """
import mmap
page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
page.write(b"\\xb8\\x14\\x00\\x00\\x00\\xcd\\x80\\xc3")
address = ctypes.addressof(ctypes.c_char.from_buffer(page))
ctypes.CFUNCTYPE(ctypes.c_int)(address)()
"""
    policy = probe_policy(tmp_path)
    ended = run_code(code, policy)
    # SIGSYS by our filter; SIGSEGV where the kernel has no 32-bit calls at all
    assert ended.code in (-signal.SIGSYS, -signal.SIGSEGV)


def test_cannot_enter_with_threads(tmp_path: Path) -> None:
    script = """
import threading
from slipway_runtime.sandbox import enter, policy_for
gate = threading.Event()
threading.Thread(target=gate.wait, daemon=True).start()
try:
    enter(policy_for(read=(), memory_bytes=1 << 30))
except RuntimeError as error:
    assert "several threads" in str(error)
else:
    raise SystemExit(3)
finally:
    gate.set()
"""
    done = subprocess.run([sys.executable, "-c", script], timeout=60, check=False)
    assert done.returncode == 0


def test_missing_path_is_a_defect_not_a_hole(tmp_path: Path) -> None:
    script = f"""
from pathlib import Path
from slipway_runtime.sandbox import enter, policy_for
try:
    enter(policy_for(read=(Path({str(tmp_path / "nowhere")!r}),), memory_bytes=1 << 30))
except FileNotFoundError:
    raise SystemExit(0)
raise SystemExit(3)
"""
    done = subprocess.run([sys.executable, "-c", script], timeout=60, check=False)
    assert done.returncode == 0


def test_ctypes_is_there() -> None:
    # The probes above reach the kernel through it; without it they would prove nothing.
    assert ctypes.CDLL(None).getpid() == os.getpid()


def test_a_child_that_ends_before_it_is_shut_in_leaves_nothing_behind(tmp_path: Path) -> None:
    before = sorted(os.listdir("/proc/self/fd"))
    child = spawn(target="time:sleep", argument=60, policy=probe_policy(tmp_path))
    child.kill()
    with pytest.raises(RuntimeError, match="ended before it was shut in"):
        child.wait_until_shut_in()
    assert child.process.returncode == -signal.SIGKILL
    assert not psutil.pid_exists(child.pid), "no zombie"
    assert sorted(os.listdir("/proc/self/fd")) == before


def test_an_interrupt_is_not_taken_for_the_models_doing(tmp_path: Path) -> None:
    child = spawn(target="time:sleep", argument=0.5, policy=probe_policy(tmp_path))
    enforcement = child.wait_until_shut_in()
    os.kill(child.pid, signal.SIGINT)
    ended = child.wait(enforcement=enforcement, wall_seconds=30)
    assert (ended.code, ended.finished, ended.problem) == (0, True, None)
