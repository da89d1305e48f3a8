"""One ModelDeployment drawn again and again on a terminal, until interrupted."""

import threading
import time
from typing import Final

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from slipway_operator.cli.client import Client, Object
from slipway_operator.cli.errors import NOT_FOUND, CliError
from slipway_operator.cli.kinds import LABEL_MODEL, MODEL_DEPLOYMENT, POD
from slipway_operator.edges.clock import utc_now
from slipway_operator.shown.tree import Line, Tone, render_tree

TICK_SECONDS: Final = 1.0  # ages go on by themselves
LEAST_SECONDS: Final = 0.2  # between two drawings, however much happens
STYLES: Final = {
    Tone.PLAIN: "",
    Tone.GOOD: "green",
    Tone.BAD: "red",
    Tone.BUSY: "cyan",
    Tone.WARNING: "yellow",
    Tone.TITLE: "bold",
}


class _Newest:
    """The newest state of one object, as a watch on another thread tells it."""

    def __init__(self, client: Client, name: str, item: Object, deadline: float) -> None:
        self.item = item
        self.failure: CliError | None = None
        self.is_over = False
        self._news = threading.Event()
        self._thread = threading.Thread(
            target=self._follow, args=(client, name, deadline), daemon=True
        )
        self._thread.start()

    def wait(self, seconds: float) -> None:
        """Until something is new, at most so long."""
        self._news.wait(seconds)
        self._news.clear()

    def _follow(self, client: Client, name: str, deadline: float) -> None:
        try:
            for change in client.follow(
                MODEL_DEPLOYMENT, namespace=client.namespace, name=name, deadline=deadline
            ):
                if change.kind == "DELETED":
                    self.failure = CliError(
                        f'modeldeployment "{name}" was deleted from {client.place}.',
                        code=NOT_FOUND,
                    )
                    return
                self.item = change.object
                self._news.set()
        except CliError as error:
            self.failure = error
        finally:
            self.is_over = True
            self._news.set()


def watch_tree(console: Console, client: Client, name: str, *, deadline: float) -> None:
    """Draw it with every change and every second; CliError when it is deleted or out of reach."""
    item = client.get(MODEL_DEPLOYMENT, namespace=client.namespace, name=name)
    newest = _Newest(client, name, item, deadline)
    with Live(console=console, auto_refresh=False) as live:
        while True:
            is_over = newest.is_over  # what came before the end is drawn as well
            pods, _ = client.list(POD, namespace=client.namespace, selector=f"{LABEL_MODEL}={name}")
            live.update(draw(render_tree(newest.item, pods, utc_now())), refresh=True)
            if is_over:
                break
            time.sleep(LEAST_SECONDS)
            newest.wait(TICK_SECONDS - LEAST_SECONDS)
    if newest.failure is not None:
        raise newest.failure


def draw(lines: list[Line]) -> Group:
    """Lines with the colours of their tones; only prose goes on in the next line."""
    return Group(*(_draw_line(line) for line in lines))


def _draw_line(line: Line) -> Text:
    text = Text(no_wrap=not line.is_prose, overflow="fold" if line.is_prose else "ellipsis")
    for piece in line.pieces:
        text.append(piece.text, style=STYLES[piece.tone])
    return text
