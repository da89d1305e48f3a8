"""Events of a spec's own counters: what lies between two looks, and when it is judged."""

from datetime import UTC, datetime, timedelta

import pytest

from slipway_operator.api.spec_rollout import Analysis, Metric, PrometheusRate
from slipway_operator.api.vocabulary import MetricType
from slipway_operator.decide.analysis.gate import list_gates
from slipway_operator.decide.analysis.rates import Counts
from slipway_operator.decide.analysis.tallying import PATIENCE, Window, advance_tallies
from slipway_operator.decide.analysis.trial import Rule, Trial
from slipway_operator.state.tallies import Tally, count_events

START = datetime(2026, 3, 4, 9, 0, tzinfo=UTC)
RATE = PrometheusRate(good="g", total="t")
(ORDERS,) = list_gates(
    Analysis(metrics=(Metric(name="orders", type=MetricType.PROMETHEUS, prometheus=RATE),))
)
(ERRORS, *_) = list_gates(Analysis())


def tally(total: int, good: int, *, target: str = "a") -> Tally:
    return Tally(total={target: {"x": total}}, good={target: {"x": good}})


def test_the_rule_is_one_percent_or_no_worse_than_the_stable() -> None:
    assert ORDERS.rule == Rule(tolerated=0.01, ceiling=0.02, relative=1.0, likeness=True)
    assert ORDERS.is_gating


@pytest.mark.parametrize(
    ("before", "after", "events"),
    [
        pytest.param(tally(10, 9), tally(15, 12), (5, 2), id="both grew"),
        pytest.param(tally(10, 9), tally(10, 9), (0, 0), id="nothing happened"),
        pytest.param(tally(10, 9), tally(10, 11), (0, 0), id="more good than all"),
        pytest.param(tally(10, 9), tally(3, 3), (0, 0), id="it started anew"),
        pytest.param(tally(10, 9), tally(12, 3), (0, 0), id="a part of it started anew"),
        pytest.param(tally(10, 9), tally(900, 1, target="b"), (0, 0), id="it is new"),
        pytest.param(tally(10, 9), Tally(), (0, 0), id="it is gone"),
        pytest.param(
            Tally(total={"a": {"x": 10}}), tally(15, 2), (5, 3), id="the first good event of it"
        ),
        pytest.param(
            tally(10, 9),
            Tally(total={"a": {"x": 15, "y": 2}}, good={"a": {"x": 14}}),
            (7, 2),
            id="a new series of it",
        ),
        pytest.param(
            Tally(total={"a": {"x": 1}, "b": {"x": 5}}),
            Tally(total={"a": {"x": 2}, "b": {"x": 4}}),
            (1, 1),
            id="one of two started anew",
        ),
    ],
)
def test_events_between_two_looks(before: Tally, after: Tally, events: tuple[int, int]) -> None:
    assert count_events(before, after) == events


def test_a_target_that_was_away_goes_on_where_it_was() -> None:
    away = Tally().after(tally(10, 9))
    assert away == tally(10, 9)
    assert count_events(away, tally(13, 11)) == (3, 1)


class Books:
    """The trial and the window of the metric, look by look."""

    def __init__(self) -> None:
        self.trials: dict[str, Trial] = {}
        self.windows: dict[str, Window] = {}

    def look(self, seconds: float, canary: Tally | None, stable: Tally | None) -> Trial:
        told = {("orders", "new"): canary, ("orders", "old"): stable}
        self.trials, self.windows = advance_tallies(
            gates=(ORDERS, ERRORS),
            trials=self.trials,
            windows=self.windows,
            tallies={key: each for key, each in told.items() if each is not None},
            canary="new",
            stable="old",
            at=START + timedelta(seconds=seconds),
        )
        assert set(self.trials) == {"orders"}
        return self.trials["orders"]


def test_nothing_is_judged_before_both_have_counted() -> None:
    books = Books()
    assert books.look(0, tally(500, 1), tally(9000, 1)) == Trial()
    assert books.look(2, tally(500, 1), tally(9100, 99)) == Trial()
    found = books.look(4, tally(510, 10), tally(9100, 99))
    assert (found.canary, found.stable) == (Counts(10, 1), Counts(100, 2))
    assert found == Trial().observe(ORDERS.rule, canary=Counts(10, 1), stable=Counts(100, 2))
    assert books.windows["orders"].since == START + timedelta(seconds=4)
    assert books.look(6, tally(510, 10), tally(9100, 99)) == found


def test_a_restart_between_two_looks_loses_its_own_window_alone() -> None:
    books = Books()
    books.look(0, tally(100, 99), tally(100, 99))
    books.look(2, tally(110, 109), tally(100, 99))
    books.look(4, tally(2, 2), tally(100, 99))
    books.look(6, tally(200, 200), tally(100, 99))
    assert books.windows["orders"].ours == Counts(208, 0)


def test_where_only_one_counts_a_minute_is_waited() -> None:
    books = Books()
    patience = PATIENCE.total_seconds()
    books.look(0, tally(0, 0), tally(0, 0))
    assert books.look(patience - 1, tally(40, 38), tally(0, 0)) == Trial()
    assert books.look(patience, tally(50, 48), tally(0, 0)).canary == Counts(50, 2)
    assert books.look(3 * patience, tally(50, 48), tally(0, 0)).canary == Counts(50, 2)


@pytest.mark.parametrize("missing", ["canary", "stable", "both"])
def test_what_could_not_be_asked_is_covered_by_the_next_look(missing: str) -> None:
    books = Books()
    books.look(0, tally(0, 0), tally(0, 0))
    canary = None if missing in ("canary", "both") else tally(10, 9)
    stable = None if missing in ("stable", "both") else tally(10, 9)
    assert books.look(2, canary, stable) == Trial()
    found = books.look(4, tally(20, 18), tally(30, 29))
    assert (found.canary, found.stable) == (Counts(20, 2), Counts(30, 1))
