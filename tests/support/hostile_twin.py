"""A second environment beside the tests' own, in which `slipway-runtime` scans nothing.

Same interpreter, same packages (linked); an engine that is started from it starts that runtime.
Nothing in the product knows of it.
"""

import json
import sys
from pathlib import Path
from typing import Any

_SUPPORT = Path(__file__).parent
_SLIPWAY = """#!{python}
import sys
from slipway_operator.cli.main import main
sys.exit(main())
"""
_RUNTIME = """#!{python}
import os, sys
sys.path.insert(0, {support!r})
os.environ[{name!r}] = {limits!r}
from hostile_unscanned import main
sys.exit(main())
"""


def make_twin(folder: Path, *, limits: dict[str, Any]) -> Path:
    """Make the environment; returns its `slipway`.

    Args:
        limits: what every build gets less of (docs/wire.md names them).
    """
    from hostile_unscanned import LIMITS

    own = Path(sys.prefix)
    binaries = folder / "bin"
    binaries.mkdir(parents=True)
    (folder / "pyvenv.cfg").write_text((own / "pyvenv.cfg").read_text())
    (folder / "lib").symlink_to(own / "lib")
    for tool in (own / "bin").iterdir():
        if tool.name.startswith("python"):
            (binaries / tool.name).symlink_to(Path(tool).resolve())
        elif tool.name == "envoy":
            (binaries / tool.name).symlink_to(tool)
    python = binaries / "python"
    _write(binaries / "slipway", _SLIPWAY.format(python=python))
    _write(
        binaries / "slipway-runtime",
        _RUNTIME.format(
            python=python, support=str(_SUPPORT), name=LIMITS, limits=json.dumps(limits)
        ),
    )
    return binaries / "slipway"


def _write(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)
