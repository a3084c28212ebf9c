"""Operands of `where` that are compared as the numbers and instants they are, not as the text they are stored as.

The text that a value is stored as has not the order of Decimals ("9" > "10") nor of instants in several
time zones. An operand of such a type is therefore compared with the number or the instant that a stored text
stands for. A text that stands for neither is of another kind, and no comparison with it holds.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, fields, is_dataclass
from datetime import date, datetime, timedelta, timezone
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeAlias

from ..codec import to_plain
from ..imported import imported

if TYPE_CHECKING:
    from decimal import Decimal

Ticks: TypeAlias = tuple[timedelta, str]
"""An instant since 1970 in whole seconds, and the digits of its fraction of a second."""

_AMOUNT = re.compile(r"-?\d{1,10000}(?:\.\d{1,10000})?(?:E[+-]?\d{1,20})?", re.ASCII)
_MOMENT = re.compile(
    r"(\d{4}-\d\d-\d\d)"
    r"(?:[T ](\d\d(?::\d\d(?::\d\d)?)?)(?:\.(\d{1,18}))?(Z|[+-]\d\d:?\d\d(?::?\d\d)?)?)?",
    re.ASCII,
)
_UNIX = datetime(1970, 1, 1, tzinfo=timezone.utc).replace(tzinfo=None)


@dataclass(frozen=True, slots=True)
class Amount:
    """A Decimal as an operand.

    Attributes:
        text: the text that it is stored as.
        number: the number.
    """

    text: str
    number: Decimal

    def pair(self, leaf: Any) -> tuple[Any, Any] | None:
        """Returns the two numbers to compare, the stored one first; None if the leaf is no number."""
        from decimal import Decimal, InvalidOperation

        if isinstance(leaf, str):
            if not _AMOUNT.fullmatch(leaf):
                return None
            try:
                number = Decimal(leaf)
            except InvalidOperation:  # an exponent that no Decimal has
                return None
            # No Decimal is stored as "007", so such text is no number.
            return (number, self.number) if str(number) == leaf else None
        if isinstance(leaf, bool) or not isinstance(leaf, (int, float)):
            return None
        # A float counts as the number that its JSON shows: 0.1 is Decimal("0.1").
        return Decimal(leaf if isinstance(leaf, int) else repr(leaf)), self.number


@dataclass(frozen=True, slots=True)
class Moment:
    """A date or a datetime as an operand.

    Attributes:
        text: the text that it is stored as.
        written: what its text says; None if the text has a time zone.
        instant: the instant in UTC. A datetime without a time zone is local time, as everywhere in
            Python; a date, and a datetime64 of NumPy, is in UTC.
    """

    text: str
    written: Ticks | None
    instant: Ticks

    def pair(self, leaf: Any) -> tuple[Any, Any] | None:
        """Returns the two instants to compare, the stored one first; None if the leaf is no instant.

        A stored text without a time zone is UTC, unless the operand has none either.
        """
        if not isinstance(leaf, str) or (stored := _parts(leaf)) is None:
            return None
        at, fraction = stored
        if at.tzinfo is None and self.written is not None:
            return (at - _UNIX, fraction), self.written
        return (_since_1970(at), fraction), self.instant


def _parts(text: str) -> tuple[datetime, str] | None:
    """Returns the instant to the second, and the digits of its fraction, which sort as text."""
    found = _MOMENT.fullmatch(text)
    if found is None:
        return None
    day, clock, fraction, zone = found.groups()
    try:
        at = datetime.fromisoformat(f"{day}T{clock or '00'}{zone or ''}")
    except ValueError:
        return None
    return at, (fraction or "").rstrip("0")


def _since_1970(at: datetime) -> timedelta:
    return at.replace(tzinfo=None) - _UNIX - (at.utcoffset() or timedelta(0))


def operand(value: Any, name: str) -> Any:
    """Returns an operand: plain JSON, in which an `Amount` or a `Moment` stands for a Decimal or an instant.

    An infinity and a NaN, which no record has, stay what they are: every number is below infinity, and a NaN equals nothing.

    Args:
        value: what the caller compares with.
        name: what an error calls it.

    Raises:
        NotStorable: JSON cannot hold the value, so no record can have it.
    """
    return _typed(value, to_plain({name: _finite(value)}, "where")[name])


def has_order(value: Any) -> bool:
    """Returns whether the text that a value is stored as, if it is text, sorts as the value does."""
    pathlib = imported("pathlib")
    if isinstance(value, Enum):
        return has_order(value.value)
    return not isinstance(value, (bytes, bytearray)) and not (
        pathlib is not None and isinstance(value, pathlib.PurePath)
    )


def _unbounded(value: Any) -> float | Amount | None:
    """Returns the operand that an infinity or a NaN is; None for any other value."""
    if isinstance(value, float):
        return None if math.isfinite(value) else float(value)
    decimal = imported("decimal")
    if decimal is not None and isinstance(value, decimal.Decimal):
        if value.is_nan():
            return math.nan  # a Decimal has no order with its own NaN
        return Amount(str(value), value) if value.is_infinite() else None
    numpy = imported("numpy")
    if numpy is not None and isinstance(value, numpy.floating) and not numpy.isfinite(value):
        return float(value)
    return None


def _finite(value: Any) -> Any:
    """Returns the value with null in place of each infinity and NaN, which JSON lacks."""
    if _unbounded(value) is not None:
        return None
    if type(value) in (list, tuple):
        return list(map(_finite, value))
    if type(value) is dict:
        return {name: _finite(child) for name, child in value.items()}
    return value


def _typed(value: Any, plain: Any) -> Any:
    """Returns the plain JSON of a value with what it is in place of the text of some types."""
    if plain is None:
        return _unbounded(value)
    if isinstance(value, Enum):
        return _typed(value.value, plain)
    if isinstance(plain, str):
        return plain if isinstance(value, str) else _typed_leaf(value, plain)
    if isinstance(plain, list) and isinstance(value, (list, tuple)):
        return list(map(_typed, value, plain))
    if isinstance(plain, dict):
        if isinstance(value, dict):
            return dict(zip(plain, map(_typed, value.values(), plain.values()), strict=True))
        if is_dataclass(value):
            return {
                field.name: _typed(getattr(value, field.name), plain[field.name])
                for field in fields(value)
            }
    return plain


def _typed_leaf(value: Any, text: str) -> Any:
    if (decimal := imported("decimal")) and isinstance(value, decimal.Decimal):
        return Amount(text, value)
    numpy = imported("numpy")
    if not isinstance(value, date) and not (numpy and isinstance(value, numpy.datetime64)):
        return text
    parts = _parts(text)
    if parts is None:  # a year or a month of NumPy
        return text
    at, fraction = parts
    if at.tzinfo is not None:
        return Moment(text, None, (_since_1970(at), fraction))
    written = (at - _UNIX, fraction)
    if not isinstance(value, datetime):
        return Moment(text, written, written)
    try:
        local = at.replace(fold=value.fold).astimezone(timezone.utc)
    except (OverflowError, OSError, ValueError):  # the first and the last day of the calendar
        return Moment(text, written, written)
    return Moment(text, written, (_since_1970(local), fraction))
