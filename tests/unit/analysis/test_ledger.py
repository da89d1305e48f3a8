"""The books: what of the pods' counts is evidence, and of which step."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from slipway_operator.api.spec_rollout import Analysis as AnalysisSpec
from slipway_operator.api.spec_rollout import Metric, WarmUp
from slipway_operator.api.status_rollout import Analysis, MetricEvidence, ShadowEvidence, Verdict
from slipway_operator.decide.analysis.cursor import dump_trial
from slipway_operator.decide.analysis.gate import Gate, list_gates
from slipway_operator.decide.analysis.ledger import Ledger, Pair, begin_step, open_ledger, take
from slipway_operator.decide.analysis.rates import Counts
from slipway_operator.decide.analysis.split import Split
from slipway_operator.decide.analysis.trial import Rule, Trial
from slipway_operator.state.answers import Answer, Answers
from slipway_operator.state.readings import Reading, Readings, Source

START = datetime(2026, 3, 4, 9, 0, tzinfo=UTC)
GATES = list_gates(AnalysisSpec())
WARM_UP = WarmUp()
LONG_AGO = START - timedelta(hours=1)
INF = float("inf")


def source(pod: str, *, since: datetime = LONG_AGO) -> Source:
    """A pod of the revision that it is named after."""
    return Source(
        pod=pod,
        uid=f"uid-{pod}",
        revision=pod.partition("-")[0],
        address="10.1.0.9:9090",
        ready_since=since,
    )


def told(requests: int, errors: int = 0, slow: int = 0) -> Reading:
    return Reading(
        requests=requests,
        errors=errors,
        rows=requests,
        latency=((0.1, requests - slow), (1.0, requests), (INF, requests)),
    )


def tick(
    ledger: Ledger,
    seconds: float,
    pods: Mapping[str, Reading],
    *,
    since: Mapping[str, datetime] | None = None,
    unread: Mapping[str, str] | None = None,
    weight: int | None = 100_000,
    shadow: bool = False,
    gates: Sequence[Gate] = GATES,
    answers: Mapping[str, Answers] | None = None,
    unanswered: Mapping[str, str] | None = None,
) -> Ledger:
    """After `seconds` the pods tell this."""
    ready = since or {}
    return take(
        ledger,
        readings=Readings(
            at=START + timedelta(seconds=seconds),
            found=tuple(
                (source(pod, since=ready.get(pod, LONG_AGO)), one) for pod, one in pods.items()
            ),
            unread=unread or {},
            answers=tuple((source(pod), one) for pod, one in (answers or {}).items()),
            unanswered=unanswered or {},
        ),
        canary="canary",
        stable="stable",
        gates=gates,
        warm_up=WARM_UP,
        weight=weight,
        shadow=shadow,
    )


def begin(**pods: int) -> Ledger:
    """After the first tick, with these requests."""
    found = {name.replace("_", "-"): told(number) for name, number in pods.items()}
    return tick(Ledger(rollout="r"), 0, found)


def test_what_was_counted_before_anybody_read_is_left_out() -> None:
    ledger = begin(canary_0=500, stable_0=9000)
    assert ledger.errors == Pair()
    assert ledger.trials == {
        gate.name: replace(Trial(), bound=ledger.trials[gate.name].bound) for gate in GATES
    }
    assert ledger.at == START
    assert ledger.seconds == 0


def test_both_are_counted_between_the_same_two_moments() -> None:
    ledger = begin(canary_0=500, stable_0=9000)
    ledger = tick(ledger, 2, {"canary-0": told(520, 1), "stable-0": told(9180, 2)})
    ledger = tick(ledger, 4, {"canary-0": told(530, 1), "stable-0": told(9270, 3)})
    assert ledger.errors == Pair(canary=Counts(30, 1), stable=Counts(270, 3))
    trial = ledger.trials["errors"]
    assert (trial.canary, trial.stable) == (Counts(30, 1), Counts(270, 3))
    assert ledger.seconds == 4


def test_several_pods_are_counted_together_and_others_not_at_all() -> None:
    ledger = begin(canary_0=100, canary_1=100, stable_0=100, other_0=100)
    found = {"canary-0": told(110), "canary-1": told(120), "stable-0": told(300)}
    ledger = tick(ledger, 2, {**found, "other-0": told(900)})
    assert ledger.errors == Pair(canary=Counts(30), stable=Counts(200))
    assert set(ledger.readings) == {"uid-canary-0", "uid-canary-1", "uid-stable-0"}


@pytest.mark.parametrize(
    ("requests", "age", "is_warm"),
    [
        pytest.param(20, 10, True, id="warm"),
        pytest.param(19, 10, False, id="too few requests"),
        pytest.param(20, 9, False, id="too young"),
    ],
)
def test_a_new_pod_is_left_out_until_it_is_warm(requests: int, age: int, is_warm: bool) -> None:
    since = {"canary-0": START - timedelta(seconds=age)}
    ledger = tick(
        Ledger(rollout="r"),
        0,
        {"canary-0": told(requests, 15), "stable-0": told(900)},
        since=since,
    )
    assert ("uid-canary-0" in ledger.readings) == is_warm
    ledger = tick(ledger, 2, {"canary-0": told(40, 16), "stable-0": told(990)}, since=since)
    # The errors of the first requests are never among them.
    assert ledger.errors.canary == (Counts(40 - requests, 1) if is_warm else Counts())
    ledger = tick(ledger, 4, {"canary-0": told(50, 16), "stable-0": told(1080)}, since=since)
    assert ledger.errors.canary.n == (30 if is_warm else 10)


def test_counts_that_went_back_are_another_process() -> None:
    ledger = begin(canary_0=500, stable_0=9000)
    ledger = tick(ledger, 2, {"canary-0": told(100, 50), "stable-0": told(9100)})
    assert ledger.errors == Pair(stable=Counts(100))
    ledger = tick(ledger, 4, {"canary-0": told(110, 51), "stable-0": told(9200)})
    assert ledger.errors == Pair(canary=Counts(10, 1), stable=Counts(200))


def test_a_pod_that_is_replaced_by_another_of_its_name_is_another() -> None:
    ledger = begin(canary_0=500, stable_0=9000)
    readings = dict(ledger.readings)
    moved = replace(
        ledger,
        readings={
            ("uid-old" if uid == "uid-canary-0" else uid): one for uid, one in readings.items()
        },
    )
    ledger = tick(moved, 2, {"canary-0": told(600), "stable-0": told(9100)})
    assert ledger.errors.canary == Counts()


def test_a_tick_that_cannot_read_everyone_counts_nothing_and_loses_nothing() -> None:
    ledger = begin(canary_0=500, stable_0=9000)
    unread = tick(
        ledger,
        2,
        {"stable-0": told(9100)},
        unread={"canary-1": "gone", "canary-0": "no answer in 1.5 s"},
    )
    assert (unread.errors, unread.readings, unread.at) == (Pair(), ledger.readings, ledger.at)
    assert unread.unread_since == START + timedelta(seconds=2)
    assert unread.unread == 'pod "canary-0": no answer in 1.5 s'
    again = tick(unread, 4, {}, unread={"stable-0": "gone"})
    assert (again.unread_since, again.unread) == (unread.unread_since, unread.unread)
    back = tick(again, 6, {"canary-0": told(530), "stable-0": told(9270)})
    assert back.errors == Pair(canary=Counts(30), stable=Counts(270))
    assert (back.unread_since, back.unread, back.seconds) == (None, "", 6)


def test_a_clock_that_goes_back_takes_no_time_away() -> None:
    ledger = tick(begin(canary_0=500, stable_0=9000), 4, {"stable-0": told(9100)})
    ledger = tick(ledger, 2, {"stable-0": told(9200)})
    assert ledger.seconds == 4


def test_the_bound_of_slow_requests_is_chosen_once() -> None:
    ledger = begin(canary_0=500, stable_0=50)
    assert ledger.trials["latency"].bound is None
    ledger = tick(ledger, 2, {"canary-0": told(600, slow=100), "stable-0": told(90)})
    assert ledger.trials["latency"].canary == Counts()
    ledger = tick(ledger, 4, {"canary-0": told(700, slow=150), "stable-0": told(120)})
    assert ledger.trials["latency"].bound == 0.1
    assert ledger.trials["latency"].canary == Counts(100, 50)
    ledger = tick(ledger, 6, {"canary-0": told(800), "stable-0": told(9000, slow=8000)})
    assert ledger.trials["latency"].bound == 0.1


def test_without_requests_nothing_changes() -> None:
    ledger = begin(canary_0=500, stable_0=9000)
    idle = tick(ledger, 2, {"canary-0": told(500), "stable-0": told(9000)})
    assert idle.trials == ledger.trials
    assert idle.seconds == 2


# ── the split ────────────────────────────────────────────────────────────────────────────────
def grow(ledger: Ledger, seconds: int, weight: int | None = 100_000, **more: Any) -> Ledger:
    """A tick in which the canary gets 10 and the stable 90 requests more."""
    turn = seconds // 2
    found = {"canary-0": told(500 + 10 * turn), "stable-0": told(9000 + 90 * turn)}
    return tick(ledger, seconds, found, weight=weight, **more)


def test_the_split_is_counted_at_one_weight() -> None:
    ledger = grow(begin(canary_0=500, stable_0=9000), 2)
    assert ledger.split == Split(weight=0.1)
    assert grow(grow(ledger, 4), 6).split == Split(weight=0.1, canary=20, stable=180)


def test_the_tick_in_which_the_weight_moved_belongs_to_neither_split() -> None:
    ledger = grow(grow(begin(canary_0=500, stable_0=9000), 2), 4, weight=500_000)
    assert ledger.split == Split(weight=0.5)
    assert grow(ledger, 6, weight=500_000).split == Split(weight=0.5, canary=10, stable=90)


def test_while_the_weight_is_not_known_the_split_is_not_judged() -> None:
    ledger = grow(grow(begin(canary_0=500, stable_0=9000), 2), 4, weight=None)
    assert ledger.split is None
    assert grow(ledger, 6).split == Split(weight=0.1)


def test_with_pods_that_are_not_warm_the_split_is_not_judged() -> None:
    """They get requests that are not among the counts."""
    ledger = begin(canary_0=500, stable_0=9000)
    found = {"canary-0": told(510), "canary-1": told(5), "stable-0": told(9090)}
    ledger = tick(ledger, 2, found)
    assert ledger.split is None
    assert ledger.errors == Pair(canary=Counts(10), stable=Counts(90))


def test_pods_of_other_revisions_are_no_part_of_the_split() -> None:
    ledger = begin(canary_0=500, stable_0=9000, other_0=100)
    ledger = grow(ledger, 2)
    found = {"canary-0": told(520), "other-0": told(5), "stable-0": told(9180)}
    assert tick(ledger, 4, found).split == Split(weight=0.1, canary=10, stable=90)


# ── steps and restarts ───────────────────────────────────────────────────────────────────────
def test_a_step_begins_with_what_speaks_against_the_canary_and_nothing_for_it() -> None:
    ledger = begin_step(grow(grow(begin(canary_0=500, stable_0=9000), 2), 4), step=0)
    before = grow(ledger, 6)
    assert begin_step(before, step=0) is before
    after = begin_step(before, step=1)
    assert (after.step, after.errors, after.seconds) == (1, Pair(), 0)
    trial, was = after.trials["errors"], before.trials["errors"]
    assert (trial.step_canary, trial.safety) == (Counts(), Trial().safety)
    assert (trial.canary, trial.excess) == (was.canary, was.excess)
    assert (after.readings, after.at, after.split) == (before.readings, before.at, before.split)


def keep(trial: Trial) -> Analysis:
    return Analysis(
        verdict=Verdict.INSUFFICIENT,
        metrics=(
            MetricEvidence(name="errors", verdict=Verdict.INSUFFICIENT, cursor=dump_trial(trial)),
            MetricEvidence(
                name="latency", verdict=Verdict.INSUFFICIENT, cursor="another version's"
            ),
            MetricEvidence(name="violations", verdict=Verdict.INSUFFICIENT),
        ),
    )


def test_the_books_are_opened_anew_or_as_far_as_they_were_kept() -> None:
    assert open_ledger("r", analysis=None, step=3) == Ledger(rollout="r")
    trial = Trial().observe(
        Rule(tolerated=0.005, ceiling=0.01), canary=Counts(100, 1), stable=Counts(900, 1)
    )
    ledger = open_ledger("r", analysis=keep(trial), step=3)
    assert (ledger.rollout, ledger.step, set(ledger.trials)) == ("r", 3, {"errors"})
    assert begin_step(ledger, step=3).trials["errors"].step_canary == Counts(100, 1)


def test_what_was_kept_of_an_earlier_step_passes_no_other() -> None:
    trial = Trial().observe(
        Rule(tolerated=0.005, ceiling=0.01), canary=Counts(100, 1), stable=Counts(900, 1)
    )
    ledger = begin_step(open_ledger("r", analysis=keep(trial), step=None), step=3)
    assert ledger.trials["errors"].step_canary == Counts()
    assert ledger.trials["errors"].canary == Counts(100, 1)


# ── a shadow ─────────────────────────────────────────────────────────────────────────────────
AGREEMENT = {"name": "agreement", "type": "Agreement", "agreement": {"min": "0.98"}}
LOOSE = {
    "name": "loose", "type": "Agreement", "action": "Warn",
    "agreement": {"min": "0.5", "tolerance": "0.5"},
}  # fmt: skip
ERRORS = {"name": "errors", "type": "ErrorRate", "errorRate": {"tolerated": "0.005"}}


def read(*metrics: dict[str, Any]) -> tuple[Gate, ...]:
    return list_gates(AnalysisSpec(metrics=tuple(msgspec.convert(one, Metric) for one in metrics)))


def copied(requests: int, errors: int = 0, *, own: int = 0) -> Reading:
    """A pod of the canary with these copies, and requests of its own."""
    return replace(told(own), mirrored=told(requests, errors))


def answered(source: str, *values: float, at: int = 0) -> Answers:
    """The numbers answered to as many requests."""
    return Answers(
        next=at,
        answers=tuple(
            Answer(id=f"{at}-{number}", source=source, code=200, rows=1, outputs={"y": (value,)})
            for number, value in enumerate(values)
        ),
    )


def begin_shadow(gates: Sequence[Gate]) -> Ledger:
    """After the first tick of a shadow: where answers are read on is known."""
    pods = {"canary-0": copied(100), "stable-0": told(9000)}
    begun = {"canary-0": Answers(next=0), "stable-0": Answers(next=0)}
    return tick(Ledger(rollout="r"), 0, pods, shadow=True, gates=gates, answers=begun)


def test_in_a_shadow_the_canary_is_judged_by_copies() -> None:
    gates = read(ERRORS)
    ledger = begin_shadow(gates)
    pods = {"canary-0": copied(150, 3, own=700), "stable-0": told(9100, 1)}
    ledger = tick(ledger, 2, pods, shadow=True, gates=gates)
    assert ledger.errors == Pair(canary=Counts(50, 3), stable=Counts(100, 1))
    assert ledger.trials["errors"].canary == Counts(50, 3)
    assert ledger.split is None
    # The next step is about users again, and goes on with what each has counted of both.
    pods = {"canary-0": copied(190, 9, own=720), "stable-0": told(9300, 1)}
    ledger = tick(ledger, 4, pods, gates=gates)
    assert ledger.errors == Pair(canary=Counts(70, 3), stable=Counts(300, 1))


def test_a_pod_that_only_gets_copies_gets_warm_by_them() -> None:
    ledger = tick(Ledger(rollout="r"), 0, {"canary-0": copied(19)}, shadow=True)
    assert ledger.readings == {}
    ledger = tick(Ledger(rollout="r"), 0, {"canary-0": copied(15, own=5)}, shadow=True)
    assert set(ledger.readings) == {"uid-canary-0"}


def test_answers_are_compared_with_the_tolerance_of_each_metric() -> None:
    gates = read(AGREEMENT, LOOSE)
    ledger = begin_shadow(gates)
    pods = {"canary-0": copied(104), "stable-0": told(9004)}
    told_now = {
        "canary-0": answered("mirror", 1.0, 1.3, 9.0, 1.0, at=4),
        "stable-0": answered("route", 1.0, 1.0, 1.0, 1.0, at=4),
    }
    ledger = tick(ledger, 2, pods, shadow=True, gates=gates, answers=told_now)
    assert ledger.trials["agreement"].canary == Counts(4, 2)
    assert ledger.trials["loose"].canary == Counts(4, 1)
    assert ledger.trials["agreement"].stable == Counts()
    assert (ledger.shadow.pairs, ledger.shadow.disagreements) == (4, 2)
    # Outside of a shadow nothing is compared, and nothing forgotten.
    after = tick(ledger, 4, pods, gates=gates, answers=told_now)
    assert after.trials == ledger.trials
    assert after.shadow == ledger.shadow


def test_answers_of_pods_that_are_not_warm_are_left_out() -> None:
    gates = read(AGREEMENT)
    ledger = begin_shadow(gates)
    both = {"canary-0": answered("mirror", 1.0), "stable-0": answered("route", 9.0)}
    pods = {"canary-0": copied(3), "stable-0": told(9004)}
    ledger = tick(ledger, 2, pods, shadow=True, gates=gates, answers=both)
    assert ledger.shadow.pairs == 0


def test_a_pod_that_tells_no_answers_matters_where_they_decide() -> None:
    why = {"stable-0": "it answered 404"}
    pods = {"canary-0": copied(150), "stable-0": told(9100)}
    for gates, matters in ((read(AGREEMENT), True), (read(ERRORS, LOOSE), False)):
        ledger = tick(begin_shadow(gates), 2, pods, shadow=True, gates=gates, unanswered=why)
        assert (ledger.unread_since is not None) is matters
        assert ledger.unread == ('pod "stable-0": it answered 404' if matters else "")
    ledger = tick(begin_shadow(gates), 2, pods, gates=read(AGREEMENT), unanswered=why)
    assert ledger.unread_since is None


def test_what_a_shadow_found_stands_in_steps_that_compare_nothing() -> None:
    gates = read(ERRORS, AGREEMENT)
    trials = {"errors": Trial(step_canary=Counts(9)), "agreement": Trial(step_canary=Counts(9))}
    ledger = Ledger(rollout="r", step=0, trials=trials)
    next_one = begin_step(ledger, step=1, gates=gates)
    assert next_one.trials == {"errors": Trial(), "agreement": trials["agreement"]}
    again = begin_step(ledger, step=1, gates=gates, shadow=True)
    assert again.trials == {"errors": Trial(), "agreement": Trial()}


def test_the_books_are_opened_with_what_the_status_kept_of_a_shadow() -> None:
    kept = Analysis(verdict=Verdict.PASS, shadow=ShadowEvidence(pairs=7, disagreements=2))
    ledger = open_ledger("r", analysis=kept, step=0)
    assert (ledger.shadow.pairs, ledger.shadow.disagreements) == (7, 2)
