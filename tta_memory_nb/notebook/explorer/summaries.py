"""What the header shows of a column: a small histogram, or its most frequent values.

The work has bounds: of many records, a random sample is looked at. Each bar knows the filters that keep the
records it counts.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from random import Random
from typing import Any, Literal, TypeAlias

from ...entry import Entry
from ...keys import parse_memory_key
from ...table import ABSENT, Path
from ...text import leaf_text
from ...times import microseconds, shown_instant
from .cells import Column, created_at

MOST_COUNTED = 20_000
"""How many records are looked at."""

_MOST_BYTES = 20_000_000
_BARS = 12
_FEWEST = 3
"""Fewer records than this are seen at a glance."""

# What has more values, or longer ones, is no category that a record belongs to.
_MOST_VALUES, _LONGEST_VALUE = 50, 100
_SHOWN_VALUES = 20
_MICROSECONDS = 1_000_000
_DAY, _YEAR = 86_400, 31_536_000
_SECONDS = (
    *(1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800),
    *(3600, 7200, 10_800, 21_600, 43_200, _DAY, 2 * _DAY, 7 * _DAY, 14 * _DAY),
    *(30 * _DAY, 90 * _DAY, _YEAR),
)

Filter: TypeAlias = "dict[str, Any] | None"


@dataclass(frozen=True, slots=True)
class Bar:
    """Some records of a column.

    Attributes:
        text: the value that they have, or between which values theirs are.
        count: how many there are among those that were looked at.
        filter: the filters that only they pass; None if no filter can tell them.
    """

    text: str
    count: int
    filter: Filter = None


@dataclass(frozen=True, slots=True)
class Summary:
    """What the header shows of a column.

    Attributes:
        kind: whether the bars are intervals in their order, or values, the most frequent first.
        bars: at least one.
        others: how many records have other values than those of the bars.
    """

    kind: Literal["histogram", "values"]
    bars: tuple[Bar, ...]
    others: int = 0


def sample_of(entries: Sequence[Entry]) -> list[Entry]:
    """Returns the entries to look at, in their order: all, or so many at random that the work has bounds.

    Records in equal distances would not do: in a chat, every second one is by the same person.
    """
    kept = _some(entries, MOST_COUNTED)
    size = sum(len(entry.text) for entry in kept)
    return kept if size <= _MOST_BYTES else _some(kept, max(1, len(kept) * _MOST_BYTES // size))


def _some(entries: Sequence[Entry], most: int) -> list[Entry]:
    if len(entries) <= most:
        return list(entries)
    # The same choice for the same number of records, so that bars do not move without a reason.
    chosen = Random(len(entries)).sample(range(len(entries)), most)  # noqa: S311  no secret
    return [entries[at] for at in sorted(chosen)]


def summarize(
    column: Column,
    sample: Sequence[Entry],
    values: Sequence[dict[str, Any]],
    total: int,
    *,
    can_filter: bool,
) -> Summary | None:
    """Returns what the header shows of a column.

    Args:
        column: the column.
        sample: the entries to look at.
        values: their values.
        total: how many entries the sample stands for.
        can_filter: whether a condition on the field's name means this field.

    Returns:
        None if it would say nothing: all values are equal, all are different, or they are texts that
        are no categories.
    """
    # What numbers each record once has neighbours in such a distance.
    distance = 2 * total / max(1, len(sample))
    if column.path is not None:
        field = ".".join(column.path)
        is_named = can_filter and bool(field) and not field.startswith("$")
        leaves = [_leaf(value, column.path) for value in values]
        return _of_leaves(leaves, field if is_named else None, distance)
    if column.name in ("user", "session"):
        owners = (parse_memory_key(entry.key) for entry in sample)
        names = [ABSENT if owner is None else getattr(owner, column.name) for owner in owners]
        return _of_values(names, lambda name: {column.name: name})
    if column.name == "size":
        return _of_numbers([entry.size for entry in sample], None, distance)
    if (instant := _INSTANTS.get(column.name)) is not None:
        instants = (instant(entry) for entry in sample)
        return _of_instants(
            [microseconds(at) for at in instants if at is not None],
            can_filter=column.name == "updated",
        )
    return None


_INSTANTS: dict[str, Callable[[Entry], float | None]] = {
    "created": created_at,
    "updated": lambda entry: entry.updated_at,
    "expires": lambda entry: entry.expires_at,
}


def _leaf(value: dict[str, Any], path: Path) -> Any:
    leaf: Any = value
    for step in path:
        leaf = leaf.get(step, ABSENT) if isinstance(leaf, dict) else ABSENT
    return leaf


def _of_leaves(leaves: list[Any], field: str | None, distance: float) -> Summary | None:
    present = [leaf for leaf in leaves if leaf is not ABSENT]
    if any(isinstance(leaf, (list, dict)) for leaf in present):
        return None
    numbers = [leaf for leaf in present if leaf is not None]
    if numbers and all(_is_number(leaf) for leaf in numbers):
        return _of_numbers(numbers, field, distance)
    # An int counts as the float that equals it, but true is not 1.
    return _of_values(leaves, lambda leaf: None if field is None else {"where": {field: leaf}})


def _is_number(leaf: Any) -> bool:
    return isinstance(leaf, (int, float)) and not isinstance(leaf, bool)


# ---- values


def _of_values(leaves: Sequence[Any], filter_of: Callable[[Any], Filter]) -> Summary | None:
    counted: Counter[Any] = Counter()
    for leaf in leaves:
        if leaf is not ABSENT:
            counted[isinstance(leaf, bool), leaf] += 1
            if len(counted) > _MOST_VALUES:
                return None
    present = counted.total()
    is_equal = len(counted) == 1 and present == len(leaves)
    # Seven values in ten records are few enough for most of them to come again.
    is_different = len(counted) * 10 > present * 7
    if present < _FEWEST or is_equal or is_different:
        return None
    shown = counted.most_common(_SHOWN_VALUES)
    texts = [leaf_text(leaf) for (_, leaf), _ in shown]
    if max(map(len, texts)) > _LONGEST_VALUE:
        return None
    bars = [
        Bar(text, count, filter_of(leaf))
        for text, ((_, leaf), count) in zip(texts, shown, strict=True)
    ]
    return Summary("values", tuple(bars), present - sum(bar.count for bar in bars))


# ---- numbers and instants


def _of_numbers(numbers: list[Any], field: str | None, distance: float) -> Summary | None:
    if len(numbers) < _FEWEST:
        return None
    try:
        low, high = min(numbers), max(numbers)
        if low == high or _is_running(numbers, distance):
            return None
        are_whole = all(isinstance(number, int) for number in numbers)
        exact = _edges(Fraction(low), Fraction(high), _decimal_step, least=1 if are_whole else 0)
        edges = sorted({int(edge) if are_whole else float(edge) for edge in exact})
    except OverflowError:  # integers beyond the range of floats, among fractions
        return None

    def text(at: int) -> str:
        last = edges[at + 1] - 1 if are_whole else edges[at + 1]
        first = _number_text(edges[at])
        return first if last == edges[at] else f"{first} to {_number_text(last)}"

    def condition(at: int) -> Filter:
        if field is None:
            return None
        limits = {} if at == 0 else {"$gte": edges[at]}
        limits |= {} if at == len(edges) - 2 else {"$lt": edges[at + 1]}
        return {"where": {field: limits}}

    return _histogram(numbers, edges, text, condition)


def _is_running(numbers: list[Any], distance: float) -> bool:
    """Whether the numbers only number the records: each occurs once, and they lie close together."""
    return (
        len(set(numbers)) == len(numbers) and max(numbers) - min(numbers) < len(numbers) * distance
    )


def _number_text(number: float) -> str:
    if isinstance(number, int):
        return f"{number:,}" if abs(number) < 10**30 else f"{Decimal(number):.6g}"
    return repr(number)


def _of_instants(instants: list[int], *, can_filter: bool) -> Summary | None:
    """As `_of_numbers`, for instants in microseconds since 1970."""
    if len(instants) < _FEWEST or min(instants) == max(instants):
        return None
    exact = _edges(Fraction(min(instants)), Fraction(max(instants)), _time_step, least=1)
    edges = [int(edge) for edge in exact]

    def text(at: int) -> str:
        first, last = (shown_instant(edge / _MICROSECONDS) for edge in edges[at : at + 2])
        return f"{first} to {last}"

    def condition(at: int) -> Filter:
        if not can_filter:
            return None
        limits = {} if at == 0 else {"since": edges[at] / _MICROSECONDS}
        # Both limits belong to the range that they limit.
        limits |= {} if at == len(edges) - 2 else {"until": (edges[at + 1] - 1) / _MICROSECONDS}
        return limits

    return _histogram(instants, edges, text, condition)


def _histogram(
    numbers: Iterable[Any],
    edges: Sequence[Any],
    text: Callable[[int], str],
    condition: Callable[[int], Filter],
) -> Summary | None:
    inner = edges[1:-1]
    counts = Counter(bisect_right(inner, number) for number in numbers)
    bars = tuple(
        Bar(text(at), counts[at], condition(at) if counts[at] else None)
        for at in range(len(edges) - 1)
    )
    return Summary("histogram", bars) if len(bars) > 1 else None


def _edges(
    low: Fraction, high: Fraction, step_of: Callable[[Fraction], Fraction], *, least: int
) -> list[Fraction]:
    """Returns about a dozen edges at round numbers, the first and the last around all numbers."""
    step = max(step_of((high - low) / _BARS), Fraction(least))
    first, last = low // step, high // step + 1
    return [step * at for at in range(first, last + 1)]


def _decimal_step(at_least: Fraction) -> Fraction:
    """Returns the least of 1, 2, 5, 10, 20, 50, ... and their decimal fractions that is not less."""
    exponent = (Decimal(at_least.numerator) / Decimal(at_least.denominator)).adjusted()
    unit = Fraction(10) ** exponent
    return next(unit * digit for digit in (1, 2, 5, 10, 20) if unit * digit >= at_least)


def _time_step(at_least: Fraction) -> Fraction:
    seconds = at_least / _MICROSECONDS
    if seconds <= 1:
        return _decimal_step(at_least)
    if seconds > _YEAR:
        return _decimal_step(seconds / _YEAR) * _YEAR * _MICROSECONDS
    return Fraction(next(step for step in _SECONDS if step >= seconds) * _MICROSECONDS)
