"""The observed world of one ModelDeployment, and what the decisions about it came to."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from slipway_operator.api.defaults import (
    REPLICAS,
)
from slipway_operator.api.status import Build, ResolvedModel, Status, read_status
from slipway_operator.api.status_rollout import Command as Answer
from slipway_operator.api.status_rollout import RolloutStatus
from slipway_operator.decide.analysis.assessment import Assessment
from slipway_operator.decide.analysis.ledger import Ledger
from slipway_operator.decide.build import BuildDecision
from slipway_operator.decide.health import Health
from slipway_operator.decide.retirement import Retirement
from slipway_operator.decide.rollout.conclusion import Conclusion
from slipway_operator.decide.rollout.path import Path
from slipway_operator.decide.rollout.scene import Course
from slipway_operator.decide.verdicts import Finding
from slipway_operator.routing.gateway_api import read_route
from slipway_operator.settings import Settings
from slipway_operator.state.command import Command, read_command
from slipway_operator.state.identity import ChildKind, Owner
from slipway_operator.state.observed import (
    Children,
    Json,
    ObjectRef,
    Observed,
    observe_children,
)
from slipway_operator.state.revision import RevisionState, Snapshot, observe_revisions
from slipway_operator.state.slots import RouteState, Slots


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Everything read out of what was observed, for one ModelDeployment."""

    owner: Owner
    generation: int
    before: Status
    command: Command | None
    children: Children
    states: Mapping[str, RevisionState]
    route: RouteState | None
    stable: str | None
    settings: Settings
    now: datetime

    @property
    def slots(self) -> Slots | None:
        """The slots of the route, if there is one in our shape."""
        return self.route.slots if self.route else None

    @property
    def in_slots(self) -> frozenset[str]:
        """The revisions that may get a request."""
        return self.slots.revisions if self.slots else frozenset()

    @property
    def copied(self) -> frozenset[str]:
        """The revisions that may get copies of requests."""
        mirror = self.route.mirror if self.route else None
        return frozenset({mirror.revision}) if mirror else frozenset()

    @property
    def chosen(self) -> frozenset[str]:
        """The revisions that a request may choose: nobody may be sent to a Service that is gone."""
        chosen = self.route.chosen if self.route else None
        return frozenset({chosen}) & self.states.keys() if chosen else frozenset()

    def list_snapshots(self) -> tuple[Snapshot, ...]:
        """The snapshots that have children, the stable one first."""
        order = sorted(self.states, key=lambda revision: (revision != self.stable, revision))
        found = (self.states[revision].snapshot for revision in order)
        return tuple(snapshot for snapshot in found if snapshot is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """What became of the rollout, with the evidence of this moment and its books."""

    course: Course
    conclusion: Conclusion
    path: Path
    answer: Answer | None
    evidence: Assessment | None = None
    ledger: Ledger | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What the decisions came to, before it is compared with what exists."""

    desired: tuple[Json, ...]
    removals: tuple[ObjectRef, ...] = ()
    blocked: Finding | None = None
    build: BuildDecision | None = None
    build_status: Build | None = None
    host_refusal: Finding | None = None
    model: ResolvedModel | None = None
    asked: Snapshot | None = None
    stable: str | None = None
    slots: Slots | None = None
    arrived: bool = False
    rollout: Rollout | None = None
    answer: Answer | None = None
    health: Mapping[str, Health] = field(default_factory=dict)
    retired: Mapping[str, Retirement] = field(default_factory=dict)
    served: Mapping[str, datetime] = field(default_factory=dict)
    replicas: int = REPLICAS
    autoscaled: Mapping[str, int] = field(default_factory=dict)
    waits: tuple[float | None, ...] = ()


def read_owner(asked: Mapping[str, Any]) -> Owner:
    """Who a ModelDeployment is to its children."""
    metadata = asked["metadata"]
    return Owner(
        name=metadata["name"],
        namespace=metadata.get("namespace", "default"),
        uid=metadata.get("uid", ""),
    )


def observe_world(
    *, asked: Mapping[str, Any], observed: Observed, settings: Settings, now: datetime
) -> World:
    """Sort out what was observed."""
    owner = read_owner(asked)
    children = observe_children(owner, observed)
    states = observe_revisions(children)
    found = children.find(ChildKind.HTTP_ROUTE, owner.name)
    route = None if found is None else read_route(found, owner=owner, settings=settings)
    before = read_status(asked.get("status"))
    if route is not None and before.observed_generation == 0:
        before = msgspec.structs.replace(
            before,
            rejected_digests=route.rejected,
            rollout=RolloutStatus(target=route.target) if route.target else None,
        )
    return World(
        owner=owner,
        generation=int(asked["metadata"].get("generation") or 0),
        before=before,
        command=read_command(asked),
        children=children,
        states=states,
        route=route,
        stable=_find_stable(before=before, route=route, states=states),
        settings=settings,
        now=now,
    )


def _find_stable(
    *, before: Status, route: RouteState | None, states: Mapping[str, RevisionState]
) -> str | None:
    """The revision that serves: by the status; if that was lost, by the route, if need be by what
    both slots name. One that has no children any more is none."""
    candidates = [before.stable_revision]
    if route is not None:
        candidates.append(route.stable)
        # A first route names its revision before the gateway has taken it, and serves nothing yet.
        if route.verified and route.slots is not None and len(route.slots.revisions) == 1:
            candidates.append(route.slots.main.revision)
    return next((revision for revision in candidates if revision in states), None)
