"""Whether a command is taken, with the answer that whoever gave it is waiting for."""

from datetime import datetime
from typing import Final

from slipway_operator.api.status import Status
from slipway_operator.api.status_rollout import Command as Answer
from slipway_operator.api.status_rollout import RolloutStatus
from slipway_operator.decide.rollout.candidate import is_rejected
from slipway_operator.decide.rollout.scene import ENDED, SHOWN, is_tried
from slipway_operator.state.command import Command, Verb
from slipway_operator.state.revision import Snapshot

ACCEPTED: Final = "Accepted"
REFUSED: Final = "Refused"
_GOES_ON: Final = frozenset({Verb.PROMOTE, Verb.PROMOTE_FULL, Verb.RESUME})
_FORGOTTEN: Final = "The status was lost after this was heard. Look again, then give it again."


def hear(
    command: Command | None,
    *,
    before: Status,
    last_id: str | None,
    asked: Snapshot | None,
    is_paused_by_spec: bool,
    uid: str,
    now: datetime,
) -> tuple[Verb | None, Answer | None]:
    """The verb to carry out (None: none) and the answer to keep.

    Each id is answered once. `last_id`: the id that the route remembers. It counts only where the
    status was lost: the route is written first, so a command whose status could not be written
    is to be carried out again.
    """
    known = before.last_command
    if command is None or (known is not None and command.id == known.id):
        return None, known
    if before.observed_generation == 0 and command.id == last_id:
        return None, Answer(id=command.id, by=command.by, result=REFUSED, message=_FORGOTTEN)
    refusal = command.explain_refusal(uid=uid, now=now)
    if refusal is None:
        refusal = _explain(command, before=before, asked=asked, is_paused_by_spec=is_paused_by_spec)
    if refusal is not None:
        return None, Answer(id=command.id, by=command.by, result=REFUSED, message=refusal)
    meant = command.revision or (asked.revision if asked else "")
    return Verb(command.verb), Answer(
        id=command.id,
        by=command.by,
        result=ACCEPTED,
        message=f"{command.verb} of revision {meant[:SHOWN]}.",
    )


def _explain(
    command: Command, *, before: Status, asked: Snapshot | None, is_paused_by_spec: bool
) -> str | None:
    """Why a rollout as it stands cannot do it."""
    verb = Verb(command.verb)
    if verb is Verb.RETRY:
        rejected = before.rejected_digests
        if not is_rejected(asked, stable=before.stable_revision, rejected=rejected):
            return "There is nothing to try again: what the spec asks for was not rolled back."
        # Without one it means what the spec asks for: the status does not say which that is.
        return _compare(command, asked.revision if asked else "") if command.revision else None
    rollout = before.rollout or RolloutStatus()
    running = before.canary_revision
    if running is None or rollout.state in ENDED:
        return "No rollout is running."
    if (moved := _compare(command, running)) is not None:
        return moved
    if is_paused_by_spec and verb in _GOES_ON:
        return "It is paused by spec.rollout.paused. Set that to false."
    if verb is Verb.PROMOTE and not is_tried(rollout) and rollout.paused is None:
        return "Its pods are not ready yet, so there is no step to leave."
    if verb is Verb.RESUME and rollout.paused == "ApprovalNeeded":
        return "It waits for approval. Use promote."
    if verb is Verb.RESUME and rollout.paused is None:
        return "It is not paused."
    return None


def _compare(command: Command, revision: str) -> str | None:
    if command.revision == revision:
        return None
    return (
        f"It was meant for revision {command.revision[:SHOWN] or 'none'}, but now "
        f"{revision[:SHOWN]} is on its way. Look again, then give it again."
    )
