"""What is taken out of the installed packages again: parts that nothing here ever imports.

A package that is of no use as a whole is never installed (`Recipe.leave_out`). What the images
weigh is told in docs/guides/install.md; tests/cluster/test_images.py imports and uses what is left.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Trim:
    """Files and folders, and why nobody misses them.

    Attributes:
        why: the reason.
        globs: as `PurePath.match` takes them: without a slash a name at any depth, else the end of
            a path. A folder goes with all that is in it.
        kept: paths that a glob matches and that stay.
    """

    why: str
    globs: tuple[str, ...]
    kept: tuple[str, ...] = ()


TRIMS = (
    Trim(
        why="bytecode as an installer writes it, with times: it is compiled anew",
        globs=("__pycache__",),
    ),
    Trim(
        why="programs that packages bring; uv makes training environments",
        globs=("bin/*",),
        kept=("bin/uv",),
    ),
    Trim(
        why="CatBoost's widget for notebooks",
        globs=("share/jupyter",),
    ),
    Trim(
        why="tests of packages",
        globs=("tests", "test", "_pyarrow_cpp_tests*"),
    ),
    Trim(
        why="sources and headers, for compiling against a package",
        globs=(
            "include", "pyarrow/src", "*.a", "*.c", "*.cc", "*.cpp", "*.h", "*.hpp", "*.pxd",
            "*.pxi", "*.pyx", "*.pyx.tp",
        ),
    ),
    Trim(
        why="a class for each kind and each API of Kubernetes, loaded when first named: "
        "objects stay plain JSON here, and Kopf names two classes",
        globs=(
            "kubernetes/client/api/*_api.py", "kubernetes/aio/client/api/*_api.py",
            "kubernetes/client/models/[a-z]*.py", "kubernetes/aio/client/models/[a-z]*.py",
        ),
        kept=(
            "kubernetes/client/models/v1_managed_fields_entry.py",
            "kubernetes/client/models/v1_object_meta.py",
            "kubernetes/client/models/v1_owner_reference.py",
        ),
    ),
    Trim(
        why="Arrow's clients of networks; models and samples come by `fetch`",
        globs=("pyarrow/*flight*", "pyarrow/libarrow_s3.so.*", "pyarrow/_s3fs*"),
    ),
    Trim(
        why="a library of Arrow's under two more names: a wheel has no links",
        globs=("pyarrow/libarrow_python*.so", "pyarrow/libarrow_python*.so.*.*.*"),
    ),
    Trim(
        why="onnxruntime for C programs (Python's module holds its own) and for making models",
        globs=(
            "onnxruntime/capi/libonnxruntime.so.*", "onnxruntime/quantization",
            "onnxruntime/tools", "onnxruntime/transformers",
        ),
    ),
)  # fmt: skip


def trim(site: Path) -> None:
    """Take it all out of a folder of installed packages."""
    for path in sorted(site.rglob("*")):
        if path.exists() and find_trim(path.relative_to(site)):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def find_trim(path: Path) -> Trim | None:
    """The first that takes this path (below site-packages) away; None: it stays."""
    for each in TRIMS:
        if path.as_posix() not in each.kept and any(path.match(glob) for glob in each.globs):
            return each
    return None
