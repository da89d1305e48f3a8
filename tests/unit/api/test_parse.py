"""Reading a ModelDeployment: what is accepted, and the sentence for everything that is not."""

from typing import Any

import pytest

from api_documents import document, with_model
from slipway_operator.api import defaults
from slipway_operator.api.parse import parse_modeldeployment
from slipway_operator.api.spec import ModelDeployment
from slipway_operator.api.vocabulary import Format, Policy, Runtime, Strategy, Unpickle


def asked(found: Any, **options: bool) -> ModelDeployment:
    parsed = parse_modeldeployment(found, **options)
    assert parsed.errors == ()
    assert parsed.asked is not None
    return parsed.asked


def errors(found: Any, **options: bool) -> list[tuple[str, str, str]]:
    parsed = parse_modeldeployment(found, **options)
    assert parsed.asked is None
    assert list(parsed.errors) == sorted(parsed.errors)
    return [(error.path, error.reason, error.message) for error in parsed.errors]


def only(found: Any, **options: bool) -> tuple[str, str, str]:
    [error] = errors(found, **options)
    return error


def test_the_least_document_gets_every_default() -> None:
    spec = asked(document()).spec
    assert spec.model.format is Format.AUTO
    assert spec.model.runtime is Runtime.AUTO
    assert spec.model.unpickle is Unpickle.SANDBOXED
    assert spec.model.samples is None
    assert spec.model.access.secret_ref is None
    assert spec.serving.timeout_seconds == defaults.TIMEOUT_SECONDS == 10
    assert spec.serving.max_request_bytes == 1_048_576
    assert spec.serving.max_batch_rows == 1024
    assert spec.contract.on_violation is Policy.WARN
    assert spec.traffic.gateway is None
    assert spec.replicas is None
    assert spec.autoscaling is None
    assert spec.rollout.strategy is Strategy.CANARY


def test_the_metadata_that_matters_is_kept() -> None:
    found = document()
    found["metadata"] |= {
        "uid": "u-1",
        "generation": 3,
        "resourceVersion": "12",
        "creationTimestamp": "2026-03-04T09:12:00Z",
        "labels": {"team": "risk"},
        "annotations": {"note": "x"},
        "managedFields": [{"manager": "kubectl"}],
    }
    found["status"] = {"anything": [1, None]}
    metadata = asked(found).metadata
    assert (metadata.name, metadata.namespace, metadata.uid) == ("churn", "default", "u-1")
    assert (metadata.generation, metadata.resource_version) == (3, "12")
    assert metadata.creation_timestamp == "2026-03-04T09:12:00Z"
    assert metadata.deletion_timestamp is None
    assert (metadata.labels, metadata.annotations) == ({"team": "risk"}, {"note": "x"})


def test_all_that_is_supported_now() -> None:
    found = document(
        {
            "model": {
                "uri": "s3://models/churn/7/model.joblib",
                "digest": "sha256:" + "0a" * 32,
                "samples": {"uri": "https://example.com/rows.csv", "digest": "sha256:" + "b" * 64},
                "format": "SKLearn",
                "runtime": "ONNX",
                "unpickle": "Never",
                "access": {
                    "secretRef": {"name": "models-s3"},
                    "endpoint": "https://store.example.com:9000",
                    "region": "eu-central-1",
                },
            },
            "serving": {
                "timeoutSeconds": 3,
                "maxRequestBytes": 2048,
                "maxBatchRows": 1,
                "resources": {
                    "requests": {"cpu": 1, "memory": "1Gi"},
                    "limits": {"memory": "1Gi", "ephemeral-storage": "1.5G"},
                },
                "podTemplate": {
                    "labels": {"team": "risk"},
                    "annotations": {"example.com/note": "hello"},
                    "nodeSelector": {"kubernetes.io/arch": "amd64"},
                    "tolerations": [{"key": "spot", "operator": "Exists", "tolerationSeconds": 5}],
                    "affinity": {
                        "nodeAffinity": {
                            "requiredDuringSchedulingIgnoredDuringExecution": {
                                "nodeSelectorTerms": [
                                    {
                                        "matchExpressions": [
                                            {"key": "zone", "operator": "In", "values": ["a"]}
                                        ]
                                    }
                                ]
                            }
                        },
                        "podAntiAffinity": {
                            "preferredDuringSchedulingIgnoredDuringExecution": [
                                {
                                    "weight": 1,
                                    "podAffinityTerm": {
                                        "topologyKey": "kubernetes.io/hostname",
                                        "labelSelector": {"matchLabels": {"a": "b"}},
                                    },
                                }
                            ]
                        },
                    },
                    "topologySpreadConstraints": [
                        {
                            "maxSkew": 1,
                            "topologyKey": "zone",
                            "whenUnsatisfiable": "ScheduleAnyway",
                        }
                    ],
                    "priorityClassName": "high",
                    "runtimeClassName": "gvisor",
                    "imagePullSecrets": [{"name": "registry"}],
                    "serviceAccountName": "churn",
                },
            },
            "contract": {
                "onViolation": "Reject",
                "rules": [
                    {
                        "column": "country",
                        "rule": "UnknownCategory",
                        "onViolation": "Default",
                        "value": "OTHER",
                    },
                    {"column": "country", "rule": "MissingValue", "onViolation": "Warn"},
                ],
            },
            "traffic": {
                "gateway": {"name": "edge", "namespace": "gateways"},
                "hostnames": ["churn.example.com"],
                "revisionOverride": "Off",
            },
            "replicas": 3,
            "rollout": {"strategy": "Immediate"},
        }
    )
    spec = asked(found, on_laptop=False).spec
    assert spec.serving.resources.requests == {"cpu": 1, "memory": "1Gi"}
    assert spec.contract.rules[0].value == "OTHER"
    assert spec.serving.pod_template.affinity is not None
    assert spec.replicas == 3


def test_null_is_absent_and_a_whole_float_is_an_integer() -> None:
    # Both as an API server stores them.
    found = document({"serving": {"timeoutSeconds": 5.0}, "autoscaling": None, "replicas": None})
    found["metadata"]["labels"] = None
    assert asked(found).spec.serving.timeout_seconds == 5
    assert asked(found).metadata.labels == {}


def test_what_lies_too_deep_is_not_looked_at() -> None:
    deep: Any = "x"
    for _ in range(100_000):
        deep = [deep]
    assert asked(document() | {"status": deep}).metadata.name == "churn"
    assert only(document({"replicas": deep}))[:2] == ("spec.replicas", "TypeInvalid")
    assert only(document({"replica": deep}))[:2] == ("spec.replica", "FieldUnknown")


def test_keys_are_text() -> None:
    assert only(document({7: 1}))[:2] == ("spec[7]", "FieldUnknown")


def test_empty_lists_ask_for_nothing() -> None:
    found = document({"dependencies": [], "rollout": {"steps": []}})
    assert asked(found).spec.dependencies == ()


# id → (document, path, reason, words of the message)
REFUSED: dict[str, tuple[Any, str, str, tuple[str, ...]]] = {
    "no object": (3, "", "TypeInvalid", ("the document is 3", "an object")),
    "a list": ([], "", "TypeInvalid", ("a list of 0",)),
    "null": (None, "", "TypeInvalid", ("the document is null",)),
    "no spec": (
        {"metadata": {"name": "a"}},
        "spec",
        "FieldMissing",
        ("spec is missing", "required", "Add it."),
    ),
    "no name": ({"metadata": {}, "spec": document()["spec"]}, "metadata.name", "NameInvalid", ()),
    "name that is a number": (document(name=7), "metadata.name", "NameInvalid", ("7", "string")),
    "name of 64 characters": (document(name="n" * 64), "metadata.name", "NameInvalid", ("45",)),
    "name with a last line end": (document(name="churn\n"), "metadata.name", "NameInvalid", ()),
    "no uri": (document({"model": {}}), "spec.model.uri", "FieldMissing", ("is missing",)),
    "uri that is null": (with_model(uri=None), "spec.model.uri", "FieldMissing", ()),
    "unknown field with a neighbour": (
        document({"serving": {"timeoutSecond": 3}}),
        "spec.serving.timeoutSecond",
        "FieldUnknown",
        ("is not a field of spec.serving", "Did you mean timeoutSeconds?"),
    ),
    "unknown field without a neighbour": (
        document({"traffic": {"zzz": 3}}),
        "spec.traffic.zzz",
        "FieldUnknown",
        ("Take it out", "gateway, hostnames, revisionOverride"),
    ),
    "unknown field at the top": (
        document() | {"sepc": {}},
        "sepc",
        "FieldUnknown",
        ("a ModelDeployment", "Did you mean spec?"),
    ),
    "unknown field in another case": (
        with_model(URI="x"),
        "spec.model.URI",
        "FieldUnknown",
        ("Did you mean uri?",),
    ),
    "unknown key that is no name": (
        document({"a b": 1}),
        "spec[a b]",
        "FieldUnknown",
        ("spec[a b] is not a field",),
    ),
    "text for an integer": (
        document({"serving": {"timeoutSeconds": "ten"}}),
        "spec.serving.timeoutSeconds",
        "TypeInvalid",
        ('is "ten", but must be an integer',),
    ),
    "boolean for an integer": (
        document({"replicas": True}),
        "spec.replicas",
        "TypeInvalid",
        ("is true", "an integer"),
    ),
    "fraction for an integer": (
        document({"replicas": 1.5}),
        "spec.replicas",
        "TypeInvalid",
        ("is 1.5",),
    ),
    "boolean for text": (
        document({"traffic": {"revisionOverride": False}}),
        "spec.traffic.revisionOverride",
        "TypeInvalid",
        ("is false", "quotes", "off, "),
    ),
    "number for text": (
        with_model(access={"region": 7}),
        "spec.model.access.region",
        "TypeInvalid",
        ("is 7", "Put it in quotes."),
    ),
    "text for a list": (
        document({"traffic": {"hostnames": "a.example.com"}}),
        "spec.traffic.hostnames",
        "TypeInvalid",
        ("must be a list",),
    ),
    "text for an object": (
        with_model(samples="rows.csv"),
        "spec.model.samples",
        "TypeInvalid",
        ("must be an object",),
    ),
    "list for an object": (
        document({"serving": [1, 2]}),
        "spec.serving",
        "TypeInvalid",
        ("a list of 2",),
    ),
    "object for text": (with_model(uri={}), "spec.model.uri", "TypeInvalid", ("an object",)),
    "text for a truth": (
        document({"rollout": {"paused": "true"}}),
        "spec.rollout.paused",
        "TypeInvalid",
        ("true or false",),
    ),
    "list for an amount": (
        document({"serving": {"resources": {"limits": {"memory": []}}}}),
        "spec.serving.resources.limits.memory",
        "TypeInvalid",
        ("an integer or a string",),
    ),
    "too small": (
        document({"replicas": -1}),
        "spec.replicas",
        "ValueInvalid",
        ("-1", "at least 0"),
    ),
    "too big": (
        document({"serving": {"timeoutSeconds": 3601}}),
        "spec.serving.timeoutSeconds",
        "ValueInvalid",
        ("3601", "at most 3600"),
    ),
    "much too big": (
        document({"replicas": 10**5000}),
        "spec.replicas",
        "ValueInvalid",
        ("a huge number", "at most 1000"),
    ),
    "empty text": (with_model(uri=""), "spec.model.uri", "ValueInvalid", ("at least 1",)),
    "too long": (
        with_model(uri="file:/" + "a" * 2048),
        "spec.model.uri",
        "ValueInvalid",
        ("…", "at most 2048 characters"),
    ),
    "too many": (
        document({"traffic": {"hostnames": [f"h{i}.example.com" for i in range(17)]}}),
        "spec.traffic.hostnames",
        "ValueInvalid",
        ("a list of 17", "at most 16 members"),
    ),
    "too many in a map": (
        document({"serving": {"resources": {"limits": {f"x.com/{i}": 1 for i in range(9)}}}}),
        "spec.serving.resources.limits",
        "ValueInvalid",
        ("at most 8 members",),
    ),
    "none where one is needed": (
        document(
            {
                "serving": {
                    "podTemplate": {
                        "affinity": {
                            "nodeAffinity": {
                                "requiredDuringSchedulingIgnoredDuringExecution": {
                                    "nodeSelectorTerms": []
                                }
                            }
                        }
                    }
                }
            }
        ),
        "spec.serving.podTemplate.affinity.nodeAffinity"
        ".requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms",
        "ValueInvalid",
        ("at least 1 members",),
    ),
    "no choice, but near": (
        with_model(format="sklearn"),
        "spec.model.format",
        "ValueInvalid",
        ('is "sklearn"', 'Did you mean "SKLearn"?'),
    ),
    "no choice and not near": (
        with_model(runtime="zzz"),
        "spec.model.runtime",
        "ValueInvalid",
        ("Auto, ONNX, Native", "Choose one of them."),
    ),
    "digest in another form": (
        with_model(digest="md5:12"),
        "spec.model.digest",
        "ValueInvalid",
        ("sha256:", "hexadecimal"),
    ),
    "digest with a last line end": (
        with_model(digest="sha256:" + "a" * 63 + "\n"),
        "spec.model.digest",
        "ValueInvalid",
        (),
    ),
    "label key with a blank": (
        document({"serving": {"podTemplate": {"labels": {"my team": "x"}}}}),
        "spec.serving.podTemplate.labels[my team]",
        "ValueInvalid",
        ('the key "my team"', "label key"),
    ),
    "labels that are none": (
        document({"serving": {"podTemplate": {"labels": "team"}}}),
        "spec.serving.podTemplate.labels",
        "TypeInvalid",
        ("must be an object",),
    ),
    "a rule that is none": (
        document({"contract": {"rules": ["country"]}}),
        "spec.contract.rules[0]",
        "TypeInvalid",
        ("must be an object",),
    ),
    "much too small": (document({"replicas": -(10**5000)}), "spec.replicas", "ValueInvalid", ()),
    "namespace that leads elsewhere": (
        document() | {"metadata": {"name": "a", "namespace": "../b"}},
        "metadata.namespace",
        "ValueInvalid",
        ('is "../b"', "as a namespace does"),
    ),
    "label with a blank": (
        document({"serving": {"podTemplate": {"labels": {"team": "a b"}}}}),
        "spec.serving.podTemplate.labels.team",
        "ValueInvalid",
        ("as a label does",),
    ),
    "label that is a number": (
        document({"serving": {"podTemplate": {"labels": {"team": 7}}}}),
        "spec.serving.podTemplate.labels.team",
        "TypeInvalid",
        ("is 7", "quotes"),
    ),
    "annotation of the object that is a number": (
        document() | {"metadata": {"name": "a", "annotations": {"x": 1}}},
        "metadata.annotations.x",
        "TypeInvalid",
        ("is 1",),
    ),
    "a rule twice": (
        document(
            {
                "contract": {
                    "rules": [
                        {"column": "a", "rule": "OutOfRange", "onViolation": "Warn"},
                        {"column": "a", "rule": "OutOfRange", "onViolation": "Reject"},
                    ]
                }
            }
        ),
        "spec.contract.rules[1]",
        "ValueInvalid",
        ('repeats "a", "OutOfRange"', "Take one out."),
    ),
    "a host name twice": (
        document({"traffic": {"hostnames": ["a.example.com", "a.example.com"]}}),
        "spec.traffic.hostnames[1]",
        "ValueInvalid",
        ('repeats "a.example.com"',),
    ),
    "a member of a list that is null": (
        document({"traffic": {"hostnames": [None]}}),
        "spec.traffic.hostnames[0]",
        "TypeInvalid",
        ("is null",),
    ),
    "something that is not JSON": (
        document({"replicas": {1, 2}}),
        "spec.replicas",
        "TypeInvalid",
        ("a set",),
    ),
    "a rule, with the value": (
        document({"serving": {"resources": {"limits": {"memory": "512m"}}}}),
        "spec.serving.resources.limits",
        "ValueInvalid",
        ("{memory: 512m}", "Mi"),
    ),
    "a rule, with both values": (
        with_model(format="ONNX", runtime="Native"),
        "spec.model.runtime",
        "FieldConflict",
        ('spec.model.runtime is "Native" and format is "ONNX"',),
    ),
    "a rule, with a value that is absent": (
        document(
            {
                "contract": {
                    "rules": [{"column": "a", "rule": "OutOfRange", "onViolation": "Default"}]
                }
            }
        ),
        "spec.contract.rules[0].value",
        "FieldConflict",
        ('value is absent and onViolation is "Default"',),
    ),
    "a rule about a whole object": (
        document({"traffic": {"hostnames": ["10.0.0.1"]}}),
        "spec.traffic.hostnames",
        "ValueInvalid",
        ("spec.traffic.hostnames: a host name must not be an address",),
    ),
}


@pytest.mark.parametrize(("found", "path", "reason", "words"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_wrong_is_said(found: Any, path: str, reason: str, words: tuple[str, ...]) -> None:
    its_path, its_reason, message = only(found)
    assert (its_path, its_reason) == (path, reason)
    assert message.endswith((".", "?"))
    assert message[0] == message[0].lower() or message.startswith(path)
    for word in words:
        assert word in message


def test_everything_is_said_at_once_and_in_order() -> None:
    found = document(
        {"replicas": -1, "serving": {"timeoutSeconds": "ten", "maxBatchRow": 3}}, name="Bad"
    )
    found["metadata"]["labels"] = {"a": 1}
    assert [path for path, _, _ in errors(found)] == [
        "metadata.labels.a",
        "spec.replicas",
        "spec.serving.maxBatchRow",
        "spec.serving.timeoutSeconds",
    ]


@pytest.mark.parametrize("field", ["uri", "samples", "endpoint"])
def test_no_message_shows_a_credential(field: str) -> None:
    secret = "https://me:hunter2@example.com/a?X-Signature=topsecret"
    members: dict[str, Any] = {
        "uri": {"uri": secret},
        "samples": {"samples": {"uri": secret}},
        "endpoint": {"access": {"endpoint": secret}},
    }[field]
    for found in (with_model(**members), with_model(**members, digest="x")):
        for _, _, message in errors(found):
            assert "hunter2" not in message
            assert "topsecret" not in message


# path → a document that asks for it
NOT_YET: dict[str, dict[str, Any]] = {
    "spec.model.access.serviceAccountName": with_model(access={"serviceAccountName": "reader"}),
    "spec.model.access.caBundleRef": with_model(access={"caBundleRef": {"name": "ca"}}),
    "spec.model.format": with_model(format="Keras"),
    "spec.serving.batching.mode": document({"serving": {"batching": {"mode": "On"}}}),
    "spec.serving.batching.maxRows": document({"serving": {"batching": {"maxRows": 8}}}),
    "spec.serving.resources.limits[nvidia.com/gpu]": document(
        {"serving": {"resources": {"limits": {"nvidia.com/gpu": 1}}}}
    ),
    "spec.contract.onViolation": document({"contract": {"onViolation": "Quarantine"}}),
    "spec.contract.rules[0].onViolation": document(
        {
            "contract": {
                "rules": [{"column": "a", "rule": "OutOfRange", "onViolation": "Quarantine"}]
            }
        }
    ),
    "spec.autoscaling": document({"autoscaling": {}}),
    "spec.rollout.stableScale": document({"rollout": {"stableScale": "Dynamic"}}),
    "spec.monitoring": document({"monitoring": {"log": {"mode": "BestEffort"}}}),
    "spec.dependencies": document(
        {"dependencies": [{"name": "db", "type": "SQL", "sql": {"url": "postgresql://db/x"}}]}
    ),
}


@pytest.mark.parametrize("path", NOT_YET)
def test_what_comes_later_is_refused(path: str) -> None:
    its_path, reason, message = only(NOT_YET[path])
    assert (its_path, reason) == (path, "FieldNotYetSupported")
    assert "not yet supported" in message or "cannot use" in message
    assert message.startswith(path)


@pytest.mark.parametrize(
    "uri",
    ["hf://a/b", "git://h/r", "mlflow://h/m", "models:/churn/3", "runs:/4f2a/model"],
)
def test_a_scheme_that_comes_later_is_refused(uri: str) -> None:
    path, reason, message = only(with_model(uri=uri))
    assert (path, reason) == ("spec.model.uri", "URISchemeNotYetSupported")
    assert uri.partition(":")[0] in message
    path, reason, _ = only(with_model(samples={"uri": uri}))
    assert (path, reason) == ("spec.model.samples.uri", "URISchemeNotYetSupported")


def test_a_file_is_for_a_laptop_only() -> None:
    found = with_model(samples={"uri": "file:/rows.csv"})
    assert asked(found, on_laptop=True).spec.model.uri == "file:/models/churn.joblib"
    (first, second) = errors(found, on_laptop=False)
    assert first[:2] == ("spec.model.samples.uri", "URIForbidden")
    assert second[:2] == ("spec.model.uri", "URIForbidden")
    assert "s3 or https" in first[2]
    # Without samples there is one thing to say.
    assert only(document(), on_laptop=False)[0] == "spec.model.uri"


def test_a_claim_is_for_a_cluster_only() -> None:
    found = with_model(uri="pvc://models/churn/7/model.joblib")
    assert asked(found, on_laptop=False).spec.model.uri == "pvc://models/churn/7/model.joblib"
    path, reason, message = only(found, on_laptop=True)
    assert (path, reason) == ("spec.model.uri", "URIForbidden")
    assert "a laptop has no PersistentVolumeClaims" in message


@pytest.mark.parametrize(
    "uri",
    ["s3://b/k", "gs://b/a/k.onnx", "az://c/k", "oci://h/r", "oci://h:5000/a/b-c_d.e:7.1",
     "oci://h/r@sha256:" + "0" * 64, "oci://h/r:tag@sha256:" + "0" * 64, "pvc://c.d/a/b"],
)  # fmt: skip
def test_every_store_has_its_form(uri: str) -> None:
    assert asked(with_model(uri=uri), on_laptop=None).spec.model.uri == uri
