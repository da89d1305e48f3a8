"""Which importable names a model's pickle may hold, told from text alone: nothing is imported.

Three kinds: the standard library (listed names only), the libraries that models are made of (what
they define themselves, in the packages where models live), and everything else, a person's own
classes, which stay what they are as long as they do not reach through to another module.
"""

import re
import sys
from functools import cache
from importlib import metadata
from importlib.machinery import EXTENSION_SUFFIXES, PathFinder
from pathlib import Path
from typing import Final

from slipway_runtime.scan.lists import (
    LIBRARIES,
    NUMPY_FUNCTIONS,
    NUMPY_MODULES,
    PLAIN,
    RUNNERS,
    Library,
)

_CLASS: Final = re.compile(r"_{0,2}[A-Z]\w*")
_COMPILED: Final = re.compile(r"_{0,2}[A-Z]\w*|newObj|__pyx_unpickle_\w+|_?unpickle_\w+")
_DEFINED: Final = r"^[ \t]*(?:(?:async[ \t]+)?def|class)[ \t]+{name}\b|^{name}[ \t]*[:=]"
_OWN_DUNDER: Final = re.compile(
    r"__pyx_unpickle_\w+|__(?:randomstate|generator|bit_generator)_ctor"
)
# Of other Python versions: removed since, or newer than this one.
_OTHER_STANDARD: Final = frozenset({
    "__builtin__", "_pyrepl", "asynchat", "asyncore", "cgi", "commands", "copy_reg", "crypt",
    "distutils", "idlelib", "imp", "lib2to3", "mailcap", "nntplib", "nt", "pipes", "smtpd",
    "telnetlib", "test", "uu",
})  # fmt: skip
_STANDARD: Final = frozenset(sys.stdlib_module_names) | _OTHER_STANDARD
_MAX_SOURCE_BYTES: Final = 4 << 20
_OURS: Final = "slipway-runtime"
_REQUIREMENT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def judge(module: str, name: str) -> str | None:
    """Tell why a pickle must not hold `module.name`; None when it may."""
    if (module, name) in PLAIN:
        return None
    top = module.partition(".")[0]
    if top in _STANDARD:
        return None if _is_exception(module, name) else "is no part of a model"
    if top == "numpy" or module in NUMPY_MODULES:
        return None if _is_numpy(module, name) else "is no part of a model"
    reach = _reaches_through(name)
    if reach is not None:
        return reach
    library = LIBRARIES.get(top)
    if library is not None:
        return None if _belongs(library, module, name) else "is no part of a model"
    if top in RUNNERS or top in _own_packages():
        return "is no part of a model"
    return None


def _is_exception(module: str, name: str) -> bool:
    """Exceptions and warnings are plain values, and estimators keep some."""
    return module == "builtins" and re.fullmatch(r"[A-Z]\w+(Error|Warning)", name) is not None


def _is_numpy(module: str, name: str) -> bool:
    if module not in NUMPY_MODULES:
        return module == "numpy.dtypes" and _CLASS.fullmatch(name) is not None
    return name in NUMPY_FUNCTIONS


def _reaches_through(name: str) -> str | None:
    """A name with dots, or one that is another module, takes more than a class of one's own."""
    first, *others = name.split(".")
    if first in _STANDARD:
        return "reaches into another module"
    if others and (not _CLASS.fullmatch(first) or any(one.startswith("__") for one in others)):
        return "reaches into another module"
    if first.startswith("__") and not _OWN_DUNDER.fullmatch(first):
        return "reaches into the interpreter"
    return None


def _belongs(library: Library, module: str, name: str) -> bool:
    """Whether a library's own model code defines the name."""
    inside = module.partition(".")[2]
    first = inside.partition(".")[0]
    if library.only is not None and first not in library.only:
        return False
    if any(inside == one or inside.startswith(f"{one}.") for one in library.never):
        return False
    if "." in name:
        return False
    if not _CLASS.fullmatch(name) and not library.functions.fullmatch(name):
        return False
    return _is_defined(module, name)


@cache
def _is_defined(module: str, name: str) -> bool:
    """Whether the module's own source defines the name, rather than bringing it from elsewhere.

    What is not installed counts as defined: it cannot be imported either.
    """
    path = _find_source(module)
    if path is None:
        return True
    if path.suffix != ".py":
        return _COMPILED.fullmatch(name) is not None
    with path.open("rb") as stream:
        text = stream.read(_MAX_SOURCE_BYTES).decode(errors="replace")
    return re.search(_DEFINED.format(name=re.escape(name)), text, re.MULTILINE) is not None


@cache
def _find_source(module: str) -> Path | None:
    """The file of a module, found without importing it or the packages around it."""
    top, *inner = module.split(".")
    spec = PathFinder.find_spec(top)
    if spec is None:
        return None
    if not spec.submodule_search_locations:
        return Path(spec.origin) if spec.origin and not inner else None
    if not all(part.isidentifier() for part in inner):
        return None
    base = Path(next(iter(spec.submodule_search_locations))).joinpath(*inner)
    candidates = [base / "__init__.py"]
    if inner:
        endings = (".py", *EXTENSION_SUFFIXES)
        candidates += [base.with_name(base.name + ending) for ending in endings]
    return next((path for path in candidates if path.is_file()), None)


@cache
def _own_packages() -> frozenset[str]:
    """Top-level names of slipway-runtime and everything that it needs: tools, not models."""
    wanted, waiting = {_OURS}, [_OURS]
    while waiting:
        try:
            needed = metadata.requires(waiting.pop()) or []
        except metadata.PackageNotFoundError:
            continue
        for line in needed:
            found = _REQUIREMENT.match(line)
            if found and _normal(found[0]) not in wanted:
                wanted.add(_normal(found[0]))
                waiting.append(found[0])
    return frozenset(
        top
        for top, names in metadata.packages_distributions().items()
        if wanted.intersection(map(_normal, names))
    )


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
