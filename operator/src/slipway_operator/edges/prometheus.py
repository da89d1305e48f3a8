"""Asks a Prometheus, or what answers like one, by its HTTP API: instant queries alone.

https://prometheus.io/docs/prometheus/latest/querying/api/. It may be slow, gone, or no Prometheus:
it is asked for a moment and a bounded answer, and what is wrong is told in words, in its own where
it has some.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Literal, Self

import aiohttp
import msgspec

from slipway_operator.settings import PrometheusAddress

_SECONDS: Final = 5.0
_MOST_BYTES: Final = 8 << 20
_MOST_WORDS: Final = 300
_PATH: Final = "/api/v1/query"
_OK: Final = 200
_DENIED: Final = frozenset({401, 403})


class PrometheusSilent(Exception):
    """It gave no answer that can be used; the text says why, without a full stop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A series and its value."""

    labels: Mapping[str, str]
    value: float


class _Series(msgspec.Struct, frozen=True):
    value: tuple[float, str]
    metric: dict[str, str] = {}


class _Vector(msgspec.Struct, frozen=True, tag_field="resultType", tag="vector"):
    result: list[_Series]


class _Scalar(msgspec.Struct, frozen=True, tag_field="resultType", tag="scalar"):
    result: tuple[float, str]


class _Matrix(msgspec.Struct, frozen=True, tag_field="resultType", tag="matrix"):
    pass


class _String(msgspec.Struct, frozen=True, tag_field="resultType", tag="string"):
    pass


class _Answer(msgspec.Struct, frozen=True):
    status: Literal["success", "error"]
    data: _Vector | _Scalar | _Matrix | _String | None = None
    error: str = ""


class Prometheus:
    """One that is asked, for as long as the block lasts; all at the same moment of its clock."""

    def __init__(self, address: PrometheusAddress) -> None:
        self._address = address
        self._name = f"Prometheus at {address.url}"
        self._at: float | None = None
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        timeout = aiohttp.ClientTimeout(total=_SECONDS)
        self._session = aiohttp.ClientSession(timeout=timeout)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def read_clock(self) -> float:
        """The moment at which everything is asked for, in seconds of its clock.

        Raises:
            PrometheusSilent
        """
        if self._at is None:
            told = [sample.value for sample in await self._ask("time()", at=None)]
            if len(told) != 1 or not math.isfinite(told[0]):
                raise PrometheusSilent(f"{self._name} does not tell the time")
            self._at = told[0]
        return self._at

    async def query(self, expression: str) -> tuple[Sample, ...]:
        """What an instant query finds; a scalar is a series without labels.

        Raises:
            PrometheusSilent: it did not answer, refuses the query, or answers no instant vector.
        """
        return await self._ask(expression, at=await self.read_clock())

    async def _ask(self, expression: str, *, at: float | None) -> tuple[Sample, ...]:
        asked = {"query": expression} if at is None else {"query": expression, "time": f"{at:.3f}"}
        status, body = await self._post(asked)
        if status in _DENIED:
            raise PrometheusSilent(f"{self._name} answered {status}: it wants another token")
        try:
            answer = msgspec.json.decode(body, type=_Answer)
        except (msgspec.DecodeError, UnicodeDecodeError):
            detail = f"answered {status}" if status != _OK else "gave an answer of another form"
            raise PrometheusSilent(f"{self._name} {detail}") from None
        match answer.data:
            case _ if answer.status == "error":
                words = _shorten(answer.error) or f"error {status}"
                raise PrometheusSilent(
                    f'Prometheus refuses "{_shorten(expression)}": {words.rstrip(".")}'
                )
            case _Vector(result):
                return tuple(
                    Sample(labels=series.metric, value=_read_number(series.value[1]))
                    for series in result
                )
            case _Scalar((_, value)):
                return (Sample(labels={}, value=_read_number(value)),)
            case other:
                kind = "nothing" if other is None else f"a {other.__struct_config__.tag}"
                raise PrometheusSilent(
                    f'"{_shorten(expression)}" gives {kind}, where an instant vector is needed'
                )

    async def _post(self, asked: Mapping[str, str]) -> tuple[int, bytes]:
        assert self._session is not None, "used outside of its block"  # noqa: S101
        url = self._address.url.rstrip("/") + _PATH
        try:
            headers = self._authorize()
            async with self._session.post(
                url, data=asked, headers=headers, allow_redirects=False
            ) as response:
                body = bytearray()
                async for chunk in response.content.iter_chunked(1 << 16):
                    body += chunk
                    if len(body) > _MOST_BYTES:
                        raise PrometheusSilent(
                            f"{self._name} answered more than {_MOST_BYTES} bytes"
                        )
                return response.status, bytes(body)
        except TimeoutError:
            raise PrometheusSilent(f"no answer of {self._name} in {_SECONDS:g} s") from None
        except aiohttp.ClientConnectorError:
            raise PrometheusSilent(f"no connection to {self._name}") from None
        except (aiohttp.ClientError, OSError) as error:
            words = (str(error) or type(error).__name__).rstrip(".")
            raise PrometheusSilent(f"{self._name}: {words}") from None

    def _authorize(self) -> dict[str, str]:
        """With the token as it is now: files of Secrets change."""
        if self._address.token_file is None:
            return {}
        path = Path(self._address.token_file)
        try:
            token = path.read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError):
            raise PrometheusSilent(f'the token of {self._name}, "{path}", cannot be read') from None
        if not token or not token.isprintable():
            what = "is no single line" if token else "is empty"
            raise PrometheusSilent(f'the token of {self._name}, "{path}", {what}')
        return {"Authorization": f"Bearer {token}"}


def _read_number(text: str) -> float:
    """A value as Prometheus writes it: 12, 1e+06, NaN, +Inf."""
    try:
        return float(text)
    except ValueError:
        return math.nan


def _shorten(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= _MOST_WORDS else words[: _MOST_WORDS - 1] + "…"
