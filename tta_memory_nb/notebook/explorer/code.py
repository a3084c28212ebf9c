"""The Python code that finds the records of a view, whatever text a query or a filter holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import date, datetime, timedelta
from enum import Enum
from itertools import repeat
from numbers import Integral, Real
from typing import Any
from unicodedata import category

from ...codec import to_plain
from ...filters import FilterArgs
from ...imported import imported
from ...search.request import SearchMode

# Python prints these, though nobody sees them: fillers and blanks, and what chooses among forms of a letter.
_INVISIBLE = frozenset(
    [
        *"\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0",
        *map(chr, range(0xFE00, 0xFE10)),
        *map(chr, range(0xE0100, 0xE01F0)),
    ]
)
_LONGEST_DECIMAL = 10**4000


def search_call(
    query: str, mode: SearchMode, filters: Mapping[str, Any], limit: int | None = None
) -> str:
    """Returns the code of a call that finds what a view shows, newest first.

    Args:
        query: the text that is searched for; empty for all records.
        mode: how to search.
        filters: the filters of `FilterArgs`.
        limit: how many records at most; None for all.

    Returns:
        A call of ``memory.sync``, in one line, after the imports that it needs. Characters that nobody sees are
        written as escape sequences.
    """
    code = _Code()
    named = {"limit": limit, **filters}
    arguments = [
        f"{name}={code.literal(named[name])}" for name in ("limit", *_FILTERS) if name in named
    ]
    if query:
        arguments.insert(0, code.literal(query))
        arguments[2:2] = [f"mode={code.literal(mode)}"] if mode != "keyword" else []
    verb = "search_records" if query else "records"
    call = f"memory.sync.{verb}({', '.join(arguments)})"
    return "\n".join([*(f"import {module}" for module in sorted(code.modules)), call])


def finding_call(check: str, keys: Sequence[str]) -> str:
    """Returns the code of a call that gives the records of a finding, or of very many the findings themselves.

    Args:
        check: the name of the check.
        keys: of the records, in order.
    """
    code = _Code()
    if len(keys) <= _MOST_KEYS:
        return f"memory.sync.peek({code.literal(list(keys))})"
    return f"memory.sync.diagnose({code.literal(check)})"


_MOST_KEYS = 50
_FILTERS: tuple[str, ...] = tuple(FilterArgs.__annotations__)


class _Code:
    """Writes values as Python code.

    Attributes:
        modules: what the code needs to import.
    """

    def __init__(self) -> None:
        self.modules: set[str] = set()

    def literal(self, value: Any) -> str:
        """Returns code for a value that means the same in a filter."""
        if isinstance(value, Enum):
            return self.literal(value.value)
        if value is None or isinstance(value, bool):
            return repr(value)
        if isinstance(value, str):
            return text_literal(value)
        if isinstance(value, Mapping):
            items = (f"{self.literal(name)}: {self.literal(each)}" for name, each in value.items())
            return f"{{{', '.join(items)}}}"
        if isinstance(value, (list, tuple)):
            return self._listed(value)
        if is_dataclass(value) and not isinstance(value, type):
            return self.literal({each.name: getattr(value, each.name) for each in fields(value)})
        return self._instant(value) or self._number(value) or self._other(value)

    def _listed(self, values: Iterable[Any]) -> str:
        return f"[{', '.join(map(self.literal, values))}]"

    def _instant(self, value: Any) -> str | None:
        if (pandas := imported("pandas")) and isinstance(
            value, (pandas.Timestamp, pandas.Timedelta)
        ):
            self.modules.add("pandas")
            return f"pandas.{type(value).__name__}({value.isoformat()!r})"
        if (numpy := imported("numpy")) and isinstance(value, numpy.datetime64):
            self.modules.add("numpy")
            return f"numpy.datetime64({str(value)!r})"
        if isinstance(value, timedelta):
            self.modules.add("datetime")
            parts = {
                "days": value.days,
                "seconds": value.seconds,
                "microseconds": value.microseconds,
            }
            given = (f"{name}={number}" for name, number in parts.items() if number)
            return f"datetime.timedelta({', '.join(given)})"
        if isinstance(value, datetime):
            return self._datetime(value)
        if isinstance(value, date):
            self.modules.add("datetime")
            return f"datetime.date({value.year}, {value.month}, {value.day})"
        return None

    def _datetime(self, value: datetime) -> str:
        self.modules.add("datetime")
        parts = [value.year, value.month, value.day, value.hour, value.minute, value.second]
        arguments = list(map(str, parts))
        if value.microsecond:
            arguments.append(str(value.microsecond))
        if (offset := value.utcoffset()) == timedelta(0):
            arguments.append("tzinfo=datetime.timezone.utc")
        elif offset is not None:
            # The offset says which instant is meant, whatever becomes of the rules of the time zone.
            zone = self.literal(offset)
            arguments.append(f"tzinfo=datetime.timezone({zone})")
        elif value.fold:
            arguments.append("fold=1")
        return f"datetime.datetime({', '.join(arguments)})"

    def _number(self, value: Any) -> str | None:
        if (decimal := imported("decimal")) and isinstance(value, decimal.Decimal):
            self.modules.add("decimal")
            return f"decimal.Decimal({str(value)!r})"
        if isinstance(value, Integral):
            number = int(value)
            # Python writes no decimal number of more than some thousands of digits.
            return str(number) if abs(number) < _LONGEST_DECIMAL else hex(number)
        return repr(float(value)) if isinstance(value, Real) else None

    def _other(self, value: Any) -> str:
        """Returns code for what a filter compares as the JSON that is stored of it."""
        return self.literal(to_plain({"value": value})["value"])


def text_literal(text: str) -> str:
    """Returns a text as a Python literal in which nothing is invisible, or combines with its quotes."""
    quote = "'" if '"' in text and "'" not in text else '"'
    escaped = map(_escaped, text, (quote, *text), repeat(quote))
    return f"{quote}{''.join(escaped)}{quote}"


def _escaped(character: str, before: str, quote: str) -> str:
    if character in ("\\", quote):
        return f"\\{character}"
    is_seen = character.isprintable() and character not in _INVISIBLE
    if category(character)[0] == "M":
        is_seen = is_seen and before.isprintable() and before not in "\"'"
    return character if is_seen else character.encode("unicode_escape").decode()
