"""Why a model file cannot be opened, in one sentence."""

import errno
import pickle
import re
import sys
import types
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
import sklearn
import skops.io
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.cluster import DBSCAN
from sklearn.linear_model import LinearRegression
from sklearn.preprocessing import FunctionTransformer
from sklearn.tree import DecisionTreeRegressor

from slipway_runtime.artifact.flavor import detect_flavor
from slipway_runtime.convert.load import load_model
from slipway_runtime.errors import BuildError

VERSION = sklearn.__version__
ROWS = np.arange(12.0).reshape(6, 2)
MODEL = LinearRegression().fit(ROWS, ROWS[:, 0])


class Own(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """An estimator of somebody's own."""

    def fit(self, rows: Any, target: Any) -> "Own":
        self.mean_ = float(np.mean(target))
        return self

    def predict(self, rows: Any) -> Any:
        return np.full(len(rows), self.mean_)


def _lost_module(path: Path) -> None:
    module = types.ModuleType("our_company")
    kind = type("Cleaner", (LinearRegression,), {"__module__": "our_company"})
    module.Cleaner = kind  # type: ignore[attr-defined]
    sys.modules["our_company"] = module
    path.write_bytes(pickle.dumps(kind().fit(ROWS, ROWS[:, 0])))
    del sys.modules["our_company"]


def _lost_class(path: Path) -> None:
    content = pickle.dumps(Own().fit(ROWS, ROWS[:, 0]), protocol=2)
    path.write_bytes(content.replace(f"{__name__}\nOwn".encode(), b"__main__\nOwn"))


def _old(path: Path) -> None:
    """A file of an older version that this one cannot open: its class has moved away."""
    content = pickle.dumps(MODEL, protocol=2)
    content = content.replace(b"sklearn.linear_model._base", b"sklearn.linear_model.xbase")
    path.write_bytes(content.replace(VERSION.encode(), b"0.9.1"))


def _refuse(make: Any, tmp_path: Path, unpickle: Any = "Sandboxed") -> BuildError:
    path = tmp_path / "model.joblib"
    make(path)
    with pytest.raises(BuildError) as caught:
        load_model(path, detect_flavor(path), unpickle=unpickle)
    return caught.value


CASES: dict[str, tuple[Any, str, tuple[str, ...]]] = {
    "lost module": (_lost_module, "ModelUnreadable", ("our_company", "install")),
    "lost class": (_lost_class, "ModelUnreadable", ("class Own of the script",)),
    "old version": (_old, "ModelVersionMismatch", ("0.9.1", VERSION)),
    "a dict": (lambda path: joblib.dump({"a": 1}, path), "ModelUnreadable", ("dict",)),
    "a dict with a model": (
        lambda path: joblib.dump({"best": MODEL}, path), "ModelUnreadable", ('"best"',),
    ),
    "never fitted": (
        lambda path: joblib.dump(LinearRegression(), path), "ModelUnreadable", ("never fitted",),
    ),
    "no new rows": (
        lambda path: joblib.dump(DBSCAN().fit(ROWS), path), "ConversionUnsupported", ("DBSCAN",),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_the_reason_names_the_cause(name: str, tmp_path: Path) -> None:
    make, reason, words = CASES[name]
    error = _refuse(make, tmp_path)
    assert error.reason == reason
    assert re.fullmatch(r"[^\n]+\.", error.message)
    for word in words:
        assert word in error.message


def test_no_pickle_is_opened_where_the_spec_forbids_it(tmp_path: Path) -> None:
    marker = tmp_path / "ran"

    class Bomb:
        def __reduce__(self) -> Any:
            return Path.touch, (marker,)

    error = _refuse(lambda path: path.write_bytes(pickle.dumps(Bomb())), tmp_path, "Never")
    assert error.reason == "ModelUnsafe"
    assert "skops" in error.message
    assert not marker.exists()


def test_skops_is_opened_where_pickles_are_not(tmp_path: Path) -> None:
    path = tmp_path / "m.skops"
    skops.io.dump(MODEL, path)
    loaded = load_model(path, detect_flavor(path), unpickle="Never")
    assert isinstance(loaded.model, LinearRegression)
    assert loaded.training_versions == {"scikit-learn": VERSION}


UNTRUSTED: dict[str, tuple[Any, str]] = {
    "own class": (Own(), f"{Own.__module__}.Own"),
    "a compiled class of scikit-learn": (DecisionTreeRegressor(), "sklearn.tree._tree.Tree"),
    "a function": (FunctionTransformer(np.nan_to_num), "numpy.nan_to_num"),
}


@pytest.mark.parametrize("name", UNTRUSTED)
def test_types_that_skops_does_not_trust_are_named(name: str, tmp_path: Path) -> None:
    model, kind = UNTRUSTED[name]
    path = tmp_path / "m.skops"
    skops.io.dump(model.fit(ROWS, ROWS[:, 0]), path)
    with pytest.raises(BuildError) as caught:
        load_model(path, detect_flavor(path), unpickle="Never")
    assert caught.value.reason == "ModelUnsafe"
    assert kind in caught.value.message
    assert 'set it to "Sandboxed"' in caught.value.message
    loaded = load_model(path, detect_flavor(path), unpickle="Sandboxed")
    assert type(loaded.model) is type(model)
    [told] = loaded.warnings
    assert told.startswith("UntrustedTypesWarning: ")
    assert kind in told


def test_another_version_that_still_opens_is_told(tmp_path: Path) -> None:
    path = tmp_path / "m.pkl"
    path.write_bytes(pickle.dumps(MODEL).replace(VERSION.encode(), b"1.8.0"))
    loaded = load_model(path, detect_flavor(path), unpickle="Sandboxed")
    assert loaded.training_versions == {"scikit-learn": "1.8.0"}
    assert loaded.warnings == (f"Trained with scikit-learn 1.8.0, opened with {VERSION}.",)


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("can't start new thread"),
        BlockingIOError(errno.EAGAIN, "again"),
        OSError(errno.ENOSPC, "full"),
    ],
    ids=["thread", "again", "disk"],
)
def test_what_the_machine_lacks_is_not_held_against_the_model(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model.joblib"
    joblib.dump(LinearRegression().fit([[0.0], [1.0]], [0.0, 1.0]), path)

    def fail(_: Path) -> None:
        raise error

    monkeypatch.setattr(joblib, "load", fail)
    with pytest.raises(type(error), match=re.escape(str(error))):
        load_model(path, detect_flavor(path), unpickle="Sandboxed")
