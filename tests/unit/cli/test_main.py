"""The edge of the process: help, usage, bugs, start-up time, the kubectl plugin, targets."""

import subprocess
import sys
from pathlib import Path

import httpx
import pytest

import cli_fake as fake
from slipway_operator.cli import main, target
from slipway_operator.cli.client import Client
from slipway_operator.cli.errors import USAGE, CliError
from slipway_operator.cli.kinds import MODEL_DEPLOYMENT

VERBS = {
    "up", "down", "kubeconfig", "apply", "get", "describe", "delete", "logs", "predict", "convert",
    "check", "push", "version", "promote", "abort", "pause", "resume", "retry", "rollback",
    "history", "diff",
}  # fmt: skip
HEAVY = {"httpx", "yaml", "rich", "kubernetes", "starlette", "psutil", "msgspec", "asyncio"}


def verbs(app: object) -> set[str]:
    return {str(each.callback.__name__) for each in app.registered_commands}  # type: ignore[attr-defined]


def test_the_verbs_are_those_of_the_design() -> None:
    assert verbs(main.make_app(laptop=True)) == VERBS
    assert verbs(main.make_app(laptop=False)) == VERBS - {"up", "down", "kubeconfig"}


@pytest.mark.parametrize(
    "arguments", [["--nonsense"], ["get", "--nope"], ["apply"], ["get", "-o", "xml"]], ids=" ".join
)
def test_wrong_usage_is_exit_code_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.run(main.make_app(laptop=True), "slipway", arguments) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_help_names_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(main.make_app(laptop=True), "slipway", ["--help"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "3 not found, 4 timed out" in said


def test_version_is_quick_because_it_imports_little() -> None:
    code = (
        "import sys; from slipway_operator.cli import main\n"
        "code = main.run(main.make_app(laptop=True), 'slipway', ['version'])\n"
        "print(code, *sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    *lines, last = done.stdout.splitlines()
    code_text, *modules = last.split()
    assert (code_text, lines[0].split()[0]) == ("0", "slipway")
    assert HEAVY & set(modules) == set()


def test_a_bug_becomes_a_log_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(**_: object) -> Client:
        raise ZeroDivisionError("oh")

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(target, "connect", broken)
    assert main.run(main.make_app(laptop=True), "slipway", ["get"]) == 1
    said = capsys.readouterr().err
    assert "bug in slipway (ZeroDivisionError)" in said
    assert "Traceback" not in said
    (log,) = tmp_path.glob("slipway-bug-*.log")
    assert str(log) in said.replace("\n", "")
    assert "Traceback" in log.read_text()


def test_an_interrupt_is_exit_code_130(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(**_: object) -> Client:
        raise KeyboardInterrupt

    monkeypatch.setattr(target, "connect", interrupted)
    assert main.run(main.make_app(laptop=True), "slipway", ["get"]) == 130
    assert "Traceback" not in capsys.readouterr().err


def test_without_an_engine_it_says_how_to_start_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    app = main.make_app(laptop=True)
    assert main.run(app, "slipway", ["get", "--data", str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert f'No engine is running on data folder "{tmp_path}".' in said
    assert "slipway up" in said


def test_an_engine_that_died_is_called_that(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "engine.json").write_text('{"url": "http://127.0.0.1:1", "token": "t", "pid": 1}')
    app = main.make_app(laptop=True)
    assert main.run(app, "slipway", ["get", "--data", str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert f'The engine on data folder "{tmp_path}" has died.' in said
    assert "slipway up" in said


def test_an_engine_that_is_gone_is_one_sentence() -> None:
    def gone(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    client = fake.FakeServer().client()
    client._http = httpx.Client(transport=httpx.MockTransport(gone), base_url="http://h")
    with pytest.raises(CliError, match="no connection from the fake") as caught:
        client.get(MODEL_DEPLOYMENT, namespace="default", name="x")
    assert caught.value.todo == "Start it again."


KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: one
contexts:
- {name: one, context: {cluster: c, user: u, namespace: team}}
clusters:
- {name: c, cluster: {server: "http://127.0.0.1:1"}}
users:
- {name: u, user: {token: hush}}
"""


def test_a_kubeconfig_names_the_cluster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "config"
    file.write_text(KUBECONFIG)
    client = target.connect(data=None, context=None, kubeconfig=file, namespace=None)
    assert (client.namespace, client.is_laptop, client.user) == ("team", False, "u")
    assert client._http.headers["authorization"] == "Bearer hush"
    assert "context one" in client.place
    assert "hush" not in client.place

    app = main.make_app(laptop=False)
    assert main.run(app, "kubectl slipway", ["get", "--kubeconfig", str(file)]) == 1
    assert "http://127.0.0.1:1" in capsys.readouterr().err
    assert main.run(app, "kubectl slipway", ["get", "--kubeconfig", str(tmp_path / "no")]) == 2
    with pytest.raises(CliError, match="Cannot read the kubeconfig") as caught:
        target.connect(data=None, context="two", kubeconfig=file, namespace=None)
    assert caught.value.code == USAGE


def test_the_target_variable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text(KUBECONFIG)
    monkeypatch.setenv("KUBECONFIG", str(file))
    monkeypatch.setenv("SLIPWAY_TARGET", "moon")
    with pytest.raises(CliError, match="moon") as caught:
        target.connect(data=None, context=None, kubeconfig=None, namespace=None)
    assert caught.value.code == USAGE
    monkeypatch.setenv("SLIPWAY_TARGET", "cluster")
    client = target.connect(data=None, context=None, kubeconfig=file, namespace="mine")
    assert (client.namespace, client.is_laptop) == ("mine", False)
