"""One look at one model: observe, plan, write, tell. All decisions are the core's (`plan`).

Intents before effects: children are written before the status speaks of them, the status is written
once, events come last. A write that is refused is told in the status; the queue tries again.
"""

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from slipway_operator.api.reasons import say
from slipway_operator.edges.clock import monotonic, utc_now
from slipway_operator.edges.kubernetes.api import ApiRefused, ApiUnreachable, KubernetesApi
from slipway_operator.edges.kubernetes.events import record_event
from slipway_operator.edges.kubernetes.lease import Leadership
from slipway_operator.edges.kubernetes.mirror import Mirror
from slipway_operator.edges.kubernetes.resources import MODEL, SECRET, find_resource
from slipway_operator.edges.telemetry import Telemetry
from slipway_operator.plan import Apply, Delete, Event, Plan, list_secrets, make_plan
from slipway_operator.settings import Settings
from slipway_operator.state.identity import ChildKind
from slipway_operator.state.observed import Observed, Refusal

log = logging.getLogger(__name__)

Object = Mapping[str, Any]
MANAGER: Final = "slipway"
# What the API server has against an object is, as a rule, what the spec says in it.
_INVALID: Final = {
    ChildKind.JOB.value: "PodRejected",
    ChildKind.DEPLOYMENT.value: "PodRejected",
    ChildKind.HTTP_ROUTE.value: "RouteNotAccepted",
}
_UNREACHABLE: Final = "Unreachable"  # of the metric alone


class NotLeading(Exception):
    """The Lease was lost in the middle of a plan: the rest of it is another's to do."""


class Reconciler:
    """Carries out plans, for as long as this process leads."""

    def __init__(
        self,
        *,
        api: KubernetesApi,
        mirror: Mirror,
        settings: Settings,
        leadership: Leadership,
        telemetry: Telemetry,
    ) -> None:
        self._api, self._mirror, self._settings = api, mirror, settings
        self._leadership, self._telemetry = leadership, telemetry
        self._refusals: dict[str, Refusal] = {}

    async def reconcile(self, uid: str) -> float | None:
        """Look at one model; returns in how many seconds to look again.

        Raises:
            ApiRefused, ApiUnreachable: the queue is to try again.
        """
        asked = self._mirror.find_by_uid(uid)
        if asked is None or not self._leadership.is_held:
            self._refusals.pop(uid, None)
            return None
        began = monotonic()
        try:
            return await self._look(uid, asked)
        except NotLeading:
            return None
        except ApiRefused as refused:
            if refused.is_farewell:
                await self._read_again(asked)
                return None
            self._telemetry.reconcile_errors.labels(reason=refused.reason).inc()
            if refused.is_conflict:
                await self._read_again(asked)
            raise
        except ApiUnreachable:
            self._telemetry.reconcile_errors.labels(reason=_UNREACHABLE).inc()
            raise
        finally:
            self._telemetry.reconcile_seconds.observe(monotonic() - began)

    async def _look(self, uid: str, asked: Object) -> float | None:
        plan, observed = await self._make_plan(asked)
        refused: ApiRefused | None = None
        for action in plan.actions:
            try:
                await self._execute(action)
            except ApiRefused as error:
                refused = error
                break
        told = None if refused is None else _explain(refused, action)
        if told != self._refusals.get(uid):
            if told is None:
                self._refusals.pop(uid, None)
            else:
                self._refusals[uid] = told
            # what is to be said differs from what the plan said when all seemed to go well
            told_plan = make_plan(
                asked=asked,
                observed=replace(observed, refusal=told),
                settings=self._settings,
                now=utc_now(),
            )
            plan = replace(plan, status=told_plan.status, events=told_plan.events)
        await self._tell(asked, plan)
        if refused is not None:
            raise refused
        return plan.requeue_after_seconds

    async def _make_plan(self, asked: Object) -> tuple[Plan, Observed]:
        """The plan, with whatever else carries the name of a child that it would write."""
        metadata = asked["metadata"]
        namespace, uid = metadata["namespace"], metadata["uid"]
        absent = [
            name
            for name in list_secrets(asked)
            if await self._api.find(SECRET, name, namespace=namespace) is None
        ]
        observed = Observed(
            objects=self._mirror.children_of(uid),
            absent_secrets=frozenset(absent),
            refusal=self._refusals.get(uid),
        )
        plan = make_plan(asked=asked, observed=observed, settings=self._settings, now=utc_now())
        strangers = await self._find_unseen(plan, observed)
        if strangers:
            observed = replace(observed, objects=(*observed.objects, *strangers))
            plan = make_plan(asked=asked, observed=observed, settings=self._settings, now=utc_now())
        return plan, observed

    async def _find_unseen(self, plan: Plan, observed: Observed) -> list[Object]:
        seen = {(obj["kind"], obj["metadata"]["name"]) for obj in observed.objects}
        found: list[Object] = []
        for action in plan.actions:
            if not isinstance(action, Apply):
                continue
            kind, metadata = action.object["kind"], action.object["metadata"]
            if (kind, metadata["name"]) in seen:
                continue
            resource = find_resource(kind)
            there = await self._api.find(
                resource, metadata["name"], namespace=metadata["namespace"]
            )
            if there is not None:
                found.append(there)
        return found

    async def _execute(self, action: Apply | Delete) -> None:
        self._check()
        if isinstance(action, Apply):
            resource = find_resource(action.object["kind"])
            made = await self._api.apply(resource, action.object, manager=MANAGER)
            self._mirror.put(made)
            self._telemetry.writes.labels(kind=resource.kind, verb="apply").inc()
            return
        resource = find_resource(action.kind)
        await self._api.delete(resource, action.name, action.namespace, uid=action.uid)
        self._telemetry.writes.labels(kind=resource.kind, verb="delete").inc()

    async def _tell(self, asked: Object, plan: Plan) -> None:
        if plan.status is not None:
            self._check()
            told = {**asked, "status": plan.status}
            made = await self._api.replace(MODEL, told, part="status")
            self._mirror.put({"apiVersion": MODEL.api_version, "kind": MODEL.kind, **made})
            self._telemetry.writes.labels(kind=MODEL.kind, verb="status").inc()
        for event in plan.events:
            self._check()
            await self._record(asked, event)

    async def _record(self, asked: Object, event: Event) -> None:
        """Tell it in the log and as an Event; the status holds it already, so this may fail."""
        metadata = asked["metadata"]
        place = f"{metadata['namespace']}/{metadata['name']}"
        log.info("%s %s: %s", place, event.reason, event.message)
        try:
            await record_event(self._api, asked, event, now=utc_now())
        except (ApiRefused, ApiUnreachable) as error:
            if not (isinstance(error, ApiRefused) and error.is_farewell):
                log.warning("The Event about %s was not recorded: %s", place, error)

    def _check(self) -> None:
        if not self._leadership.is_held:
            raise NotLeading

    async def _read_again(self, asked: Object) -> None:
        """The mirror was behind: read the model as it is."""
        metadata = asked["metadata"]
        found = await self._api.find(MODEL, metadata["name"], namespace=metadata["namespace"])
        if found is None or found["metadata"]["uid"] != metadata["uid"]:
            self._mirror.drop(asked)
        else:
            self._mirror.put(found)


def _explain(refused: ApiRefused, action: Apply | Delete) -> Refusal | None:
    """A refusal that a person has to heal; None: trying again may be enough."""
    if refused.is_invalid and isinstance(action, Apply):
        reason = _INVALID.get(action.object["kind"])
        return (
            None
            if reason is None
            else Refusal(reason=reason, message=say(reason, detail=refused.message))
        )
    if not refused.is_forbidden:
        return None
    if "exceeded quota" in refused.message:
        return Refusal(reason="QuotaExceeded", message=refused.message)
    verb, kind = (
        ("write", action.object["kind"]) if isinstance(action, Apply) else ("delete", action.kind)
    )
    resource = find_resource(kind)
    said = say("OperatorForbidden", verb=verb, resource=resource.plural)
    return Refusal(reason="OperatorForbidden", message=f"{said} {refused.message}")
