"""Asks the embedded registry whether it has the artifact of a build already.

Reads the manifest under the build's tag and the config that it names, bounded and checked against
its digest; never a model. Whatever is wrong counts as not there: the build is made by a Job.
"""

import asyncio
import json
import logging
import re
from collections.abc import Mapping
from datetime import timedelta
from hashlib import sha256
from http import HTTPStatus
from typing import Any, Final

import aiohttp

from slipway_operator.contract import ARTIFACT_TYPE
from slipway_operator.edges.clock import utc_now
from slipway_operator.edges.kubernetes.tokens import Grant, Signer, name_repository
from slipway_operator.state.artifact import read_artifact_facts

log = logging.getLogger(__name__)

Object = Mapping[str, Any]
TAG_DIGITS: Final = 40
_PLAIN: Final = "oci+http"
_MANIFEST_TYPE: Final = "application/vnd.oci.image.manifest.v1+json"
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
_MOST_MANIFEST_BYTES: Final = 64 << 10
_MOST_CONFIG_BYTES: Final = 16 << 20
_SECONDS: Final = 5.0
_LIFETIME: Final = timedelta(minutes=1)


class _Unusable(Exception):
    """What the registry answered cannot be used; the text says why."""


class ArtifactFinder:
    """Looks into one installation's registry, with a token for one repository at a time."""

    def __init__(self, signer: Signer, *, artifact_store: str) -> None:
        scheme, _, place = artifact_store.rstrip("/").partition("://")
        host, _, self._prefix = place.partition("/")
        self._signer = signer
        self._root = f"{scheme}://{host}"
        self._base = f"{'http' if scheme == _PLAIN else 'https'}://{host}/v2"

    async def find(self, model: Object, *, build_hash: str) -> dict[str, Any] | None:
        """The facts of the artifact of a build; None where there is none, with a line in the log
        where that could not be found out."""
        metadata = model["metadata"]
        repository = name_repository(
            self._prefix, namespace=metadata["namespace"], model=metadata["name"]
        )
        try:
            async with asyncio.timeout(_SECONDS):
                return await self._find(model, repository=repository, build_hash=build_hash)
        except TimeoutError:
            why = f"no answer in {_SECONDS:g} s"
        except (aiohttp.ClientError, OSError, _Unusable) as error:
            why = str(error) or type(error).__name__
        log.warning(
            'Cannot look for build %s in repository "%s" (%s): a Job builds it.',
            build_hash[:10], repository, why,
        )  # fmt: skip
        return None

    async def _find(
        self, model: Object, *, repository: str, build_hash: str
    ) -> dict[str, Any] | None:
        grant = Grant(child=model, repository=repository, actions=("pull",), lifetime=_LIFETIME)
        headers = {
            "authorization": f"Bearer {self._signer.sign(grant, now=utc_now())}",
            "accept": _MANIFEST_TYPE,
        }
        base = f"{self._base}/{repository}"
        async with aiohttp.ClientSession(headers=headers) as client:
            content = await _read(
                client,
                f"{base}/manifests/build-{build_hash[:TAG_DIGITS]}",
                limit=_MOST_MANIFEST_BYTES,
            )
            if content is None:
                return None
            manifest = _parse(content)
            layers = manifest.get("layers")
            layer = layers[0] if isinstance(layers, list) and len(layers) == 1 else None
            named = _read_digest(manifest.get("config")), _read_digest(layer)
            if manifest.get("artifactType") != ARTIFACT_TYPE or None in named:
                raise _Unusable("its manifest is not one of a built model")
            config = await _read(client, f"{base}/blobs/{named[0]}", limit=_MOST_CONFIG_BYTES)
            # What the index names may have gone, and pods would only hang.
            async with client.head(f"{base}/blobs/{named[1]}") as layer_answer:
                is_whole = layer_answer.status == HTTPStatus.OK
            if config is None or not is_whole:
                raise _Unusable("blobs that its manifest names are not there")
        if _compute_digest(config) != named[0]:
            raise _Unusable(f"config {named[0]} has other bytes")
        facts = read_artifact_facts(
            _parse(config),
            build_hash=build_hash,
            artifact=f"{self._root}/{repository}@{_compute_digest(content)}",
            layer=layer or {},
        )
        if facts is None:
            raise _Unusable("its config is not one of this build")
        return facts


async def _read(client: aiohttp.ClientSession, url: str, *, limit: int) -> bytes | None:
    """The bytes of an answer; None: the registry has no such thing."""
    # It is not sent elsewhere: the token is for this registry alone.
    async with client.get(url, allow_redirects=False) as answer:
        if answer.status == HTTPStatus.NOT_FOUND:
            return None
        if answer.status != HTTPStatus.OK:
            raise _Unusable(f"the registry answered {answer.status}")
        content = bytearray()
        async for chunk in answer.content.iter_any():
            content += chunk
            if len(content) > limit:
                raise _Unusable(f"the answer is longer than {limit} bytes")
    return bytes(content)


def _parse(content: bytes) -> Object:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise _Unusable("the registry sent no JSON") from error
    if not isinstance(found, dict):
        raise _Unusable("the registry sent no JSON object")
    return found


def _read_digest(descriptor: Any) -> str | None:
    digest = descriptor.get("digest") if isinstance(descriptor, dict) else None
    return digest if isinstance(digest, str) and _DIGEST.fullmatch(digest) else None


def _compute_digest(content: bytes) -> str:
    return f"sha256:{sha256(content).hexdigest()}"
