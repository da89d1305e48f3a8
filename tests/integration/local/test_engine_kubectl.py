"""A plain kubectl talks to the engine: by its requests, and by the program where it is there."""

import base64
import json
import os
import shutil
import ssl
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from local_engine import SERVER, LocalEngine, build_deployment, build_job, wait_until
from slipway_operator.api.crd import COLUMNS
from slipway_operator.local.kinds import KINDS

pytestmark = pytest.mark.engine
Object = dict[str, Any]
MODELS = "/apis/slipway.dev/v1alpha1/namespaces/default/modeldeployments"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
PODS = "/api/v1/namespaces/default/pods"
SECRETS = "/api/v1/namespaces/default/secrets"
AS_TABLE = {
    "accept": "application/json;as=Table;v=v1;g=meta.k8s.io,"
    "application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json"
}
MERGE = {"content-type": "application/merge-patch+json"}
STRATEGIC = {"content-type": "application/strategic-merge-patch+json"}


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalEngine]:
    running = LocalEngine(tmp_path_factory.mktemp("data")).start()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def outside(engine: LocalEngine) -> Iterator[httpx.Client]:
    """What kubectl makes of the kubeconfig: its server, its authority, its token."""
    config = yaml.safe_load((engine.data / "kubeconfig").read_text())
    cluster = config["clusters"][0]["cluster"]
    authority = ssl.create_default_context()
    authority.load_verify_locations(
        cadata=base64.b64decode(cluster["certificate-authority-data"]).decode()
    )
    token = config["users"][0]["user"]["token"]
    with httpx.Client(
        base_url=cluster["server"],
        verify=authority,
        headers={"authorization": f"Bearer {token}"},
        trust_env=False,
    ) as client:
        yield client


def build_model(name: str, **spec: Any) -> Object:
    return {
        "apiVersion": "slipway.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"name": name, "namespace": "default", "labels": {"app": name}},
        "spec": {"model": {"uri": "file:/nowhere/model.joblib"}, **spec},
    }


def test_the_kubeconfig_is_the_owners_only_and_names_loopback(engine: LocalEngine) -> None:
    for name in ("kubeconfig", "kubeconfig.pem"):
        assert stat.S_IMODE((engine.data / name).stat().st_mode) == 0o600
    text = (engine.data / "kubeconfig").read_text()
    assert "server: https://127.0.0.1:" in text
    assert "PRIVATE KEY" not in text


def test_over_tls_too_nothing_is_told_without_the_token(outside: httpx.Client) -> None:
    for path in ("/version", "/api", "/apis", "/openapi/v3", MODELS):
        answer = outside.get(path, headers={"authorization": "Bearer wrong"})
        assert (answer.status_code, answer.json()["reason"]) == (401, "Unauthorized")


def test_a_stranger_is_not_trusted(outside: httpx.Client) -> None:
    with pytest.raises(httpx.ConnectError, match="certificate verify failed"):
        httpx.get(outside.base_url.join("/version"), trust_env=False)


def test_every_kind_is_discovered_where_it_is_served(outside: httpx.Client) -> None:
    assert outside.get("/version").json()["major"] == "1"
    roots = [f"/api/{version}" for version in outside.get("/api").json()["versions"]]
    for group in outside.get("/apis").json()["groups"]:
        assert outside.get(f"/apis/{group['name']}").json()["name"] == group["name"]
        roots += [f"/apis/{version['groupVersion']}" for version in group["versions"]]
    found = {}
    for root in roots:
        for resource in outside.get(root).json()["resources"]:
            found[(root, resource["name"])] = resource
            if "/" not in resource["name"]:
                assert outside.get(f"{root}/{resource['name']}").json()["items"] is not None
    assert {(kind.root, kind.plural) for kind in KINDS} <= found.keys()
    model = found[("/apis/slipway.dev/v1alpha1", "modeldeployments")]
    assert (model["shortNames"], model["categories"]) == (["md"], ["all", "slipway"])
    scale = found[("/apis/slipway.dev/v1alpha1", "modeldeployments/scale")]
    assert (scale["group"], scale["kind"]) == ("autoscaling", "Scale")


def test_the_schema_says_that_writes_are_validated_here(outside: httpx.Client) -> None:
    paths = outside.get("/openapi/v3").json()["paths"]
    assert paths.keys() == {kind.root[1:] for kind in KINDS}
    for entry in paths.values():
        document = outside.get(entry["serverRelativeURL"]).json()
        validated = [
            item["patch"]["x-kubernetes-group-version-kind"]["kind"]
            for item in document["paths"].values()
            if "fieldValidation" in {each["name"] for each in item["patch"]["parameters"]}
        ]
        kinds = {
            schema["x-kubernetes-group-version-kind"][0]["kind"]
            for schema in document["components"]["schemas"].values()
        }
        assert set(validated) == kinds
    schemas = outside.get("/openapi/v3/apis/slipway.dev/v1alpha1").json()["components"]["schemas"]
    (schema,) = schemas.values()
    assert schema["properties"]["spec"]["properties"]["model"]["required"] == ["uri"]


def test_a_list_is_a_table_with_the_columns_of_the_crd(
    engine: LocalEngine, outside: httpx.Client
) -> None:
    engine.apply(build_model("table", replicas=0)).raise_for_status()
    table = outside.get(MODELS, headers=AS_TABLE, params={"labelSelector": "app=table"}).json()
    assert (table["kind"], table["apiVersion"]) == ("Table", "meta.k8s.io/v1")
    told = [(c["name"].upper(), bool(c["priority"])) for c in table["columnDefinitions"]]
    assert told == [("NAME", False), *((name, wide) for name, _, _, wide in COLUMNS)]
    (row,) = table["rows"]
    assert row["cells"][0] == row["object"]["metadata"]["name"] == "table"
    assert row["object"]["kind"] == "PartialObjectMetadata"
    single = outside.get(f"{MODELS}/table", headers=AS_TABLE, params={"includeObject": "Object"})
    assert single.json()["rows"][0]["object"]["spec"]["replicas"] == 0
    plain = outside.get(f"{MODELS}/table", headers={"accept": "application/json"}).json()
    assert plain["kind"] == "ModelDeployment"
    query = {"watch": "1", "fieldSelector": "metadata.name=table", "timeoutSeconds": "1"}
    line = outside.get(MODELS, headers=AS_TABLE, params=query).text.splitlines()[0]
    change = json.loads(line)
    assert (change["type"], change["object"]["kind"]) == ("ADDED", "Table")
    assert change["object"]["rows"][0]["cells"][0] == "table"
    engine.delete(build_model("table"))


@pytest.mark.parametrize("how", ["PUT", "PATCH"])
def test_a_model_and_a_deployment_are_scaled(
    engine: LocalEngine, outside: httpx.Client, how: str
) -> None:
    engine.apply(build_model("scaled")).raise_for_status()
    engine.apply(build_deployment("scaled-pods", replicas=0)).raise_for_status()
    for path in (f"{MODELS}/scaled/scale", f"{DEPLOYMENTS}/scaled-pods/scale"):
        scale = outside.get(path).json()
        assert (scale["kind"], scale["apiVersion"]) == ("Scale", "autoscaling/v1")
        scale["metadata"].pop("resourceVersion")  # the status may be written at any time
        wanted = {**scale, "spec": {"replicas": 0}} if how == "PUT" else {"spec": {"replicas": 0}}
        answer = outside.request(how, path, json=wanted, headers=MERGE)
        assert answer.json()["spec"]["replicas"] == 0
        for wrong in (-1, "two", None, True):
            refused = outside.request(how, path, json={"spec": {"replicas": wrong}}, headers=MERGE)
            assert refused.status_code == 400
        stale = {"metadata": {"resourceVersion": "1"}, "spec": {"replicas": 1}}
        assert outside.request(how, path, json=stale, headers=MERGE).status_code == 409
    beyond = outside.request(
        how, f"{MODELS}/scaled/scale", json={"spec": {"replicas": 5000}}, headers=MERGE
    )
    assert (beyond.status_code, beyond.json()["details"]["name"]) == (422, "scaled")
    assert outside.delete(f"{MODELS}/scaled/scale").status_code == 405
    assert outside.get(f"{PODS}/x/scale").status_code == 404
    assert outside.get(f"{DEPLOYMENTS}/scaled-pods/scale").json()["status"]["selector"] == (
        "app=scaled-pods"
    )
    engine.delete(build_model("scaled"))
    engine.delete(build_deployment("scaled-pods"))


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({"labelSelector": "app in (sel-a, sel-b)"}, {"sel-a", "sel-b"}),
        ({"labelSelector": "app in (sel-a),app"}, {"sel-a"}),
        ({"labelSelector": "app notin (sel-a)"}, {"sel-b"}),
        ({"labelSelector": "app==sel-b"}, {"sel-b"}),
        ({"labelSelector": "!app"}, set()),
        ({"labelSelector": "app!=sel-b"}, {"sel-a"}),
        ({"fieldSelector": "metadata.name!=sel-a"}, {"sel-b"}),
        ({"fieldSelector": "metadata.name=sel-a,metadata.namespace=default"}, {"sel-a"}),
    ],
)
def test_selectors(outside: httpx.Client, query: dict[str, str], names: set[str]) -> None:
    for name in ("sel-a", "sel-b"):
        outside.post(MODELS, json=build_model(name))
    found = outside.get(MODELS, params=query).json()["items"]
    assert {item["metadata"]["name"] for item in found if "sel-" in str(item)} == names


def test_a_manager_may_apply_a_part_of_what_is_there(outside: httpx.Client) -> None:
    # kubectl does so when an object moves from client-side to server-side apply
    outside.post(MODELS, json=build_model("part")).raise_for_status()
    part = {
        "apiVersion": "slipway.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"name": "part", "annotations": {"a": "b"}},
    }
    how: Object = {
        "params": {"fieldManager": "another"},
        "headers": {"content-type": "application/apply-patch+yaml"},
    }
    answer = outside.patch(f"{MODELS}/part", json=part, **how)
    assert answer.status_code == 200
    assert answer.json()["spec"] == build_model("part")["spec"]
    alone = outside.patch(f"{MODELS}/alone", json={**part, "metadata": {"name": "alone"}}, **how)
    assert alone.status_code == 422
    wrong = outside.patch(f"{MODELS}/part", json={**part, "spec": {"replicas": -1}}, **how)
    assert wrong.status_code == 422
    outside.delete(f"{MODELS}/part")


def test_a_strategic_patch_is_taken_where_it_is_a_plain_one(outside: httpx.Client) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "plain"}}
    outside.post(SECRETS, json={**secret, "stringData": {"a": "1"}}).raise_for_status()
    path = f"{SECRETS}/plain"
    answer = outside.patch(path, json={"data": {"a": None, "b": "Mg=="}}, headers=STRATEGIC)
    assert answer.json()["data"] == {"b": "Mg=="}
    for patch in ({"metadata": {"finalizers": ["x"]}}, {"data": {"$patch": "replace"}}):
        refused = outside.patch(path, json=patch, headers=STRATEGIC)
        assert (refused.status_code, refused.json()["reason"]) == (415, "UnsupportedMediaType")
    assert outside.get(path).json()["data"] == {"b": "Mg=="}
    outside.delete(path)


def test_what_is_not_spoken_is_refused_and_not_ignored(
    engine: LocalEngine, outside: httpx.Client
) -> None:
    dry = outside.post(MODELS, json=build_model("dry"), params={"dryRun": "All"})
    assert (dry.status_code, "dryRun" in dry.json()["message"]) == (400, True)
    outside.post(MODELS, json=build_model("dry")).raise_for_status()
    for options in ({"dryRun": ["All"]}, {"gracePeriodSeconds": 0}):
        assert outside.request("DELETE", f"{MODELS}/dry", json=options).status_code == 400
    assert engine.find(build_model("dry")) is not None
    outside.delete(f"{MODELS}/dry").raise_for_status()
    binary = outside.post(
        SECRETS,
        content=b"k8s\0",
        headers={"content-type": "application/vnd.kubernetes.protobuf"},
    )
    assert (binary.status_code, "Protobuf" in binary.json()["message"]) == (415, True)


def test_of_logs_only_what_is_spoken(engine: LocalEngine, outside: httpx.Client) -> None:
    job = build_job("said", "print('hello')")
    engine.apply(job).raise_for_status()
    pod = wait_until(lambda: engine.pods("said"), "the pod is there")[0]["metadata"]["name"]
    path = f"{PODS}/{pod}/log"
    wait_until(lambda: outside.get(path).text == "hello\n", "it has spoken")
    for name in ("timestamps", "sinceSeconds", "limitBytes"):
        assert outside.get(path, params={name: "1"}).status_code == 400
    assert outside.get(path, params={"timestamps": "false"}).text == "hello\n"
    engine.delete(job)


def run_slipway(*arguments: str) -> tuple[int, str]:
    command = [str(Path(sys.executable).with_name("slipway")), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    return done.returncode, done.stdout + done.stderr


def test_the_way_in_goes_with_the_engine(tmp_path_factory: pytest.TempPathFactory) -> None:
    engine = LocalEngine(tmp_path_factory.mktemp("gone")).start()
    assert run_slipway("kubeconfig", "--data", str(engine.data)) == (
        0,
        f"{engine.data / 'kubeconfig'}\n",
    )
    first = (engine.data / "kubeconfig").read_text()
    engine.kill()
    engine.start()
    assert (engine.data / "kubeconfig").read_text() != first
    engine.kill()
    engine.stop()
    assert not (engine.data / "kubeconfig").exists()
    assert not (engine.data / "kubeconfig.pem").exists()
    code, text = run_slipway("kubeconfig", "--data", str(engine.data))
    assert (code, "slipway up" in text) == (1, True)


# ── The program itself ───────────────────────────────────────────────────────────────────────
KUBECTL = shutil.which("kubectl")


@pytest.mark.skipif(KUBECTL is None, reason="no kubectl here; its requests are tested above")
def test_the_program_itself(engine: LocalEngine, tmp_path_factory: pytest.TempPathFactory) -> None:
    home = tmp_path_factory.mktemp("home")

    def kubectl(*arguments: str, text: str = "") -> str:
        done = subprocess.run(
            [str(KUBECTL), *arguments],
            input=text,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
            env={
                "KUBECONFIG": str(engine.data / "kubeconfig"),
                "HOME": str(home),
                "PATH": os.environ["PATH"],
            },
        )
        return (done.stdout + done.stderr).strip()

    model = json.dumps(build_model("by-kubectl", replicas=1))
    assert kubectl("apply", "-f", "-", text=model).endswith("by-kubectl created")
    assert kubectl("apply", "-f", "-", text=model).endswith("by-kubectl unchanged")
    later = json.dumps(build_model("later", autoscaling={}))
    refused = kubectl("apply", "-f", "-", text=later)
    assert 'The ModelDeployment "later" is invalid' in refused
    assert "not yet supported" in refused
    header, row = kubectl("get", "md", "by-kubectl", "-o", "wide").splitlines()
    assert header.split()[:4] == ["NAME", "URL", "READY", "REASON"]
    assert row.split()[0] == "by-kubectl"
    waited = kubectl("wait", "--for=condition=Ready=False", "md/by-kubectl", "--timeout=60s")
    assert waited.endswith("condition met")
    assert "Warning" in kubectl("describe", "md", "by-kubectl")
    assert kubectl("scale", "md", "by-kubectl", "--replicas=0").endswith("scaled")
    assert kubectl("get", "md", "by-kubectl", "-o", "jsonpath={.spec.replicas}") == "0"

    program = SERVER  # prints "listening"
    deployment = json.dumps(build_deployment("kube-pods", program=program))
    assert kubectl("create", "-f", "-", text=deployment).endswith("created")
    assert "successfully rolled out" in kubectl(
        "rollout", "status", "deploy/kube-pods", "--timeout=60s"
    )
    assert "listening" in kubectl("logs", "deploy/kube-pods")
    everything = kubectl("get", "jobs,deployments,pods")
    assert "deployment.apps/kube-pods" in everything
    assert "pod/kube-pods-" in everything
    assert "modeldeployment.slipway.dev/by-kubectl" in kubectl("get", "all")
    assert "Effect: Build" in kubectl("explain", "md.spec.model.uri")
    assert "deleted" in kubectl("delete", "deploy/kube-pods", "md/by-kubectl")
    assert "NotFound" in kubectl("get", "md", "by-kubectl")
