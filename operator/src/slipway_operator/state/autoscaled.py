"""Which Deployments an autoscaler counts the pods of: their number is its, not ours.

Read from the server's record of who wrote which field, because no right to see autoscalers is
needed for that. A hand that scales writes under another name, and is put back.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from slipway_operator.state.observed import Json
from slipway_operator.state.revision import RevisionState

# The HorizontalPodAutoscaler's controller lives in it; KEDA scales by such an autoscaler too.
_AUTOSCALER: Final = "kube-controller-manager"


def count_autoscaled(states: Mapping[str, RevisionState]) -> dict[str, int]:
    """How many pods an autoscaler wants, by revision; those that have none are left out."""
    return {
        revision: state.desired
        for revision, state in states.items()
        if state.deployment is not None and _is_autoscaled(state.deployment)
    }


def _is_autoscaled(deployment: Json) -> bool:
    return any(
        entry.get("manager") == _AUTOSCALER
        and "f:replicas" in (entry.get("fieldsV1") or {}).get("f:spec", {})
        for entry in list_scalings(deployment)
    )


def list_scalings(obj: Json) -> Iterator[Mapping[str, Any]]:
    """What the server's record says of those who write through the subresource `scale`."""
    for entry in obj["metadata"].get("managedFields") or ():
        if entry.get("subresource") == "scale":
            yield entry
