"""The table of what images do without: each line of it takes something, and nothing of ours."""

import itertools
import sys
from pathlib import Path

import numpy
import pytest

from image_trimming import TRIMS, find_trim, trim

SITE = Path(numpy.__file__).parents[1]  # the locked packages, those of every image
# What a wheel has beside modules lies among them in an image, and in the prefix here.
PLACES = (SITE, Path(sys.prefix))
OURS = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("glob", [glob for each in TRIMS for glob in each.globs])
def test_a_line_names_something_that_the_locked_packages_have(glob: str) -> None:
    found = itertools.chain(*(place.glob(glob) for place in PLACES), SITE.rglob(glob))
    assert next(found, None)


@pytest.mark.parametrize("path", [path for each in TRIMS for path in each.kept])
def test_what_is_kept_would_go(path: str) -> None:
    assert any((place / path).exists() for place in PLACES)
    assert any(Path(path).match(glob) for each in TRIMS for glob in each.globs)
    assert find_trim(Path(path)) is None


@pytest.mark.parametrize("part", ["operator", "runtime"])
def test_nothing_of_ours_goes(part: str) -> None:
    source = OURS / part / "src"
    files = [path.relative_to(source) for path in source.rglob("*.py")]
    assert files
    gone = [path for file in files for path in (file, *file.parents) if find_trim(path)]
    assert gone == []


def test_a_folder_goes_with_all_it_has_and_its_neighbours_stay(tmp_path: Path) -> None:
    for name in ("a/tests/deep/x.py", "a/testing/x.py", "a/x.py", "a/x.pyx", "a/x.so"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    trim(tmp_path)
    left = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")}
    assert left == {"a", "a/testing", "a/testing/x.py", "a/x.py", "a/x.so"}
