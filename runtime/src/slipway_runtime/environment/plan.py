"""Which packages a model needs to be opened, told from its versions; nothing is installed here."""

import re
import sys
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path

from slipway_runtime.artifact.compressed import unpacked
from slipway_runtime.artifact.flavor import Flavor
from slipway_runtime.artifact.training_versions import installed_version
from slipway_runtime.boosters.known import FRAMEWORKS
from slipway_runtime.errors import BuildError

_CODE = ("joblib", "pickle", "skops")  # what holds Python objects; a booster's own file does not
_TRAINERS = ("scikit-learn", *FRAMEWORKS)
# What Slipway's own code imports in there, in the very versions that it is tested with.
_SAME = (
    "flatbuffers", "msgspec", "onnx", "onnxruntime", "orjson", "protobuf", "pyyaml", "skl2onnx",
)  # fmt: skip
_FITTING = ("joblib", "pandas", "pyarrow", "scikit-learn", "skops")
# Up to which scikit-learn, what was not out yet or breaks it: scipy and numpy remove functions, and
# wheels built for numpy 1 do not load with 2 (the release notes); pyarrow 22 wants numpy 2.
_ERAS: tuple[tuple[tuple[int, int], tuple[str, ...]], ...] = (
    ((1, 2), ("scipy<1.11", "numpy<2", "pandas<3", "pyarrow<22")),
    ((1, 3), ("scipy<1.12", "numpy<2", "pandas<3", "pyarrow<22")),
    ((1, 4), ("scipy<1.13", "numpy<2", "pandas<3", "pyarrow<22")),
    ((1, 5), ("scipy<1.15", "numpy<2.3", "pandas<3")),
    ((1, 6), ("scipy<1.16", "numpy<2.4", "pandas<3")),
    ((1, 7), ("scipy<1.17", "numpy<2.5", "pandas<3")),
)
# XGBoost before 2.1.4 does not know the tags of scikit-learn 1.6 (its release notes).
_OLD_XGBOOST = ((2, 1, 4), "scikit-learn<1.6")
_MODULE = re.compile(rb"\b(" + "|".join(FRAMEWORKS).encode() + rb")\.(?:sklearn|core|basic)\b")
_PIN = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)==(\S+)")


def plan_environment(
    path: Path, flavor: Flavor, *, trained: Mapping[str, str], packages: Sequence[str]
) -> tuple[str, ...] | None:
    """The requirements of the environment that the model needs; None: the runtime's own will do.

    Args:
        trained: versions that saved it, by package (`find_training_versions`, MLflow).
        packages: `spec.model.packages`, each `name==version`; they go before what was found.

    Raises:
        BuildError: `TrainingEnvironmentUnavailable`: it was saved by another Python.

    Example: a joblib file of scikit-learn 1.2.2 with 1.9.1 installed →
    `("flatbuffers==…", …, "numpy<2", …, "scikit-learn==1.2.2", "scipy<1.11")`.
    """
    pinned = {normal(name): version for name, version in map(split_pin, packages)}
    if pinned and flavor.loader == "onnx":
        raise BuildError(
            "TrainingEnvironmentUnavailable",
            "Cannot use spec.model.packages: an ONNX model is opened without packages; take them "
            "out.",
        )
    other = other_minor(trained) if flavor.loader in _CODE else {}
    if not pinned and not other:
        return None
    _check_python(trained)
    pins = {name: version for name, version in trained.items() if name in _TRAINERS}
    for name in _find_frameworks(path, flavor):
        version = installed_version(name)
        if version is not None:
            pins.setdefault(name, version)
    pins = {_distribution(name): version for name, version in pins.items()}
    pins |= {_distribution(name): version for name, version in pinned.items()}
    pins = {name: pins[name] for name in sorted(pins)}
    wanted = [f"{name}=={version}" for name, version in pins.items()]
    wanted += [f"{name}=={metadata.version(name)}" for name in _SAME if name not in pins]
    wanted += [name for name in _FITTING if name not in pins]
    wanted += [limit for limit in _limits(pins) if re.split(r"[<>=]", limit)[0] not in pins]
    return tuple(sorted(set(wanted)))


def other_minor(trained: Mapping[str, str]) -> dict[str, str]:
    """The frameworks that saved the model in another minor version than is installed."""
    found = {}
    for name in _TRAINERS:
        then, now = trained.get(name), installed_version(name)
        if then is not None and now is not None and _numbers(then)[:2] != _numbers(now)[:2]:
            found[name] = then
    return found


def split_pin(text: str) -> tuple[str, str]:
    """`name==version` as name and version.

    Raises:
        BuildError: it is something else; the control side has refused that before.
    """
    found = _PIN.fullmatch(text)
    if found is None:
        raise BuildError(
            "TrainingEnvironmentUnavailable",
            f'Cannot make the training environment: spec.model.packages "{text}" is no exact '
            "version; write it as name==version.",
        )
    return found[1], found[2]


def normal(name: str) -> str:
    """A package's name as indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _distribution(name: str) -> str:
    return "xgboost-cpu" if name == "xgboost" else name  # the same code without a CUDA library


def _limits(pins: Mapping[str, str]) -> tuple[str, ...]:
    limits: list[str] = []
    xgboost = pins.get("xgboost-cpu")
    if xgboost is not None and _numbers(xgboost) < _OLD_XGBOOST[0]:
        limits.append(_OLD_XGBOOST[1])
    if "scikit-learn" in pins:
        trained = _numbers(pins["scikit-learn"])[:2]
        era = next((limits for until, limits in _ERAS if trained <= until), ())
        limits += era
    return tuple(limits)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


def _check_python(trained: Mapping[str, str]) -> None:
    then = trained.get("python")
    now = f"{sys.version_info.major}.{sys.version_info.minor}"
    if then is not None and _numbers(then)[:2] != sys.version_info[:2]:
        raise BuildError(
            "TrainingEnvironmentUnavailable",
            f"Cannot make the training environment: the model was saved by Python {then} and "
            f"this runtime is Python {now}; save it by Python {now}, or as ONNX or in the "
            "booster's own format, which need no environment.",
        )


def _find_frameworks(path: Path, flavor: Flavor) -> tuple[str, ...]:
    """The booster frameworks that a file names anywhere in its bytes."""
    if flavor.loader in FRAMEWORKS:
        return (flavor.loader,)
    found: set[str] = set()
    tail = b""
    for chunk in unpacked(path, flavor.compression):
        found |= {name.decode() for name in _MODULE.findall(tail + chunk)}
        tail = chunk[-16:]
    return tuple(sorted(found))
