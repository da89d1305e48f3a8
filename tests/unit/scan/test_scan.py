"""The scan: hostile files are refused by name and never opened, models of every kind are not."""

import io
import json
import pickle
import pickletools
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
import skops.io
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, SplineTransformer, StandardScaler

from hostile_assembler import Ref, assemble, call
from hostile_pickles import CORPUS, UNFOLLOWED
from slipway_runtime.artifact.flavor import detect_flavor
from slipway_runtime.errors import BuildError
from slipway_runtime.scan import Finding, pickle_walk, scan_model, walk_pickles

ROWS = np.arange(60.0).reshape(30, 2) % 7


def refuse(path: Path) -> BuildError:
    with pytest.raises(BuildError) as caught:
        scan_model(path, detect_flavor(path))
    return caught.value


def write(folder: Path, content: bytes) -> Path:
    path = folder / "model.pkl"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("name", CORPUS)
def test_hostile_pickle_is_refused_by_name(tmp_path: Path, name: str) -> None:
    trace = tmp_path / "trace"
    error = refuse(write(tmp_path, CORPUS[name].make(str(trace))))
    assert error.reason == "ModelUnsafe"
    assert CORPUS[name].names in error.message
    assert " at byte " in error.message
    assert not trace.exists()


@pytest.mark.parametrize("name", UNFOLLOWED)
def test_what_cannot_be_followed_is_not_opened(tmp_path: Path, name: str) -> None:
    error = refuse(write(tmp_path, UNFOLLOWED[name](str(tmp_path / "trace"))))
    assert error.reason == "ModelUnreadable"
    assert "was not opened" in error.message


def test_nothing_is_imported(tmp_path: Path) -> None:
    refuse(write(tmp_path, assemble(call("our_company:f"), call("os:system"))))  # lazy imports
    before = set(sys.modules)
    for payload in CORPUS.values():
        refuse(write(tmp_path, payload.make(str(tmp_path / "trace"))))
    assert set(sys.modules) == before


def test_every_opcode_is_followed() -> None:
    moves = pickle_walk._Walk(io.BytesIO(), is_joblib=True, findings=[], depth=0).moves()
    assert set(moves) == {opcode.name for opcode in pickletools.opcodes}


class Tokenizer:
    """Somebody's own, whose method a vectorizer holds."""

    def cut(self, text: str) -> list[str]:
        return text.split()


@pytest.mark.parametrize("protocol", [2, 5])
@pytest.mark.parametrize("method", [str.lower, Tokenizer().cut, Tokenizer.cut])
def test_a_method_may_be_held(tmp_path: Path, method: Any, protocol: int) -> None:
    path = write(tmp_path, pickle.dumps(FunctionTransformer(method), protocol=protocol))
    scan_model(path, detect_flavor(path))


@pytest.mark.parametrize(
    "use",
    [
        call("builtins:getattr", call("our_company:Thing"), "__class__"),
        call("builtins:getattr", call("pathlib:Path", "/nowhere"), "write_text"),
        call("builtins:getattr", Ref("our_company", "Thing"), "__init__"),
        call("builtins:getattr", Ref("functools", "partial"), "func"),
        call("builtins:getattr", [1], "append"),
        call("builtins:getattr"),
        call("functools:partial", Ref("builtins", "getattr")),
        [Ref("builtins", "getattr")],
        {"a": Ref("builtins", "getattr")},
        Ref("builtins", "getattr"),
    ],
)
def test_getattr_is_for_nothing_else(tmp_path: Path, use: Any) -> None:
    assert refuse(write(tmp_path, assemble(use))).reason == "ModelUnsafe"


def test_several_findings_are_told(tmp_path: Path) -> None:
    content = assemble(call("os:system"), b"0", call("shutil:rmtree"), b"0", call("pty:spawn"))
    assert (
        "os.system at byte 20 (and 2 more such things)" in refuse(write(tmp_path, content)).message
    )


def function_transformer() -> Any:
    return make_pipeline(FunctionTransformer(np.log1p), FunctionTransformer(str.lower))


MODELS: dict[str, Callable[[], Any]] = {
    "forest": lambda: RandomForestClassifier(3, random_state=0).fit(ROWS, ROWS[:, 0] > 3),
    "texts": lambda: RandomForestClassifier(2).fit(ROWS, np.where(ROWS[:, 0] > 3, "new", "old")),
    "objects": lambda: RandomForestClassifier(2).fit(
        ROWS, np.where(ROWS[:, 0] > 3, "new", "old").astype(object)
    ),
    "spline": lambda: make_pipeline(StandardScaler(), SplineTransformer()).fit(ROWS),
    "functions": function_transformer,
    "arrays": lambda: {
        "empty": np.zeros((0, 3)),
        "scalar": np.array(1.5),
        "fortran": np.asfortranarray(ROWS),
        "texts": np.array(["a", "bcd"]),
        "bytes": np.array([b"a", b"bcd"]),
        "dates": np.array(["2026-01-01"], dtype="datetime64[D]"),
        "structured": np.zeros(3, dtype=[("a", "<f8"), ("b", "<i4", (2,))]),
        "objects": np.array([{"a": np.arange(3)}, None], dtype=object),
        "big-endian": np.arange(3, dtype=">f4"),
        "booleans": np.array([True, False]),
    },
    "random": lambda: [np.random.RandomState(1), np.random.default_rng(1)],
}
WAYS: dict[str, Callable[[Any, Path], Any]] = {
    **{
        f"pickle {protocol}": lambda model, path, protocol=protocol: path.write_bytes(
            pickle.dumps(model, protocol=protocol)
        )
        for protocol in (2, 3, 4, 5)
    },
    "joblib": joblib.dump,
    "joblib 2": lambda model, path: joblib.dump(model, path, protocol=2),
    **{
        f"joblib {name}": lambda model, path, name=name: joblib.dump(
            model, path, compress=(name, 1)
        )
        for name in ("zlib", "gzip", "bz2", "xz", "lzma")
    },
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("model", MODELS)
def test_ordinary_model_passes(tmp_path: Path, model: str, way: str) -> None:
    path = tmp_path / "model"
    WAYS[way](MODELS[model](), path)
    scan_model(path, detect_flavor(path))


@pytest.mark.parametrize(
    ("module", "name", "protocol"),
    [
        ("our_company.models", "ChurnNet", 4),
        ("our_company.models", "ChurnNet", 2),
        ("our_company.models", "clean_text", 2),
        ("our_company.models", "Outer.Inner", 4),
        ("__main__", "Cleaner", 2),
        ("category_encoders.target_encoder", "TargetEncoder", 4),
    ],
)
def test_own_classes_are_left_to_the_opening(module: str, name: str, protocol: int) -> None:
    """Who brings a class of one's own is told later whether it can be imported."""
    assert _findings(module, name, protocol) == []


def test_a_library_has_only_what_it_defines() -> None:
    assert _findings("sklearn.linear_model._base", "LinearRegression", 4) == []
    for foreign in ("NoSuchThing", "np", "warnings"):
        assert _findings("sklearn.linear_model._base", foreign, 4) != []


def _findings(module: str, name: str, protocol: int) -> list[Finding]:
    written = Ref(module, name) if protocol == 4 else f"c{module}\n{name}\n".encode()
    found: list[Finding] = []
    content = assemble(written, (), b"\x81", protocol=protocol)
    walk_pickles(io.BytesIO(content), is_joblib=False, findings=found)
    return found


def test_skops_types_are_judged(tmp_path: Path) -> None:
    path = tmp_path / "model.skops"
    skops.io.dump(MODELS["forest"](), path)
    scan_model(path, detect_flavor(path))
    for node in (
        {"__module__": "builtins", "__class__": "object", "__loader__": "FunctionNode",
         "content": {"module_path": "os", "function": "system"}},
        {"__module__": "os", "__class__": "system", "__loader__": "TypeNode"},
        {"__module__": "operator", "__class__": "methodcaller", "__loader__": "OperatorFuncNode"},
    ):  # fmt: skip
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("schema.json", json.dumps({"content": [{"deep": [node]}]}))
        error = refuse(path)
        assert error.reason == "ModelUnsafe"
        assert "os.system" in error.message or "operator.methodcaller" in error.message


@pytest.mark.parametrize("schema", [b"{", b"[" * 200_000, b"\xff\xfe"])
def test_damaged_skops_schema(tmp_path: Path, schema: bytes) -> None:
    path = tmp_path / "model.skops"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("schema.json", schema)
    assert refuse(path).reason == "ModelUnreadable"
