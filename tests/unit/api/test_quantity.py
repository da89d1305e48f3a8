"""Kubernetes quantities, and the defaults that are made of them."""

from decimal import Decimal, InvalidOperation

import pytest

from slipway_operator.api.defaults import Amounts, default_resources
from slipway_operator.api.quantity import read_quantity


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("250m", "0.25"),
        (2, "2"),
        ("1.5", "1.5"),
        ("1k", "1000"),
        ("1Ki", "1024"),
        ("512Mi", "536870912"),
        ("1.5Gi", "1610612736"),
        ("3E", "3000000000000000000"),
        ("0", "0"),
    ],
    ids=str,
)
def test_reading_a_quantity(text: int | str, amount: str) -> None:
    assert read_quantity(text) == Decimal(amount)


def test_what_the_schema_refuses_is_not_read() -> None:
    with pytest.raises(InvalidOperation):
        read_quantity("many")


@pytest.mark.parametrize(
    ("requests", "limits", "wanted_requests", "wanted_limits"),
    [
        ({}, {}, {"cpu": "250m", "memory": "256Mi"}, {"memory": "512Mi"}),
        (
            {"memory": "1Gi"},
            {},
            {"cpu": "250m", "memory": "1Gi"},
            {"memory": "1Gi"},
        ),
        (
            {},
            {"memory": "128Mi", "cpu": "100m"},
            {"cpu": "100m", "memory": "128Mi"},
            {"memory": "128Mi", "cpu": "100m"},
        ),
        (
            {"cpu": 2, "ephemeral-storage": "1Gi"},
            {"cpu": 4, "memory": "2Gi"},
            {"cpu": 2, "memory": "256Mi", "ephemeral-storage": "1Gi"},
            {"cpu": 4, "memory": "2Gi"},
        ),
    ],
    ids=["nothing asked", "more memory requested", "small limits", "some of each"],
)
def test_resources_are_filled_in_without_contradiction(
    requests: Amounts, limits: Amounts, wanted_requests: Amounts, wanted_limits: Amounts
) -> None:
    assert default_resources(requests, limits) == (wanted_requests, wanted_limits)
