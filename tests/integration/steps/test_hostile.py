"""Models that attack the build step, with the scan taken out: what they leave and what they say.

What else they may try stands in `hostile_effects` and is tried on the running engine.
"""

import json
import signal
import time
from pathlib import Path

import psutil

from hostile_effects import write_runs
from steps_build import StepBuild

LIMITS = {"convertSeconds": 40, "convertMemoryBytes": 1 << 30, "scratchBytes": 8 << 20}


def _build(folder: Path, code: str, **limits: float) -> StepBuild:
    model = write_runs(folder / "model.pkl", code)
    build = StepBuild(
        folder=folder / "build", model=model, limits=LIMITS | limits, module="hostile_unscanned"
    )
    assert build.run("fetch")["ok"]
    return build


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
