"""The steps on the way to all requests, as they are asked for or by default."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from slipway_operator.api import defaults
from slipway_operator.api.spec_rollout import Rollout, Step
from slipway_operator.api.vocabulary import Strategy, Until
from slipway_operator.state.canonical import compute_short_hash
from slipway_operator.state.revision import render_given
from slipway_operator.state.slots import LEAST, MILLION, MOST

DEFAULT_PERCENTS: Final = (5, 25, 50, 100)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """One step: `weight` millionths of the requests and copies of `shadow` millionths, or
    (`approval`) those of the step before until somebody promotes. `least` and `most` are seconds.
    `alone`: the stable gets nothing at that weight, and its past is what is compared with."""

    weight: int
    shadow: int = 0
    approval: bool = False
    alone: bool = False
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

    Shadow begins with copies of everything and asks before the first user sees it.

    >>> [(stop.shadow, stop.weight) for stop in lay_path(Rollout(strategy=Strategy.SHADOW)).stops]
    [(1000000, 0), (1000000, 0), (0, 50000), (0, 250000), (0, 500000), (0, 999999)]

    BlueGreen goes there at once, and back if it does badly.

    >>> [stop.weight for stop in lay_path(Rollout(strategy=Strategy.BLUE_GREEN)).stops]
    [999999]
    """
    strategy = rollout.strategy
    if strategy is Strategy.IMMEDIATE:
        return Path(stops=(), hash=compute_short_hash([]))
    stops = _read_steps(rollout.steps) if rollout.steps else _list_usual(strategy)
    named: list[object] = [render_given(step) for step in rollout.steps] or [strategy.value]
    if strategy is Strategy.BLUE_GREEN:
        stops = (*stops, Stop(weight=MOST, alone=True))
        named = [*named, strategy.value]
    return Path(stops=stops, hash=compute_short_hash(named))


def _list_usual(strategy: Strategy) -> tuple[Stop, ...]:
    """The steps of who states none."""
    if strategy is Strategy.BLUE_GREEN:
        return ()
    weights = tuple(Stop(weight=_read_share(percent)) for percent in DEFAULT_PERCENTS)
    if strategy is Strategy.CANARY:
        return weights
    copies = Stop(weight=0, shadow=MILLION)
    return (copies, replace(copies, approval=True), *weights)


def _read_steps(steps: Sequence[Step]) -> tuple[Stop, ...]:
    before = Stop(weight=0)
    found = []
    for step in steps:
        before = _read_step(step, before=before)
        found.append(before)
    return tuple(found)


def _read_step(step: Step, *, before: Stop) -> Stop:
    if step.shadow is not None:
        return Stop(
            weight=0,
            shadow=max(int(Decimal(step.shadow.percent) * MILLION / 100), LEAST),
            evidence=step.shadow.until is Until.EVIDENCE,
            least=step.shadow.min_seconds,
            most=step.shadow.max_seconds,
        )
    if step.weight is None:
        return Stop(weight=before.weight, shadow=before.shadow, approval=True)
    return Stop(
        weight=_read_share(step.weight.percent),
        evidence=step.weight.until is Until.EVIDENCE,
        least=step.weight.min_seconds,
        most=step.weight.max_seconds,
    )


def _read_share(percent: int | str) -> int:
    """Millionths. The stable keeps its slot at 100 % as well, until the new one is promoted."""
    return min(max(int(Decimal(percent) * MILLION / 100), LEAST), MOST)
