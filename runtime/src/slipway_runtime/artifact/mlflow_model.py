"""Reads an MLflow model directory: `MLmodel` and what lies beside it. Nothing is unpickled.

MLflow itself is not needed. Called in the sandbox of `convert`: the text is a stranger's.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import yaml

from slipway_runtime.artifact.model_folder import MARKER
from slipway_runtime.errors import BuildError

_MAX_TEXT_BYTES = 4 << 20
# Flavour: where its MLmodel entry names the file, and the version's key and package.
_FLAVORS = {
    "sklearn": ("pickled_model", "sklearn_version", "scikit-learn"),
    "xgboost": ("data", "xgb_version", "xgboost"),
    "lightgbm": ("data", "lgb_version", "lightgbm"),
    "catboost": ("data", "catboost_version", "catboost"),
    "onnx": ("data", "onnx_version", "onnx"),
}
_PACKAGES = frozenset(package for _, _, package in _FLAVORS.values()) | {"numpy", "pandas"}
_PIN = re.compile(r"^\s*([A-Za-z0-9._-]+)\s*==\s*([A-Za-z0-9.+!-]+)")
_AGAIN = "save the model with mlflow again"
_ALIASES = {"xgboost-cpu": "xgboost"}


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedColumn:
    """One column of the signature; `type` in MLflow's words; `required` False: may be missing."""

    name: str
    type: str
    required: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class MlflowModel:
    """What a directory says of its model.

    Attributes:
        flavor: sklearn, xgboost, lightgbm, catboost or onnx.
        data: the model's own file.
        versions: training versions by package, `mlflow` and `python` included.
        columns: of the signature; empty when there is none, or none with names.
        example: rows of the input example by column, or None.
    """

    flavor: str
    data: Path
    versions: Mapping[str, str]
    columns: tuple[StatedColumn, ...] = ()
    example: dict[str, list[object]] | None = None


def read_mlflow(folder: Path) -> MlflowModel:
    """Read the directory.

    Raises:
        BuildError: `ModelUnreadable` (MLmodel or the file it names), `ConversionUnsupported` (only
            flavours that are not built).
    """
    told = _read_yaml(folder / MARKER)
    flavors = told.get("flavors")
    if not isinstance(flavors, dict) or not flavors:
        raise _unreadable("it names no flavours", _AGAIN)
    name = _choose(flavors)
    key, version_key, package = _FLAVORS[name]
    own = flavors[name] if isinstance(flavors[name], dict) else {}
    versions = _pinned(folder)
    stated = {
        package: own.get(version_key),
        "mlflow": told.get("mlflow_version"),
        "python": (flavors.get("python_function") or {}).get("python_version"),
    }
    versions |= {what: str(version) for what, version in stated.items() if version}
    columns = _columns(told.get("signature"))
    return MlflowModel(
        flavor=name,
        data=_data(folder, own.get(key)),
        versions=versions,
        columns=columns,
        example=_example(folder, told.get("saved_input_example_info"), columns),
    )


def _choose(flavors: Mapping[str, Any]) -> str:
    loader = str((flavors.get("python_function") or {}).get("loader_module", ""))
    named = loader.removeprefix("mlflow.")
    for name in (named, *_FLAVORS):
        if name in _FLAVORS and name in flavors:
            return name
    raise BuildError(
        "ConversionUnsupported",
        f"Reading the MLflow model failed: it has only flavours that this version does not build "
        f"({', '.join(sorted(map(str, flavors)))[:200]}); log it with mlflow.sklearn, "
        "mlflow.xgboost, mlflow.lightgbm, mlflow.catboost or mlflow.onnx.",
    )


def _data(folder: Path, named: object) -> Path:
    """The model's file; it must lie in the directory."""
    if not isinstance(named, str) or not named:
        raise _unreadable("it does not say which file holds the model", _AGAIN)
    path = folder / named
    if ".." in Path(named).parts or Path(named).is_absolute() or not path.is_file():
        raise _unreadable(
            f'it names the file "{named[:200]}", which is not in the directory',
            "upload the whole directory",
        )
    return path


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        told = yaml.safe_load(_read_text(path))
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, ValueError) as error:
        where = " ".join(str(error).split())[:200]
        raise _unreadable(f"it is not YAML ({where})", _AGAIN) from error
    if not isinstance(told, dict):
        raise _unreadable("it is not a YAML mapping", _AGAIN)
    return told


def _read_text(path: Path) -> str:
    with path.open("rb") as stream:
        content = stream.read(_MAX_TEXT_BYTES + 1)
    if len(content) > _MAX_TEXT_BYTES:
        raise ValueError(f"{path.name} is longer than {_MAX_TEXT_BYTES} bytes")
    return content.decode()


def _pinned(folder: Path) -> dict[str, str]:
    """Versions that requirements.txt pins, or conda.yaml where there is none."""
    lines: list[str] = []
    try:
        if (folder / "requirements.txt").is_file():
            lines = _read_text(folder / "requirements.txt").splitlines()
        elif (folder / "conda.yaml").is_file():
            told = yaml.safe_load(_read_text(folder / "conda.yaml"))
            for entry in (told or {}).get("dependencies") or ():
                lines += entry.get("pip") or () if isinstance(entry, dict) else [str(entry)]
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, AttributeError):
        return {}
    found = {}
    for line in lines:
        pin = _PIN.match(str(line))
        if pin:
            name = pin[1].lower().replace("_", "-")
            found[_ALIASES.get(name, name)] = pin[2]
    return {name: version for name, version in found.items() if name in _PACKAGES}


def _columns(signature: object) -> tuple[StatedColumn, ...]:
    inputs = signature.get("inputs") if isinstance(signature, dict) else None
    try:
        listed = orjson.loads(inputs) if isinstance(inputs, str) else []
    except orjson.JSONDecodeError:
        return ()
    columns = [
        StatedColumn(
            name=entry["name"],
            type=str(entry.get("type", "")),
            required=entry.get("required", True) is not False,
        )
        for entry in listed
        if isinstance(entry, dict) and isinstance(entry.get("name"), str)
    ]
    return tuple(columns) if len(columns) == len(listed) else ()


def _example(
    folder: Path, info: object, columns: tuple[StatedColumn, ...]
) -> dict[str, list[object]] | None:
    """The input example as a table; one of another form is not used."""
    named = info.get("artifact_path") if isinstance(info, dict) else None
    if not isinstance(named, str) or Path(named).name != named or not (folder / named).is_file():
        return None
    try:
        told = orjson.loads(_read_text(folder / named))
    except (ValueError, UnicodeDecodeError):
        return None
    if isinstance(told, dict) and {"columns", "data"} <= set(told):
        names, rows = list(map(str, told["columns"])), told["data"]
    else:
        rows = told.get("inputs") if isinstance(told, dict) else told
        width = len(rows[0]) if isinstance(rows, list) and rows and isinstance(rows[0], list) else 0
        names = [column.name for column in columns]
        names = names if len(names) == width else [f"x{place}" for place in range(width)]
    if not isinstance(rows, list) or not rows or not names:
        return None
    if not all(isinstance(row, list) and len(row) == len(names) for row in rows):
        return None
    return {name: [row[place] for row in rows] for place, name in enumerate(names)}


def _unreadable(why: str, action: str) -> BuildError:
    return BuildError("ModelUnreadable", f"Reading {MARKER} failed: {why}; {action}.")
