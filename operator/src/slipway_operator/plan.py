"""The one composition: from what is asked and what exists to what shall be done, told and waited
for.

`make_plan` is all that an edge needs: observe, make a plan, carry it out, again and again. It has
no effect. Every action is safe to repeat, and any of them may fail: the next plan starts from what
exists then. Actions are carried out in order; after one that failed the rest may be left out.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from slipway_operator.api.conditions import (
    ConditionType,
    Verdict,
    find_condition,
)
from slipway_operator.api.parse import parse_modeldeployment
from slipway_operator.api.reasons import event_type, say
from slipway_operator.api.status import Addresses, Status, render_status
from slipway_operator.decide.account import Account, Progress, render_account
from slipway_operator.decide.analysis.ledger import Ledger
from slipway_operator.decide.build import BuildPhase
from slipway_operator.decide.revision import choose_image
from slipway_operator.decide.rollout.conclusion import Conclusion, describe_step, render_step
from slipway_operator.decide.rollout.scene import is_tried
from slipway_operator.decide.verdicts import Finding, Situation, decide_verdicts
from slipway_operator.resources.diff import Comparison, compare_children
from slipway_operator.settings import Settings
from slipway_operator.state.observed import (
    Json,
    Observed,
    Refusal,
    is_terminating,
    read_name,
)
from slipway_operator.state.revision import Snapshot
from slipway_operator.state.slots import MILLION
from slipway_operator.steering.hold import hold_still
from slipway_operator.steering.steer import steer
from slipway_operator.steering.world import Outcome, Rollout, World, observe_world

REMOVAL_POLL_SECONDS: Final = 2
# True for a moment after every change of a route; told with each weight.
_UNTOLD: Final = frozenset({"RoutePending", "CanaryRunning", "ShadowRunning"})
# Said of what is asked for, though another revision came.
_BACK: Final = frozenset({"RollingBack", "RolledBack"})
_SHOWN: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Apply:
    """Server-side apply of a whole object, by one field manager, forced."""

    object: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Delete:
    """Delete this very object: `uid` is a precondition. Gone already is as good."""

    api_version: str
    kind: str
    namespace: str
    name: str
    uid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened: `type` is Normal or Warning, `reason` is in the catalogue."""

    type: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to do now. `status` is the whole new status (None: as it is); `requeue_after_seconds`
    says when to look again even if nothing happens (None: when something does). `ledger`: the books
    of a rollout, to be given back for the next plan."""

    actions: tuple[Apply | Delete, ...] = ()
    status: Mapping[str, Any] | None = None
    events: tuple[Event, ...] = ()
    requeue_after_seconds: float | None = None
    ledger: Ledger | None = None


def make_plan(
    *,
    asked: Mapping[str, Any],
    observed: Observed,
    settings: Settings,
    now: datetime,
    ledger: Ledger | None = None,
) -> Plan:
    """Decide everything about one ModelDeployment.

    `asked` is the object as Kubernetes JSON, with its metadata, spec and status; `ledger` that of
    the last plan, as long as the edge lives.
    """
    # Owner references take the children away; writing now would only make orphans.
    if is_terminating(asked):
        return Plan()
    world = observe_world(asked=asked, observed=observed, settings=settings, now=now)
    parsed = parse_modeldeployment(asked, on_laptop=settings.is_laptop)
    if parsed.asked is None:
        return _conclude(world, hold_still(world, errors=parsed.errors), refusal=observed.refusal)
    outcome = steer(world, spec=parsed.asked.spec, observed=observed, ledger=ledger)
    return _conclude(world, outcome, refusal=observed.refusal)


def _conclude(world: World, outcome: Outcome, *, refusal: Refusal | None) -> Plan:
    """Compare the outcome with what exists, and give the account of it."""
    comparison = compare_children(desired=outcome.desired, children=world.children)
    blocked = outcome.blocked or _find_stranger(comparison) or _find_refusal(refusal)
    status = render_account(
        Account(
            owner=world.owner,
            generation=world.generation,
            before=world.before,
            verdicts=_decide_verdicts(
                world, outcome, blocked=blocked, rerouted=comparison.rerouted
            ),
            build=outcome.build_status,
            model=outcome.model,
            asked=outcome.asked,
            stable=outcome.stable,
            slots=outcome.slots,
            rollout=_render_progress(outcome.rollout),
            answer=outcome.answer,
            states=world.states,
            retired_at={
                revision: retirement.retired_at for revision, retirement in outcome.retired.items()
            },
            served_until=outcome.served,
            addresses=_find_addresses(world, outcome),
            replicas=outcome.replicas,
            autoscaled=outcome.autoscaled,
            now=world.now,
        )
    )
    deletions = (
        Delete(
            api_version=ref.api_version,
            kind=ref.kind,
            namespace=ref.namespace,
            name=ref.name,
            uid=ref.uid,
        )
        for ref in outcome.removals
    )
    waits = [seconds for seconds in outcome.waits if seconds is not None]
    if comparison.leaving:
        waits.append(REMOVAL_POLL_SECONDS)
    return Plan(
        actions=(*(Apply(object=child) for child in comparison.writes), *deletions),
        status=None if status == world.before else render_status(status),
        events=_list_events(world.before, status, comparison=comparison, outcome=outcome),
        requeue_after_seconds=min(waits, default=None),
        ledger=outcome.rollout.ledger if outcome.rollout else None,
    )


def _render_progress(rollout: Rollout | None) -> Progress | None:
    if rollout is None:
        return None
    told, stops = rollout.conclusion, rollout.path.stops
    return Progress(
        conclusion=told,
        rejected=rollout.course.rejected,
        answer=rollout.answer,
        shown=rollout.evidence.shown if rollout.evidence else None,
        step=render_step(told.rollout, rollout.path) if stops else None,
    )


def _find_refusal(refusal: Refusal | None) -> Finding | None:
    if refusal is None:
        return None
    return Finding(reason=refusal.reason, message=refusal.message, final=True)


def _find_stranger(comparison: Comparison) -> Finding | None:
    if not comparison.strangers:
        return None
    stranger = comparison.strangers[0]
    message = say("NameConflict", kind=stranger.get("kind"), object=read_name(stranger))
    return Finding(reason="NameConflict", message=message, final=True)


def _decide_verdicts(
    world: World, outcome: Outcome, *, blocked: Finding | None, rerouted: bool
) -> tuple[Verdict, ...]:
    asked = outcome.asked
    # Until the route has moved, the old revision is the one that answers.
    answering = outcome.stable
    if world.slots is not None and (world.slots.is_at_rest or outcome.stable is None):
        answering = world.slots.main.revision
    rollout = outcome.rollout
    is_tried = asked is not None and (rollout is None or not rollout.course.is_rejected)
    # One that waits in the queue has no pods to tell of; the one before it has.
    tried = rollout.course.candidate if rollout else None
    tried = tried or (asked.revision if asked else None)
    verdicts = decide_verdicts(
        Situation(
            blocked=blocked,
            build=outcome.build,
            asked=outcome.health.get(tried) if tried and is_tried else None,
            answering=outcome.health.get(answering) if answering and outcome.stable else None,
            answering_revision=answering,
            asked_revision=asked.revision if asked else None,
            route=world.route,
            hosts=outcome.host_refusal,
            stable_is_asked=asked is not None and asked.revision == outcome.stable,
            arrived=outcome.arrived and not rerouted,
            runtime_outdated=asked is not None
            and asked.image != choose_image(runtime=asked.build.runtime, settings=world.settings),
            refused=_explain_rejection(world, rollout, asked=asked),
            rollout=_describe_rollout(rollout),
            evidence=rollout.evidence if rollout and rollout.course.candidate else None,
        )
    )
    kept = find_condition(world.before.conditions, ConditionType.MODEL_READY)
    # A spec that cannot be read says nothing against the model that was built.
    if outcome.build is None and kept is not None:
        return (
            *verdicts,
            Verdict(type=kept.type, status=kept.status, reason=kept.reason, message=kept.message),
        )
    return verdicts


def _explain_rejection(
    world: World, rollout: Rollout | None, *, asked: Snapshot | None
) -> Finding | None:
    """Why what is asked for is not tried: how it ended, or that it did."""
    if rollout is None or asked is None:
        return None
    course = rollout.course
    # In the very pass in which a rollback arrives.
    is_taken_back = course.takes_back and rollout.conclusion.canary is None
    if not course.is_rejected and not is_taken_back:
        return None
    status = rollout.conclusion.rollout
    is_own = status.reason in _BACK or _tried_last(world, rollout.conclusion, asked)
    if is_own and status.reason is not None and status.message is not None:
        return Finding(reason=status.reason, message=status.message, final=True)
    words = say("RevisionRejected", digest=asked.build.model_digest)
    return Finding(reason="RevisionRejected", message=words, final=True)


def _tried_last(world: World, told: Conclusion, asked: Snapshot) -> bool:
    """Whether the last rollout was of this model: what ended it is of no other."""
    last = {told.canary, *(entry.revision for entry in told.history[:1])}
    models = {
        state.snapshot.build.model_digest
        for revision, state in world.states.items()
        if revision in last and state.snapshot is not None
    }
    return asked.revision in last or asked.build.model_digest in models


def _describe_rollout(rollout: Rollout | None) -> Finding | None:
    """Where a rollout with steps stands."""
    if rollout is None or rollout.course.candidate is None:
        return None
    status, candidate = rollout.conclusion.rollout, rollout.course.candidate[:_SHOWN]
    if rollout.course.target is not None and status.message is not None:
        return Finding(reason="RollingBack", message=status.message)
    if status.paused is not None:
        message = status.message or say(status.paused, revision=candidate)
        return Finding(reason=status.paused, message=message)
    if status.held_since is not None and status.message is not None:
        return Finding(
            reason="Held", message=say("Held", revision=candidate, detail=status.message)
        )
    is_promoted = status.weights is not None and status.weights.desired == MILLION
    if not rollout.path.stops or not is_tried(status) or is_promoted:
        return None
    reason, message = describe_step(rollout.course, rollout.path)
    return Finding(reason=reason, message=message)


def _find_addresses(world: World, outcome: Outcome) -> Addresses | None:
    """Every way to reach the model; none before a revision has answered."""
    if outcome.stable is None or world.route is None:
        return None
    owner, settings = world.owner, world.settings
    if settings.is_laptop:
        address = world.route.address
        return Addresses(public=f"http://{address}") if address else None
    host = None if settings.domain is None else f"{owner.name}.{owner.namespace}.{settings.domain}"
    return Addresses(
        public=f"{settings.url_scheme}://{host}" if host else None,
        in_cluster=f"http://{owner.name}.{owner.namespace}.svc",
    )


def _list_events(
    before: Status, after: Status, *, comparison: Comparison, outcome: Outcome
) -> tuple[Event, ...]:
    """One event for each transition, oldest cause first."""
    events = [
        _tell(
            "DriftCorrected",
            say(
                "DriftCorrected",
                kind=obj.get("kind"),
                object=read_name(obj),
                path=difference.path.lstrip("."),
            ),
        )
        for obj, difference in comparison.edited
    ]
    build = outcome.build
    if build is not None and build.phase is BuildPhase.DONE:
        known = before.build.artifact if before.build else None
        if build.build.artifact != known:
            if build.is_reused:
                events.append(_tell("Reused", build.detail))
            elif before.observed_generation > 0:
                events.append(_tell("Built", build.detail))
    if outcome.rollout is not None:
        events += [_tell(*event) for event in outcome.rollout.conclusion.events]
    old = find_condition(before.conditions, ConditionType.READY)
    new = find_condition(after.conditions, ConditionType.READY)
    was = None if old is None else (old.status, old.reason)
    if new is not None and new.reason not in _UNTOLD and (new.status, new.reason) != was:
        events.append(_tell(new.reason, new.message))
    return tuple(events)


def _tell(reason: str, message: str) -> Event:
    return Event(type=event_type(reason).value, reason=reason, message=message)
