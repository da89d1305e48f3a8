"""`make simulate-rollouts`: how often each kind of analysis stops a rollout, and when.

Simulates the requests of two revisions, healthy and not, and gives the same counts to this
project's analysis and to the rules that Flagger and Argo Rollouts document. Writes the table of
docs/rollout-statistics.md. The seed is fixed.
"""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from slipway_operator.api.status_rollout import Verdict
from slipway_operator.decide.analysis.dispersion import Dispersion
from slipway_operator.decide.analysis.rates import Counts
from slipway_operator.decide.analysis.trial import Rule, Trial

PAGE = Path(__file__).resolve().parents[2] / "docs/rollout-statistics.md"
BEGIN, END = "<!-- make simulate-rollouts: begin -->", "<!-- make simulate-rollouts: end -->"
SEED = 7
TICK_SECONDS = 10
A_MINUTE, BEFORE, TICKS = 60 // TICK_SECONDS, 3600 // TICK_SECONDS, 1800 // TICK_SECONDS
WEIGHT = 0.1
RULE = Rule(tolerated=0.005, ceiling=0.01)
FALSE_ABORT, FALSE_PASS = 0.01, 0.05

Numbers = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """What happens to requests.

    Attributes:
        stable: the rate of failures.
        canary: likewise.
        shared: (share of ticks, factor) of incidents that hit both at once.
        own: likewise, of incidents that each revision has by itself.
    """

    name: str
    stable: float
    canary: float
    per_second: int = 20
    shared: tuple[float, float] = (0.0, 1.0)
    own: tuple[float, float] = (0.0, 1.0)

    @property
    def is_healthy(self) -> bool:
        return self.canary <= self.stable


KINDS = (
    Scenario(name="healthy, 0.2 %", stable=0.002, canary=0.002),
    Scenario(name="healthy, 0.5 %", stable=0.005, canary=0.005),
    Scenario(name="healthy, incidents of both", stable=0.005, canary=0.005, shared=(0.03, 10.0)),
    Scenario(name="healthy, bursts of each", stable=0.005, canary=0.005, own=(0.01, 40.0)),
    Scenario(name="0.5 → 2 %", stable=0.005, canary=0.02),
    Scenario(name="0.2 → 5 %", stable=0.002, canary=0.05),
)
SCENARIOS = [replace(one, per_second=per_second) for per_second in (20, 200) for one in KINDS]


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """Requests and failures, runs x ticks; `before`: of the hour before the rollout."""

    canary: Numbers
    canary_bad: Numbers
    stable: Numbers
    stable_bad: Numbers
    before: "Traffic | None" = None


def simulate(scenario: Scenario, runs: int, random: np.random.Generator) -> Traffic:
    """Rollouts, and the hour before each."""
    before = _simulate(scenario, (runs, BEFORE), random)
    return replace(_simulate(scenario, (runs, TICKS), random), before=before)


def _simulate(scenario: Scenario, shape: tuple[int, int], random: np.random.Generator) -> Traffic:
    """Poisson requests whose rate swings by a third, and binomial failures."""
    swing = 1 + 0.3 * np.sin(np.linspace(0, 6, shape[1]))
    requests = scenario.per_second * TICK_SECONDS * swing
    canary = random.poisson(requests * WEIGHT, shape)
    stable = random.poisson(requests * (1 - WEIGHT), shape)
    both = _incidents(scenario.shared, shape, random)
    canary_rate = scenario.canary * both * _incidents(scenario.own, shape, random)
    stable_rate = scenario.stable * both * _incidents(scenario.own, shape, random)
    return Traffic(
        canary=canary,
        canary_bad=random.binomial(canary, np.clip(canary_rate, 0, 1)),
        stable=stable,
        stable_bad=random.binomial(stable, np.clip(stable_rate, 0, 1)),
    )


def _incidents(
    kind: tuple[float, float], shape: tuple[int, int], random: np.random.Generator
) -> NDArray[np.float64]:
    share, factor = kind
    return np.where(random.random(shape) < share, factor, 1.0)


@dataclass(frozen=True, kw_only=True)
class Ended:
    """When a rollout was stopped and when its first step passed, in seconds; None: never."""

    stopped: float | None
    passed: float | None = None


def run_slipway(traffic: Traffic) -> list[Ended]:
    """This project's own analysis of one metric, which looks at every tick."""
    return [_lead(traffic, run) for run in range(len(traffic.canary))]


def _lead(traffic: Traffic, run: int) -> Ended:
    trial, passed = Trial(dispersion=_learn(traffic.before, run)), None
    canary = _ticks(traffic.canary[run], traffic.canary_bad[run])
    stable = _ticks(traffic.stable[run], traffic.stable_bad[run])
    for number, (ours, theirs) in enumerate(zip(canary, stable, strict=True), 1):
        trial = trial.observe(RULE, canary=ours, stable=theirs)
        verdict = trial.judge(RULE, false_abort=FALSE_ABORT, false_pass=FALSE_PASS)
        if verdict is Verdict.FAIL:
            return Ended(stopped=float(number * TICK_SECONDS), passed=passed)
        if verdict is Verdict.PASS and passed is None:
            passed = float(number * TICK_SECONDS)
    return Ended(stopped=None, passed=passed)


def _learn(before: Traffic | None, run: int) -> Dispersion:
    """How the stable's failures vary, from the hour before."""
    dispersion = Dispersion()
    if before is not None:
        for tick in _ticks(before.stable[run], before.stable_bad[run]):
            dispersion = dispersion.observe(tick)
    return dispersion


def _ticks(requests: Numbers, bad: Numbers) -> list[Counts]:
    return [Counts(*tick) for tick in zip(requests.tolist(), bad.tolist(), strict=True)]


def run_flagger(traffic: Traffic) -> list[Ended]:
    """Success of at least 99 % in each minute; the fifth failed check stops it. No data fails."""
    return _first(np.cumsum(_fails(traffic, minutes=1), axis=1) >= 5)


def run_argo(traffic: Traffic) -> list[Ended]:
    """Success of at least 99 % in five minutes, asked every minute; the fourth failure stops."""
    return _first(np.cumsum(_fails(traffic, minutes=5), axis=1) >= 4)


def _fails(traffic: Traffic, *, minutes: int) -> Flags:
    """For each minute: whether over 1 % of the last ones' requests failed, or there were none."""
    requests, bad = (_sum_last(counts, minutes) for counts in (traffic.canary, traffic.canary_bad))
    return (requests == 0) | (bad > 0.01 * requests)


def _sum_last(counts: Numbers, minutes: int) -> Numbers:
    by_minute = counts.reshape(len(counts), -1, A_MINUTE).sum(axis=2)
    total = np.cumsum(np.pad(by_minute, ((0, 0), (minutes, 0))), axis=1)
    return total[:, minutes:] - total[:, :-minutes]


def _first(stopped: Flags) -> list[Ended]:
    minutes = np.where(stopped.any(axis=1), stopped.argmax(axis=1) + 1, 0)
    return [Ended(stopped=minute * 60.0 if minute else None) for minute in minutes.tolist()]


JUDGES: dict[str, Callable[[Traffic], list[Ended]]] = {
    "Slipway": run_slipway,
    "Flagger's rule": run_flagger,
    "Argo's rule": run_argo,
}


def tell(seconds: Sequence[float | None]) -> str:
    """To which share it happened, and when: the median, and from the 5th to the 95th percentile."""
    happened = [one for one in seconds if one is not None]
    share = f"{100 * len(happened) / len(seconds):.1f} %"
    if not happened:
        return share
    low, middle, high = np.quantile(happened, (0.05, 0.5, 0.95)) / 60
    return f"{share} @ {middle:.1f} min ({low:.1f}–{high:.1f})"


def main() -> int:
    """Simulate, write the page; 1 if healthy canaries were stopped more often than promised."""
    parser = argparse.ArgumentParser(description="Simulate rollouts, and write their table.")
    parser.add_argument("--runs", type=int, default=2000, help="rollouts a row")
    runs = parser.parse_args().runs
    if runs < 1:
        parser.error(f"--runs is {runs}: give at least 1")
    random, began, broken = np.random.default_rng(SEED), time.monotonic(), []
    head = ["requests/s", "failures", *JUDGES, "passes a step"]
    rows = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for scenario in SCENARIOS:
        traffic = simulate(scenario, runs, random)
        ends = {name: judge(traffic) for name, judge in JUDGES.items()}
        told = [tell([one.stopped for one in found]) for found in ends.values()]
        told.append(tell([one.passed for one in ends["Slipway"]]))
        rows.append(f"| {' | '.join([str(scenario.per_second), scenario.name, *told])} |")
        print(rows[-1], flush=True)
        stopped = sum(one.stopped is not None for one in ends["Slipway"])
        if scenario.is_healthy and stopped > FALSE_ABORT * runs:
            broken.append(f"{scenario.per_second}/s, {scenario.name}")
    before, _, rest = PAGE.read_text().partition(BEGIN)
    table = "\n".join([f"{runs} rollouts a row.", "", *rows])
    PAGE.write_text(f"{before}{BEGIN}\n{table}\n{END}{rest.partition(END)[2]}")
    print(f"{time.monotonic() - began:.0f} s; written to {PAGE.name}")
    for name in broken:
        print(f"Stopped although healthy, in more than {FALSE_ABORT:.0%}: {name}", file=sys.stderr)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
