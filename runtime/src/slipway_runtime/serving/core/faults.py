"""Why a request gets no answer, free of any protocol; the HTTP layer gives each reason its code."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """One rule of the contract that some rows of one column broke.

    `rows` are the first few positions (from 0), `count` is how many there were, `value` the first
    offending value as text, `replacement` what was used instead under policy Default.
    """

    rule: str
    column: str
    policy: str
    count: int
    rows: tuple[int, ...]
    value: str | None
    message: str
    replacement: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The form in which answers carry it."""
        document: dict[str, Any] = {
            "rule": self.rule,
            "column": self.column,
            "policy": self.policy,
            "count": self.count,
            "rows": list(self.rows),
            "value": self.value,
            "message": self.message,
        }
        if self.replacement is not None:
            document["replacement"] = self.replacement
        return document


class RequestFault(Exception):
    """A request that is refused or could not be answered.

    Args:
        reason: one of `contract.REQUEST_REASONS`.
        message: one sentence for the caller; never a path, a traceback or an internal name.
        violations: what the contract found, when the reason is `ContractViolated`.
    """

    def __init__(
        self, reason: str, message: str, *, violations: tuple[Violation, ...] = ()
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.violations = violations


class ModelInvalid(Exception):
    """The model cannot be served as its manifest or the settings say; the message is a sentence."""
