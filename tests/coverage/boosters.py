"""Every booster that the matrix knows, built and compared; writes docs/conversion-boosters.md.

`make coverage-boosters`. Words as arguments run only the cells that hold them all, and write
nothing: `python tests/coverage/boosters.py XGBoost dart`.
"""

import sys
import tempfile
import warnings
from collections import Counter
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/support"))

from booster_judge import ABSOLUTE, RELATIVE, Outcome, judge
from booster_matrix import Cell, cells

PAGE = ROOT / "docs/conversion-boosters.md"
VERSIONS = (
    "xgboost-cpu", "lightgbm", "catboost", "scikit-learn", "skl2onnx", "onnx", "onnxruntime",
    "numpy", "pandas",
)  # fmt: skip


def main(words: list[str]) -> int:
    """Run the cells; 1 when one is wrong."""
    warnings.simplefilter("ignore")
    found: list[tuple[Cell, Outcome]] = []
    for cell in cells():
        title = f"{cell.framework} {cell.group} {cell.name}"
        if not all(word in title for word in words):
            continue
        with tempfile.TemporaryDirectory() as folder:
            outcome = judge(cell, Path(folder))
        found.append((cell, outcome))
        print(f"{title}: {outcome.kind} {outcome.error:.0e} {outcome.why[:200]}", flush=True)
    counts = Counter(outcome.kind for _, outcome in found)
    print(", ".join(f"{kind} {count}" for kind, count in sorted(counts.items())))
    if not words:
        PAGE.write_text(render(found))
        print(f"wrote {PAGE.relative_to(ROOT)}")
    return 1 if counts["WRONG"] else 0


def render(found: list[tuple[Cell, Outcome]]) -> str:
    """The page: what was measured, the counts, and every cell."""
    lines = [
        "# Boosters: what converts",
        "",
        "Written by `make coverage-boosters`. Each row is a small model trained on a real table",
        "(scikit-learn's diabetes, Palmer penguins), built as `runtime: Auto` without samples, and",
        "asked as it would be served. The answers are compared with the framework's own on every",
        "row of the table, half of them never seen in training, with holes: all labels equal, and",
        f"numbers within {ABSOLUTE:g} of the answer's size + {RELATIVE:g} of the number.",
        "",
        "Versions: "
        + ", ".join(f"{package} {metadata.version(package)}" for package in VERSIONS)
        + ".",
        "",
        "| framework | models | ONNX, proven | Native, same answers | refused | wrong |",
        "|---|---|---|---|---|---|",
    ]
    for framework in (*dict.fromkeys(cell.framework for cell, _ in found), "all"):
        counts = Counter(
            outcome.kind for cell, outcome in found if framework in (cell.framework, "all")
        )
        told = [counts[kind] for kind in ("ONNX", "Native", "Refused", "WRONG")]
        lines.append(f"| {framework} | {sum(told)} | " + " | ".join(map(str, told)) + " |")
    for framework in dict.fromkeys(cell.framework for cell, _ in found):
        lines += [
            "",
            f"## {framework}",
            "| kind | model | served as | rows | largest difference | why not ONNX |",
            "|---|---|---|---|---|---|",
        ]
        lines += [
            f"| {cell.group} | {cell.name} | {outcome.kind} | {outcome.rows} | "
            f"{outcome.error:.0e} | {_cell(outcome.why)} |"
            for cell, outcome in found
            if cell.framework == framework
        ]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())[:300]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
