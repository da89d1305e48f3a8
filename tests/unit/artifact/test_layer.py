"""The layer: the same files give the same bytes; hostile archives are refused, none escapes."""

import io
from pathlib import Path

import pytest

from hostile_archives import ARCHIVES, HARMLESS, LIMIT_BYTES, LIMIT_ENTRIES, MIB, member, pack
from slipway_runtime.artifact import layer
from slipway_runtime.artifact.layer import (
    LayerFile,
    extract_layer,
    list_files,
    write_layer,
)
from slipway_runtime.errors import BuildError


def _extract(content: bytes, folder: Path, limit_bytes: int = 1 << 30) -> None:
    extract_layer(io.BytesIO(content), folder, packed_bytes=len(content), limit_bytes=limit_bytes)


def test_round_trip_is_deterministic(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "bento" / "src").mkdir(parents=True)
    (source / "bento" / "src" / "service.py").write_text("x = 1\n")
    (source / "model.onnx").write_bytes(bytes(range(256)))
    layers = []
    for order in (1, -1):
        target = io.BytesIO()
        write_layer(list(list_files(source, inside=""))[::order], target)
        layers.append(target.getvalue())
        (source / "model.onnx").touch()  # another time must not show
    assert layers[0] == layers[1]
    out = tmp_path / "out"
    out.mkdir()
    _extract(layers[0], out)
    assert {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()} == {
        "bento/src/service.py",
        "model.onnx",
    }
    assert (out / "model.onnx").read_bytes() == bytes(range(256))


def test_links_are_not_packed(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc/passwd")
    with pytest.raises(ValueError, match="link"):
        list(list_files(tmp_path, inside="bento"))


def _files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", ARCHIVES)
def test_hostile_archive(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layer, "MAX_ENTRIES", LIMIT_ENTRIES)
    archive = ARCHIVES[name]
    outside, folder = tmp_path / "outside", tmp_path / "inner" / "out"
    outside.mkdir()
    folder.mkdir(parents=True)
    (outside / "secret").write_text("secret")
    with pytest.raises(BuildError) as caught:
        _extract(archive.make(str(outside)), folder, LIMIT_BYTES)
    assert caught.value.reason == archive.reason, caught.value
    assert archive.names in caught.value.message
    assert caught.value.message.isprintable()
    # Nothing is outside, nothing is a link, and no more was written than may be.
    assert _files(outside) == {"secret"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["inner", "outside"]
    assert [path.name for path in (tmp_path / "inner").iterdir()] == ["out"]
    written = list(folder.rglob("*"))
    assert not any(path.is_symlink() for path in written)
    assert all(path.is_file() or path.is_dir() for path in written)
    assert sum(path.stat().st_size for path in written if path.is_file()) <= LIMIT_BYTES


@pytest.mark.parametrize("name", HARMLESS)
def test_harmless_archive(tmp_path: Path, name: str) -> None:
    content, files = HARMLESS[name]
    _extract(content, tmp_path)
    assert _files(tmp_path) == files


@pytest.mark.parametrize(
    ("size", "limit"),
    [
        pytest.param(2 * MIB, MIB, id="over-the-limit"),
        pytest.param(80 * MIB, 1 << 40, id="bomb-by-ratio"),
    ],
)
def test_too_large(tmp_path: Path, size: int, limit: int) -> None:
    with pytest.raises(BuildError) as caught:
        _extract(pack((member("zeros"), bytes(size))), tmp_path, limit)
    assert caught.value.reason == "ArchiveTooLarge"
    assert _files(tmp_path) == {"first.txt"}


def test_layer_file_names_its_source(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("x")
    assert list(list_files(tmp_path, inside="bento")) == [
        LayerFile(inside="bento/f", source=tmp_path / "f")
    ]
