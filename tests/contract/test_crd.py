"""The CRD is what the code generates, and obeys what an API server and `kubectl` ask of it."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from slipway_operator.api import crd

ROOT = Path(__file__).resolve().parents[2]
GENERATED = crd.generated_files()
CRD = crd.render_crd()
VERSION = CRD["spec"]["versions"][0]
SCHEMA = VERSION["schema"]["openAPIV3Schema"]


def nodes(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema in a schema, itself first, with its path."""
    yield path, schema
    for name, member in schema.get("properties", {}).items():
        yield from nodes(member, f"{path}.{name}")
    for name in ("items", "additionalProperties"):
        if name in schema:
            yield from nodes(schema[name], f"{path}[]")


SPEC = dict(nodes(SCHEMA["properties"]["spec"], "spec"))
STATUS = dict(nodes(SCHEMA["properties"]["status"], "status"))
ALL = SPEC | STATUS


@pytest.mark.parametrize("name", GENERATED)
def test_the_copy_in_the_checkout_is_what_the_code_generates(name: str) -> None:
    # `make generate` writes it.
    assert (ROOT / name).read_text() == GENERATED[name]


def test_it_is_small_enough_for_client_side_apply() -> None:
    text = (ROOT / "manifests/crd.yaml").read_text()
    assert len(text.encode()) <= crd.SIZE_LIMIT == 200 * 1024
    assert yaml.safe_load(text) == CRD


def test_the_schema_is_structural() -> None:
    for path, node in ALL.items():
        assert "$ref" not in node, path
        assert "default" not in node, path
        if node.get("x-kubernetes-int-or-string"):
            assert node["anyOf"] == [{"type": "integer"}, {"type": "string"}], path
        else:
            assert isinstance(node["type"], str), path
        # Unknown fields are pruned; `additionalProperties: false` is not allowed beside properties.
        assert not ({"properties", "additionalProperties"} <= node.keys()), path


def test_everything_in_the_spec_is_bounded() -> None:
    # CEL's cost is estimated from these bounds.
    for path, node in SPEC.items():
        if node.get("type") == "array":
            assert node["maxItems"] <= 256, path
        if "additionalProperties" in node:
            assert node["maxProperties"] <= 32, path
        if node.get("type") == "string" and "enum" not in node:
            assert node["maxLength"] <= 4096, path
        if node.get("type") == "integer":
            assert node["minimum"] <= node["maximum"], path


def test_every_field_says_what_it_is_and_every_field_of_the_spec_what_a_change_sets_off() -> None:
    for path, node in ALL.items():
        if path.endswith("[]"):
            continue
        assert node["description"][0].isupper(), path
        assert node["description"].endswith("."), path
        if path not in ("spec", "status") and path.startswith("spec"):
            assert re.search(r"Effect: (Build|Revision|Live)\.$", node["description"]), path


@pytest.mark.parametrize(
    ("path", "effect"),
    [
        ("spec.model.uri", "Build"),
        ("spec.model.access.secretRef.name", "Build"),
        ("spec.serving.resources.limits", "Revision"),
        ("spec.serving.podTemplate.tolerations[].key", "Revision"),
        ("spec.contract.rules[].value", "Revision"),
        ("spec.dependencies[].sql.url", "Revision"),
        ("spec.traffic.hostnames", "Live"),
        ("spec.rollout.steps[].weight.percent", "Live"),
        ("spec.autoscaling.maxReplicas", "Live"),
        ("spec.replicas", "Live"),
        ("spec.monitoring.log.mode", "Live"),
    ],
    ids=lambda value: value,
)
def test_the_effect_of_a_field(path: str, effect: str) -> None:
    assert SPEC[path]["description"].endswith(f"Effect: {effect}.")


@pytest.mark.parametrize(
    ("path", "kind", "keys"),
    [
        ("spec.contract.rules", "map", ["column", "rule"]),
        ("spec.dependencies", "map", ["name"]),
        ("spec.rollout.analysis.metrics", "map", ["name"]),
        ("spec.rollout.steps", "atomic", None),
        ("spec.model.packages", "atomic", None),
        ("spec.traffic.hostnames", "set", None),
        ("status.conditions", "map", ["type"]),
        ("status.revisions", "map", ["hash"]),
        ("status.history", "atomic", None),
        ("status.faults", "atomic", None),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_how_lists_are_merged(path: str, kind: str, keys: list[str] | None) -> None:
    assert ALL[path]["x-kubernetes-list-type"] == kind
    assert ALL[path].get("x-kubernetes-list-map-keys") == keys


def test_the_keys_of_a_list_map_are_required() -> None:
    for path, node in ALL.items():
        for key in node.get("x-kubernetes-list-map-keys", []):
            assert key in node["items"]["required"], path


def test_only_the_uri_of_the_model_is_required() -> None:
    assert SPEC["spec"]["required"] == ["model"]
    assert SPEC["spec.model"]["required"] == ["uri"]


def test_a_share_is_a_number_or_a_string() -> None:
    assert SPEC["spec.rollout.steps[].weight.percent"]["x-kubernetes-int-or-string"] is True


def test_what_kubectl_get_prints() -> None:
    columns = VERSION["additionalPrinterColumns"]
    narrow = [column["name"] for column in columns if "priority" not in column]
    wide = [column["name"] for column in columns if column.get("priority") == 1]
    # NAME is kubectl's own first column.
    assert narrow == ["URL", "READY", "REASON", "STABLE", "CANARY", "WEIGHT", "REPLICAS", "AGE"]
    assert wide == ["STEP", "RUNTIME", "FAULTS", "SINCE", "MESSAGE"]


def test_every_column_of_the_status_exists() -> None:
    for column in VERSION["additionalPrinterColumns"]:
        path = column["jsonPath"]
        if path.startswith(".status.conditions[?"):
            found = STATUS[f"status.conditions[].{path.rpartition('.')[2]}"]
        elif path.startswith(".status"):
            found = STATUS[path.removeprefix(".")]
        else:
            continue
        wanted = {"date": "string"}.get(column["type"], column["type"])
        assert found["type"] == wanted, path


def test_names_and_subresources() -> None:
    names = CRD["spec"]["names"]
    assert CRD["metadata"]["name"] == f"{names['plural']}.{CRD['spec']['group']}"
    assert names["shortNames"] == ["md"]
    assert names["categories"] == ["all", "slipway"]
    assert VERSION["subresources"]["status"] == {}
    scale = VERSION["subresources"]["scale"]
    assert scale["specReplicasPath"].removeprefix(".") in SPEC
    assert scale["statusReplicasPath"].removeprefix(".") in STATUS
    assert scale["labelSelectorPath"].removeprefix(".") in STATUS


def test_the_hash_is_that_of_the_schema() -> None:
    annotation = CRD["metadata"]["annotations"][crd.HASH_ANNOTATION]
    assert annotation == crd.compute_schema_hash(SCHEMA)
    changed = json.loads(json.dumps(SCHEMA))
    changed["properties"]["spec"]["properties"]["replicas"]["maximum"] += 1
    assert annotation != crd.compute_schema_hash(changed)


def test_every_rule_blames_a_field_that_exists() -> None:
    for path, node in SPEC.items():
        for rule in node.get("x-kubernetes-validations", []):
            assert rule["message"].isprintable()
            if "fieldPath" in rule:
                assert f"{path}{rule['fieldPath']}" in SPEC, path
