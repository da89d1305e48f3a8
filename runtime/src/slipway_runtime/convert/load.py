"""Opens a model file of scikit-learn or a booster, or tells in one sentence why it cannot.

Runs only inside the sandbox of the build (or of the model worker): unpickling runs the file's
code. The file's kind is known before (`artifact.flavor`).
"""

import errno
import pickle
import re
import sys
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from slipway_runtime.artifact.flavor import Flavor
from slipway_runtime.artifact.training_versions import find_training_versions, installed_version
from slipway_runtime.boosters.known import FRAMEWORKS, framework_of
from slipway_runtime.boosters.open import PACKAGES, give_estimator, open_native
from slipway_runtime.contract_of.unwrap import is_estimator, last_step, unwrap
from slipway_runtime.errors import BuildError, lacks_threads
from slipway_runtime.scan import scan_model, watch_globals
from slipway_runtime.scan.model import unsafe

_LIBRARIES = ("sklearn", "numpy", "scipy", *FRAMEWORKS)  # what they lack is a matter of versions
_FRAMEWORK_PACKAGES = ("scikit-learn", *FRAMEWORKS)
_NAMED_TYPES = 8
_WARNING_CHARACTERS = 600
_MODULE = re.compile(r"No module named '([^']+)'")
_ATTRIBUTE = re.compile(r"[Cc]an't get attribute '([^']+)' on (?:<module '([^']+)'|(\S+))")


class UntrustedTypesWarning(UserWarning):
    """The file names classes or functions that skops does not vouch for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """An opened model, the versions that trained it (as far as told) and what loading warned of."""

    model: object
    training_versions: dict[str, str]
    warnings: tuple[str, ...]


def load_model(
    path: Path,
    flavor: Flavor,
    *,
    unpickle: Literal["Sandboxed", "Never"],
    stated: Mapping[str, str] | None = None,
) -> Loaded:
    """Open the model at `path`.

    Args:
        stated: training versions that are told beside the file (by an MLflow directory); the file's
            own word goes first.

    Raises:
        BuildError: `ModelUnsafe`, `ModelVersionMismatch`, `ModelUnreadable`, `OutOfMemory`,
            `TrainingEnvironmentUnavailable`.
    """
    trained = {**(stated or {}), **find_training_versions(path, flavor)}
    if unpickle == "Never" and flavor.loader in ("joblib", "pickle"):
        raise BuildError(
            "ModelUnsafe",
            f'Reading model "{path.name}" failed: it is a {flavor.loader} file, opening it runs '
            'its code, and spec.model.unpickle is "Never"; save it with skops.io.dump, in the '
            "booster's own format or as ONNX.",
        )
    takes_methods = scan_model(path, flavor)
    with (
        warnings.catch_warnings(record=True) as caught,
        watch_globals(lambda name, why: unsafe(path, name, why), takes_methods=takes_methods),
    ):
        warnings.simplefilter("always")
        try:
            model = give_estimator(_open(path, flavor, unpickle))
        except BuildError:
            raise
        except MemoryError as error:
            raise BuildError(
                "OutOfMemory",
                f'Reading model "{path.name}" failed: it needs more memory than the build has; '
                "raise the build's memory limit.",
            ) from error
        except PermissionError as error:  # the sandbox's answer: the file itself was opened above
            raise BuildError(
                "ModelUnsafe",
                f'Reading model "{path.name}" failed: its code tried what the sandbox forbids '
                f"({_short(error)}); a model must not use the network, other files or other "
                "processes when it is opened.",
            ) from error
        except Exception as error:  # an edge: the file's own code runs here and may raise anything
            full = isinstance(error, OSError) and error.errno in (errno.EFBIG, errno.ENOSPC)
            if full or lacks_threads(error):
                raise  # of the machine, not of the model: the supervisor names it
            raise _explain(path, error, flavor, trained) from error
    _check_model(path, model)
    told = [f"{type(warning.message).__name__}: {warning.message}" for warning in caught]
    other = other_versions(trained)
    if other:
        told = [
            *(f"Trained with {name} {then}, opened with {now}." for name, then, now in other),
            *(text for text in told if not text.startswith("InconsistentVersionWarning")),
        ]
    return Loaded(
        model=model,
        training_versions=trained,
        warnings=tuple(dict.fromkeys(text[:_WARNING_CHARACTERS] for text in told))[:10],
    )


def other_versions(trained: Mapping[str, str]) -> tuple[tuple[str, str, str], ...]:
    """Frameworks that trained the model in another version than is installed: name, then, now."""
    found = []
    for package, then in trained.items():
        now = installed_version(package)
        if package in _FRAMEWORK_PACKAGES and now is not None and now != then:
            found.append((package, then, now))
    return tuple(found)


def _open(path: Path, flavor: Flavor, unpickle: str) -> object:
    if flavor.loader in FRAMEWORKS:
        return open_native(path, flavor.loader)
    if flavor.loader == "skops":
        return _open_skops(path, unpickle)
    if flavor.loader == "joblib":
        import joblib

        return joblib.load(path)
    with path.open("rb") as stream:
        return pickle.load(stream)  # noqa: S301 - inside the sandbox, and allowed by the spec


def _open_skops(path: Path, unpickle: str) -> object:
    """A type that skops does not trust is code like a pickle's: opened where a pickle is, and told.

    That holds for scikit-learn's own compiled types too: the state of a tree made by hand corrupts
    memory as well as any code could.
    """
    import skops.io

    untrusted = sorted(skops.io.get_untrusted_types(file=path))
    if not untrusted:
        return skops.io.load(path)
    named = ", ".join(untrusted[:_NAMED_TYPES])
    if len(untrusted) > _NAMED_TYPES:
        named += f" and {len(untrusted) - _NAMED_TYPES} more"
    if unpickle == "Never":
        raise BuildError(
            "ModelUnsafe",
            f'Reading model "{path.name}" failed: it holds types that skops does not trust '
            f'({named}) and spec.model.unpickle is "Never"; set it to "Sandboxed" to open them '
            "inside the sandbox, or give the model as ONNX or without these types.",
        )
    warnings.warn(
        f"It holds types that skops does not trust, opened inside the sandbox only: {named}.",
        UntrustedTypesWarning,
        stacklevel=1,
    )
    return skops.io.load(path, trusted=untrusted)


def _explain(
    path: Path, error: Exception, flavor: Flavor, trained: Mapping[str, str]
) -> BuildError:
    missing = _missing_class(error)
    foreign = missing is not None and missing.split()[-1].split(".")[0] not in _LIBRARIES
    if foreign:
        return BuildError(
            "ModelUnreadable",
            f'Reading model "{path.name}" failed: it needs {missing}, which cannot be imported; '
            "train it with classes of installed packages (not of a script or notebook), and "
            "name the package that holds it, with its version, in spec.model.packages.",
        )
    other = other_versions(trained)
    if other:
        name, then, now = other[0]
        return BuildError(
            "ModelVersionMismatch",
            f'Reading model "{path.name}" failed: it was saved with {name} {then} and '
            f"cannot be opened with {now} ({_short(error)}); train and save it with "
            f"{name} {now}, or run slipway-runtime beside {name} {then}.",
        )
    if flavor.loader in FRAMEWORKS:
        framework = flavor.loader
        return BuildError(
            "ModelUnreadable",
            f'Reading model "{path.name}" failed: {PACKAGES[framework]} cannot read it '
            f"({_short(error)}); save it again with its save_model and the installed "
            f"{PACKAGES[framework]} {installed_version(framework)}.",
        )
    return BuildError(
        "ModelUnreadable",
        f'Reading model "{path.name}" failed: {_short(error)}; save it again with joblib.dump, '
        "pickle.dump or skops.io.dump and the installed scikit-learn "
        f"{installed_version('scikit-learn')}.",
    )


def _missing_class(error: BaseException) -> str | None:
    """Name `module.class` that could not be imported, if that is what went wrong."""
    text = str(error)
    found = _ATTRIBUTE.search(text)
    if found:
        module = (found[2] or found[3]).rstrip(".")
        if module in ("__main__", _main_module()):
            return f"class {found[1]} of the script or notebook that saved it"
        return f"class {module}.{found[1]}"
    found = _MODULE.search(text)
    if found:
        return f"module {found[1]}"
    return None


def _main_module() -> str | None:
    """What this process runs: pickle looks there for the classes of somebody else's script."""
    spec = getattr(sys.modules.get("__main__"), "__spec__", None)
    return None if spec is None else str(spec.name)


def _check_model(path: Path, model: object) -> None:
    """Refuse what is no estimator, was never fitted, or cannot answer for new rows."""
    name = type(model).__name__
    if not is_estimator(model):
        hint = "save the fitted estimator itself"
        if isinstance(model, dict):
            held = [str(key) for key, value in model.items() if is_estimator(value)]
            hint = f'save the estimator under key "{held[0]}" by itself' if held else hint
        raise BuildError(
            "ModelUnreadable",
            f'Reading model "{path.name}" failed: it holds an object of type {name}, not a '
            f"scikit-learn estimator; {hint}.",
        )
    inner = unwrap(model)
    if not any(hasattr(inner, method) for method in ("predict", "transform")):
        raise BuildError(
            "ConversionUnsupported",
            f'Reading model "{path.name}" failed: {name} has neither predict nor transform for new '
            "rows; choose an estimator that has.",
        )
    if not is_fitted(inner):
        raise BuildError(
            "ModelUnreadable",
            f'Reading model "{path.name}" failed: this {name} was never fitted; call fit before '
            "saving it.",
        )


def is_fitted(model: object) -> bool:
    """Whether scikit-learn finds the estimator fitted; a pipeline's end counts for all of it."""
    if framework_of(model) == "catboost":
        return bool(model.is_fitted())  # type: ignore[attr-defined]
    from sklearn.exceptions import NotFittedError
    from sklearn.utils.validation import check_is_fitted

    try:
        check_is_fitted(last_step(model))
    except NotFittedError:
        return False
    except TypeError:  # not a scikit-learn class: it cannot be asked
        return True
    return True


def _short(error: BaseException) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return f"{type(error).__name__}: {text}"[:300]
