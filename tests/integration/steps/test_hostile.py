"""Models that attack the build: each ends as one closed reason, and nothing leaves the sandbox."""

import json
import os
import signal
import socket
import time
from pathlib import Path

import psutil
import pytest

from steps_build import StepBuild, write_payload

LIMITS = {"convertSeconds": 40, "convertMemoryBytes": 1 << 30, "scratchBytes": 8 << 20}


def _build(folder: Path, code: str, **limits: float) -> StepBuild:
    model = write_payload(folder / "model.pkl", code)
    build = StepBuild(folder=folder / "build", model=model, limits=LIMITS | limits)
    assert build.run("fetch")["ok"]
    return build


ATTACKS = {
    "system": ("import os\nassert os.system('touch {trace}') == 0", {"ModelUnreadable"}),
    "subprocess": ("import subprocess; subprocess.run(['/bin/touch', '{trace}'])", {"ModelUnsafe"}),
    "fork": ("import os; os.fork()", {"ModelUnsafe"}),
    "connect": ("import socket; socket.create_connection(('127.0.0.1', {port}))", {"ModelUnsafe"}),
    "read": ("open('/etc/passwd').read()", {"ModelUnsafe"}),
    "write": ("open('{trace}', 'w').write('x')", {"ModelUnsafe"}),
    "kill-engine": ("import os; os.kill({parent}, 9)", {"ModelUnsafe"}),
    "kill-step": ("import os; os.kill(os.getppid(), 9)", {"ModelUnsafe"}),
    "crash": ("import ctypes; ctypes.string_at(0)", {"ModelRejected"}),
    "exit": ("import os; os._exit(0)", {"ModelRejected"}),
    "interrupt": ("raise KeyboardInterrupt", {"ModelRejected"}),
    "memory": ("held = [bytearray(1 << 26) for _ in range(1000)]", {"OutOfMemory"}),
    "one-file": (
        "import os; open(os.environ['HOME'] + '/big', 'wb').write(bytes(64 << 20))",
        {"DiskFull"},
    ),
    "many-files": (
        "import os, time\n"
        "for n in range(1000): open(os.environ['HOME'] + f'/{{n}}', 'wb').write(bytes(1 << 20))\n"
        "time.sleep(60)",
        {"DiskFull"},
    ),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_attack(tmp_path: Path, name: str) -> None:
    code, reasons = ATTACKS[name]
    trace = tmp_path / "trace"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        port = listener.getsockname()[1]
        build = _build(tmp_path, code.format(trace=trace, port=port, parent=os.getpid()))
        report = build.run("convert")
        with pytest.raises(BlockingIOError):
            listener.accept()
    assert report["reason"] in reasons, report
    assert not trace.exists()
    assert not (build.work / "converted").exists()
    assert not (build.work / "scratch").exists()


def test_sleeping_for_ever_meets_the_deadline(tmp_path: Path) -> None:
    build = _build(tmp_path, "__import__('time').sleep(1000)", convertSeconds=4)
    report = build.run("convert")
    assert report["reason"] == "DeadlineExceeded"
    assert "4 s" in report["message"]


def test_endless_loop_meets_the_processor_limit(tmp_path: Path) -> None:
    build = _build(tmp_path, "while True: pass", convertCpuSeconds=3)
    assert build.run("convert")["reason"] == "DeadlineExceeded"


def test_stopped_conversion_leaves_no_process(tmp_path: Path) -> None:
    build = _build(tmp_path, "__import__('time').sleep(1000)")
    process = build.start("convert")
    deadline = time.monotonic() + 60
    children: list[psutil.Process] = []
    while len(children) < 2 and time.monotonic() < deadline:
        children = psutil.Process(process.pid).children()
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert json.loads((build.folder / "termination").read_bytes())["reason"] == "BuildInterrupted"
    gone, alive = psutil.wait_procs(children, timeout=20)
    assert len(gone) == 2  # the one that opens the model, and onnxruntime beside it
    assert alive == []


def test_forged_result_is_not_believed(tmp_path: Path) -> None:
    """The model writes a manifest and a good word of its own, and leaves at once."""
    code = """
import os
home = os.environ['HOME']
converted = os.path.join(os.path.dirname(home), 'converted')
open(converted + '/manifest.json', 'w').write('{"schema": "slipway.dev/manifest/v1"}')
for number in range(3, 30):
    try:
        os.write(number, b'{"result": null, "error": null}\\n')
    except OSError:
        pass
os._exit(0)
"""
    report = _build(tmp_path, code).run("convert")
    assert report["reason"] == "ModelRejected"
    assert "manifest.json" in report["message"]
