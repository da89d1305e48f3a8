"""`slipway get`: columns, formats, exit codes."""

import json

import pytest
import yaml

import cli_fake as fake
from slipway_operator.shown.columns import NARROW, WIDE


@pytest.fixture
def server() -> fake.FakeServer:
    server = fake.FakeServer()
    server.put("modeldeployments", fake.serving(fake.model("penguins")))
    return server


def test_the_columns_are_those_of_the_design(
    server: fake.FakeServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fake.run(server, monkeypatch, "get") == 0
    header, row = capsys.readouterr().out.splitlines()
    assert header.split() == [
        "NAME", "URL", "READY", "REASON", "STABLE", "CANARY", "WEIGHT", "REPLICAS", "AGE",
    ]  # fmt: skip
    assert row.split()[:5] == ["penguins", "http://127.0.0.1:8080", "True", "Serving", "7c1f"]
    for title in ("READY", "STABLE", "REPLICAS"):
        assert row[header.index(title)] != " ", "cells stand under their title"
    assert "\x1b" not in row, "no colour without a terminal"


def test_wide_adds_columns_and_all_namespaces_another(
    server: fake.FakeServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fake.run(server, monkeypatch, "get", "md", "-A", "-o", "wide") == 0
    header, row = capsys.readouterr().out.splitlines()
    assert header.split()[0] == "NAMESPACE"
    assert header.split()[-5:] == ["STEP", "RUNTIME", "FAULTS", "SINCE", "MESSAGE"]
    assert row.endswith("Revision 7c1f serves with 1 of 1 pods.")


def test_json_yaml_and_names_are_clean(
    server: fake.FakeServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fake.run(server, monkeypatch, "get", "penguins", "-o", "json") == 0
    assert json.loads(capsys.readouterr().out)["metadata"]["name"] == "penguins"
    assert fake.run(server, monkeypatch, "get", "-o", "json") == 0
    listed = json.loads(capsys.readouterr().out)
    assert (listed["kind"], len(listed["items"])) == ("List", 1)
    assert fake.run(server, monkeypatch, "get", "md/penguins", "-o", "yaml") == 0
    assert yaml.safe_load(capsys.readouterr().out)["kind"] == "ModelDeployment"
    assert fake.run(server, monkeypatch, "get", "-o", "name") == 0
    assert capsys.readouterr().out == "modeldeployment.slipway.dev/penguins\n"


def test_nothing_is_said_on_standard_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fake.run(fake.FakeServer(), monkeypatch, "get") == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == 'No modeldeployments in namespace "default".\n'


def test_a_missing_object_is_exit_code_3(
    server: fake.FakeServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fake.run(server, monkeypatch, "get", "nobody") == 3
    said = capsys.readouterr()
    assert 'Cannot get modeldeployment.slipway.dev "nobody"' in said.err
    assert said.out == ""


def test_watching_prints_a_row_for_each_change(
    server: fake.FakeServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def break_it(item: fake.Object) -> fake.Object:
        return fake.failing(item, "ModelNotFound", "There is no such file.")

    server.story = [break_it]
    client = server.client()
    monkeypatch.setattr("slipway_operator.cli.get.FOREVER", _soon())
    monkeypatch.setattr("slipway_operator.cli.target.connect", lambda **_: client)
    assert fake.run(server, monkeypatch, "get", "-w") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["NAME", "penguins", "penguins"]
    assert "ModelNotFound" in lines[2]


def test_a_canary_in_progress_fills_its_columns(
    server: fake.FakeServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    server.put("modeldeployments", fake.rolling(fake.model("penguins")))
    assert fake.run(server, monkeypatch, "get", "-o", "wide") == 0
    header, row = capsys.readouterr().out.splitlines()
    for title, cell in (("STABLE", "7c1f"), ("CANARY", "9e02"), ("WEIGHT", "25"), ("STEP", "2/4")):
        assert row[header.index(title) :].split()[0] == cell


def _soon() -> float:
    import time

    return time.monotonic() + 0.5


def test_a_watch_is_aligned_from_its_first_row_on(
    server: fake.FakeServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    server.put("modeldeployments", fake.model("a-model-with-quite-a-long-name"))
    client = server.client()
    monkeypatch.setattr("slipway_operator.cli.get.FOREVER", _soon())
    monkeypatch.setattr("slipway_operator.cli.target.connect", lambda **_: client)
    assert fake.run(server, monkeypatch, "get", "-w") == 0
    header, penguins, _ = capsys.readouterr().out.splitlines()
    assert header.index("URL") == penguins.index("http:")


def test_events_come_in_the_order_of_time(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    server = fake.FakeServer()
    for name, minute in (("a", 3), ("b", 1), ("c", 2)):
        moment = f"2026-01-02T03:0{minute}:00Z"
        server.put("events", {"metadata": {"name": name}, "reason": name, "eventTime": moment})
    assert fake.run(server, monkeypatch, "get", "events") == 0
    assert [line.split()[1] for line in capsys.readouterr().out.splitlines()[1:]] == ["b", "c", "a"]


def test_pods_and_events_have_columns_of_their_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    server = fake.FakeServer()
    pod = {
        "metadata": {"name": "p"},
        "spec": {"containers": [{"name": "serve"}]},
        "status": {"phase": "Running", "containerStatuses": [{"ready": True, "restartCount": 2}]},
    }
    server.put("pods", pod)
    assert fake.run(server, monkeypatch, "get", "pods") == 0
    assert capsys.readouterr().out.splitlines()[1].split()[:4] == ["p", "1/1", "Running", "2"]


def test_jobs_and_routes_have_columns_of_their_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    server = fake.FakeServer()
    server.put("jobs", {"metadata": {"name": "j"}, "status": {"succeeded": 1}})
    server.put("httproutes", {"metadata": {"name": "r"}, "spec": {"hostnames": ["a.b", "c.d"]}})
    assert fake.run(server, monkeypatch, "get", "jobs") == 0
    assert capsys.readouterr().out.splitlines()[1].split()[:2] == ["j", "1/1"]
    assert fake.run(server, monkeypatch, "get", "route") == 0
    assert capsys.readouterr().out.splitlines()[1].split()[:2] == ["r", "a.b,c.d"]


def test_printed_columns_are_closed_sets() -> None:
    assert set(WIDE) <= set(NARROW)
