"""What the API server's words are taken for. The messages are a real server's."""

import pytest

from slipway_operator.edges.kubernetes.api import ApiRefused
from slipway_operator.edges.kubernetes.refusals import (
    explain_blindness,
    explain_refusal,
    is_namespace_ending,
)
from slipway_operator.edges.kubernetes.resources import find_resource

FORBIDDEN = (
    'jobs.batch "a" is forbidden: User "system:serviceaccount:slipway-system:slipway-operator" '
    'cannot patch resource "jobs" in API group "batch" in the namespace "default"'
)
LISTED = (
    'pods is forbidden: User "system:serviceaccount:slipway-system:slipway-operator" cannot list '
    'resource "pods" in API group "" at the cluster scope'
)
QUOTA = (
    'services "a" is forbidden: exceeded quota: small, requested: services=1, used: services=0, '
    "limited: services=0"
)
GONE = (
    'serviceaccounts "a" is forbidden: unable to create new content in namespace x because it is '
    "being terminated"
)
MISSING = "the server could not find the requested resource"
INVALID = 'Deployment.apps "a" is invalid: spec.template.spec.tolerations[0].operator: bad'


def refused(status: int, reason: str, message: str) -> ApiRefused:
    return ApiRefused(status=status, reason=reason, message=message)


@pytest.mark.parametrize(
    ("error", "reason", "words"),
    [
        (
            refused(403, "Forbidden", FORBIDDEN),
            "OperatorForbidden",
            "The operator may not patch jobs.batch.",
        ),
        (refused(403, "Forbidden", QUOTA), "QuotaExceeded", "limited: services=0"),
        (refused(403, "Forbidden", "denied by policy x"), "ChildRefused", "denied by policy x."),
        (refused(422, "Invalid", INVALID), "ChildRefused", 'refused Job "a"'),
        (refused(404, "NotFound", MISSING), "KindMissing", "knows no Job (batch/v1)"),
    ],
)
def test_what_somebody_has_to_heal_is_told(error: ApiRefused, reason: str, words: str) -> None:
    told = explain_refusal(error, resource=find_resource("Job"), name="a")
    assert told is not None
    assert told.reason == reason
    assert words in told.message


@pytest.mark.parametrize(
    "error",
    [
        refused(403, "Forbidden", GONE),
        refused(404, "NotFound", 'namespaces "x" not found'),
        refused(409, "Conflict", "the object has been modified"),
        refused(429, "TooManyRequests", "too many requests"),
        refused(500, "InternalError", "etcdserver: request timed out"),
    ],
    ids=lambda error: error.reason,
)
def test_what_time_heals_is_only_tried_again(error: ApiRefused) -> None:
    assert explain_refusal(error, resource=find_resource("Job"), name="a") is None


def test_a_namespace_on_its_way_out_is_known_by_its_words() -> None:
    assert is_namespace_ending(refused(403, "Forbidden", GONE))
    assert not is_namespace_ending(refused(403, "Forbidden", FORBIDDEN))
    assert not is_namespace_ending(refused(404, "NotFound", GONE))


def test_a_kind_that_may_not_be_listed_is_named() -> None:
    told = explain_blindness(refused(403, "Forbidden", LISTED))
    assert told is not None
    assert (told.reason, told.message) == ("OperatorForbidden", "The operator may not list pods.")
    assert explain_blindness(refused(500, "InternalError", LISTED)) is None
