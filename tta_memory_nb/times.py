"""Instants and durations: read from what people write, shown as people read them."""

from __future__ import annotations

import math
import re
from datetime import date, datetime, timedelta, timezone
from numbers import Real
from typing import Any, TypeAlias

from .errors import InvalidArgument
from .imported import imported

Duration: TypeAlias = float | timedelta | str
"""Seconds, a timedelta (also of NumPy), or text such as ``"90s"``, ``"15m"``, ``"1h30m"``, ``"7d"``."""

Instant: TypeAlias = float | date | timedelta | str
"""Unix seconds, a datetime, a datetime64 of NumPy (which is in UTC), ISO 8601 text or a year. A timedelta or a duration in text counts back from now."""

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_PARTS = re.compile(r"(?:\d+(?:\.\d+)?[smhdw])+", re.ASCII)
_PART = re.compile(r"(\d+(?:\.\d+)?)([smhdw])", re.ASCII)
# The end of ISO 8601 text that has a time of day: seconds with a fraction, perhaps, then the zone.
_FRACTION = re.compile(r":\d\d[.,](\d+)(?:Z|[+-][\d:.]+)?", re.ASCII)
_YEAR_AND_DASH = re.compile(r"\d{4}-", re.ASCII)

# The range of datetime: the years 1 to 9999. Now plus the longest duration stays inside it.
_FIRST_INSTANT, _LAST_INSTANT = -62_135_596_800.0, 253_402_300_799.0
_LONGEST = 100_000_000_000.0
_LONGEST_WEEKS = int(_LONGEST / 604_800)
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def duration(value: Duration, name: str = "ttl") -> float:
    """Reads a duration.

    Args:
        value: the duration as the caller wrote it.
        name: the argument's name, for the error.

    Returns:
        Seconds: positive, finite, at most 1e11.

    Raises:
        InvalidArgument: not such a duration.
    """
    seconds: float | None = None
    given = _from_numpy(value)
    if isinstance(given, timedelta):
        seconds = given.total_seconds()
    elif isinstance(given, str):
        seconds = _duration_in_text(given)
    elif _is_number(given):
        seconds = given
    if seconds is None or not 0 < seconds <= _LONGEST:
        raise InvalidArgument.about(
            name,
            value,
            "give a positive number of seconds (at most 1e11), a timedelta or text such as "
            "'90s', '15m', '2h' or '7d'",
        )
    return float(seconds)


def instant(value: Instant, now: float, name: str = "instant") -> float:
    """Reads an instant.

    A datetime without a time zone is local time, as everywhere in Python, also if it is a Timestamp of
    pandas. Text without a time zone is UTC, as in the tables that this package shows, and so is a datetime64
    of NumPy, which is what a column of such a table holds.

    Args:
        value: the instant as the caller wrote it.
        now: Unix seconds from which a relative instant such as "2h" counts back.
        name: the argument's name, for the error.

    Returns:
        Unix seconds.

    Raises:
        InvalidArgument: not an instant, or outside the years 1 to 9999.
    """
    seconds: float | None = None
    given = _from_numpy(value)
    try:
        if isinstance(given, str):
            seconds = _instant_in_text(given, now)
        elif isinstance(given, timedelta):
            seconds = now - given.total_seconds()
        elif isinstance(given, datetime):
            seconds = _seconds(given)
        elif isinstance(given, date):
            seconds = datetime(given.year, given.month, given.day, tzinfo=timezone.utc).timestamp()
        elif _is_number(given):
            seconds = float(given)
    except (ValueError, OverflowError, OSError):
        seconds = None
    if seconds is None or not _FIRST_INSTANT <= seconds <= _LAST_INSTANT:
        raise InvalidArgument.about(
            name,
            value,
            "give a datetime, Unix seconds, ISO 8601 text such as '2026-11-22' or "
            "'2026-11-22T15:00Z', or how long ago: '15m', '2h', '7d'",
        )
    return seconds


def counted_back(value: object) -> float | None:
    """Returns how many seconds an instant counts back from now.

    Args:
        value: the instant as the caller wrote it.

    Returns:
        Seconds; None for an instant that does not move with the clock, and for what is not an instant.
    """
    value = _from_numpy(value)
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, str) and _PARTS.fullmatch(text := value.strip()):
        return _seconds_of_parts(text)
    return None


def span(value: Instant, now: float, name: str = "instant") -> tuple[float, float]:
    """Reads an instant as the span of time that shows as this instant.

    Tables and files show instants to the microsecond, notebooks and messages to the second. ISO 8601 text
    stands for as much time as its last digit: ``2026-11-22 15:00:00Z`` for a second. Text without
    seconds stands for the first second of its minute or day. Everything else stands for a microsecond.

    Args:
        value: the instant as the caller wrote it.
        now: Unix seconds from which a relative instant such as "2h" counts back.
        name: the argument's name, for the error.

    Returns:
        The first and the last microsecond of the span, in Unix seconds.

    Raises:
        InvalidArgument: not an instant, or outside the years 1 to 9999.
    """
    first = instant(value, now, name)
    if not isinstance(value, str) or not _YEAR_AND_DASH.match(value.strip()):
        return first, first
    found = _FRACTION.search(value)
    digits = len(found[1]) if found else 0
    return first, (microseconds(first) + 10 ** max(6 - digits, 0) - 1) / 1_000_000


def earliest(at: float) -> float:
    """Returns the earliest float that is the same microsecond as an instant, both in Unix seconds."""
    return _last_of_microsecond(at, -math.inf)


def latest(at: float) -> float:
    """Returns the latest float that is the same microsecond as an instant, both in Unix seconds."""
    return _last_of_microsecond(at, math.inf)


def _last_of_microsecond(at: float, towards: float) -> float:
    wanted = microseconds(at)
    # A microsecond is some floats long in our time: the neighbours of its border decide.
    border = (2 * wanted + (1 if towards > 0 else -1)) / 2_000_000
    while microseconds(border) != wanted and border != at:
        border = math.nextafter(border, at)
    while microseconds(beyond := math.nextafter(border, towards)) == wanted:
        border = beyond
    return border


def microseconds(at: float) -> int:
    """Rounds Unix seconds to microseconds, as datetime does."""
    # The product of all seconds and a million would be rounded before it is rounded to an integer.
    fraction, seconds = math.modf(at)
    return int(seconds) * 1_000_000 + round(fraction * 1_000_000)


def shown_instant(seconds: float) -> str:
    """An instant as messages, reprs and tables show it: ``2026-11-22 15:00:00Z``.

    Args:
        seconds: Unix seconds.

    Returns:
        Date and time in UTC, to the second. Outside the years 1 to 9999, where there is no date, the
        Unix seconds.
    """
    if not _FIRST_INSTANT <= seconds <= _LAST_INSTANT:
        return f"{seconds:.0f} (Unix seconds)"
    # Not fromtimestamp(), which fails for early years on Windows.
    moment = (_EPOCH + timedelta(seconds=seconds)).replace(microsecond=0, tzinfo=None)
    return f"{moment.isoformat(' ')}Z"


_DISTANCES = ((3600, 60, "min"), (86_400, 3600, "h"), (7 * 86_400, 86_400, "day"))
"""Below so many seconds, a distance is counted in units of so many seconds."""


def ago(at: float, now: float) -> str:
    """An instant as people say it: ``just now``, ``5 min ago``, ``in 3 h``, ``2 days ago``, ``2018-05-02``.

    Args:
        at: the instant in Unix seconds.
        now: the present in Unix seconds.

    Returns:
        The distance for a week; beyond that the date in UTC.
    """
    distance = abs(now - at)
    if distance < 60:
        return "just now" if at < now + 1 else f"in {distance:.0f} s"
    for below, seconds, unit in _DISTANCES:
        if distance < below:
            count = int(distance // seconds)
            text = f"{count} {unit}{'s' if unit == 'day' and count > 1 else ''}"
            return f"{text} ago" if at < now else f"in {text}"
    return shown_instant(at).partition(" ")[0]


def _seconds(value: datetime) -> float:
    if value.tzinfo is None and type(value) is not datetime and value == value:  # noqa: PLR0124  NaT
        # pandas has its own rule, by which a Timestamp without a time zone is UTC.
        value = datetime.combine(value.date(), value.time())
    return value.timestamp()


def _from_numpy(value: Any) -> Any:
    """Returns a datetime in UTC for a datetime64 of NumPy, a timedelta for a timedelta64, and anything else as it is.

    What means no instant and no duration stays as it is as well: NaT, a number without a unit, months and years,
    which are not of one length, and what is out of the range of every instant and duration.
    """
    numpy = imported("numpy")
    if numpy is None or not isinstance(value, (numpy.datetime64, numpy.timedelta64)):
        return value
    unit, _ = numpy.datetime_data(value.dtype)
    if numpy.isnat(value) or unit == "generic":
        return value
    # Whether it is in range is asked in units so large that no number of them overflows.
    if isinstance(value, numpy.datetime64):
        if not 1 <= int(value.astype("datetime64[Y]").astype(int)) + 1970 <= 9999:
            return value
        return value.astype("datetime64[us]").item().replace(tzinfo=timezone.utc)
    if unit in ("M", "Y") or abs(int(value.astype("timedelta64[W]").astype(int))) > _LONGEST_WEEKS:
        return value
    return value.astype("timedelta64[us]").item()


def _is_number(value: object) -> bool:
    # NumPy's numbers are registered as Real, and so is its timedelta64, which means nothing without its unit.
    numpy = imported("numpy")
    return (
        isinstance(value, Real)
        and not isinstance(value, bool)
        and not (numpy is not None and isinstance(value, numpy.timedelta64))
    )


def _duration_in_text(text: str) -> float | None:
    text = text.strip()
    if _PARTS.fullmatch(text):
        return _seconds_of_parts(text)
    try:
        return float(text)
    except ValueError:
        return None


def _seconds_of_parts(text: str) -> float:
    return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))


def _instant_in_text(text: str, now: float) -> float:
    text = text.strip()
    if text[4:5] == "-" and text[:4].isdigit():  # by far the most frequent form: a year and a dash
        return _iso_instant(text)
    if _PARTS.fullmatch(text):
        return now - _seconds_of_parts(text)
    # Four digits are a year, eight the ISO basic date 20261122; other numbers are Unix seconds.
    if len(text) == 4 and text.isdigit():
        return datetime(int(text), 1, 1, tzinfo=timezone.utc).timestamp()
    if len(text) != 8 or not text.isdigit():
        try:
            return float(text)
        except ValueError:
            pass
    return _iso_instant(text)


def _iso_instant(text: str) -> float:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)
    return moment.timestamp()
