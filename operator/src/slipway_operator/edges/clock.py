"""The only place that asks what time it is; the core is handed the time as a value."""

import time
from datetime import UTC, datetime


def utc_now() -> datetime:
    """The present moment, in UTC."""
    return datetime.now(UTC)


def monotonic() -> float:
    """Seconds on a clock that only goes forward; its zero means nothing."""
    return time.monotonic()


def render_time(moment: datetime) -> str:
    """A moment as Kubernetes writes it: ``2026-01-02T03:04:05Z`` (whole seconds)."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_time(text: str) -> datetime:
    """The moment that a Kubernetes timestamp names (with or without fractions of a second)."""
    return datetime.fromisoformat(text.replace("Z", "+00:00"))
