"""How fast a model answers: the original beside its conversion, timed in a sandbox of their own.

For `slipway-runtime check` only. Both sides get the same tensors through the port that the server
uses (`serving.core.session.Session`), so what is timed is what a request would cost inside.
"""

import json
import time
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from slipway_runtime.artifact.manifest import Manifest
from slipway_runtime.build_request import BuildRequest
from slipway_runtime.errors import BuildError
from slipway_runtime.sandbox import HERE, Interpreter, explain_exit, policy_for, run_sandboxed
from slipway_runtime.serving.core.session import Session, Tensors

ROWS = (10, 100, 1000)  # of a call: the most that still allows MIN_CALLS within the budget
MIN_CALLS, MAX_CALLS = 5, 200
BUDGET_SECONDS = 2.0
_WALL_SECONDS = 60.0
_CPU_SECONDS = 120

_Sides = dict[str, tuple[Session, Tensors]]


class Pace(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Rows a second of one side: the median call, and the quarter of calls below and above it."""

    median: float
    low: float
    high: float


class Speed(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What was timed: `calls` of `rows` rows each, by turns. None: there is no such side."""

    rows: int
    calls: int
    original: Pace | None
    onnxruntime: Pace | None


def measure_speed(
    build: BuildRequest, work: Path, manifest: Manifest, *, interpreter: Interpreter
) -> Speed | None:
    """Time what `convert` left in `work`; None when there are no rows to ask about.

    Raises:
        BuildError: the sandboxed process did not come to an end.
    """
    if not manifest.golden.rows:
        return None
    limits = build.limits
    policy = policy_for(
        read=(work,),
        write=_make_scratch(work, interpreter),
        memory_bytes=limits.convert_memory_bytes,
        cpu_seconds=_CPU_SECONDS,
        file_bytes=0,
    )
    ended = run_sandboxed(
        target="slipway_runtime.steps.speed:run_inside",
        argument={"work": str(work.resolve()), "unpickle": build.model.unpickle},
        policy=policy,
        wall_seconds=_WALL_SECONDS,
        interpreter=interpreter,
    )
    error = explain_exit(
        ended, policy=policy, wall_seconds=_WALL_SECONDS, doing="Measuring the speed"
    )
    if error is not None:
        raise error
    try:
        return msgspec.convert(ended.result, Speed | None)
    except msgspec.ValidationError as problem:
        raise BuildError("ModelRejected", "Measuring the speed gave no figures.") from problem


def _make_scratch(work: Path, interpreter: Interpreter) -> tuple[Path, ...]:
    """As for a native server's worker: only a training environment gets it, for empty files."""
    if interpreter is HERE:
        return ()
    scratch = work / "scratch"
    scratch.mkdir(exist_ok=True)
    return (scratch,)


def run_inside(argument: dict[str, Any]) -> dict[str, Any] | None:
    """The sandboxed side: opens both models and calls them by turns; None: it takes no tables."""
    from slipway_runtime.native.model import NativeModel
    from slipway_runtime.serving.core.gate import Gate
    from slipway_runtime.serving.core.policies import Policies
    from slipway_runtime.serving.core.schema import compile_schema
    from slipway_runtime.serving.core.session import OnnxSession
    from slipway_runtime.serving.core.table import table_from_rows

    work = Path(argument["work"])
    manifest = json.loads((work / "converted" / "manifest.json").read_bytes())
    schema = compile_schema(manifest)
    if not schema.is_table:
        return None
    rows = table_from_rows(manifest["golden"]["rows"], limit=len(manifest["golden"]["rows"]))
    sides: _Sides = {}
    if manifest["model"]["format"] != "ONNX":
        folder = work / "fetched" / "model"
        file = next(path.name for path in sorted(folder.iterdir()))
        sides["original"] = (
            NativeModel(
                folder, {**manifest, "files": {"model": file}}, unpickle=argument["unpickle"]
            ),
            Gate(schema, Policies(), missing_text=None).admit(rows).tensors,
        )
    if manifest["runtime"] == "ONNX":
        path = work / "converted" / manifest["files"]["model"]
        sides["onnxruntime"] = (
            OnnxSession(path, schema=schema, threads=1),
            Gate(schema, Policies(), missing_text="").admit(rows).tensors,
        )
    rows_each = _choose_rows(sides)
    taken, _ = _time(sides, rows_each)
    speed = Speed(
        rows=rows_each,
        calls=len(next(iter(taken.values()))),
        original=_pace(taken.get("original"), rows_each),
        onnxruntime=_pace(taken.get("onnxruntime"), rows_each),
    )
    told: dict[str, Any] = msgspec.to_builtins(speed)
    return told


def _choose_rows(sides: _Sides) -> int:
    """The largest batch of which `MIN_CALLS` fit into the budget, found from below.

    A call costs something by itself, so that a larger batch takes at most in proportion longer.
    """
    chosen = ROWS[0]
    for rows in ROWS[1:]:
        _, spent = _time(sides, chosen, calls=2)
        if spent * rows / chosen > BUDGET_SECONDS * 2:
            break
        _, spent = _time(sides, rows, calls=1)
        if spent * MIN_CALLS > BUDGET_SECONDS:
            break
        chosen = rows
    return chosen


def _time(
    sides: _Sides, rows: int, *, calls: int = MAX_CALLS
) -> tuple[dict[str, list[float]], float]:
    """Seconds of each call, by turns, so that a busy machine slows both sides alike.

    Also the seconds that the last turn took.
    """
    batches = {name: _repeat(tensors, rows) for name, (_, tensors) in sides.items()}
    taken: dict[str, list[float]] = {name: [] for name in sides}
    end = time.perf_counter() + BUDGET_SECONDS
    for call in range(calls):
        if call >= MIN_CALLS and time.perf_counter() > end:
            break
        for name, (session, _) in sides.items():
            start = time.perf_counter()
            session.run(batches[name])
            taken[name].append(time.perf_counter() - start)
    return taken, sum(each[-1] for each in taken.values())


def _repeat(tensors: dict[str, Any], rows: int) -> dict[str, Any]:
    return {name: array[np.arange(rows) % len(array)] for name, array in tensors.items()}


def _pace(taken: list[float] | None, rows: int) -> Pace | None:
    if not taken:
        return None
    low, median, high = (rows / seconds for seconds in np.percentile(taken, [75, 50, 25]).tolist())
    return Pace(median=round(median, 1), low=round(low, 1), high=round(high, 1))
