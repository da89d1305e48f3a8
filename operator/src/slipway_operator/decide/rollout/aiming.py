"""Which revision a rollback goes to: the one that served before, or one that somebody named."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from slipway_operator.decide.rollout.scene import SHOWN

_WINDOW = "spec.rollout.rollbackWindow says how many are kept, and for how long"


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """A revision, or why there is none."""

    revision: str | None = None
    refusal: str = ""


def choose_aim(
    wanted: str,
    *,
    stable: str,
    returning: str | None,
    former: Sequence[str],
    known: Collection[str],
) -> Aim:
    """The revision that the characters `wanted` mean.

    Args:
        wanted: the first characters of a revision, at least four; empty: the one before.
        returning: the revision that a rollback already brings back.
        former: the revisions that may come back, the latest first.
        known: all revisions that there are or were.
    """
    if not wanted:
        if returning is not None:
            return _refuse(f"Revision {returning[:SHOWN]} is on its way back already.")
        if not former:
            return _refuse(f"No revision that served before is kept: {_WINDOW}.")
        return Aim(revision=former[0])
    if len(wanted) < SHOWN:
        return _refuse(f'"{wanted}" is too short. Name at least {SHOWN} characters of a revision.')
    found = [revision for revision in former if revision.startswith(wanted)]
    if len(found) > 1:
        return _refuse(f'"{wanted}" may be {" or ".join(sorted(found))}. Name more characters.')
    if not found:
        return _refuse(_explain(wanted, stable=stable, former=former, known=known))
    if found[0] == returning:
        return _refuse(f"Revision {found[0][:SHOWN]} is on its way back already.")
    return Aim(revision=found[0])


def _explain(wanted: str, *, stable: str, former: Sequence[str], known: Collection[str]) -> str:
    """Why none of these can come back."""
    if stable.startswith(wanted):
        return f"Revision {stable[:SHOWN]} serves already."
    kept = ", ".join(revision[:SHOWN] for revision in former) or "none"
    if any(revision.startswith(wanted) for revision in known):
        return (
            f'Revision "{wanted}" cannot come back: it was taken back itself, never answered all '
            f"requests, or is too old ({_WINDOW}). These can: {kept}."
        )
    return f'There is no revision "{wanted}". These can come back: {kept}.'


def _refuse(refusal: str) -> Aim:
    return Aim(refusal=refusal)
