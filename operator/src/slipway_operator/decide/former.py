"""The revisions that served before and may come back at once: kept without pods for a while, as
ReplicaSets are, and found again by their Deployments where the status is lost."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from slipway_operator.api.spec_rollout import RollbackWindow
from slipway_operator.api.status import Revision, Status
from slipway_operator.state.identity import ANNOTATION_SERVED
from slipway_operator.state.instants import compute_seconds_left, read_instant
from slipway_operator.state.observed import read_annotations
from slipway_operator.state.revision import RevisionState


@dataclass(frozen=True, slots=True, kw_only=True)
class Former:
    """One revision that served, until when, and for how many more seconds it may come back."""

    revision: str
    until: datetime
    seconds_left: float


def find_served(
    *,
    states: Mapping[str, RevisionState],
    before: Status,
    stable: str | None,
    rejected: Collection[str],
    now: datetime,
) -> Mapping[str, datetime]:
    """Until when each revision served that does so no more. What was rejected did not serve
    well. `stable`: the revision that serves now."""
    rows = {row.hash: row for row in before.revisions}
    found: dict[str, datetime] = {}
    for revision, state in states.items():
        if revision == stable or is_key_of(state, rejected):
            continue
        until = now if revision == before.stable_revision else _read(state, rows.get(revision))
        if until is not None:
            found[revision] = until
    return found


def list_former(
    *,
    states: Mapping[str, RevisionState],
    served: Mapping[str, datetime],
    window: RollbackWindow,
    now: datetime,
) -> tuple[Former, ...]:
    """Those within the window that can be rebuilt, the latest first."""
    order = sorted(served, key=lambda revision: (-served[revision].timestamp(), revision))
    known = [revision for revision in order if states[revision].snapshot is not None]
    former = (
        Former(
            revision=revision,
            until=served[revision],
            seconds_left=compute_seconds_left(
                since=served[revision], wait_seconds=window.max_age_seconds, now=now
            ),
        )
        for revision in known[: window.revisions]
    )
    return tuple(one for one in former if one.seconds_left > 0)


def is_key_of(state: RevisionState, rejected: Collection[str]) -> bool:
    """Whether a revision, or its model, is among those that were rejected."""
    digest = state.snapshot.build.model_digest if state.snapshot else None
    return state.revision in rejected or digest in rejected


def _read(state: RevisionState, row: Revision | None) -> datetime | None:
    """As the status has it; where it knows nothing of the revision, as its Deployment does."""
    if row is not None:
        return read_instant(row.served_until)
    return read_instant(read_annotations(state.deployment or {}).get(ANNOTATION_SERVED))
