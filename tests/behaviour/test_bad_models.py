"""A bad model at the terminal: one reason in `get`, the sentence in `describe`, nothing lost.

Every row deploys something that people do deploy, on a running engine. Left out: stores with
credentials (integration tests of the fetch step) and what the sandbox denies (its own tests).
"""

import http.server
import pickle
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import pytest

import behaviour_models as models
from behaviour_laptop import Laptop, condition, deployment, has_reason, is_true

ZEROS = "sha256:" + "0" * 64


@dataclass(frozen=True, kw_only=True)
class Bad:
    """How to make it, what must be said, and which words the sentence must hold."""

    make: Callable[[Path], dict[str, Any]]
    reason: str
    words: tuple[str, ...]


def missing_file(folder: Path) -> dict[str, Any]:
    return {"uri": f"file:{folder}/nowhere.joblib"}


def other_digest(folder: Path) -> dict[str, Any]:
    return {"uri": f"file:{models.regression(folder / 'model.joblib')}", "digest": ZEROS}


def truncated(folder: Path) -> dict[str, Any]:
    path = models.classifier(folder / "model.joblib")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return {"uri": f"file:{path}"}


def empty(folder: Path) -> dict[str, Any]:
    (folder / "model.joblib").write_bytes(b"")
    return {"uri": f"file:{folder}/model.joblib"}


def a_web_page(folder: Path) -> dict[str, Any]:
    (folder / "model.joblib").write_text("<!DOCTYPE html><html><body>Sign in</body></html>")
    return {"uri": f"file:{folder}/model.joblib"}


def not_a_model(folder: Path) -> dict[str, Any]:
    joblib.dump({"weights": [1, 2, 3]}, folder / "model.joblib")
    return {"uri": f"file:{folder}/model.joblib"}


def unknown_class(folder: Path) -> dict[str, Any]:
    text = pickle.dumps(models.LinearRegression(), protocol=2)
    old, new = (
        b"csklearn.linear_model._base\nLinearRegression\n",
        b"cour_company.models\nChurnNet\n",
    )
    assert old in text
    (folder / "model.pkl").write_bytes(text.replace(old, new))
    return {"uri": f"file:{folder}/model.pkl"}


def no_converter(folder: Path) -> dict[str, Any]:
    path = models.without_converter(folder / "model.joblib")
    samples = models.samples(folder / "samples.csv")
    return {"uri": f"file:{path}", "runtime": "ONNX", "samples": {"uri": f"file:{samples}"}}


def wrong_conversion(folder: Path) -> dict[str, Any]:
    path, samples = models.silently_wrong(folder)
    return {"uri": f"file:{path}", "runtime": "ONNX", "samples": {"uri": f"file:{samples}"}}


def samples_lack_a_column(folder: Path) -> dict[str, Any]:
    path = models.classifier(folder / "model.joblib")
    samples = models.samples(folder / "samples.csv", columns=["age"])
    return {"uri": f"file:{path}", "samples": {"uri": f"file:{samples}"}}


def pickle_not_allowed(folder: Path) -> dict[str, Any]:
    path = models.classifier(folder / "model.joblib")
    return {"uri": f"file:{path}", "unpickle": "Never"}


ROWS = {
    "no such file": Bad(make=missing_file, reason="ModelNotFound", words=("nowhere.joblib",)),
    "digest mismatch": Bad(make=other_digest, reason="DigestMismatch", words=(ZEROS[:20],)),
    "truncated file": Bad(make=truncated, reason="ModelUnreadable", words=("model.joblib",)),
    "empty file": Bad(make=empty, reason="ModelUnreadable", words=("empty",)),
    "a web page": Bad(make=a_web_page, reason="ModelUnreadable", words=("HTML",)),
    "not an estimator": Bad(make=not_a_model, reason="ModelUnreadable", words=("dict",)),
    "a class nobody can import": Bad(
        make=unknown_class, reason="ModelUnreadable", words=("our_company",)
    ),
    "no converter and runtime ONNX": Bad(
        make=no_converter, reason="ConversionUnsupported", words=("PolynomialCountSketch",)
    ),
    "a conversion that differs": Bad(
        make=wrong_conversion, reason="ParityExceeded", words=("row",)
    ),
    "samples lack a column": Bad(
        make=samples_lack_a_column, reason="SamplesInvalid", words=("income",)
    ),
    "a pickle where none may be opened": Bad(
        make=pickle_not_allowed, reason="ModelUnsafe", words=("unpickle",)
    ),
}


@pytest.mark.parametrize("bad", ROWS.values(), ids=ROWS.keys())
def test_a_bad_model_is_explained_in_one_line(laptop: Laptop, tmp_path: Path, bad: Bad) -> None:
    name = f"bad-{list(ROWS.values()).index(bad)}"
    laptop.apply(deployment(name, "file:unused", model=bad.make(tmp_path)))
    found = laptop.wait(name, has_reason(bad.reason))
    ready = condition(found, "Ready")
    assert ready["status"] == "False"
    for word in bad.words:
        assert word in ready["message"]
    # One line in `get`, the sentence in `describe`.
    assert bad.reason in laptop.run("get", name).out
    assert ready["message"][:60] in " ".join(laptop.run("describe", name).out.split())


def test_the_last_good_revision_answers_and_fixing_the_document_heals(
    laptop: Laptop, tmp_path: Path
) -> None:
    good = models.classifier(tmp_path / "good.joblib")
    laptop.apply(deployment("heals", f"file:{good}"))
    before = laptop.wait("heals", is_true("Ready"))
    row = {"age": 70, "income": 3}
    assert laptop.post(before, "/predict", json=[row]).json()["predictions"][0]["label"] == "old"

    (tmp_path / "broken.joblib").write_bytes(b"not a model")
    laptop.apply(deployment("heals", f"file:{tmp_path}/broken.joblib"))
    broken = laptop.wait("heals", has_reason("ModelUnreadable"))
    # The old one still serves and says so; this generation does not.
    assert condition(broken, "Available")["status"] == "True"
    assert condition(broken, "UpToDate")["status"] == "False"
    assert laptop.post(broken, "/predict", json=[row]).json()["predictions"][0]["label"] == "old"

    fixed = models.classifier(tmp_path / "fixed.joblib", flip=True)
    laptop.apply(deployment("heals", f"file:{fixed}"))
    after = laptop.wait("heals", is_true("UpToDate"))
    assert laptop.post(after, "/predict", json=[row]).json()["predictions"][0]["label"] == "young"


def test_a_model_without_converter_is_served_natively_with_the_reason(
    laptop: Laptop, tmp_path: Path
) -> None:
    path = models.without_converter(tmp_path / "model.joblib")
    samples = models.samples(tmp_path / "samples.csv")
    laptop.apply(
        deployment("native", f"file:{path}", model={"samples": {"uri": f"file:{samples}"}})
    )
    found = laptop.wait("native", is_true("Ready"))
    assert found["status"]["runtime"] == "Native"
    reason = condition(found, "ModelReady")
    assert (reason["status"], reason["reason"]) == ("True", "NativeFallback")
    assert "PolynomialCountSketch" in reason["message"]
    row = {"age": 40.0, "income": 5.0}
    answer = laptop.post(found, "/predict", json=[row]).json()["predictions"][0]["value"]
    expected = joblib.load(path).predict(models.pd.DataFrame([row]))[0]
    assert answer == pytest.approx(expected, rel=1e-9)


class NotFound(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_error(404)

    do_HEAD = do_GET

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def store() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), NotFound)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def test_an_address_inside_is_refused_without_a_connection(laptop: Laptop, store: str) -> None:
    laptop.apply(deployment("inside", f"https://{store}/model.joblib"))
    found = laptop.wait("inside", has_reason("URIForbidden"))
    assert store.split(":", maxsplit=1)[0] in condition(found, "Ready")["message"]


def test_a_store_without_the_model_is_named(tmp_path_factory: Any, store: str) -> None:
    engine = Laptop(
        data=tmp_path_factory.mktemp("data"), environment={"SLIPWAY_FETCH_ALLOW": store}
    )
    engine.start()
    try:
        uri = "s3://models/churn/model.joblib"
        access = {"endpoint": f"http://{store}", "region": "us-east-1"}
        engine.apply(deployment("gone", uri, model={"access": access}))
        found = engine.wait("gone", has_reason("ModelNotFound"))
        assert "churn/model.joblib" in condition(found, "Ready")["message"]
    finally:
        engine.stop()
