"""The keeper of one process: outlives the engine, records how the process ended. Stdlib only.

Run as ``python -I -S shim.py RUN_FOLDER``. Holds ``RUN_FOLDER/lock`` while it lives (so no process
is ever started twice), writes ``state.json`` when the process runs and ``exit.json`` when it ended.
SIGTERM is handed to the process alone; SIGUSR1 kills it and all its descendants. Kills it when its
tree takes more memory than allowed, or when this keeper itself is killed.
"""

import ctypes
import fcntl
import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
HANDLED = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGCHLD}
PAGE = os.sysconf("SC_PAGE_SIZE")


def write(path: Path, value: dict[str, object]) -> None:
    """Write JSON so that a reader sees all of it or nothing, also after a crash."""
    temporary = path.with_suffix(".tmp")
    with temporary.open("w") as file:
        json.dump(value, file)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def start_ticks(pid: int) -> int:
    """When a process began, in clock ticks since boot: with its pid, its identity."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])


def descendants(pid: int) -> list[int]:
    """All children of children of ``pid``; those that end meanwhile are left out."""
    found: list[int] = []
    waiting = [pid]
    while waiting:
        current = waiting.pop()
        try:
            for task in os.listdir(f"/proc/{current}/task"):
                children = Path(f"/proc/{current}/task/{task}/children").read_text().split()
                found.extend(map(int, children))
                waiting.extend(map(int, children))
        except OSError:
            continue
    return found


def resident_bytes(pids: list[int]) -> int:
    """Memory of these processes that is their own (resident less shared file pages)."""
    total = 0
    for pid in pids:
        try:
            _, resident, shared, *_ = Path(f"/proc/{pid}/statm").read_text().split()
        except (OSError, ValueError):
            continue
        total += (int(resident) - int(shared)) * PAGE
    return total


def kill(pids: list[int]) -> None:
    """SIGKILL each that still lives."""
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def reap_orphans() -> None:
    """Kill and collect everything that the process left behind."""
    while True:
        kill(descendants(os.getpid()))
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def reap_strangers(pid: int) -> None:
    """Collect adopted orphans that have ended, but never ``pid``, whose exit code is wanted."""
    while True:
        try:
            ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return
        if ended is None or ended.si_pid == pid:
            return
        os.waitpid(ended.si_pid, 0)


def keep(folder: Path) -> None:
    """Start the process that ``spec.json`` describes and stay until it has ended."""
    spec = json.loads((folder / "spec.json").read_text())
    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    myself = os.getpid()

    def prepare() -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != myself:
            os._exit(1)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, HANDLED)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        for name, value in spec["rlimits"].items():
            kind = getattr(resource, f"RLIMIT_{name}")
            hard = resource.getrlimit(kind)[1]
            limit = value if hard == resource.RLIM_INFINITY else min(value, hard)
            resource.setrlimit(kind, (limit, limit))

    began = time.time()
    output = os.open(folder / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        process = subprocess.Popen(
            spec["command"], env=spec["env"], cwd=spec["cwd"], stdin=subprocess.DEVNULL,
            stdout=output, stderr=output, process_group=0,
            preexec_fn=prepare,  # noqa: PLW1509  this process has one thread
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError) as error:
        os.write(output, f"cannot start {spec['command'][0]}: {error}\n".encode())
        write(folder / "exit.json", {"code": 127, "error": str(error), "oom": False,
                                     "started": began, "finished": time.time()})  # fmt: skip
        return
    os.close(output)
    write(folder / "state.json", {"keeper": myself, "keeperTicks": start_ticks(myself),
                                  "pid": process.pid, "ticks": start_ticks(process.pid),
                                  "started": began})  # fmt: skip
    out_of_memory = stay(process, spec["memoryBytes"])
    reap_orphans()
    code = process.returncode
    write(
        folder / "exit.json",
        {
            "code": code if code >= 0 else 128 - code,
            "oom": out_of_memory,
            "error": None,
            "started": began,
            "finished": time.time(),
        },
    )


def stay(process: "subprocess.Popen[bytes]", limit: int | None) -> bool:
    """Hand signals on until the process has ended; whether it was killed for its memory."""
    out_of_memory = False
    while True:
        wanted = signal.sigtimedwait(HANDLED, 0.25 if limit else 60.0)
        if process.poll() is not None:
            return out_of_memory
        reap_strangers(process.pid)
        if wanted is not None and wanted.si_signo == signal.SIGUSR1:
            kill([process.pid, *descendants(process.pid)])
        elif wanted is not None and wanted.si_signo != signal.SIGCHLD:
            process.send_signal(signal.SIGTERM)
        if limit:
            tree = [process.pid, *descendants(process.pid)]
            if resident_bytes(tree) > limit:
                out_of_memory = True
                kill(tree)


def main() -> None:
    """Take the folder's lock, or leave at once when another keeper has it."""
    folder = Path(sys.argv[1])
    os.umask(0o077)
    signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED)
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    for attempt in range(20):  # somebody who only looks holds it for microseconds
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            if attempt == 19:
                return
            time.sleep(0.01)
    if not (folder / "exit.json").exists() and not (folder / "state.json").exists():
        keep(folder)


if __name__ == "__main__":
    main()
