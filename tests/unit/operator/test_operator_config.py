"""The operator's configuration: strict, whole, and the same in its page as in its code."""

from pathlib import Path

import pytest

from slipway_operator.edges.config import ConfigInvalid, OperatorConfig, read_config
from slipway_operator.settings import BuildLimits, Engine, RuntimeUpdates

LEAST = """
artifactStore: oci+http://registry.slipway-system.svc:5000/models
images: {build: build@sha256:1, onnx: onnx@sha256:2, native: native@sha256:3}
"""


def read(tmp_path: Path, text: str) -> OperatorConfig:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    return read_config(path)


def test_the_least_has_the_defaults_of_the_core(tmp_path: Path) -> None:
    settings = read(tmp_path, LEAST).to_settings()
    assert settings.engine is Engine.CLUSTER
    assert settings.artifact_store == "oci+http://registry.slipway-system.svc:5000/models"
    assert (settings.build_image, settings.onnx_image, settings.native_image) == (
        "build@sha256:1", "onnx@sha256:2", "native@sha256:3",
    )  # fmt: skip
    assert settings.limits == BuildLimits()
    assert settings.runtime_updates is RuntimeUpdates.NEXT_REVISION
    assert settings.domain is None


def test_everything_can_be_said(tmp_path: Path) -> None:
    text = f"""{LEAST}
domain: models.example.com
urlScheme: https
watchNamespaces: [one, two]
systemNamespace: ops
fetchAllow: ["minio.store.svc:9000"]
limits: {{fetchSeconds: 60, convertMemoryBytes: 1073741824}}
runtimeUpdates: Rollout
lease: {{name: mine, durationSeconds: 30}}
logLevel: DEBUG
"""
    config = read(tmp_path, text)
    settings = config.to_settings()
    assert (settings.domain, settings.url_scheme) == ("models.example.com", "https")
    assert (settings.system_namespace, settings.fetch_allow) == ("ops", ("minio.store.svc:9000",))
    assert settings.limits == BuildLimits(fetch_seconds=60, convert_memory_bytes=1 << 30)
    assert settings.runtime_updates is RuntimeUpdates.ROLLOUT
    assert config.watch_namespaces == ("one", "two")
    assert (config.lease.name, config.lease.duration_seconds) == ("mine", 30)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param(f"{LEAST}\nwatchNamespace: [a]", "watchNamespace", id="unknown key"),
        pytest.param(f"{LEAST}\nlimits: {{seconds: 1}}", r"\$\.limits", id="unknown key inside"),
        pytest.param("domain: x", "artifactStore", id="missing key"),
        pytest.param(f"{LEAST}\nlease: {{durationSeconds: soon}}", "durationSeconds", id="type"),
        pytest.param(f"{LEAST}\nurlScheme: ftp", "urlScheme", id="not of the set"),
        pytest.param("a: [", "wrong", id="no YAML"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigInvalid, match=words) as caught:
        read(tmp_path, text)
    assert "docs/operator-config.md" in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid, match="No such file"):
        read_config(tmp_path / "none.yaml")


def test_the_page_lists_every_key() -> None:
    page = (Path(__file__).resolve().parents[3] / "docs/operator-config.md").read_text()
    for key in OperatorConfig.__struct_encode_fields__:
        assert f"`{key}" in page, key
