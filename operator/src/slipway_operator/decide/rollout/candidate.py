"""Which revision is on its way in: not what serves already, nor what was rolled back before."""

from collections.abc import Collection
from itertools import pairwise

from slipway_operator.api.status_rollout import Outcome
from slipway_operator.api.vocabulary import OnNewRevision
from slipway_operator.decide.rollout.scene import (
    ENDED,
    Scene,
)
from slipway_operator.state.command import Verb
from slipway_operator.state.instants import compute_seconds_left, read_instant
from slipway_operator.state.revision import Snapshot


def list_rejected(scene: Scene) -> tuple[str, ...]:
    if scene.verb is not Verb.RETRY or scene.asked is None:
        return scene.before.rejected_digests
    mine = {scene.asked.build.model_digest, scene.asked.revision}
    return tuple(one for one in scene.before.rejected_digests if one not in mine)


def is_rejected(asked: Snapshot | None, *, stable: str | None, rejected: Collection[str]) -> bool:
    """Whether what is asked for was rolled back before."""
    if asked is None or asked.revision == stable:
        return False
    return asked.build.model_digest in rejected or asked.revision in rejected


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
    window = scene.spec.rollback_window
    ended = {Outcome.PROMOTED, Outcome.FAST_PROMOTED}
    served = [entry for entry in scene.before.history if entry.outcome in ended]
    # The newest entry is of the revision that serves; each served until the one before it came.
    for newer, entry in pairwise(served[: window.revisions + 1]):
        at = read_instant(newer.finished_at)
        if entry.revision == candidate and at is not None:
            left = compute_seconds_left(
                since=at, wait_seconds=window.max_age_seconds, now=scene.now
            )
            return left > 0
    return False
