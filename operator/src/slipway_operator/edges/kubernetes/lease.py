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
from slipway_operator.edges.kubernetes.api import (
    TIMEOUT_SECONDS,
    ApiRefused,
    ApiUnreachable,
    KubernetesApi,
)
from slipway_operator.edges.kubernetes.resources import LEASE

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How long a Lease lasts: the holder gives up writing after `renew_seconds` without success."""

    name: str
    namespace: str
    identity: str
    duration_seconds: float
    renew_seconds: float
    retry_seconds: float


class Leadership:
    """One candidate: `acquire` waits for the Lease, `keep` renews it, `release` gives it up."""

    def __init__(self, api: KubernetesApi, terms: Terms, *, is_standalone: bool = False) -> None:
        """`is_standalone`: lead without asking; whoever runs it sees to it that it is the one."""
        self._api, self._terms, self._is_standalone = api, terms, is_standalone
        self._seen: str = ""  # holder and renewal of another's Lease, as last read
        self._seen_at = 0.0
        self._held_until = 0.0
        self._warned = ""
        self.transitions = 0

    @property
    def is_held(self) -> bool:
        """Whether this process may write now: asked before every write."""
        return self._is_standalone or monotonic() < self._held_until

    @property
    def seconds_left(self) -> float:
        """How long a write that begins now may take before another process may begin."""
        if self._is_standalone:
            return TIMEOUT_SECONDS
        spare = self._terms.duration_seconds - self._terms.renew_seconds
        left = max(0.0, self._held_until - monotonic()) + spare
        return min(left, TIMEOUT_SECONDS)

    async def acquire(self) -> None:
        """Return once this process leads."""
        if self._is_standalone:
            return
        while not await self._try_once():  # noqa: ASYNC110  the API server is what is waited for
            await asyncio.sleep(self._terms.retry_seconds)
        log.info(
            'Leads by Lease "%s/%s" (transition %d)',
            self._terms.namespace, self._terms.name, self.transitions,
        )  # fmt: skip

    async def keep(self) -> None:
        """Renew for as long as it can be; returns when the Lease is lost."""
        if self._is_standalone:
            await asyncio.Event().wait()
        while self.is_held:
            await asyncio.sleep(self._terms.retry_seconds)
            if not await self._try_once() and self._seen_another():
                break
        self._held_until = 0.0
        log.warning('Lease "%s/%s" is lost', self._terms.namespace, self._terms.name)

    async def release(self) -> None:
        """Give it up at once, so that another need not wait."""
        if self._is_standalone or not self.is_held:
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
                self._warn(str(error))
            return False
        self._warned = ""
        self.transitions = int(made["spec"].get("leaseTransitions") or 0)
        # counted from before the request: the Lease cannot be younger than that
        self._held_until = began + self._terms.renew_seconds
        return True

    def _warn(self, words: str) -> None:
        """Once for the same trouble: it is tried every other second."""
        if words != self._warned:
            self._warned = words
            log.warning("The Lease could not be taken: %s", words)

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
