"""The operator's configuration: strict, whole, and the same in its page as in its code."""

from pathlib import Path

import pytest

from slipway_operator.edges.config import (
    ConfigInvalid,
    Limits,
    OperatorConfig,
    Registry,
    parse_config,
    read_config,
)
from slipway_operator.settings import (
    BuildLimits,
    Engine,
    GatewayAddress,
    PrometheusAddress,
    RegistryCredentials,
    RuntimeUpdates,
)

BUILD, ONNX, NATIVE = (f"slipway/{name}@sha256:{name[0] * 64}" for name in ("build", "d", "ef"))
LEAST = f"""
artifactStore: oci+http://registry.slipway-system.svc:5000/models
images: {{build: "{BUILD}", onnx: "{ONNX}", native: "{NATIVE}"}}
"""
PAGE = Path(__file__).resolve().parents[3] / "docs/operator-config.md"


def read(text: str) -> OperatorConfig:
    return parse_config(text, name="config.yaml")


def test_the_least_has_the_defaults_of_the_core() -> None:
    settings = read(LEAST).to_settings()
    assert settings.engine is Engine.CLUSTER
    assert settings.artifact_store == "oci+http://registry.slipway-system.svc:5000/models"
    assert (settings.build_image, settings.onnx_image, settings.native_image) == (
        BUILD, ONNX, NATIVE,
    )  # fmt: skip
    assert settings.limits == BuildLimits()
    assert settings.runtime_updates is RuntimeUpdates.NEXT_REVISION
    assert settings.domain is None
    assert settings.gateway == GatewayAddress()
    assert settings.registry_credentials is RegistryCredentials.NONE
    assert settings.max_builds_per_namespace == 2


def test_everything_can_be_said() -> None:
    text = f"""{LEAST}
registry: {{credentials: Secret, secretName: registry-login}}
domain: models.example.com
urlScheme: https
gateway: {{name: edge, namespace: ops, sectionName: https}}
watchNamespaces: [one, two]
systemNamespace: ops
fetchAllow: ["minio.store.svc:9000", "[fd00::1]:443"]
limits: {{fetchSeconds: 60, convertMemoryBytes: 1073741824}}
runtimeUpdates: Rollout
prometheus: {{url: "https://prometheus.example.com:9090/team", tokenFile: /run/token}}
metricsFrom: [monitoring]
lease: {{name: mine, durationSeconds: 30}}
maxBuildsPerNamespace: 5
logLevel: DEBUG
"""
    config = read(text)
    settings = config.to_settings()
    assert (settings.domain, settings.url_scheme) == ("models.example.com", "https")
    assert settings.gateway == GatewayAddress(name="edge", namespace="ops", section_name="https")
    assert settings.system_namespace == "ops"
    assert settings.prometheus == PrometheusAddress(
        url="https://prometheus.example.com:9090/team", token_file="/run/token"
    )
    assert settings.metrics_from == ("monitoring",)
    assert settings.fetch_allow == ("minio.store.svc:9000", "[fd00::1]:443")
    assert settings.limits == BuildLimits(fetch_seconds=60, convert_memory_bytes=1 << 30)
    assert settings.runtime_updates is RuntimeUpdates.ROLLOUT
    assert settings.registry_credentials is RegistryCredentials.SECRET
    assert settings.registry_secret == "registry-login"
    assert settings.max_builds_per_namespace == 5
    assert config.watch_namespaces == ("one", "two")
    assert (config.lease.name, config.lease.duration_seconds) == ("mine", 30)
    assert config.log_level == "DEBUG"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param(f"{LEAST}\nwatchNamespace: [a]", "watchNamespace", id="unknown key"),
        pytest.param(f"{LEAST}\nlimits: {{seconds: 1}}", "`limits`", id="unknown key inside"),
        pytest.param("domain: x", "artifactStore", id="missing key"),
        pytest.param("", "null", id="empty"),
        pytest.param(f"{LEAST}\nlease: {{durationSeconds: soon}}", "durationSeconds", id="type"),
        pytest.param(f"{LEAST}\nurlScheme: ftp", "urlScheme", id="not of the set"),
        pytest.param(f"{LEAST}\nregistry: {{credentials: Vault}}", "Vault", id="no such way"),
    ],
)
def test_what_is_no_configuration_is_said_in_a_sentence(text: str, words: str) -> None:
    with pytest.raises(ConfigInvalid, match=words) as caught:
        read(text)
    assert "docs/operator-config.md" in str(caught.value)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ("domain: Models.Example", 'domain is "Models.Example"; it must be a DNS name'),
        ("watchNamespaces: [ok, Not_Ok]", 'watchNamespaces[1] is "Not_Ok"'),
        ("systemNamespace: a.b", "systemNamespace"),
        ("gateway: {sectionName: 'a b'}", "gateway.sectionName"),
        ("metricsFrom: [A]", 'metricsFrom[0] is "A"; it must be a namespace'),
        ("prometheus: {url: 'prometheus:9090'}", "prometheus.url is"),
        ("prometheus: {url: 'http://user:key@p'}", "must be http(s)://HOST[:PORT][/PATH]"),
        ("prometheus: {tokenFile: /t}", "`url`"),
        ("fetchAllow: [minio]", 'fetchAllow[0] is "minio"; it must be HOST:PORT'),
        ("limits: {fetchSeconds: 0}", "limits.fetchSeconds is 0; it must be at least 1"),
        ("lease: {durationSeconds: 2}", "lease.durationSeconds is 2; it must be from 5 to 300"),
        ("maxBuildsPerNamespace: 0", "maxBuildsPerNamespace is 0"),
        ("registry: {credentials: Embedded}", "registry.signingKeyFile is missing"),
        ("registry: {credentials: Secret}", "registry.secretName is missing"),
        ("registry: {secretName: a}", "only registry.credentials Secret uses it"),
        ("registry: {credentials: Secret, secretName: A_B}", 'registry.secretName is "A_B"'),
    ],
)
def test_a_value_that_cannot_be_is_named_with_its_key(more: str, words: str) -> None:
    with pytest.raises(ConfigInvalid) as caught:
        read(f"{LEAST}\n{more}")
    assert words in str(caught.value)


def test_an_image_without_a_digest_and_a_store_that_is_none_are_told_at_once() -> None:
    text = "artifactStore: s3://models\nimages: {build: a:1, onnx: b:2, native: c}"
    with pytest.raises(ConfigInvalid) as caught:
        read(text)
    lines = str(caught.value).splitlines()
    assert len(lines) == 4
    assert 'artifactStore is "s3://models"' in lines[0]
    assert 'images.build is "a:1"; it must be an image by digest' in lines[1]


def test_a_key_that_is_there_twice_is_not_silently_the_last() -> None:
    with pytest.raises(ConfigInvalid, match="the key onnx twice"):
        read(LEAST.replace("native:", "onnx:"))


@pytest.mark.parametrize("text", ["a: [", "a: \t- b", "{"])
def test_no_yaml(text: str) -> None:
    with pytest.raises(ConfigInvalid, match="is not YAML"):
        read(text)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid, match="No such file"):
        read_config(tmp_path / "none.yaml")
    path = tmp_path / "latin.yaml"
    path.write_bytes("domain: übung".encode("latin-1"))
    with pytest.raises(ConfigInvalid, match="not UTF-8"):
        read_config(path)
    path.write_text(LEAST)
    assert read_config(path) == read(LEAST)


def test_the_page_lists_every_key() -> None:
    page = PAGE.read_text()
    for struct in (OperatorConfig, Limits, Registry):
        for key in struct.__struct_encode_fields__:
            assert f"`{key}" in page or f".{key}`" in page, key
