"""Objects of a cluster, read through one `kubectl proxy` that stays.

Tests wait by looking again and again. A kubectl for each look costs 0.2 s of a processor, which is
then missing where the work is done; a request through a proxy costs a hundredth of that, and the
proxy signs in as kubectl does, whatever the kubeconfig says.
"""

import atexit
import functools
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx

Object = dict[str, Any]
_HANG_SECONDS = 300.0
_DISCOVERY = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


class Refused(Exception):
    """The cluster refused; the text is what it, or kubectl, said."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A namespaced kind that can be listed; `names` are those that kubectl knows it by."""

    api_version: str
    kind: str
    plural: str
    names: frozenset[str]

    def path(self, namespace: str) -> str:
        """Where its objects of a namespace are."""
        root = "apis" if "/" in self.api_version else "api"
        return f"/{root}/{self.api_version}/namespaces/{namespace}/{self.plural}"


class Reader:
    """Reads as long as this process lives."""

    def __init__(self, kubectl_path: str, kubeconfig: Path) -> None:
        folder = tempfile.TemporaryDirectory()
        socket = Path(folder.name) / "api"
        command = [
            kubectl_path,
            "--kubeconfig",
            str(kubeconfig),
            "proxy",
            f"--unix-socket={socket}",
        ]
        proxy = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        self._http = httpx.Client(
            transport=httpx.HTTPTransport(uds=str(socket)),
            base_url="http://localhost",
            timeout=_HANG_SECONDS,
        )
        self._kinds: tuple[Kind, ...] = ()

        def end() -> None:
            self._http.close()
            proxy.kill()
            proxy.wait()
            folder.cleanup()

        atexit.register(end)
        deadline = time.monotonic() + _HANG_SECONDS
        while not socket.exists():
            assert proxy.poll() is None, "kubectl proxy ended"
            assert time.monotonic() < deadline, "kubectl proxy does not listen"
            time.sleep(0.02)

    def list_kinds(self) -> tuple[Kind, ...]:
        """Every namespaced kind that the API server can list just now.

        Raises:
            Refused: it does not tell.
        """
        found = [self._ask(root, accept=_DISCOVERY) for root in ("/api", "/apis")]
        self._kinds = tuple(kind for told in found for kind in _read_kinds(told))
        return self._kinds

    def get(self, kind: str, namespace: str, name: str) -> Object:
        """One object, without who wrote what; `kind` as kubectl takes it.

        Raises:
            Refused: there is none, or no such kind.
        """
        found = self._find(kind)
        return _complete(found, self._ask(f"{found.path(namespace)}/{name}"), managed=False)

    def list(
        self, kind: str | Kind, namespace: str, *, selector: str = "", managed: bool = False
    ) -> list[Object]:
        """The objects of a kind with these labels; `managed`: with who wrote what.

        Raises:
            Refused: there is no such kind.
        """
        meant = self._find(kind) if isinstance(kind, str) else kind
        told = self._ask(meant.path(namespace), **({"labelSelector": selector} if selector else {}))
        return [_complete(meant, item, managed=managed) for item in told["items"]]

    def judge(self, namespace: str, document: Object) -> str:
        """What the API server says against making an object, as kubectl asks it; nothing if not."""
        path = self._find(document["kind"].lower()).path(namespace)
        query = {"dryRun": "All", "fieldValidation": "Strict"}
        answer = self._http.post(path, params=query, json=document)
        return "" if answer.is_success else str(answer.json()["message"])

    def _find(self, name: str) -> Kind:
        for kinds in (lambda: self._kinds, self.list_kinds):
            for kind in kinds():
                if name in kind.names:
                    return kind
        raise Refused(f"the server doesn't have a resource type {name!r}")

    def _ask(self, path: str, *, accept: str = "application/json", **query: str) -> Object:
        try:
            answer = self._http.get(path, params=query, headers={"Accept": accept})
        except httpx.HTTPError as error:
            raise Refused(f"{path}: {error}") from error
        if answer.status_code != HTTPStatus.OK:
            raise Refused(f"{path}: {answer.text}")
        told: Object = answer.json()
        return told


@functools.cache
def reader_of(kubectl_path: str, kubeconfig: Path) -> Reader:
    """The one reader of a cluster in this process."""
    return Reader(kubectl_path, kubeconfig)


def _read_kinds(told: Object) -> Iterator[Kind]:
    """The kinds of an `APIGroupDiscoveryList`, each in the version that its group prefers."""
    for group in told["items"]:
        group_name = (group.get("metadata") or {}).get("name", "")
        seen: set[str] = set()
        for version in group["versions"]:
            for one in version.get("resources", ()):
                plural = one["resource"]
                if one["scope"] != "Namespaced" or "list" not in one["verbs"] or plural in seen:
                    continue
                seen.add(plural)
                api = f"{group_name}/{version['version']}" if group_name else version["version"]
                names = {plural, one.get("singularResource", plural), *one.get("shortNames", ())}
                yield Kind(
                    api_version=api,
                    kind=one["responseKind"]["kind"],
                    plural=plural,
                    names=frozenset(names | {f"{plural}.{group_name}"}),
                )


def _complete(kind: Kind, obj: Object, *, managed: bool) -> Object:
    """The items of a list do not say what they are."""
    metadata = dict(obj["metadata"])
    if not managed:
        metadata.pop("managedFields", None)
    return {**obj, "apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata}
