"""`slipway-operator run`: lead, watch, reconcile, until told to stop. The order of one life.

connect → check permissions and CRD → wait for the Lease → list and watch → reconcile
                                           ↑─────────────── lost or ended ────────┘
"""

import asyncio
import logging
import os
import signal
import socket
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Final

from slipway_operator.edges.built import ArtifactFinder
from slipway_operator.edges.clock import monotonic
from slipway_operator.edges.config import OperatorConfig
from slipway_operator.edges.kubernetes.api import ApiRefused, ApiUnreachable, KubernetesApi
from slipway_operator.edges.kubernetes.lease import Leadership, Terms
from slipway_operator.edges.kubernetes.selfcheck import check_definition, check_permissions
from slipway_operator.edges.kubernetes.tokens import Signer, TokenKeeper
from slipway_operator.edges.telemetry import Telemetry
from slipway_operator.handlers.probes import ProbeServer
from slipway_operator.handlers.term import DEAF_SECONDS, Term

log = logging.getLogger(__name__)

_CHECK_SECONDS: Final = 2.0
_CHECKS: Final = 30


class OperatorProcess:
    """One replica of the operator."""

    def __init__(
        self,
        *,
        config: OperatorConfig,
        kubeconfig: Path | None,
        ports: tuple[int, int],
        is_standalone: bool,
        signer: Signer | None,
    ) -> None:
        """`ports` are those of probes and metrics; `is_standalone`: lead without a Lease."""
        self._config, self._kubeconfig = config, kubeconfig
        self._is_standalone, self._signer = is_standalone, signer
        self._telemetry = Telemetry()
        self._stop = asyncio.Event()
        self._term: Term | None = None
        self._is_connected = False
        self._probes = ProbeServer(
            port=ports[0],
            metrics_port=ports[1],
            telemetry=self._telemetry,
            is_alive=self._is_alive,
            is_ready=self._is_ready,
        )

    async def run(self) -> int:
        """Work until SIGTERM; returns the exit code."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        await self._probes.start()
        api = await KubernetesApi.connect(self._kubeconfig)
        leadership = Leadership(api, self._build_terms(), is_standalone=self._is_standalone)
        try:
            if not await self._unless_stopped(self._check(api)):
                return 0
            while not self._stop.is_set():
                await self._lead_once(api, leadership)
        finally:
            await leadership.release()
            await self._probes.close()
            await api.close()
        return 0

    def _build_terms(self) -> Terms:
        lease = self._config.lease
        name = os.environ.get("POD_NAME") or socket.gethostname()
        return Terms(
            name=lease.name,
            namespace=self._config.own_namespace,
            identity=f"{name}_{os.environ.get('POD_UID') or os.getpid()}",
            duration_seconds=lease.duration_seconds,
            renew_seconds=lease.duration_seconds * 2 / 3,
            retry_seconds=min(2.0, lease.duration_seconds / 6),
        )

    async def _check(self, api: KubernetesApi) -> None:
        """Say what is missing, once, and go on: what can be done is done.

        An API server that does not answer yet is waited for a minute.
        """
        for attempt in range(1, _CHECKS + 1):
            try:
                missing = await check_permissions(api, self._config)
                definition = await check_definition(api)
            except (ApiRefused, ApiUnreachable) as error:
                log.warning("Cannot check the installation yet (%d): %s", attempt, error)
                await asyncio.sleep(_CHECK_SECONDS)
                continue
            self._is_connected = True
            if definition is not None:
                missing.append(f"{definition.message} Nothing is changed until it is.")
            for sentence in missing:
                log.error("%s", sentence)
            if not missing:
                log.info("Every permission is granted, and the CRD is the one of this version.")
            return
        log.error("The installation was not checked; it goes on without.")

    async def _lead_once(self, api: KubernetesApi, leadership: Leadership) -> None:
        """From taking the Lease to losing it."""
        if not await self._unless_stopped(leadership.acquire()):
            return
        tokens, finder = None, None
        if self._signer is not None:
            finder = ArtifactFinder(self._signer, artifact_store=self._config.artifact_store)
            tokens = TokenKeeper(api, self._signer, artifact_store=self._config.artifact_store)
        term = Term(
            api=api,
            config=self._config,
            leadership=leadership,
            telemetry=self._telemetry,
            tokens=tokens,
            finder=finder,
        )
        self._term = term
        self._telemetry.is_leader.set(1)
        try:
            await self._unless_stopped(term.run())
        finally:
            self._term = None
            self._telemetry.is_leader.set(0)

    def _is_ready(self) -> bool:
        """A follower is ready to take over; a leader when it has seen everything once."""
        return self._term.is_listed if self._term else self._is_connected

    def _is_alive(self) -> bool:
        """What exists was told by a watch in time; else this process went deaf."""
        return self._term is None or self._term.measure_silence(now=monotonic()) < DEAF_SECONDS

    async def _unless_stopped(self, waited: Coroutine[Any, Any, None]) -> bool:
        """Wait; False when the process was told to stop first."""
        task, stop = asyncio.ensure_future(waited), asyncio.ensure_future(self._stop.wait())
        done, pending = await asyncio.wait({task, stop}, return_when=asyncio.FIRST_COMPLETED)
        for each in pending:
            each.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        if task in done:
            task.result()
        return task in done and stop not in done
