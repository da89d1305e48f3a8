"""Models of other versions: opened, proven and served where they were born."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from behaviour_laptop import Laptop
from behaviour_terminal import condition, deployment, has_reason, is_true
from old_models import OLD, WHEELS, make_old

ROOT = Path(__file__).resolve().parents[2]
PROVEN = ("sklearn-1.2", "sklearn-1.4", "sklearn-1.6", "xgboost-3.0", "lightgbm-4.5")


@pytest.fixture(scope="module")
def laptop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laptop]:
    """An engine with the wheels of earlier runs, as a user's second model finds them."""
    data = tmp_path_factory.mktemp("data")
    engine = Laptop(data=data, environment={"UV_CACHE_DIR": str(WHEELS)})
    engine.start()
    yield engine
    engine.stop()
    assert engine.processes() == []
    assert not (data / "environments").exists(), "a purge takes the environments along"


def agrees(laptop: Laptop, found: dict[str, Any], folder: Path) -> None:
    """The model answers over HTTP what it answered where it was trained."""
    told = json.loads((folder / "told.json").read_text("utf-8"))
    answer = laptop.post(found, "/predict", json=told["rows"])
    assert answer.status_code == 200, answer.text
    rows = answer.json()["predictions"]
    if "probabilities" in told["answers"]:
        given = [list(row["probabilities"].values()) for row in rows]
        assert np.allclose(given, told["answers"]["probabilities"], atol=1e-4)
        assert [str(row["label"]) for row in rows] == [str(one) for one in told["answers"]["value"]]
    else:
        assert np.allclose([row["value"] for row in rows], told["answers"]["value"], rtol=1e-4)


@pytest.mark.parametrize("name", PROVEN)
def test_an_old_pickle_is_converted_and_proven_where_it_was_born(laptop: Laptop, name: str) -> None:
    folder = make_old(name)
    object_name = name.replace(".", "-")
    laptop.apply(deployment(object_name, f"file:{folder}/model.joblib"))
    found = laptop.wait(object_name, is_true("UpToDate"))
    assert found["status"]["runtime"] == "ONNX"
    assert condition(found, "ModelReady")["reason"] == "Verified"
    agrees(laptop, found, folder)
    laptop.run("delete", object_name)


def test_what_does_not_convert_is_served_where_it_was_born(laptop: Laptop) -> None:
    folder = make_old("native-1.2")
    laptop.apply(deployment("splines", f"file:{folder}/model.joblib"))
    found = laptop.wait("splines", is_true("UpToDate"))
    assert found["status"]["runtime"] == "Native"
    agrees(laptop, found, folder)
    said = laptop.run("describe", "splines").text
    assert "scikit-learn 1.2.2" in said
    laptop.run("delete", "splines")
    homes = list((laptop.data / "environments").glob("*/lib/python*/site-packages/sklearn"))
    assert homes
    for home in homes:
        assert list(home.glob("__pycache__/base.*.pyc")), "compiled: no sandbox can do it"
        assert not list(home.glob("tests/__pycache__/*.pyc")), "but not what nobody imports"


def test_the_sample_of_an_old_pickle(laptop: Laptop) -> None:
    said = laptop.run("up", "-f", str(ROOT / "manifests/samples/old-sklearn.yaml"), "--detach")
    assert said.code == 0, said.text
    found = laptop.wait("old-sklearn", is_true("UpToDate"))
    assert found["status"]["runtime"] == "ONNX"
    rows = pd.read_csv(ROOT / "examples/old_sklearn/rows.csv").to_dict("records")
    answered = laptop.post(found, "/predict", json=rows).json()["predictions"]
    assert len(answered) == len(rows)
    assert {one["label"] for one in answered} <= {0, 1, 2}
    assert "scikit-learn 1.2.2" in laptop.run("describe", "old-sklearn").text
    laptop.run("delete", "old-sklearn")


def test_a_class_of_a_package_that_the_spec_names(laptop: Laptop) -> None:
    folder = make_old("gplearn-0.4")
    uri = f"file:{folder}/model.joblib"
    laptop.apply(deployment("genetic", uri))
    found = laptop.wait("genetic", has_reason("ModelUnreadable"))
    assert "spec.model.packages" in condition(found, "Ready")["message"]
    packages = ["gplearn==0.4.2", "scikit-learn==1.4.2", "scipy==1.12.0", "numpy==1.26.4"]
    laptop.apply(deployment("genetic", uri, model={"packages": packages}))
    found = laptop.wait("genetic", is_true("UpToDate"))
    assert found["status"]["runtime"] == "Native"
    agrees(laptop, found, folder)
    laptop.run("delete", "genetic")


@pytest.mark.parametrize(
    ("packages", "words"),
    [
        pytest.param(["scikit-learn==1.2.999"], "scikit-learn", id="no-such-version"),
        pytest.param(["scikit-learn==0.24.2"], "scikit-learn", id="no-wheel-for-this-python"),
        pytest.param(["no-such-package-of-anybody==1.0"], "no-such-package", id="no-such-package"),
    ],
)
def test_an_environment_that_cannot_be_made_is_said(
    laptop: Laptop, packages: list[str], words: str
) -> None:
    folder = make_old("sklearn-1.4")
    uri = f"file:{folder}/model.joblib"
    laptop.apply(deployment("never", uri, model={"packages": packages}))
    found = laptop.wait("never", has_reason("TrainingEnvironmentUnavailable"))
    message = condition(found, "Ready")["message"]
    assert words in message
    assert "Traceback" not in message
    assert condition(found, "Stalled")["status"] == "True"
    laptop.run("delete", "never")


def test_without_a_network_wheels_that_are_there_are_enough(tmp_path: Path) -> None:
    folder = make_old("sklearn-1.2")
    wheels = tmp_path / "wheels"
    environment = {"UV_CACHE_DIR": str(wheels)}
    uri = f"file:{folder}/model.joblib"
    online = Laptop(data=tmp_path / "online", environment=environment)
    online.start()
    online.apply(deployment("old", uri))
    online.wait("old", is_true("UpToDate"))
    online.stop()
    offline = Laptop(data=tmp_path / "offline", environment={**environment, "UV_OFFLINE": "1"})
    offline.start()
    try:
        offline.apply(deployment("old", uri))
        found = offline.wait("old", is_true("UpToDate"))
        agrees(offline, found, folder)
        shutil.rmtree(offline.data / "environments")
        shutil.rmtree(wheels)
        offline.apply(deployment("other", f"file:{make_old('sklearn-1.6')}/model.joblib"))
        found = offline.wait("other", has_reason("TrainingEnvironmentUnavailable"))
        assert "index" in condition(found, "Ready")["message"]
    finally:
        offline.stop()


def test_every_old_model_is_used() -> None:
    assert {*PROVEN, "native-1.2", "gplearn-0.4"} == OLD.keys()
