"""Documents that the rules of the API refuse, accept, or refuse until later: for both its judges.

`tests/contract` holds Python and CEL against each other, `tests/cluster` asks a real API server.
"""

from typing import Any

from api_documents import document, with_model
from slipway_operator.api.vocabulary import OPAQUE_SCHEMES, SCHEMES


def rollout(**members: Any) -> dict[str, Any]:
    return document({"rollout": {"strategy": "Canary"} | members})


def step(**members: Any) -> dict[str, Any]:
    return rollout(steps=[members])


def metric(**members: Any) -> dict[str, Any]:
    return rollout(analysis={"metrics": [{"name": "m"} | members]})


def resources(**members: Any) -> dict[str, Any]:
    return document({"serving": {"resources": members}})


def contract_rule(**members: Any) -> dict[str, Any]:
    rule = {"column": "country", "rule": "UnknownCategory", "onViolation": "Warn"} | members
    return document({"contract": {"rules": [rule]}})


RATE = {
    "good": 'paid_total{revision="{{revision}}",namespace="{{namespace}}"}',
    "total": 'asked_total{revision="{{revision}}",model="{{name}}"}',
}
METRICS = {
    "ErrorRate": {"errorRate": {"tolerated": "0.005", "ceiling": "0.01", "relative": "1.0"}},
    "SlowFraction": {"slowFraction": {"baselineQuantile": "0.99", "relative": "1.5"}},
    "ViolationRate": {"violationRate": {"tolerated": "0.01", "relative": "1.5"}},
    "Agreement": {"agreement": {"min": "0.98", "tolerance": "0.001"}},
    "PredictionDrift": {"predictionDrift": {"max": "0.1"}},
    "GroundTruth": {"groundTruth": {"metric": "Accuracy", "minimum": "-0.02"}},
    "Prometheus": {"prometheus": RATE},
}

# id → (document, part of the message of the rule that refuses it)
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "name of 46 characters": (document(name="n" * 46), "1 to 45"),
    "name of 64 characters": (document(name="n" * 64), "1 to 45"),
    "name with a capital": (document(name="Churn"), "1 to 45"),
    "name that starts with a digit": (document(name="7up"), "1 to 45"),
    "name that ends with a dash": (document(name="churn-"), "1 to 45"),
    "name with a dot": (document(name="churn.v2"), "1 to 45"),
    "name like a revision": (document(name="churn-r0123456789"), "must not end in -r or -b"),
    "name like a build": (document(name="churn-babcdefabcd"), "must not end in -r or -b"),
    "replicas beside autoscaling": (document({"replicas": 2, "autoscaling": {}}), "excludes"),
    "ONNX served natively": (with_model(format="ONNX", runtime="Native"), "no other original"),
    "package without a version": (with_model(packages=["scikit-learn"]), "NAME==VERSION"),
    "package of a range": (with_model(packages=["scikit-learn>=1.2"]), "NAME==VERSION"),
    "package with an extra": (with_model(packages=["mlflow[extras]==2.0"]), "NAME==VERSION"),
    "package by address": (with_model(packages=["a @ https://example.com/a.whl"]), "NAME==VERSION"),
    "option for a package": (with_model(packages=["--index-url=x"]), "NAME==VERSION"),
    "second package on one line": (with_model(packages=["a==1\nb==2"]), "NAME==VERSION"),
    "packages of an ONNX model": (
        with_model(format="ONNX", packages=["numpy==2.0.0"]),
        "needs no packages",
    ),
    "host name that is an address": (
        document({"traffic": {"hostnames": ["10.0.0.1"]}}),
        "must not be an address",
    ),
    "scheme nobody knows": (with_model(uri="gopher://x/model"), "starts with one of"),
    "http": (with_model(uri="http://example.com/model"), "starts with one of"),
    "no scheme": (with_model(uri="/models/churn.joblib"), "starts with one of"),
    "https without a host": (with_model(uri="https:///model"), "starts with one of"),
    "s3 without a key": (with_model(uri="s3://bucket"), "a bucket and a key"),
    "s3 with a query": (with_model(uri="s3://b/k?versionId=1"), "a bucket and a key"),
    "gs without a key": (with_model(uri="gs://bucket"), "a gs URI names a bucket and a key"),
    "gs that names a folder": (with_model(uri="gs://b/models/"), "a gs URI names"),
    "az without a path": (with_model(uri="az://container/"), "a container and a path"),
    "pvc without a path": (with_model(uri="pvc://claim"), "a claim and a file"),
    "pvc with a port": (with_model(uri="pvc://claim:1/m"), "a claim and a file"),
    "pvc with a capital": (with_model(uri="pvc://Claim/m"), "a claim and a file"),
    "oci without a repository": (with_model(uri="oci://host"), "a registry, a repository"),
    "oci with a capital": (with_model(uri="oci://host/Churn:1"), "a registry, a repository"),
    "oci with a short digest": (with_model(uri="oci://host/churn@sha256:1"), "a registry"),
    "oci with a query": (with_model(uri="oci://host/churn?tag=1"), "a registry, a repository"),
    "samples in oci without a repository": (
        with_model(samples={"uri": "oci://host/"}),
        "a registry, a repository",
    ),
    "endpoint beside a file": (
        with_model(access={"endpoint": "https://store.example.com"}),
        "only s3, gs, az",
    ),
    "endpoint beside https": (
        with_model(uri="https://h/m", access={"endpoint": "https://store.example.com"}),
        "only s3, gs, az",
    ),
    "region beside gs": (with_model(uri="gs://b/k", access={"region": "eu"}), "only s3"),
    "samples with a scheme nobody knows": (
        with_model(samples={"uri": "ftp://x/rows.csv"}),
        "starts with one of",
    ),
    "samples in s3 without a key": (with_model(samples={"uri": "s3://b/"}), "a bucket and a key"),
    "password in the model's URI": (with_model(uri="https://me:pw@example.com/m"), "a user or"),
    "user in the model's URI": (with_model(uri="s3://me@bucket/m"), "a user or"),
    "password in the samples' URI": (
        with_model(samples={"uri": "https://me:pw@example.com/r"}),
        "a user or",
    ),
    "password in the endpoint": (
        with_model(access={"endpoint": "https://me:pw@store.example.com"}),
        "a user or",
    ),
    "password in a database's URL": (
        document(
            {
                "dependencies": [
                    {"name": "db", "type": "SQL", "sql": {"url": "postgresql://u:p@db/x"}}
                ]
            }
        ),
        "a user or",
    ),
    "blank in a URI": (with_model(uri="file:/my models/a.joblib"), "no blanks"),
    "line end in a URI": (with_model(uri="https://example.com/a\nb"), "no blanks"),
    "line end in the samples' URI": (
        with_model(samples={"uri": "https://example.com/a\nb"}),
        "no blanks",
    ),
    "tab in the endpoint": (
        with_model(access={"endpoint": "https://example.com/\t"}),
        "no blanks",
    ),
    "line end in a database's URL": (
        document({"dependencies": [{"name": "db", "type": "SQL", "sql": {"url": "x://d\n"}}]}),
        "no blanks",
    ),
    "endpoint that is no URL": (with_model(access={"endpoint": "store:9000"}), "https URL"),
    "two identities": (
        with_model(access={"secretRef": {"name": "a"}, "serviceAccountName": "b"}),
        "exactly one identity",
    ),
    "request for something unknown": (resources(requests={"memroy": "1Gi"}), "resources are cpu"),
    "limit of something unknown": (resources(limits={"gpu": 1}), "resources are cpu"),
    "request for no CPU": (resources(requests={"cpu": 0}), "more than zero"),
    "limit of no memory": (resources(limits={"memory": "0Mi"}), "more than zero"),
    "request for thousandths of bytes": (resources(requests={"memory": "512m"}), "thousandths"),
    "limit of thousandths of bytes": (resources(limits={"memory": "512m"}), "thousandths"),
    "request above the limit": (
        resources(requests={"memory": "1Gi"}, limits={"memory": "512Mi"}),
        "more than its limit",
    ),
    "request above the limit in numbers": (
        resources(requests={"cpu": 2}, limits={"cpu": "1500m"}),
        "more than its limit",
    ),
    "reserved label": (
        document({"serving": {"podTemplate": {"labels": {"slipway.dev/model": "x"}}}}),
        "Slipway's own",
    ),
    "reserved annotation": (
        document({"serving": {"podTemplate": {"annotations": {"app.kubernetes.io/name": "x"}}}}),
        "Slipway's own",
    ),
    "Default without a value": (contract_rule(onViolation="Default"), "belongs to onViolation"),
    "value without Default": (contract_rule(value="OTHER"), "belongs to onViolation"),
    "Default for an extra column": (
        contract_rule(rule="ExtraColumn", onViolation="Default", value="0"),
        "cannot take a default",
    ),
    "Default for all columns": (
        document({"contract": {"onViolation": "Default"}}),
        "needs a value for each column",
    ),
    "fewest above most": (
        document({"autoscaling": {"minReplicas": 5, "maxReplicas": 2}}),
        "must not be more than maxReplicas",
    ),
    "fewest above the default most": (
        document({"autoscaling": {"minReplicas": 5}}),
        "must not be more than maxReplicas",
    ),
    "two targets": (
        document({"autoscaling": {"target": {"concurrency": 1, "queueDepth": 1}}}),
        "exactly one of",
    ),
    "no target": (document({"autoscaling": {"target": {}}}), "exactly one of"),
    "share below a hundredth": (
        step(type="Weight", weight={"percent": "0.009"}),
        "starts at 0.01",
    ),
    "shadow share of nothing": (step(type="Shadow", shadow={"percent": "0"}), "starts at 0.01"),
    "step that ends before it begins": (
        step(type="Weight", weight={"percent": 5, "minSeconds": 60, "maxSeconds": 30}),
        "minSeconds must not be more",
    ),
    "step above the default end": (
        step(type="Weight", weight={"percent": 5, "minSeconds": 1801}),
        "minSeconds must not be more",
    ),
    "shadow that ends before it begins": (
        step(type="Shadow", shadow={"percent": 5, "maxSeconds": 29}),
        "minSeconds must not be more",
    ),
    "Weight without weight": (step(type="Weight"), "exactly the member of its name"),
    "Weight with shadow": (
        step(type="Weight", weight={"percent": 5}, shadow={"percent": 5}),
        "exactly the member of its name",
    ),
    "Approval with weight": (
        step(type="Approval", weight={"percent": 5}),
        "exactly the member of its name",
    ),
    "steps with Immediate": (
        rollout(strategy="Immediate", steps=[{"type": "Approval"}]),
        "Immediate has no steps",
    ),
    "Prometheus in a shadow": (
        rollout(strategy="Shadow", analysis={"source": "Prometheus"}),
        "told by the pods alone",
    ),
    "Prometheus with copies": (
        rollout(
            steps=[{"type": "Shadow", "shadow": {"percent": 5}}], analysis={"source": "Prometheus"}
        ),
        "told by the pods alone",
    ),
    "weights with BlueGreen": (
        rollout(strategy="BlueGreen", steps=[{"type": "Weight", "weight": {"percent": 5}}]),
        "moves all requests at once",
    ),
    "a shadow behind a weight": (
        rollout(
            steps=[
                {"type": "Shadow", "shadow": {"percent": 5}},
                {"type": "Weight", "weight": {"percent": 5}},
                {"type": "Shadow", "shadow": {"percent": 5}},
            ]
        ),
        "before the first Weight step",
    ),
    "agreement and no shadow": (
        rollout(
            steps=[{"type": "Approval"}],
            analysis={"metrics": [{"name": "a", "type": "Agreement", **METRICS["Agreement"]}]},
        ),
        "put a Shadow step into steps",
    ),
    "agreement and no steps": (
        rollout(analysis={"metrics": [{"name": "a", "type": "Agreement", **METRICS["Agreement"]}]}),
        "put a Shadow step into steps",
    ),
    "analysis with Immediate": (
        rollout(strategy="Immediate", analysis={"falseAbort": "0.02"}),
        "nothing is judged",
    ),
    "empty analysis with Immediate": (
        rollout(strategy="Immediate", analysis={}),
        "nothing is judged",
    ),
    "guardrails with Immediate": (
        rollout(strategy="Immediate", analysis={"guardrails": {"errorRate": "0.1"}}),
        "nothing is judged",
    ),
    "warm-up with Immediate": (
        rollout(strategy="Immediate", warmUp={"seconds": 5}),
        "nothing is judged",
    ),
    "bound of zero": (rollout(analysis={"falseAbort": "0"}), "decides nothing"),
    "bound of one": (rollout(analysis={"falsePass": "1.0"}), "decides nothing"),
    "tolerated above the ceiling": (
        metric(type="ErrorRate", errorRate={"tolerated": "0.02", "ceiling": "0.01"}),
        "must not be more than ceiling",
    ),
    "metric without its member": (metric(type="Agreement"), "exactly the member of its name"),
    "metric with another's member": (
        metric(type="ErrorRate", agreement={"min": "0.98"}),
        "exactly the member of its name",
    ),
    "good events of no revision": (
        metric(type="Prometheus", prometheus=RATE | {"good": "paid_total"}),
        "without {{revision}} both revisions would count the same",
    ),
    "all events of no revision": (
        metric(type="Prometheus", prometheus=RATE | {"total": 'x{revision="{revision}"}'}),
        "without {{revision}}",
    ),
    "something else to fill in": (
        metric(
            type="Prometheus",
            prometheus=RATE | {"good": 'x{revision="{{revision}}",pod="{{pod}}"}'},
        ),
        "only {{revision}}, {{namespace}} and {{name}} are filled in",
    ),
    "a placeholder with blanks": (
        metric(
            type="Prometheus",
            prometheus=RATE | {"total": 'x{revision="{{revision}}",model="{{ name }}"}'},
        ),
        "correct what else stands in two braces",
    ),
    "dependency without its member": (
        document({"dependencies": [{"name": "db", "type": "SQL"}]}),
        "exactly the member of its name",
    ),
}

ACCEPTED: dict[str, dict[str, Any]] = {
    "the least": document(),
    "name of 45 characters": document(name="n" * 45),
    "name of one letter": document(name="n"),
    "name that only looks like a revision": document(name="churn-r012345678"),
    "host names": document({"traffic": {"hostnames": ["churn.example.com", "1.example.com"]}}),
    "packages": with_model(packages=["scikit-learn==1.2.2", "category_encoders==2.6.3.post1"]),
    "every scheme": with_model(uri="runs:/4f2a/model", samples={"uri": "az://c/rows.parquet"}),
    "file with a blank and an at": with_model(uri="file:/my%20models/a@b.joblib"),
    "at in a path": with_model(uri="https://example.com/a@b"),
    "at in a query": with_model(uri="https://example.com?x=a@b"),
    "an s3 key": with_model(uri="s3://models/churn/7/model.joblib"),
    "a key with signs": with_model(uri="gs://b_1.c/a%20+=@/c:d"),
    "a Secret, an endpoint and a region": with_model(
        uri="s3://b/k",
        access={
            "secretRef": {"name": "s3"},
            "endpoint": "http://127.0.0.1:9000",
            "region": "eu-central-1",
        },
    ),
    "an endpoint for the samples": with_model(
        samples={"uri": "az://c/rows.csv"}, access={"endpoint": "https://a.example.com"}
    ),
    "a tag": with_model(uri="oci://registry.example.com:5000/team/churn:7.1"),
    "a digest": with_model(uri=f"oci://registry.example.com/churn@sha256:{'0' * 64}"),
    "a tag and a digest": with_model(uri=f"oci://h/a/b-c/d__e.f:7@sha256:{'0' * 64}"),
    "a claim": with_model(uri="pvc://models/churn/7/model.joblib"),
    "a ServiceAccount": with_model(access={"serviceAccountName": "reader"}),
    "ONNX as ONNX": with_model(format="ONNX", runtime="ONNX"),
    "Native": with_model(format="SKLearn", runtime="Native"),
    "resources": resources(
        requests={"cpu": "250m", "memory": "256Mi"}, limits={"memory": "512Mi", "cpu": 1}
    ),
    "request equal to the limit": resources(
        requests={"memory": "1024Mi"}, limits={"memory": "1Gi"}
    ),
    "a device": resources(limits={"nvidia.com/gpu": 1}),
    "labels": document({"serving": {"podTemplate": {"labels": {"team": "risk"}}}}),
    "a default": contract_rule(onViolation="Default", value="OTHER"),
    "a policy for all": document({"contract": {"onViolation": "Reject"}}),
    "autoscaling": document(
        {"autoscaling": {"minReplicas": 0, "maxReplicas": 8, "target": {"queueDepth": 3}}}
    ),
    "replicas": document({"replicas": 0}),
    "steps": rollout(
        steps=[
            {"type": "Shadow", "shadow": {"percent": 100}},
            {"type": "Weight", "weight": {"percent": "0.01"}},
            {"type": "Weight", "weight": {"percent": 25, "minSeconds": 5, "maxSeconds": 5}},
            {"type": "Approval"},
        ]
    ),
    "steps and no strategy": document({"rollout": {"steps": []}}),
    "agreement in the strategy Shadow": rollout(
        strategy="Shadow",
        analysis={"metrics": [{"name": "a", "type": "Agreement", **METRICS["Agreement"]}]},
    ),
    "analysis": rollout(
        steps=[{"type": "Shadow", "shadow": {"percent": 100}}],
        analysis={
            "falseAbort": "0.01",
            "falsePass": "0.05",
            "metrics": [{"name": n.lower(), "type": n} | m for n, m in METRICS.items()],
        },
    ),
    "a database": document(
        {"dependencies": [{"name": "db", "type": "SQL", "sql": {"url": "postgresql://db/x"}}]}
    ),
}

CONTRACT_RULE = {"column": "a", "rule": "OutOfRange", "onViolation": "Quarantine"}
DATABASE = {"name": "db", "type": "SQL", "sql": {"url": "postgresql://db/x"}}
# path of a row of `not_yet` → documents that ask for it, each once
NOT_YET: dict[str, list[dict[str, Any]]] = {
    "spec.model.format": [with_model(format="Keras"), with_model(format="Python")],
    "spec.model.access.serviceAccountName": [with_model(access={"serviceAccountName": "reader"})],
    "spec.model.access.caBundleRef": [with_model(access={"caBundleRef": {"name": "ca"}})],
    "spec.serving.batching.mode": [document({"serving": {"batching": {"mode": "On"}}})],
    "spec.serving.batching.*": [
        document({"serving": {"batching": {"maxRows": 8}}}),
        document({"serving": {"batching": {"maxDelayMilliseconds": 8}}}),
    ],
    "spec.contract.onViolation": [document({"contract": {"onViolation": "Quarantine"}})],
    "spec.contract.rules[].onViolation": [document({"contract": {"rules": [CONTRACT_RULE]}})],
    "spec.autoscaling": [
        document({"autoscaling": {"minReplicas": 1}}),
        document({"autoscaling": {}}),
    ],
    "spec.rollout.stableScale": [rollout(stableScale="Dynamic")],
    "spec.rollout.analysis.metrics[].type": [
        metric(type=kind, **METRICS[kind]) for kind in ("PredictionDrift", "GroundTruth")
    ],
    "spec.monitoring": [document({"monitoring": {}})],
    "spec.dependencies": [document({"dependencies": [DATABASE]})],
    "spec.model.uri": [
        with_model(uri=f"{scheme}:{'x' if scheme in OPAQUE_SCHEMES else '//h/x'}")
        for scheme in SCHEMES
        if scheme not in ("file", "https", "s3", "gs", "az", "oci", "pvc")
    ],
    "spec.model.samples.uri": [with_model(samples={"uri": "hf://h/rows.csv"})],
    "spec.serving.resources.requests": [resources(requests={"nvidia.com/gpu": 1})],
    "spec.serving.resources.limits": [resources(limits={"nvidia.com/gpu": 1})],
}

# Accepted by every rule, those of `not_yet` too.
SUPPORTED: dict[str, dict[str, Any]] = {
    "the least": document(),
    "every format": with_model(format="SKLearn", uri="https://h/m", samples={"uri": "s3://b/k"}),
    "ONNX": with_model(format="ONNX"),
    "no batching": document({"serving": {"batching": {"mode": "Off"}}}),
    "empty lists": document({"dependencies": [], "rollout": {"steps": []}}),
    "an empty rollout": document({"rollout": {}}),
    "Immediate": document({"rollout": {"strategy": "Immediate"}}),
    "steps of the usual strategy": document({"rollout": {"steps": [{"type": "Approval"}]}}),
    "a shadow": document({"rollout": {"strategy": "Shadow"}}),
    "copies, then users": rollout(
        steps=[
            {"type": "Shadow", "shadow": {"percent": "0.5", "until": "Duration"}},
            {"type": "Approval"},
            {"type": "Weight", "weight": {"percent": 5}},
        ]
    ),
    "blue and green": rollout(
        strategy="BlueGreen",
        steps=[{"type": "Shadow", "shadow": {"percent": 100}}, {"type": "Approval"}],
    ),
    "a canary": rollout(
        steps=[
            {"type": "Weight", "weight": {"percent": 5, "until": "Evidence"}},
            {"type": "Approval"},
        ],
        paused=True,
        stableScale="Full",
        onNewRevision="Queue",
        warmUp={"requests": 0},
        rollbackWindow={"revisions": 1},
        abortScaleDownDelaySeconds=0,
        scaleDownDelaySeconds=0,
        progressDeadlineSeconds=60,
        analysis={
            "source": "Prometheus",
            "metrics": [
                {"name": kind.lower(), "type": kind} | METRICS[kind]
                for kind in ("ErrorRate", "SlowFraction", "ViolationRate", "Prometheus")
            ],
        },
    ),
    "a policy": document({"contract": {"onViolation": "Reject"}}),
    "a policy for a column": contract_rule(),
    "no override": document({"traffic": {"revisionOverride": "Off"}}),
    "an override": document({"traffic": {"revisionOverride": "Token"}}),
    "a Secret": with_model(access={"secretRef": {"name": "s3"}}),
    "resources": resources(requests={"cpu": 1}, limits={"memory": "1Gi"}),
}
