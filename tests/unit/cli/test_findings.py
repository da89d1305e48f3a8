"""What `slipway check` says of size and speed, and what it advises."""

from typing import Any

import pytest

from slipway_operator.cli.findings import describe_size, describe_speed, list_remedies

FAST = {"median": 50_474.4, "low": 1, "high": 1}
SLOW = {"median": 6_083.1, "low": 1, "high": 1}


@pytest.mark.parametrize(
    ("found", "text"),
    [
        ({}, ""),
        ({"bytes": 12_404, "servedBytes": 12_404, "convertible": False}, "12.4 kB"),
        (
            {"bytes": 1_892_242, "servedBytes": 841_819, "convertible": True},
            "1.89 MB; 842 kB as ONNX",
        ),
    ],
)
def test_the_size(found: dict[str, Any], text: str) -> None:
    assert describe_size(found) == text


@pytest.mark.parametrize(
    ("onnx", "original", "text"),
    [
        (
            FAST,
            SLOW,
            "50,474 rows/s in onnxruntime, 6,083 rows/s in the original: 8.3 times as fast "
            "(median of 9 calls of 1,000 rows)",
        ),
        (None, SLOW, "6,083 rows/s in the original (median of 9 calls of 1,000 rows)"),
        (FAST, None, "50,474 rows/s in onnxruntime (median of 9 calls of 1,000 rows)"),
        (
            FAST,
            {"median": 1.5},
            "50,474 rows/s in onnxruntime, 1.5 rows/s in the original: 33,650 times as fast "
            "(median of 9 calls of 1,000 rows)",
        ),
    ],
)
def test_the_speed(onnx: object, original: object, text: str) -> None:
    speed = {"rows": 1000, "calls": 9, "onnxruntime": onnx, "original": original}
    assert describe_speed(speed) == text


def test_no_speed_is_no_line() -> None:
    assert describe_speed(None) == ""


def test_nothing_to_better() -> None:
    column = {"name": "age", "kind": "Numerical", "minimum": 1, "maximum": 2}
    found = {"parity": {"verdict": "Verified", "sampleRows": 9}, "contract": {"columns": [column]}}
    assert list(list_remedies(found)) == []


def test_each_thing_that_could_be_better_is_a_sentence() -> None:
    columns = [{"name": name, "kind": "Numerical"} for name in "abcde"]
    found = {
        "parity": {"verdict": "NotVerified", "sampleRows": 0},
        "contract": {"columns": columns},
        "fallback": {"reason": "ConversionUnsupported", "message": "No converter."},
        "warnings": ["Trained with scikit-learn 1.4, opened with 1.9."],
    }
    native, rows, ranges, version = list_remedies(found)
    assert "For ONNX, train with an estimator that converts." in native
    assert rows == "Give rows in spec.model.samples."
    assert "a, b, c and 2 more" in ranges
    assert version == "Trained with scikit-learn 1.4, opened with 1.9."
