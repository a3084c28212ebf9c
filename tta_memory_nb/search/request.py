"""What is asked of a store, and what comes back."""

from __future__ import annotations

import operator
from typing import Any, Literal, NamedTuple, Protocol, TypeAlias

import msgspec

from ..entry import Entry
from ..errors import InvalidArgument, brief
from ..filters import EVERYTHING, Filters

SearchMode: TypeAlias = Literal["keyword"]
"""How a search finds records. ``"keyword"`` finds exact text and gives the newest first."""

Order: TypeAlias = Literal["newest", "oldest"]
"""In which order of use records come that match equally well."""


class Search(msgspec.Struct, frozen=True):
    """One question to a store.

    Making one checks nothing: ``check_limit``, ``check_query`` and
    ``indexes.check_mode`` do so at the border.

    Attributes:
        text: what to look for, as its user wrote it; None for any record, and an empty text, which
            is no query, finds nothing.
        mode: how to look for it.
        filters: which records may answer at all.
        limit: how many records at most; None for all.
        offset: how many of the first records to leave out.
        order: the most recently used first, or last.
    """

    text: str | None = None
    mode: SearchMode = "keyword"
    filters: Filters = EVERYTHING
    limit: int | None = None
    offset: int = 0
    order: Order = "newest"


ALL = Search()
"""The search that every record answers, newest first."""


class Span(NamedTuple):
    """A place where a record matches.

    Attributes:
        path: of the field, as in ``agent.tags[0]``.
        start: index of the first character that matches.
        end: index behind the last one.
        of: whether the indexes count in the field's name or in its value. The value of a number,
            a boolean or null is its JSON text.
    """

    path: str
    start: int
    end: int
    of: Literal["name", "value"] = "value"


class Matcher(Protocol):
    """Says where a value matches a search."""

    def paths(self, value: dict[str, Any]) -> tuple[str, ...]:
        """Returns the paths of the fields that match, each once, in field order."""
        ...

    def spans(self, value: dict[str, Any]) -> tuple[Span, ...]:
        """Returns every place that matches, in field order."""
        ...


class Hit(msgspec.Struct, frozen=True, gc=False):
    """One record that answers a search.

    Attributes:
        entry: the record.
        score: how well it answers, higher is better; 1.0 where the mode does not rank.
        matcher: what can say where the record matches; None where there was nothing to match.
    """

    entry: Entry
    score: float = 1.0
    matcher: Matcher | None = None

    @property
    def spans(self) -> tuple[Span, ...]:
        """Where the record matches. Worked out anew at each access, since it decodes the value."""
        return () if self.matcher is None else self.matcher.spans(self.entry.value())


def check_limit(limit: int | None) -> int | None:
    """Returns the limit as a plain int.

    Raises:
        InvalidArgument: the limit is neither None nor an int of at least 1.
    """
    if limit is None or (type(limit) is int and limit >= 1):
        return limit
    number = whole_number(limit)
    if number is not None and number >= 1:
        return number
    raise InvalidArgument(f"limit={brief(limit)}: give an int of at least 1, or None for all")


def check_query(query: str) -> str:
    """Returns the query itself.

    Raises:
        InvalidArgument: the query is not a str.
    """
    if isinstance(query, str):
        return query
    raise InvalidArgument(f"query={brief(query)}: give text to search for")


def whole_number(value: object) -> int | None:
    """Returns the int that a value is, for Python or for NumPy; None when it is none."""
    if isinstance(value, bool):
        return None
    try:
        return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        return None
