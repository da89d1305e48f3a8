"""What is left in the images is enough: all of it is imported and used in them, as their user."""

from collections.abc import Sequence

import pytest

from cluster_access import Namespace, Object
from cluster_installation import Images

_IMPORT = """
import importlib, pkgutil, sys
for name in sys.argv[1:]:
    found = importlib.import_module(name)
    for each in pkgutil.walk_packages(getattr(found, "__path__", ()), f"{name}."):
        importlib.import_module(each.name)
"""
_FIT = """
import numpy as np, onnxruntime, pandas as pd, pyarrow as pa, skops.io, subprocess, uv
import pyarrow.csv, pyarrow.dataset, pyarrow.fs, pyarrow.parquet
from catboost import CatBoostClassifier
from lightgbm import LGBMClassifier
from skl2onnx import to_onnx
from sklearn.linear_model import LogisticRegression
from sklearn.utils.discovery import all_displays, all_estimators, all_functions
from xgboost import XGBClassifier
assert len(all_estimators()) > 100 and all_functions() and all_displays()
x = np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32)
y = (x[:, 0] > 0).astype(int)
for model in (
    CatBoostClassifier(iterations=3, verbose=False, allow_writing_files=False),
    LGBMClassifier(n_estimators=3, verbose=-1), LogisticRegression(), XGBClassifier(n_estimators=3),
):
    assert model.fit(x, y).predict_proba(x).shape == (60, 2), model
linear = LogisticRegression().fit(x, y)
session = onnxruntime.InferenceSession(
    to_onnx(linear, x, options={"zipmap": False}).SerializeToString()
)
(label, shares) = session.run(None, {session.get_inputs()[0].name: x})
np.testing.assert_allclose(shares, linear.predict_proba(x), atol=1e-5)
assert skops.io.loads(skops.io.dumps(linear)).coef_.shape == (1, 3)
sink = pa.BufferOutputStream()
pa.parquet.write_table(pa.Table.from_pandas(pd.DataFrame(x, columns=list("abc"))), sink)
assert pa.parquet.read_table(pa.BufferReader(sink.getvalue())).num_rows == 60
subprocess.run([uv.find_uv_bin(), "--version"], check=True)  # it makes training environments
"""


@pytest.mark.parametrize(
    ("image", "code", "names"),
    [
        ("operator", _IMPORT, ["slipway_operator.handlers"]),
        ("runtime", _IMPORT, ["slipway_runtime.serving", "slipway_runtime.steps.pull"]),
        ("native", _IMPORT, ["slipway_runtime"]),
        ("native", _FIT, []),
    ],
    ids=["operator", "runtime", "native", "frameworks"],
)
def test_an_image_has_all_that_it_needs(
    images: Images, namespace: Namespace, image: str, code: str, names: Sequence[str]
) -> None:
    namespace.apply(
        _pod(getattr(images, image), ["python", "-P", "-W", "ignore", "-c", code, *names])
    )
    namespace.wait("it has run", lambda: _phase(namespace) in ("Succeeded", "Failed"))
    assert _phase(namespace) == "Succeeded", namespace.story()


def _phase(namespace: Namespace) -> str:
    return str(namespace.get("pod", "asks")["status"]["phase"])


def _pod(image: str, command: list[str]) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "asks"},
        "spec": {
            "restartPolicy": "Never",
            "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [
                {
                    "name": "asks",
                    "image": image,
                    "command": command,
                    "securityContext": {
                        "allowPrivilegeEscalation": False,
                        "readOnlyRootFilesystem": True,
                        "capabilities": {"drop": ["ALL"]},
                    },
                    "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108
                }
            ],
            "volumes": [{"name": "tmp", "emptyDir": {}}],
        },
    }
