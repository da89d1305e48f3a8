"""The typed wire: what docs/wire.md shows is read and written; anything else is refused."""

import json
import pickle
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from slipway_runtime.artifact.manifest import dump_manifest, load_manifest, parse_manifest
from slipway_runtime.build_request import parse_build_request
from slipway_runtime.contract import BUILD_REASONS, MAX_TERMINATION_BYTES
from slipway_runtime.errors import BuildError
from slipway_runtime.report import (
    Report,
    read_report,
    render_short,
    report_done,
    report_failed,
    write_report,
)

DOCUMENT = Path(__file__).parents[3] / "docs" / "wire.md"


def _block(words: str) -> dict[str, Any]:
    """The JSON example of the document that holds these words, its ellipses filled in."""
    blocks = re.findall(r"```json\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    (found,) = [block for block in blocks if words in block]
    filled = found.replace("sha256:…", "sha256:" + "0" * 64).replace("{…}", "{}").replace("…", "")
    document: dict[str, Any] = json.loads(filled)
    return document


@pytest.fixture
def manifest() -> dict[str, Any]:
    return _block("manifest/v1")


def _parse(document: dict[str, Any]) -> Any:
    return parse_manifest(json.dumps(document).encode())


def test_documented_manifest_round_trips(manifest: dict[str, Any], tmp_path: Path) -> None:
    parsed = _parse(manifest)
    (tmp_path / "manifest.json").write_bytes(dump_manifest(parsed))
    assert load_manifest(tmp_path / "manifest.json") == parsed
    written = json.loads(dump_manifest(parsed))
    for key, value in manifest.items():
        if not isinstance(value, dict):
            assert written[key] == value
        else:
            assert set(value) <= set(written[key])


def test_documented_build_is_read() -> None:
    build = parse_build_request(json.dumps(_block("convertMemoryBytes")))
    assert build.limits.convert_memory_bytes == 4 << 30
    assert build.model.samples is not None
    assert build.allow_file


def test_documented_report_is_read() -> None:
    report = msgspec.convert(_block("report/v1"), Report)
    assert report.stages == ("Converted", "Verified")


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        pytest.param(("surprise",), 1, "surprise", id="unknown-field"),
        pytest.param(("schema",), "slipway.dev/manifest/v2", "schema", id="other-schema"),
        pytest.param(("runtime",), "Python", "runtime", id="unknown-runtime"),
        pytest.param(("runtime",), "Native", "does not go with", id="runtime-against-loader"),
        pytest.param(("model", "digest"), "md5:1", "digest", id="digest"),
        pytest.param(("files", "model"), "../../etc/passwd", "files", id="path-out"),
        pytest.param(("files", "model"), "native/a/b", "files", id="path-deep"),
        pytest.param(("parity", "rows"), -1, "rows", id="negative-rows"),
        pytest.param(("parity", "verdict"), "Exceeded", "Exceeded", id="exceeded"),
        pytest.param(("signature", "inputs"), [], "inputs", id="no-inputs"),
        pytest.param(("name",), None, "name", id="null-name"),
    ],
)
def test_wrong_manifest(
    manifest: dict[str, Any], path: tuple[str, ...], value: object, words: str
) -> None:
    place = manifest
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with pytest.raises(ValueError, match=words):
        _parse(manifest)


def test_names_twice(manifest: dict[str, Any]) -> None:
    manifest["signature"]["inputs"] *= 2
    with pytest.raises(ValueError, match="twice"):
        _parse(manifest)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b"[" * 100_000, b"{}"])
def test_no_manifest(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"Cannot read manifest\.json"):
        parse_manifest(content)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"name": 1}', '{"name":"m","extra":1}'])
def test_no_build(text: str) -> None:
    with pytest.raises(ValueError, match="SLIPWAY_BUILD"):
        parse_build_request(text)


def test_reasons_are_closed() -> None:
    with pytest.raises(ValueError, match="BUILD_REASONS"):
        BuildError("SomethingElse", "x")


def test_error_survives_a_process_boundary() -> None:
    error = pickle.loads(pickle.dumps(BuildError("DiskFull", "Full.", retryable=True)))
    assert (error.reason, error.message, error.retryable) == ("DiskFull", "Full.", True)
    assert "DiskFull" in repr(error)


def test_report_is_written_and_read(tmp_path: Path) -> None:
    report = report_failed("fetch", BuildError("DiskFull", "Full."), {"a": 1})
    write_report(report, work=tmp_path / "work", termination_log=tmp_path / "log")
    assert read_report(tmp_path / "work", "fetch") == report
    assert json.loads((tmp_path / "log").read_bytes())["reason"] == "DiskFull"
    assert [path.name for path in (tmp_path / "work").iterdir()] == ["fetch.json"]
    assert read_report(tmp_path, "fetch") is None
    (tmp_path / "fetch.json").write_text("{")
    assert read_report(tmp_path, "fetch") is None


@pytest.mark.parametrize("reason", BUILD_REASONS)
def test_short_report_is_short_and_keeps_the_reason(reason: str) -> None:
    facts = {f"fact{number}": "é" * 1000 for number in range(20)} | {"contract": {"columns": 3}}
    report = report_failed("convert", BuildError(reason, "ü" * 10_000), facts)
    short = render_short(report)
    assert len(short) <= MAX_TERMINATION_BYTES
    document = json.loads(short)
    assert document["reason"] == reason
    assert document["message"].endswith("…")


def test_short_report_drops_the_least_needed_first() -> None:
    facts = {"artifact": "x" * 100, "trainingVersions": {"p": "v" * 4000}, "runtime": "ONNX"}
    document = json.loads(render_short(report_done("publish", ("Packaged",), facts)))
    assert document["facts"]["artifact"] == "x" * 100
    assert document["facts"]["runtime"] == "ONNX"
    assert document["facts"]["truncated"] == ["trainingVersions"]
