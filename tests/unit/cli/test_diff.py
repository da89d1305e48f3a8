"""`slipway diff`: what the answers to copied requests say, and what to do where there are none."""

import json
from typing import Any

import pytest
import yaml

import cli_fake as fake
from slipway_operator.shown.shadows import list_segments

Capture = pytest.CaptureFixture[str]
Patch = pytest.MonkeyPatch
SHADOW = {
    "pairs": 1240,
    "disagreements": 38,
    "unmatched": 16,
    "examples": [
        {
            "requestId": "2f7c-1",
            "inputs": '{"island":"[red]Dream","mass":null}',
            "stable": '{"label":"Adelie"}',
            "canary": "HTTP 500",
        }
    ],
    "segments": [
        {"column": "island", "value": "Dream", "pairs": 400, "disagreements": 31},
        {"column": "mass", "value": "(missing)", "pairs": 20, "disagreements": 9},
    ],
}


def serve(shadow: Any = None, *, state: str = "Shadowing", **rollout: Any) -> fake.FakeServer:
    server = fake.FakeServer()
    item = fake.rolling(fake.model("penguins"), state)
    item["spec"]["rollout"] |= rollout
    if shadow is not None:
        item["status"]["analysis"]["shadow"] = shadow
    server.put("modeldeployments", item)
    return server


@pytest.mark.parametrize("words", [["penguins"], ["md/penguins"], ["modeldeployment", "penguins"]])
def test_what_differs_is_told_where_and_how(
    monkeypatch: Patch, capsys: Capture, words: list[str]
) -> None:
    assert fake.run(serve(SHADOW), monkeypatch, "diff", *words) == 0
    out = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    for line in (
        "Stable: 7c1f00aa11",
        "Canary: 9e02bb22cc",
        "Compared: 1240 requests; 16 copies had no partner",
        "Differ: 38 of 1240 (3.06 %; 95 % interval 2.24 % to 4.18 %)",
        "COLUMN VALUE DIFFER OF ROWS RATE",
        "island Dream 31 400 7.75 %",
        "mass (missing) 9 20 45.00 %",
        "REQUEST STABLE CANARY INPUTS",
        '2f7c-1 {"label":"Adelie"} HTTP 500 {"island":"[red]Dream","mass":null}',
    ):
        assert line in out
    assert any(line.startswith("Evidence: as of ") for line in out)


def test_what_was_taken_back_is_named_as_well(monkeypatch: Patch, capsys: Capture) -> None:
    server = serve(SHADOW, state="RolledBack")
    status = server.objects["modeldeployments", "default", "penguins"]["status"]
    del status["canaryRevision"]
    status["history"] = [{"revision": "9e02bb22cc", "outcome": "Aborted"}]
    assert fake.run(server, monkeypatch, "diff", "penguins") == 0
    out = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "Canary: 9e02bb22cc, Aborted" in out
    status["history"] = []
    assert fake.run(server, monkeypatch, "diff", "penguins") == 0
    assert "Canary" not in capsys.readouterr().out.partition("REQUEST")[0]


def test_without_differences_there_are_no_tables(monkeypatch: Patch, capsys: Capture) -> None:
    assert fake.run(serve({"pairs": 500, "disagreements": 0}), monkeypatch, "diff", "penguins") == 0
    out = capsys.readouterr().out
    assert "500 requests\n" in out
    assert "0 of 500 (0.00 %; 95 % interval 0.00 % to 0.76 %)" in out
    assert "COLUMN" not in out
    assert "REQUEST" not in out


@pytest.mark.parametrize(("form", "read"), [("json", json.loads), ("yaml", yaml.safe_load)])
@pytest.mark.parametrize("shadow", [SHADOW, None])
def test_a_program_gets_the_evidence_as_it_is(
    *, monkeypatch: Patch, capsys: Capture, form: str, read: Any, shadow: Any
) -> None:
    assert fake.run(serve(shadow), monkeypatch, "diff", "penguins", "-o", form) == 0
    assert read(capsys.readouterr().out) == shadow


@pytest.mark.parametrize(
    ("state", "rollout", "words"),
    [
        ("Observing", {}, 'modeldeployment "penguins" has no shadow; add the step {type: Shadow,'),
        ("Shadowing", {}, "has a shadow, but no two answers were compared so far; wait for"),
        ("Stable", {"steps": [{"type": "Shadow"}]}, "has no shadow now; one begins with"),
        ("Stable", {"strategy": "Shadow"}, "has no shadow now; one begins with"),
        (
            "Stable",
            {"strategy": "Shadow", "steps": [{"type": "Weight"}]},
            "has no shadow; add the step",
        ),
    ],
)
def test_where_there_is_none_it_is_told_what_to_do(
    *, monkeypatch: Patch, capsys: Capture, state: str, rollout: dict[str, Any], words: str
) -> None:
    server = serve(state=state, **rollout)
    assert fake.run(server, monkeypatch, "diff", "penguins") == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert words in " ".join(said.err.split())


def test_a_model_that_is_not_there_is_not_found(monkeypatch: Patch) -> None:
    assert fake.run(serve(), monkeypatch, "diff", "walrus") == 3


def test_a_segment_without_rows_has_no_rate() -> None:
    assert list_segments({"segments": [{"column": "a", "value": "b"}]})[0][-1] == "–"
