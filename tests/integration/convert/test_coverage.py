"""The judge of the coverage of scikit-learn sees a wrong answer; a few estimators, judged anew."""

from pathlib import Path

import numpy as np
import pytest
from coverage_data import Data
from measure_sklearn import judge, measure
from sklearn.linear_model import LogisticRegression, Ridge

import convert_models as given

ROWS = np.random.default_rng(0).normal(size=(100, 3))


@pytest.mark.parametrize("kind", ["float32", "decimal"])
@pytest.mark.parametrize("name", ["Ridge", "HistGradientBoostingClassifier", "NearestCentroid"])
def test_an_estimator_is_judged_right(name: str, kind: str) -> None:
    found = measure(name, kind)
    assert found is not None
    assert found["outcome"] == "onnx", found["why"]


@pytest.mark.parametrize("classifies", [False, True], ids=["numbers", "labels"])
def test_a_wrong_answer_is_seen(classifies: bool, tmp_path: Path) -> None:
    kind = LogisticRegression if classifies else Ridge
    target = ROWS[:, 0] > 0 if classifies else ROWS[:, 0]
    model, other = kind().fit(ROWS, target), kind().fit(ROWS, target[::-1])
    made = given.build(tmp_path, model)
    data = Data(learn=ROWS, target=target, fresh=ROWS)
    path = made.folder / "model.onnx"
    assert judge(model, data, made.manifest, path) is None
    assert "differ" in str(judge(other, data, made.manifest, path))
