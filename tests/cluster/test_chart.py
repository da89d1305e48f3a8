"""The chart installed by Helm: models in, an upgrade under load, an uninstall that looks first."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
import yaml

import behaviour_models as models
from behaviour_load import Load
from chart_release import installed_chart, run_helm
from chart_rendering import CHART, NotRendered
from cluster_access import Cluster, Namespace, Object, Refused
from cluster_installation import (
    MODELS_DOMAIN,
    chart_values,
    give_credentials,
    load_images,
    start_registry,
    trained,
)
from cluster_inventory import name_everything
from cluster_models import ask, gateway_url, model_of, wait_up_to_date
from cluster_operator import install_account
from store_servers import Store


@pytest.fixture(scope="module")
def source(cluster: Cluster) -> Store:
    """Where models come from."""
    install_account(cluster)
    return start_registry(cluster)


@pytest.fixture(scope="module")
def values(tmp_path_factory: pytest.TempPathFactory) -> Path:
    images = load_images()
    path = tmp_path_factory.mktemp("chart") / "values.yaml"
    path.write_text(yaml.safe_dump(chart_values(images)))
    return path


@pytest.fixture(scope="module")
def installation(cluster: Cluster, source: Store, values: Path) -> Iterator[Namespace]:
    with installed_chart(cluster, values) as system:
        yield system


def test_a_model_is_served_by_an_installation_of_the_chart(
    installation: Namespace, source: Store, namespace: Namespace
) -> None:
    """By the embedded registry, with the operator's tokens and no Secret that anybody made."""
    cluster = installation.cluster
    assert "Phase:          Succeeded" in run_helm(cluster, "test", "slipway")
    give_credentials(namespace)  # to fetch the model; the artifact has another registry
    folder = trained("penguins")
    namespace.apply(
        model_of(source, folder / "model.joblib", "penguins", samples=folder / "samples.csv")
    )
    status = wait_up_to_date(namespace, "penguins")["status"]
    assert status["runtime"] == "ONNX"
    rows = pd.read_csv(folder / "rows.csv")
    wanted = joblib.load(folder / "model.joblib").predict_proba(rows)
    host = f"penguins.{namespace.name}.{MODELS_DOMAIN}"
    told = [
        list(one["probabilities"].values()) for one in ask(gateway_url(cluster), rows, host=host)
    ]
    np.testing.assert_allclose(np.asarray(told), wanted, rtol=1e-4, atol=1e-5)


def test_a_model_that_is_made_again_needs_no_job(
    installation: Namespace, source: Store, namespace: Namespace, tmp_path: Path
) -> None:
    give_credentials(namespace)
    file = models.classifier(tmp_path / "m.joblib")
    document = model_of(source, file, "again")
    document["spec"]["model"]["digest"] = f"sha256:{sha256(file.read_bytes()).hexdigest()}"
    namespace.apply(document)
    first = wait_up_to_date(namespace, "again")["status"]
    assert len(namespace.list("jobs")) == 1
    namespace.kubectl("delete", "md", "again")
    namespace.wait("its Job is gone as well", lambda: not namespace.list("jobs"))
    namespace.apply(document)
    second = wait_up_to_date(namespace, "again")["status"]
    assert second["build"]["artifact"] == first["build"]["artifact"]
    assert "job" not in second["build"]
    assert namespace.list("jobs") == []
    assert "Reused" in namespace.kubectl("get", "events")
    host = f"again.{namespace.name}.{MODELS_DOMAIN}"
    rows = pd.DataFrame([{"age": 70.0, "income": 3.0}, {"age": 20.0, "income": 1.0}])
    told = ask(gateway_url(installation.cluster), rows, host=host)
    assert [one["label"] for one in told] == ["old", "young"]


def test_the_plugin_says_and_does_what_the_command_does_on_a_laptop(
    installation: Namespace, source: Store, namespace: Namespace, tmp_path: Path
) -> None:
    """`kubectl slipway`, from the first apply to the last delete."""
    give_credentials(namespace)
    before = name_everything(namespace)
    plugin = Plugin(namespace)
    rows = tmp_path / "rows.json"
    rows.write_text('[{"age": 70.0, "income": 3.0}, {"age": 20.0, "income": 1.0}]')
    document = model_of(source, models.classifier(tmp_path / "m.joblib"), "told")
    assert "No modeldeployments in namespace" in plugin.run("get").stderr
    applied = plugin.run("apply", "-f", "-", "--wait", given=json.dumps(document))
    assert applied.returncode == 0, applied.stderr
    assert "modeldeployment.slipway.dev/told applied" in applied.stdout
    assert "Secret" in {kind for kind, _ in name_everything(namespace) - before}, "the tokens"
    line = plugin.run("get", "told").stdout.splitlines()[1].split()
    assert line[:4] == ["told", f"http://told.{namespace.name}.{MODELS_DOMAIN}", "True", "Serving"]
    assert "Built" in plugin.run("describe", "told").stdout
    answered = plugin.run("predict", "told", str(rows), "--via-api", "-o", "json")
    assert answered.returncode == 0, answered.stderr
    assert len(json.loads(answered.stdout)["predictions"]) == 2
    assert "ready: model told" in plugin.run("logs", "told").stdout
    assert "Packaged" in plugin.run("logs", "told", "--build").stdout
    rows.write_text('[{"age": "old", "income": 3.0}]')
    refused = plugin.run("predict", "told", str(rows), "--via-api")
    assert (refused.returncode, "age" in refused.stderr) == (1, True), refused.stderr
    unreached = plugin.run("predict", "told", str(rows))
    assert unreached.returncode == 1
    assert "--via-api" in unreached.stderr
    wrong = {**document, "spec": {"model": {"uri": "gopher://m"}}}
    denied = plugin.run("apply", "-f", "-", given=json.dumps(wrong))
    assert denied.returncode == 1
    assert "spec.model.uri" in denied.stderr
    assert "deleted from the cluster at" in plugin.run("delete", "told").stdout
    assert plugin.run("get", "told").returncode == 3
    namespace.wait("the tokens are gone as well", lambda: name_everything(namespace) == before)


class Plugin:
    """`kubectl slipway` in a namespace."""

    def __init__(self, namespace: Namespace) -> None:
        self._namespace = namespace

    def run(self, verb: str, *words: str, given: str = "") -> "subprocess.CompletedProcess[str]":
        cluster, programs = self._namespace.cluster, Path(sys.executable).parent
        path = f"{programs}:{Path(cluster.kubectl_path).parent}:{os.environ['PATH']}"
        told = subprocess.run(
            ["kubectl", "slipway", verb, *words, "-n", self._namespace.name],
            env={**os.environ, "PATH": path, "KUBECONFIG": str(cluster.kubeconfig)},
            input=given,
            capture_output=True,
            text=True,
            check=False,
            timeout=180,
        )
        assert "Traceback" not in told.stderr
        return told


def test_an_upgrade_of_the_operator_touches_no_model(
    installation: Namespace, source: Store, namespace: Namespace, values: Path, tmp_path: Path
) -> None:
    cluster = installation.cluster
    give_credentials(namespace)
    namespace.apply(model_of(source, models.classifier(tmp_path / "m.joblib"), "kept"))
    wait_up_to_date(namespace, "kept")
    before = _templates(namespace)
    pods = {pod["metadata"]["uid"] for pod in namespace.list("pods", selector=_SERVING)}
    operators = {pod["metadata"]["uid"] for pod in installation.list("pods", selector=_OPERATOR)}
    load = Load(
        url=f"{gateway_url(cluster)}/predict",
        bodies=[[{"age": 70.0, "income": 3.0}]],
        headers={"host": f"kept.{namespace.name}.{MODELS_DOMAIN}"},
    )
    with load:
        load.wait_for(50)
        for level in ("DEBUG", "INFO"):
            run_helm(
                cluster, "upgrade", "slipway", str(CHART), "-f", str(values),
                "--set", f"operator.logLevel={level}", "--wait",
            )  # fmt: skip
            load.wait_for(50)
    assert load.failed == []
    assert _templates(namespace) == before
    assert {pod["metadata"]["uid"] for pod in namespace.list("pods", selector=_SERVING)} == pods
    after = {pod["metadata"]["uid"] for pod in installation.list("pods", selector=_OPERATOR)}
    assert not operators & after


_SERVING = "slipway.dev/component=serve"
_OPERATOR = "app.kubernetes.io/component=operator"


def _templates(namespace: Namespace) -> list[Any]:
    return [one["spec"]["template"] for one in namespace.list("deployments", selector=_SERVING)]


def test_a_rollout_is_judged_by_an_operator_in_the_cluster(
    installation: Namespace, source: Store, namespace: Namespace, tmp_path: Path
) -> None:
    """It reaches the pods' counts, which NetworkPolicies keep from everybody else."""
    give_credentials(namespace)
    step = {"type": "Weight", "weight": {"percent": 50, "minSeconds": 2}}
    warm_up = {"requests": 5, "seconds": 1}
    old = models.classifier(tmp_path / "old.joblib")
    new = models.classifier(tmp_path / "new.joblib", flip=True)
    documents = [model_of(source, path, "judged") for path in (old, new)]
    for document in documents:
        document["spec"]["rollout"] = {"strategy": "Canary", "steps": [step], "warmUp": warm_up}
    namespace.apply(documents[0])
    before = wait_up_to_date(namespace, "judged")["status"]["stableRevision"]
    load = Load(
        url=f"{gateway_url(installation.cluster)}/predict",
        bodies=[[{"age": 70.0, "income": 3.0}]],
        headers={"host": f"judged.{namespace.name}.{MODELS_DOMAIN}"},
        per_second=100,
    )
    with load:
        namespace.apply(documents[1])
        after = wait_up_to_date(namespace, "judged")["status"]
    assert load.failed == []
    assert after["stableRevision"] != before
    verdicts = {metric["name"]: metric["verdict"] for metric in after["analysis"]["metrics"]}
    assert verdicts == dict.fromkeys(("errors", "latency", "violations"), "Pass")


def test_who_may_write_a_model_may_not_by_that_command_its_rollout(
    installation: Namespace, namespace: Namespace
) -> None:
    namespace.kubectl("create", "rolebinding", "edit", "--clusterrole=edit", "--user=user-edit")
    namespace.kubectl(
        "create", "role", "models", "--resource=modeldeployments.slipway.dev",
        "--verb=get,create,patch,update",
    )  # fmt: skip
    namespace.kubectl("create", "rolebinding", "models", "--role=models", "--user=user-models")
    namespace.apply(_document("told", {"model": {"uri": "https://models.example.com/m.joblib"}}))

    def command(user: str, number: int, by: str) -> str:
        words = {"": "abort", "-id": f"c{number}", "-by": by}
        told = [f"slipway.dev/command{key}={value}" for key, value in words.items()]
        return namespace.kubectl("annotate", "md", "told", "--overwrite", f"--as={user}", *told)

    with pytest.raises(Refused, match="user-models may not command rollouts in namespace"):
        command("user-models", 1, "user-models")
    with pytest.raises(Refused, match='command-by is "somebody", but the command is given by'):
        command("user-edit", 1, "somebody")
    assert "annotated" in command("user-edit", 1, "user-edit")
    # what stands there already hinders nobody who changes something else
    words = ("annotate", "md", "told", "--as=user-models", "team=risk")
    assert "annotated" in namespace.kubectl(*words)


def test_a_reference_to_a_secret_that_the_user_may_not_read_is_refused(
    installation: Namespace, namespace: Namespace
) -> None:
    """An author with the cluster's own role `edit` may name a Secret, one with less may not."""
    namespace.kubectl("create", "secret", "generic", "keys", "--from-literal=token=planted-9931")
    for role in ("view", "edit"):
        namespace.kubectl(
            "create", "rolebinding", role, f"--clusterrole={role}", f"--user=user-{role}"
        )
    namespace.kubectl(
        "create", "role", "models", "--resource=modeldeployments.slipway.dev",
        "--verb=get,create,patch,update",
    )  # fmt: skip
    namespace.kubectl("create", "rolebinding", "models", "--role=models", "--user=user-view")
    document = _of_secret("churn", secret="keys")
    with pytest.raises(Refused, match='a Secret that user-view may not get in namespace "test-'):
        _apply_as(namespace, "user-view", document)
    assert namespace.list("md") == []
    _apply_as(namespace, "user-edit", document)
    # what stands there already may be kept by whoever changes something else
    _apply_as(namespace, "user-view", _of_secret("churn", secret="keys", replicas=2))
    with pytest.raises(Refused, match='"others", a Secret that user-view may not get'):
        _apply_as(namespace, "user-view", _of_secret("churn", secret="others"))
    claim = {"model": {"uri": "pvc://models/churn.joblib"}}
    with pytest.raises(Refused, match="user-view may not create pods"):
        _apply_as(namespace, "user-view", _document("other", claim))
    assert [one["metadata"]["name"] for one in namespace.list("md")] == ["churn"]


def test_a_host_name_that_the_namespace_may_not_use_is_refused(
    installation: Namespace, namespace: Namespace
) -> None:
    def apply(name: str, *hosts: str, replicas: int = 1) -> None:
        model = {"uri": "https://models.example.com/churn.joblib"}
        traffic = {"hostnames": list(hosts)}
        namespace.apply(_document(name, {"model": model, "traffic": traffic, "replicas": replicas}))

    def allow(hosts: str) -> None:
        words = ("namespace", namespace.name, "--overwrite", f"slipway.dev/hostnames={hosts}")
        namespace.cluster.kubectl("annotate", *words)

    apply("own", f"own.{namespace.name}.{MODELS_DOMAIN}")
    with pytest.raises(Refused, match=r'"a\.shop\.test", which namespace "test-.* may not use'):
        apply("churn", "a.shop.test")
    allow("*.shop.test")
    namespace.wait("it is let in", lambda: apply("churn", "a.shop.test") is None)
    allow("nothing.test")
    # what stands there already stays; whether it is served the operator decides
    apply("churn", "a.shop.test", replicas=2)
    with pytest.raises(Refused, match=r"slipway\.dev/hostnames"):
        apply("churn", "b.shop.test")


def _of_secret(name: str, *, secret: str, **spec: Any) -> Object:
    access = {"secretRef": {"name": secret}}
    uri = "https://models.example.com/churn.joblib"
    return _document(name, {"model": {"uri": uri, "access": access}, **spec})


def _document(name: str, spec: Object) -> Object:
    return {
        "apiVersion": "slipway.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"name": name},
        "spec": spec,
    }


def _apply_as(namespace: Namespace, user: str, document: Object) -> None:
    namespace.kubectl(
        "apply", "--server-side", f"--as={user}", "--field-manager=test", "--force-conflicts",
        "-f", "-", given=json.dumps(document),
    )  # fmt: skip


def test_an_uninstall_with_models_left_is_refused(
    installation: Namespace, namespace: Namespace, values: Path
) -> None:
    cluster = installation.cluster
    namespace.apply(_document("left", {"model": {"uri": "https://models.example.com/m.joblib"}}))
    with pytest.raises(NotRendered, match="slipway-leftovers failed"):
        run_helm(cluster, "uninstall", "slipway")
    told = installation.kubectl("logs", "job/slipway-leftovers")
    assert f"{namespace.name}/left" in told
    assert "Delete them first" in told
    assert installation.get("deployment", "slipway-operator")["status"]["readyReplicas"] == 2
    namespace.kubectl("delete", "md", "left", "--timeout=60s")
    cluster.wait(
        "no model is left",
        lambda: not json.loads(cluster.kubectl("get", "md", "-A", "-o", "json"))["items"],
    )
    run_helm(cluster, "uninstall", "slipway", "--wait")
    assert installation.list("deployments") == []
    assert "slipway.dev" in cluster.kubectl("get", "crd", "modeldeployments.slipway.dev")
    # and again, with the CRD that was kept
    run_helm(cluster, "upgrade", "--install", "slipway", str(CHART), "-f", str(values), "--wait")
    assert "Phase:          Succeeded" in run_helm(cluster, "test", "slipway")
