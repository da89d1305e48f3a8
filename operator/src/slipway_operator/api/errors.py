"""What is wrong with a document: a path, a reason from the closed catalogue, and one sentence."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class SpecError:
    """One thing that is wrong. Sorted by path, then reason, then message.

    `path` is written as in `kubectl explain`, with indices: `spec.rollout.steps[2].weight`.
    `message` names the field, the value, why it cannot work and what to do; it ends with a period.
    """

    path: str
    reason: str
    message: str
