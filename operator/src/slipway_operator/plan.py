"""The one composition: from what is asked and what exists to what shall be done, told and waited
for.

`make_plan` is all that an edge needs: observe, make a plan, carry it out, again and again. It has
no effect. Every action is safe to repeat, and any of them may fail: the next plan starts from what
exists then. Actions are carried out in order; after one that failed the rest may be left out.
"""

from collections.abc import Iterable, Mapping
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
from slipway_operator.api.status import Addresses, Status, read_status, render_status
from slipway_operator.api.vocabulary import RevisionOverride
from slipway_operator.decide.account import Account, Progress, render_account
from slipway_operator.decide.analysis.ledger import Ledger
from slipway_operator.decide.build import BuildPhase
from slipway_operator.decide.build_result import compute_inputs, is_pinned
from slipway_operator.decide.hosts import list_foreign_hosts
from slipway_operator.decide.revision import choose_image
from slipway_operator.decide.rollout.conclusion import describe_step, render_step
from slipway_operator.decide.rollout.path import lay_path
from slipway_operator.decide.verdicts import Finding, Situation, decide_verdicts
from slipway_operator.resources.diff import Comparison, compare_children
from slipway_operator.resources.override import name_override
from slipway_operator.settings import Settings
from slipway_operator.state.identity import LABEL_UID
from slipway_operator.state.observed import (
    Json,
    Observed,
    Refusal,
    is_terminating,
    read_labels,
    read_name,
)
from slipway_operator.state.questions import Questions
from slipway_operator.state.readings import Source, list_sources
from slipway_operator.state.revision import Snapshot
from slipway_operator.state.slots import MILLION
from slipway_operator.steering.hold import hold_still
from slipway_operator.steering.questions import build_questions
from slipway_operator.steering.steer import steer
from slipway_operator.steering.world import Outcome, Rollout, World, observe_world, read_owner

REMOVAL_POLL_SECONDS: Final = 2
# True for a moment after every change of a route; told with each weight.
_UNTOLD: Final = frozenset({"RoutePending", "CanaryRunning"})
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


def list_secrets(asked: Mapping[str, Any]) -> tuple[str, ...]:
    """The Secrets whose existence an edge has to look up before it makes a plan, by name."""
    parsed = parse_modeldeployment(asked)
    reference = parsed.asked.spec.model.access.secret_ref if parsed.asked else None
    return () if reference is None else (reference.name,)


def name_override_secret(asked: Mapping[str, Any]) -> str | None:
    """The Secret that an edge has to keep before it makes a plan, with a token that it draws once:
    requests that carry it choose the new revision. None: none may."""
    parsed = parse_modeldeployment(asked)
    if parsed.asked is None or parsed.asked.spec.traffic.revision_override is RevisionOverride.OFF:
        return None
    return name_override(asked["metadata"]["name"])


def list_hosts_to_check(asked: Mapping[str, Any], *, settings: Settings) -> tuple[str, ...]:
    """The host names of which an edge has to look up before it makes a plan whether they are
    allowed to the namespace, and which older model has them."""
    parsed = parse_modeldeployment(asked)
    if parsed.asked is None:
        return ()
    return list_foreign_hosts(
        owner=read_owner(asked), traffic=parsed.asked.spec.traffic, settings=settings
    )


def list_pods_to_read(asked: Mapping[str, Any], pods: Iterable[Json]) -> tuple[Source, ...]:
    """The pods whose counts an edge has to read before it makes a plan: those of both revisions of
    a rollout that is judged by them."""
    # Asked of every model at every look; few have a rollout.
    if not (asked.get("status") or {}).get("canaryRevision"):
        return ()
    status = read_status(asked["status"])
    rollout, both = status.rollout, {status.stable_revision, status.canary_revision}
    if rollout is None or rollout.weights is None or rollout.weights.desired == 0 or None in both:
        return ()
    parsed = parse_modeldeployment(asked)
    if parsed.asked is None or not lay_path(parsed.asked.spec.rollout).stops:
        return ()
    uid = asked["metadata"].get("uid")
    ours = [pod for pod in pods if pod.get("kind") == "Pod"]
    return tuple(
        source
        for source in list_sources(pod for pod in ours if read_labels(pod).get(LABEL_UID) == uid)
        if source.revision in both
    )


def list_questions(asked: Mapping[str, Any]) -> Questions | None:
    """What an edge has to ask Prometheus of a rollout whose pods are to be read; None: nothing."""
    parsed = parse_modeldeployment(asked)
    if parsed.asked is None:
        return None
    return build_questions(asked, analysis=parsed.asked.spec.rollout.analysis)


def find_reusable_build(asked: Mapping[str, Any]) -> str | None:
    """The hash of the build whose artifact may be taken from the store; None: a fetch has to tell
    first which bytes are meant."""
    parsed = parse_modeldeployment(asked)
    if parsed.asked is None or not is_pinned(parsed.asked.spec.model):
        return None
    return compute_inputs(model=parsed.asked.spec.model, resolved=None).build_hash


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
            states=world.states,
            retired_at={
                revision: retirement.retired_at for revision, retirement in outcome.retired.items()
            },
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
            refused=_explain_rejection(rollout, asked=asked),
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


def _explain_rejection(rollout: Rollout | None, *, asked: Snapshot | None) -> Finding | None:
    """Why what is asked for is not tried: how it ended, or that it did."""
    if rollout is None or not rollout.course.is_rejected or asked is None:
        return None
    status = rollout.conclusion.rollout
    if status.reason is not None and status.message is not None:
        return Finding(reason=status.reason, message=status.message, final=True)
    words = say("RevisionRejected", digest=asked.build.model_digest)
    return Finding(reason="RevisionRejected", message=words, final=True)


def _describe_rollout(rollout: Rollout | None) -> Finding | None:
    """Where a rollout with steps stands."""
    if rollout is None or rollout.course.candidate is None:
        return None
    status, candidate = rollout.conclusion.rollout, rollout.course.candidate[:_SHOWN]
    if status.paused is not None:
        message = status.message or say(status.paused, revision=candidate)
        return Finding(reason=status.paused, message=message)
    if status.held_since is not None and status.message is not None:
        return Finding(
            reason="Held", message=say("Held", revision=candidate, detail=status.message)
        )
    if not rollout.path.stops or status.weights is None or status.weights.desired in (0, MILLION):
        return None
    return Finding(reason="CanaryRunning", message=describe_step(rollout.course, rollout.path))


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
