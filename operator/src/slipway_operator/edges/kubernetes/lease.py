"""Leadership by a Lease: who may write, and until when (client-go's leaderelection, fenced).

Another's Lease counts as given up when it was not renewed for its whole duration *as watched here*:
clocks of two machines are never compared. The holder stops writing before others may begin.
"""

import asyncio
import logging
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from slipway_operator.edges.clock import monotonic, utc_now
from slipway_operator.edges.kubernetes.api import ApiRefused, ApiUnreachable, KubernetesApi
from slipway_operator.edges.kubernetes.resources import LEASE

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How long a Lease lasts: the holder gives up writing after `renew_seconds` without success."""

    name: str
    namespace: str
    identity: str
    duration_seconds: float = 15.0
    renew_seconds: float = 10.0
    retry_seconds: float = 2.0


class Leadership:
    """One candidate. `hold` waits for the Lease and keeps it."""

    def __init__(self, api: KubernetesApi, terms: Terms) -> None:
        self._api, self._terms = api, terms
        self._seen: str = ""  # holder and renewal of another's Lease, as last read
        self._seen_at = 0.0
        self._held_until = 0.0
        self.transitions = 0

    @property
    def is_held(self) -> bool:
        """Whether this process may write now: asked before every write."""
        return monotonic() < self._held_until

    async def acquire(self) -> None:
        """Return once this process leads."""
        while not await self._try_once():  # noqa: ASYNC110  the API server is what is waited for
            await asyncio.sleep(self._terms.retry_seconds)
        log.info(
            'Leads by Lease "%s/%s" (transition %d)',
            self._terms.namespace, self._terms.name, self.transitions,
        )  # fmt: skip

    async def keep(self) -> None:
        """Renew for as long as it can be; returns when the Lease is lost."""
        while self.is_held:
            await asyncio.sleep(self._terms.retry_seconds)
            if not await self._try_once() and self._seen_another():
                break
        self._held_until = 0.0
        log.warning('Lease "%s/%s" is lost', self._terms.namespace, self._terms.name)

    async def release(self) -> None:
        """Give it up at once, so that another need not wait."""
        if not self.is_held:
            return
        self._held_until = 0.0
        try:
            found = await self._read()
            if found is not None and _holder(found) == self._terms.identity:
                spec = {**found["spec"], "holderIdentity": "", "leaseDurationSeconds": 1}
                await self._api.replace(LEASE, {**found, "spec": spec})
        except (ApiRefused, ApiUnreachable) as error:
            log.info("The Lease was not given up: %s", error)

    async def _try_once(self) -> bool:
        began = monotonic()
        try:
            found = await self._read()
            if found is None:
                made = await self._api.create(LEASE, self._build(now=utc_now(), transitions=0))
            elif _holder(found) == self._terms.identity or self._is_given_up(found):
                made = await self._api.replace(LEASE, self._renew(found, now=utc_now()))
            else:
                return False
        except (ApiRefused, ApiUnreachable) as error:
            if not (isinstance(error, ApiRefused) and error.is_conflict):
                log.warning("The Lease could not be taken: %s", error)
            return False
        self.transitions = int(made["spec"].get("leaseTransitions") or 0)
        # counted from before the request: the Lease cannot be younger than that
        self._held_until = began + self._terms.renew_seconds
        return True

    def _seen_another(self) -> bool:
        return bool(self._seen) and not self._seen.startswith(f"{self._terms.identity}\n")

    async def _read(self) -> dict[str, Any] | None:
        found = await self._api.find(LEASE, self._terms.name, namespace=self._terms.namespace)
        if found is not None:
            seen = f"{_holder(found)}\n{found['spec'].get('renewTime')}"
            if seen != self._seen:
                self._seen, self._seen_at = seen, monotonic()
        return found

    def _is_given_up(self, found: dict[str, Any]) -> bool:
        if not _holder(found):
            return True
        duration = float(found["spec"].get("leaseDurationSeconds") or 0)
        return monotonic() - self._seen_at > duration

    def _renew(self, found: dict[str, Any], *, now: datetime) -> dict[str, Any]:
        before = found["spec"]
        ours = before.get("holderIdentity") == self._terms.identity
        transitions = int(before.get("leaseTransitions") or 0) + (0 if ours else 1)
        spec = self._build(now=now, transitions=transitions)["spec"]
        if ours:
            spec["acquireTime"] = before.get("acquireTime")
        return {**found, "spec": spec}

    def _build(self, *, now: datetime, transitions: int) -> dict[str, Any]:
        moment = now.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        return {
            "apiVersion": LEASE.api_version,
            "kind": LEASE.kind,
            "metadata": {"name": self._terms.name, "namespace": self._terms.namespace},
            "spec": {
                "holderIdentity": self._terms.identity,
                "leaseDurationSeconds": int(self._terms.duration_seconds),
                "acquireTime": moment,
                "renewTime": moment,
                "leaseTransitions": transitions,
            },
        }


def _holder(lease: dict[str, Any]) -> str:
    return str(lease.get("spec", {}).get("holderIdentity") or "")
