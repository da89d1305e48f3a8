"""One client for laptop and cluster: Kubernetes' own REST over httpx.

Where it is connected to is decided in target.py; nothing here knows the difference.
"""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from slipway_operator.cli.errors import FAILED, NOT_FOUND, TIMEOUT, CliError, Refused
from slipway_operator.cli.kinds import Kind

Object = dict[str, Any]
FIELD_MANAGER = "slipway-cli"
WATCH_SECONDS = 300.0
RECONNECT_SECONDS = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One line of a watch: `kind` is ADDED, MODIFIED or DELETED."""

    kind: str
    object: Object


class Client:
    """Reads and writes objects. Every method raises CliError with a sentence and a next step."""

    def __init__(
        self,
        *,
        http: httpx.Client,
        namespace: str,
        place: str,
        is_laptop: bool,
        lost: str,
        user: str | None = None,
    ) -> None:
        """`place` names the target in messages; `lost` says what to do when it is gone; `user` is
        who gives commands, as far as that is known."""
        self._http = http
        self._lost = lost
        self.namespace = namespace
        self.place = place
        self.is_laptop = is_laptop
        self.user = user

    def list(
        self, kind: Kind, *, namespace: str | None, selector: str | None = None
    ) -> tuple[list[Object], str]:
        """All objects of a kind (None: in every namespace) and the list's resourceVersion."""
        query = {"labelSelector": selector} if selector else {}
        body = self._ask("GET", kind.path(namespace=namespace), f"list {kind.plural}", params=query)
        items = [
            {"apiVersion": kind.api_version, "kind": kind.name, **item}
            for item in body.get("items") or []
        ]
        return items, str((body.get("metadata") or {}).get("resourceVersion", ""))

    def get(self, kind: Kind, *, namespace: str, name: str) -> Object:
        """One object."""
        path = kind.path(namespace=namespace, name=name)
        return self._ask("GET", path, f'get {kind.full_name} "{name}"')

    def apply(self, kind: Kind, *, namespace: str, document: Mapping[str, Any]) -> Object:
        """Server-side apply of a whole document, as field manager `slipway-cli`."""
        name = str(document["metadata"]["name"])
        return self._ask(
            "PATCH",
            kind.path(namespace=namespace, name=name),
            f'apply {kind.full_name} "{name}"',
            params={
                "fieldManager": FIELD_MANAGER,
                "force": "true",
                "fieldValidation": "Strict",
            },
            content=json.dumps(document).encode(),
            headers={"Content-Type": "application/apply-patch+yaml"},
        )

    def annotate(
        self, kind: Kind, *, namespace: str, name: str, annotations: Mapping[str, str]
    ) -> Object:
        """Set annotations by one merge patch; nothing else of the object is touched."""
        return self._ask(
            "PATCH",
            kind.path(namespace=namespace, name=name),
            f'annotate {kind.full_name} "{name}"',
            params={"fieldManager": FIELD_MANAGER},
            content=json.dumps({"metadata": {"annotations": dict(annotations)}}).encode(),
            headers={"Content-Type": "application/merge-patch+json"},
        )

    def delete(self, kind: Kind, *, namespace: str, name: str) -> None:
        """Delete one object; what it owns goes with it."""
        path = kind.path(namespace=namespace, name=name)
        self._ask("DELETE", path, f'delete {kind.full_name} "{name}"')

    def follow(
        self, kind: Kind, *, namespace: str | None, name: str | None, deadline: float
    ) -> Iterator[Change]:
        """The objects as they are now, then every change, until `deadline` (monotonic seconds).

        Survives ends of the watch by listing again; an object already shown is not repeated, and
        one that was deleted meanwhile is told as deleted.
        """
        seen: dict[str, Object] = {}
        while time.monotonic() < deadline:
            items, version = self.list(kind, namespace=namespace)
            gone = set(seen)
            for item in items:
                gone.discard(item["metadata"]["uid"])
                if _is_news(seen, item, name):
                    yield Change(kind="MODIFIED", object=item)
            for uid in gone:
                yield Change(kind="DELETED", object=seen.pop(uid))
            for change in self._watch(kind, namespace, version, deadline):
                if change.kind == "DELETED":
                    if seen.pop(change.object["metadata"]["uid"], None) is not None:
                        yield change
                elif _is_news(seen, change.object, name):
                    yield change
            time.sleep(min(RECONNECT_SECONDS, max(0.0, deadline - time.monotonic())))

    def log(self, *, namespace: str, pod: str, container: str, follow: bool) -> Iterator[str]:
        """Lines of a container's log, without their newline."""
        path = f"/api/v1/namespaces/{namespace}/pods/{pod}/log"
        query = {"container": container, **({"follow": "true"} if follow else {})}
        action = f'read the log of pod "{pod}"'
        try:
            with self._http.stream("GET", path, params=query, timeout=_endless()) as answer:
                if answer.is_error:
                    answer.read()
                    raise _refusal(answer, action)
                yield from answer.iter_lines()
        except httpx.HTTPError as error:
            raise self._unreachable(error, action) from error

    def through_api(self, *, namespace: str, service: str) -> tuple[httpx.Client, str]:
        """How to ask a Service by way of the API server; it takes the right `services/proxy`."""
        root = str(self._http.base_url).rstrip("/")
        return self._http, f"{root}/api/v1/namespaces/{namespace}/services/{service}:80/proxy"

    def _watch(
        self, kind: Kind, namespace: str | None, version: str, deadline: float
    ) -> Iterator[Change]:
        left = max(0.1, min(WATCH_SECONDS, deadline - time.monotonic()))
        query = {"watch": "1", "resourceVersion": version, "timeoutSeconds": str(int(left) + 1)}
        path = kind.path(namespace=namespace)
        try:
            with self._http.stream("GET", path, params=query, timeout=_endless(left)) as answer:
                if answer.is_error:
                    return
                for line in answer.iter_lines():
                    event = json.loads(line)
                    if event["type"] == "ERROR":
                        return
                    if event["type"] != "BOOKMARK":
                        yield Change(kind=event["type"], object=event["object"])
        except (httpx.ReadTimeout, httpx.RemoteProtocolError, httpx.ReadError):
            return
        except httpx.HTTPError as error:
            raise self._unreachable(error, f"watch {kind.plural}") from error

    def _ask(self, method: str, path: str, action: str, **how: Any) -> Object:
        try:
            answer = self._http.request(method, path, **how)
        except httpx.HTTPError as error:
            raise self._unreachable(error, action) from error
        if answer.is_error:
            raise _refusal(answer, action)
        body: Object = answer.json()
        return body

    def _unreachable(self, error: httpx.HTTPError, action: str) -> CliError:
        if isinstance(error, httpx.TimeoutException):
            return CliError(
                f"Cannot {action}: no answer in time from {self.place} ({error}).",
                todo="It is very busy: look with `slipway get`, then try again.",
                code=TIMEOUT,
            )
        return CliError(
            f"Cannot {action}: no connection from {self.place} ({error}).", todo=self._lost
        )


def _is_news(seen: dict[str, Object], item: Object, name: str | None) -> bool:
    meta = item["metadata"]
    if name is not None and meta["name"] != name:
        return False
    known = seen.get(meta["uid"])
    seen[meta["uid"]] = item
    return known is None or known["metadata"].get("resourceVersion") != meta.get("resourceVersion")


def _endless(read: float | None = None) -> httpx.Timeout:
    return httpx.Timeout(10.0, read=read)


def _refusal(answer: httpx.Response, action: str) -> Refused:
    """A `kind: Status` as a sentence."""
    try:
        body = answer.json()
    except ValueError:
        body = {}
    if not isinstance(body, dict):
        body = {}
    message = str(body.get("message") or f"the server answered {answer.status_code}")
    causes = (body.get("details") or {}).get("causes") or []
    if causes:
        return refuse_for(action, causes, status=answer.status_code)
    return Refused(
        f"Cannot {action}: {message.rstrip('.')}.",
        todo=_TODO.get(answer.status_code),
        code=NOT_FOUND if answer.status_code == 404 else FAILED,
        status=answer.status_code,
    )


def refuse_for(action: str, causes: Sequence[Mapping[str, Any]], *, status: int) -> Refused:
    """Every mistake on a line of its own; `causes` as in the details of a `kind: Status`."""
    lines = [f"  {_cause_line(cause)}" for cause in causes]
    found = f"{len(lines)} mistake{'s' if len(lines) > 1 else ''}"
    return Refused(
        "\n".join([f"Cannot {action}: {found}.", *lines]), todo=_TODO.get(422), status=status
    )


def _cause_line(cause: Mapping[str, Any]) -> str:
    """`FieldUnknown: spec.replica is not a field of spec. …`; the field only where it is new."""
    field, message = str(cause.get("field") or ""), str(cause.get("message") or "")
    told = message if message.startswith(field) else f"{field}: {message}"
    reason = str(cause.get("reason") or "")
    return f"{reason}: {told}" if reason else told


_TODO = {
    401: "Log in again, or check the token of this context.",
    403: "Ask the owner of the cluster for the right that is missing.",
    404: "`slipway get -A` lists what there is.",
    422: "Correct the fields and apply again; what runs was not touched.",
}
