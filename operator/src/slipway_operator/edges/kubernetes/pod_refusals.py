"""Why a Job has no pod: its status does not say, only an Event of the Job controller does."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from slipway_operator.edges.kubernetes.api import KubernetesApi
from slipway_operator.edges.kubernetes.resources import EVENT, JOB
from slipway_operator.state.build_run import is_unfinished
from slipway_operator.state.identity import read_controller
from slipway_operator.state.observed import is_terminating, read_uid

Object = Mapping[str, Any]
_REASON: Final = "FailedCreate"
_SAYS: Final = "Error creating: "
_SUFFIX: Final = re.compile(r'(pods "[^"]+)-[a-z0-9]{5}"')  # another one at each try


def find_podless_job(children: Iterable[Object]) -> Object | None:
    """The build that runs without a pod."""
    listed = list(children)
    with_pods = {read_controller(obj).get("uid") for obj in listed if obj["kind"] == "Pod"}
    return next(
        (
            obj
            for obj in listed
            if obj["kind"] == JOB.kind
            and is_unfinished(obj)
            and not is_terminating(obj)
            and read_uid(obj) not in with_pods
        ),
        None,
    )


async def find_pod_refusal(api: KubernetesApi, job: Object) -> str | None:
    """The API server's words for why it took no pod of this Job, as last told; None: none yet.

    Raises:
        ApiRefused, ApiUnreachable
    """
    told = await api.list(
        EVENT,
        namespace=job["metadata"]["namespace"],
        fields=f"involvedObject.uid={read_uid(job)},reason={_REASON}",
    )
    if not told.items:
        return None
    last = max(told.items, key=lambda event: str(event.get("lastTimestamp") or ""))
    words = str(last.get("message") or "").removeprefix(_SAYS).rstrip(".")
    return _SUFFIX.sub(r'\1"', words) or None
