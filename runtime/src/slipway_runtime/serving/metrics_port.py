"""The port that pods are watched by: what is counted, and answers to compare."""

from collections.abc import Callable, Iterable
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl

from prometheus_client import CollectorRegistry, start_http_server

from slipway_runtime.contract import PATH_ANSWERS
from slipway_runtime.serving.metrics import Metrics
from slipway_runtime.serving.recorder import Recorder

_FIELDS = 8  # of a query, at most
_DIGITS = 16  # of a number that JSON keeps


class QueryInvalid(Exception):
    """What was asked for cannot be read; the text says why."""


def serve_metrics(
    metrics: Metrics, recorder: Recorder, *, bind: str, port: int
) -> tuple[Any, Thread]:
    """Serve GET /answers, and what was counted at every other path, from a thread of its own.

    Returns:
        The server and its thread.

    Raises:
        OSError: the port cannot be listened on.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(metrics)
    server, thread = start_http_server(port, bind, registry)
    counted: Any = server.get_app()

    def answer(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"] != PATH_ANSWERS:
            found: Iterable[bytes] = counted(environ, start)
            return found
        code, media_type, body = _answer(environ, recorder)
        start(code, [("Content-Type", media_type), ("Content-Length", str(len(body)))])
        return [body]

    server.set_app(answer)
    return server, thread


def _answer(environ: dict[str, Any], recorder: Recorder) -> tuple[str, str, bytes]:
    if environ["REQUEST_METHOD"] != "GET":
        return "405 Method Not Allowed", "text/plain", f"Use GET {PATH_ANSWERS}.\n".encode()
    try:
        after, keep = read_query(environ.get("QUERY_STRING", ""))
    except QueryInvalid as error:
        return "400 Bad Request", "text/plain; charset=utf-8", f"{error}\n".encode()
    return "200 OK", "application/json", recorder.read(after, keep)


def read_query(text: str) -> tuple[int, float]:
    """`after` (0 where absent) and `keep` (1 where absent) of a query.

    Raises:
        QueryInvalid: a field that is neither, or a value that cannot be.
    """
    try:
        pairs = parse_qsl(
            text, keep_blank_values=True, strict_parsing=bool(text), max_num_fields=_FIELDS
        )
    except ValueError as error:
        raise QueryInvalid(
            f"The query cannot be read; ask {PATH_ANSWERS}?after=0&keep=1."
        ) from error
    found = dict(pairs)
    if len(found) < len(pairs) or not found.keys() <= {"after", "keep"}:
        raise QueryInvalid(f"{PATH_ANSWERS} takes after and keep, each once, and nothing else.")
    after, keep = found.get("after", "0"), found.get("keep", "1")
    if not (after.isascii() and after.isdigit() and len(after) <= _DIGITS):
        raise QueryInvalid(f"after must be a whole number of at most {_DIGITS} digits.")
    try:
        share = float(keep)
    except ValueError:
        share = 0.0
    if not 0 < share <= 1:
        raise QueryInvalid("keep must be a share greater than 0, up to 1.")
    return int(after), share
