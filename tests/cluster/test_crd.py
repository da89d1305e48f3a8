"""The generated CRD in a real API server: taken, explained, and judging as its Python twin does."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from api_rule_cases import ACCEPTED, NOT_YET, REFUSED, SUPPORTED
from cluster_access import Cluster, Namespace, Refused
from slipway_operator.api.not_yet import refuse_not_yet

ROOT = Path(__file__).resolve().parents[2]
CRD = ROOT / "manifests/crd.yaml"
NAME = "modeldeployments.slipway.dev"


@pytest.fixture(scope="module", autouse=True)
def definition(cluster: Cluster) -> None:
    cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", str(CRD))
    cluster.kubectl("wait", "--for=condition=Established", f"crd/{NAME}", "--timeout=60s")


@pytest.fixture(scope="module")
def judges(cluster: Cluster) -> Iterator[Namespace]:
    """One namespace for all that is only asked, and never made."""
    with cluster.namespace() as made:
        yield made


def test_the_api_server_accepts_it_with_every_rule(cluster: Cluster) -> None:
    conditions = "jsonpath={range .status.conditions[*]}{.type}={.status} {end}"
    told = cluster.kubectl("get", "crd", NAME, "-o", conditions).split()
    assert {"NamesAccepted=True", "Established=True"} <= set(told)
    assert not [condition for condition in told if condition.startswith("NonStructural")]


def test_kubectl_explains_every_field_of_the_spec(cluster: Cluster) -> None:
    (version,) = yaml.safe_load(CRD.read_text())["spec"]["versions"]
    spec = version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    told = cluster.wait(
        "the definition is told", lambda: cluster.kubectl("explain", "md.spec", "--recursive")
    )
    for field, schema in spec.items():
        assert f"  {field}\t" in told
        words = cluster.kubectl("explain", f"md.spec.{field}").split()
        assert " ".join(schema["description"].split()[:5]) in " ".join(words)


def judge(namespace: Namespace, found: dict[str, Any]) -> str:
    """What the API server says against a document; nothing where it takes it."""
    return namespace.cluster.reader.judge(namespace.name, found)


def placed(namespace: Namespace, found: dict[str, Any]) -> dict[str, Any]:
    return {**found, "metadata": {**found["metadata"], "namespace": namespace.name}}


@pytest.mark.parametrize(("found", "words"), REFUSED.values(), ids=REFUSED.keys())
def test_it_refuses(judges: Namespace, found: dict[str, Any], words: str) -> None:
    assert words in judge(judges, placed(judges, found))


@pytest.mark.parametrize("found", ACCEPTED.values(), ids=ACCEPTED.keys())
def test_it_has_nothing_against(judges: Namespace, found: dict[str, Any]) -> None:
    """But for what this version refuses until later."""
    said = judge(judges, placed(judges, found))
    assert bool(said) == bool(list(refuse_not_yet(found))), said
    assert said == "" or "this version" in said


@pytest.mark.parametrize("path", NOT_YET)
def test_it_refuses_what_comes_later(judges: Namespace, path: str) -> None:
    for found in NOT_YET[path]:
        assert "this version" in judge(judges, placed(judges, found))


@pytest.mark.parametrize("found", SUPPORTED.values(), ids=SUPPORTED.keys())
def test_it_takes(judges: Namespace, found: dict[str, Any]) -> None:
    assert judge(judges, placed(judges, found)) == ""


def test_every_sample_is_taken(judges: Namespace) -> None:
    for sample in sorted((ROOT / "manifests/samples").glob("*.yaml")):
        assert judge(judges, yaml.safe_load(sample.read_text())) == "", sample.name


def test_scale_reads_and_writes_the_replicas(namespace: Namespace) -> None:
    found = SUPPORTED["the least"]
    namespace.kubectl("create", "-f", "-", given=json.dumps(placed(namespace, found)))
    name = found["metadata"]["name"]
    namespace.kubectl("scale", f"md/{name}", "--replicas=3")
    assert namespace.get("md", name)["spec"]["replicas"] == 3
    with pytest.raises(Refused, match="should be greater than or equal to 0"):
        namespace.kubectl("patch", "md", name, "--type=merge", "-p", '{"spec":{"replicas":-1}}')


def test_get_prints_the_columns(namespace: Namespace) -> None:
    found = SUPPORTED["the least"]
    namespace.kubectl("create", "-f", "-", given=json.dumps(placed(namespace, found)))
    head, row = namespace.kubectl("get", "md").splitlines()
    version = yaml.safe_load(CRD.read_text())["spec"]["versions"][0]
    columns = version["additionalPrinterColumns"]
    shown = [column["name"].upper() for column in columns if not column.get("priority")]
    assert head.split()[1:] == " ".join(shown).split()
    assert row.split()[0] == found["metadata"]["name"]
