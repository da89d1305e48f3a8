"""Which rows differ: what is counted of them, and in how much memory."""

import pytest

from slipway_operator.decide.analysis import segments as module
from slipway_operator.decide.analysis.rates import Counts
from slipway_operator.decide.analysis.segments import MISSING, Segments
from slipway_operator.state.answers import Scalar


def tally(segments: Segments, column: str) -> dict[str, tuple[int, int]]:
    """Rows and differing rows by value, of a column that is settled."""
    found = segments.columns[column].tallies
    return {name: (one.counts.n, one.counts.bad) for name, one in found.items()}


def test_numbers_are_cut_at_their_quartiles_and_missing_is_a_value() -> None:
    rows: list[tuple[dict[str, Scalar], bool]] = [({"x": at}, at < 24) for at in range(100)]
    rows += [({"x": None}, True), ({"x": 1e9}, False), ({"x": -5}, True)]
    seen = Segments().observe(rows)
    assert tally(seen, "x") == {
        "< 24": (25, 25),
        "24 to 50": (26, 0),
        "50 to 75": (25, 0),
        "≥ 75": (26, 0),
        MISSING: (1, 1),
    }
    again = seen.observe([({"x": 30.5}, True)])
    assert tally(again, "x")["24 to 50"] == (27, 1)
    assert again.total == Counts(104, 27)


@pytest.mark.parametrize(
    ("values", "names"),
    [
        pytest.param(["a", "b", ""], {"a", "b", MISSING}, id="texts"),
        pytest.param([1, 2, 2.5], {"1", "2", "2.5"}, id="few numbers"),
        pytest.param([True, False, None], {"true", "false", MISSING}, id="booleans"),
        pytest.param([1, "a"], {"1", "a"}, id="both"),
    ],
)
def test_few_values_are_categories(values: list[Scalar], names: set[str]) -> None:
    rows = [({"x": values[at % len(values)]}, False) for at in range(90)]
    assert set(tally(Segments().observe(rows), "x")) == names


@pytest.mark.parametrize(
    ("frequent", "bins"),
    [(60, {"< 1": (61, 0), "≥ 1": (19, 0)}), (40, {"< 20": (60, 0), "≥ 20": (20, 0)})],
)
def test_a_number_with_one_frequent_value_has_fewer_bins(
    frequent: int, bins: dict[str, tuple[int, int]]
) -> None:
    rows = [({"x": float(max(at - frequent, 0))}, False) for at in range(80)]
    assert tally(Segments().observe(rows), "x") == bins


def test_the_first_rows_are_counted_as_soon_as_they_tell_what_a_column_is() -> None:
    seen = Segments()
    for at in range(63):
        seen = seen.observe([({"x": "a" if at % 2 else "b"}, at % 2 == 1)])
    assert seen.columns["x"].edges is None
    assert {one.value for one in seen.explain(5)} == {"a"}
    seen = seen.observe([({"x": "a"}, True)])
    assert tally(seen, "x") == {"a": (32, 32), "b": (32, 0)}


def test_the_most_frequent_values_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_VALUES", 3)
    rows = [({"x": f"v{at}" if at % 2 else "often"}, True) for at in range(1000)]
    seen = Segments().observe(rows)
    assert len(seen.columns["x"].tallies) == 3
    assert tally(seen, "x")["often"] == (500, 500)
    assert all(n == bad == 1 for name, (n, bad) in tally(seen, "x").items() if name != "often")
    # One that was there before is told by what was seen of it.
    again = seen.observe([({"x": "v1"}, False)])
    assert tally(again, "x")["v1"] == (1, 0)
    assert again.columns["x"].tallies["v1"].missed > 0


def test_columns_and_rows_of_a_tick_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_COLUMNS", 2)
    monkeypatch.setattr(module, "MOST_CELLS", 30)
    row: dict[str, Scalar] = {"a": "x", "b": "y", "c": "z"}
    seen = Segments().observe([(row, True)] * 50)
    assert seen.total == Counts(10, 10)
    assert set(seen.columns) == {"a", "b"}


def test_what_chance_alone_gives_is_no_explanation() -> None:
    assert Segments().explain(5) == ()
    even = [({"sex": "f" if at % 2 else "m"}, at % 4 < 2) for at in range(400)]
    assert Segments().observe(even).explain(5) == ()
    few = [({"sex": "f" if at == 0 else "m"}, at == 0) for at in range(3)]
    assert Segments().observe(few).explain(5) == ()


def test_a_lower_rate_explains_nothing_and_all_alike_neither() -> None:
    rows = [({"sex": "f" if at % 2 else "m"}, at % 2 == 0) for at in range(400)]
    (only,) = Segments().observe(rows).explain(5)
    assert (only.column, only.value, only.counts) == ("sex", "m", Counts(200, 200))
    same = [({"sex": "f"}, True) for _ in range(400)]
    assert Segments().observe(same).explain(5) == ()


def test_the_best_come_first_and_no_more_than_asked_for() -> None:
    rows = [({f"c{column}": at % (column + 2) for column in range(9)}, at % 2 == 0)
            for at in range(5000)]  # fmt: skip
    found = Segments().observe(rows).explain(3)
    assert (found[0].column, found[0].value) == ("c0", "0")
    assert len(found) == 3
