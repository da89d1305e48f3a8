"""`make store-demo`: the penguins out of a local S3, Azure and OCI registry, real servers all.

In folders of its own, so that it never touches the engine you may have. On a terminal it stays
until Ctrl-C; otherwise it ends by itself.
"""

import contextlib
import json
import os
import shlex
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests/support"))  # the servers that the tests run, too

from store_servers import Store, azurite, put_az, put_s3, registry, versitygw  # noqa: E402

SAMPLES = ROOT / "manifests/samples/stores"
EXAMPLE = ROOT / "examples/penguins"
PORTS = {"s3": 9000, "az": 10000, "oci": 5000}  # as the samples have them


def main() -> int:
    """Serve, ask, and end."""
    for port in PORTS.values():
        with contextlib.suppress(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
            print(f"Port {port} is taken; stop what listens there and try again.")
            return 1
    subprocess.run([sys.executable, ROOT / "examples/train_all.py", "penguins"], check=True)
    with (
        tempfile.TemporaryDirectory(prefix="slipway-stores-") as name,
        versitygw(Path(name) / "s3", port=PORTS["s3"]) as s3,
        azurite(Path(name) / "az", port=PORTS["az"]) as az,
        registry(Path(name) / "oci", port=PORTS["oci"]) as oci,
    ):
        stores = {"s3": s3, "az": az, "oci": oci}
        os.environ |= {
            "SLIPWAY_DATA": f"{name}/data",
            "SLIPWAY_FETCH_ALLOW": ",".join(store.address for store in stores.values()),
            "REGISTRY_USER": oci.secrets["username"],
            "REGISTRY_PASSWORD": oci.secrets["password"],
        }
        try:
            return _demonstrate(stores, Path(name) / "s3")
        except KeyboardInterrupt:
            print()
            return 0
        finally:
            subprocess.run(["slipway", "down", "--purge"], check=False, capture_output=True)


def _demonstrate(stores: dict[str, Store], s3_folder: Path) -> int:
    content = {
        f"penguins/{file}": (EXAMPLE / file).read_bytes()
        for file in ("model.joblib", "samples.csv")
    }
    put_s3(stores["s3"], "models", content, folder=s3_folder)
    put_az(stores["az"], "models", content)
    _show("export", f"SLIPWAY_FETCH_ALLOW={os.environ['SLIPWAY_FETCH_ALLOW']}")
    _run("slipway", "up", "--detach")
    print("\nThree Secrets, as docs/guides/stores.md has them:")
    for kind, store in stores.items():
        secret = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": f"models-{kind}"},
            "stringData": store.secrets,
        }
        subprocess.run(
            ["slipway", "apply", "-f", "-"], input=json.dumps(secret), text=True, check=True
        )
    model, samples = EXAMPLE / "model.joblib", EXAMPLE / "samples.csv"
    _run(
        "slipway", "push", model, f"oci://{stores['oci'].address}/demo/penguins:1",
        "--samples", samples, "--username-env", "REGISTRY_USER", "--password-env",
        "REGISTRY_PASSWORD",
    )  # fmt: skip
    _run("slipway", "apply", "--wait", "-f", SAMPLES)
    _run("slipway", "get")
    for kind in stores:
        _run("slipway", "predict", f"penguins-{kind}", EXAMPLE / "rows.csv")
    if sys.stdin.isatty() and sys.stdout.isatty():
        print("\nAll of it stays until you press Ctrl-C. In another terminal:")
        print(f"  export SLIPWAY_DATA={os.environ['SLIPWAY_DATA']} PATH={ROOT}/.venv/bin:$PATH")
        print("  slipway get -w")
        while True:
            time.sleep(1)
    return 0


def _run(*command: str | Path) -> None:
    _show(*command)
    subprocess.run(command, check=True, cwd=ROOT)


def _show(*command: str | Path) -> None:
    words = [str(each).removeprefix(f"{ROOT}/") for each in command]
    print(f"\n$ {shlex.join(words)}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
