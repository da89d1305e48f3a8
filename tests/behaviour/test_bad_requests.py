"""A bad request, sent through Envoy to a running model: a status, a sentence and a request id."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

import behaviour_models as models
from behaviour_terminal import Terminal, is_true

Post = Callable[..., httpx.Response]
GOOD = {"age": 70.0, "income": 3.0}


@pytest.fixture(scope="module")
def served(user: Terminal, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("models")
    path = models.classifier(folder / "model.joblib")
    country = models.one_hot(folder / "country.joblib")
    user.apply(user.document("served", path, serving={"maxBatchRows": 4, "maxRequestBytes": 2048}))
    reject = {"onViolation": "Reject"}
    user.apply(user.document("strict", country, contract=reject))
    user.apply(user.document("lenient", country))
    return {name: user.wait(name, is_true("Ready")) for name in ("served", "strict", "lenient")}


@pytest.fixture(scope="module")
def post(user: Terminal, served: dict[str, Any]) -> Post:
    """Asks one of them."""

    def ask(name: str = "served", path: str = "/predict", **how: Any) -> httpx.Response:
        return user.post(served[name], path, **how)

    return ask


ROWS: dict[str, tuple[int, dict[str, Any], tuple[str, ...]]] = {
    "not JSON": (
        400,
        {"content": b"{age:", "headers": {"content-type": "application/json"}},
        ("JSON",),
    ),
    "a missing column": (422, {"json": [{"age": 70.0}]}, ("income",)),
    "a wrong type": (422, {"json": [{"age": "seventy", "income": 3.0}]}, ("age",)),
    "too many rows": (413, {"json": [GOOD] * 5}, ("5", "4")),
    "too many bytes": (
        413,
        {"content": b" " * 4096, "headers": {"content-type": "application/json"}},
        ("2048",),
    ),
    "a pickle": (
        415,
        {"content": b"\x80\x04.", "headers": {"content-type": "application/vnd.python.pickle"}},
        ("application/json",),
    ),
    "an unknown path": (404, {"json": [], "path": "/nowhere"}, ()),
    "an unknown model": (404, {"json": {}, "path": "/v2/models/other/infer"}, ("other",)),
    "a wrong shape": (
        400,
        {
            "path": "/v2/models/served/infer",
            "json": {"inputs": [{"name": "X", "datatype": "FP32", "shape": [2, 1], "data": [1.0]}]},
        },
        ("shape",),
    ),
}


@pytest.mark.parametrize(("status", "how", "words"), ROWS.values(), ids=ROWS.keys())
def test_a_bad_request_is_explained(
    post: Post, status: int, how: dict[str, Any], words: tuple[str, ...]
) -> None:
    answer = post(**how)
    assert answer.status_code == status, answer.text
    for word in words:
        assert word in answer.text
    assert answer.headers["x-request-id"]
    assert "Traceback" not in answer.text
    # The server goes on.
    assert post(json=[GOOD]).json()["predictions"][0]["label"] == "old"


def test_an_unknown_category_is_refused_where_the_contract_says_so(post: Post) -> None:
    answer = post("strict", json=[{"country": "ES"}])
    assert answer.status_code == 422
    assert "country" in answer.text
    assert "ES" in answer.text


def test_an_unknown_category_is_answered_with_a_warning_by_default(post: Post) -> None:
    answer = post("lenient", json=[{"country": "DE"}, {"country": "ES"}])
    assert answer.status_code == 200
    violations = answer.json()["violations"]
    assert [(each["column"], each["rule"]) for each in violations] == [
        ("country", "UnknownCategory")
    ]


def test_every_answer_names_model_and_revision(post: Post, served: dict[str, Any]) -> None:
    answer = post(json=[GOOD])
    assert answer.headers["x-model-revision"] == served["served"]["status"]["stableRevision"]


def test_samples_on_disk_are_not_needed_to_ask(post: Post) -> None:
    text = "age,income\n70,3\n20,3\n"
    answer = post(content=text, headers={"content-type": "text/csv"})
    assert [row["label"] for row in answer.json()["predictions"]] == ["old", "young"]
