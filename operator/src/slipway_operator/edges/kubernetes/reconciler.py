"""One look at one model: observe, plan, write, tell. All decisions are the core's (`plan`).

Intents before effects: children are written before the status speaks of them, the status is written
once, events come last. A write that is refused is told in the status; the queue tries again.
"""

import asyncio
import logging
import random
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from slipway_operator.decide.analysis.ledger import Ledger
from slipway_operator.edges.built import ArtifactFinder
from slipway_operator.edges.clock import monotonic, utc_now
from slipway_operator.edges.evidence import EvidenceReader
from slipway_operator.edges.kubernetes.api import ApiRefused, ApiUnreachable, KubernetesApi
from slipway_operator.edges.kubernetes.events import record_event
from slipway_operator.edges.kubernetes.hearing import Hearing
from slipway_operator.edges.kubernetes.hosts import find_allowed_hosts, find_holders
from slipway_operator.edges.kubernetes.lease import Leadership
from slipway_operator.edges.kubernetes.mirror import Mirror
from slipway_operator.edges.kubernetes.override import keep_override
from slipway_operator.edges.kubernetes.pod_refusals import find_pod_refusal, find_podless_job
from slipway_operator.edges.kubernetes.refusals import explain_refusal, is_namespace_ending
from slipway_operator.edges.kubernetes.resources import JOB, MODEL, SECRET, find_resource
from slipway_operator.edges.kubernetes.tokens import TokenKeeper
from slipway_operator.edges.telemetry import Telemetry
from slipway_operator.lookups import (
    find_reusable_build,
    is_compared,
    list_hosts_to_check,
    list_pods_to_read,
    list_questions,
    list_secrets,
    name_override_secret,
)
from slipway_operator.plan import Apply, Delete, Plan, make_plan
from slipway_operator.settings import Settings
from slipway_operator.state.identity import LABEL_UID, MANAGED_BY, read_controller
from slipway_operator.state.observed import Observed, Refusal, read_labels

log = logging.getLogger(__name__)

Object = Mapping[str, Any]
_TRUST_SECONDS: Final = 600.0  # so long at most before a model is looked at again, changed or not
_PODLESS_SECONDS: Final = 5.0  # no watch tells of a build that gets no pod
_UNREACHABLE: Final = "Unreachable"  # of the metric alone


class NotLeading(Exception):
    """The Lease was lost in the middle of a plan: the rest of it is another's to do."""


class Behind(Exception):
    """The mirror was behind the cluster; what was read anew is in it by now."""


class Reconciler:
    """Carries out plans, for as long as this process leads."""

    def __init__(
        self,
        *,
        api: KubernetesApi,
        mirror: Mirror,
        hearing: Hearing,
        settings: Settings,
        leadership: Leadership,
        telemetry: Telemetry,
        tokens: TokenKeeper | None,
        finder: ArtifactFinder | None,
    ) -> None:
        self._api, self._mirror, self._hearing = api, mirror, hearing
        self._settings, self._leadership = settings, leadership
        self._telemetry, self._tokens, self._finder = telemetry, tokens, finder
        self._evidence = EvidenceReader(settings)
        self._refusals: dict[str, Refusal] = {}
        self._ledgers: dict[str, Ledger] = {}
        self._settled: dict[str, tuple[tuple[str, ...], float]] = {}  # with when trust ends
        self._building: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self.blindness: dict[str, Refusal] = {}  # by kind: why it cannot be listed
        self.is_on_hold = False  # nothing is changed, and nothing told that is not in `blindness`

    def is_settled(self, uid: str) -> bool:
        """Whether the last look found nothing to do, and nothing has changed since.

        A plan is made of what is observed alone, so that the same makes the same; what depends on
        the hour wakes itself.
        """
        seen, until = self._settled.get(uid, ((), 0.0))
        if self.blindness or self.is_on_hold or monotonic() > until:
            return False
        return seen == self._mirror.fingerprint(uid)

    async def reconcile(self, uid: str) -> float | None:
        """Look at one model; returns in how many seconds to look again.

        Raises:
            ApiRefused, ApiUnreachable: the queue is to try again.
        """
        asked = self._mirror.find_by_uid(uid)
        if asked is None or not self._leadership.is_held:
            self._refusals.pop(uid, None)
            self._settled.pop(uid, None)
            self._ledgers.pop(uid, None)
            self._evidence.forget(uid)
            return None
        if self.is_on_hold and not self.blindness:
            return None
        began = monotonic()
        try:
            return await self._look(uid, asked)
        except NotLeading:
            return None
        except Behind:
            return 0.0
        except ApiRefused as refused:
            # There is nobody left to tell, and nothing to be made.
            if is_namespace_ending(refused):
                return None
            self._telemetry.reconcile_errors.labels(reason=refused.reason).inc()
            if refused.is_conflict or refused.is_absent:
                await self._read_again(asked)
            if refused.retry_after_seconds is not None:
                return refused.retry_after_seconds
            raise
        except ApiUnreachable:
            self._telemetry.reconcile_errors.labels(reason=_UNREACHABLE).inc()
            raise
        finally:
            self._telemetry.reconcile_seconds.observe(monotonic() - began)

    async def _look(self, uid: str, asked: Object) -> float | None:
        self._settled.pop(uid, None)
        seen = self._mirror.fingerprint(uid)
        plan, observed = await self._make_plan(asked)
        is_podless = find_podless_job(observed.objects) is not None
        if is_podless:
            wait = plan.requeue_after_seconds
            soon = _PODLESS_SECONDS if wait is None else min(wait, _PODLESS_SECONDS)
            plan = replace(plan, requeue_after_seconds=soon)
        if not plan.actions and plan.status is None and observed.refusal is None:
            await self._keep_tokens(uid)
            # What no watch tells is looked for again: an absent Secret, a stranger's object.
            if (
                not observed.absent_secrets
                and not is_podless
                and len(observed.objects) == len(seen) - 1
            ):
                self._settled[uid] = (seen, monotonic() + _draw_trust())
            return plan.requeue_after_seconds
        if self.blindness:
            # Without seeing everything nothing is changed; what is missing is told.
            await self._tell(asked, plan)
            return None
        if any(_is_build(action) for action in plan.actions):
            artifacts = await self._find_built(asked)
            if artifacts:
                plan, observed = await self._make_plan(asked, artifacts)
        if not any(_is_build(action) for action in plan.actions):
            return await self._carry_out(uid, asked, plan, observed)
        # Two models must not both find the last free place for a build.
        async with self._building[asked["metadata"]["namespace"]]:
            plan, observed = await self._make_plan(asked)
            return await self._carry_out(uid, asked, plan, observed)

    async def _carry_out(
        self, uid: str, asked: Object, plan: Plan, observed: Observed
    ) -> float | None:
        refused: ApiRefused | None = None
        told: Refusal | None = None
        for action in plan.actions:
            try:
                await self._execute(action)
            except ApiRefused as error:
                refused, told = error, _explain(error, action)
                break
        if told != self._refusals.get(uid):
            if told is None:
                self._refusals.pop(uid, None)
            else:
                self._refusals[uid] = told
            # What is to be said differs from what the plan said when all seemed to go well.
            corrected = self._plan(asked, replace(observed, refusal=told))
            plan = replace(plan, status=corrected.status, events=corrected.events)
        if refused is None:
            await self._keep_tokens(uid)
        await self._tell(asked, plan)
        if refused is not None:
            raise refused
        return plan.requeue_after_seconds

    async def _find_built(self, asked: Object) -> Mapping[str, Object]:
        """The artifact that saves the Job, if the registry may be asked and has it."""
        build_hash = find_reusable_build(asked)
        if self._finder is None or build_hash is None:
            return {}
        facts = await self._finder.find(asked, build_hash=build_hash)
        return {} if facts is None else {build_hash: facts}

    async def _make_plan(
        self, asked: Object, artifacts: Mapping[str, Object] | None = None
    ) -> tuple[Plan, Observed]:
        """The plan, with whatever else carries the name of a child that it would write."""
        metadata = asked["metadata"]
        namespace, uid = metadata["namespace"], metadata["uid"]
        absent = [
            name
            for name in list_secrets(asked)
            if await self._api.find(SECRET, name, namespace=namespace) is None
        ]
        blind = next(iter(self.blindness.values()), None)
        children = self._mirror.children_of(uid)
        hosts = list_hosts_to_check(asked, settings=self._settings)
        podless = find_podless_job(children)
        token, untold = await self._keep_override(asked)
        pods = list_pods_to_read(asked, children)
        observed = Observed(
            objects=children,
            absent_secrets=frozenset(absent),
            artifacts=artifacts or {},
            refusal=blind or self._refusals.get(uid) or untold,
            other_builds=self._count_other_builds(namespace, uid),
            pod_refusal=None if podless is None else await find_pod_refusal(self._api, podless),
            allowed_hosts=await find_allowed_hosts(self._api, namespace) if hosts else (),
            host_holders=await find_holders(self._api, self._mirror, asked, hosts),
            readings=await self._evidence.read(
                pods,
                list_questions(asked) if pods else None,
                ledger=self._ledgers.get(uid),
                shadow=is_compared(asked),
            ),
            override_token=token,
        )
        plan = self._plan(asked, observed)
        strangers = await self._find_unseen(plan, observed)
        if strangers:
            observed = replace(observed, objects=(*observed.objects, *strangers))
            plan = self._plan(asked, observed)
        if plan.ledger is None:
            self._ledgers.pop(uid, None)
            self._evidence.forget(uid)
        else:
            self._ledgers[uid] = plan.ledger
        return plan, observed

    async def _keep_override(self, asked: Object) -> tuple[str | None, Refusal | None]:
        """The token of requests that choose the new revision, where some may."""
        name = name_override_secret(asked)
        if name is None or self.blindness:
            return None, None
        self._check()
        return await keep_override(self._api, asked, name=name)

    async def _keep_tokens(self, uid: str) -> None:
        if self._tokens is not None:
            self._check()
            await self._tokens.keep(self._mirror.children_of(uid))

    def _plan(self, asked: Object, observed: Observed) -> Plan:
        return make_plan(
            asked=asked,
            observed=observed,
            settings=self._settings,
            now=utc_now(),
            ledger=self._ledgers.get(asked["metadata"]["uid"]),
        )

    def _count_other_builds(self, namespace: str, uid: str) -> int:
        return sum(
            job["metadata"]["namespace"] == namespace and read_labels(job).get(LABEL_UID) != uid
            for job in self._mirror.list_open(JOB.kind)
        )

    async def _find_unseen(self, plan: Plan, observed: Observed) -> list[Object]:
        seen = {(obj["kind"], obj["metadata"]["name"]) for obj in observed.objects}
        found: list[Object] = []
        for action in plan.actions:
            if not isinstance(action, Apply):
                continue
            kind, metadata = action.object["kind"], action.object["metadata"]
            if (kind, metadata["name"]) in seen:
                continue
            there = await self._api.find(
                find_resource(kind), metadata["name"], namespace=metadata["namespace"]
            )
            if there is not None:
                found.append(there)
        return found

    async def _execute(self, action: Apply | Delete) -> None:
        self._check()
        if isinstance(action, Apply):
            resource = find_resource(action.object["kind"])
            made = await self._api.apply(
                resource,
                action.object,
                manager=MANAGED_BY,
                within_seconds=self._leadership.seconds_left,
            )
            self._take(made)
            self._telemetry.writes.labels(kind=resource.kind, verb="apply").inc()
            return
        await self._delete(action)

    async def _delete(self, action: Delete) -> None:
        """Delete what is there now, if it still is what the plan meant."""
        resource = find_resource(action.kind)
        live = await self._api.find(resource, action.name, namespace=action.namespace)
        seen = self._mirror.find(action.kind, action.namespace, action.name)
        if live is None or live["metadata"]["uid"] != action.uid:
            if seen is not None:
                self._mirror.drop(seen)
            return
        if seen is None or read_controller(live) != read_controller(seen):
            self._mirror.put(live)
            raise Behind
        self._check()
        if await self._api.delete(resource, live, within_seconds=self._leadership.seconds_left):
            self._telemetry.writes.labels(kind=resource.kind, verb="delete").inc()
        else:
            # It was changed between reading and deleting: look again before it goes.
            raise Behind

    async def _tell(self, asked: Object, plan: Plan) -> None:
        metadata = asked["metadata"]
        if plan.status is not None:
            self._check()
            told = {**asked, "status": plan.status}
            made = await self._api.replace(
                MODEL, told, part="status", within_seconds=self._leadership.seconds_left
            )
            self._take({"apiVersion": MODEL.api_version, "kind": MODEL.kind, **made})
            self._telemetry.writes.labels(kind=MODEL.kind, verb="status").inc()
        for event in plan.events:
            self._check()
            place = f"{metadata['namespace']}/{metadata['name']}"
            log.info("%s %s: %s", place, event.reason, event.message)
            # The status holds it already, so this may fail.
            try:
                await record_event(self._api, asked, event, now=utc_now())
            except (ApiRefused, ApiUnreachable) as error:
                if not (isinstance(error, ApiRefused) and is_namespace_ending(error)):
                    log.warning("The Event about %s was not recorded: %s", place, error)

    def _take(self, made: Object) -> None:
        self._mirror.put(made)
        self._hearing.expect(made, now=monotonic())

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


def _draw_trust() -> float:
    """Not the same for all, or a thousand models would be looked at in one minute of ten."""
    return random.uniform(_TRUST_SECONDS / 2, _TRUST_SECONDS)  # noqa: S311  jitter


def _is_build(action: Apply | Delete) -> bool:
    return isinstance(action, Apply) and action.object["kind"] == JOB.kind


def _explain(refused: ApiRefused, action: Apply | Delete) -> Refusal | None:
    if isinstance(action, Apply):
        kind, name = action.object["kind"], action.object["metadata"]["name"]
    else:
        kind, name = action.kind, action.name
    return explain_refusal(refused, resource=find_resource(kind), name=name)
