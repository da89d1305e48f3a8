"""The status: one honest account of what is asked for, what exists and what is under way."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

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
from slipway_operator.api.status_rollout import Analysis, Command, RolloutStatus
from slipway_operator.decide.rollout.conclusion import Conclusion
from slipway_operator.decide.rollout.scene import render_percent
from slipway_operator.state.identity import Owner
from slipway_operator.state.instants import compute_seconds_left, read_instant, render_instant
from slipway_operator.state.revision import RevisionState, Snapshot
from slipway_operator.state.slots import LEAST, Slots

SHOWN: Final = 4
MOST_ROWS: Final = 16  # as the schema of the status has it
EVIDENCE_SECONDS: Final = 60
FIRST_SECONDS: Final = 10
SERVING: Final = "Serving"


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where the rollout is. `shown`: the evidence of this moment; None: there is none. `step`: such
    as 2/4; None: it has no steps."""

    conclusion: Conclusion
    rejected: tuple[str, ...]
    answer: Command | None
    shown: Analysis | None
    step: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What the decisions came to, for the status to tell. `asked` is the snapshot asked for; None:
    not built, or the spec is invalid. `retired_at`: since when revisions are without traffic;
    `served_until`: until when they answered all requests.
    `rollout`: None: nothing moves, so none begins or ends; then `answer` is that to the last
    command."""

    owner: Owner
    generation: int
    before: Status
    verdicts: tuple[Verdict, ...]
    build: Build | None
    model: ResolvedModel | None
    asked: Snapshot | None
    stable: str | None
    slots: Slots | None
    rollout: Progress | None
    answer: Command | None
    states: Mapping[str, RevisionState]
    retired_at: Mapping[str, datetime]
    served_until: Mapping[str, datetime]
    addresses: Addresses | None
    replicas: int
    autoscaled: Mapping[str, int]
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
    progress = account.rollout
    canary = progress.conclusion.canary if progress else before.canary_revision
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
            step=progress.step if progress and canary else None,
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
        **_render_progress(account, progress),
    )


def _render_progress(account: Account, progress: Progress | None) -> dict[str, Any]:
    if progress is None:
        return {"last_command": account.answer}
    conclusion, before = progress.conclusion, account.before
    rollout, analysis = conclusion.rollout, before.analysis
    was = before.rollout or RolloutStatus()
    if rollout.attempt != was.attempt:
        analysis = None
    elif progress.shown is not None and _is_due(account, rollout, progress.shown):
        analysis = progress.shown
    elif rollout.weights is not None and was.weights is not None:
        # What arrived is told together with the evidence, or each look would write.
        seen = msgspec.structs.replace(rollout.weights, observed=was.weights.observed)
        rollout = msgspec.structs.replace(rollout, weights=seen)
    return {
        "rollout": rollout,
        "history": conclusion.history,
        "rejected_digests": progress.rejected,
        "last_command": progress.answer,
        "analysis": analysis,
    }


def _is_due(account: Account, rollout: RolloutStatus, shown: Analysis) -> bool:
    """Evidence is written with each decision, as soon as there is some, and then once a minute."""
    before, was = account.before.analysis, account.before.rollout
    written = read_instant(before.at) if before else None
    if before is None or written is None or was is None:
        return True
    moved = (rollout.state, rollout.step_index) != (was.state, was.step_index)
    judged = [metric.verdict for metric in shown.metrics]
    changed = judged != [metric.verdict for metric in before.metrics]
    wait = EVIDENCE_SECONDS if _has_counts(before) or not _has_counts(shown) else FIRST_SECONDS
    left = compute_seconds_left(since=written, wait_seconds=wait, now=account.now)
    return moved or changed or left == 0


def _has_counts(analysis: Analysis) -> bool:
    return any(metric.canary is not None and metric.canary.total for metric in analysis.metrics)


def _render_build(account: Account) -> Build | None:
    build, asked = account.build, account.asked
    if build is None or asked is None or asked.revision != account.stable:
        return build
    return msgspec.structs.replace(build, stage=SERVING)


def _render_weight(slots: Slots | None, revision: str) -> str:
    weight = _weigh(slots, revision)
    # The millionth that keeps a slot open is no traffic worth telling.
    return "0" if weight <= LEAST else render_percent(weight)


def _weigh(slots: Slots | None, revision: str) -> int:
    return 0 if slots is None else slots.weigh(revision)


def _render_revisions(account: Account, *, canary: str | None) -> tuple[Revision, ...]:
    before = {revision.hash: revision for revision in account.before.revisions}
    hashes = {*account.states, *([account.asked.revision] if account.asked else [])}
    rows = [
        _render_revision(account, revision, canary=canary, before=before.get(revision))
        for revision in hashes
    ]
    order = list(Role)
    # What may come back is told even where there are more than the status can hold.
    rows.sort(key=lambda row: (order.index(row.role), row.served_until is None, row.hash))
    return tuple(sorted(rows[:MOST_ROWS], key=lambda row: (order.index(row.role), row.hash)))


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
    if verified_at is None and _weigh(account.slots, revision) > LEAST:
        verified_at = render_instant(account.now)
    retired_at = account.retired_at.get(revision)
    served_until = account.served_until.get(revision)
    is_wanted = role is not Role.PREVIOUS
    return Revision(
        hash=revision,
        role=role,
        model=build.model_digest if build else None,
        artifact=build.artifact if build else None,
        runtime=build.runtime if build else None,
        ready=state.ready if state else 0,
        desired=account.autoscaled.get(revision, account.replicas)
        if is_wanted
        else (state.desired if state else 0),
        verified_at=verified_at,
        retired_at=render_instant(retired_at) if retired_at else None,
        served_until=render_instant(served_until) if served_until else None,
    )
