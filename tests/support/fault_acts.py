"""What may happen to a request on its way to the API server; each is an act of a rule."""

import asyncio
import json
from collections.abc import Callable

from aiohttp import web

from fault_proxy import Act, Exchange

_REASONS = {
    403: "Forbidden",
    409: "Conflict",
    410: "Expired",
    422: "Invalid",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
}


def _tell(code: int) -> dict[str, object]:
    reason = _REASONS[code]
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": f"planted: {reason}",
        "reason": reason,
        "code": code,
    }


def answer(code: int, *, retry_after: int | None = None) -> Act:
    """Answer in the API server's place; it never hears of the request."""
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}

    async def act(_: Exchange) -> web.StreamResponse:
        return web.json_response(_tell(code), status=code, headers=headers)

    return act


def delay(seconds: float) -> Act:
    """Pass it late."""

    async def act(exchange: Exchange) -> web.StreamResponse:
        await asyncio.sleep(seconds)
        return await exchange.forward()

    return act


def drop(*, committed: bool) -> Act:
    """Close the connection; `committed`: after the API server has done what it was asked."""

    async def act(exchange: Exchange) -> web.StreamResponse:
        if committed:
            async with exchange.sent() as told:
                await told.read()
        return exchange.cut()

    return act


def call(hook: Callable[[], object], *, committed: bool) -> Act:
    """The same, with something that happens just then, such as the death of who asks."""

    async def act(exchange: Exchange) -> web.StreamResponse:
        if committed:
            async with exchange.sent() as told:
                await told.read()
        await asyncio.to_thread(hook)
        return exchange.cut()

    return act


def watch_error(code: int, *, before: Callable[[], object] | None = None) -> Act:
    """A watch that begins with an ERROR and ends; `before`: what nobody hears of."""

    async def act(exchange: Exchange) -> web.StreamResponse:
        if before is not None:
            await asyncio.to_thread(before)
        event = {"type": "ERROR", "object": _tell(code)}
        return web.Response(text=json.dumps(event) + "\n", content_type="application/json")

    return act


def truncate_watch() -> Act:
    """A watch whose first event ends in the middle, and the connection with it."""

    async def act(exchange: Exchange) -> web.StreamResponse:
        async with exchange.sent() as told:
            response = await exchange.begin(told)
            line = await told.content.readuntil(b"\n")
            await response.write(line[: len(line) // 2])
            await response.write_eof()
        return response

    return act


def silence_watch() -> Act:
    """A watch that is open, and tells nothing until it is cut or nobody listens."""

    async def act(exchange: Exchange) -> web.StreamResponse:
        async with exchange.sent() as told:
            response = await exchange.begin(told)
            await exchange.keep_open(_wait_until_gone(exchange))
        return response

    return act


async def _wait_until_gone(exchange: Exchange) -> None:
    transport = exchange.incoming.transport
    while transport is not None and not transport.is_closing():  # noqa: ASYNC110  no event tells
        await asyncio.sleep(0.1)
