"""A command to a rollout, as it stands in the annotations of a ModelDeployment.

One patch writes them all (docs/architecture.md): `slipway.dev/command` with `-id`, `-revision`,
`-uid`, `-expires`, `-by` and `-target`. A command is carried out once: its id is kept in the
status.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from slipway_operator.api.vocabulary import GROUP
from slipway_operator.state.instants import read_instant

ANNOTATION_COMMAND: Final = f"{GROUP}/command"
MOST_SECONDS: Final = 300  # a command is for now, not for whenever
_MOST_ID: Final = 64


class Verb(StrEnum):
    """What may be asked of a rollout."""

    PROMOTE = "promote"  # to the next step
    PROMOTE_FULL = "promote-full"  # to all requests
    ABORT = "abort"
    PAUSE = "pause"
    RESUME = "resume"
    RETRY = "retry"  # what was rolled back
    ROLLBACK = "rollback"  # to a revision that served before


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One command. `revision` is the revision that whoever gave it saw on its way, for a rollback
    without a rollout the one that serves; without one a retry means what the spec asks for.
    `target`: the first characters of the revision to go back to; empty: the one before."""

    id: str
    verb: str
    revision: str
    uid: str
    expires: datetime | None
    by: str | None
    target: str = ""

    def explain_refusal(self, *, uid: str, now: datetime) -> str | None:
        """Why it cannot be taken at all, as a sentence; None: it can."""
        if self.verb not in set(Verb):
            known = ", ".join(Verb)
            return f'There is no command "{self.verb}". Use one of: {known}.'
        if self.uid != uid:
            return "It was given to another ModelDeployment of this name, now deleted."
        if self.expires is None or self.expires > now + timedelta(seconds=MOST_SECONDS):
            return f"It has to expire within {MOST_SECONDS} seconds. Give it again."
        if self.expires < now:
            return "It expired before it was seen. Give it again."
        return None


def read_command(asked: Mapping[str, Any]) -> Command | None:
    """The command on a ModelDeployment; None: there is none, or it has no id."""
    metadata = asked.get("metadata", {})
    found = metadata.get("annotations") or {}
    verb, given = found.get(ANNOTATION_COMMAND), found.get(f"{ANNOTATION_COMMAND}-id")
    if not verb or not given or len(given) > _MOST_ID:
        return None
    return Command(
        id=given,
        # Words of others are told again in the status, which has a limit.
        verb=verb[:_MOST_ID],
        revision=found.get(f"{ANNOTATION_COMMAND}-revision", ""),
        uid=found.get(f"{ANNOTATION_COMMAND}-uid", ""),
        expires=read_instant(found.get(f"{ANNOTATION_COMMAND}-expires")),
        by=found.get(f"{ANNOTATION_COMMAND}-by"),
        target=found.get(f"{ANNOTATION_COMMAND}-target", "")[:_MOST_ID],
    )


def render_command(command: Command) -> dict[str, str]:
    """The annotations that give a command."""
    prefix = ANNOTATION_COMMAND
    expires = "" if command.expires is None else command.expires.strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        prefix: command.verb,
        f"{prefix}-id": command.id,
        f"{prefix}-revision": command.revision,
        f"{prefix}-uid": command.uid,
        f"{prefix}-expires": expires,
        f"{prefix}-by": command.by or "",
        f"{prefix}-target": command.target,
    }
