"""Asks serving pods what they have counted, all at the same moment.

A pod may be slow, gone, or no pod of ours: each is asked for a moment and a bounded answer, and why
it could not be read is told in words.
"""

import asyncio
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Final, TypeVar

import aiohttp
import msgspec
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from slipway_operator.contract import (
    METRIC_LATENCY,
    METRIC_REQUESTS,
    METRIC_ROWS,
    METRIC_VIOLATIONS,
    PATH_ANSWERS,
    PATH_METRICS,
    SOURCE_DIRECT,
    SOURCE_MIRROR,
    SOURCE_ROUTE,
)
from slipway_operator.decide.analysis.ledger import Ledger
from slipway_operator.decide.analysis.shadow import Shadow
from slipway_operator.edges.clock import utc_now
from slipway_operator.state.answers import Answers
from slipway_operator.state.readings import Reading, Readings, Source

_SECONDS: Final = 1.5
_MOST_BYTES: Final = 1 << 20
_AT_ONCE: Final = 64
_LEAST_APART: Final = timedelta(seconds=1)  # a look for another reason is no tick
_OK: Final = 200
_SERVER_ERROR: Final = 500
_MOST_NUMBER: Final = 4 * 10**15  # of an answer: microseconds since 1970, until 2096
_USERS: Final = frozenset({SOURCE_ROUTE, SOURCE_DIRECT})
_COPIES: Final = frozenset({SOURCE_MIRROR})
T = TypeVar("T")


class Unreadable(Exception):
    """What a pod answered is not what it has counted; the text says why."""


async def read_pods(
    sources: Sequence[Source], *, ledger: Ledger | None, shadow: bool = False
) -> Readings | None:
    """What these pods have counted; None: there is none, or they were asked just now.

    Args:
        ledger: what is known of them.
        shadow: they are to tell their latest answers as well.
    """
    now = utc_now()
    if not sources or (ledger and ledger.at and now - ledger.at < _LEAST_APART):
        return None
    turns = asyncio.Semaphore(_AT_ONCE)
    timeout = aiohttp.ClientTimeout(total=_SECONDS)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        counts, answers = await asyncio.gather(
            _ask(session, turns, dict.fromkeys(sources, PATH_METRICS), _parse_page),
            _ask(session, turns, _list_questions(sources, ledger) if shadow else {}, parse_answers),
        )
    return Readings(
        at=now,
        found=tuple((source, one) for source, one in counts if not isinstance(one, str)),
        unread={source.pod: one for source, one in counts if isinstance(one, str)},
        answers=tuple((source, one) for source, one in answers if not isinstance(one, str)),
        unanswered={source.pod: one for source, one in answers if isinstance(one, str)},
    )


def _list_questions(sources: Sequence[Source], ledger: Ledger | None) -> dict[Source, str]:
    """What to ask each pod about its answers: to go on where it was read the last time."""
    shadow = ledger.shadow if ledger else Shadow()
    return {
        source: f"{PATH_ANSWERS}?after={shadow.cursors.get(source.uid, 0)}&keep={shadow.keep:g}"
        for source in sources
    }


async def _ask(
    session: aiohttp.ClientSession,
    turns: asyncio.Semaphore,
    paths: Mapping[Source, str],
    parse: Callable[[bytes], T],
) -> list[tuple[Source, T | str]]:
    """What pods told, or why that is not known."""
    found = await asyncio.gather(
        *(_read(session, turns, source, path, parse) for source, path in paths.items())
    )
    return list(zip(paths, found, strict=True))


async def _read(
    session: aiohttp.ClientSession,
    turns: asyncio.Semaphore,
    source: Source,
    path: str,
    parse: Callable[[bytes], T],
) -> T | str:
    """What one pod told, or why that is not known."""
    async with turns:
        try:
            url = f"http://{source.address}{path}"
            async with session.get(url, allow_redirects=False) as response:
                if response.status != _OK:
                    return f"it answered {response.status}"
                body = await response.content.read(_MOST_BYTES + 1)
                while not response.content.at_eof() and len(body) <= _MOST_BYTES:
                    body += await response.content.read(_MOST_BYTES + 1 - len(body))
        except TimeoutError:
            return f"no answer in {_SECONDS:g} s"
        except aiohttp.ClientConnectorError:
            return f"no connection to {source.address}"
        except (aiohttp.ClientError, OSError) as error:
            return (str(error) or type(error).__name__).rstrip(".")
    if len(body) > _MOST_BYTES:
        return f"it answered more than {_MOST_BYTES} bytes"
    try:
        return parse(body)
    except (Unreadable, ValueError) as error:
        return f"its answer cannot be read ({error})"


def _parse_page(body: bytes) -> Reading:
    return parse_reading(body.decode())


def parse_answers(body: bytes) -> Answers:
    """Read what a pod told of its latest answers.

    Raises:
        Unreadable: it is nothing of that kind, as from a server of an earlier version.
    """
    try:
        found = msgspec.json.decode(body, type=Answers)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Unreadable(f"no answers to compare: {error}") from error
    if not all(0 <= number < _MOST_NUMBER for number in (found.next, found.dropped, found.left)):
        raise Unreadable("no answers to compare: a number of them that cannot be")
    return found


def parse_reading(text: str) -> Reading:
    """Read a pod's answer in the text format of Prometheus.

    Raises:
        Unreadable: there is nothing of ours in it, or a count that is none.
        ValueError: it is not in that format.
    """
    families = {family.name: family for family in text_string_to_metric_families(text)}
    if METRIC_ROWS.removesuffix("_total") not in families:
        raise Unreadable(f"it has no {METRIC_ROWS}")
    users = _read_counts(families, _USERS)
    copies = _read_counts(families, _COPIES)
    return users if copies == Reading() else replace(users, mirrored=copies)


def _read_counts(families: Mapping[str, Metric], sources: frozenset[str]) -> Reading:
    """What was counted of the requests that came from these sources."""
    requests = errors = 0
    for labels, value in _list(families, METRIC_REQUESTS, "_total", sources):
        requests += value
        if int(labels.get("code", "0")) >= _SERVER_ERROR:
            errors += value
    violations = refused = 0
    for labels, value in _list(families, METRIC_VIOLATIONS, "_total", sources):
        violations += value
        if labels.get("policy") == "Reject":
            refused += value
    return Reading(
        requests=requests,
        errors=errors,
        latency=_merge(_list(families, METRIC_LATENCY, "_bucket", sources)),
        rows=sum(value for _, value in _list(families, METRIC_ROWS, "_total", sources)),
        violations=violations,
        refused=refused,
    )


def _list(
    families: Mapping[str, Metric], name: str, suffix: str, sources: frozenset[str]
) -> Iterable[tuple[dict[str, str], int]]:
    """The samples of a metric; a server that tells no source knows no copies."""
    family = families.get(name.removesuffix("_total"))
    for sample in family.samples if family else ():
        if sample.name.endswith(suffix) and sample.labels.get("source", SOURCE_DIRECT) in sources:
            if not (math.isfinite(sample.value) and sample.value >= 0):
                raise Unreadable(f"{sample.name} is {sample.value}")
            yield sample.labels, int(sample.value)


def _merge(buckets: Iterable[tuple[dict[str, str], int]]) -> tuple[tuple[float, int], ...]:
    """The histograms of all protocols and sources as one: how many took at most so many seconds."""
    merged: dict[float, int] = {}
    for labels, value in buckets:
        bound = float(labels.get("le", "nan"))
        if math.isnan(bound):
            raise Unreadable("a bucket has no bound")
        merged[bound] = merged.get(bound, 0) + value
    return tuple(sorted(merged.items()))
