"""The layer: the same files give the same bytes; hostile archives are refused, none escapes."""

import io
import tarfile
from pathlib import Path

import pytest

from slipway_runtime.artifact.layer import (
    LayerFile,
    extract_layer,
    list_files,
    write_layer,
)
from slipway_runtime.errors import BuildError

MIB = 1 << 20


def _member(name: str, **fields: object) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    for field, value in fields.items():
        setattr(member, field, value)
    return member


def _archive(members: list[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w:gz") as archive:
        for member, content in members:
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return target.getvalue()


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


@pytest.mark.parametrize(
    "member",
    [
        pytest.param(_member("../escaped"), id="parent"),
        pytest.param(_member("a/../../escaped"), id="parent-inside"),
        pytest.param(_member("/escaped"), id="absolute"),
        pytest.param(_member("a\\..\\escaped"), id="backslash"),
        pytest.param(_member("a//b"), id="empty-part"),
        pytest.param(_member("link", type=tarfile.SYMTYPE, linkname="/etc"), id="symlink"),
        pytest.param(_member("x", type=tarfile.LNKTYPE, linkname="none"), id="link-to-nothing"),
        pytest.param(_member("x", type=tarfile.LNKTYPE, linkname="/etc/passwd"), id="link-outside"),
        pytest.param(
            _member("x", type=tarfile.LNKTYPE, linkname="../../outside"), id="link-to-the-parent"
        ),
        pytest.param(_member("x", type=tarfile.LNKTYPE, linkname="./model.onnx"), id="link-by-dot"),
        pytest.param(_member("x", type=tarfile.LNKTYPE, linkname="x"), id="link-to-itself"),
        pytest.param(_member("x", type=tarfile.LNKTYPE, linkname="d"), id="link-to-a-folder"),
        pytest.param(
            _member("../x", type=tarfile.LNKTYPE, linkname="model.onnx"), id="link-that-escapes"
        ),
        pytest.param(
            _member("model.onnx", type=tarfile.LNKTYPE, linkname="model.onnx"), id="link-twice"
        ),
        pytest.param(_member("pipe", type=tarfile.FIFOTYPE), id="fifo"),
        pytest.param(_member("device", type=tarfile.CHRTYPE), id="device"),
        pytest.param(_member("block", type=tarfile.BLKTYPE), id="block-device"),
        pytest.param(_member("setuid", mode=0o4755), id="setuid"),
        pytest.param(_member("setgid", mode=0o2755), id="setgid"),
        pytest.param(_member("/".join(["d"] * 40)), id="deep"),
        pytest.param(_member("n" * 300), id="long-name"),
        pytest.param(_member("MODEL.onnx"), id="collides-by-case"),
        pytest.param(_member("model.onnx"), id="twice"),
    ],
)
def test_unsafe_member(tmp_path: Path, member: tarfile.TarInfo) -> None:
    folder = tmp_path / "inner" / "out"
    folder.mkdir(parents=True)
    (tmp_path / "outside").write_text("mine")
    before = [(_member("model.onnx"), b"good"), (_member("d", type=tarfile.DIRTYPE), b"")]
    content = _archive([*before, (member, b"")])
    with pytest.raises(BuildError) as caught:
        _extract(content, folder)
    assert caught.value.reason == "ArchiveUnsafe"
    found = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert found == {"model.onnx", "outside"}
    assert (tmp_path / "outside").stat().st_nlink == 1


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


def test_a_link_to_a_link_is_one_more_name(tmp_path: Path) -> None:
    link = {"type": tarfile.LNKTYPE}
    content = _archive(
        [
            (_member("a"), b"one"),
            (_member("b", linkname="a", **link), b""),
            (_member("c/d", linkname="b", **link), b""),
        ]
    )
    _extract(content, tmp_path)
    assert (tmp_path / "c/d").read_bytes() == b"one"
    assert (tmp_path / "a").stat().st_nlink == 3


def test_a_link_has_no_bytes_of_its_own(tmp_path: Path) -> None:
    member = _member("b", type=tarfile.LNKTYPE, linkname="a")
    with pytest.raises(BuildError) as caught:
        _extract(_archive([(_member("a"), b"one"), (member, b"two")]), tmp_path)
    assert caught.value.reason == "ArchiveUnsafe"


def test_links_count_as_entries(tmp_path: Path) -> None:
    links = [
        (_member(f"f{number}", type=tarfile.LNKTYPE, linkname="a"), b"") for number in range(10_000)
    ]
    with pytest.raises(BuildError) as caught:
        _extract(_archive([(_member("a"), b"one"), *links]), tmp_path)
    assert caught.value.reason == "ArchiveTooLarge"


def test_symlink_then_write_through_it(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (tmp_path / "out").mkdir()
    content = _archive(
        [
            (_member("d", type=tarfile.SYMTYPE, linkname=str(outside)), b""),
            (_member("d/file"), b"escaped"),
        ]
    )
    with pytest.raises(BuildError):
        _extract(content, tmp_path / "out")
    assert list(outside.iterdir()) == []


def test_too_many_entries(tmp_path: Path) -> None:
    content = _archive([(_member(f"f{number}"), b"") for number in range(10_001)])
    with pytest.raises(BuildError) as caught:
        _extract(content, tmp_path)
    assert caught.value.reason == "ArchiveTooLarge"


@pytest.mark.parametrize(
    ("size", "limit"),
    [
        pytest.param(2 * MIB, MIB, id="over-the-limit"),
        pytest.param(80 * MIB, 1 << 40, id="bomb-by-ratio"),
    ],
)
def test_too_large(tmp_path: Path, size: int, limit: int) -> None:
    content = _archive([(_member("zeros"), bytes(size))])
    with pytest.raises(BuildError) as caught:
        _extract(content, tmp_path, limit)
    assert caught.value.reason == "ArchiveTooLarge"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"not an archive at all", id="text"),
        pytest.param(_archive([(_member("f"), b"x" * 5000)])[:60], id="truncated"),
        pytest.param(b"\x1f\x8b" + bytes(50), id="damaged-gzip"),
    ],
)
def test_damaged(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(BuildError) as caught:
        _extract(content, tmp_path)
    assert caught.value.reason == "ArchiveUnsafe"


def test_layer_file_names_its_source(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("x")
    assert list(list_files(tmp_path, inside="bento")) == [
        LayerFile(inside="bento/f", source=tmp_path / "f")
    ]
