"""A weight is believed when what arrives agrees with it."""

import pytest

from slipway_operator.decide.analysis.split import Split


@pytest.mark.parametrize("weight", [0.01, 0.05, 0.1, 0.5])
def test_what_is_dealt_out_in_turn_is_never_doubted(weight: float) -> None:
    split = Split(weight=weight)
    for _ in range(100):
        split = split.observe(canary=round(1000 * weight), stable=1000 - round(1000 * weight))
        assert not split.is_refuted(chance=0.01)


@pytest.mark.parametrize(
    ("weight", "canary", "stable"),
    [(0.05, 500, 500), (0.1, 0, 400), (0.25, 147, 853), (0.5, 10_900, 9_100)],
    ids=["weights are ignored", "nothing arrives", "half of its pods are out", "a little askew"],
)
def test_another_share_is_refuted(weight: float, canary: int, stable: int) -> None:
    split = Split(weight=weight).observe(canary=canary, stable=stable)
    assert split.is_refuted(chance=0.01)
    assert (
        not Split(weight=canary / (canary + stable) or 1e-6)
        .observe(canary=canary, stable=stable)
        .is_refuted(chance=0.01)
    )
