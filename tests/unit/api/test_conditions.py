"""How conditions change: the time moves with the status and with nothing else."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from slipway_operator.api.conditions import (
    MESSAGE_LIMIT,
    Condition,
    ConditionStatus,
    ConditionType,
    Verdict,
    advance_conditions,
    find_condition,
    render_time,
)

START = datetime(2026, 3, 4, 9, 12, tzinfo=UTC)
LATER = START + timedelta(minutes=5)


def verdict(
    kind: ConditionType = ConditionType.READY,
    status: ConditionStatus = ConditionStatus.TRUE,
    reason: str = "Serving",
    message: str = "It answers.",
) -> Verdict:
    return Verdict(type=kind, status=status, reason=reason, message=message)


def advance(
    *verdicts: Verdict,
    previous: tuple[Condition, ...] = (),
    generation: int = 1,
    now: datetime = START,
) -> tuple[Condition, ...]:
    return advance_conditions(previous=previous, verdicts=verdicts, generation=generation, now=now)


def test_a_new_condition_begins_now() -> None:
    [condition] = advance(verdict(), generation=7)
    assert condition == Condition(
        type=ConditionType.READY,
        status=ConditionStatus.TRUE,
        reason="Serving",
        message="It answers.",
        observed_generation=7,
        last_transition_time="2026-03-04T09:12:00Z",
    )


@pytest.mark.parametrize(
    ("after", "moved"),
    [
        (verdict(), False),
        (verdict(reason="Starting"), False),
        (verdict(message="It still answers."), False),
        (verdict(status=ConditionStatus.FALSE), True),
        (verdict(status=ConditionStatus.UNKNOWN), True),
    ],
    ids=["nothing", "reason", "message", "to False", "to Unknown"],
)
def test_the_time_moves_with_the_status_only(after: Verdict, moved: bool) -> None:
    before = advance(verdict())
    [condition] = advance(after, previous=before, generation=2, now=LATER)
    assert condition.last_transition_time == render_time(LATER if moved else START)
    assert (condition.reason, condition.message) == (after.reason, after.message)
    assert condition.observed_generation == 2


def test_what_is_no_longer_stated_goes_away() -> None:
    before = advance(verdict(), verdict(ConditionType.STALLED))
    assert [c.type for c in advance(verdict(), previous=before)] == [ConditionType.READY]


def test_the_order_is_that_of_the_types() -> None:
    kinds = list(ConditionType)
    found = advance(*(verdict(kind) for kind in reversed(kinds)))
    assert [condition.type for condition in found] == kinds


def test_the_last_verdict_of_a_type_holds() -> None:
    [condition] = advance(verdict(reason="Starting"), verdict(reason="Serving"))
    assert condition.reason == "Serving"


@pytest.mark.parametrize("length", [MESSAGE_LIMIT, MESSAGE_LIMIT + 1])
def test_a_message_is_cut_at_the_limit(length: int) -> None:
    [condition] = advance(verdict(message="x" * length))
    assert len(condition.message) == MESSAGE_LIMIT
    assert condition.message.endswith("…") is (length > MESSAGE_LIMIT)


def test_finding_a_condition() -> None:
    found = advance(verdict())
    assert find_condition(found, ConditionType.READY) is found[0]
    assert find_condition(found, ConditionType.STALLED) is None


def test_a_time_is_in_utc_and_whole_seconds() -> None:
    moment = datetime(2026, 3, 4, 10, 12, 0, 987654, tzinfo=timezone(timedelta(hours=1)))
    assert render_time(moment) == "2026-03-04T09:12:00Z"
