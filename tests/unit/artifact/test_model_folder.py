"""A model that is a folder: what is taken, what is refused, and its digest by known commands."""

import io
import stat
import subprocess
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from slipway_runtime.artifact.model_folder import copy_folder, digest_folder, unpack_archive
from slipway_runtime.errors import BuildError

LIMIT = 8 << 20
Members = list[tuple[str, bytes]]
GOOD: Members = [("model/MLmodel", b"flavors: {}\n"), ("model/data/model.ubj", b"\x00\x01")]


def make_zip(path: Path, members: Members, **fields: int) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            for field, value in fields.items():
                setattr(info, field, value)
            archive.writestr(info, content)
    return path


def make_tar(path: Path, members: Members, **fields: object) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            for field, value in fields.items():
                setattr(info, field, value)
            archive.addfile(info, io.BytesIO(content))
    return path


MAKERS: dict[str, Callable[[Path, Members], Path]] = {"zip": make_zip, "tar": make_tar}


def unpack(archive: Path, limit_bytes: int = LIMIT) -> Path | None:
    return unpack_archive(archive, what="the model", limit_bytes=limit_bytes)


@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize("prefix", ["", "model/", "a/b/"])
def test_an_archive_becomes_its_folder(kind: str, prefix: str, tmp_path: Path) -> None:
    members = [(prefix + name.removeprefix("model/"), content) for name, content in GOOD]
    archive = MAKERS[kind](tmp_path / "whatever.bin", members)
    folder = unpack(archive)
    assert folder is not None
    assert (folder / "MLmodel").read_bytes() == b"flavors: {}\n"
    assert (folder / "data/model.ubj").read_bytes() == b"\x00\x01"
    assert not archive.exists()


@pytest.mark.parametrize("kind", MAKERS)
def test_an_archive_of_something_else_is_left(kind: str, tmp_path: Path) -> None:
    archive = MAKERS[kind](tmp_path / "a", [("notes.txt", b"hello")])
    before = archive.read_bytes()
    assert unpack(archive) is None
    assert archive.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("content", [b"", b"\x80\x04model", b"\x1f\x8bnot gzip", b"PK\x03\x04cut"])
def test_a_plain_file_is_left(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(content)
    assert unpack(tmp_path / "a") is None


@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize(
    "members",
    [
        pytest.param([*GOOD, ("../out", b"x")], id="parent"),
        pytest.param([*GOOD, ("model/../../out", b"x")], id="parent-inside"),
        pytest.param([*GOOD, ("/slipway-out", b"x")], id="absolute"),
        pytest.param([*GOOD, ("model\\..\\out", b"x")], id="backslash"),
        pytest.param([*GOOD, ("model/a\x01b", b"x")], id="control-character"),
        pytest.param([*GOOD, ("model/mlMODEL", b"x")], id="same-name-other-case"),
        pytest.param([*GOOD, ("model/MLmodel/x", b"x")], id="file-as-folder"),
        pytest.param([*GOOD, ("/".join("a" * 40), b"x")], id="too-deep"),
    ],
)
def test_a_member_that_leads_astray_is_refused(kind: str, members: Members, tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    archive = MAKERS[kind](inside / "a", members)
    with pytest.raises(BuildError) as caught:
        unpack(archive)
    assert caught.value.reason == "ArchiveUnsafe"
    assert list(inside.iterdir()) == []
    assert [path.name for path in tmp_path.iterdir()] == ["inside"]


@pytest.mark.parametrize(
    "fields",
    [
        {"type": tarfile.SYMTYPE, "linkname": "/etc/passwd"},
        {"type": tarfile.LNKTYPE, "linkname": "model/MLmodel"},
        {"type": tarfile.FIFOTYPE},
        {"type": tarfile.CHRTYPE},
        {"type": tarfile.BLKTYPE},
        {"mode": 0o4755},
    ],
)
def test_links_and_devices_in_a_tar_are_refused(fields: dict[str, object], tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"link or a special file|set-user") as caught:
        unpack(make_tar(tmp_path / "a", GOOD, **fields))
    assert caught.value.reason == "ArchiveUnsafe"


def test_links_and_secrets_in_a_zip_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="is a link or a special file"):
        unpack(make_zip(tmp_path / "a", GOOD, external_attr=(stat.S_IFLNK | 0o777) << 16))
    archive = make_zip(tmp_path / "b", GOOD)
    content = bytearray(archive.read_bytes())
    content[content.rfind(b"PK\x01\x02") + 8] |= 1
    archive.write_bytes(content)
    with pytest.raises(BuildError, match="is encrypted"):
        unpack(archive)


@pytest.mark.parametrize("kind", MAKERS)
def test_a_bomb_is_refused(kind: str, tmp_path: Path) -> None:
    members = [*GOOD, ("model/big", b"\x00" * (LIMIT + 1))]
    with pytest.raises(BuildError, match=f"more than {LIMIT} bytes") as caught:
        unpack(MAKERS[kind](tmp_path / "a", members))
    assert caught.value.reason == "ArchiveTooLarge"
    many = [*GOOD, *((f"model/{number}", b"") for number in range(10_001))]
    with pytest.raises(BuildError, match="more than 10000 entries"):
        unpack(MAKERS[kind](tmp_path / "b", many))
    assert list(tmp_path.iterdir()) == []


def test_a_zip_that_lies_about_its_sizes_is_counted(tmp_path: Path) -> None:
    archive = make_zip(tmp_path / "a", [*GOOD, ("model/big", b"\x00" * (LIMIT + 1))])
    content = archive.read_bytes().replace((LIMIT + 1).to_bytes(4, "little"), b"\x01\x00\x00\x00")
    archive.write_bytes(content)
    with pytest.raises(BuildError) as caught:
        unpack(archive)
    assert caught.value.reason in ("ArchiveTooLarge", "ArchiveUnsafe")


def test_a_cut_archive_is_refused(tmp_path: Path) -> None:
    archive = make_tar(tmp_path / "a", [*GOOD, ("model/more", bytes(range(256)) * 400)])
    archive.write_bytes(archive.read_bytes()[:-40])
    with pytest.raises(BuildError, match="cannot be read"):
        unpack(archive)


def _source(folder: Path) -> Path:
    (folder / "data").mkdir(parents=True)
    (folder / "MLmodel").write_bytes(b"flavors: {}\n")
    (folder / "data/Model.ubj").write_bytes(b"\x00\x01")
    (folder / "a.txt").write_bytes(b"")
    return folder


def test_a_folder_is_copied_and_its_digest_is_that_of_sha256sum(tmp_path: Path) -> None:
    source, target = _source(tmp_path / "source"), tmp_path / "target"
    target.mkdir()
    assert copy_folder(source, target, what="it", limit_bytes=LIMIT) == 14
    command = "find * -type f | LC_ALL=C sort | xargs sha256sum | sha256sum"
    told = subprocess.run(
        ["bash", "-c", command], cwd=source, capture_output=True, text=True, check=True
    ).stdout.split()[0]
    assert digest_folder(target) == digest_folder(source) == f"sha256:{told}"


def test_a_folder_with_a_link_or_without_mlmodel_is_refused(tmp_path: Path) -> None:
    source = _source(tmp_path / "source")
    (source / "link").symlink_to("/etc/passwd")
    (tmp_path / "target").mkdir()
    with pytest.raises(BuildError, match="link or a special file") as caught:
        copy_folder(source, tmp_path / "target", what="it", limit_bytes=LIMIT)
    assert caught.value.reason == "ArchiveUnsafe"
    with pytest.raises(BuildError, match="a folder without a file MLmodel"):
        copy_folder(tmp_path, tmp_path / "target", what="it", limit_bytes=LIMIT)


def test_a_folder_beyond_the_limit_is_refused(tmp_path: Path) -> None:
    source = _source(tmp_path / "source")
    (tmp_path / "target").mkdir()
    with pytest.raises(BuildError) as caught:
        copy_folder(source, tmp_path / "target", what="it", limit_bytes=13)
    assert caught.value.reason == "ArchiveTooLarge"
