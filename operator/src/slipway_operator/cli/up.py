"""`slipway up`: start the laptop engine or join it, apply, wait, show; stay until Ctrl-C."""

import shutil
import signal
import time
from contextlib import suppress
from typing import Annotated

import typer

from slipway_operator.cli.options import Data, Namespace, Timeout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path
    from types import FrameType

    from rich.console import Console

    from slipway_operator.cli.client import Client
    from slipway_operator.cli.documents import Document
    from slipway_operator.cli.errors import CliError

LOOK_SECONDS = 1.0


def up(
    *,
    files: Annotated[
        list[str] | None,
        typer.Option("-f", "--filename", help="YAML or JSON file, folder, or - to apply."),
    ] = None,
    detach: Annotated[
        bool, typer.Option("--detach", help="Leave the engine running and come back.")
    ] = False,
    timeout: Timeout = 600.0,
    namespace: Namespace = None,
    data: Data = None,
) -> None:
    """Serve models on this machine: start or join the engine, apply files, show addresses."""
    from slipway_operator.cli.documents import gather_documents
    from slipway_operator.cli.errors import CliError, raise_all
    from slipway_operator.cli.screen import print_error, standard_error
    from slipway_operator.local.datafolder import resolve_data_folder
    from slipway_operator.local.launch import find_engine, stop_engine

    documents = gather_documents(files, namespace=namespace) if files else []
    folder = resolve_data_folder(data)
    console = standard_error()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    joined = find_engine(folder) is not None
    keep, started = joined, joined
    try:
        if not joined:
            _start(folder)
            started = True
        failures, answers = _serve(folder, namespace, documents, timeout, console, joined=joined)
        keep = joined or detach
        if not keep and (answers or not failures):
            # One model that fails is no reason to stop the others.
            for failure in failures:
                print_error(console, failure.message, failure.todo)
            console.print("Press Ctrl-C to stop.")
            _stay(folder)
            raise typer.Exit(failures[0].code if failures else 0)
    except CliError:
        keep = started and (joined or detach)
        raise
    finally:
        if keep:
            console.print("The engine goes on in the background; `slipway down` stops it.")
        elif started:
            stop_engine(folder)
            console.print("\nEverything is stopped; the objects are kept.")
    raise_all(failures)


def _stay(folder: "Path") -> None:
    """Return when the engine is gone, or at Ctrl-C."""
    from slipway_operator.local.launch import find_engine

    with suppress(KeyboardInterrupt):
        while find_engine(folder) is not None:
            time.sleep(LOOK_SECONDS)


def _start(folder: "Path") -> None:
    from slipway_operator.cli.errors import CliError
    from slipway_operator.local.errors import EngineRefused
    from slipway_operator.local.launch import start_engine

    try:
        start_engine(folder)
    except EngineRefused as error:
        raise CliError(str(error)) from error


def _serve(
    folder: "Path",
    namespace: str | None,
    documents: list["Document"],
    timeout_seconds: float,
    console: "Console",
    *,
    joined: bool,
) -> tuple[list["CliError"], bool]:
    """Apply, wait and show. What failed, and whether any model of the namespace answers."""
    from slipway_operator.cli.apply import apply_all
    from slipway_operator.cli.screen import standard_output
    from slipway_operator.cli.summary import print_summary
    from slipway_operator.cli.target import connect_laptop
    from slipway_operator.cli.waiting import wait_for_all

    client = connect_laptop(data=folder, namespace=namespace)
    console.print(f"{'Joined' if joined else 'Started'} the engine on {folder}")
    if shutil.which("kubectl"):
        console.print("For kubectl: export KUBECONFIG=$(slipway kubeconfig)")
    if not documents:
        return [], _print_models(client)
    models, failures = apply_all(client, documents, console)
    waited = wait_for_all(client, models, timeout_seconds=timeout_seconds, console=console)
    for item in waited.done:
        print_summary(standard_output(), item)
    return failures + waited.failures, _print_models(client)


def _print_models(client: "Client") -> bool:
    """The table of `get`; whether any of them answers."""
    from slipway_operator.cli.kinds import MODEL_DEPLOYMENT
    from slipway_operator.cli.screen import print_table, standard_output
    from slipway_operator.edges.clock import utc_now
    from slipway_operator.shown.columns import columns_of, find_condition, row_of

    items, _ = client.list(MODEL_DEPLOYMENT, namespace=client.namespace)
    if items:
        columns = columns_of(MODEL_DEPLOYMENT.name, wide=False, namespaces=False)
        rows = [row_of(item, columns, utc_now()) for item in items]
        print_table(standard_output(), [title for title, _ in columns], rows)
    return any(find_condition(item, "Available").get("status") == "True" for item in items)


def _interrupt(_number: int, _frame: "FrameType | None") -> None:
    raise KeyboardInterrupt
