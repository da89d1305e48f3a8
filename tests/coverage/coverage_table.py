"""The measured coverage of scikit-learn as the part of docs/conversion.md that is generated."""

from collections import Counter

Found = dict[str, dict[str, dict[str, str]]]

BEGIN, END = "<!-- coverage: make coverage-sklearn -->", "<!-- end of coverage -->"
KINDS = {
    "float32": "numbers that float32 holds",
    "float64": "full float64 numbers, with samples",
    "decimal": "numbers of two decimals",
    "missing": "numbers with holes",
    "category": "text categories, with samples",
    "text": "documents",
}
ORDER = ("wrong", "broken", "refused", "native", "onnx")


def servable(found: Found) -> Found:
    """Without those that cannot be fitted to any such rows, or not be asked for new ones."""
    kept = {
        name: {kind: one for kind, one in outcomes.items() if one["outcome"] != "unfitted"}
        for name, outcomes in found.items()
    }
    return {name: outcomes for name, outcomes in kept.items() if outcomes}


def worst_of(outcomes: dict[str, dict[str, str]]) -> str:
    """The worst outcome of one estimator over all kinds of data."""
    return min((one["outcome"] for one in outcomes.values()), key=ORDER.index)


def count(found: Found) -> dict[str, int]:
    """Estimators by their worst outcome; `somewhere` counts those that are ONNX on some data."""
    judged = servable(found)
    counts = Counter(worst_of(outcomes) for outcomes in judged.values())
    somewhere = sum(
        any(one["outcome"] == "onnx" for one in outcomes.values()) for outcomes in judged.values()
    )
    return {**{word: counts[word] for word in ORDER}, "somewhere": somewhere, "all": len(judged)}


def render(found: Found) -> str:
    """The counts by kind of data, and every estimator that is not ONNX on all of its data."""
    judged, counts = servable(found), count(found)
    lines = [
        f"{counts['all']} estimators: {counts['onnx']} are ONNX on every kind of data they take, "
        f"{counts['somewhere']} on at least one; {counts['wrong']} answered wrongly, "
        f"{counts['refused'] + counts['broken']} were refused.",
        "",
        "| data | asked | ONNX | native | refused | wrong |",
        "|---|---|---|---|---|---|",
    ]
    for kind, words in KINDS.items():
        got = Counter(o[kind]["outcome"] for o in judged.values() if kind in o)
        refused = got["refused"] + got["broken"]
        cells = (sum(got.values()), got["onnx"], got["native"], refused, got["wrong"])
        lines.append(f"| {words} | {' | '.join(map(str, cells))} |")
    lines += ["", "| not ONNX | on | why |", "|---|---|---|"]
    for name, outcomes in sorted(judged.items()):
        causes: dict[str, list[str]] = {}
        for kind, one in sorted(outcomes.items()):
            if one["outcome"] != "onnx":
                causes.setdefault(_cause(one), []).append(kind)
        for cause, kinds in causes.items():
            lines.append(f"| `{name}` | {', '.join(kinds)} | {cause} |")
    return "\n".join(lines)


def _cause(one: dict[str, str]) -> str:
    why = one["why"]
    if "Unable to find a shape calculator" in why or "no converter" in why:
        return "no converter"
    if "answers differently" in why:
        return "answers differently, so the original is served"
    text = why.split("does not convert to ONNX: ")[-1].replace("|", "/").replace("`", "'")
    cause = text.split(". ")[0].rstrip(".")[:120]
    return cause if one["outcome"] == "native" else f"**{one['outcome']}**: {cause}"
