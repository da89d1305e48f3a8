"""Which environment a model needs, and what is said when it cannot be made."""

import pickle
import sys
from pathlib import Path

import pytest

from slipway_runtime.artifact.flavor import Flavor
from slipway_runtime.artifact.training_versions import installed_version
from slipway_runtime.environment.explain import explain_uv
from slipway_runtime.environment.plan import plan_environment
from slipway_runtime.errors import BuildError

PICKLE = Flavor(format="SKLearn", loader="pickle", compression=None)
NOW = installed_version("scikit-learn") or ""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps({"params": "xgboost_dart_mode", "text": "not lightgbm at all"}))
    return path


@pytest.mark.parametrize(
    "trained",
    [
        pytest.param({}, id="nothing-told"),
        pytest.param({"scikit-learn": NOW}, id="same"),
        pytest.param({"scikit-learn": NOW.rpartition(".")[0] + ".99"}, id="other-patch"),
        pytest.param({"numpy": "1.0.0"}, id="no-framework"),
    ],
)
def test_the_runtimes_own_versions_will_do(file: Path, trained: dict[str, str]) -> None:
    assert plan_environment(file, PICKLE, trained=trained, packages=()) is None


@pytest.mark.parametrize(
    ("version", "limits"),
    [
        ("1.2.2", {"numpy<2", "scipy<1.11", "pandas<3", "pyarrow<22"}),
        ("1.4.2", {"numpy<2", "scipy<1.13", "pandas<3", "pyarrow<22"}),
        ("1.6.1", {"numpy<2.4", "scipy<1.16", "pandas<3"}),
    ],
)
def test_an_old_model_gets_its_version_and_its_time(
    file: Path, version: str, limits: set[str]
) -> None:
    wanted = plan_environment(file, PICKLE, trained={"scikit-learn": version}, packages=())
    assert wanted is not None
    assert f"scikit-learn=={version}" in wanted
    assert limits <= set(wanted)
    assert {line for line in wanted if "<" in line} == limits
    assert not any(line.startswith(("xgboost", "lightgbm")) for line in wanted)


def test_a_framework_that_the_file_names_comes_along(tmp_path: Path) -> None:
    path = tmp_path / "model.pkl"
    path.write_bytes(b"\x80\x04\x8c\x10lightgbm.sklearn\x94\x8c\x0eLGBMClassifier\x94\x93\x94.")
    wanted = plan_environment(path, PICKLE, trained={"scikit-learn": "1.5.2"}, packages=())
    assert wanted is not None
    assert f"lightgbm=={installed_version('lightgbm')}" in wanted


def test_what_the_spec_names_goes_first(file: Path) -> None:
    packages = ("Scikit_Learn==1.4.2", "numpy==1.26.4", "xgboost==2.0.3", "own.package==7")
    wanted = plan_environment(file, PICKLE, trained={"scikit-learn": "1.2.2"}, packages=packages)
    assert wanted is not None
    assert {"scikit-learn==1.4.2", "numpy==1.26.4", "xgboost-cpu==2.0.3", "own-package==7"} <= set(
        wanted
    )
    assert "numpy<2" not in wanted, "a pinned version needs no limit"
    assert "scikit-learn<1.6" not in wanted


def test_another_python_is_named_with_ours(file: Path) -> None:
    trained = {"scikit-learn": "1.2.2", "python": "3.8.18"}
    with pytest.raises(BuildError) as refused:
        plan_environment(file, PICKLE, trained=trained, packages=())
    assert refused.value.reason == "TrainingEnvironmentUnavailable"
    assert "3.8.18" in refused.value.message
    assert f"{sys.version_info.major}.{sys.version_info.minor}" in refused.value.message


def test_a_boosters_own_file_is_no_pickle_and_onnx_takes_no_packages(file: Path) -> None:
    booster = Flavor(format="XGBoost", loader="xgboost", compression=None)
    assert plan_environment(file, booster, trained={"xgboost": "1.7.6"}, packages=()) is None
    onnx = Flavor(format="ONNX", loader="onnx", compression=None)
    with pytest.raises(BuildError, match="ONNX model"):
        plan_environment(file, onnx, trained={}, packages=("numpy==2.0.0",))


@pytest.mark.parametrize("pin", ["numpy", "numpy>=1", "numpy @ https://x/y.whl", "--index-url=x"])
def test_only_exact_versions_are_taken(file: Path, pin: str) -> None:
    with pytest.raises(BuildError, match="name==version"):
        plan_environment(file, PICKLE, trained={}, packages=(pin,))


@pytest.mark.parametrize(
    ("said", "reason", "retryable", "words"),
    [
        pytest.param(
            "  × No solution found when resolving dependencies:\n  ╰─▶ Because there is no version "
            "of scikit-learn==1.2.999 and you require\n      scikit-learn==1.2.999, we can "
            "conclude that your requirements are unsatisfiable.",
            "TrainingEnvironmentUnavailable",
            False,
            "there is no version of scikit-learn==1.2.999",
            id="no-version",
        ),
        pytest.param(
            "  × No solution found\n  ╰─▶ Because scikit-learn==0.24.2 has no wheels with a "
            "matching Python version tag, we can conclude …",
            "TrainingEnvironmentUnavailable",
            False,
            "with a version that has one",
            id="no-wheel",
        ),
        pytest.param(
            "error: Failed to fetch: `https://index/simple/numpy/`\n  Caused by: dns error",
            "TrainingEnvironmentUnavailable",
            True,
            "does not answer",
            id="unreachable",
        ),
        pytest.param(
            "error: failed to write: No space left on device (os error 28)",
            "DiskFull",
            True,
            "disk is full",
            id="full",
        ),
        pytest.param("", "TrainingEnvironmentUnavailable", False, "did not say why", id="nothing"),
    ],
)
def test_why_uv_could_not(said: str, reason: str, retryable: bool, words: str) -> None:
    error = explain_uv(said)
    assert (error.reason, error.retryable) == (reason, retryable)
    assert words in error.message
