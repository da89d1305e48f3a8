"""What `slipway check` found, in words: sizes, speed, and what could be better. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from slipway_operator.cli.story import advice
from slipway_operator.shown.words import count, format_bytes

Object = Mapping[str, Any]


def describe_environment(found: Mapping[str, Any] | None) -> str | None:
    """The training environment of an old model; None: the runtime's own versions opened it."""
    if found is None:
        return None
    packages = found.get("packages") or []
    return f"an environment of its own: Python {found.get('python')}, {len(packages)} packages"


def describe_size(found: Object) -> str:
    """`1.9 MB; 842 kB as ONNX`."""
    size, served = found.get("bytes"), found.get("servedBytes")
    if size is None:
        return ""
    if not found.get("convertible") or served in (None, size):
        return format_bytes(size)
    return f"{format_bytes(size)}; {format_bytes(float(served))} as ONNX"


def describe_speed(speed: Object | None) -> str:
    """Rows a second of the conversion and of the original, how they compare, and over what."""
    if not speed:
        return ""
    sides = [(name, speed.get(name)) for name in ("onnxruntime", "original")]
    paces = {name: float(pace["median"]) for name, pace in sides if pace}
    told = ", ".join(f"{_rate(pace)} rows/s {_WHERE[name]}" for name, pace in paces.items())
    if len(paces) == len(sides):
        ratio = paces["onnxruntime"] / paces["original"]
        told += f": {ratio:.2g} times as fast" if ratio < 100 else f": {ratio:,.0f} times as fast"
    calls, rows = int(speed["calls"]), int(speed["rows"])
    return f"{told} (median of {count(calls, 'call')} of {count(rows, 'row')})"


def list_remedies(found: Object) -> Iterator[str]:
    """A sentence for each thing that could be better; nothing when all is well."""
    fallback = found.get("fallback") or {}
    if fallback:
        yield (
            "The original is served, in a sandboxed worker. For ONNX, train with an estimator "
            "that converts."
        )
    parity = found.get("parity") or {}
    if parity.get("verdict") == "NotVerified":
        yield advice("NotVerified")
    unknown = [column for column in _columns(found) if _is_unbounded(column)]
    if unknown and not parity.get("sampleRows"):
        some = ", ".join(str(column["name"]) for column in unknown[:3])
        more = f" and {len(unknown) - 3} more" if len(unknown) > 3 else ""
        yield (
            f"Nothing is known of the range of {some}{more}: give rows like the training rows "
            "with --samples, and the contract will say what is out of range."
        )
    yield from (str(warning) for warning in found.get("warnings") or ())


_WHERE = {"onnxruntime": "in onnxruntime", "original": "in the original"}


def _rate(pace: float) -> str:
    return f"{pace:,.0f}" if pace >= 10 else f"{pace:.2g}"


def _columns(found: Object) -> list[Object]:
    return list((found.get("contract") or {}).get("columns") or [])


def _is_unbounded(column: Object) -> bool:
    return (
        column.get("kind") == "Numerical"
        and column.get("minimum") is None
        and column.get("maximum") is None
    )
