"""Whether a command is taken, with the answer that whoever gave it is waiting for."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from slipway_operator.api.status import Status
from slipway_operator.api.status_rollout import Command as Answer
from slipway_operator.api.status_rollout import RolloutStatus
from slipway_operator.decide.rollout.aiming import choose_aim
from slipway_operator.decide.rollout.candidate import is_rejected
from slipway_operator.decide.rollout.scene import ENDED, SHOWN, is_tried
from slipway_operator.state.command import Command, Verb
from slipway_operator.state.revision import Snapshot

ACCEPTED: Final = "Accepted"
REFUSED: Final = "Refused"
_GOES_ON: Final = frozenset({Verb.PROMOTE, Verb.PROMOTE_FULL, Verb.RESUME})
_STEERS: Final = _GOES_ON | {Verb.PAUSE}
_UNREAD: Final = "The spec cannot be read. Mend it or put the former one back, then give it again."
_FORGOTTEN: Final = "The status was lost after this was heard. Look again, then give it again."


@dataclass(frozen=True, slots=True, kw_only=True)
class Hearer:
    """What a command is held against. `last_id`: the id that the route remembers. `former`: the
    revisions that may come back at once, the latest first. `known`: all revisions there are."""

    before: Status
    stable: str | None
    last_id: str | None
    asked: Snapshot | None
    former: tuple[str, ...]
    known: Collection[str]
    is_paused_by_spec: bool
    uid: str
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """The verb to carry out (None: none), the revision to bring back, and the answer to keep."""

    verb: Verb | None = None
    aim: str | None = None
    answer: Answer | None = None


def hear(command: Command | None, hearer: Hearer) -> Heard:
    """What is to be done.

    Each id is answered once. The id that the route remembers counts only where the status was lost:
    the route is written first, so a command whose status could not be written is to be carried out
    again.
    """
    before = hearer.before
    known = before.last_command
    if command is None or (known is not None and command.id == known.id):
        return Heard(answer=known)
    refused = Answer(id=command.id, by=command.by, result=REFUSED)
    if before.observed_generation == 0 and command.id == hearer.last_id:
        return Heard(answer=_tell(refused, _FORGOTTEN))
    refusal = command.explain_refusal(uid=hearer.uid, now=hearer.now)
    if refusal is not None:
        return Heard(answer=_tell(refused, refusal))
    if command.verb == Verb.ROLLBACK:
        return _hear_rollback(command, hearer)
    refusal = _explain(command, hearer)
    if refusal is not None:
        return Heard(answer=_tell(refused, refusal))
    meant = command.revision or (hearer.asked.revision if hearer.asked else "")
    message = f"{command.verb} of revision {meant[:SHOWN]}."
    return Heard(verb=Verb(command.verb), answer=_accept(command, message))


def hear_without_spec(
    command: Command | None, *, before: Status, uid: str, now: datetime
) -> Answer | None:
    """The answer where the spec cannot be read: how to carry anything out is in it."""
    known = before.last_command
    if command is None or (known is not None and command.id == known.id):
        return known
    refusal = command.explain_refusal(uid=uid, now=now) or _UNREAD
    return Answer(id=command.id, by=command.by, result=REFUSED, message=refusal)


def _hear_rollback(command: Command, hearer: Hearer) -> Heard:
    """Back to a revision that served; where one is on its way and none is named, an abort."""
    before, stable = hearer.before, hearer.stable
    rollout = before.rollout or RolloutStatus()
    running = None if rollout.state in ENDED else before.canary_revision
    refused = Answer(id=command.id, by=command.by, result=REFUSED)
    if stable is None:
        return Heard(
            answer=_tell(refused, "Nothing serves yet, so there is nothing to go back to.")
        )
    moved = _compare(command, running or stable, what="is on its way" if running else "serves")
    if moved is not None:
        return Heard(answer=_tell(refused, moved))
    is_back_to_stable = len(command.target) >= SHOWN and stable.startswith(command.target)
    if running is not None and rollout.target is None and (not command.target or is_back_to_stable):
        message = f"abort of revision {running[:SHOWN]}; revision {stable[:SHOWN]} goes on serving."
        return Heard(verb=Verb.ABORT, answer=_accept(command, message))
    aim = choose_aim(
        command.target,
        stable=stable,
        returning=rollout.target if running else None,
        former=hearer.former,
        known=(*hearer.known, *(entry.revision for entry in before.history)),
    )
    if aim.revision is None:
        return Heard(answer=_tell(refused, aim.refusal))
    message = f"rollback to revision {aim.revision[:SHOWN]}, in place of {stable[:SHOWN]}."
    return Heard(verb=Verb.ROLLBACK, aim=aim.revision, answer=_accept(command, message))


def _accept(command: Command, message: str) -> Answer:
    return Answer(id=command.id, by=command.by, result=ACCEPTED, message=message)


def _tell(answer: Answer, message: str) -> Answer:
    return Answer(id=answer.id, by=answer.by, result=answer.result, message=message)


def _explain(command: Command, hearer: Hearer) -> str | None:
    """Why a rollout as it stands cannot do it."""
    verb, before, asked = Verb(command.verb), hearer.before, hearer.asked
    rollout = before.rollout or RolloutStatus()
    running = before.canary_revision
    if verb is Verb.RETRY:
        rejected = before.rejected_digests
        # What is being taken back serves until the other one does.
        serves = None if rollout.target is not None else before.stable_revision
        if not is_rejected(asked, stable=serves, rejected=rejected):
            return "There is nothing to try again: what the spec asks for was not rolled back."
        # Without one it means what the spec asks for: the status does not say which that is.
        return _compare(command, asked.revision if asked else "") if command.revision else None
    if running is None or rollout.state in ENDED:
        return "No rollout is running."
    if (moved := _compare(command, running)) is not None:
        return moved
    if rollout.target is not None and verb in _STEERS:
        return "A rollback has no steps and does not wait. Use abort to end it."
    if hearer.is_paused_by_spec and verb in _GOES_ON:
        return "It is paused by spec.rollout.paused. Set that to false."
    if verb is Verb.PROMOTE and not is_tried(rollout) and rollout.paused is None:
        return "Its pods are not ready yet, so there is no step to leave."
    if verb is Verb.RESUME and rollout.paused == "ApprovalNeeded":
        return "It waits for approval. Use promote."
    if verb is Verb.RESUME and rollout.paused is None:
        return "It is not paused."
    return None


def _compare(command: Command, revision: str, *, what: str = "is on its way") -> str | None:
    if command.revision == revision:
        return None
    return (
        f"It was meant for revision {command.revision[:SHOWN] or 'none'}, but now "
        f"{revision[:SHOWN]} {what}. Look again, then give it again."
    )
