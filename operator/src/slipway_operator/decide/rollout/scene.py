"""What a rollout is decided from, and what is decided."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from slipway_operator.api.spec_rollout import Rollout
from slipway_operator.api.status import Status
from slipway_operator.api.status_rollout import RolloutState, RolloutStatus
from slipway_operator.decide.analysis.assessment import Assessment
from slipway_operator.decide.former import Former
from slipway_operator.decide.health import Health
from slipway_operator.decide.rollout.path import Path
from slipway_operator.decide.traffic import Goal
from slipway_operator.state.command import Verb
from slipway_operator.state.revision import RevisionState, Snapshot
from slipway_operator.state.slots import MILLION, RouteState

SHOWN: Final = 4
ENDED: Final = frozenset(
    {
        RolloutState.PENDING,
        RolloutState.INITIALIZING,
        RolloutState.STABLE,
        RolloutState.DRAINING,
        RolloutState.ROLLED_BACK,
        RolloutState.ABORTING,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What there is to decide from.

    Attributes:
        asked: what the spec asks for; None: it is not built.
        complete: revisions with every pod that is wanted, and a Service.
        answering: those with at least one.
        evidence: what was just read; None: nothing was.
        verb: a command that was taken, for the revision on its way.
        idle_seconds: how long a step lasts at most in which nobody asks for anything; None: as long
            as any other.
        aim: the revision that a rollback was just told to bring back.
        former: the revisions that may come back at once, the latest first.
    """

    spec: Rollout
    path: Path
    before: Status
    asked: Snapshot | None
    stable: str | None
    route: RouteState | None
    states: Mapping[str, RevisionState]
    health: Mapping[str, Health]
    complete: Collection[str]
    answering: Collection[str]
    evidence: Assessment | None
    verb: Verb | None
    idle_seconds: int | None
    now: datetime
    aim: str | None = None
    former: tuple[Former, ...] = ()

    @property
    def rollout(self) -> RolloutStatus:
        """Where it stood."""
        return self.before.rollout or RolloutStatus()

    def find_digest(self, revision: str) -> str | None:
        """The model of a revision."""
        if self.asked is not None and self.asked.revision == revision:
            return self.asked.build.model_digest
        state = self.states.get(revision)
        return state.snapshot.build.model_digest if state and state.snapshot else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """Where it goes.

    Attributes:
        candidate: the revision on its way in; None: there is none.
        goal: how requests shall be split.
        rollout: where it stands, but for what only the route can tell.
        is_rejected: what the spec asks for failed before and is not tried.
        is_fast: it served before and comes back without analysis.
        wait_seconds: until time alone changes something.
        target: the revision that a rollback brings back.
        takes_back: what the spec asks for is refused as soon as the target serves.
    """

    candidate: str | None
    goal: Goal
    rollout: RolloutStatus
    rejected: tuple[str, ...]
    is_rejected: bool = False
    is_fast: bool = False
    wait_seconds: float | None = None
    target: str | None = None
    takes_back: bool = False


def has_weight(position: RolloutStatus) -> bool:
    return position.weights is not None and position.weights.desired > 0


def is_tried(position: RolloutStatus) -> bool:
    """Whether it gets requests, or copies of them."""
    return has_weight(position) or position.shadow > 0


def list_slots(scene: Scene) -> frozenset[str]:
    slots = scene.route.slots if scene.route else None
    return slots.revisions if slots else frozenset()


def render_percent(weight: int) -> str:
    """A share of a million as a percentage.

    >>> [render_percent(weight) for weight in (50_000, 2_500, 999_999, 123_456)]
    ['5', '0.25', '100', '12.3456']
    """
    if weight >= MILLION - 1:
        return "100"
    return f"{weight / 10_000:.4f}".rstrip("0").rstrip(".")
