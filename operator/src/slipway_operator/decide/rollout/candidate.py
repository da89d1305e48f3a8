"""Which revision is on its way in: not what serves already, nor what was rolled back before."""

from collections.abc import Collection
from typing import Final

from slipway_operator.api.vocabulary import OnNewRevision
from slipway_operator.decide.health import Level
from slipway_operator.decide.rollout.scene import (
    ENDED,
    Scene,
)
from slipway_operator.state.command import Verb
from slipway_operator.state.revision import Snapshot

MOST_REJECTED: Final = 16


def list_rejected(scene: Scene) -> tuple[str, ...]:
    """What is not tried, after what was just commanded."""
    rejected = scene.before.rejected_digests
    if scene.verb is Verb.ROLLBACK:
        return _reject_rolled_back(scene, rejected)
    again = None
    if scene.verb is Verb.RETRY and scene.asked is not None:
        again = scene.asked.revision
    elif scene.verb is Verb.ABORT and scene.rollout.target is not None:
        again = scene.stable  # the rollback is what ends: all is as it was before
    if again is None:
        return rejected
    return tuple(one for one in rejected if one not in {scene.find_digest(again), again})


def _reject_rolled_back(scene: Scene, rejected: tuple[str, ...]) -> tuple[str, ...]:
    """What serves, and what is on its way, are not tried again by themselves."""
    running = scene.before.canary_revision if scene.rollout.state not in ENDED else None
    for revision in (scene.stable, running):
        # What an earlier rollback was to bring back did no harm.
        if revision not in (None, scene.aim, scene.rollout.target) and scene.aim is not None:
            rejected = add_rejected(scene, revision, rejected, keeps=scene.aim)
    return rejected


def add_rejected(
    scene: Scene, revision: str, rejected: tuple[str, ...], *, keeps: str
) -> tuple[str, ...]:
    """A model that failed; where it is also that of the revision which serves from now on, `keeps`,
    the revision alone: a model that serves well is not what failed, its new clothes are."""
    digest = scene.find_digest(revision)
    is_model = digest is not None and digest != scene.find_digest(keeps)
    key = digest if is_model and digest is not None else revision
    return (*(one for one in rejected if one != key), key)[-MOST_REJECTED:]


def reject_aborted(scene: Scene, rejected: tuple[str, ...]) -> tuple[str, ...]:
    """With what was just aborted, though something newer has taken its place already; what a
    rollback was to bring back did no harm."""
    running = scene.before.canary_revision
    if scene.verb is not Verb.ABORT or running is None or scene.rollout.target is not None:
        return rejected
    return add_rejected(scene, running, rejected, keeps=scene.stable or "")


def is_rejected(asked: Snapshot | None, *, stable: str | None, rejected: Collection[str]) -> bool:
    """Whether what is asked for was rolled back before."""
    if asked is None or asked.revision == stable:
        return False
    return asked.build.model_digest in rejected or asked.revision in rejected


def find_target(scene: Scene, rejected: Collection[str]) -> str | None:
    """The revision that a rollback brings back; None: there is none to bring back (any more)."""
    if scene.verb in (Verb.RETRY, Verb.ABORT):
        return None
    target = scene.aim or scene.rollout.target
    state = scene.states.get(target or "")
    if state is None or state.snapshot is None or scene.stable in (None, target):
        return None
    # While it cannot start, what is newly asked for goes first.
    asked = scene.asked
    is_new = asked is not None and asked.revision not in (scene.stable, target)
    if is_new and not is_rejected(asked, stable=scene.stable, rejected=rejected):
        return None if scene.health[state.revision].level is Level.FAILING else target
    return target


def choose_candidate(scene: Scene, rejected: Collection[str]) -> str | None:
    asked = scene.asked
    if _is_queued(scene, rejected):
        return scene.before.canary_revision
    if asked is None or asked.revision == scene.stable:
        return None
    refused = is_rejected(asked, stable=scene.stable, rejected=rejected)
    return None if refused else asked.revision


def _is_queued(scene: Scene, rejected: Collection[str]) -> bool:
    """Whether what is asked for waits until the rollout before it has ended."""
    running, asked = scene.before.canary_revision, scene.asked
    if scene.spec.on_new_revision is not OnNewRevision.QUEUE or running is None:
        return False
    # Only a rollback that was called off, or cannot start, gets here.
    if scene.rollout.target is not None:
        return False
    # One that is still being built waits as well.
    if asked is not None and asked.revision in (running, scene.stable):
        return False
    state = scene.states.get(running)
    return (
        running != scene.stable
        and scene.rollout.state not in ENDED
        and state is not None
        and state.snapshot is not None
        and not is_rejected(state.snapshot, stable=scene.stable, rejected=rejected)
    )


def is_known_good(scene: Scene, candidate: str) -> bool:
    """Whether it answered all requests not long ago: then it comes back without analysis."""
    return any(one.revision == candidate for one in scene.former)
