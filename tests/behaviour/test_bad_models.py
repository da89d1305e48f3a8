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
from behaviour_laptop import Laptop
from behaviour_terminal import Terminal, condition, deployment, has_reason, is_true

ZEROS = "sha256:" + "0" * 64


@dataclass(frozen=True, kw_only=True)
class Bad:
    """How to make its document, what must be said, and which words the sentence must hold."""

    make: Callable[[Path], dict[str, Any]]
    reason: str
    words: tuple[str, ...]


def other_digest(folder: Path) -> dict[str, Any]:
    return {"path": models.regression(folder / "model.joblib"), "model": {"digest": ZEROS}}


def truncated(folder: Path) -> dict[str, Any]:
    path = models.classifier(folder / "model.joblib")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return {"path": path}


def a_web_page(folder: Path) -> dict[str, Any]:
    (folder / "model.joblib").write_text("<!DOCTYPE html><html><body>Sign in</body></html>")
    return {"path": folder / "model.joblib"}


def not_a_model(folder: Path) -> dict[str, Any]:
    joblib.dump({"weights": [1, 2, 3]}, folder / "model.joblib")
    return {"path": folder / "model.joblib"}


def unknown_class(folder: Path) -> dict[str, Any]:
    text = pickle.dumps(models.LinearRegression(), protocol=2)
    old, new = (
        b"csklearn.linear_model._base\nLinearRegression\n",
        b"cour_company.models\nChurnNet\n",
    )
    assert old in text
    (folder / "model.pkl").write_bytes(text.replace(old, new))
    return {"path": folder / "model.pkl"}


def no_converter(folder: Path) -> dict[str, Any]:
    path = models.without_converter(folder / "model.joblib")
    samples = models.samples(folder / "samples.csv")
    return {"path": path, "samples": samples, "model": {"runtime": "ONNX"}}


def wrong_conversion(folder: Path) -> dict[str, Any]:
    path, samples = models.silently_wrong(folder)
    return {"path": path, "samples": samples, "model": {"runtime": "ONNX"}}


def samples_lack_a_column(folder: Path) -> dict[str, Any]:
    path = models.classifier(folder / "model.joblib")
    samples = models.samples(folder / "samples.csv", columns=["age"])
    return {"path": path, "samples": samples}


def pickle_not_allowed(folder: Path) -> dict[str, Any]:
    path = models.classifier(folder / "model.joblib")
    return {"path": path, "model": {"unpickle": "Never"}}


ROWS = {
    "digest mismatch": Bad(make=other_digest, reason="DigestMismatch", words=(ZEROS[:20],)),
    "truncated file": Bad(make=truncated, reason="ModelUnreadable", words=("cut short",)),
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


@pytest.fixture(scope="module")
def deployed(user: Terminal, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """All of them at once, each with its name."""
    names = {row: f"bad-{number}" for number, row in enumerate(ROWS)}
    for row, name in names.items():
        made = ROWS[row].make(tmp_path_factory.mktemp(name))
        said = user.apply(user.document(name, **made))
        assert said.code == 0, said.text
    return names


@pytest.mark.parametrize("row", ROWS)
def test_a_bad_model_is_explained_in_one_line(
    user: Terminal, deployed: dict[str, str], row: str
) -> None:
    name, bad = deployed[row], ROWS[row]
    found = user.wait(name, has_reason(bad.reason))
    ready = condition(found, "Ready")
    assert ready["status"] == "False"
    for word in bad.words:
        assert word in ready["message"]
    # One line in `get`, the sentence in `describe`.
    assert bad.reason in user.run("get", name).out
    assert ready["message"][:60] in " ".join(user.run("describe", name).out.split())


def test_the_last_good_revision_answers_and_fixing_the_document_heals(
    user: Terminal, tmp_path: Path
) -> None:
    good = models.classifier(tmp_path / "good.joblib")
    user.apply(user.document("heals", good))
    before = user.wait("heals", is_true("Ready"))
    row = {"age": 70, "income": 3}
    assert user.post(before, "/predict", json=[row]).json()["predictions"][0]["label"] == "old"

    (tmp_path / "broken.joblib").write_bytes(b"not a model")
    user.apply(user.document("heals", tmp_path / "broken.joblib"))
    broken = user.wait("heals", has_reason("ModelUnreadable"))
    # The old one still serves and says so; this generation does not.
    assert condition(broken, "Available")["status"] == "True"
    assert condition(broken, "UpToDate")["status"] == "False"
    assert user.post(broken, "/predict", json=[row]).json()["predictions"][0]["label"] == "old"

    fixed = models.classifier(tmp_path / "fixed.joblib", flip=True)
    user.apply(user.document("heals", fixed))
    after = user.wait("heals", is_true("UpToDate"))
    assert user.post(after, "/predict", json=[row]).json()["predictions"][0]["label"] == "young"


def test_a_model_without_converter_is_served_natively_with_the_reason(
    user: Terminal, tmp_path: Path
) -> None:
    path = models.without_converter(tmp_path / "model.joblib")
    samples = models.samples(tmp_path / "samples.csv")
    user.apply(user.document("native", path, samples=samples))
    found = user.wait("native", is_true("Ready"))
    assert found["status"]["runtime"] == "Native"
    reason = condition(found, "ModelReady")
    assert (reason["status"], reason["reason"]) == ("True", "NativeFallback")
    assert "PolynomialCountSketch" in reason["message"]
    row = {"age": 40.0, "income": 5.0}
    answer = user.post(found, "/predict", json=[row]).json()["predictions"][0]["value"]
    expected = joblib.load(path).predict(models.pd.DataFrame([row]))[0]
    assert answer == pytest.approx(expected, rel=1e-9)


def test_a_file_that_is_not_there_is_named(laptop: Laptop, tmp_path: Path) -> None:
    laptop.apply(laptop.document("missing", tmp_path / "nowhere.joblib"))
    found = laptop.wait("missing", has_reason("ModelNotFound"))
    assert "nowhere.joblib" in condition(found, "Ready")["message"]
    assert "ModelNotFound" in laptop.run("get", "missing").out


class NotFound(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_error(404)

    do_HEAD = do_GET

    def log_message(self, *_: object) -> None:
        pass


def test_an_empty_file_is_told(laptop: Laptop, tmp_path: Path) -> None:
    # into a registry it does not get: `push` refuses it
    (tmp_path / "model.joblib").write_bytes(b"")
    laptop.apply(laptop.document("empty", tmp_path / "model.joblib"))
    found = laptop.wait("empty", has_reason("ModelUnreadable"))
    assert "empty" in condition(found, "Ready")["message"]


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
