"""Short words for values."""

from datetime import UTC, datetime

import pytest

from slipway_operator.shown.words import (
    age_of,
    count,
    format_age,
    format_bytes,
    format_number,
    format_seconds,
)

MINUTE, HOUR, DAY = 60, 3600, 86400


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "0s"),
        (0, "0s"),
        (119, "119s"),
        (2 * MINUTE, "2m"),
        (3 * MINUTE + 20, "3m20s"),
        (10 * MINUTE + 59, "10m"),
        (3 * HOUR + 5 * MINUTE, "3h5m"),
        (8 * HOUR + 59 * MINUTE, "8h"),
        (47 * HOUR, "47h"),
        (2 * DAY + 3 * HOUR, "2d3h"),
        (9 * DAY, "9d"),
        (400 * DAY, "400d"),
        (770 * DAY, "2y40d"),
    ],
)
def test_an_age_is_written_as_kubectl_does(seconds: float, text: str) -> None:
    assert format_age(seconds) == text


def test_an_age_needs_a_time_that_can_be_read() -> None:
    now = datetime(2026, 1, 2, 3, 5, 5, tzinfo=UTC)
    assert age_of("2026-01-02T03:04:05Z", now) == "60s"
    assert age_of(None, now) == "<unknown>"
    assert age_of("yesterday", now) == "<unknown>"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.1920928955e-07, "1.192e-07"),
        (0.5, "0.5"),
        (3, "3"),
        (True, "True"),
        (None, ""),
        ("Adelie", "Adelie"),
        (123456.7, "1.235e+05"),
    ],
)
def test_a_number_is_short(value: object, text: str) -> None:
    assert format_number(value) == text


def test_seconds_and_counts() -> None:
    assert [format_seconds(each) for each in (0.04, 9.96, 12.4, 130)] == [
        "0.0 s", "10.0 s", "12 s", "2m10s",
    ]  # fmt: skip
    assert [format_bytes(each) for each in (0, 999, 999_500, 1_892_242, 2e12)] == [
        "0 B", "999 B", "1 MB", "1.89 MB", "2 TB",
    ]  # fmt: skip
    assert [count(1, "row"), count(0, "row"), count(1024, "row")] == [
        "1 row", "0 rows", "1,024 rows",
    ]  # fmt: skip
