"""Which HTTP code each reason for refusing a request has."""

from collections.abc import Mapping
from typing import Final

CODES: Final[Mapping[str, int]] = {
    "BodyTooLarge": 413,
    "BodyUnreadable": 400,
    "ContractViolated": 422,
    "DeadlineExceeded": 504,
    "Draining": 503,
    "InferenceFailed": 500,
    "MediaTypeUnsupported": 415,
    "MethodNotAllowed": 405,
    "ModelCrashed": 503,
    "ModelNotFound": 404,
    "ModelNotReady": 503,
    "Overloaded": 503,
    "PathNotFound": 404,
    "ShapeInvalid": 400,
    "TooManyRows": 413,
}
