"""Files that hold no model, or hold one that may not be opened: told in one sentence, refused."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io
from sklearn.datasets import load_iris
from sklearn.linear_model import LinearRegression, LogisticRegression

import convert_models as given
from slipway_runtime.errors import BuildError


def _pickled() -> bytes:
    return pickle.dumps(LinearRegression().fit(np.eye(3), np.arange(3.0)))


UNREADABLE: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "empty"),
    "truncated": (_pickled()[:-20], "cut short"),
    "html": (b"<!DOCTYPE html><html>login</html>", "HTML"),
    "dict": (pickle.dumps({"a": 1}), "type dict"),
    "dict with a model": (pickle.dumps({"best": LinearRegression()}), 'key "best"'),
    "unknown class": (b"cmy_lost_module\nNet\n.", "my_lost_module"),
    "unfitted": (pickle.dumps(LinearRegression()), "never fitted"),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_unreadable(name: str, tmp_path: Path) -> None:
    content, words = UNREADABLE[name]
    with pytest.raises(BuildError, match=words) as raised:
        given.build(tmp_path, content)
    assert raised.value.reason == "ModelUnreadable"
    assert "\n" not in raised.value.message


def test_samples_without_a_column(tmp_path: Path) -> None:
    rows, target = load_iris(return_X_y=True, as_frame=True)
    model: Any = LogisticRegression(max_iter=500).fit(rows, target)
    with pytest.raises(BuildError, match=r'column "petal width \(cm\)" is missing') as raised:
        given.build(tmp_path, model, rows.drop(columns="petal width (cm)"))
    assert raised.value.reason == "SamplesInvalid"


def test_pickle_is_refused_where_unpickling_is_forbidden(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="Never") as raised:
        given.build(tmp_path, _pickled(), unpickle="Never")
    assert raised.value.reason == "ModelUnsafe"


def test_skops_is_taken_where_unpickling_is_forbidden(tmp_path: Path) -> None:
    rows = np.arange(40.0).reshape(20, 2) % 7
    content = skops.io.dumps(LinearRegression().fit(rows, rows[:, 0] * 2 - rows[:, 1]))
    done = given.build(tmp_path, content, unpickle="Never")
    assert done.manifest.runtime == "ONNX"
    np.testing.assert_allclose(done.answer(rows)["value"], rows[:, 0] * 2 - rows[:, 1], atol=1e-3)
