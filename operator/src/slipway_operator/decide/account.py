"""The status: one honest account of what is asked for, what exists and what is under way."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import msgspec

from slipway_operator.api.conditions import (
    ConditionType,
    Verdict,
    advance_conditions,
    find_condition,
)
from slipway_operator.api.status import (
    Addresses,
    Build,
    Display,
    ResolvedModel,
    Revision,
    Role,
    Status,
)
from slipway_operator.api.status_rollout import (
    HistoryEntry,
    Outcome,
    RolloutState,
    RolloutStatus,
    Weights,
)
from slipway_operator.state.identity import Owner
from slipway_operator.state.instants import render_instant
from slipway_operator.state.revision import RevisionState, Snapshot
from slipway_operator.state.slots import MILLION, MOST, Slots

SHOWN: Final = 4
HISTORY: Final = 10
SERVING: Final = "Serving"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What the decisions came to, for the status to tell. `asked` is the snapshot asked for; None:
    not built, or the spec is invalid. `retired_at`: since when revisions are without traffic.
    `holding`: nothing moves, so no rollout begins or ends."""

    owner: Owner
    generation: int
    before: Status
    verdicts: tuple[Verdict, ...]
    build: Build | None
    model: ResolvedModel | None
    asked: Snapshot | None
    stable: str | None
    slots: Slots | None
    moving: str
    states: Mapping[str, RevisionState]
    retired_at: Mapping[str, datetime]
    addresses: Addresses | None
    replicas: int
    autoscaled: Mapping[str, int]
    holding: bool
    now: datetime


def render_account(account: Account) -> Status:
    """The whole new status."""
    before, stable = account.before, account.stable
    conditions = advance_conditions(
        previous=before.conditions,
        verdicts=account.verdicts,
        generation=account.generation,
        now=account.now,
    )
    ready = find_condition(conditions, ConditionType.READY)
    since = ready.last_transition_time if ready else None
    state = account.states.get(stable or "")
    snapshot = account.asked if account.asked and account.asked.revision == stable else None
    snapshot = snapshot or (state.snapshot if state else None)
    runtime = snapshot.build.runtime if snapshot else None
    canary = _find_canary(account)
    selector = None
    if stable is not None:
        selector = ",".join(
            f"{key}={value}" for key, value in account.owner.revision_selector(stable).items()
        )
    return msgspec.structs.replace(
        before,
        observed_generation=account.generation,
        url=account.addresses.public or account.addresses.in_cluster if account.addresses else None,
        addresses=account.addresses,
        replicas=state.existing if state else 0,
        selector=selector,
        conditions=conditions,
        display=Display(
            stable=stable[:SHOWN] if stable else None,
            canary=canary[:SHOWN] if canary else None,
            weight_percent=_render_weight(account.slots, canary) if canary else None,
            runtime=runtime,
            since=since,
        ),
        since=since,
        runtime=runtime,
        model=account.model,
        build=_render_build(account),
        contract=snapshot.build.report.contract if snapshot else None,
        stable_revision=stable,
        canary_revision=canary,
        revisions=_render_revisions(account, canary=canary),
        rollout=_render_rollout(account, canary=canary),
        history=_render_history(account, canary=canary),
    )


def _find_canary(account: Account) -> str | None:
    if account.holding:
        return account.before.canary_revision
    asked = account.asked.revision if account.asked else None
    if asked is not None and asked != account.stable:
        return asked
    # A revision on its way out still holds a slot.
    others = (account.slots.revisions if account.slots else frozenset()) - {account.stable}
    return min(others, default=None)


def _render_build(account: Account) -> Build | None:
    build, asked = account.build, account.asked
    if build is None or asked is None or asked.revision != account.stable:
        return build
    return msgspec.structs.replace(build, stage=SERVING)


def _render_weight(slots: Slots | None, revision: str) -> str:
    weight = _weigh(slots, revision)
    # The millionth that keeps a slot open is no traffic worth telling.
    return "100" if weight >= MOST else "0" if weight <= MILLION - MOST else str(weight // 10_000)


def _weigh(slots: Slots | None, revision: str) -> int:
    if slots is None:
        return 0
    return sum(slot.weight for slot in (slots.first, slots.second) if slot.revision == revision)


def _render_revisions(account: Account, *, canary: str | None) -> tuple[Revision, ...]:
    before = {revision.hash: revision for revision in account.before.revisions}
    hashes = {*account.states, *([account.asked.revision] if account.asked else [])}
    rows = [
        _render_revision(account, revision, canary=canary, before=before.get(revision))
        for revision in hashes
    ]
    order = list(Role)
    return tuple(sorted(rows, key=lambda row: (order.index(row.role), row.hash)))


def _render_revision(
    account: Account, revision: str, *, canary: str | None, before: Revision | None
) -> Revision:
    state = account.states.get(revision)
    asked = account.asked if account.asked and account.asked.revision == revision else None
    snapshot = asked or (state.snapshot if state else None)
    build = snapshot.build if snapshot else None
    role = Role.PREVIOUS
    if revision == account.stable:
        role = Role.STABLE
    elif revision == canary:
        role = Role.CANARY
    verified_at = before.verified_at if before else None
    # From a real share of the requests on, something may be under way when it goes.
    if verified_at is None and _weigh(account.slots, revision) >= MOST:
        verified_at = render_instant(account.now)
    retired_at = account.retired_at.get(revision)
    gone = retired_at is not None
    return Revision(
        hash=revision,
        role=role,
        model=build.model_digest if build else None,
        artifact=build.artifact if build else None,
        runtime=build.runtime if build else None,
        ready=state.ready if state else 0,
        desired=(state.desired if state else 0)
        if gone
        else account.autoscaled.get(revision, account.replicas),
        verified_at=verified_at,
        retired_at=render_instant(retired_at) if retired_at else None,
    )


def _render_rollout(account: Account, *, canary: str | None) -> RolloutStatus:
    previous = account.before.rollout or RolloutStatus()
    state = _name_state(account, canary=canary)
    same = account.before.canary_revision == canary and canary is not None
    now = render_instant(account.now)
    return RolloutStatus(
        attempt=previous.attempt if same or canary is None else previous.attempt + 1,
        state=state,
        started_at=previous.started_at if same or canary is None else now,
        step_started_at=previous.step_started_at if previous.state is state else now,
        weights=None
        if canary is None
        else Weights(
            desired=MILLION
            if account.asked is not None and account.asked.revision == canary
            else 0,
            programmed=min(_weigh(account.slots, canary), MILLION),
        ),
        outcome=_find_outcome(account, canary=canary) or previous.outcome,
    )


def _name_state(account: Account, *, canary: str | None) -> RolloutState:
    if account.stable is None:
        return RolloutState.PENDING if account.asked is None else RolloutState.INITIALIZING
    if canary is None:
        return RolloutState.DRAINING if account.retired_at else RolloutState.STABLE
    if account.asked is None or account.asked.revision != canary:
        return RolloutState.ABORTING
    if account.slots is None or canary not in account.slots.revisions:
        return RolloutState.PREPARING
    if account.slots.names_only(canary):
        return RolloutState.PROMOTING
    return RolloutState.VERIFYING if account.moving == "verify" else RolloutState.SHIFTING


def _find_outcome(account: Account, *, canary: str | None) -> Outcome | None:
    """How the rollout of the revision that was on its way ended, if it just did."""
    last = account.before.canary_revision
    # With the status lost nothing is known to have ended just now.
    if account.before.observed_generation == 0:
        return None
    if account.before.stable_revision != account.stable:
        return Outcome.PROMOTED
    if last is None or last == canary:
        return None
    reverted = account.asked is not None and account.asked.revision == account.stable
    return Outcome.ROLLED_BACK if reverted else Outcome.SUPERSEDED


def _render_history(account: Account, *, canary: str | None) -> tuple[HistoryEntry, ...]:
    outcome = _find_outcome(account, canary=canary)
    if outcome is None:
        return account.before.history
    last = account.before.canary_revision
    revision = account.stable if outcome is Outcome.PROMOTED else last
    rollout = account.before.rollout or RolloutStatus()
    entry = HistoryEntry(
        revision=revision or "",
        outcome=outcome,
        started_at=rollout.started_at,
        finished_at=render_instant(account.now),
    )
    return (entry, *account.before.history)[:HISTORY]
