"""Which versions of its frameworks saved a model, found in its bytes; nothing is opened.

A pickle of scikit-learn says it in every estimator, XGBoost and CatBoost in every model, LightGBM
nowhere. What an MLflow directory states beside the model is read by `artifact.mlflow_model`.
"""

import re
import zipfile
from importlib import metadata
from pathlib import Path

from slipway_runtime.artifact.compressed import unpacked
from slipway_runtime.artifact.flavor import Flavor

_OVERLAP = 512
_DISTRIBUTIONS = {"xgboost": ("xgboost-cpu", "xgboost")}
_SKLEARN = re.compile(
    rb"_sklearn_version(?:\x94|[qr].{1,4}?)?(?:\x8c.|X.\x00\x00\x00)(\d+\.\d+[\w.+]*?)(?=[\x94qrusbh])",
    re.DOTALL,
)
_SKOPS = re.compile(rb'"_sklearn_version".{0,300}?(\d+\.\d+(?:\.\d+)?[\w.+]*)', re.DOTALL)
_XGBOOST_UBJSON = re.compile(rb"\x07version\[#L\x00{7}\x03i(.)i(.)i(.)", re.DOTALL)
_XGBOOST_JSON = re.compile(rb'"version"\s*:\s*\[\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*\]')
_CATBOOST = re.compile(rb"Branch: tags/v(\d+\.\d+(?:\.\d+)*)|CatBoost release (\d+\.\d+(?:\.\d+)*)")


def find_training_versions(path: Path, flavor: Flavor) -> dict[str, str]:
    """Versions by package, as far as the file tells them.

    Example: a joblib file of a pipeline with an XGBClassifier →
    `{"scikit-learn": "1.6.1", "xgboost": "3.2.0"}`.
    """
    if flavor.loader == "onnx":
        return {}
    if flavor.loader == "skops":
        with zipfile.ZipFile(path) as archive:
            found = _SKOPS.search(archive.read("schema.json"))
        return {"scikit-learn": found[1].decode()} if found else {}
    versions: dict[str, str] = {}
    tail = b""
    for chunk in unpacked(path, flavor.compression):
        content = tail + chunk
        _search(content, versions)
        if flavor.loader == "xgboost" and (told := _XGBOOST_JSON.findall(content)):
            versions["xgboost"] = b".".join(told[-1]).decode()  # the model's own is the last
        tail = chunk[-_OVERLAP:]
    return dict(sorted(versions.items()))


def _search(content: bytes, versions: dict[str, str]) -> None:
    if "scikit-learn" not in versions and (found := _SKLEARN.search(content)):
        versions["scikit-learn"] = found[1].decode()
    if "xgboost" not in versions and (found := _XGBOOST_UBJSON.search(content)):
        versions["xgboost"] = ".".join(str(part[0]) for part in found.groups())
    if "catboost" not in versions and (found := _CATBOOST.search(content)):
        versions["catboost"] = (found[1] or found[2]).decode()


def installed_version(package: str) -> str | None:
    """The installed version of a framework; None: it is not installed."""
    for distribution in _DISTRIBUTIONS.get(package, (package,)):
        try:
            return metadata.version(distribution)
        except metadata.PackageNotFoundError:
            continue
    return None
