"""The engine process: opens the folder, starts every controller, serves the API, ends in order."""

import asyncio
import logging
import os
import secrets
import signal
from collections.abc import Sequence
from typing import Any, Final, Protocol

from slipway_operator.local.api.app import Api
from slipway_operator.local.api.server import ApiServer
from slipway_operator.local.artifact_collector import ArtifactCollector
from slipway_operator.local.changes import Change
from slipway_operator.local.datafolder import DataFolder
from slipway_operator.local.deployments import DeploymentController
from slipway_operator.local.endpoints import EndpointController
from slipway_operator.local.errors import StoreUnavailable
from slipway_operator.local.events import forget_old_events
from slipway_operator.local.garbage import GarbageCollector
from slipway_operator.local.gateway.controller import Gateway
from slipway_operator.local.jobs import JobController
from slipway_operator.local.kubectl_access import KubectlAccess
from slipway_operator.local.models import ModelController, validate_document
from slipway_operator.local.pods import PodKeeper
from slipway_operator.local.ports import LOOPBACK
from slipway_operator.local.processes import stop_all
from slipway_operator.local.store import Store

log = logging.getLogger(__name__)

RESYNC_SECONDS: Final = 60.0
STOP_SECONDS: Final = 10.0


class Controller(Protocol):
    """What reacts to changes of the store."""

    def notice(self, change: Change) -> None:
        """Something happened."""

    def resync(self) -> None:
        """Look at everything again."""

    async def close(self) -> None:
        """Stop working; leave processes as they are."""


class Engine:
    """Everything that runs on one data folder. ``run`` returns when it was asked to stop."""

    def __init__(self, data: DataFolder) -> None:
        """Take the folder.

        Raises:
            EngineRefused: the folder cannot be used, is in use, or its store cannot be opened.
        """
        data.create()
        self._data = data
        self._lock = data.lock()
        self._store = Store(data.store)
        self._endpoints = EndpointController(store=self._store)
        self._gateway = Gateway(store=self._store, data=data)
        self._pods = PodKeeper(store=self._store, data=data, is_sent_to=self._gateway.sends_to)
        self._controllers: Sequence[Controller] = (
            ModelController(store=self._store, data=data),
            JobController(store=self._store),
            DeploymentController(store=self._store),
            self._pods,
            self._endpoints,
            self._gateway,
            GarbageCollector(store=self._store),
            ArtifactCollector(store=self._store, data=data),
        )
        self._stopping = asyncio.Event()

    def ask_to_stop(self) -> None:
        """Have ``run`` end everything and return."""
        self._stopping.set()

    async def run(self) -> None:
        """Serve until asked to stop, then leave no process behind."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.ask_to_stop)
        await self._pods.recover()
        await self._endpoints.sync_all()
        await self._gateway.start()
        token = secrets.token_urlsafe(32)
        application = Api(
            store=self._store,
            data=self._data,
            token=token,
            validate=validate_document,
            stop=self.ask_to_stop,
            describe=self._describe,
        ).build()
        api = ApiServer(application)
        await api.start()
        kubectl = KubectlAccess(self._data, application, token=token)
        await kubectl.start()
        watching = [loop.create_task(self._dispatch()), loop.create_task(self._tick())]
        self._resync()
        url = f"http://{LOOPBACK}:{api.port}"
        self._data.write_address(url=url, token=token, pid=os.getpid())
        log.info("Engine with pid %d serves %s from %s", os.getpid(), url, self._data.root)
        try:
            await self._stopping.wait()
        finally:
            log.info("Engine stops")
            for task in watching:
                task.cancel()
            await self._shut_down()
            await asyncio.gather(kubectl.close(), api.close())
            self._store.close()
            self._data.address.unlink(missing_ok=True)
            self._lock.release()

    def _describe(self) -> dict[str, Any]:
        return {"pid": os.getpid(), "data": str(self._data.root), **self._gateway.describe()}

    async def _dispatch(self) -> None:
        with self._store.subscribe() as changes:
            while True:
                change = await changes.next()
                for controller in self._controllers:
                    controller.notice(change)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(RESYNC_SECONDS)
            self._resync()
            try:
                forget_old_events(self._store)
            except StoreUnavailable as error:
                log.warning("%s", error)

    def _resync(self) -> None:
        for controller in self._controllers:
            controller.resync()

    async def _shut_down(self) -> None:
        for controller in self._controllers:
            await controller.close()
        await self._pods.stop_all(grace_seconds=STOP_SECONDS)
        await self._gateway.stop()
        await asyncio.to_thread(stop_all, self._data.root, grace_seconds=1.0)
