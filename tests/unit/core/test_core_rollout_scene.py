"""Decisions about a rollout that need no cluster: nothing was read, somebody edited the route."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from core_rollouts import NAME, begin, live, live_until, weigh
from slipway_operator.api.conditions import ConditionType
from slipway_operator.api.spec_rollout import Rollout
from slipway_operator.api.status import Status
from slipway_operator.api.status_rollout import (
    Analysis,
    RolloutState,
    RolloutStatus,
    Verdict,
    Weights,
)
from slipway_operator.api.vocabulary import Strategy
from slipway_operator.decide.analysis.assessment import Assessment
from slipway_operator.decide.analysis.ledger import Pair
from slipway_operator.decide.health import Health, Level
from slipway_operator.decide.rollout.ending import find_cause
from slipway_operator.decide.rollout.observing import observe
from slipway_operator.decide.rollout.path import lay_path
from slipway_operator.decide.rollout.scene import Scene
from slipway_operator.decide.traffic import Goal, decide_traffic
from slipway_operator.decide.verdicts import Situation, decide_verdicts
from slipway_operator.state.slots import RouteState, Slot, Slots, fill_slots

NOW = datetime(2026, 3, 4, 9, 0, tzinfo=UTC)
SPEC = Rollout(strategy=Strategy.CANARY)
AT = RolloutStatus(
    state=RolloutState.OBSERVING,
    step_started_at="2026-03-04T09:00:00Z",
    weights=Weights(desired=50_000, programmed=0),
)
FAILED = Assessment(
    shown=Analysis(verdict=Verdict.FAIL),
    failed="errors: canary 30 of 100 against stable 1 of 900",
    passed=False,
    errors=Pair(),
    is_idle=False,
    guardrail=None,
    crowded=None,
    unread_since=None,
    unread="",
)
FINE = Health(level=Level.READY, reason="Serving", message="It answers.")


def look(*, seconds: int) -> Scene:
    """The first step, so long after it began, with nothing read."""
    return Scene(
        spec=SPEC,
        path=lay_path(SPEC),
        before=Status(stable_revision="old", canary_revision="new", rollout=AT),
        asked=None,
        stable="old",
        route=None,
        states={},
        health={"new": FINE},
        complete={"old", "new"},
        answering={"old", "new"},
        evidence=None,
        verb=None,
        idle_seconds=None,
        now=NOW + timedelta(seconds=seconds),
    )


@pytest.mark.parametrize(("seconds", "wait"), [(10, 20), (100, 1700)])
def test_with_nothing_read_it_waits(seconds: int, wait: int) -> None:
    scene = look(seconds=seconds)
    standing = observe(scene, AT)
    assert (standing.at.state, standing.at.step_index) == (RolloutState.OBSERVING, 0)
    assert standing.wait_seconds == wait
    assert find_cause(scene, "new", AT) is None


def test_with_nothing_read_until_the_end_it_is_paused() -> None:
    standing = observe(look(seconds=1800), AT)
    assert (standing.at.state, standing.at.paused) == (
        RolloutState.PAUSED,
        "AnalysisInconclusive",
    )
    assert standing.at.message == (
        "0 requests of the new revision and 0 of the stable are too few to decide."
    )


def test_a_revision_enters_a_route_whose_weights_somebody_edited() -> None:
    edited = Slots(
        first=Slot(revision="old", weight=600_000), second=Slot(revision="old", weight=400_000)
    )
    route = RouteState(slots=edited, stable="old", verified=True, trouble=None, address=None)
    decision = decide_traffic(
        route=route,
        goal=Goal(base="old", guest="new", weight=50_000),
        known={"old", "new"},
        able={"old", "new"},
    )
    assert decision.step == "restore weights"
    assert decision.slots is not None
    assert decision.slots == fill_slots("old")


def test_pods_that_were_not_asked_this_time_change_no_books() -> None:
    cluster = begin(rollout={"steps": [weigh(50, minSeconds=400)]})
    live_until(cluster, "Observing")
    live(cluster, 20)
    unasked = replace(cluster.observe(NAME), readings=None)
    plan = cluster.plan(NAME, observed=unasked)
    assert cluster.ledger is not None
    assert plan.ledger == cluster.ledger
    assert plan.status is None


def test_a_metric_that_failed_is_told_while_the_revision_is_still_there() -> None:
    situation = Situation(
        blocked=None,
        build=None,
        asked=FINE,
        answering=FINE,
        answering_revision="old",
        asked_revision="new",
        route=None,
        hosts=None,
        stable_is_asked=False,
        arrived=False,
        runtime_outdated=False,
        evidence=FAILED,
    )
    told = {one.type: one for one in decide_verdicts(situation)}
    healthy = told[ConditionType.ANALYSIS_HEALTHY]
    assert (healthy.status, healthy.reason) == ("False", "AnalysisFailed")
    assert healthy.message == "errors: canary 30 of 100 against stable 1 of 900."
    assert told[ConditionType.METRICS_AVAILABLE].status == "True"
