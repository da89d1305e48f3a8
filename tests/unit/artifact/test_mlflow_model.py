"""What an MLflow directory says, and what is refused about it."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from slipway_runtime.artifact.mlflow_model import read_mlflow
from slipway_runtime.errors import BuildError

SKLEARN: dict[str, Any] = {
    "flavors": {
        "python_function": {"loader_module": "mlflow.sklearn", "python_version": "3.11.7"},
        "sklearn": {"pickled_model": "model.pkl", "sklearn_version": "1.5.2"},
    },
    "mlflow_version": "2.17.0",
    "signature": {
        "inputs": json.dumps(
            [
                {"type": "double", "name": "age", "required": True},
                {"type": "string", "name": "city", "required": False},
            ]
        )
    },
}


def folder_of(folder: Path, told: Any, **files: str) -> Path:
    (folder / "MLmodel").write_text(told if isinstance(told, str) else yaml.safe_dump(told))
    (folder / "model.pkl").write_bytes(b"never opened")
    for name, text in files.items():
        (folder / name.replace("_", ".", 1)).write_text(text)
    return folder


def test_flavour_versions_and_columns(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, SKLEARN, requirements_txt="scikit-learn==9\nnumpy==1.26.4\nfoo==1")
    told = read_mlflow(folder)
    assert (told.flavor, told.data) == ("sklearn", folder / "model.pkl")
    assert told.versions == {
        "scikit-learn": "1.5.2", "mlflow": "2.17.0", "python": "3.11.7", "numpy": "1.26.4",
    }  # fmt: skip
    assert [(c.name, c.type, c.required) for c in told.columns] == [
        ("age", "double", True),
        ("city", "string", False),
    ]
    assert told.example is None


def test_conda_tells_versions_where_there_are_no_requirements(tmp_path: Path) -> None:
    conda = yaml.safe_dump({"dependencies": ["python=3.11", {"pip": ["xgboost-cpu==2.1.0"]}]})
    assert (
        read_mlflow(folder_of(tmp_path, SKLEARN, conda_yaml=conda)).versions["xgboost"] == "2.1.0"
    )


EXAMPLES = {
    "frame": {"columns": ["age", "city"], "data": [[1.0, "A"], [2.0, "B"]]},
    "rows": [[1.0, "A"], [2.0, "B"]],
    "inputs": {"inputs": [[1.0, "A"], [2.0, "B"]]},
}


@pytest.mark.parametrize("kind", EXAMPLES)
def test_the_input_example_becomes_columns(kind: str, tmp_path: Path) -> None:
    told = SKLEARN | {"saved_input_example_info": {"artifact_path": "input.example"}}
    folder = folder_of(tmp_path, told, input_example=json.dumps(EXAMPLES[kind]))
    assert read_mlflow(folder).example == {"age": [1.0, 2.0], "city": ["A", "B"]}


@pytest.mark.parametrize("example", ['{"a": 1}', '"text"', "[1, 2]", "not JSON", "[[1], [1, 2]]"])
def test_an_example_of_another_form_is_not_used(example: str, tmp_path: Path) -> None:
    told = SKLEARN | {"saved_input_example_info": {"artifact_path": "input.example"}}
    assert read_mlflow(folder_of(tmp_path, told, input_example=example)).example is None


def _with_data(path: Any) -> dict[str, Any]:
    return {"flavors": {"sklearn": {"pickled_model": path}}}


REFUSED = {
    "outside": (_with_data("../secret.pkl"), "ModelUnreadable", "../secret.pkl"),
    "absolute": (_with_data("/etc/passwd"), "ModelUnreadable", "/etc/passwd"),
    "absent": (_with_data("other.pkl"), "ModelUnreadable", "other.pkl"),
    "not named": (_with_data(None), "ModelUnreadable", "which file"),
    "no flavours": ({"mlflow_version": "3"}, "ModelUnreadable", "no flavours"),
    "no mapping": ("- a\n- b\n", "ModelUnreadable", "not a YAML mapping"),
    "no YAML": ("a: [", "ModelUnreadable", "not YAML"),
    "code": ("!!python/object/apply:os.system [ls]", "ModelUnreadable", "not YAML"),
    "others": (
        {"flavors": {"pytorch": {}, "python_function": {"loader_module": "mlflow.pytorch"}}},
        "ConversionUnsupported",
        "python_function, pytorch",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_bad_directory_is_refused_in_a_sentence(name: str, tmp_path: Path) -> None:
    told, reason, word = REFUSED[name]
    (tmp_path.parent / "secret.pkl").write_bytes(b"not yours")
    with pytest.raises(BuildError) as caught:
        read_mlflow(folder_of(tmp_path, told))
    assert caught.value.reason == reason
    assert word in caught.value.message


def test_a_long_mlmodel_is_refused(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "a: " + "x" * (5 << 20))
    with pytest.raises(BuildError, match="is longer than"):
        read_mlflow(folder)
