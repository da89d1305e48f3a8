"""The chart as it is rendered: golden files, the API server's word, and rules for every pod.

`SLIPWAY_GOLDEN=write` writes the golden files; read the difference before you commit it.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from chart_rendering import CHART, NAMESPACE, NotRendered, Object, list_pods, render
from cluster_access import Cluster, Namespace
from slipway_operator.edges.config import parse_config
from slipway_operator.edges.kubernetes.permissions import Scope, render_rules
from slipway_operator.settings import RegistryCredentials

HERE = Path(__file__).parent / "chart"
STORIES = sorted(HERE.glob("*.values.yaml"))
each_story = pytest.mark.parametrize(
    "values", STORIES, ids=[path.name.partition(".")[0] for path in STORIES]
)


@pytest.fixture(scope="module")
def namespace(cluster: Cluster) -> Iterator[Namespace]:
    """One for all that is only asked, and never made."""
    with cluster.namespace() as made:
        # the API server looks for a pod's account even in a dry run
        made.kubectl("create", "serviceaccount", "slipway-operator")
        yield made


def test_there_are_stories() -> None:
    assert len(STORIES) >= 12


@each_story
def test_it_is_rendered_as_before(values: Path) -> None:
    golden = values.with_name(values.name.replace(".values.", ".rendered."))
    objects = [_masked(obj) for obj in render(values)]
    text = yaml.safe_dump_all(objects, sort_keys=False, width=100)
    if os.environ.get("SLIPWAY_GOLDEN") == "write":
        golden.write_text(text)
    assert text == golden.read_text()


def _masked(obj: Object) -> Object:
    """Without what is made anew each time, and without the CRD, which has a file of its own."""
    if obj["kind"] == "Secret":
        return {**obj, "data": dict.fromkeys(obj["data"], "made at the first install")}
    if obj["kind"] == "CustomResourceDefinition":
        return {**obj, "spec": "as in manifests/crd.yaml"}
    return obj


@each_story
def test_the_operator_reads_the_configuration(values: Path) -> None:
    (config,) = [
        obj["data"]["config.yaml"]
        for obj in render(values)
        if obj["kind"] == "ConfigMap" and obj["metadata"]["name"] == "slipway-operator"
    ]
    assert parse_config(config, name="config.yaml").system_namespace == NAMESPACE


@each_story
def test_every_object_is_accepted(values: Path, cluster: Cluster, namespace: Namespace) -> None:
    """All but ServiceMonitors and PodMonitors: the test cluster has no Prometheus operator."""
    objects = [_placed(obj, namespace.name) for obj in render(values)]
    objects = [obj for obj in objects if not obj["kind"].endswith("Monitor")]
    listed = {"apiVersion": "v1", "kind": "List", "items": objects}
    told = cluster.kubectl(
        "apply", "--server-side", "--force-conflicts", "--dry-run=server", "-f", "-",
        given=json.dumps(listed),
    )  # fmt: skip
    assert len(told.splitlines()) == len(objects)


@each_story
def test_every_pod_passes_restricted(values: Path, namespace: Namespace) -> None:
    pods = list(list_pods(render(values)))
    assert pods
    for number, (_, template) in enumerate(pods):
        spec = {key: value for key, value in template["spec"].items() if key != "priorityClassName"}
        pod = {
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": f"pod-{number}"}, "spec": spec,
        }  # fmt: skip
        assert namespace.cluster.reader.judge(namespace.name, pod) == ""


def _placed(obj: Object, namespace: str) -> Object:
    metadata = obj["metadata"]
    return (
        {**obj, "metadata": {**metadata, "namespace": namespace}}
        if "namespace" in metadata
        else obj
    )


@each_story
def test_every_pod_is_as_a_careful_engineer_writes_it(values: Path) -> None:
    for name, template in list_pods(render(values)):
        spec = template["spec"]
        for container in spec["containers"]:
            where = f"{name}: {container['name']}"
            assert "@sha256:" in container["image"], where
            assert container["securityContext"]["readOnlyRootFilesystem"], where
            assert {"cpu"} <= set(container["resources"]["requests"]), where
            assert "memory" in container["resources"]["limits"], where
            assert "cpu" not in container["resources"]["limits"], f"{where}: it would be throttled"
            if name.startswith("Deployment/"):
                assert "livenessProbe" in container, where
                assert container["livenessProbe"] != container.get("readinessProbe"), where
        volumes = [volume for volume in spec["volumes"] if "emptyDir" in volume]
        assert all("sizeLimit" in volume["emptyDir"] for volume in volumes), name
        assert not any("hostPath" in volume for volume in spec["volumes"]), name


@each_story
def test_no_role_has_more_than_the_operator_uses(values: Path) -> None:
    objects = render(values)
    names = {obj["metadata"]["name"]: obj for obj in objects if obj["kind"] == "ConfigMap"}
    config = parse_config(names["slipway-operator"]["data"]["config.yaml"], name="config.yaml")
    credentials = config.registry.credentials
    for_models = [
        obj
        for obj in objects
        if obj["kind"] in ("Role", "ClusterRole") and obj["metadata"]["name"].endswith("-models")
    ]
    assert len(for_models) == max(1, len(config.watch_namespaces))
    for role in for_models:
        assert _sorted(role["rules"]) == _sorted(
            render_rules(Scope.MODELS, credentials=credentials)
        )
    (own,) = [
        obj
        for obj in objects
        if obj["kind"] == "Role" and obj["metadata"]["name"] == "slipway-operator"
    ]
    assert own["rules"] == render_rules(Scope.OWN, credentials=credentials)
    definition = [
        obj["rules"]
        for obj in objects
        if obj["kind"] == "ClusterRole" and obj["metadata"]["name"].endswith("-definition")
    ]
    assert definition in ([], [render_rules(Scope.CLUSTER, credentials=credentials)])


def _sorted(rules: list[dict[str, Any]]) -> list[str]:
    return sorted(json.dumps(rule, sort_keys=True) for rule in rules)


def test_without_cluster_objects_there_are_none() -> None:
    objects = render(HERE / "namespaced.values.yaml")
    assert [obj["kind"] for obj in objects if "namespace" not in obj["metadata"]] == []


def test_a_secret_is_changed_for_the_embedded_registry_only() -> None:
    for name, credentials in (
        ("default", RegistryCredentials.EMBEDDED),
        ("external-registry", RegistryCredentials.SECRET),
        ("open-registry", RegistryCredentials.NONE),
    ):
        roles = [
            obj for obj in render(HERE / f"{name}.values.yaml") if obj["kind"] == "ClusterRole"
        ]
        verbs = {
            verb
            for role in roles
            for rule in role["rules"]
            if rule["resources"] == ["secrets"]
            for verb in rule["verbs"]
        }
        more = {"patch"} if credentials is RegistryCredentials.EMBEDDED else set()
        assert verbs == {"get", "create", *more}, name


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"operator.replica": "3"}, "replica"),
        ({"urlScheme": "ftp"}, "urlScheme"),
        ({"images.operator.digest": "latest"}, "digest"),
        ({"images.operator.digest": ""}, "images.operator.digest is missing"),
        ({"clusterObjects": "false"}, "watchNamespaces is empty"),
        ({"registry.type": "External"}, "registry.external.url is empty"),
        ({"gateway.create": "true"}, "gateway.className is empty"),
        ({"gateway.tlsSecret": "tls"}, "urlScheme is http"),
    ],
    ids=["unknown", "scheme", "tag", "digest", "namespaces", "url", "class", "tls"],
)
def test_values_that_cannot_work_are_refused(values: dict[str, str], words: str) -> None:
    with pytest.raises(NotRendered, match=words):
        render(**values)


def test_the_definition_is_the_one_of_the_code() -> None:
    (definition,) = [obj for obj in render() if obj["kind"] == "CustomResourceDefinition"]
    assert definition["metadata"]["annotations"].pop("helm.sh/resource-policy") == "keep"
    assert definition == yaml.safe_load((CHART.parents[1] / "manifests/crd.yaml").read_text())
