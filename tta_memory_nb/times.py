"""Conversion of instants and durations as people write them to Unix seconds and seconds."""

from __future__ import annotations

import re
import sys
from datetime import date, datetime, timedelta, timezone
from numbers import Real
from typing import TypeAlias

from .errors import InvalidArgument, brief

Duration: TypeAlias = float | timedelta | str
"""Seconds, a timedelta, or text such as ``"90s"``, ``"15m"``, ``"1h30m"``, ``"7d"``."""

Instant: TypeAlias = float | date | timedelta | str
"""Unix seconds, a datetime, ISO 8601 text or a year. A timedelta or the text of a `Duration` counts back from now."""

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_PARTS = re.compile(r"(?:\d+(?:\.\d+)?[smhdw])+", re.ASCII)
_PART = re.compile(r"(\d+(?:\.\d+)?)([smhdw])", re.ASCII)

# What datetime can show: the years 1 to 9999. A TTL stays well inside.
_FIRST_INSTANT, _LAST_INSTANT = -62_135_596_800.0, 253_402_300_799.0
_LONGEST = 100_000_000_000.0


def duration(value: Duration, name: str = "ttl") -> float:
    """A positive, finite number of seconds.

    Raises:
        InvalidArgument: anything else, naming the argument and the value.
    """
    seconds: float | None = None
    if isinstance(value, timedelta):
        seconds = value.total_seconds()
    elif isinstance(value, str):
        seconds = _written_duration(value)
    elif _is_number(value):
        seconds = value
    if seconds is None or not 0 < seconds <= _LONGEST:
        raise InvalidArgument(
            f"{name}={brief(value)}: give a positive number of seconds (at most 1e11), a timedelta or text such as "
            "'90s', '15m', '2h' or '7d'"
        )
    return float(seconds)


def instant(value: Instant, now: float, name: str = "instant") -> float:
    """Unix seconds.

    A datetime without a time zone is local time, as everywhere in Python; text without one is
    UTC, as in the tables this package shows.

    Args:
        value: the instant as its user wrote it.
        now: Unix seconds that "2h ago" counts from.
        name: how the error calls the argument.

    Raises:
        InvalidArgument: not an instant, or outside the years 1 to 9999.
    """
    seconds: float | None = None
    try:
        if isinstance(value, str):
            seconds = _written_instant(value, now)
        elif isinstance(value, timedelta):
            seconds = now - value.total_seconds()
        elif isinstance(value, datetime):
            seconds = value.timestamp()
        elif isinstance(value, date):
            seconds = datetime(value.year, value.month, value.day, tzinfo=timezone.utc).timestamp()
        elif _is_number(value):
            seconds = float(value)
    except (ValueError, OverflowError, OSError):
        seconds = None
    if seconds is None or not _FIRST_INSTANT <= seconds <= _LAST_INSTANT:
        raise InvalidArgument(
            f"{name}={brief(value)}: give a datetime, Unix seconds, ISO 8601 text such as "
            "'2026-11-22' or '2026-11-22T15:00Z', or how long ago: '15m', '2h', '7d'"
        )
    return seconds


def _is_number(value: object) -> bool:
    # NumPy's numbers are real numbers too; so says its timedelta64, which is none without its unit.
    numpy = sys.modules.get("numpy")
    return (
        isinstance(value, Real)
        and not isinstance(value, bool)
        and not (numpy is not None and isinstance(value, numpy.timedelta64))
    )


def _written_duration(text: str) -> float | None:
    text = text.strip()
    if _PARTS.fullmatch(text):
        return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))
    try:
        return float(text)
    except ValueError:
        return None


def _written_instant(text: str, now: float) -> float:
    text = text.strip()
    if text[4:5] == "-" and text[:4].isdigit():  # by far the most: a year and a dash
        return _iso_instant(text)
    if _PARTS.fullmatch(text):
        return now - sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))
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
