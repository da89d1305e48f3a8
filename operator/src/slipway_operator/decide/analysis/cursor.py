"""A trial as text, for `status.analysis.metrics[].cursor`: a restart goes on where it was."""

import math
from typing import Final

import msgspec

from slipway_operator.decide.analysis.dispersion import Dispersion
from slipway_operator.decide.analysis.evidence import EProcess
from slipway_operator.decide.analysis.rates import Counts
from slipway_operator.decide.analysis.trial import Trial

_PLACES: Final = 4


class _Cursor(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    regression: tuple[float, ...]
    excess: tuple[float, ...]
    safety: tuple[float, ...]
    likeness: tuple[float, ...]
    squares: float
    ticks: int
    spread: tuple[int, int]
    canary: tuple[int, int]
    stable: tuple[int, int]
    step_canary: tuple[int, int]
    step_stable: tuple[int, int]
    bound: float | None


def dump_trial(trial: Trial) -> str:
    """Some 300 characters. Logarithms are rounded down: no evidence is made by writing it."""
    cursor = _Cursor(
        regression=_round(trial.regression),
        excess=_round(trial.excess),
        safety=_round(trial.safety),
        likeness=_round(trial.likeness),
        squares=round(trial.dispersion.squares, _PLACES),
        ticks=trial.dispersion.ticks,
        spread=(trial.dispersion.total.n, trial.dispersion.total.bad),
        canary=(trial.canary.n, trial.canary.bad),
        stable=(trial.stable.n, trial.stable.bad),
        step_canary=(trial.step_canary.n, trial.step_canary.bad),
        step_stable=(trial.step_stable.n, trial.step_stable.bad),
        bound=trial.bound,
    )
    return msgspec.json.encode(cursor).decode()


def load_trial(text: str) -> Trial | None:
    """The trial that was written; None where it cannot be read, or another version wrote it."""
    try:
        cursor = msgspec.json.decode(text, type=_Cursor)
    except msgspec.DecodeError:
        return None
    trial = Trial(
        regression=EProcess(cursor.regression),
        excess=EProcess(cursor.excess),
        safety=EProcess(cursor.safety),
        likeness=EProcess(cursor.likeness),
        dispersion=Dispersion(
            total=Counts(*cursor.spread), ticks=cursor.ticks, squares=cursor.squares
        ),
        canary=Counts(*cursor.canary),
        stable=Counts(*cursor.stable),
        step_canary=Counts(*cursor.step_canary),
        step_stable=Counts(*cursor.step_stable),
        bound=cursor.bound,
    )
    return trial if _grids(trial) == _grids(Trial()) else None


def _grids(trial: Trial) -> tuple[int, ...]:
    processes = (trial.regression, trial.excess, trial.safety, trial.likeness)
    return tuple(len(one.logs) for one in processes)


def _round(process: EProcess) -> tuple[float, ...]:
    scale = 10**_PLACES
    # what was rounded before stays as it is, whatever floating point makes of it
    return tuple(math.floor(log * scale + 1e-6) / scale for log in process.logs)
