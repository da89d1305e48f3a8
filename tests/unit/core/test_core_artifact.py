"""What a built artifact says of itself is believed only where it is whole, ours and short."""

from typing import Any

import pytest

from slipway_operator.lookups import find_reusable_build
from slipway_operator.state.artifact import read_artifact_facts

BUILD = "d" * 64
DIGEST = "sha256:" + "a" * 64
CONFIG: dict[str, Any] = {
    "name": "churn", "buildHash": BUILD, "runtime": "ONNX",
    "model": {"digest": DIGEST, "format": "SKLearn"},
    "contract": {"columns": [{"kind": "Categorical"}, {"kind": "Text"}, None]},
}  # fmt: skip


def read(config: dict[str, Any]) -> dict[str, Any] | None:
    artifact = f"oci://host/team/churn@{DIGEST}"
    return read_artifact_facts(config, build_hash=BUILD, artifact=artifact, layer={"size": 7})


def test_the_facts_are_those_of_the_report() -> None:
    facts = read(CONFIG)
    assert facts is not None
    assert (facts["modelDigest"], facts["digest"], facts["bytes"]) == (DIGEST, DIGEST, 7)
    assert facts["contract"] == {"columns": 3, "categorical": 1}


@pytest.mark.parametrize(
    "wrong",
    [
        {"buildHash": "e" * 64},
        {"runtime": "Shell"},
        {"model": {"digest": DIGEST, "estimator": "x" * 5000}},
    ],
    ids=["another build", "no runtime that is known", "longer than a report"],
)
def test_what_is_not_ours_is_none(wrong: dict[str, Any]) -> None:
    assert read({**CONFIG, **wrong}) is None


def test_parts_of_another_shape_are_empty() -> None:
    facts = read({**CONFIG, "model": [], "contract": {"columns": 3}})
    assert facts is not None
    assert (facts["modelDigest"], facts["contract"]["columns"]) == (None, 0)


def test_only_what_is_pinned_may_be_reused() -> None:
    def ask(model: object) -> str | None:
        return find_reusable_build({"metadata": {"name": "churn"}, "spec": {"model": model}})

    assert ask({"uri": "s3://m/m.joblib"}) is None
    assert ask(3) is None
    assert ask({"uri": "s3://m/m.joblib", "digest": DIGEST}) is not None
