"""The catalogue of reasons: the one place where a reason's words, event and advice stand."""

from dataclasses import dataclass
from enum import StrEnum


class EventType(StrEnum):
    NORMAL = "Normal"
    WARNING = "Warning"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """A reason as it appears in conditions and events.

    `template` is filled with `str.format`; `action` tells the user what to do, or is empty.
    """

    name: str
    event: EventType
    template: str
    action: str
