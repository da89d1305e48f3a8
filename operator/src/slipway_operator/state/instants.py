"""Times as Kubernetes writes them, to and from values; the present is always an argument."""

from datetime import UTC, datetime
from typing import Any


def read_instant(text: Any) -> datetime | None:
    """Read an RFC 3339 time; None when it is absent or not a time."""
    if not isinstance(text, str):
        return None
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        return None
    return instant.astimezone(UTC) if instant.tzinfo else instant.replace(tzinfo=UTC)


def render_instant(instant: datetime) -> str:
    """Write a time as Kubernetes does: UTC, whole seconds, `Z`."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def compute_seconds_left(*, since: datetime, wait_seconds: float, now: datetime) -> float:
    """How many seconds of a wait are left; 0 when it is over.

    A clock that went back does not lengthen a wait: at most `wait_seconds` are left.
    """
    elapsed = max((now - since).total_seconds(), 0.0)
    return max(wait_seconds - elapsed, 0.0)
