"""Measure rollouts on the laptop's engine: how they end, when, and what requests notice of it.

`rollouts.py [weights] [good] [bad]`; without a word all three. Real models, real Envoy, a constant
load. Good ones: requests that failed, rollouts that were taken
back. Bad ones, which fail for one request in nineteen: the time from their share to none. Weights:
the share that arrives.
"""

import math
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from table import row_of

import behaviour_models as models
from behaviour_laptop import Laptop
from behaviour_load import Load
from behaviour_terminal import is_true, settled

RUNS = int(os.environ.get("SLIPWAY_BENCH_RUNS", "10"))
KNOWN = "DE FR IT"
ORDINARY = [[{"country": country}] for country in KNOWN.split()] * 6
WITH_SOME = [*ORDINARY, [{"country": "ES"}]]
FEW = {"requests": 5, "seconds": 1}
NO_WINDOW = {"revisions": 0}  # or the one before would come back without analysis
CERTAIN = 3.2905  # standard deviations on both sides: 99.9 % of what is normal
Object = dict[str, Any]


def step(percent: int, **more: Any) -> Object:
    return {"type": "Weight", "weight": {"percent": percent, "minSeconds": 2, **more}}


@dataclass
class Bench:
    """One model on one engine."""

    laptop: Laptop
    folder: Path
    made: dict[str, Path] = field(default_factory=dict)

    def model(self, name: str) -> Path:
        """Files: `old` and `new` know four countries, `strict` raises an error for the fourth."""
        if name not in self.made:
            known = {"old": "DE ES FR IT", "new": "DE ES FR IT SE", "strict": KNOWN}[name]
            path = self.folder / name
            self.made[name] = models.of_countries(path, known, strict=name == "strict")
        return self.made[name]

    def ask(self, name: str, *steps: Object) -> None:
        """Ask for a model, by these steps."""
        rollout: Object = {"strategy": "Immediate"}
        if steps:
            rollout = {
                "strategy": "Canary",
                "steps": list(steps),
                "warmUp": FEW,
                "rollbackWindow": NO_WINDOW,
            }
        document = self.laptop.document(
            "bench", self.model(name), model={"runtime": "Native"}, rollout=rollout
        )
        assert self.laptop.apply(document).code == 0

    def until(
        self, *ends: Callable[[Object], bool], act: Callable[[], object] | None = None
    ) -> list[float]:
        """When each of these came true, one after the other; `act` is done while watching."""
        moments: list[float] = []
        told = self.laptop.follow("bench")
        if act is not None:
            next(told)
            act()
        for holds in ends:
            next(found for found in told if settled(found) and holds(found))
            moments.append(time.perf_counter())
        told.close()
        return moments

    @contextmanager
    def load(self, per_second: float) -> Iterator[Load]:
        url = self.laptop.get("bench")["status"]["url"] + "/predict"
        with Load(url=url, bodies=WITH_SOME, per_second=per_second) as load:
            load.wait_for(20)
            yield load


def state_is(*states: str) -> Callable[[Object], bool]:
    return lambda found: found["status"]["rollout"]["state"] in states


def weight_is(percent: str) -> Callable[[Object], bool]:
    return lambda found: found["status"]["display"].get("weightPercent") == percent


def roll_good(bench: Bench) -> None:
    """Two models that are equally good, in turn."""
    seconds, failed, asked, aborted = [], 0, 0, 0
    with bench.load(200) as load:
        for number in range(RUNS):
            name = ("new", "old")[number % 2]
            began, ended = bench.until(
                weight_is("10"),
                lambda found: is_true("UpToDate")(found) or state_is("RolledBack")(found),
                act=lambda name=name: bench.ask(name, step(10), step(50), step(100)),  # type: ignore[misc]
            )
            seconds.append(ended - began)
            aborted += state_is("RolledBack")(bench.laptop.get("bench"))
        failed, asked = len(load.failed), len(load.answers)
    print(row_of("a good one at 200 requests/s: first request to promoted", "s", seconds))
    print(f"| good ones that were taken back | {aborted} | | {RUNS} |")
    bound = f"at most {3 / asked:.1e} with 95 %" if failed == 0 else ""  # the rule of three
    print(f"| requests that failed meanwhile | {failed} | {bound} | {asked} |")


def roll_bad(bench: Bench, *, percent: int, per_second: int) -> None:
    """The same bad model tried again and again; its pods are there."""
    seconds: list[float] = []
    with bench.load(per_second):
        bench.ask("strict", step(percent, maxSeconds=600))
        bench.until(state_is("RolledBack"))  # this one warms up
        for _ in range(RUNS):
            began, ended = bench.until(
                weight_is(str(percent)),
                state_is("RolledBack"),
                act=lambda: bench.laptop.run("retry", "bench"),
            )
            seconds.append(ended - began)
    what = f"5 % of errors at {per_second} requests/s, weight {percent}: first request to none"
    print(row_of(what, "s", seconds))


def weigh(bench: Bench, *, percents: Sequence[int]) -> None:
    """The share that arrives at each weight, over 10,000 requests."""
    with bench.load(400) as load:
        for percent in percents:
            begin_again(bench)
            bench.ask("new", step(percent, until="Duration", maxSeconds=3600))
            bench.until(state_is("Observing"))
            new = bench.laptop.get("bench")["status"]["canaryRevision"]
            load.wait_for(20)
            first = len(load.answers)
            while len(load.answers) < first + 10_000:
                time.sleep(0.1)
            found = [revision == new for _, revision in load.answers[first : first + 10_000]]
            share, wanted = statistics.fmean(found), percent / 100
            most = CERTAIN * math.sqrt(wanted * (1 - wanted) / len(found))
            inside = "inside" if abs(share - wanted) <= most else "OUTSIDE"
            print(f"| share at weight {percent} | {share:.2%} | {inside} of ± {most:.2%} | 10000 |")


def begin_again(bench: Bench) -> None:
    """The old model has all requests."""
    bench.ask("old")
    bench.until(is_true("UpToDate"))


def main(parts: Sequence[str]) -> None:
    """Print the figures of these parts; of none: of all."""
    with tempfile.TemporaryDirectory() as folder:
        laptop = Laptop(data=Path(folder) / "data")
        laptop.start()
        try:
            bench = Bench(laptop=laptop, folder=Path(folder))
            begin_again(bench)
            print("| what | median | range | n |\n|---|---|---|---|")
            if "weights" in parts or not parts:
                weigh(bench, percents=(1, 5, 10, 50))
            begin_again(bench)
            if "good" in parts or not parts:
                roll_good(bench)
            for percent, per_second in ((25, 20), (10, 200)) if "bad" in parts or not parts else ():
                begin_again(bench)
                roll_bad(bench, percent=percent, per_second=per_second)
        finally:
            laptop.stop()


if __name__ == "__main__":
    main(sys.argv[1:])
