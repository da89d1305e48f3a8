"""Everything that a valid spec asks for: decided in order, then built."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Final

from slipway_operator.api.defaults import (
    REPLICAS,
)
from slipway_operator.api.spec import ModelDeploymentSpec
from slipway_operator.api.vocabulary import RevisionOverride
from slipway_operator.decide.analysis.ledger import Ledger
from slipway_operator.decide.build import BuildDecision, BuildPhase, Queue, decide_build
from slipway_operator.decide.build_result import (
    BuildInputs,
    compute_inputs,
    find_known_result,
    find_stored_result,
    resolve_model,
)
from slipway_operator.decide.former import find_served, is_key_of, list_former
from slipway_operator.decide.health import assess_revision
from slipway_operator.decide.hosts import decide_hosts
from slipway_operator.decide.retirement import Exit, Retirement, decide_retirements
from slipway_operator.decide.revision import decide_snapshot
from slipway_operator.decide.rollout.scene import Course
from slipway_operator.resources.access import (
    build_build_policy,
    build_service_account,
    build_serving_policy,
)
from slipway_operator.resources.build_job import build_build_job
from slipway_operator.resources.deployment import build_deployment
from slipway_operator.resources.service import build_model_service, build_revision_service
from slipway_operator.routing.gateway_api import build_route
from slipway_operator.state.autoscaled import count_autoscaled
from slipway_operator.state.build_run import observe_build_run
from slipway_operator.state.canonical import SHORT
from slipway_operator.state.identity import (
    LABEL_BUILD,
    LABEL_REVISION,
    PASSING_KINDS,
    ChildKind,
)
from slipway_operator.state.instants import render_instant
from slipway_operator.state.observed import (
    Json,
    ObjectRef,
    Observed,
    build_ref,
    is_terminating,
    read_labels,
)
from slipway_operator.state.revision import RevisionState, Snapshot
from slipway_operator.steering.revisions import build_revision
from slipway_operator.steering.roll import roll
from slipway_operator.steering.world import Outcome, World

_TOKEN: Final = RevisionOverride.TOKEN


def steer(
    world: World, *, spec: ModelDeploymentSpec, observed: Observed, ledger: Ledger | None
) -> Outcome:
    """Everything that a valid spec asks for."""
    replicas = REPLICAS if spec.replicas is None else spec.replicas
    # A number that the spec states counts more than an autoscaler of one revision's Deployment.
    autoscaled = count_autoscaled(world.states) if spec.replicas is None else {}
    inputs = compute_inputs(model=spec.model, resolved=world.before.model)
    build = _decide_build(world, inputs=inputs, observed=observed)
    hosts = decide_hosts(
        owner=world.owner,
        traffic=spec.traffic,
        allowed=observed.allowed_hosts,
        holders=observed.host_holders,
        settings=world.settings,
    )
    asked = None
    if build.result is not None:
        asked = decide_snapshot(
            spec=spec,
            result=build.result,
            existing=world.list_snapshots(),
            settings=world.settings,
        )
    states = dict(world.states)
    if asked is not None and asked.revision not in states:
        states[asked.revision] = _unborn(asked)
    health = {
        revision: assess_revision(
            state=state,
            replicas=autoscaled.get(revision, replicas),
            progress_deadline_seconds=spec.rollout.progress_deadline_seconds,
            now=world.now,
        )
        for revision, state in states.items()
    }
    rolled = roll(
        world,
        spec=spec.rollout,
        asked=asked,
        states=states,
        health=health,
        readings=observed.readings,
        ledger=ledger,
    )
    traffic, stable = rolled.traffic, rolled.stable
    candidate = rolled.course.candidate
    in_slots = world.in_slots | (traffic.slots.revisions if traffic.slots else frozenset())
    protected = in_slots | ({stable} if stable else frozenset())
    needed = protected | world.copied | world.chosen
    needed |= {candidate} if candidate else frozenset()
    served = find_served(
        states=states,
        before=world.before,
        stable=stable,
        rejected=rolled.course.rejected,
        now=world.now,
    )
    former = list_former(
        states=states, served=served, window=spec.rollout.rollback_window, now=world.now
    )
    failed = {rev for rev, state in states.items() if is_key_of(state, rolled.course.rejected)}
    retired = decide_retirements(
        states={revision: states[revision] for revision in world.states},
        needed=needed,
        before={row.hash: row for row in world.before.revisions},
        confirmed=world.route is None or world.route.verified,
        delays=_list_delays(world, spec, failed),
        now=world.now,
        kept={one.revision: one.seconds_left for one in former},
        inspected=failed,
    )
    leaving = [one for one in retired.values() if one.exit is not Exit.PARK]
    rollout = rolled.conclude(is_draining=bool(leaving))
    desired: list[Json] = [
        build_service_account(owner=world.owner),
        build_serving_policy(owner=world.owner, settings=world.settings),
        *_build_build(world, inputs=inputs, build=build),
    ]
    for revision in sorted(needed):
        snapshot = states[revision].snapshot if revision in states else None
        # What is asked for is whole even where every copy of it was spoiled.
        if asked is not None and asked.revision == revision:
            snapshot = asked
        if snapshot is not None:
            desired += build_revision(
                world,
                snapshot,
                replicas=None if revision in autoscaled else replicas,
                progress_deadline_seconds=spec.rollout.progress_deadline_seconds,
                protected=revision in protected,
            )
    desired += _stop(world, retired, spec=spec, served=served)
    if stable is not None:
        desired.append(build_model_service(owner=world.owner, stable=stable))
    token = observed.override_token if spec.traffic.revision_override is _TOKEN else None
    if traffic.slots is not None:
        desired.append(
            build_route(
                owner=world.owner,
                slots=traffic.slots,
                stable=stable,
                traffic=spec.traffic,
                hostnames=hosts.names,
                timeout_seconds=_longest_timeout(
                    spec, states, {*traffic.slots.revisions, rolled.chosen}
                ),
                settings=world.settings,
                rejected=_remember_rejected(world, rolled.course),
                last_command=rollout.answer.id if rollout.answer else None,
                mirror=traffic.mirror,
                target=_remember_target(world, rolled.course, stable=stable),
                token=token,
                chosen=rolled.chosen if token else None,
            )
        )
    return Outcome(
        desired=tuple(desired),
        removals=_list_removals(world, inputs=inputs, build=build, retired=retired, kept=protected),
        build=build,
        build_status=build.build,
        host_refusal=hosts.refusal,
        model=resolve_model(build.result, uri=spec.model.uri)
        if build.result
        else world.before.model,
        asked=asked,
        stable=stable,
        slots=traffic.slots,
        arrived=traffic.arrived is not None
        and traffic.arrived == (asked.revision if asked else None)
        and rolled.course.target in (None, traffic.arrived),
        rollout=rollout,
        health=health,
        retired=retired,
        served=served,
        replicas=replicas,
        autoscaled=autoscaled,
        waits=(
            build.requeue_after_seconds,
            hosts.requeue_after_seconds,
            rolled.requeue_after_seconds,
            *(retirement.seconds_left for retirement in retired.values()),
            *(health[revision].seconds_left for revision in needed if revision in health),
        ),
    )


def _decide_build(world: World, *, inputs: BuildInputs, observed: Observed) -> BuildDecision:
    name = world.owner.build_name(inputs.build_hash)
    job = world.children.find(ChildKind.JOB, name)
    return decide_build(
        inputs=inputs,
        previous=world.before.build,
        known=find_known_result(inputs=inputs, snapshots=world.list_snapshots()),
        stored=find_stored_result(inputs=inputs, artifacts=observed.artifacts),
        run=None
        if job is None
        else observe_build_run(world.children, job, pod_refusal=observed.pod_refusal),
        job_is_leaving=job is None and world.children.find_blocker(ChildKind.JOB, name) is not None,
        queue=Queue(others=observed.other_builds, most=world.settings.max_builds_per_namespace),
        absent_secrets=observed.absent_secrets,
        namespace=world.owner.namespace,
        job_name=name,
        now=world.now,
    )


def _list_delays(
    world: World, spec: ModelDeploymentSpec, failed: Collection[str]
) -> Mapping[str, int]:
    """How long each revision stays after it lost its traffic; one that was aborted for longer,
    whatever is asked for meanwhile."""
    usual = spec.rollout.scale_down_delay_seconds
    longer = spec.rollout.abort_scale_down_delay_seconds
    return {revision: longer if revision in failed else usual for revision in world.states}


def _remember_rejected(world: World, course: Course) -> tuple[str, ...] | None:
    """For the route; what was written once is written over, for nobody takes it away."""
    was = world.route.rejected if world.route else ()
    return course.rejected if course.rejected or was else None


def _remember_target(world: World, course: Course, *, stable: str | None) -> str | None:
    """For the route, until it serves; written over as well."""
    if course.target is not None and course.target != stable:
        return course.target
    return "" if world.route is not None and world.route.target else None


def _build_build(world: World, *, inputs: BuildInputs, build: BuildDecision) -> list[Json]:
    if build.phase is BuildPhase.DONE or build.phase is BuildPhase.FAILED:
        return []
    children: list[Json] = [
        build_build_policy(owner=world.owner, build_hash=inputs.build_hash, settings=world.settings)
    ]
    if build.start_attempt is not None:
        children.append(
            build_build_job(
                owner=world.owner,
                model=inputs.model,
                build_hash=inputs.build_hash,
                attempt=build.start_attempt,
                model_digest=inputs.model_digest,
                samples_digest=inputs.samples_digest,
                settings=world.settings,
            )
        )
    return children


def _stop(
    world: World,
    retired: Mapping[str, Retirement],
    *,
    spec: ModelDeploymentSpec,
    served: Mapping[str, datetime],
) -> list[Json]:
    """The Deployments of revisions that lose their pods, and all of those that may come back."""
    children: list[Json] = []
    for revision, retirement in retired.items():
        snapshot = world.states[revision].snapshot
        if retirement.exit not in (Exit.STOP, Exit.PARK) or snapshot is None:
            continue
        until = served.get(revision)
        children.append(
            build_deployment(
                owner=world.owner,
                snapshot=snapshot,
                replicas=0,
                progress_deadline_seconds=spec.rollout.progress_deadline_seconds,
                served_until=render_instant(until) if until else None,
            )
        )
        if retirement.exit is Exit.PARK:
            children.append(build_revision_service(owner=world.owner, snapshot=snapshot))
    return children


def _list_removals(
    world: World,
    *,
    inputs: BuildInputs,
    build: BuildDecision,
    retired: Mapping[str, Retirement],
    kept: frozenset[str],
) -> tuple[ObjectRef, ...]:
    current = inputs.build_hash[:SHORT]
    gone = {
        revision
        for revision, retirement in retired.items()
        if retirement.exit is Exit.DELETE
        # Without a snapshot its Deployment cannot be scaled, so it goes as a whole.
        or (retirement.exit is Exit.STOP and world.states[revision].snapshot is None)
    }
    removals = []
    for kind in PASSING_KINDS:
        for obj in world.children.list(kind):
            labels = read_labels(obj)
            revision, of_build = labels.get(LABEL_REVISION), labels.get(LABEL_BUILD)
            if is_terminating(obj):
                continue
            # What nobody asks for any more is not built to its end.
            stale = of_build is not None and of_build != current
            finished = kind is ChildKind.JOB and build.delete_job and of_build == current
            # A budget protects pods that get requests, and only those.
            unprotected = kind is ChildKind.DISRUPTION_BUDGET and revision not in kept
            if stale or finished or unprotected or revision in gone:
                removals.append(build_ref(obj))
    return tuple(removals)


def _longest_timeout(
    spec: ModelDeploymentSpec,
    states: Mapping[str, RevisionState],
    revisions: Collection[str | None],
) -> int:
    snapshots = [state.snapshot for revision, state in states.items() if revision in revisions]
    return max(
        [snapshot.serving.timeout_seconds for snapshot in snapshots if snapshot is not None],
        default=spec.serving.timeout_seconds,
    )


def _unborn(snapshot: Snapshot) -> RevisionState:
    return RevisionState(
        revision=snapshot.revision, snapshot=snapshot, deployment=None, service=None, pods=()
    )
