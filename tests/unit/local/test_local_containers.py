"""How a container of a pod becomes a process: mounts, environment, refusals."""

from pathlib import Path
from typing import Any

import pytest

from slipway_operator.local.containers import (
    ContainerRefused,
    PodFolder,
    Secrets,
    build_run_spec,
    parse_quantity,
    prepare_volumes,
    replace_mounts,
)

Object = dict[str, Any]
MOUNTS = {"/slipway/work": Path("/real/work"), "/slipway": Path("/real/all")}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("/slipway/work", "/real/work", id="whole"),
        pytest.param("/slipway/work/a/b", "/real/work/a/b", id="below"),
        pytest.param("/slipway/working", "/real/all/working", id="longest-whole-part"),
        pytest.param("/slipways", "/slipways", id="another-name"),
        pytest.param("file:///slipway/work/x", "file:///real/work/x", id="url"),
        pytest.param("--out=/slipway/work", "--out=/real/work", id="option"),
        pytest.param("/home/me/slipway/work", "/home/me/slipway/work", id="a-users-own-folder"),
        pytest.param('{"uri": "/slipway/work"}', '{"uri": "/slipway/work"}', id="not-inside-json"),
    ],
)
def test_mount_paths_are_replaced(text: str, expected: str) -> None:
    assert replace_mounts(text, MOUNTS) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("512Mi", 536870912, id="binary"),
        pytest.param("1G", 10**9, id="decimal"),
        pytest.param("1.5Ki", 1536, id="fraction"),
        pytest.param(1024, 1024, id="plain"),
    ],
)
def test_quantities(text: object, expected: int) -> None:
    assert parse_quantity(text) == expected


def test_a_wrong_quantity_is_refused() -> None:
    with pytest.raises(ContainerRefused, match="no quantity"):
        parse_quantity("1 GB")


def build_pod(**spec: Any) -> Object:
    return {"metadata": {"name": "p", "namespace": "n", "uid": "u"}, "spec": spec}


class NoSecrets(Secrets):
    def read(self, name: str) -> None:
        assert name


def run_spec(container: Object, tmp_path: Path) -> Any:
    return build_run_spec(
        build_pod(),
        container,
        folder=PodFolder(root=tmp_path),
        run_folder=tmp_path / "0",
        mounts=MOUNTS,
        ports={"http": 20001, "grpc-web": 20002},
        environments=tmp_path / "environments",
    )


def test_the_environment_of_a_container(tmp_path: Path) -> None:
    container = {
        "name": "c",
        "command": ["python", "-m", "x"],
        "args": ["/slipway/work/in"],
        "env": [
            {"name": "WORK", "value": "/slipway/work"},
            {"name": "ME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        ],
        "resources": {"limits": {"memory": "1Gi"}},
    }
    spec = run_spec(container, tmp_path)
    assert spec.command[1:] == ["-m", "x", "/real/work/in"]
    assert spec.env["WORK"] == "/real/work"
    assert spec.env["ME"] == "p"
    assert spec.env["SLIPWAY_PORT_HTTP"] == "20001"
    assert spec.env["SLIPWAY_PORT_GRPC_WEB"] == "20002"
    assert spec.env["SLIPWAY_BIND"] == "127.0.0.1"
    assert spec.env["SLIPWAY_TERMINATION_LOG"] == str(tmp_path / "0" / "termination")
    assert spec.memory_bytes == 2**30


def test_the_runtime_beside_the_interpreter_is_found(tmp_path: Path) -> None:
    import sys

    spec = run_spec({"name": "c", "command": ["slipway-runtime", "fetch"]}, tmp_path)
    assert spec.command == [str(Path(sys.executable).parent / "slipway-runtime"), "fetch"]


@pytest.mark.parametrize(
    ("container", "words"),
    [
        pytest.param({"name": "c"}, "no command", id="no-command"),
        pytest.param(
            {
                "name": "c",
                "command": ["x"],
                "env": [{"name": "T", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}],
            },
            'variable "T"',
            id="secret-in-the-environment",
        ),
    ],
)
def test_what_cannot_be_honoured_is_refused(container: Object, words: str, tmp_path: Path) -> None:
    with pytest.raises(ContainerRefused, match=words):
        run_spec(container, tmp_path)


@pytest.mark.parametrize(
    ("volumes", "words"),
    [
        pytest.param([], 'no volume "v"', id="unknown"),
        pytest.param([{"name": "v", "hostPath": {"path": "/"}}], "is a hostPath", id="host-path"),
        pytest.param(
            [{"name": "v", "secret": {"secretName": "s"}}], 'secret "s" not found', id="no-secret"
        ),
    ],
)
def test_volumes_that_cannot_be_made_are_refused(
    volumes: list[Object], words: str, tmp_path: Path
) -> None:
    container = {"name": "c", "volumeMounts": [{"name": "v", "mountPath": "/v"}]}
    with pytest.raises(ContainerRefused, match=words):
        prepare_volumes(
            build_pod(volumes=volumes), container, PodFolder(root=tmp_path), NoSecrets()
        )
