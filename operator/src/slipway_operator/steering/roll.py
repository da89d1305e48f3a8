"""The rollout of one pass: evidence, then where it goes, then the next step of the route."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from slipway_operator.api.spec_rollout import Rollout as RolloutSpec
from slipway_operator.api.status_rollout import Analysis, RolloutStatus
from slipway_operator.api.status_rollout import Command as Answer
from slipway_operator.api.vocabulary import MetricSource
from slipway_operator.decide.analysis.assessment import Assessment, assess
from slipway_operator.decide.analysis.gate import list_gates, stand_alone
from slipway_operator.decide.analysis.ledger import (
    TICK_SECONDS,
    Ledger,
    begin_step,
    open_ledger,
    take,
)
from slipway_operator.decide.analysis.rates import Counts
from slipway_operator.decide.former import find_served, list_former
from slipway_operator.decide.health import Health, Level
from slipway_operator.decide.rollout.conclusion import Ending, conclude_rollout
from slipway_operator.decide.rollout.hearing import Hearer, hear
from slipway_operator.decide.rollout.machine import decide_rollout
from slipway_operator.decide.rollout.path import Path, lay_path
from slipway_operator.decide.rollout.scene import Course, Scene, is_tried
from slipway_operator.decide.traffic import TrafficDecision, decide_traffic
from slipway_operator.state.instants import read_instant
from slipway_operator.state.readings import Readings
from slipway_operator.state.revision import RevisionState, Snapshot
from slipway_operator.state.slots import MILLION
from slipway_operator.steering.world import Rollout, World

# On a laptop nobody asks but whoever just changed the model, and waits for it.
IDLE_SECONDS: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Rolled:
    """What was decided, before it is known which revisions are still on their way out."""

    world: World
    asked: Snapshot | None
    path: Path
    course: Course
    traffic: TrafficDecision
    answer: Answer | None
    evidence: Assessment | None
    ledger: Ledger | None
    complete: frozenset[str]

    @property
    def chosen(self) -> str | None:
        """The revision on its way whose pods are all there, for requests that choose it."""
        return self.course.candidate if self.course.candidate in self.complete else None

    @property
    def stable(self) -> str | None:
        """The revision that serves: it changes where all requests go to another, confirmed."""
        return self.traffic.arrived or self.world.stable

    @property
    def requeue_after_seconds(self) -> float | None:
        """When to look again: with every tick as long as there is evidence to gather."""
        if self.course.candidate is not None and is_judged(self.world, self.path):
            return TICK_SECONDS
        return self.course.wait_seconds

    def conclude(self, *, is_draining: bool) -> Rollout:
        """The account of it."""
        split = self.ledger.split if self.ledger else None
        total = split.canary + split.stable if split else 0
        conclusion = conclude_rollout(
            Ending(
                before=self.world.before,
                course=self.course,
                path=self.path,
                traffic=self.traffic,
                stable=self.stable,
                asked=self.asked.revision if self.asked else None,
                is_draining=is_draining,
                copied=self.world.copied,
                observed=int(split.canary / total * MILLION) if split and total else None,
                now=self.world.now,
            )
        )
        return Rollout(
            course=self.course,
            conclusion=conclusion,
            path=self.path,
            answer=self.answer,
            evidence=self.evidence,
            ledger=self.ledger,
        )


def roll(
    world: World,
    *,
    spec: RolloutSpec,
    asked: Snapshot | None,
    states: Mapping[str, RevisionState],
    health: Mapping[str, Health],
    readings: Readings | None,
    ledger: Ledger | None,
) -> Rolled:
    """Everything about the rollout that the route's next step needs."""
    path = lay_path(spec)
    former = list_former(
        states=states,
        served=find_served(
            states=states,
            before=world.before,
            stable=world.stable,
            rejected=world.before.rejected_digests,
            now=world.now,
        ),
        window=spec.rollback_window,
        now=world.now,
    )
    heard = hear(
        world.command,
        Hearer(
            before=world.before,
            stable=world.stable,
            last_id=world.route.last_command if world.route else None,
            asked=asked,
            former=tuple(one.revision for one in former),
            known=states.keys(),
            is_paused_by_spec=spec.paused,
            uid=world.owner.uid,
            now=world.now,
        ),
    )
    ledger, evidence = _gather(world, spec=spec, path=path, readings=readings, ledger=ledger)
    answering = {revision for revision in states if health[revision].answers}
    complete = {
        revision
        for revision, state in states.items()
        if health[revision].level is Level.READY
        and state.service is not None
        and state.deployment is not None
    }
    course = decide_rollout(
        Scene(
            spec=spec,
            path=path,
            before=world.before,
            asked=asked,
            stable=world.stable,
            route=world.route,
            states=states,
            health=health,
            complete=complete,
            answering=answering,
            evidence=evidence,
            verb=heard.verb,
            idle_seconds=IDLE_SECONDS if world.settings.is_laptop else None,
            now=world.now,
            aim=heard.aim,
            former=former,
        )
    )
    traffic = decide_traffic(
        route=world.route,
        goal=course.goal,
        known={
            revision
            for revision, state in states.items()
            if state.service is not None or state.snapshot is not None
        },
        able=complete | {rev for rev in answering if states[rev].service is not None},
    )
    return Rolled(
        world=world,
        asked=asked,
        path=path,
        course=course,
        traffic=traffic,
        answer=heard.answer,
        evidence=evidence,
        ledger=ledger,
        complete=frozenset(complete),
    )


def is_judged(world: World, path: Path) -> bool:
    """Whether a rollout with steps has begun to get requests."""
    rollout = world.before.rollout
    return (
        bool(path.stops)
        and world.stable is not None
        and world.before.canary_revision not in (None, world.stable)
        and rollout is not None
        and is_tried(rollout)
    )


def _gather(
    world: World,
    *,
    spec: RolloutSpec,
    path: Path,
    readings: Readings | None,
    ledger: Ledger | None,
) -> tuple[Ledger | None, Assessment | None]:
    """The books of the rollout that is under way, with what was just read."""
    rollout, canary, stable = world.before.rollout, world.before.canary_revision, world.stable
    if not is_judged(world, path) or rollout is None or canary is None or stable is None:
        return None, None
    name = f"{world.owner.uid}/{canary}/{rollout.attempt}"
    if ledger is None or ledger.rollout != name:
        step = rollout.step_index if _is_of_step(world.before.analysis, rollout) else None
        ledger = open_ledger(name, analysis=world.before.analysis, step=step)
    # What passed the last step stands until all requests have moved.
    index, shadow = min(rollout.step_index, len(path.stops) - 1), rollout.shadow > 0
    gates = list_gates(spec.analysis)
    if path.stops[index].alone:
        gates = tuple(stand_alone(gate, ledger.past.get(gate.name, Counts())) for gate in gates)
    ledger = begin_step(ledger, step=index, gates=gates, shadow=shadow)
    if readings is not None:
        slots = world.slots if world.route and world.route.verified else None
        weight = slots.weigh(canary) if slots else 0
        # Prometheus reads each pod at its own moment: such counts are no split of the requests.
        if spec.analysis.source is MetricSource.PROMETHEUS:
            weight = 0
        ledger = take(
            ledger,
            readings=readings,
            canary=canary,
            stable=stable,
            gates=gates,
            warm_up=spec.warm_up,
            weight=weight if 0 < weight < MILLION else None,
            shadow=shadow,
        )
    return ledger, assess(ledger, gates=gates, spec=spec.analysis, now=world.now, shadow=shadow)


def _is_of_step(analysis: Analysis | None, rollout: RolloutStatus) -> bool:
    """Whether the evidence in the status is of the step: what ended a step is written with it."""
    at = read_instant(analysis.at) if analysis else None
    began = read_instant(rollout.step_started_at)
    return at is not None and began is not None and at > began
