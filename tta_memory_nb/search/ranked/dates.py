"""Instants and temporal expressions in texts, as people and programs write them."""

from __future__ import annotations

import re
from datetime import date
from functools import lru_cache
from typing import NamedTuple

_MONTHS = (
    *("january", "february", "march", "april", "may", "june", "july"),
    *("august", "september", "october", "november", "december"),
)
_NUMBER_OF = {
    spelt: number
    for number, month in enumerate(_MONTHS, 1)
    for spelt in (month, month[:3], *(("sept",) if number == 9 else ()))
}
_MONTH = "|".join(sorted(_NUMBER_OF, key=len, reverse=True))
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

_YEAR = r"(?P<year>\d{4})"
_DAY = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?"
_FORMS = tuple(
    re.compile(form, re.ASCII | re.IGNORECASE)
    for form in (
        rf"\b{_YEAR}-(?P<number>\d\d)-(?P<day>\d\d)(?=\D|$)",
        rf"\b{_DAY}(?:\s+of)?\s+(?P<month>{_MONTH})\b\.?(?:,?\s+{_YEAR}\b)?",
        rf"\b(?P<month>{_MONTH})\b\.?\s+{_DAY}\b(?:,?\s+{_YEAR}\b)?",
        rf"\b(?P<month>{_MONTH})\b\.?,?\s+{_YEAR}\b",
        rf"\b(?P<day>\d{{1,2}})\.(?P<number>\d{{1,2}})\.{_YEAR}\b",
    )
)
# A month alone. "may" and "march" are other words as well.
_MONTH_ALONE = re.compile(
    rf"\b(?P<month>{'|'.join(name for name in _MONTHS if name not in ('may', 'march'))})\b",
    re.ASCII | re.IGNORECASE,
)
# What may stand around a date in a text that is one instant.
_AROUND = re.compile(
    r"(?<!\d)\d{1,2}(?::\d\d){1,2}(?:[.,]\d+)?(?:\s*[ap]\.?m\b\.?)?|[+-]\d\d:?\d\d|[\s,.TZ]|"
    r"\b(?:\d{1,2}\s*[ap]m|on|at|utc|gmt|"
    rf"{'|'.join(f'{day}|{day[:3]}' for day in _WEEKDAYS)})\b",
    re.ASCII | re.IGNORECASE,
)
_DIGIT = re.compile("[0-9]")
_LONGEST = 48
_EPOCH = date(1970, 1, 1).toordinal()

_ASKS_WHEN = re.compile(
    r"\b(?:when|how long|(?:what|which) (?:date|day|month|year|time|week))\b", re.IGNORECASE
)
TEMPORAL = (
    *("yesterday", "today", "tonight", "tomorrow", "ago", "recently", "last", "next", "week"),
    *("weeks", "weekend", "weekends", "month", "months", "year", "years", "day", "days"),
    *("since", "soon", "morning", "evening", "night"),
    *_WEEKDAYS,
    *(month for month in _MONTHS if month not in ("may", "march")),
    *map(str, range(1900, 2101)),
)
"""Words in small letters that tell when something happens. They have an order, since the first word of a term stands for it."""


class Asked(NamedTuple):
    """A date in a question.

    Attributes:
        text: the date as it is written.
        month: 1 to 12.
        year: None for any year.
        day: day of the month; None for the whole month.
    """

    text: str
    month: int
    year: int | None
    day: int | None


def day_of(text: str) -> int | None:
    """Returns the day that a text names if the text is one instant and nothing else.

    Args:
        text: such as ``"1:56 pm on 8 May, 2023"`` or ISO 8601.

    Returns:
        Days since 1970 (UTC, where the text has no zone); None for any other text.
    """
    return None if _DIGIT.search(text) is None else _day_of(text.strip())


@lru_cache(maxsize=4096)
def _day_of(text: str) -> int | None:
    if len(text) > _LONGEST:
        return None
    for form in _FORMS:
        found = form.search(text)
        if found and not _AROUND.sub("", text[: found.start()] + text[found.end() :]):
            asked = _asked(found)
            if asked is not None and asked.year is not None and asked.day is not None:
                return _ordinal(asked.year, asked.month, asked.day)
    return None


def day_of_seconds(seconds: float) -> int | None:
    """Returns the day of Unix seconds, or of milliseconds, as days since 1970.

    Args:
        seconds: a number in a field whose name stands for time.

    Returns:
        None for a number that is no instant of the years 1973 to 2286.
    """
    seconds = without_milliseconds(seconds)
    if not 1e8 <= seconds < 1e10:
        return None
    return day_of_instant(seconds)


def without_milliseconds(number: float) -> float:
    """Returns Unix seconds for a number of milliseconds, which stands out by its size, and any other number as it is."""
    return number / 1000 if 1e11 <= number < 1e13 else number


def iso_day(day: int) -> str:
    """Returns days since 1970 as an ISO 8601 date."""
    return date.fromordinal(day + _EPOCH).isoformat()


def dates_in(question: str) -> list[Asked]:
    """Returns the dates that a question names, in the order of their places."""
    found: list[tuple[int, Asked]] = []
    taken: list[tuple[int, int]] = []
    for form in (*_FORMS, _MONTH_ALONE):
        for match in form.finditer(question):
            if any(match.start() < end and start < match.end() for start, end in taken):
                continue
            asked = _asked(match)
            if asked is not None:
                taken.append(match.span())
                found.append((match.start(), asked))
    return [asked for _, asked in sorted(found)]


def asks_when(question: str) -> bool:
    """Returns whether a question asks for an instant or a length of time."""
    return bool(_ASKS_WHEN.search(question))


def nearness(day: int, asked: Asked) -> float:
    """Returns how near a record's day is to a date of a question, from 0 to 1.

    Things are told after they happened, so a day after the date is nearer than one before it.

    Args:
        day: days since 1970.
        asked: the date.
    """
    moment = date.fromordinal(max(1, min(day + _EPOCH, date.max.toordinal())))
    if asked.day is None:
        gap = moment.month - asked.month
        gap = gap % 12 if asked.year is None else gap + (moment.year - asked.year) * 12
        return {0: 1.0, 1: 0.5}.get(gap, 0.0)
    years = [asked.year] if asked.year is not None else range(moment.year - 1, moment.year + 2)
    days = [_ordinal(year, asked.month, asked.day) for year in years]
    return max((_by_gap(day - each) for each in days if each is not None), default=0.0)


def _by_gap(gap: int) -> float:
    if gap < 0:
        return 0.3 if gap >= -2 else 0.0
    for most, near in ((0, 1.0), (2, 0.9), (8, 0.6), (31, 0.3)):
        if gap <= most:
            return near
    return 0.0


def _asked(match: re.Match[str]) -> Asked | None:
    groups = match.groupdict()
    month = int(groups["number"]) if groups.get("number") else _NUMBER_OF[groups["month"].lower()]
    year = int(groups["year"]) if groups.get("year") else None
    day = int(groups["day"]) if groups.get("day") else None
    if (
        not 1 <= month <= 12
        or year == 0
        or (day is not None and _ordinal(year or 2024, month, day) is None)
    ):
        return None
    return Asked(match[0], month, year, day)


def _ordinal(year: int, month: int, day: int) -> int | None:
    try:
        return date(year, month, day).toordinal() - _EPOCH
    except ValueError:
        return None


def day_of_instant(at: float) -> int:
    """Returns the day of Unix seconds as days since 1970."""
    return int(at // 86_400)
