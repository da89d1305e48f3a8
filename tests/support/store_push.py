"""Pushes files into a registry of the tests, as `slipway push` does."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from store_servers import Store

RUNTIME = Path(sys.executable).with_name("slipway-runtime")


def run_push(
    store: Store, file: Path, to: str, *options: str, environment: dict[str, str] | None = None
) -> dict[str, Any]:
    """The last document that `slipway-runtime push` prints; `to` is REPOSITORY[:TAG]."""
    done = subprocess.run(
        [str(RUNTIME), "push", str(file), f"oci://{store.address}/{to}", *options],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={
            **os.environ,
            "SLIPWAY_FETCH_ALLOW": getattr(store, "allow", store.address),
            "REGISTRY_USER": store.secrets["username"],
            "REGISTRY_PASSWORD": store.secrets["password"],
            **(environment or {}),
        },
    )
    assert "Traceback" not in done.stderr, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert done.returncode == (0 if found["ok"] else 1)
    return found


def push(store: Store, file: Path, to: str, *, samples: Path | None = None) -> str:
    """The address by digest of what was pushed."""
    options = ["--username-env", "REGISTRY_USER", "--password-env", "REGISTRY_PASSWORD"]
    if samples is not None:
        options += ["--samples", str(samples)]
    found = run_push(store, file, to, *options)
    assert found["ok"], found
    return str(found["uri"])
