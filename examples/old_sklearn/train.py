"""Which cultivar is the wine of? A pickle of scikit-learn 1.2.2, years old by its versions.

It is trained by that version for real, in an environment of its own; no newer one can open it.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from uv import find_uv_bin

HERE = Path(__file__).parent
PACKAGES = (
    "scikit-learn==1.2.2", "scipy==1.10.1", "numpy==1.26.4", "pandas==2.3.3", "joblib==1.4.2"
)  # fmt: skip
CACHE = Path(os.environ.get("SLIPWAY_CACHE") or Path.home() / ".cache" / "slipway") / "wheels"

with tempfile.TemporaryDirectory() as folder:
    environment = {**os.environ, "UV_CACHE_DIR": str(CACHE)}
    home = str(Path(folder) / "born")
    python = str(Path(home) / "bin" / "python")
    for command in (
        ["venv", "-q", "--no-project", "--python", sys.executable, home],
        ["pip", "install", "-q", "--no-build", "--python", python, *PACKAGES],
    ):
        subprocess.run([find_uv_bin(), *command], check=True, env=environment)
    subprocess.run([python, str(HERE / "born.py"), str(HERE)], check=True)
