"""The samples of scikit-learn and ONNX, as a reader of the README runs them: `up -f`, then ask."""

from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
import skops.io

from behaviour_laptop import Laptop
from behaviour_terminal import is_true

ROOT = Path(__file__).resolve().parents[2]
# sample → how it is to be served; those of boosters and MLflow are in test_boosters
SERVED = {
    "breast-cancer": "ONNX",
    "countries": "ONNX",
    "custom": "Native",
    "diabetes": "ONNX",
    "digits": "ONNX",
    "reviews": "ONNX",
}


def _open(folder: Path) -> Any:
    if (folder / "model.skops").exists():
        path = folder / "model.skops"
        return skops.io.load(path, trusted=skops.io.get_untrusted_types(file=path))
    return joblib.load(folder / "model.joblib")


@pytest.mark.engine
@pytest.mark.parametrize("name", SERVED)
def test_the_sample_answers_like_its_model(name: str, laptop: Laptop, examples: Path) -> None:
    said = laptop.run("up", "-f", str(ROOT / f"manifests/samples/{name}.yaml"), "--detach")
    assert said.code == 0, said.text
    found = laptop.wait(name, is_true("UpToDate"))
    assert found["status"]["runtime"] == SERVED[name], laptop.run("describe", name).text

    folder = examples / name.replace("-", "_")
    rows = pd.read_csv(folder / "rows.csv")
    answered = laptop.post(found, "/predict", json=rows.to_dict("records")).json()["predictions"]
    model = _open(folder)
    asked = rows if hasattr(model, "feature_names_in_") else rows.to_numpy()
    if hasattr(model, "predict_proba"):
        # a graph that was given as ONNX does not name its classes
        shares = [one["probabilities"] for one in answered]
        told = [list(one.values()) if isinstance(one, dict) else one for one in shares]
        wanted = model.predict_proba(asked)
        assert [str(one["label"]) for one in answered] == list(map(str, model.predict(asked)))
    else:
        told, wanted = [one["value"] for one in answered], model.predict(asked)
    np.testing.assert_allclose(np.asarray(told), wanted, rtol=1e-4, atol=1e-5)
