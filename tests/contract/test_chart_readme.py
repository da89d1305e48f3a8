"""The chart's page tells every value, as values.yaml does."""

from chart_readme import README, render_readme


def test_the_page_is_what_the_values_say() -> None:
    # `make generate` writes it.
    assert README.read_text() == render_readme()


def test_every_value_is_explained() -> None:
    rows = [line for line in README.read_text().splitlines() if line.startswith("| `")]
    assert len(rows) > 30
    assert [row for row in rows if row.endswith("|  |")] == []
