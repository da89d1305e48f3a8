"""Which host names a model gets."""

import pytest

from core_golden import SETTINGS
from slipway_operator.api.spec import Traffic
from slipway_operator.decide.hosts import (
    HostDecision,
    decide_hosts,
    is_allowed,
    list_foreign_hosts,
    read_allowed,
)
from slipway_operator.settings import Settings
from slipway_operator.state.identity import Owner

OWNER = Owner(name="penguins", namespace="birds", uid="u")
CLUSTER = SETTINGS["cluster"]
OWN = "penguins.birds.models.example.com"
HOST = "penguins.example.com"


def decide(
    *hosts: str,
    allowed: str = "",
    holders: dict[str, str] | None = None,
    settings: Settings = CLUSTER,
) -> HostDecision:
    return decide_hosts(
        owner=OWNER,
        traffic=Traffic(hostnames=hosts),
        allowed=read_allowed(allowed),
        holders=holders or {},
        settings=settings,
    )


@pytest.mark.parametrize(
    ("host", "allowed", "expected"),
    [
        ("a.example.com", "", False),
        ("a.example.com", "a.example.com", True),
        ("a.example.com", " b.example.com , a.example.com ,", True),
        ("a.example.com", "*", True),
        ("a.example.com", "*.example.com", True),
        ("a.b.example.com", "*.example.com", True),
        ("example.com", "*.example.com", False),
        ("badexample.com", "*.example.com", False),
        ("a.example.com", "example.com", False),
        ("a.example.com", "a.*.com", False),
    ],
)
def test_a_namespace_names_what_it_may_use(host: str, allowed: str, expected: bool) -> None:
    assert is_allowed(host, allowed=read_allowed(allowed)) is expected


def test_its_own_host_needs_no_leave() -> None:
    assert decide() == HostDecision(names=(OWN,))
    assert decide(OWN) == HostDecision(names=(OWN,))
    assert list_foreign_hosts(
        owner=OWNER, traffic=Traffic(hostnames=(OWN, HOST)), settings=CLUSTER
    ) == (HOST,)


def test_a_host_that_is_allowed_is_served_beside_it() -> None:
    decision = decide(HOST, allowed=HOST)
    assert decision.names == (OWN, HOST)
    assert decision.refusal is None
    assert decision.requeue_after_seconds == 60, "what is allowed may be taken away"


def test_one_that_is_not_allowed_is_left_out_and_told() -> None:
    decision = decide("b.example.com", HOST, allowed="b.example.com")
    assert decision.names == (OWN, "b.example.com")
    assert decision.refusal is not None
    assert decision.refusal.reason == "HostnameNotAllowed"
    assert decision.refusal.message == f'Namespace "birds" may not use host "{HOST}".'
    assert decision.requeue_after_seconds == 5


def test_one_that_an_older_model_has_is_left_out_and_told() -> None:
    decision = decide(HOST, allowed="*", holders={HOST: 'ModelDeployment "a/b"'})
    assert decision.names == (OWN,)
    assert decision.refusal is not None
    assert decision.refusal.reason == "RouteConflict"
    assert '"a/b"' in decision.refusal.message


@pytest.mark.parametrize(
    ("host", "is_served"),
    [
        ("other.birds.models.example.com", False),
        ("penguins.fish.models.example.com", False),
        ("shop.models.example.com", True),
        ("a.b.c.models.example.com", True),
    ],
)
def test_another_models_own_host_is_given_to_nobody(host: str, is_served: bool) -> None:
    assert (host in decide(host, allowed="*").names) is is_served


def test_without_a_domain_it_does_not_answer_to_every_host() -> None:
    settings = Settings.cluster(
        artifact_store="oci-layout:///store", build_image="b", onnx_image="o", native_image="n"
    )
    assert decide(settings=settings).names == ("penguins.birds.svc",)
    assert decide("a.b.svc.example.com", allowed="*", settings=settings).names[1:]


def test_on_a_laptop_everything_is_allowed() -> None:
    laptop = SETTINGS["laptop"]
    assert decide(HOST, settings=laptop) == HostDecision(names=(HOST,))
    assert (
        list_foreign_hosts(owner=OWNER, traffic=Traffic(hostnames=(HOST,)), settings=laptop) == ()
    )
