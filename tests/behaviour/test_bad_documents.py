"""A bad document at the terminal: refused at once, with the field, the value and the fix."""

from pathlib import Path
from typing import Any

import pytest

import behaviour_models as models
from behaviour_terminal import Terminal, deployment, is_true

ROWS: dict[str, tuple[str | dict[str, Any], tuple[str, ...]]] = {
    "not YAML": ("kind: [ModelDeployment\n", ("line",)),
    "no mapping": ("just a sentence\n", ("mapping",)),
    "unknown field": (
        deployment("refused", "file:/m.joblib", serving={"timeoutSecond": 3}),
        ("spec.serving.timeoutSecond", "timeoutSeconds"),
    ),
    "wrong type": (
        deployment("refused", "file:/m.joblib", serving={"timeoutSeconds": "ten"}),
        ("spec.serving.timeoutSeconds", "integer"),
    ),
    "no uri": (
        {
            "apiVersion": "slipway.dev/v1alpha1",
            "kind": "ModelDeployment",
            "metadata": {"name": "refused"},
            "spec": {"model": {}},
        },
        ("spec.model", "uri"),
    ),
    "min above max": (
        deployment("refused", "file:/m.joblib", autoscaling={"minReplicas": 5, "maxReplicas": 2}),
        ("spec.autoscaling", "5", "2"),
    ),
    "a field whose machinery is yet to come": (
        deployment("refused", "file:/m.joblib", monitoring={"log": {"mode": "BestEffort"}}),
        ("spec.monitoring", "not yet"),
    ),
    "a name of 64 characters": (deployment("n" * 64, "file:/m.joblib"), ("metadata.name", "45")),
    "a password in the address": (
        deployment("refused", "https://me:secret@example.com/m.joblib"),
        ("spec.model.uri", "access.secretRef"),
    ),
    "an unknown scheme": (
        deployment("refused", "gopher://x/m.joblib"),
        ("spec.model.uri", "gopher"),
    ),
    "a scheme yet to come": (deployment("refused", "hf://a/b"), ("spec.model.uri", "hf")),
}


@pytest.mark.parametrize(("document", "words"), ROWS.values(), ids=ROWS.keys())
def test_a_bad_document_is_refused_with_field_and_fix(
    user: Terminal, document: str | dict[str, Any], words: tuple[str, ...]
) -> None:
    said = user.apply(document)
    assert said.code == 1
    text = " ".join(said.err.split())
    for word in words:
        assert word in text
    assert "secret@" not in said.text
    # Nothing of it was kept.
    assert user.run("get", "refused").code == 3


def test_every_mistake_is_reported_at_once(user: Terminal) -> None:
    spec = {"replicas": -1, "serving": {"timeoutSeconds": "ten", "maxBatchRow": 3}}
    text = user.apply(deployment("refused", "file:/m.joblib", **spec)).err
    for path in ("spec.replicas", "spec.serving.timeoutSeconds", "spec.serving.maxBatchRow"):
        assert path in text


def test_a_refused_edit_leaves_the_running_one_alone(user: Terminal, tmp_path: Path) -> None:
    path = models.regression(tmp_path / "model.joblib")
    user.apply(user.document("kept", path))
    before = user.wait("kept", is_true("Ready"))
    said = user.apply(user.document("kept", path, replicas="many"))
    assert said.code == 1
    after = user.get("kept")
    assert after["metadata"]["generation"] == before["metadata"]["generation"]
    assert user.post(after, "/predict", json=[{"age": 3.0, "income": 1.0}]).status_code == 200


def test_a_file_that_is_not_there_is_named(user: Terminal) -> None:
    said = user.run("apply", "-f", "nowhere.yaml")
    assert said.code in {1, 2}
    assert "nowhere.yaml" in said.err
