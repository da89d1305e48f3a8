"""Answers that are none of an API server, and those that say it failed."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import yaml
from aiohttp import web

from slipway_operator.edges.kubernetes.api import ApiRefused, ApiUnreachable, KubernetesApi
from slipway_operator.edges.kubernetes.resources import MODEL

HANG_SECONDS = 10
Answer = Callable[[web.Request], Awaitable[web.Response]]
CHURN = {"metadata": {"name": "churn", "namespace": "n", "uid": "u", "resourceVersion": "1"}}


@contextlib.asynccontextmanager
async def answered_by(tell: Answer, folder: Path) -> AsyncIterator[KubernetesApi]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", tell)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    api = await KubernetesApi.connect(
        write_kubeconfig(folder / "config", port=runner.addresses[0][1])
    )
    try:
        yield api
    finally:
        await api.close()
        await runner.cleanup()


@pytest.mark.parametrize("body", ["<html>Sign in</html>", '{"items": [', "[]", '"ok"'])
def test_what_is_no_json_of_the_server_is_no_answer(body: str, tmp_path: Path) -> None:
    async def tell(_: web.Request) -> web.Response:
        return web.Response(text=body)

    async def main() -> None:
        async with answered_by(tell, tmp_path) as api:
            with pytest.raises(ApiUnreachable, match="not the API server's"):
                await api.list(MODEL)
            with pytest.raises(ApiUnreachable, match="not the API server's"):
                await api.find(MODEL, "churn", namespace="n")

    asyncio.run(main())


@pytest.mark.parametrize(
    "ask",
    [
        lambda api: api.list(MODEL),
        lambda api: api.find(MODEL, "churn", namespace="n"),
        lambda api: api.replace(MODEL, CHURN),
        lambda api: api.delete(MODEL, CHURN),
    ],
    ids=["list", "get", "put", "delete"],
)
@pytest.mark.parametrize("status", [500, 503])
def test_a_failure_is_told_and_never_hidden_by_asking_again(
    ask: Callable[[KubernetesApi], Awaitable[object]], status: int, tmp_path: Path
) -> None:
    asked: list[str] = []

    async def tell(request: web.Request) -> web.Response:
        asked.append(request.method)
        return web.json_response({"message": "planted"}, status=status)

    async def main() -> None:
        async with answered_by(tell, tmp_path) as api, asyncio.timeout(HANG_SECONDS):
            with pytest.raises(ApiRefused, match="planted"):
                await ask(api)

    asyncio.run(main())
    assert len(asked) == 1


def write_kubeconfig(path: Path, *, port: int) -> Path:
    cluster = {"name": "c", "cluster": {"server": f"http://127.0.0.1:{port}"}}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [cluster],
        "users": [{"name": "u", "user": {}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    path.write_text(yaml.safe_dump(document))
    return path
