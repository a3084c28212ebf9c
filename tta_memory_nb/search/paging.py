"""Pages of an answer: in which order the hits of a search come, and how many of the first are left out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeAlias

from ..entry import Entry, recency
from ..errors import InvalidArgument
from .request import Found, Hit, Order, SearchMode, whole_number

ListOrder: TypeAlias = Literal["used", "written", "key", "relevance"]
"""In which order records are given.

``"used"``: the most recently written or read first, so that reading a record moves it. ``"written"``: the most
recently written first. ``"key"``: by key, in the order of Unicode. ``"relevance"``: as the mode of the search
ranks them; the most recently used first where it does not rank.
"""

_ORDERS: dict[ListOrder, Order] = {
    "used": "used",
    "written": "written",
    "key": "key",
    "relevance": "newest",
}


def _written(entry: Entry) -> tuple[float, int]:
    return entry.updated_at, entry._write_seq


_BY: dict[Order, tuple[Callable[[Entry], Any], bool]] = {
    "used": (recency, True),
    "oldest": (recency, False),
    "written": (_written, True),
    "key": (lambda entry: entry.key, False),
}


def in_order(hits: list[Hit], order: Order) -> list[Hit]:
    """Returns all hits of a search in another order; hits that are equal in it stay as they are.

    Args:
        hits: as the mode gives them.
        order: which; ``"newest"`` is that of the mode.
    """
    if order == "newest":
        return hits
    key, descending = _BY[order]
    found = sorted(hits, key=lambda hit: key(hit.entry), reverse=descending)
    return Found(found, hits.reading) if isinstance(hits, Found) else found


def part_of(hits: list[Hit], start: int, end: int | None) -> list[Hit]:
    """Returns some of the hits; what is known of how the query was understood stays with them."""
    part = hits[start:end]
    return Found(part, hits.reading) if isinstance(hits, Found) else part


def check_order(order: ListOrder | None, mode: SearchMode) -> Order:
    """Returns the order of a search; that of the mode for None.

    Raises:
        InvalidArgument: there is no such order.
    """
    if order is None:
        return "newest"
    found = _ORDERS.get(order) if isinstance(order, str) else None
    if found is None:
        known = ", ".join(map(repr, _ORDERS))
        raise InvalidArgument.about("order", order, f"give one of {known}")
    return "newest" if found == "used" and mode == "keyword" else found


def check_offset(offset: int) -> int:
    """Returns the offset as a plain int.

    Raises:
        InvalidArgument: the offset is not an int of at least 0.
    """
    number = whole_number(offset)
    if number is not None and number >= 0:
        return number
    raise InvalidArgument.about("offset", offset, "give an int of at least 0")
