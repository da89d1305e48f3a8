"""Zips that attack: nothing outside, nothing followed, no more than the limit, nothing left."""

from pathlib import Path

import pytest

from hostile_zips import LIMIT_BYTES, ODD, ZIPS, pack
from slipway_runtime.artifact.model_folder import unpack_archive
from slipway_runtime.errors import BuildError


def list_all(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


@pytest.mark.parametrize("name", ZIPS)
def test_a_hostile_zip_is_refused_and_leaves_nothing(tmp_path: Path, name: str) -> None:
    inside = tmp_path / "work" / "fetched"
    inside.mkdir(parents=True)
    archive = inside / "model.zip"
    archive.write_bytes(ZIPS[name].make())
    with pytest.raises(BuildError) as refused:
        unpack_archive(archive, what='spec.model.uri "file:/model.zip"', limit_bytes=LIMIT_BYTES)
    assert refused.value.reason == ZIPS[name].reason, refused.value.message
    assert refused.value.message.isprintable()
    assert list_all(tmp_path) == {"work", "work/fetched"}


def test_a_good_zip_becomes_its_folder(tmp_path: Path) -> None:
    archive = tmp_path / "model.zip"
    archive.write_bytes(pack(("model.pkl", b"x"), ("data/rows.json", b"{}")))
    found = unpack_archive(archive, what="the model", limit_bytes=LIMIT_BYTES)
    assert found is not None
    assert list_all(found) == {"MLmodel", "model.pkl", "data", "data/rows.json"}
    assert not archive.exists()


@pytest.mark.parametrize(("name", "place"), ODD.values(), ids=ODD)
def test_an_odd_name_stays_inside(tmp_path: Path, name: str, place: str) -> None:
    archive = tmp_path / "inside" / "model.zip"
    archive.parent.mkdir()
    archive.write_bytes(pack((name, b"x")))
    found = unpack_archive(archive, what="the model", limit_bytes=LIMIT_BYTES)
    assert found is not None
    assert (found / place).read_bytes() == b"x"
    assert [path.name for path in tmp_path.iterdir()] == ["inside"]
