"""Builds that only fetch: made, run, and refused, as the fetch step does it."""

import hashlib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from slipway_runtime.artifact.addresses import parse_allow_list
from slipway_runtime.artifact.fetch import Fetcher
from slipway_runtime.build_request import Access, BuildRequest, Limits, Model, Samples
from slipway_runtime.errors import BuildError


def digest_of(body: bytes) -> str:
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


def build(
    uri: str,
    *,
    digest: str | None = None,
    samples: str | None = None,
    endpoint: str | None = None,
    named: str | None = "models",
    allow_file: bool = True,
    **limits: float,
) -> BuildRequest:
    """One build; `named` is its Secret's name, keywords that are left over are its limits."""
    return BuildRequest(
        name="m",
        namespace="default",
        build_hash="abc",
        model=Model(
            uri=uri,
            digest=digest,
            samples=Samples(uri=samples) if samples else None,
            access=Access(endpoint=endpoint, secret=named),
        ),
        limits=msgspec.convert(limits, Limits),
        allow_file=allow_file,
    )


def fetch(
    work: Path,
    asked: BuildRequest,
    *,
    allow: str = "",
    secrets: dict[str, str] | None = None,
    claims: Path = Path("/nonexistent"),
) -> dict[str, Any]:
    """The facts of the report."""
    return Fetcher(
        asked, secrets=secrets or {}, allowed=parse_allow_list(allow), claims=claims
    ).fetch(work)


def refused(work: Path, asked: BuildRequest, **how: Any) -> BuildError:
    """Why it was refused; no file may be left, and no credential told."""
    with pytest.raises(BuildError) as caught:
        fetch(work, asked, **how)
    assert [path for path in (work / "fetched").rglob("*") if path.is_file()] == []
    for value in (how.get("secrets") or {}).values():
        assert len(value) < 13 or value not in caught.value.message  # shorter ones are names
    return caught.value
