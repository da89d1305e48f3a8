"""Every sample that we show people is a valid document and points at what `make examples` makes."""

import ast
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from slipway_operator.api.parse import parse_modeldeployment

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = sorted((ROOT / "manifests/samples").glob("*.yaml"))
STORES = sorted((ROOT / "manifests/samples/stores").glob("*.yaml"))
DEMO = (ROOT / "examples/store_demo.py").read_text()
EXAMPLES = sorted(path.parent.name for path in (ROOT / "examples").glob("*/train.py"))


def document(sample: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(sample.read_text())
    return found


def example_of(uri: str, sample: Path) -> Path:
    assert uri.startswith("file:"), uri
    return (sample.parent / uri.removeprefix("file:")).resolve()


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_a_sample_is_valid(sample: Path) -> None:
    parsed = parse_modeldeployment(document(sample))
    assert parsed.errors == ()
    assert parsed.asked is not None


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_a_sample_is_named_after_its_file_and_its_example(sample: Path) -> None:
    found = document(sample)
    model = found["spec"]["model"]
    folder = ROOT / "examples" / sample.stem.replace("-", "_")
    assert found["metadata"]["name"] == sample.stem
    assert example_of(model["uri"], sample).parent == folder
    if "samples" in model:
        assert example_of(model["samples"]["uri"], sample).parent == folder


@pytest.mark.parametrize("sample", STORES, ids=lambda path: path.stem)
def test_a_sample_of_a_store_is_what_the_demo_serves(sample: Path) -> None:
    found = document(sample)
    assert found["metadata"]["name"] == sample.stem
    parsed = parse_modeldeployment(found, on_laptop=True)
    assert parsed.errors == ()
    ports = re.search(r"^PORTS = (.+?)  #", DEMO, flags=re.MULTILINE)
    assert ports is not None
    model = found["spec"]["model"]
    kind, port = model["uri"].partition(":")[0], ast.literal_eval(ports[1])
    where = model["access"].get("endpoint") or model["uri"]
    assert f"://127.0.0.1:{port[kind]}" in where
    assert model["access"]["secretRef"]["name"] == f"models-{kind}"


def test_every_example_has_a_sample() -> None:
    assert sorted(path.stem.replace("-", "_") for path in SAMPLES) == EXAMPLES
