"""Mutates real ONNX files with a fixed seed and gives each to the build, in throw-away processes.

`python tests/support/onnx_fuzz.py COUNT` prints the table (`make fuzz-onnx`). A file may be
refused or accepted; it may crash, hang or fill the process that reads it, and nothing else.
"""

import collections
import random
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SEED = 20261125
BATCH = 50
_EXTREMES = (0, 1, -1, 2, 127, 255, 1 << 31, (1 << 31) - 1, -(1 << 31), 1 << 40, (1 << 63) - 1)
_FLOATS = (0.0, -1.0, 1e38, -1e38, 1e-45, float("inf"), float("nan"))


def seeds() -> list[bytes]:
    """Small real models: the operators that Slipway's own conversions hold."""
    import numpy as np
    import skl2onnx
    from skl2onnx.common.data_types import StringTensorType
    from sklearn.ensemble import GradientBoostingRegressor, RandomForestClassifier
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import MinMaxScaler, PolynomialFeatures, StandardScaler
    from sklearn.svm import SVR

    rows = np.random.default_rng(SEED).normal(size=(60, 3)).astype(np.float32)
    labels = np.where(rows[:, 0] > 0, "yes", "no")
    numeric = [
        make_pipeline(StandardScaler(), LogisticRegression()).fit(rows, labels),
        RandomForestClassifier(3, max_depth=3, random_state=0).fit(rows, labels),
        GradientBoostingRegressor(n_estimators=3, random_state=0).fit(rows, rows[:, 1]),
        SVR().fit(rows, rows[:, 2]),
        make_pipeline(MinMaxScaler(), PolynomialFeatures(), LogisticRegression()).fit(rows, labels),
    ]
    texts = np.array(["red green", "blue red", "green"] * 20).reshape(-1, 1)
    words = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(texts.ravel(), labels)
    target = {"": 18, "ai.onnx.ml": 3}
    made = [skl2onnx.to_onnx(one, rows[:1], target_opset=target) for one in numeric]
    made.append(
        skl2onnx.to_onnx(
            words, initial_types=[("text", StringTensorType([None, 1]))], target_opset=target
        )
    )
    return [bytes(one.SerializeToString()) for one in made]


def mutate(content: bytes, draw: random.Random) -> bytes:
    """One mutation: of the bytes, or of the parsed model."""
    return _mutate_bytes(content, draw) if draw.random() < 0.3 else _mutate_model(content, draw)


def _mutate_bytes(content: bytes, draw: random.Random) -> bytes:
    data = bytearray(content)
    for _ in range(draw.choice((1, 1, 2, 8))):
        at = draw.randrange(len(data))
        match draw.randrange(5):
            case 0:
                data[at] ^= 1 << draw.randrange(8)
            case 1:
                data[at] = draw.choice((0, 0x7F, 0x80, 0xFF))
            case 2:
                del data[at : at + draw.randrange(1, 64)]
            case 3:
                data[at:at] = data[at : at + draw.randrange(1, 64)]
            case _:
                data = data[: max(at, 1)]
        data = data or bytearray(content)
    return bytes(data)


def _mutate_model(content: bytes, draw: random.Random) -> bytes:
    import onnx

    model = onnx.load_model_from_string(content)
    for _ in range(draw.choice((1, 1, 2, 4))):
        fields = list(_numbers_of(model.graph))
        match draw.choices(("number", "node", "name", "kind"), weights=(12, 1, 1, 1))[0]:
            case "number":
                _change_number(draw.choice(fields), draw)
            case "node":
                nodes = model.graph.node
                nodes.append(nodes[draw.randrange(len(nodes))])
            case "name":
                names = [node.input for node in model.graph.node if node.input]
                taken = draw.choice(names)
                other = draw.choice(model.graph.node)
                taken[draw.randrange(len(taken))] = (other.output or other.input or [""])[0]
            case _:
                kinds = [node.op_type for node in model.graph.node]
                draw.choice(model.graph.node).op_type = draw.choice(
                    [*kinds, "Loop", "Scan", "LSTM"]
                )
    return bytes(model.SerializeToString())


def _numbers_of(graph: Any) -> Iterator[Any]:
    """Every list of numbers or texts that an attribute or a weight holds."""
    for node in graph.node:
        for attribute in node.attribute:
            yield from (one for one in (attribute.ints, attribute.floats, attribute.strings) if one)
            yield attribute
    for tensor in graph.initializer:
        yield from (one for one in (tensor.dims, tensor.float_data, tensor.int64_data) if one)
    for value in (*graph.input, *graph.output):
        yield from (size for size in value.type.tensor_type.shape.dim)


def _change_number(field: Any, draw: random.Random) -> None:
    if hasattr(field, "dim_value"):
        field.dim_value = draw.choice(_EXTREMES)
    elif hasattr(field, "attribute") or hasattr(field, "ref_attr_name"):
        field.i = draw.choice(_EXTREMES)
    elif draw.random() < 0.3:
        del field[draw.randrange(len(field)) :]
    else:
        at = draw.randrange(len(field))
        if isinstance(field[at], bytes):
            field[at] = draw.choice((b"", b"\xff", b"BRANCH_LEQ", b"x" * 4096))
        else:
            field[at] = draw.choice(_FLOATS if isinstance(field[at], float) else _EXTREMES)


def read_all(argument: dict[str, Any]) -> None:
    """The throw-away side: build every file of a folder, and note how each went before the next."""
    from slipway_runtime.artifact.onnx_gate import check_onnx
    from slipway_runtime.convert.from_onnx import build_onnx
    from slipway_runtime.convert.session import run_session
    from slipway_runtime.errors import BuildError

    with open(argument["notes"], "w", buffering=1) as notes:
        for name in argument["names"]:
            notes.write(f"{name}\t")
            path = Path(argument["folder"]) / name
            try:
                check_onnx(path, foreign=True)
                build_onnx(path, None, run=run_session)
                ended = "accepted"
            except BuildError as error:
                rule = re.search(r"breaks rule (\w+)", error.message)
                ended = f"{error.reason} {rule[1] if rule else ''}".rstrip()
            except MemoryError:
                ended = "OutOfMemory"
            except Exception as error:  # what nobody foresaw is what is looked for
                ended = f"unexpected {type(error).__name__}: {str(error)[:100]!r}"
            notes.write(ended + "\n")


def run(count: int, folder: Path) -> dict[str, str]:
    """Mutate and read `count` files; name → how it ended."""
    draw = random.Random(SEED)
    originals = seeds()
    names = []
    (folder / "files").mkdir()
    for number in range(count):
        name = f"{number:05}.onnx"
        (folder / "files" / name).write_bytes(mutate(draw.choice(originals), draw))
        names.append(name)
    ended: dict[str, str] = {}
    for start in range(0, count, BATCH):
        left = names[start : start + BATCH]
        while left:
            ended |= _read_some(folder, left)
            left = [name for name in left if name not in ended]
    return ended


def _read_some(folder: Path, names: list[str]) -> dict[str, str]:
    """One throw-away process; it ends at the end, or at the file that ended it."""
    from slipway_runtime.sandbox import explain_exit, policy_for, run_sandboxed

    scratch = folder / "scratch"
    scratch.mkdir(exist_ok=True)
    support = Path(__file__).parent
    policy = policy_for(
        read=(folder / "files", support), write=(scratch,), memory_bytes=2 << 30, cpu_seconds=120
    )
    argument = {
        "folder": str(folder / "files"), "names": names, "notes": str(scratch / "notes"),
    }  # fmt: skip
    code = f"import sys\nsys.path.insert(0, {str(support)!r})\nimport onnx_fuzz\n"
    code += f"onnx_fuzz.read_all({argument!r})"
    (scratch / "notes").unlink(missing_ok=True)
    exited = run_sandboxed(
        target="builtins:exec", argument=f"exec({code!r}, {{}})", policy=policy, wall_seconds=180
    )
    error = explain_exit(exited, policy=policy, wall_seconds=180, doing="Reading the file")
    text = (scratch / "notes").read_text() if (scratch / "notes").exists() else ""
    ended = {}
    for line in text.splitlines():
        name, _, how = line.partition("\t")
        ended[name] = how or f"ended the process: {error.reason}: {error.message}" if error else how
    if not ended and (error is None or error.reason != "DeadlineExceeded"):
        raise RuntimeError(f"the throw-away process read nothing: {exited}")
    return ended  # empty: the machine was so busy that it did not even begin; try again


def table(ended: dict[str, str]) -> str:
    """How many ended how."""
    counted = collections.Counter(how.partition(" (")[0][:90] for how in ended.values())
    return "\n".join(f"{count:6}  {how}" for how, count in counted.most_common())


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="slipway-fuzz-") as place:
        result = run(int(sys.argv[1]), Path(place))
    print(table(result))
    sys.exit(any(how.startswith("unexpected") for how in result.values()))
