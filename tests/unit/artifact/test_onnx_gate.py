"""Which ONNX files are refused, each with its rule; and that an ordinary one is not."""

from pathlib import Path

import pytest

import hostile_onnx
from hostile_onnx import HOSTILE, content, graph, model
from slipway_runtime.artifact import onnx_gate
from slipway_runtime.artifact.onnx_gate import check_onnx
from slipway_runtime.errors import BuildError


def _write(folder: Path, made: object) -> Path:
    path = folder / "model.onnx"
    path.write_bytes(content(made))
    return path


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_file_breaks_a_rule(tmp_path: Path, name: str) -> None:
    made, rule = HOSTILE[name]
    with pytest.raises(BuildError, match=f"rule {rule}:") as caught:
        check_onnx(_write(tmp_path, made), foreign=True)
    assert caught.value.reason == "ModelRejected"
    assert caught.value.message.isprintable()


def test_external_data_is_found_in_depth_also_in_our_own(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="rule ExternalData"):
        check_onnx(_write(tmp_path, hostile_onnx.hidden_external()), foreign=False)


@pytest.mark.parametrize(
    ("limit", "rule"), [("MAX_NODES", "TooManyNodes"), ("MAX_GRAPHS", "TooManyGraphs"),
                        ("MAX_BYTES", "FileTooLarge")],
)  # fmt: skip
def test_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, rule: str) -> None:
    monkeypatch.setattr(onnx_gate, limit, 0)
    with pytest.raises(BuildError, match=f"rule {rule}:"):
        check_onnx(_write(tmp_path, model(graph())), foreign=True)


def test_ordinary_models_pass(tmp_path: Path) -> None:
    check_onnx(_write(tmp_path, model(graph())), foreign=True)
    # Ours are proven on rows, and hold NaN where a table's missing values are looked for.
    check_onnx(_write(tmp_path, HOSTILE["NaN weights"][0]), foreign=False)
