"""Booster files are known by their bytes: format, version that saved them, what is broken."""

import gzip
import json
import pickle
from functools import cache
from pathlib import Path
from typing import Any

import catboost
import joblib
import lightgbm
import numpy as np
import pytest
import xgboost

from slipway_runtime.artifact.flavor import detect_flavor
from slipway_runtime.artifact.training_versions import find_training_versions
from slipway_runtime.convert.load import load_model
from slipway_runtime.errors import BuildError

ROWS = np.random.default_rng(0).normal(size=(60, 3))
TRUTH = (ROWS[:, 0] > 0).astype(int)


@cache
def models() -> dict[str, Any]:
    cat = {"iterations": 3, "verbose": False, "allow_writing_files": False, "thread_count": 1}
    return {
        "xgboost": xgboost.XGBClassifier(n_estimators=3, n_jobs=1).fit(ROWS, TRUTH),
        "lightgbm": lightgbm.LGBMClassifier(n_estimators=3, n_jobs=1, verbose=-1).fit(ROWS, TRUTH),
        "catboost": catboost.CatBoostClassifier(**cat).fit(ROWS, TRUTH),
    }


def native(kind: str) -> bytes:
    """A file in a framework's own format: `xgboost json`, …"""
    framework, form = kind.split()
    model = models()[framework]
    if framework == "xgboost":
        return bytes(model.get_booster().save_raw(form))
    if framework == "lightgbm":
        return str(model.booster_.model_to_string()).encode()
    return _catboost(model, form)


def _catboost(model: Any, form: str) -> bytes:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model"
        model.save_model(str(path), format=form)
        return path.read_bytes()


NATIVE = {
    "xgboost json": ("XGBoost", {"xgboost": xgboost.__version__}),
    "xgboost ubj": ("XGBoost", {"xgboost": xgboost.__version__}),
    "lightgbm text": ("LightGBM", {}),
    "catboost cbm": ("CatBoost", {"catboost": catboost.__version__}),
    "catboost json": ("CatBoost", {"catboost": catboost.__version__}),
}


@pytest.mark.parametrize("kind", NATIVE)
def test_a_native_file_is_known_opened_without_unpickling_and_answers(
    kind: str, tmp_path: Path
) -> None:
    path = tmp_path / "model.whatever"
    path.write_bytes(native(kind))
    flavor = detect_flavor(path)
    framework = kind.split(maxsplit=1)[0]
    assert (flavor.format, flavor.loader) == (NATIVE[kind][0], framework)
    assert find_training_versions(path, flavor) == NATIVE[kind][1]
    model: Any = load_model(path, flavor, unpickle="Never").model
    expected = models()[framework].predict_proba(ROWS)
    np.testing.assert_allclose(model.predict_proba(ROWS), expected, atol=1e-7)
    assert model.predict(ROWS).ravel().tolist() == models()[framework].predict(ROWS).tolist()


@pytest.mark.parametrize("framework", ["xgboost", "lightgbm", "catboost"])
@pytest.mark.parametrize("packing", ["pickle", "joblib", "compressed"])
def test_a_pickled_booster_is_known_without_opening_it(
    framework: str, packing: str, tmp_path: Path
) -> None:
    path = tmp_path / "model.pkl"
    model = models()[framework]
    if packing == "pickle":
        path.write_bytes(pickle.dumps(model))
    else:
        joblib.dump(model, path, compress=3 if packing == "compressed" else 0)
    flavor = detect_flavor(path)
    assert flavor.format == {"xgboost": "XGBoost", "lightgbm": "LightGBM"}.get(
        framework, "CatBoost"
    )
    versions = find_training_versions(path, flavor)
    assert framework == "lightgbm" or versions[framework] == __import__(framework).__version__


@pytest.mark.parametrize("framework", ["xgboost", "lightgbm"])
def test_a_bare_booster_becomes_the_estimator_of_its_objective(
    framework: str, tmp_path: Path
) -> None:
    model = models()[framework]
    bare = model.get_booster() if framework == "xgboost" else model.booster_
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(bare))
    opened: Any = load_model(path, detect_flavor(path), unpickle="Sandboxed").model
    assert opened.classes_.tolist() == [0, 1]
    np.testing.assert_allclose(opened.predict_proba(ROWS), model.predict_proba(ROWS), atol=1e-7)


def test_a_bare_booster_uses_every_round_and_a_wrapper_the_best(tmp_path: Path) -> None:
    wrapper = xgboost.XGBClassifier(n_estimators=60, early_stopping_rounds=2, n_jobs=1)
    truth = np.random.default_rng(1).permutation(TRUTH)
    wrapper.fit(ROWS[:40], truth[:40], eval_set=[(ROWS[40:], truth[40:])], verbose=False)
    booster = wrapper.get_booster()
    every = booster.predict(xgboost.DMatrix(ROWS))
    best = wrapper.predict_proba(ROWS)[:, 1]
    assert np.abs(every - best).max() > 1e-3
    booster.set_attr(scikit_learn=None)
    path = tmp_path / "booster.json"
    booster.save_model(path)
    opened: Any = load_model(path, detect_flavor(path), unpickle="Never").model
    np.testing.assert_allclose(opened.predict_proba(ROWS)[:, 1], every, atol=1e-6)
    wrapper.save_model(path)
    opened = load_model(path, detect_flavor(path), unpickle="Never").model
    np.testing.assert_allclose(opened.predict_proba(ROWS)[:, 1], best, atol=1e-6)


def _dumped() -> bytes:
    return json.dumps(models()["lightgbm"].booster_.dump_model()).encode()


BROKEN = {
    "XGBoost JSON, cut": (lambda: native("xgboost json")[:-30], "cut short"),
    "LightGBM, cut": (lambda: native("lightgbm text")[:400], "end of trees"),
    "LightGBM's dump": (_dumped, "save_model"),
    "old XGBoost binary": (lambda: b"binf\x00\x00\x00?" + bytes(64), "no longer reads"),
    "other JSON": (lambda: b'{"a": 1}', "JSON text"),
    "gzipped native": (lambda: gzip.compress(native("xgboost json")), "give the model file itself"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_refused_in_a_sentence(name: str, tmp_path: Path) -> None:
    make, word = BROKEN[name]
    path = tmp_path / "model"
    path.write_bytes(make())
    with pytest.raises(BuildError) as caught:
        detect_flavor(path)
    assert caught.value.reason == "ModelUnreadable"
    assert word in caught.value.message


@pytest.mark.parametrize("kind", ["xgboost ubj", "catboost cbm"])
def test_a_file_that_its_framework_cannot_read_is_refused(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "model"
    path.write_bytes(native(kind)[:200])
    with pytest.raises(BuildError, match=r"cannot read it|cannot be opened") as caught:
        load_model(path, detect_flavor(path), unpickle="Never")
    assert caught.value.reason == "ModelUnreadable"


def test_a_file_of_another_version_that_cannot_be_read_names_both(tmp_path: Path) -> None:
    content = native("xgboost json")
    now = xgboost.__version__
    held = json.loads(content) | {"version": [0, 9, 1]}
    held["learner"]["gradient_booster"]["model"]["trees"][0]["left_children"] = "nonsense"
    path = tmp_path / "model"
    path.write_bytes(json.dumps(held).encode())
    with pytest.raises(BuildError) as caught:
        load_model(path, detect_flavor(path), unpickle="Never")
    assert caught.value.reason == "ModelVersionMismatch"
    assert "xgboost 0.9.1" in caught.value.message
    assert now in caught.value.message


def test_a_missing_framework_is_named_with_its_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    path = tmp_path / "model"
    path.write_bytes(native("lightgbm text"))
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    with pytest.raises(BuildError, match=r"install slipway-runtime\[lightgbm\]") as caught:
        load_model(path, detect_flavor(path), unpickle="Never")
    assert caught.value.reason == "TrainingEnvironmentUnavailable"
