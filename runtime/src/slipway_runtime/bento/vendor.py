"""Copies the modules that a Bento needs into its `src`, under a name of their own.

What is needed is found by following imports, so that the copy is always whole.
"""

import ast
import importlib.util
from pathlib import Path

_OWN = "slipway_runtime"
VENDORED = "slipway_model"


def vendor_modules(entry: str, into: Path) -> tuple[str, ...]:
    """Copy module `entry` and all own modules that it imports to `into/slipway_model`.

    Returns:
        The names of the copied modules, sorted, as they are called here.
    """
    waiting, found = [entry], dict[str, Path]()
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found[name] = _source_of(name)
        waiting += _own_imports(name, found[name])
        waiting += _parents(name)
    for name, source in found.items():
        inside = Path(*name.split("."))
        target = into / (
            inside / "__init__.py" if source.name == "__init__.py" else inside.with_suffix(".py")
        )
        target = into / VENDORED / target.relative_to(into / _OWN)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(source.read_text("utf-8").replace(_OWN, VENDORED), "utf-8")
    return tuple(sorted(found))


def _parents(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:length]) for length in range(1, len(parts))]


def _source_of(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f'Cannot copy module "{name}": it has no source file.')
    return Path(spec.origin)


def _own_imports(name: str, source: Path) -> list[str]:
    """Own modules that `source` imports, anywhere in it."""
    is_package = source.name == "__init__.py"
    package = name if is_package else name.rpartition(".")[0]
    names: list[str] = []
    for node in ast.walk(ast.parse(source.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                up = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*up, *([base] if base else [])])
            names += [base, *(f"{base}.{alias.name}" for alias in node.names)]
    return [each for each in names if each.split(".")[0] == _OWN and _is_module(each)]


def _is_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False
