"""Kopf is a transport: of what it tells it keeps nothing."""

import asyncio

from kopf import OperatorSettings
from kopf._cogs.structs.bodies import Body, RawBody

from slipway_operator.handlers.transport import _Forgetful, build_settings

OBJECT: RawBody = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "a", "namespace": "n", "uid": "u"},
    "spec": {"nodeName": "node"},
}


def test_no_record_of_an_object_is_kept() -> None:
    memories = _Forgetful()
    first = asyncio.run(memories.recall(OBJECT))
    assert asyncio.run(memories.recall(OBJECT)) is not first
    assert list(memories.iter_all_memories()) == []


def test_no_copy_of_an_object_is_made_to_compare_with() -> None:
    def essence(settings: OperatorSettings) -> object:
        return settings.persistence.diffbase_storage.build(body=Body(OBJECT))

    assert essence(OperatorSettings())
    assert not essence(build_settings())
