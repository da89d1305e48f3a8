"""One text for one value: the canonical JSON that hashes and frozen snapshots are made of."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

SHORT: Final = 10  # hex digits of a hash that go into a name: 40 bits, within one model


def render_canonical(value: Any) -> str:
    """Render JSON with sorted keys and no white space; equal values give equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def compute_hash(value: Any) -> str:
    """The SHA-256 of a value's canonical JSON, as 64 hex digits."""
    return hashlib.sha256(render_canonical(value).encode()).hexdigest()


def compute_short_hash(value: Any) -> str:
    """The first ten hex digits of `compute_hash`, as used in names and labels."""
    return compute_hash(value)[:SHORT]


def read_json_object(text: Any) -> Mapping[str, Any] | None:
    """Read a JSON object out of text that somebody else may have written; None: it is not one."""
    if not isinstance(text, str):
        return None
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
