"""The catalogue of reasons: the one place where a reason's words, event and advice stand.

A reason is one word in a condition, an event, an error of a spec or a build report. Whoever decides
names it and gives the facts; `say` makes the sentence. `docs/reasons.md` is generated from here.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from slipway_operator.api import reasons_build, reasons_live, reasons_spec


class EventType(StrEnum):
    NORMAL = "Normal"
    WARNING = "Warning"


class Topic(StrEnum):
    """Where a reason is met."""

    SPEC = "What was asked"
    BUILD = "The build"
    LIVE = "Serving and traffic"
    ROLLOUT = "Rollouts and scaling"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """A reason as it appears in conditions and events.

    `template` is one sentence with `{facts}` in braces; the single fact `{detail}` stands for a
    sentence that was made where the cause was seen. `action` is what the user should do, or empty
    when there is nothing to do.
    """

    name: str
    topic: Topic
    event: EventType
    template: str
    action: str


def _catalogue(topic: Topic, rows: Iterable[tuple[str, str, str, str]]) -> Iterable[Reason]:
    return (
        Reason(name=name, topic=topic, event=EventType(event), template=template, action=action)
        for name, event, template, action in rows
    )


REASONS: Final[Mapping[str, Reason]] = MappingProxyType(
    {
        reason.name: reason
        for topic, rows in (
            (Topic.SPEC, reasons_spec.ROWS),
            (Topic.BUILD, reasons_build.ROWS),
            (Topic.LIVE, reasons_live.SERVING_ROWS),
            (Topic.ROLLOUT, reasons_live.ROLLOUT_ROWS),
        )
        for reason in _catalogue(topic, rows)
    }
)


def say(name: str, **facts: object) -> str:
    """The sentence of a reason with its facts, e.g. `say("Serving", revision="7c1f", …)`.

    Raises KeyError for a reason that is not in the catalogue or a fact that the template needs.
    """
    return REASONS[name].template.format(**facts)


def event_type(name: str) -> EventType:
    """Normal or Warning. Raises KeyError for a reason that is not in the catalogue."""
    return REASONS[name].event
