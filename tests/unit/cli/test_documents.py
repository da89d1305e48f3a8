"""What -f names: files, folders, standard input, several documents, file: URIs."""

import io
from pathlib import Path

import pytest

from slipway_operator.cli.documents import gather_documents, make_absolute
from slipway_operator.cli.errors import FAILED, USAGE, CliError

MODEL = """
apiVersion: slipway.dev/v1alpha1
kind: ModelDeployment
metadata: {name: NAME}
spec: {model: {uri: "file:models/m.joblib", samples: {uri: "file:../rows.csv"}}}
"""
SECRET = """
apiVersion: v1
kind: Secret
metadata: {name: keys}
stringData: {token: t}
"""


def write(path: Path, *names: str, more: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("---".join(MODEL.replace("NAME", name) for name in names) + more)
    return path


def test_file_uris_are_relative_to_the_yaml(tmp_path: Path) -> None:
    file = write(tmp_path / "a b/c/m.yaml", "one")
    (document,) = gather_documents([str(file)], namespace=None)
    model = document.body["spec"]["model"]
    assert model["uri"] == f"file:{tmp_path}/a%20b/c/models/m.joblib"
    assert model["samples"]["uri"] == f"file:{tmp_path}/a%20b/rows.csv"
    assert document.body["metadata"]["namespace"] == "default"


@pytest.mark.parametrize(
    "uri", ["file:/abs/m", "file:///abs/m", "https://h/m", "s3://b/k", 7, None], ids=str
)
def test_other_uris_are_left_alone(uri: object) -> None:
    assert make_absolute(uri, Path("/x")) == uri


def test_several_documents_files_and_folders(tmp_path: Path) -> None:
    write(tmp_path / "f/b.yaml", "two", "three", more="---" + SECRET)
    write(tmp_path / "f/a.yml", "one")
    write(tmp_path / "f/notes.txt", "never")
    found = gather_documents([str(tmp_path / "f")], namespace="team")
    assert [(each.kind.name, each.name, each.namespace) for each in found] == [
        ("ModelDeployment", "one", "team"),
        ("ModelDeployment", "two", "team"),
        ("ModelDeployment", "three", "team"),
        ("Secret", "keys", "team"),
    ]


def test_standard_input_is_relative_to_here(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.stdin", io.StringIO(MODEL.replace("NAME", "piped")))
    (document,) = gather_documents(["-"], namespace=None)
    assert document.body["spec"]["model"]["uri"] == f"file:{tmp_path}/models/m.joblib"


BAD: dict[str, tuple[str, int, tuple[str, ...]]] = {
    "not YAML": ("kind: [M\n", FAILED, ("bad.yaml", "line 2")),
    "a sentence": ("just a sentence\n", FAILED, ("bad.yaml", "mapping")),
    "another kind": ("kind: Pod\napiVersion: v1\n", FAILED, ("Pod", "ModelDeployment")),
    "no name": (MODEL.replace("name: NAME", ""), FAILED, ("ModelDeployment", "metadata.name")),
    "nothing": ("---\n", USAGE, ("No document",)),
    "two namespaces": (
        MODEL.replace("name: NAME", "name: one, namespace: other"), USAGE, ("other", "team"),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "code", "words"), BAD.values(), ids=BAD.keys())
def test_a_bad_file_is_named(tmp_path: Path, text: str, code: int, words: tuple[str, ...]) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(text)
    with pytest.raises(CliError) as caught:
        gather_documents([str(file)], namespace="team")
    assert caught.value.code == code
    for word in words:
        assert word in caught.value.message


def test_a_file_that_is_missing_or_not_text(tmp_path: Path) -> None:
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\x00")
    for name, word in {"nowhere.yaml": "no such file", "bytes.yaml": "not text"}.items():
        with pytest.raises(CliError, match=word):
            gather_documents([str(tmp_path / name)], namespace=None)
    (tmp_path / "empty").mkdir()
    with pytest.raises(CliError, match="holds no"):
        gather_documents([str(tmp_path / "empty")], namespace=None)
