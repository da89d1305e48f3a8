"""MLflow directories through the real steps: as a folder, zip and tar, written by MLflow itself."""

import json
import shutil
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
import yaml
from lightgbm import LGBMRegressor
from lightgbm import __version__ as now
from skl2onnx import to_onnx
from sklearn.linear_model import LinearRegression

from convert_models import Build, build_fetched
from slipway_runtime.artifact.hostile import read_converted
from slipway_runtime.artifact.manifest import load_manifest
from slipway_runtime.artifact.model_folder import digest_folder, find_model
from slipway_runtime.artifact.oci import hash_file
from slipway_runtime.build_request import BuildRequest, Model
from slipway_runtime.errors import BuildError
from steps_build import StepBuild

EXAMPLE = Path(__file__).resolve().parents[3] / "examples/mlflow"
DIRECTORY = EXAMPLE / "model"


def _pack(kind: str, folder: Path) -> Path:
    if kind == "folder":
        return DIRECTORY
    packed = shutil.make_archive(str(folder / "packed"), kind, root_dir=EXAMPLE, base_dir="model")
    return Path(packed)


@pytest.mark.parametrize("kind", ["folder", "zip", "gztar"])
def test_a_directory_is_fetched_as_it_lies_or_packed(kind: str, tmp_path: Path) -> None:
    packed = _pack(kind, tmp_path)
    build = StepBuild(folder=tmp_path / "build", model=packed)
    report = build.run("fetch")
    assert report["ok"], report["message"]
    folder = find_model(build.work / "fetched/model")
    assert folder is not None
    assert digest_folder(folder) == digest_folder(DIRECTORY)
    whole = digest_folder(packed) if packed.is_dir() else hash_file(packed)[0]
    assert report["facts"]["modelDigest"] == whole
    build.spec = {"digest": whole}
    assert build.run("fetch")["ok"]
    build.spec = {"digest": "sha256:" + "0" * 64}
    assert build.run("fetch")["reason"] == "DigestMismatch"
    assert find_model(build.work / "fetched/model") is None


def test_a_packed_directory_is_built_and_answers_like_the_model(tmp_path: Path) -> None:
    build = StepBuild(
        folder=tmp_path / "build", model=_pack("gztar", tmp_path), spec={"format": "MLflow"}
    )
    report = build.run_until("publish")
    assert report["ok"], report["message"]
    manifest = load_manifest(build.work / "converted/manifest.json")
    assert (manifest.runtime, manifest.model.format) == ("ONNX", "SKLearn")
    assert manifest.parity.verdict == "Verified"
    assert manifest.parity.sample_rows == 5  # the input example
    assert manifest.baseline is None  # five rows are no picture of what is normal
    told = yaml.safe_load((DIRECTORY / "MLmodel").read_text())
    assert manifest.model.training_versions["mlflow"] == told["mlflow_version"]
    assert manifest.model.training_versions["xgboost"]
    columns = {column.name: column for column in manifest.contract.columns}
    assert columns["island"].categories == ("Biscoe", "Dream", "Torgersen")
    assert columns["body_mass_g"].minimum is None

    rows = pd.read_csv(EXAMPLE / "rows.csv")
    answers = Build(folder=build.work / "converted", manifest=manifest).answer(rows)
    expected = joblib.load(DIRECTORY / "model.pkl").predict_proba(rows)
    np.testing.assert_allclose(answers["probabilities"], expected, atol=1e-6)


def test_a_native_one_is_the_file_that_was_fetched_and_no_other(tmp_path: Path) -> None:
    built = build_fetched(_edited(tmp_path), runtime="Native")
    assert (built.manifest.files.model, built.manifest.files.loader) == (
        "native/model.pkl",
        "pickle",
    )
    told = built.manifest
    build = BuildRequest(
        name=told.name,
        namespace=told.namespace,
        build_hash=told.build_hash,
        model=Model(uri=told.model.uri, runtime="Native"),
    )
    read_converted(built.folder, build=build, model_digest=told.model.digest)
    (built.folder / "native/model.pkl").write_bytes(b"another")
    with pytest.raises(BuildError, match="the native file has digest") as caught:
        read_converted(built.folder, build=build, model_digest=told.model.digest)
    assert caught.value.reason == "ModelRejected"


def _edited(folder: Path, **flavor: Any) -> Path:
    """A copy in `fetched/model`, with other words in its sklearn flavour."""
    place = folder / "fetched/model/model"
    shutil.copytree(DIRECTORY, place)
    told = yaml.safe_load((place / "MLmodel").read_text())
    told["flavors"]["sklearn"] |= flavor
    (place / "MLmodel").write_text(yaml.safe_dump(told))
    return folder


def test_the_format_that_is_asked_for_is_checked(tmp_path: Path) -> None:
    assert build_fetched(_edited(tmp_path / "a"), format="SKLearn").manifest.runtime == "ONNX"
    with pytest.raises(BuildError, match='says "XGBoost" and its content is SKLearn'):
        build_fetched(_edited(tmp_path / "b"), format="XGBoost")


def test_a_conversion_that_is_not_proven_names_another_training_version(tmp_path: Path) -> None:
    place = tmp_path / "fetched/model/model"
    place.mkdir(parents=True)
    draw = np.random.default_rng(0).normal(size=(80, 3))
    model = LGBMRegressor(n_estimators=3, linear_tree=True, n_jobs=1, verbose=-1)
    model.fit(draw, draw[:, 0]).booster_.save_model(place / "model.lgb")
    told = {"flavors": {"lightgbm": {"data": "model.lgb", "lgb_version": "3.3.5"}}}
    (place / "MLmodel").write_text(yaml.safe_dump(told))
    manifest = build_fetched(tmp_path).manifest
    assert manifest.runtime == "Native"
    assert manifest.fallback is not None
    assert manifest.fallback.reason == "ModelVersionMismatch"
    assert "linear_tree" in manifest.fallback.message
    assert "lightgbm 3.3.5" in manifest.fallback.message
    assert now in manifest.fallback.message
    with pytest.raises(BuildError, match=r"lightgbm 3\.3\.5") as caught:
        build_fetched(tmp_path, runtime="ONNX")
    assert caught.value.reason == "ModelVersionMismatch"
    assert json.loads((tmp_path / "converted/manifest.json").read_bytes())["model"]["warnings"]


def test_an_onnx_flavour_is_built_from_its_file(tmp_path: Path) -> None:
    place = tmp_path / "fetched/model/model"
    place.mkdir(parents=True)
    draw = np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32)
    model = LinearRegression().fit(draw, draw @ np.array([1.0, 2.0, 3.0]))
    (place / "model.onnx").write_bytes(to_onnx(model, draw[:1]).SerializeToString())
    flavors = {
        "onnx": {"data": "model.onnx", "onnx_version": "1.19.0"},
        "python_function": {"loader_module": "mlflow.onnx", "data": "model.onnx"},
    }
    (place / "MLmodel").write_text(yaml.safe_dump({"flavors": flavors}))
    built = build_fetched(tmp_path, format="MLflow")
    assert (built.manifest.runtime, built.manifest.model.format) == ("ONNX", "ONNX")
    answers = built.answer(pd.DataFrame(draw, columns=["x0", "x1", "x2"]))
    (values,) = answers.values()
    np.testing.assert_allclose(np.ravel(values), model.predict(draw), rtol=1e-4, atol=1e-4)


def test_a_class_in_the_directorys_own_code_is_named_and_refused(tmp_path: Path) -> None:
    """MLflow's `code_paths`: modules beside the model, which no other process can import."""
    place = _edited(tmp_path) / "fetched/model/model"
    (place / "code").mkdir()
    (place / "code/ownclasses.py").write_text("class Own:\n    pass\n")
    (place / "model.pkl").write_bytes(b"\x80\x04\x8c\nownclasses\x94\x8c\x03Own\x94\x93\x94)R.")
    told = yaml.safe_load((place / "MLmodel").read_text())
    told["flavors"]["python_function"]["code"] = "code"
    (place / "MLmodel").write_text(yaml.safe_dump(told))
    with pytest.raises(BuildError, match="module ownclasses") as caught:
        build_fetched(tmp_path)
    assert caught.value.reason == "ModelUnreadable"
    assert "spec.model.packages" in caught.value.message
