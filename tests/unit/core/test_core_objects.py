"""Built children, their diff and the route: what others may do to them, and what not."""

import copy
import json
import re
from dataclasses import replace
from typing import Any

import pytest

from core_cluster import Cluster, laptop_settings
from core_golden import SETTINGS
from slipway_operator.api.spec import Access, GatewayReference, Model, Reference, Traffic
from slipway_operator.resources.build_job import build_build_job
from slipway_operator.resources.diff import compare_children, diff_object
from slipway_operator.resources.override import build_override, is_override_of, read_override
from slipway_operator.routing.gateway_api import build_route, build_secret_value, read_route
from slipway_operator.settings import GatewayAddress, RegistryCredentials
from slipway_operator.state.identity import Owner
from slipway_operator.state.observed import Observed, observe_children
from slipway_operator.state.revision import read_snapshot
from slipway_operator.state.slots import fill_slots

OWNER = Owner(name="penguins", namespace="default", uid="uid-1")
SPEC = {
    "model": {"uri": "https://models.example.com/m.joblib"},
    "serving": {
        "podTemplate": {
            "labels": {"team": "birds", "slipway": "no"},
            "annotations": {"note": "x"},
            "nodeSelector": {"disk": "fast"},
            "serviceAccountName": "birds",
        }
    },
}


@pytest.fixture(scope="module")
def cluster() -> Cluster:
    made = Cluster(settings=SETTINGS["cluster"])
    made.submit("penguins", SPEC)
    made.settle("penguins")
    return made


def job(model: Model) -> dict[str, Any]:
    return build_build_job(
        owner=OWNER,
        model=model,
        build_hash="0123456789abcdef",
        attempt=2,
        model_digest=None,
        samples_digest=None,
        settings=laptop_settings(),
    )


def list_pod_specs(cluster: Cluster) -> list[dict[str, Any]]:
    kinds = ("Job", "Deployment")
    return [obj["spec"]["template"]["spec"] for kind in kinds for obj in cluster.of_kind(kind)]


@pytest.mark.parametrize("mode", ["Auto", "Off"])
def test_pods_are_told_of_batching_only_where_it_is_off(mode: str) -> None:
    cluster = Cluster(settings=SETTINGS["cluster"])
    cluster.submit("penguins", {**SPEC, "serving": {"batching": {"mode": mode}}})
    cluster.settle("penguins")
    (deployment,) = cluster.of_kind("Deployment")
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    env = {row["name"]: row.get("value") for row in container["env"]}
    told = json.loads(env["SLIPWAY_SERVING"]).get("batching")
    assert told == (None if mode == "Auto" else "Off")


def test_every_pod_is_restricted(cluster: Cluster) -> None:
    specs = list_pod_specs(cluster)
    assert len(specs) == 2
    for spec in specs:
        assert spec["automountServiceAccountToken"] is False
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["runAsUser"] >= 10_000
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys()
        assert all({"emptyDir", "secret"} & volume.keys() for volume in spec["volumes"])
        for container in (*spec["initContainers"], *spec["containers"]):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
                "readOnlyRootFilesystem": True,
                "runAsNonRoot": True,
            }
            assert container["resources"]["limits"]["memory"]


def test_secrets_reach_the_download_alone() -> None:
    model = Model(uri="s3://m/m.joblib", access=Access(secret_ref=Reference(name="keys")))
    spec = job(model)["spec"]["template"]["spec"]
    mounting = [
        container["name"]
        for container in (*spec["initContainers"], *spec["containers"])
        if any(mount["name"] == "secrets" for mount in container["volumeMounts"])
    ]
    assert mounting == ["fetch"]
    assert [v["secret"]["secretName"] for v in spec["volumes"] if "secret" in v] == ["keys"]


def test_an_identity_of_the_cloud_is_the_builds() -> None:
    model = Model(uri="s3://m/m.joblib", access=Access(service_account_name="reader"))
    assert job(model)["spec"]["template"]["spec"]["serviceAccountName"] == "reader"
    assert (
        job(Model(uri="s3://m/m"))["spec"]["template"]["spec"]["serviceAccountName"] == "penguins"
    )


def test_a_job_carries_its_attempt_and_ends_by_itself() -> None:
    found = job(Model(uri="s3://m/m.joblib"))
    assert found["metadata"]["name"] == "penguins-b0123456789"
    assert found["metadata"]["annotations"] == {"slipway.dev/attempt": "2"}
    assert (found["spec"]["backoffLimit"], found["spec"]["activeDeadlineSeconds"]) == (0, 720)


def test_the_pod_template_shapes_the_pods_but_not_our_labels(cluster: Cluster) -> None:
    template = cluster.of_kind("Deployment")[0]["spec"]["template"]
    assert template["metadata"]["labels"]["team"] == "birds"
    assert template["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "slipway"
    assert template["metadata"]["annotations"] == {"note": "x"}
    assert template["spec"]["nodeSelector"] == {"disk": "fast"}
    assert template["spec"]["serviceAccountName"] == "birds"
    assert "labels" not in template["spec"]


def test_the_serving_settings_are_those_of_the_wire(cluster: Cluster) -> None:
    serve = cluster.of_kind("Deployment")[0]["spec"]["template"]["spec"]["containers"][0]
    env = {item["name"]: item["value"] for item in serve["env"]}
    assert json.loads(env["SLIPWAY_SERVING"]) == {
        "timeoutSeconds": 10,
        "maxRequestBytes": 1048576,
        "maxBatchRows": 1024,
        "unpickle": "Sandboxed",
        "drainSeconds": 20,
        "memoryBytes": 536870912,
        "contract": {"onViolation": "Warn", "rules": []},
    }


# ── Snapshots ────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda text: "{", id="torn"),
        pytest.param(lambda text: '{"version":1}', id="another shape"),
        pytest.param(lambda text: text.replace("slipway/onnx@", "slipway/evil@"), id="edited"),
    ],
)
def test_a_spoiled_snapshot_is_not_believed(cluster: Cluster, spoil: Any) -> None:
    deployment = copy.deepcopy(cluster.of_kind("Deployment")[0])
    revision = deployment["metadata"]["labels"]["slipway.dev/revision"]
    assert read_snapshot(deployment, revision) is not None
    notes = deployment["metadata"]["annotations"]
    notes["slipway.dev/snapshot"] = spoil(notes["slipway.dev/snapshot"])
    assert read_snapshot(deployment, revision) is None


# ── Diff ─────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("desired", "observed", "paths"),
    [
        pytest.param({"a": 1}, {"a": 1, "b": 2}, [], id="what others added is theirs"),
        pytest.param({"a": {"b": 1}}, {}, [".a"], id="missing"),
        pytest.param({"a": {}}, {}, [], id="empty object and nothing"),
        pytest.param({"a": {}}, {"a": 1}, [".a"], id="empty object and a number"),
        pytest.param({"a": []}, {}, [], id="empty list and nothing"),
        pytest.param({"a": [1]}, {"a": [1, 2]}, [".a"], id="a list of ours grew"),
        pytest.param({"a": [1, 2]}, {"a": [1, 3]}, [".a[1]"], id="a list of ours changed"),
        pytest.param({"a": [1]}, {"a": "x"}, [".a"], id="a list became a word"),
        pytest.param(
            {"env": [{"name": "A", "value": "1"}]},
            {"env": [{"name": "B"}, {"name": "A", "value": "1"}]},
            [],
            id="a merged list grew",
        ),
        pytest.param(
            {"env": [{"name": "A", "value": "1"}]}, {"env": []}, [".env[A]"], id="an element went"
        ),
        pytest.param({"memory": "1024Mi"}, {"memory": "1Gi"}, [], id="equal amounts"),
        pytest.param({"memory": "1Gi"}, {"memory": "2Gi"}, [".memory"], id="other amounts"),
        pytest.param({"memory": "1Gi"}, {"memory": "much"}, [".memory"], id="no amount"),
        pytest.param({"memory": "1Gi"}, {}, [".memory"], id="no limit"),
        pytest.param({"size": "1024Mi"}, {"size": "1Gi"}, [".size"], id="words are no amounts"),
        pytest.param({"b": 1, "a": 1}, {}, [".a", ".b"], id="in order"),
        pytest.param(
            {"selector": {"a": "1"}},
            {"selector": {"a": "1", "b": "2"}},
            [".selector.b"],
            id="a selection narrowed",
        ),
        pytest.param(
            {"podSelector": {}},
            {"podSelector": {"matchLabels": {"a": "1"}}},
            [".podSelector.matchLabels"],
            id="everything narrowed",
        ),
    ],
)
def test_a_diff_finds_what_is_ours_and_otherwise(
    desired: dict, observed: dict, paths: list[str]
) -> None:
    assert [found.path for found in diff_object(desired, observed)] == paths


def test_a_job_that_exists_is_never_written_again() -> None:
    old = job(Model(uri="s3://m/m.joblib"))
    changed = {**old, "spec": {**old["spec"], "activeDeadlineSeconds": 1}}
    children = observe_children(OWNER, Observed(objects=(old,)))
    assert compare_children(desired=[changed], children=children).writes == ()
    nothing = observe_children(OWNER, Observed())
    assert len(compare_children(desired=[changed], children=nothing).writes) == 1


# ── The route ────────────────────────────────────────────────────────────────────────────────
def build(**more: Any) -> dict[str, Any]:
    values: dict[str, Any] = {
        "owner": OWNER,
        "slots": fill_slots("a").repoint_idle("b"),
        "stable": "a",
        "traffic": Traffic(),
        "hostnames": ("a.example.com", "b.example.com"),
        "timeout_seconds": 10,
        "settings": SETTINGS["cluster"],
    }
    return build_route(**(values | more))


def test_the_route_has_its_one_shape() -> None:
    spec = build()["spec"]
    assert spec["hostnames"] == ["a.example.com", "b.example.com"]
    override, split = spec["rules"]
    value = override["matches"][0]["headers"][0]["value"]
    assert value == build_secret_value(OWNER) != build_secret_value(replace(OWNER, uid="other"))
    assert re.fullmatch(r"[!-~]+", value), "as gateways take it"
    assert [ref["name"] for ref in override["backendRefs"]] == ["penguins-rb"]
    assert [(ref["name"], ref["weight"]) for ref in split["backendRefs"]] == [
        ("penguins-ra", 999_999),
        ("penguins-rb", 1),
    ]
    filters = [ref["filters"][0]["requestHeaderModifier"] for ref in split["backendRefs"]]
    assert [one["set"] for one in filters] == [
        [{"name": "x-model-revision", "value": "a"}],
        [{"name": "x-model-revision", "value": "b"}],
    ]
    assert all(one["remove"] == ["x-slipway-forced", "x-slipway-revision"] for one in filters)
    assert all(rule["timeouts"] == {"request": "15s"} for rule in spec["rules"])


def read(route: dict[str, Any], name: str = "laptop") -> Any:
    return read_route(route, owner=OWNER, settings=SETTINGS[name])


def confirmed(*, generation: int = 1, seen: int = 1, kinds: str, status: str = "True") -> dict:
    route = build()
    route["metadata"]["generation"] = generation
    conditions = [
        {"type": kind, "status": status, "reason": "Why", "observedGeneration": seen}
        for kind in kinds.split()
    ]
    return {**route, "status": {"parents": [{"conditions": conditions}]}}


ALL = "Accepted ResolvedRefs Programmed"


@pytest.mark.parametrize(
    ("state", "verified"),
    [
        pytest.param(read(build()), False, id="no word yet"),
        pytest.param(read(confirmed(kinds=ALL)), True, id="confirmed"),
        pytest.param(read(confirmed(kinds=ALL, generation=2)), False, id="an older generation"),
        pytest.param(read(confirmed(kinds=ALL, status="Unknown")), False, id="unknown"),
        pytest.param(read(confirmed(kinds="Accepted ResolvedRefs")), False, id="not in Envoy"),
        pytest.param(
            read(confirmed(kinds="Accepted ResolvedRefs"), "cluster"), True, id="on a cluster"
        ),
    ],
)
def test_a_route_is_verified_by_its_gateway(state: Any, verified: bool) -> None:
    assert (state.verified, state.trouble) == (verified, None)


def test_a_refusal_is_told_in_the_gateways_words() -> None:
    state = read(confirmed(kinds=ALL, status="False"))
    assert not state.verified
    assert state.trouble == ("Why", "Accepted is False, Why: no details given.")


def spoil(change: Any) -> dict[str, Any]:
    route = build()
    change(route["spec"])
    return route


@pytest.mark.parametrize(
    "route",
    [
        pytest.param(spoil(lambda spec: spec.pop("rules")), id="no rules"),
        pytest.param(spoil(lambda spec: spec["rules"].pop()), id="a rule less"),
        pytest.param(spoil(lambda spec: spec["rules"][1]["backendRefs"].pop()), id="a slot less"),
        pytest.param(
            spoil(lambda spec: spec["rules"][1]["backendRefs"][0].update(name="other")),
            id="another Service",
        ),
        pytest.param(
            spoil(lambda spec: spec["rules"][1]["backendRefs"][1].update(name="penguins-r")),
            id="no revision",
        ),
    ],
)
def test_a_route_in_another_shape_has_no_slots(route: dict[str, Any]) -> None:
    assert read(build()).slots == fill_slots("a").repoint_idle("b")
    assert read(route).slots is None


@pytest.mark.parametrize("where", ["Embedded", "Secret", "None"])
def test_only_who_speaks_to_the_registry_gets_its_credentials(where: str) -> None:
    settings = replace(
        SETTINGS["cluster"],
        registry_credentials=RegistryCredentials(where),
        registry_secret="registry-login" if where == "Secret" else None,
    )
    cluster = Cluster(settings=settings)
    cluster.submit("penguins", SPEC)
    cluster.settle("penguins")
    found = {}
    for kind, speaker in (("Job", "publish"), ("Deployment", "pull")):
        (owner,) = cluster.of_kind(kind)
        pod = owner["spec"]["template"]["spec"]
        containers = {each["name"]: each for each in (*pod["initContainers"], *pod["containers"])}
        found[kind] = (owner["metadata"]["name"], pod["volumes"])
        for name, container in containers.items():
            mounted = [m for m in container["volumeMounts"] if m["name"] == "registry"]
            told = [row for row in container["env"] if row["name"] == "SLIPWAY_REGISTRY_DIR"]
            expected = int(name == speaker and where != "None")
            assert (len(mounted), len(told)) == (expected, expected), name
    for child, volumes in found.values():
        secrets = [each["secret"]["secretName"] for each in volumes if each["name"] == "registry"]
        wanted = {"Embedded": [f"{child}-registry"], "Secret": ["registry-login"], "None": []}
        assert secrets == wanted[where]


def test_a_model_that_names_no_gateway_gets_the_installations() -> None:
    gateway = GatewayAddress(name="edge", namespace="ops", section_name="https")
    settings = replace(SETTINGS["cluster"], gateway=gateway)
    for traffic, wanted in (
        (Traffic(), {"name": "edge", "namespace": "ops", "sectionName": "https"}),
        (
            Traffic(gateway=GatewayReference(name="mine", namespace="apps")),
            {"name": "mine", "namespace": "apps"},
        ),
    ):
        route = build_route(
            owner=OWNER,
            slots=fill_slots("aaaa"),
            stable="aaaa",
            traffic=traffic,
            hostnames=(),
            timeout_seconds=10,
            settings=settings,
        )
        (parent,) = route["spec"]["parentRefs"]
        parent.pop("group"), parent.pop("kind")
        assert parent == wanted


# ── Requests that choose their revision ──────────────────────────────────────────────────────
def test_with_a_token_a_request_may_choose_and_gets_the_one_on_its_way() -> None:
    override, split = build(token="t" * 48, chosen="c")["spec"]["rules"]
    assert override["matches"][0]["headers"] == [
        {"type": "Exact", "name": "x-slipway-revision", "value": "t" * 48}
    ]
    (backend,) = override["backendRefs"]
    assert backend["name"] == "penguins-rc"
    headers = backend["filters"][0]["requestHeaderModifier"]
    assert headers["set"] == [
        {"name": "x-model-revision", "value": "c"},
        {"name": "x-slipway-forced", "value": "1"},
    ]
    assert headers["remove"] == ["x-slipway-revision"], "the token ends here"
    assert split == build()["spec"]["rules"][1]


def test_without_one_on_its_way_it_gets_that_of_the_idle_slot() -> None:
    route = build(token="t" * 48)
    assert route["spec"]["rules"][0]["backendRefs"][0]["name"] == "penguins-rb"
    assert read(route).chosen == "b"
    assert read(build(token="t" * 48, chosen="c")).chosen == "c"


@pytest.mark.parametrize(
    "route",
    [
        pytest.param(spoil(lambda spec: spec.pop("rules")), id="no rules"),
        pytest.param(spoil(lambda spec: spec["rules"][0].pop("backendRefs")), id="no backend"),
        pytest.param(
            spoil(lambda spec: spec["rules"][0]["backendRefs"][0].update(name="other")),
            id="another Service",
        ),
    ],
)
def test_of_a_route_in_another_shape_nothing_is_known(route: dict[str, Any]) -> None:
    assert read(route).chosen is None


@pytest.mark.parametrize(
    ("data", "token"),
    [
        pytest.param({"token": "MDEyMzQ1Njc4OWFiY2RlZg=="}, "0123456789abcdef", id="fine"),
        pytest.param({"token": "MDEyMzQ1Njc4OWFiY2Rl"}, None, id="short"),
        pytest.param({"token": "MDEyMzQ1Njc4OWFiY2RlZgo="}, None, id="two lines"),
        pytest.param({"token": "w7bDtsO2w7bDtsO2w7bDtsO2w7bDtsO2"}, None, id="no ASCII"),
        pytest.param({"token": "//8="}, None, id="no text"),
        pytest.param({"token": "no base64"}, None, id="no base64"),
        pytest.param({"token": None}, None, id="null"),
        pytest.param({"key": "MDEyMzQ1Njc4OWFiY2RlZg=="}, None, id="another key"),
        pytest.param(None, None, id="nothing"),
    ],
)
def test_a_token_is_what_a_gateway_can_compare_with(data: Any, token: str | None) -> None:
    assert read_override({"data": data}) == token


def test_the_secret_is_the_model_s_own() -> None:
    secret = build_override(owner=OWNER, token="t" * 48)
    assert (secret["metadata"]["name"], read_override(secret)) == ("penguins-override", "t" * 48)
    assert is_override_of(secret, owner=OWNER)
    assert not is_override_of(secret, owner=replace(OWNER, uid="another"))
    assert not is_override_of({"metadata": {}}, owner=OWNER)
