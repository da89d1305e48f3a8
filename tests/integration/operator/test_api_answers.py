"""A success that is no answer of an API server: a login page of a proxy, half a body."""

import asyncio
from pathlib import Path

import pytest
import yaml
from aiohttp import web

from slipway_operator.edges.kubernetes.api import ApiUnreachable, KubernetesApi
from slipway_operator.edges.kubernetes.resources import MODEL


@pytest.mark.parametrize("body", ["<html>Sign in</html>", '{"items": [', "[]", '"ok"'])
def test_what_is_no_json_of_the_server_is_no_answer(body: str, tmp_path: Path) -> None:
    async def tell(_: web.Request) -> web.Response:
        return web.Response(text=body)

    async def main() -> None:
        app = web.Application()
        app.router.add_get("/{path:.*}", tell)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        api = await KubernetesApi.connect(
            write_kubeconfig(tmp_path / "config", port=runner.addresses[0][1])
        )
        try:
            with pytest.raises(ApiUnreachable, match="not the API server's"):
                await api.list(MODEL)
            with pytest.raises(ApiUnreachable, match="not the API server's"):
                await api.find(MODEL, "churn", namespace="n")
        finally:
            await api.close()
            await runner.cleanup()

    asyncio.run(main())


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
