"""Native artifacts: scikit-learn models served as they are, some of which misbehave on purpose."""

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression

import serving_models

ATTACKS = (
    "import socket; socket.create_connection(('127.0.0.1', 1))",
    "open('/etc/passwd').read()",
    "import os; os.fork()",
    "import os; os.kill(os.getppid(), 9)",
    "import os; os.chmod(os.__file__, 0o777)",
    "import os; open('/tmp/trace', 'w')",
)


class Moody(LogisticRegression):
    """Answers like its parent, but `a > 100` kills the process, `a > 50` hangs, `a > 20` raises.

    Below -100 it attacks: one of `ATTACKS`, by `a`.
    """

    def predict(self, rows: Any) -> Any:
        """Predict, or not."""
        highest = float(np.max(np.asarray(rows)[:, 0]))
        if highest <= -101:
            exec(ATTACKS[int(-101 - highest)])  # noqa: S102  what a hostile model would do
        if highest > 100:
            import os

            os._exit(13)
        if highest > 50:
            import time

            time.sleep(3600)
        if highest > 20:
            raise ValueError("/secret/path is too high")
        return super().predict(rows)


def native(folder: Path, *, loader: str = "pickle") -> Path:
    """A native artifact with two numeric columns; the class comes from this very module."""
    random = np.random.default_rng(3)
    rows = random.normal(size=(80, 2))
    labels = np.where(rows[:, 0] + rows[:, 1] > 0, "high", "low")
    model = Moody().fit(rows, labels)
    some = rows[:12]
    document = serving_models.manifest(
        runtime="Native",
        opset=None,
        fallback={"reason": "ConversionUnsupported", "message": "Moody has no converter."},
        files={"model": "native/model.bin", "loader": loader},
        signature={
            "inputs": [{"name": "X", "datatype": "FP64", "shape": [-1, 2], "columns": ["a", "b"]}],
            "outputs": [
                {"name": "label", "datatype": "BYTES", "shape": [-1], "role": "Label"},
                {
                    "name": "probabilities",
                    "datatype": "FP64",
                    "shape": [-1, 2],
                    "role": "Probabilities",
                    "classes": ["high", "low"],
                },
            ],
        },
        contract={"columns": [serving_models.column("a"), serving_models.column("b")]},
        parity={"verdict": "NotNeeded"},
        golden={
            "source": "Samples",
            "rows": [{"a": float(a), "b": float(b)} for a, b in some],
            "outputs": {
                "label": model.predict(some).tolist(),
                "probabilities": model.predict_proba(some).tolist(),
            },
        },
    )
    (folder / "native").mkdir(parents=True)
    (folder / "manifest.json").write_text(json.dumps(document))
    (folder / "native" / "model.bin").write_bytes(pickle.dumps(model))
    return folder
