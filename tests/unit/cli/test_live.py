"""`slipway get NAME -w` on a terminal: a tree that is drawn anew; without one, lines."""

import io
import time

import pytest
from rich.console import Console

import cli_fake as fake
from slipway_operator.cli import get, live, screen
from slipway_operator.cli.errors import CliError
from slipway_operator.shown.tree import Line, Piece, Tone

Patch = pytest.MonkeyPatch


@pytest.fixture
def server(monkeypatch: Patch) -> fake.FakeServer:
    for variable in ("NO_COLOR", "FORCE_COLOR", "TERM"):
        monkeypatch.delenv(variable, raising=False)
    server = fake.FakeServer()
    server.put("modeldeployments", fake.rolling(fake.model("penguins")))
    server.put(
        "pods",
        {
            "metadata": {
                "name": "penguins-r9e02",
                "labels": {"slipway.dev/model": "penguins", "slipway.dev/revision": "9e02bb22cc"},
            },
            "status": {"phase": "Running"},
        },
    )
    return server


def terminal() -> Console:
    return Console(
        file=io.StringIO(), force_terminal=True, color_system="standard", width=100, height=30
    )


def shown(console: Console) -> str:
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


def test_each_change_is_drawn_in_place(server: fake.FakeServer) -> None:
    def pause(item: fake.Object) -> fake.Object:
        item["status"]["rollout"] |= {"state": "Paused", "paused": "Paused"}
        return item

    server.story = [pause]
    console = terminal()
    live.watch_tree(console, server.client(), "penguins", deadline=time.monotonic() + 0.5)
    said = shown(console)
    assert "\x1b[33m॥ Paused" in said, "in yellow"
    assert "penguins-r9e02" in said
    assert "\x1b[1A" in said, "over what was drawn before"


def test_no_color_is_honoured(server: fake.FakeServer, monkeypatch: Patch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    console = terminal()
    live.watch_tree(console, server.client(), "penguins", deadline=time.monotonic())
    assert "◌ Observing" in shown(console)
    assert "\x1b[36m" not in shown(console)


def test_it_ends_when_the_model_is_deleted(server: fake.FakeServer) -> None:
    server.story = [None]
    with pytest.raises(CliError, match="was deleted from the fake") as caught:
        live.watch_tree(terminal(), server.client(), "penguins", deadline=time.monotonic() + 30)
    assert caught.value.code == 3


def test_it_ends_when_the_server_refuses(server: fake.FakeServer) -> None:
    server.refusals["GET modeldeployments"] = fake.refusal(403, "you may not")
    with pytest.raises(CliError, match="you may not"):
        live.watch_tree(terminal(), server.client(), "penguins", deadline=time.monotonic() + 30)


def test_only_prose_goes_on_in_the_next_line() -> None:
    console = Console(file=io.StringIO(), width=20)
    long = (Piece("word " * 6, Tone.PLAIN),)
    console.print(live.draw([Line(long, is_prose=True), Line(long)]))
    assert shown(console).splitlines() == [
        "word word word word ",
        "word word ",
        "word word word word…",
    ]


@pytest.mark.parametrize("arguments", [["penguins"], ["md/penguins"]], ids=" ".join)
def test_one_model_on_a_terminal_is_live(
    server: fake.FakeServer, monkeypatch: Patch, arguments: list[str]
) -> None:
    console = terminal()
    monkeypatch.setattr(screen, "standard_output", lambda: console)
    monkeypatch.setattr(get, "FOREVER", time.monotonic())
    assert fake.run(server, monkeypatch, "get", *arguments, "-w") == 0
    assert "├─ 9e02bb22cc" in shown(console)


@pytest.mark.parametrize(
    "arguments", [["pod", "penguins-r9e02"], [], ["penguins", "-o", "wide"]], ids=" ".join
)
def test_all_else_is_lines(
    server: fake.FakeServer, monkeypatch: Patch, arguments: list[str]
) -> None:
    console = terminal()
    monkeypatch.setattr(screen, "standard_output", lambda: console)
    monkeypatch.setattr(get, "FOREVER", time.monotonic() + 0.1)
    assert fake.run(server, monkeypatch, "get", *arguments, "-w") == 0
    assert "NAME" in shown(console)
    assert "├─" not in shown(console)


def test_a_deletion_between_two_watches_is_told(server: fake.FakeServer) -> None:
    changes = server.client().follow(
        live.MODEL_DEPLOYMENT,
        namespace="default",
        name="penguins",
        deadline=time.monotonic() + 5,
    )
    assert next(changes).kind == "MODIFIED"
    server.objects.clear()
    change = next(changes)
    assert (change.kind, change.object["metadata"]["name"]) == ("DELETED", "penguins")
