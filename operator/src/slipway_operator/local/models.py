"""The reconcile loop of ModelDeployments: observe the store, plan, execute into the store.

Level-triggered by uid. Intents before effects: children are applied before the status speaks of
them, the status is written once, events come last. All decisions are the core's (``plan``).
"""

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from slipway_operator.api.parse import parse_modeldeployment
from slipway_operator.api.reasons import say
from slipway_operator.contract import ENV_FETCH_ALLOW
from slipway_operator.decide.analysis.ledger import Ledger
from slipway_operator.edges.chance import draw_token
from slipway_operator.edges.clock import utc_now
from slipway_operator.edges.config_rules import is_web_address
from slipway_operator.edges.queue import KeyedLoop
from slipway_operator.local.artifacts import read_artifacts
from slipway_operator.local.changes import Change
from slipway_operator.local.datafolder import DataFolder
from slipway_operator.local.errors import Cause, Conflict, NotFound
from slipway_operator.local.events import record_event
from slipway_operator.local.kinds import EVENT, MODEL_DEPLOYMENT, POD, SECRET, find_kind
from slipway_operator.local.objects import key_of, name_of, namespace_of, uid_of
from slipway_operator.local.store import Store
from slipway_operator.lookups import (
    is_compared,
    list_pods_to_read,
    list_questions,
    list_secrets,
    name_override_secret,
)
from slipway_operator.plan import Apply, Delete, make_plan
from slipway_operator.resources.override import build_override, is_override_of, read_override
from slipway_operator.settings import PrometheusAddress, Settings
from slipway_operator.state.identity import LABEL_UID
from slipway_operator.state.observed import Observed, Refusal
from slipway_operator.state.readings import Readings
from slipway_operator.steering.world import read_owner

if TYPE_CHECKING:
    from slipway_operator.edges.evidence import EvidenceReader

log = logging.getLogger(__name__)

Object = dict[str, Any]
MANAGER: Final = "slipway"
ENV_PROMETHEUS: Final = "SLIPWAY_PROMETHEUS_URL"


class ModelController:
    """Carries out plans for every ModelDeployment of one store."""

    def __init__(self, *, store: Store, data: DataFolder) -> None:
        self._store, self._data = store, data
        self._settings = Settings.laptop(
            artifact_store=f"oci-layout://{data.artifacts}",
            fetch_allow=read_fetch_allow(os.environ.get(ENV_FETCH_ALLOW, "")),
            prometheus=read_prometheus(os.environ.get(ENV_PROMETHEUS, "")),
        )
        self._evidence: EvidenceReader | None = None
        self._ledgers: dict[str, Ledger] = {}
        self._loop = KeyedLoop(name="model", handler=self._reconcile)

    def notice(self, change: Change) -> None:
        """Wake the models that a change concerns."""
        if change.kind is MODEL_DEPLOYMENT:
            self._loop.wake(uid_of(change.object))
        elif change.kind is SECRET:
            for model in self._store.list(MODEL_DEPLOYMENT, namespace=namespace_of(change.object)):
                self._loop.wake(uid_of(model))
        elif change.kind is not EVENT:
            uid = (change.object["metadata"].get("labels") or {}).get(LABEL_UID)
            if uid is not None:
                self._loop.wake(uid)

    def resync(self) -> None:
        """Wake every model."""
        for model in self._store.list(MODEL_DEPLOYMENT):
            self._loop.wake(uid_of(model))

    async def close(self) -> None:
        """Stop working."""
        await self._loop.close()

    async def _reconcile(self, uid: str) -> float | None:
        asked = self._store.find_by_uid(MODEL_DEPLOYMENT, uid)
        if asked is None:
            self._forget(uid)
            return None
        readings = await self._read(asked)
        # What was asked for may have changed in the meantime.
        asked = self._store.find_by_uid(MODEL_DEPLOYMENT, uid)
        if asked is None:
            return None
        plan = make_plan(
            asked=asked,
            observed=replace(self._observe(asked), readings=readings, **self._keep_override(asked)),
            settings=self._settings,
            now=utc_now(),
            ledger=self._ledgers.get(uid),
        )
        if plan.ledger is None:
            self._forget(uid)
        else:
            self._ledgers[uid] = plan.ledger
        for action in plan.actions:
            self._execute(action)
        if plan.status is not None:
            self._store.set_status(
                MODEL_DEPLOYMENT, namespace_of(asked), name_of(asked), uid, plan.status
            )
        for event in plan.events:
            record_event(
                self._store,
                MODEL_DEPLOYMENT,
                asked,
                type_=event.type,
                reason=event.reason,
                message=event.message,
                now=utc_now(),
            )
            log.info("%s %s: %s", key_of(asked), event.reason, event.message)
        return plan.requeue_after_seconds

    async def _read(self, asked: Object) -> Readings | None:
        """What pods have counted, for a rollout that is judged by it."""
        pods = self._store.list(POD, namespace=namespace_of(asked))
        sources = list_pods_to_read(asked, pods)
        if not sources:
            return None
        if self._evidence is None:
            from slipway_operator.edges.evidence import EvidenceReader  # aiohttp, for this alone

            self._evidence = EvidenceReader(self._settings)
        ledger = self._ledgers.get(uid_of(asked))
        return await self._evidence.read(
            sources, list_questions(asked), ledger=ledger, shadow=is_compared(asked)
        )

    def _forget(self, uid: str) -> None:
        self._ledgers.pop(uid, None)
        if self._evidence is not None:
            self._evidence.forget(uid)

    def _keep_override(self, asked: Object) -> dict[str, Any]:
        """The token of requests that choose the new revision, where some may; made once."""
        name, owner = name_override_secret(asked), read_owner(asked)
        if name is None:
            return {}
        found = self._store.find(SECRET, owner.namespace, name)
        if found is not None and not is_override_of(found, owner=owner):
            message = say("NameConflict", kind=SECRET.kind, object=name)
            return {"refusal": Refusal(reason="NameConflict", message=message)}
        token = None if found is None else read_override(found)
        if token is None:
            token = draw_token()
            self._store.apply(build_override(owner=owner, token=token), manager=MANAGER)
        return {"override_token": token}

    def _observe(self, asked: Mapping[str, Any]) -> Observed:
        """The model's namespace, whole: children, strangers with a child's name, pods."""
        namespace = namespace_of(asked)
        secrets = frozenset(
            name
            for name in list_secrets(asked)
            if self._store.find(SECRET, namespace, name) is None
        )
        objects = tuple(
            obj
            for obj in self._store.list(namespace=namespace)
            if obj["kind"] not in (SECRET.kind, EVENT.kind, MODEL_DEPLOYMENT.kind)
        )
        artifacts = read_artifacts(self._data.artifacts, namespace=namespace, name=name_of(asked))
        return Observed(objects=objects, absent_secrets=secrets, artifacts=artifacts)

    def _execute(self, action: Apply | Delete) -> None:
        if isinstance(action, Apply):
            self._store.apply(action.object, manager=MANAGER)
            return
        kind = find_kind(action.api_version, action.kind)
        if kind is None:
            raise NotFound(f'The engine keeps no kind "{action.kind}".')
        try:
            self._store.delete(kind, action.namespace, action.name, uid=action.uid)
        except (NotFound, Conflict):
            log.debug("%s %s/%s is gone already", action.kind, action.namespace, action.name)


def read_fetch_allow(text: str) -> tuple[str, ...]:
    """``HOST:PORT[,…]`` as a tuple."""
    return tuple(part for part in (word.strip() for word in text.split(",")) if part)


def read_prometheus(text: str) -> PrometheusAddress | None:
    """The address of a Prometheus; one that cannot be is left out, and said so."""
    url = text.strip()
    if url and not is_web_address(url):
        log.error(
            '%s is "%s"; it must be http(s)://HOST[:PORT][/PATH]. It is not used.',
            ENV_PROMETHEUS, url,
        )  # fmt: skip
        return None
    return PrometheusAddress(url=url) if url else None


def validate_document(document: Mapping[str, Any]) -> Sequence[Cause]:
    """Everything wrong with a ModelDeployment, told at once, before any of it is kept."""
    errors = parse_modeldeployment(document, on_laptop=True).errors
    return [Cause(field=each.path, reason=each.reason, message=each.message) for each in errors]
