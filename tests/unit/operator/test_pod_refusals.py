"""A build without a pod is found, and the words of its last refusal, without a pod's random end."""

import asyncio
from typing import Any, cast

import pytest

from slipway_operator.edges.kubernetes.api import KubernetesApi, Listing
from slipway_operator.edges.kubernetes.pod_refusals import find_pod_refusal, find_podless_job


def job(**more: Any) -> dict[str, Any]:
    metadata = {"name": "churn-b1", "namespace": "team", "uid": "job-1", **more.pop("metadata", {})}
    return {"kind": "Job", "metadata": metadata, **more}


POD = {
    "kind": "Pod",
    "metadata": {"name": "p", "ownerReferences": [{"uid": "job-1", "controller": True}]},
}
DONE = {"conditions": [{"type": "Complete", "status": "True"}]}


@pytest.mark.parametrize(
    ("children", "found"),
    [
        ((), False),
        ((job(),), True),
        ((job(), POD), False),
        ((job(status=DONE),), False),
        ((job(metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"}),), False),
    ],
    ids=["nothing", "no pod", "a pod", "done", "leaving"],
)
def test_a_build_without_a_pod_is_found(children: tuple[dict[str, Any], ...], found: bool) -> None:
    assert (find_podless_job(children) is not None) == found


class Events:
    """Answers with these events, and keeps what it was asked."""

    def __init__(self, *events: dict[str, Any]) -> None:
        self.events = events
        self.asked: dict[str, Any] = {}

    async def list(self, _resource: object, **asked: Any) -> Listing:
        self.asked = asked
        return Listing(items=self.events, version=1)


def ask(events: Events) -> str | None:
    return asyncio.run(find_pod_refusal(cast("KubernetesApi", events), job()))


def test_the_last_words_are_told_without_the_name_that_changes() -> None:
    says = 'Error creating: pods "churn-b1-{}" is forbidden: exceeded quota: small, used: {}.'
    events = Events(
        {"lastTimestamp": "2026-01-01T00:00:09Z", "message": says.format("abcde", "pods=2")},
        {"lastTimestamp": "2026-01-01T00:00:01Z", "message": says.format("vwxyz", "pods=1")},
    )
    assert ask(events) == 'pods "churn-b1" is forbidden: exceeded quota: small, used: pods=2'
    assert events.asked == {
        "namespace": "team",
        "fields": "involvedObject.uid=job-1,reason=FailedCreate",
    }


def test_before_the_first_event_nothing_is_told() -> None:
    assert ask(Events()) is None
