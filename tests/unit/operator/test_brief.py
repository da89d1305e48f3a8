"""What Kopf gets to read of the API server's answers."""

import json

import msgspec
import pytest

from slipway_operator.handlers.brief import read_briefly


def test_a_list_is_brief() -> None:
    labels = {"slipway.dev/uid": "u"}
    known = {"name": "a", "namespace": "n", "uid": "x", "resourceVersion": "5", "labels": labels}
    listing = {
        "kind": "PodList",
        "apiVersion": "v1",
        "metadata": {"resourceVersion": "9", "continue": "token"},
        "items": [
            {"metadata": {**known, "annotations": {"a": "b"}}, "spec": {}, "status": {}},
            {"metadata": {"name": "b"}},
        ],
    }
    brief = read_briefly(json.dumps(listing).encode())
    assert brief == {**listing, "items": [{"metadata": known}, {"metadata": {"name": "b"}}]}


@pytest.mark.parametrize(
    "answer",
    [
        {"kind": "APIResourceList", "resources": [{"name": "pods", "verbs": ["list"]}]},
        {"versions": ["v1"]},
        {"kind": "Pod", "metadata": {"name": "a", "managedFields": []}, "spec": {"nodeName": "n"}},
    ],
)
def test_whatever_else_is_as_it_came(answer: dict[str, object]) -> None:
    assert read_briefly(json.dumps(answer).encode()) == answer


@pytest.mark.parametrize("content", [b"<html>", b'{"items": [1]}'])
def test_what_is_no_answer_of_kubernetes_is_refused(content: bytes) -> None:
    with pytest.raises(msgspec.MsgspecError):
        read_briefly(content)
