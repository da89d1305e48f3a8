"""Real stores on loopback: S3 and Azure that check signatures, an OCI registry with logins."""

import base64
import contextlib
import email.utils
import hashlib
import hmac
import os
import secrets
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import bcrypt
import obstore
from obstore.store import AzureStore, S3Store

from fetch_servers import free_port
from store_programs import AZURITE, REGISTRY, VERSITYGW, installed, node

HANG_SECONDS = 60.0
_HTTP = {"allow_http": True}


@dataclass(frozen=True, kw_only=True)
class Store:
    """A running store: its `HOST:PORT`, what clients take as endpoint, and the Secret's keys."""

    address: str
    endpoint: str
    secrets: dict[str, str]


@contextlib.contextmanager
def versitygw(folder: Path, *, port: int | None = None) -> Iterator[Store]:
    """S3 over the folder: versitygw."""
    address = f"127.0.0.1:{port or free_port()}"
    keys = {
        "AWS_ACCESS_KEY_ID": "planted-id",
        "AWS_SECRET_ACCESS_KEY": f"planted-{secrets.token_hex(16)}",
        "AWS_REGION": "us-east-1",
    }
    folder.mkdir(exist_ok=True)
    command = [str(installed(VERSITYGW)), "--port", address, "--quiet", "posix", str(folder)]
    environment = {
        "ROOT_ACCESS_KEY": keys["AWS_ACCESS_KEY_ID"],
        "ROOT_SECRET_KEY": keys["AWS_SECRET_ACCESS_KEY"],
    }
    with _running(command, address, environment):
        yield Store(address=address, endpoint=f"http://{address}", secrets=keys)


def put_s3(store: Store, bucket: str, objects: Mapping[str, bytes], *, folder: Path) -> None:
    """Make a bucket (a folder of versitygw) and put objects into it."""
    (folder / bucket).mkdir(exist_ok=True)
    client = S3Store(
        bucket,
        endpoint=store.endpoint,
        region=store.secrets["AWS_REGION"],
        access_key_id=store.secrets["AWS_ACCESS_KEY_ID"],
        secret_access_key=store.secrets["AWS_SECRET_ACCESS_KEY"],
        client_options=_HTTP,
    )
    for key, content in objects.items():
        obstore.put(client, key, content)


@contextlib.contextmanager
def azurite(folder: Path, *, port: int | None = None) -> Iterator[Store]:
    """Azure Blob Storage: azurite, with an account of its own."""
    address = f"127.0.0.1:{port or free_port()}"
    account, key = "slipwaytest", base64.b64encode(secrets.token_bytes(32)).decode()
    host, _, number = address.partition(":")
    command = [
        node(), str(installed(AZURITE)), "--blobHost", host, "--blobPort", number,
        "--inMemoryPersistence", "--silent", "--skipApiVersionCheck", "--disableTelemetry",
    ]  # fmt: skip
    folder.mkdir(exist_ok=True)
    with _running(command, address, {"AZURITE_ACCOUNTS": f"{account}:{key}"}, folder=folder):
        yield Store(
            address=address,
            endpoint=f"http://{address}/{account}",
            secrets={"AZURE_STORAGE_ACCOUNT": account, "AZURE_STORAGE_KEY": key},
        )


def azure_client(store: Store, container: str) -> AzureStore:
    """A client with the account's key."""
    return AzureStore(
        config={
            "container_name": container,
            "account_name": store.secrets["AZURE_STORAGE_ACCOUNT"],
            "account_key": store.secrets["AZURE_STORAGE_KEY"],
            "endpoint": store.endpoint,
        },
        client_options=_HTTP,
    )


def put_az(
    store: Store, container: str, objects: Mapping[str, bytes], *, public: bool = False
) -> None:
    """Make a container and put blobs into it; `public`: readable without a key."""
    account, key = store.secrets["AZURE_STORAGE_ACCOUNT"], store.secrets["AZURE_STORAGE_KEY"]
    headers = {
        "x-ms-date": email.utils.formatdate(usegmt=True),
        "x-ms-version": "2021-12-02",
        **({"x-ms-blob-public-access": "blob"} if public else {}),
    }
    # The string to sign of the Blob service, for a request without a body.
    signed = "\n".join(
        ["PUT", *[""] * 11, *(f"{name}:{value}" for name, value in sorted(headers.items())),
         f"/{account}/{account}/{container}", "restype:container"]
    )  # fmt: skip
    digest = hmac.new(base64.b64decode(key), signed.encode(), hashlib.sha256).digest()
    headers["Authorization"] = f"SharedKey {account}:{base64.b64encode(digest).decode()}"
    url = f"{store.endpoint}/{container}?restype=container"
    with urllib.request.urlopen(
        urllib.request.Request(url, method="PUT", headers=headers), timeout=HANG_SECONDS
    ):
        pass
    for name, content in objects.items():
        obstore.put(azure_client(store, container), name, content)


@contextlib.contextmanager
def registry(
    folder: Path, *, auth: str = "", tls: Path | None = None, port: int | None = None
) -> Iterator[Store]:
    """An OCI registry; `auth` is the YAML of its section, by default one user with a password."""
    address = f"127.0.0.1:{port or free_port()}"
    user, password = "planted-user", f"planted-{secrets.token_hex(8)}"
    folder.mkdir(exist_ok=True)
    hashed = bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()
    (folder / "htpasswd").write_text(f"{user}:{hashed}\n")
    auth = auth or f"htpasswd: {{realm: test, path: {folder}/htpasswd}}"
    encrypted = f", tls: {{certificate: {tls}, key: {tls}}}" if tls else ""
    (folder / "config.yml").write_text(
        "version: 0.1\nlog: {accesslog: {disabled: true}, level: error}\n"
        f"storage: {{filesystem: {{rootdirectory: {folder}/data}}}}\n"
        f'http: {{addr: "{address}"{encrypted}}}\nauth: {{{auth}}}\n'
    )
    command = [str(installed(REGISTRY)), "serve", str(folder / "config.yml")]
    with _running(command, address, {"OTEL_TRACES_EXPORTER": "none"}):
        yield Store(
            address=address,
            endpoint=f"{'https' if tls else 'http'}://{address}",
            secrets={"username": user, "password": password},
        )


@contextlib.contextmanager
def _running(
    command: list[str], address: str, environment: Mapping[str, str], *, folder: Path | None = None
) -> Iterator[None]:
    """The program, from when it listens until it has ended."""
    host, _, port = address.partition(":")
    process = subprocess.Popen(
        command,
        env={**os.environ, **environment},
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + HANG_SECONDS
        while True:
            try:
                socket.create_connection((host, int(port)), timeout=1).close()
                break
            except OSError:
                assert process.poll() is None, f"{command[0]} ended with {process.returncode}"
                assert time.monotonic() < deadline, f"{command[0]} does not listen"
                time.sleep(0.05)
        yield
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
