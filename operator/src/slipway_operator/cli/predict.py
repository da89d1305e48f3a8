"""`slipway predict`: ask a served model about the rows of a file.

Through its public address; a model of a cluster that has none is asked through the API server.
"""

import contextlib
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from slipway_operator.cli.options import Context, Data, Kubeconfig, Namespace

TYPE_CHECKING = False
if TYPE_CHECKING:
    import httpx

    from slipway_operator.cli.answers import Answers
    from slipway_operator.cli.client import Client, Object
    from slipway_operator.cli.rows import Rows

STANDARD_INPUT = "-"
DEFAULT_MAX_ROWS = 1024
DEFAULT_MAX_BYTES = 1 << 20
DEFAULT_SECONDS = 10


class AnswerFormat(StrEnum):
    """What `-o` may say."""

    JSON = "json"
    CSV = "csv"


def predict(
    *,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the ModelDeployment.")],
    file: Annotated[
        str, typer.Argument(metavar="FILE|-", help="CSV, JSON, JSON lines or Parquet.")
    ] = STANDARD_INPUT,
    output: Annotated[
        AnswerFormat | None,
        typer.Option("-o", "--output", help="Output format.", show_default="a table"),
    ] = None,
    timeout: Annotated[
        float | None,
        typer.Option(
            "--timeout",
            help="Give up on a request after so many seconds.",
            min=0.1,
            show_default="spec.serving.timeoutSeconds and 5 more",
        ),
    ] = None,
    via_api: Annotated[
        bool,
        typer.Option("--via-api", help="On a cluster: through the API server, not the gateway."),
    ] = False,
    namespace: Namespace = None,
    data: Data = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Send rows to a model and print its answers, with what its contract objects to."""
    from slipway_operator.cli.answers import format_csv, print_table
    from slipway_operator.cli.kinds import MODEL_DEPLOYMENT
    from slipway_operator.cli.rows import read_rows
    from slipway_operator.cli.screen import print_json, standard_error, standard_output, write
    from slipway_operator.cli.target import connect

    client = connect(data=data, context=context, kubeconfig=kubeconfig, namespace=namespace)
    item = client.get(MODEL_DEPLOYMENT, namespace=client.namespace, name=name.rpartition("/")[2])
    http, url = _way_to(client, item, via_api=via_api)
    content, source = _read(file)
    with contextlib.closing(http):
        answers = _ask(http, item, url, read_rows(content, source), timeout_seconds=timeout)
    if output is AnswerFormat.JSON:
        print_json({"predictions": answers.predictions, "violations": answers.violations})
    elif output is AnswerFormat.CSV:
        write(format_csv(answers))
    else:
        print_table(answers, standard_output())
    for line in answers.warnings() if output is not AnswerFormat.JSON else ():
        standard_error().print(line, style="yellow")


def _way_to(client: "Client", item: "Object", *, via_api: bool) -> "tuple[httpx.Client, str]":
    """Who asks, and the model's address for that."""
    import httpx

    url = _url_of(item)
    inside = ((item.get("status") or {}).get("addresses") or {}).get("inCluster")
    if not client.is_laptop and (via_api or url == inside):
        meta = item["metadata"]
        return client.through_api(namespace=meta["namespace"], service=meta["name"])
    return httpx.Client(trust_env=not url.startswith("http://127.")), url


def _url_of(item: "Object") -> str:
    from slipway_operator.cli.errors import CliError
    from slipway_operator.cli.story import advice
    from slipway_operator.shown.columns import find_condition

    name, url = item["metadata"]["name"], (item.get("status") or {}).get("url")
    if not url or find_condition(item, "Available").get("status") != "True":
        ready = find_condition(item, "Ready")
        why = f"{ready.get('reason')}: {ready.get('message')}" if ready else "it was just made."
        raise CliError(
            f'modeldeployment "{name}" cannot answer now: {why}',
            todo=advice(str(ready.get("reason"))) or f"Watch it: `slipway get {name} -w`.",
        )
    return str(url)


def _read(file: str) -> tuple[bytes, str]:
    from slipway_operator.cli.errors import USAGE, CliError

    if file == STANDARD_INPUT:
        if sys.stdin.isatty():
            sys.stderr.write("Reading rows from the terminal; end with Ctrl-D.\n")
        return sys.stdin.buffer.read(), "standard input"
    try:
        return Path(file).read_bytes(), f'file "{file}"'
    except OSError as error:
        raise CliError(f'Cannot read file "{file}": {error.strerror}.', code=USAGE) from error


def _ask(
    http: "httpx.Client",
    item: "Object",
    url: str,
    rows: "Rows",
    *,
    timeout_seconds: float | None,
) -> "Answers":
    from rich.progress import track

    from slipway_operator.cli.answers import Answers
    from slipway_operator.cli.screen import standard_error
    from slipway_operator.contract import PATH_PREDICT

    serving = (item.get("spec") or {}).get("serving") or {}
    requests = list(
        rows.requests(
            max_rows=int(serving.get("maxBatchRows") or DEFAULT_MAX_ROWS),
            max_bytes=int(serving.get("maxRequestBytes") or DEFAULT_MAX_BYTES),
        )
    )
    answers = Answers(predictions=[], violations=[])
    console = standard_error()
    seconds = timeout_seconds or float(serving.get("timeoutSeconds") or DEFAULT_SECONDS) + 5.0
    for count, body in track(
        requests,
        description="Asking",
        console=console,
        transient=True,
        disable=len(requests) == 1 or not console.is_terminal,
    ):
        start = len(answers.predictions)
        answer = _post(http, f"{url}{PATH_PREDICT}", body, rows.media_type, seconds=seconds)
        if answer.is_error:
            raise _refused(item, answer, first_row=start)
        answers.add(_json_of(answer), rows=count)
    return answers


def _post(
    http: "httpx.Client", url: str, body: bytes, media_type: str, *, seconds: float
) -> "httpx.Response":
    import httpx

    from slipway_operator.cli.errors import TIMEOUT, CliError

    headers = {"Content-Type": media_type, "Accept": "application/json"}
    try:
        return http.post(url, content=body, headers=headers, timeout=seconds)
    except httpx.TimeoutException as error:
        raise CliError(
            f"No answer from {url} within {seconds:g} s.",
            todo="Wait longer with --timeout, or send fewer rows (spec.serving.maxBatchRows).",
            code=TIMEOUT,
        ) from error
    except httpx.HTTPError as error:
        raise CliError(
            f"No answer from {url}: {str(error) or type(error).__name__}.",
            todo="Check `slipway get`; on a cluster, that this machine reaches the address, or ask "
            "through the API server with --via-api.",
        ) from error


def _json_of(answer: "httpx.Response") -> dict[str, Any]:
    try:
        found = answer.json()
    except ValueError:
        found = {}
    return found if isinstance(found, dict) else {}


def _refused(item: "Object", answer: "httpx.Response", *, first_row: int) -> Exception:
    from slipway_operator.cli.answers import violation_line
    from slipway_operator.cli.errors import CliError

    body = _json_of(answer)
    name = item["metadata"]["name"]
    message = str(body.get("error") or answer.text.strip() or f"HTTP {answer.status_code}")
    lines = [
        f"  {violation_line(each, first_row=first_row)}" for each in body.get("violations") or []
    ] or [f"  {message.rstrip('.')}."]
    return CliError(
        "\n".join([f'modeldeployment "{name}" refused the rows:', *lines]),
        todo=f"The columns and their limits: `slipway describe {name}`."
        if answer.status_code < 500
        else f"Look at `slipway logs {name}`.",
    )
