"""The steps on the way to all requests, as they are asked for or by default."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from slipway_operator.api import defaults
from slipway_operator.api.spec_rollout import Rollout, Step
from slipway_operator.api.vocabulary import StepType, Strategy, Until
from slipway_operator.state.canonical import compute_short_hash
from slipway_operator.state.revision import render_given
from slipway_operator.state.slots import LEAST, MILLION, MOST

DEFAULT_PERCENTS: Final = (5, 25, 50, 100)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """One step: `weight` millionths of the requests, or (`approval`) those of the step before until
    somebody promotes. `least` and `most` are seconds."""

    weight: int
    approval: bool = False
    evidence: bool = True
    least: int = defaults.STEP_MIN_SECONDS
    most: int = defaults.STEP_MAX_SECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """All steps; `hash` changes with any of them. Immediate has none."""

    stops: tuple[Stop, ...]
    hash: str

    def find(self, weight: int) -> int:
        """The step for a rollout that stands at this weight and had other steps so far.

        The first one with at least as much: nothing is skipped and nothing is taken away.

        >>> from slipway_operator.api.spec_rollout import Rollout
        >>> path = lay_path(Rollout(strategy=Strategy.CANARY))
        >>> [path.find(weight) for weight in (0, 50_000, 60_000, 999_999)]
        [0, 0, 1, 3]
        """
        return next(
            (index for index, stop in enumerate(self.stops) if stop.weight >= weight),
            max(len(self.stops) - 1, 0),
        )


def lay_path(rollout: Rollout) -> Path:
    """The steps of a spec.

    >>> [stop.weight for stop in lay_path(Rollout(strategy=Strategy.CANARY)).stops]
    [50000, 250000, 500000, 999999]
    """
    if rollout.strategy is not Strategy.CANARY:
        return Path(stops=(), hash=compute_short_hash([]))
    if not rollout.steps:
        stops = tuple(Stop(weight=_read_share(percent)) for percent in DEFAULT_PERCENTS)
        return Path(stops=stops, hash=compute_short_hash(list(DEFAULT_PERCENTS)))
    weight, found = 0, []
    for step in rollout.steps:
        stop = _read_step(step, before=weight)
        weight = stop.weight
        found.append(stop)
    return Path(
        stops=tuple(found), hash=compute_short_hash([render_given(step) for step in rollout.steps])
    )


def _read_step(step: Step, *, before: int) -> Stop:
    if step.type is StepType.APPROVAL or step.weight is None:
        return Stop(weight=before, approval=True)
    return Stop(
        weight=_read_share(step.weight.percent),
        evidence=step.weight.until is Until.EVIDENCE,
        least=step.weight.min_seconds,
        most=step.weight.max_seconds,
    )


def _read_share(percent: int | str) -> int:
    """Millionths. The stable keeps its slot at 100 % as well, until the new one is promoted."""
    return min(max(int(Decimal(percent) * MILLION / 100), LEAST), MOST)
