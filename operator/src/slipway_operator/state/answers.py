"""What serving pods have answered lately, as an edge read it from all of them at one moment.

Two pods that got the same request tell the same id: the gateway gives it, and its copy keeps it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

Scalar = str | bool | int | float | None
Value = Scalar | tuple[Scalar, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answered request.

    Attributes:
        id: as the gateway calls it.
        source: `route` (a user's request) or `mirror` (a copy of it).
        code: of HTTP.
        rows: how many the request had; only the first few are told.
        inputs: by column, the value of each row as the model got it; None: missing.
        outputs: by output, the value of each row: a class as text, numbers as numbers. Empty where
            the request failed.
    """

    id: str
    source: str
    code: int
    rows: int = 0
    inputs: Mapping[str, tuple[Scalar, ...]] = field(default_factory=dict)
    outputs: Mapping[str, tuple[Value, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What one pod told.

    Attributes:
        next: where the next reading of this pod goes on.
        dropped: answers that it forgot before anybody read them.
        left: answers that did not go into this reading.
    """

    next: int
    dropped: int = 0
    left: int = 0
    answers: tuple[Answer, ...] = ()
