"""What a real Envoy does with a port that somebody takes just before it listens."""

import asyncio
import socket
from pathlib import Path

import pytest

from local_engine import build_route, build_service
from slipway_operator.local.datafolder import DataFolder
from slipway_operator.local.gateway.config import Programme, build_programme
from slipway_operator.local.gateway.delivery import Delivery, is_taken, read_served_ports
from slipway_operator.local.gateway.process import EnvoyProcess
from slipway_operator.local.ports import PortBook

pytestmark = pytest.mark.engine


def build(name: str, port: int, folder: Path) -> Programme:
    return build_programme(
        build_route(name, (name, 1)),
        port=port,
        services={f"default/{name}": build_service(name)},
        slices=(),
        folder=folder,
    )


def test_a_port_lost_in_a_race_is_said_and_taken_up_again_once_free(tmp_path: Path) -> None:
    data = DataFolder(root=tmp_path / "data")
    data.create()
    book = PortBook(tmp_path / "ports")
    first = book.choose(range(28000, 29000), taken=())
    assert first is not None
    second = book.choose(range(28000, 29000), taken={first})
    assert second is not None

    async def story() -> None:
        envoy = EnvoyProcess(data)
        delivery = Delivery(envoy)
        await envoy.ensure(before_start=delivery.prepare)
        try:
            lost = build("lost", first, envoy.folder)
            well = build("well", second, envoy.folder)
            with socket.socket() as thief:
                thief.bind(("127.0.0.1", first))
                thief.listen()
                for _ in range(3):  # as often as it is looked at, one answer; the other serves
                    troubles = await delivery.deliver([lost, well])
                    assert list(troubles) == [lost.key]
                    assert is_taken(troubles[lost.key])
                    assert read_served_ports(envoy.folder) == {well.key: second}
            assert await delivery.deliver([lost, well]) == {}
            assert read_served_ports(envoy.folder) == {lost.key: first, well.key: second}
        finally:
            await envoy.stop()

    asyncio.run(story())
