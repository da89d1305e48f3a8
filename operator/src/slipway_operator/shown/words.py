"""Values as short words: ages, sizes, numbers. Pure."""

from datetime import UTC, datetime

MINUTE = 60
HOUR = 60 * MINUTE
DAY = 24 * HOUR


def format_age(seconds: float) -> str:
    """As kubectl: `45s`, `3m20s`, `15m`, `5h30m`, `9d`, `2y40d`; never negative."""
    left = max(0, int(seconds))
    if left < 2 * MINUTE:
        return f"{left}s"
    if left < 10 * MINUTE:
        return _two(left, MINUTE, "m", 1, "s")
    if left < 3 * HOUR:
        return f"{left // MINUTE}m"
    if left < 8 * HOUR:
        return _two(left, HOUR, "h", MINUTE, "m")
    if left < 2 * DAY:
        return f"{left // HOUR}h"
    if left < 8 * DAY:
        return _two(left, DAY, "d", HOUR, "h")
    if left < 2 * 365 * DAY:
        return f"{left // DAY}d"
    return _two(left, 365 * DAY, "y", DAY, "d")


def age_of(timestamp: str | None, now: datetime) -> str:
    """The age of an RFC 3339 time, or `<unknown>`."""
    moment = read_time(timestamp)
    return "<unknown>" if moment is None else format_age((now - moment).total_seconds())


def read_time(timestamp: str | None) -> datetime | None:
    """An RFC 3339 time in UTC, or None when there is none or it cannot be read."""
    if not timestamp:
        return None
    try:
        moment = datetime.fromisoformat(timestamp)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def format_seconds(seconds: float) -> str:
    """`0.4 s`, `12 s`, `3m20s`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    return f"{seconds:.0f} s" if seconds < 2 * MINUTE else format_age(seconds)


def format_number(value: object) -> str:
    """A number for reading: 4 significant digits, no trailing zeros; anything else as it is."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "" if value is None else str(value)
    if isinstance(value, int):
        return str(value)
    return f"{value:.4g}"


def format_bytes(size: float) -> str:
    """`512 B`, `12.4 kB`, `1.9 MB`: powers of 1000, 3 significant digits."""
    units = ("B", "kB", "MB", "GB", "TB")
    at = 0
    while float(f"{size:.3g}") >= 1000 and at < len(units) - 1:
        size, at = size / 1000, at + 1
    return f"{size:.3g} {units[at]}"


def count(number: int, noun: str) -> str:
    """`1 row`, `8 rows`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _two(left: int, big: int, big_name: str, small: int, small_name: str) -> str:
    rest = left % big // small
    return f"{left // big}{big_name}" + (f"{rest}{small_name}" if rest else "")
