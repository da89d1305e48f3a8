"""What `up` and `apply --wait` print when a model is served: where, how good, and a line to try."""

import json
import shlex
from collections.abc import Mapping
from typing import Any

from rich.console import Console

from slipway_operator.cli.artifact import read_manifest
from slipway_operator.cli.client import Object
from slipway_operator.cli.story import (
    describe_parity,
    describe_runtime,
    report_of,
    stable_artifact,
)
from slipway_operator.contract import PATH_PREDICT


def print_summary(console: Console, item: Object) -> None:
    """The URL, the runtime, the parity line and a curl line with a real row."""
    status: Mapping[str, Any] = item.get("status") or {}
    manifest = read_manifest(stable_artifact(item))
    url = str(status.get("url") or "")
    lines = [("URL", url), ("Runtime", describe_runtime(item))]
    lines.append(("Parity", describe_parity(report_of(item).get("parity"))))
    row = example_row(manifest)
    if url and row is not None:
        lines.append(("Try", curl_line(url, row)))
    console.print(str(item["metadata"]["name"]), style="bold")
    for title, text in lines:
        if text:
            console.print(f"  {title:<8} {text}")
    console.print()


def example_row(manifest: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """A golden row of the model in its columns' order, one without holes if there is one."""
    found = manifest or {}
    rows = (found.get("golden") or {}).get("rows") or []
    whole = [row for row in rows if all(value not in (None, "") for value in row.values())]
    row = next(iter(whole or rows), None)
    if row is None:
        return None
    names = [each["name"] for each in (found.get("contract") or {}).get("columns") or []]
    return {name: row[name] for name in [*names, *row] if name in row}


def curl_line(url: str, row: Mapping[str, Any]) -> str:
    """A line for the shell that asks the model about one row."""
    body = shlex.quote(json.dumps([row], ensure_ascii=False, separators=(",", ":")))
    return f"curl -s {url}{PATH_PREDICT} -H 'content-type: application/json' -d {body}"
