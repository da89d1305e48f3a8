"""The measured coverage of scikit-learn: the page shows what was measured, and it gets no worse."""

import json
from pathlib import Path

from coverage_table import BEGIN, END, count, render

ROOT = Path(__file__).resolve().parents[2]
FOUND = json.loads((ROOT / "tests/coverage/sklearn.json").read_text())
LEAST_ONNX = 164


def test_the_page_shows_what_was_measured() -> None:
    page = (ROOT / "docs/conversion.md").read_text()
    assert page.split(BEGIN)[1].split(END)[0].strip() == render(FOUND)


def test_no_estimator_answers_wrongly_and_the_counts_get_no_worse() -> None:
    counts = count(FOUND)
    assert (counts["wrong"], counts["broken"], counts["refused"]) == (0, 0, 0)
    assert counts["onnx"] >= LEAST_ONNX
