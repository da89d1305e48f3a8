"""What the engine answers when it cannot do what was asked; each maps to a Kubernetes Status.

EngineError
├── BadRequest 400   NotFound 404    AlreadyExists 409    Conflict 409
├── Invalid 422 (with a cause a field)    Expired 410    UnsupportedMedia 415
└── StoreUnavailable 507 (the disk is full, the file is damaged)
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """One field that is wrong: ``spec.model.uri``, a closed reason code and one sentence."""

    field: str
    reason: str
    message: str


class EngineError(Exception):
    """The root of all that the engine refuses; ``message`` is one sentence for the user."""

    code = 500
    reason = "InternalError"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class BadRequest(EngineError):
    """The request itself cannot be read."""

    code, reason = 400, "BadRequest"


class NotFound(EngineError):
    """No such object, kind or path."""

    code, reason = 404, "NotFound"


class AlreadyExists(EngineError):
    """A create met an object of that name."""

    code, reason = 409, "AlreadyExists"


class Conflict(EngineError):
    """A precondition (uid, resourceVersion) does not hold."""

    code, reason = 409, "Conflict"


class Expired(EngineError):
    """A watch asked for a past that the engine no longer remembers: list again."""

    code, reason = 410, "Expired"


class UnsupportedMedia(EngineError):
    """A PATCH of a type that the engine does not speak."""

    code, reason = 415, "UnsupportedMediaType"


class Invalid(EngineError):
    """The object (``kind``, ``name``) is not what its kind allows; ``causes`` names each field."""

    code, reason = 422, "Invalid"

    def __init__(self, message: str, causes: Sequence[Cause], *, kind: str, name: str) -> None:
        super().__init__(message)
        self.causes = tuple(causes)
        self.kind, self.name = kind, name


class StoreUnavailable(EngineError):
    """Nothing can be written at the moment; reading and serving go on."""

    code, reason = 507, "DiskFull"

    def __init__(self, message: str, *, reason: str = "DiskFull") -> None:
        super().__init__(message)
        self.reason = reason


class EngineRefused(Exception):
    """The engine cannot start or be reached; the sentence says why and what to do."""
