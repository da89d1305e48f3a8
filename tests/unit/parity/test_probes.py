"""Probes stand on both sides of what the model knows."""

import numpy as np
import pytest

from slipway_runtime.contract_of.reading import ColumnReading, ModelReading, row_count
from slipway_runtime.parity.probes import MAX_PROBES, UNKNOWN_CATEGORY, make_probes


def _probes(*columns: ColumnReading, samples: dict[str, object] | None = None) -> dict[str, object]:
    reading = ModelReading(feeding="Frame", named=True, columns=columns)
    return make_probes(reading, samples)  # type: ignore[arg-type, return-value]


def test_each_side_of_a_threshold_is_one_float32_apart() -> None:
    values = set(_probes(ColumnReading(name="a", kind="Numerical", points={1 / 3}))["a"].tolist())  # type: ignore[attr-defined]
    below = float(np.nextafter(np.float32(1 / 3), np.float32(-np.inf)))
    assert below in values
    assert below <= 1 / 3 < float(np.nextafter(np.float32(below), np.float32(np.inf)))
    assert float(np.nextafter(np.float32(below), np.float32(np.inf))) in values


def test_beside_a_decimal_stand_decimals() -> None:
    column = ColumnReading(name="a", kind="Numerical", points={39.099999999999994, 0.0})
    values = set(_probes(column)["a"].tolist())  # type: ignore[attr-defined]
    assert {39.0999, 39.1, 39.1001, -1e-05, 0.0, 1e-05} <= values


def test_a_value_that_float32_takes_for_another_is_tried() -> None:
    column = ColumnReading(name="a", kind="Numerical", twins={0.03000000001})
    assert 0.03000000001 in _probes(column)["a"].tolist()  # type: ignore[attr-defined]


def test_numbers_are_what_float32_holds() -> None:
    column = ColumnReading(name="a", kind="Numerical", near={0.3, 7.7}, centre=1 / 3, spread=0.7)
    values = np.asarray(_probes(column)["a"])
    assert (values == values.astype(np.float32)).all()


@pytest.mark.parametrize("allowed", [True, False], ids=["allowed", "refused"])
def test_missing_and_unknown_only_where_they_are_allowed(allowed: bool) -> None:
    text = ColumnReading(
        name="t",
        kind="Categorical",
        categories=("DE", "FR"),
        unknown_allowed=allowed,
        missing_taken=allowed,
    )
    number = ColumnReading(name="n", kind="Numerical", missing_taken=allowed)
    table = _probes(text, number)
    texts = table["t"].tolist()  # type: ignore[attr-defined]
    assert {"DE", "FR"} <= set(texts)
    assert (UNKNOWN_CATEGORY in texts) == allowed
    assert (None in texts) == allowed
    assert np.isnan(np.asarray(table["n"])).any() == allowed


def test_text_goes_beyond_ascii_and_uses_the_words() -> None:
    texts = _probes(ColumnReading(name="t", kind="Text", words=("fox", "hound")))["t"].tolist()  # type: ignore[attr-defined]
    assert any("fox" in text for text in texts)
    assert any("FOX" in text for text in texts)
    assert any(not text.isascii() for text in texts)
    assert "" in texts


def test_the_same_model_gives_the_same_bounded_rows() -> None:
    columns = [
        ColumnReading(name=f"c{n}", kind="Numerical", points={n + k / 50 for k in range(50)})
        for n in range(60)
    ]
    first, second = _probes(*columns), _probes(*columns)
    assert row_count(first) <= MAX_PROBES  # type: ignore[arg-type]
    assert all(np.array_equal(first[name], second[name]) for name in first)  # type: ignore[arg-type]


def test_samples_are_varied_one_value_at_a_time() -> None:
    columns = (
        ColumnReading(name="a", kind="Numerical", points={5.0}),
        ColumnReading(name="b", kind="Numerical", points={0.5}),
    )
    samples = {"a": np.array([1.0]), "b": np.array([2.0])}
    table = _probes(*columns, samples=samples)
    a, b = np.asarray(table["a"]), np.asarray(table["b"])
    changed = a[b == 2.0]
    assert 5.0 in changed
    assert (a[b == 0.5] == 1.0).any()
