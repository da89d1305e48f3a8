"""What the operator keeps in memory for nothing: libraries that it never calls."""

import subprocess
import sys

UNUSED = {"google.auth", "httpx", "oauthlib", "requests", "starlette", "uvicorn"}


def test_the_operator_imports_one_http_library_and_no_synchronous_client() -> None:
    program = (
        "import sys, slipway_operator.handlers.main\n"
        "from kubernetes.aio import client, config\n"
        "print(*sys.modules, sep='\\n')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    imported = set(done.stdout.split())
    assert {"aiohttp", "kopf", "kubernetes.aio.client"} <= imported
    assert imported & UNUSED == set()
