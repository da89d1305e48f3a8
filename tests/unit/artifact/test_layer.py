"""The layer: the same files give the same bytes; hostile archives are refused, none escapes."""

import io
import tarfile
from pathlib import Path
from typing import Any

import pytest

from hostile_archives import ARCHIVES, HARMLESS, LIMIT_BYTES, LIMIT_ENTRIES, MIB, member, pack
from slipway_runtime.artifact import unpacker
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


def test_equal_files_are_held_once(tmp_path: Path) -> None:
    source = tmp_path / "source"
    model = bytes(range(256)) * 64
    for name in ("bento/src/model.onnx", "model.onnx"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes(model)
    for name in ("a", "b"):  # too small to be worth it
        (source / name).write_text("x")
    packed = io.BytesIO()
    write_layer(list(list_files(source, inside="")), packed)
    with tarfile.open(fileobj=io.BytesIO(packed.getvalue())) as archive:
        assert {m.name: m.linkname for m in archive if m.islnk()} == {
            "model.onnx": "bento/src/model.onnx"
        }
    out = tmp_path / "out"
    out.mkdir()
    _extract(packed.getvalue(), out)
    assert (out / "model.onnx").read_bytes() == model
    assert (out / "model.onnx").samefile(out / "bento/src/model.onnx")
    assert not (out / "a").samefile(out / "b")


def _link(name: str, target: str) -> tarfile.TarInfo:
    return member(name, type=tarfile.LNKTYPE, linkname=target)


def test_a_link_to_a_link_is_one_more_name(tmp_path: Path) -> None:
    _extract(pack((member("a"), b"one"), _link("b", "a"), _link("c/d", "b")), tmp_path)
    assert (tmp_path / "c/d").read_bytes() == b"one"
    assert (tmp_path / "a").stat().st_nlink == 3


@pytest.mark.parametrize(
    "attack",
    [
        pytest.param(_link("x", "none"), id="to-nothing"),
        pytest.param(_link("x", "/etc/passwd"), id="outside"),
        pytest.param(_link("x", "../../outside"), id="to-the-parent"),
        pytest.param(_link("x", "./first.txt"), id="by-dot"),
        pytest.param(_link("x", "x"), id="to-itself"),
        pytest.param(_link("x", "d"), id="to-a-folder"),
        pytest.param(_link("../x", "first.txt"), id="that-escapes"),
        pytest.param(_link("first.txt", "first.txt"), id="twice"),
        pytest.param((_link("x", "first.txt"), b"more"), id="with-bytes-of-its-own"),
    ],
)
def test_a_link_leads_to_an_earlier_file_or_is_refused(tmp_path: Path, attack: Any) -> None:
    with pytest.raises(BuildError) as caught:
        _extract(pack(member("d", type=tarfile.DIRTYPE), attack), tmp_path)
    assert caught.value.reason == "ArchiveUnsafe"
    assert _files(tmp_path) == {"first.txt"}
    assert (tmp_path / "first.txt").stat().st_nlink == 1


def test_links_count_as_entries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacker, "MAX_ENTRIES", LIMIT_ENTRIES)
    links = [_link(f"f{number}", "first.txt") for number in range(LIMIT_ENTRIES)]
    with pytest.raises(BuildError) as caught:
        _extract(pack(*links), tmp_path)
    assert caught.value.reason == "ArchiveTooLarge"


@pytest.mark.parametrize("name", ARCHIVES)
def test_hostile_archive(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacker, "MAX_ENTRIES", LIMIT_ENTRIES)
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
