"""The registry tokens of builds and revisions: each in a Secret of its own, for one repository.

A build may push for the quarter of an hour that it may take; a revision may pull, and its token is
made anew long before it ends, so that a pod can start at any time. The token stands in no log.
"""

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from slipway_operator.api.vocabulary import GROUP
from slipway_operator.edges.clock import parse_time, render_time, utc_now
from slipway_operator.edges.kubernetes.api import KubernetesApi
from slipway_operator.edges.kubernetes.resources import DEPLOYMENT, JOB, SECRET
from slipway_operator.resources.registry import name_token_secret
from slipway_operator.state.build_run import is_unfinished
from slipway_operator.state.identity import LABEL_MANAGED_BY, LABEL_MODEL, LABEL_UID, MANAGED_BY
from slipway_operator.state.observed import is_terminating, read_annotations, read_labels

Object = Mapping[str, Any]

ISSUER: Final = "slipway-operator"
SERVICE: Final = "slipway-registry"
ANNOTATION_EXPIRES: Final = f"{GROUP}/token-expires"
PUSH_LIFETIME: Final = timedelta(minutes=15)
PULL_LIFETIME: Final = timedelta(days=7)
_CLOCK_SKEW: Final = timedelta(seconds=30)
_COORDINATE_BYTES: Final = 32


class KeyInvalid(Exception):
    """The signing key cannot be used; the text is one sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What one child's pods may do: `actions` on one repository."""

    child: Object
    repository: str
    actions: tuple[str, ...]
    lifetime: timedelta


class Signer:
    """Signs tokens as the registry's `auth.token` reads them (JWT, ES256)."""

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        self._key = key
        self._key_id = compute_key_id(key.public_key())

    @classmethod
    def read(cls, path: Path) -> "Signer":
        """Read a PEM file.

        Raises:
            KeyInvalid: it cannot be read or is no key of the curve P-256.
        """
        try:
            key = serialization.load_pem_private_key(path.read_bytes(), password=None)
        except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise KeyInvalid(f'Cannot read signing key "{path}": {error}.') from error
        if not isinstance(key, ec.EllipticCurvePrivateKey) or key.key_size != 256:
            raise KeyInvalid(f'Signing key "{path}" is not an ECDSA key of the curve P-256.')
        return cls(key)

    def sign(self, grant: Grant, *, now: datetime) -> str:
        """A token for what is granted, from now on."""
        access = [
            {"type": "repository", "name": grant.repository, "actions": list(grant.actions)},
        ]
        claims = {
            "iss": ISSUER,
            "sub": grant.child["metadata"]["uid"],
            "aud": SERVICE,
            "iat": int(now.timestamp()),
            "nbf": int((now - _CLOCK_SKEW).timestamp()),
            "exp": int((now + grant.lifetime).timestamp()),
            "jti": f"{grant.child['metadata']['uid']}-{int(now.timestamp())}",
            "access": access,
        }
        header = {"typ": "JWT", "alg": "ES256", "kid": self._key_id}
        signed = ".".join(_encode(json.dumps(part).encode()) for part in (header, claims))
        r, s = decode_dss_signature(self._key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
        halves = (number.to_bytes(_COORDINATE_BYTES, "big") for number in (r, s))
        return f"{signed}.{_encode(b''.join(halves))}"


def compute_key_id(key: ec.EllipticCurvePublicKey) -> str:
    """The thumbprint of RFC 7638, by which the registry knows the key."""
    numbers = key.public_numbers()
    x, y = (_encode(number.to_bytes(_COORDINATE_BYTES, "big")) for number in (numbers.x, numbers.y))
    named = json.dumps({"crv": "P-256", "kty": "EC", "x": x, "y": y}, separators=(",", ":"))
    return _encode(sha256(named.encode()).digest())


def name_repository(prefix: str, *, namespace: str, model: str) -> str:
    """Where a model's artifacts lie in the registry."""
    return "/".join(part for part in (prefix, namespace, model) if part)


def list_grants(children: Iterable[Object], *, prefix: str) -> tuple[Grant, ...]:
    """What the children's pods may do: unfinished builds push, revisions pull."""
    grants = []
    for child in children:
        if is_terminating(child):
            continue
        metadata = child["metadata"]
        repository = name_repository(
            prefix,
            namespace=metadata["namespace"],
            model=str(read_labels(child).get(LABEL_MODEL)),
        )
        actions: tuple[str, ...]
        if child["kind"] == JOB.kind and is_unfinished(child):
            actions, lifetime = ("pull", "push"), PUSH_LIFETIME
        elif child["kind"] == DEPLOYMENT.kind:
            actions, lifetime = ("pull",), PULL_LIFETIME
        else:
            continue
        grants.append(Grant(child=child, repository=repository, actions=actions, lifetime=lifetime))
    return tuple(grants)


class TokenKeeper:
    """Keeps a fresh token beside every child whose pods speak to the registry."""

    def __init__(self, api: KubernetesApi, signer: Signer, *, artifact_store: str) -> None:
        self._api, self._signer = api, signer
        self._prefix = artifact_store.partition("://")[2].partition("/")[2]
        self._ends: dict[str, datetime] = {}  # by the child's uid

    async def keep(self, children: Iterable[Object]) -> None:
        """Write the tokens that are missing or past the half of their life.

        Raises:
            ApiRefused, ApiUnreachable
        """
        for grant in list_grants(children, prefix=self._prefix):
            now = utc_now()
            if await self._find_end(grant) - now < grant.lifetime / 2:
                made = await self._api.apply(
                    SECRET, self._build(grant, now=now), manager=MANAGED_BY
                )
                self._ends[grant.child["metadata"]["uid"]] = _read_end(made, default=now)
                # what ended belonged to children that are gone
                self._ends = {uid: end for uid, end in self._ends.items() if end > now}

    async def _find_end(self, grant: Grant) -> datetime:
        """When the token that is there ends; long ago where there is none of this child."""
        metadata = grant.child["metadata"]
        uid = metadata["uid"]
        if uid not in self._ends:
            long_ago = utc_now() - grant.lifetime
            name = name_token_secret(metadata["name"])
            found = await self._api.find(SECRET, name, namespace=metadata["namespace"])
            owners = ((found or {}).get("metadata") or {}).get("ownerReferences") or ()
            ours = found is not None and any(owner.get("uid") == uid for owner in owners)
            self._ends[uid] = _read_end(found or {}, default=long_ago) if ours else long_ago
        return self._ends[uid]

    def _build(self, grant: Grant, *, now: datetime) -> dict[str, Any]:
        metadata = grant.child["metadata"]
        labels = read_labels(grant.child)
        token = self._signer.sign(grant, now=now)
        return {
            "apiVersion": SECRET.api_version,
            "kind": SECRET.kind,
            "type": f"{GROUP}/registry-token",
            "metadata": {
                "name": name_token_secret(metadata["name"]),
                "namespace": metadata["namespace"],
                "labels": {
                    LABEL_MANAGED_BY: MANAGED_BY,
                    **{name: labels[name] for name in (LABEL_MODEL, LABEL_UID) if name in labels},
                },
                "annotations": {ANNOTATION_EXPIRES: render_time(now + grant.lifetime)},
                "ownerReferences": [
                    {
                        "apiVersion": grant.child["apiVersion"],
                        "kind": grant.child["kind"],
                        "name": metadata["name"],
                        "uid": metadata["uid"],
                    }
                ],
            },
            "data": {"token": base64.b64encode(token.encode()).decode()},
        }


def _read_end(secret: Object, *, default: datetime) -> datetime:
    text = read_annotations(secret).get(ANNOTATION_EXPIRES)
    try:
        return parse_time(text) if text else default
    except ValueError:
        return default


def _encode(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")
