"""Every default of the spec, in one place.

The CRD carries no `default:`, so an upgrade may choose better ones without rewriting anybody's
object. Plain values are the defaults of the Structs in `spec*.py`: a parsed spec is resolved; and
what depends on other fields is a `default_…` function, for whoever builds the pods.
"""

from collections.abc import Mapping
from typing import Final

from slipway_operator.api.quantity import read_quantity
from slipway_operator.api.vocabulary import Strategy

Amounts = Mapping[str, int | str]

GATEWAY_NAME: Final = "slipway"
GATEWAY_NAMESPACE: Final = "slipway-system"
TIMEOUT_SECONDS: Final = 10
MAX_REQUEST_BYTES: Final = 1_048_576
MAX_BATCH_ROWS: Final = 1024
REQUEST_CPU: Final = "250m"
REQUEST_MEMORY: Final = "256Mi"
LIMIT_MEMORY: Final = "512Mi"
BATCH_ROWS: Final = 32
BATCH_DELAY_MILLISECONDS: Final = 2
REPLICAS: Final = 1
STRATEGY: Final = Strategy.CANARY
MIN_REPLICAS: Final = 1
MAX_REPLICAS: Final = 4
IDLE_SECONDS: Final = 300
CONCURRENCY: Final = 4
STEP_MIN_SECONDS: Final = 30
STEP_MAX_SECONDS: Final = 1800
SCALE_DOWN_DELAY_SECONDS: Final = 60
ABORT_SCALE_DOWN_DELAY_SECONDS: Final = 600
PROGRESS_DEADLINE_SECONDS: Final = 600
ROLLBACK_REVISIONS: Final = 3
ROLLBACK_MAX_AGE_SECONDS: Final = 86_400
WARM_UP_REQUESTS: Final = 20
WARM_UP_SECONDS: Final = 10
HOLD_TIMEOUT_SECONDS: Final = 900
FALSE_ABORT: Final = "0.01"
FALSE_PASS: Final = "0.05"  # noqa: S105 - a probability, not a secret
GUARDRAIL_ERROR_RATE: Final = "0.2"
GUARDRAIL_MIN_REQUESTS: Final = 20


def default_resources(
    requests: Amounts, limits: Amounts
) -> tuple[dict[str, int | str], dict[str, int | str]]:
    """Requests and limits of a serving pod, with what was not asked for filled in.

    A pod always has a CPU request, a memory request and a memory limit; a default never contradicts
    what was asked: with only `limits.memory: 128Mi` the request is 128Mi, not 256Mi.
    """
    asked_memory = requests.get("memory", _least(REQUEST_MEMORY, limits.get("memory")))
    asked_cpu = requests.get("cpu", _least(REQUEST_CPU, limits.get("cpu")))
    most_memory = limits.get("memory", max(LIMIT_MEMORY, asked_memory, key=read_quantity))
    return (
        {**requests, "cpu": asked_cpu, "memory": asked_memory},
        {**limits, "memory": most_memory},
    )


def _least(default: str, limit: int | str | None) -> int | str:
    return default if limit is None else min(default, limit, key=read_quantity)
