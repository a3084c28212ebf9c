"""A search as the indexes need it: compiled once, then asked of many entries."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import TypeAlias

from ..entry import Entry
from ..filters import EVERYTHING
from ..text import Needle, fold
from .request import Matcher, Search
from .substring.matching import SubstringMatcher

Entries: TypeAlias = OrderedDict[str, Entry]
"""All entries of a store by key, the newest last. Their recency rises in this order."""

Test: TypeAlias = Callable[[Entry], bool]
"""Says whether an entry matches."""


class Query:
    """A search, compiled.

    Args:
        search: what is asked; its limit, offset and order do not matter here.

    Attributes:
        folded: the folded text that is looked for; empty for any record.
        needle: the same as a needle, or None for any record.
        filters: which records may answer at all.
        accepts: the filters as a test, or None for none.
        implied: texts that are leaves of every entry that passes ``accepts``.
        is_impossible: whether nothing can match: an empty text is no query.
        is_bounded: whether the filters name a range of keys or of instants.
        is_narrow: whether signatures can tell candidates from other entries.
    """

    # A frozen dataclass would take as long to make as comparing ten texts; so would properties that
    # each search asks for several times.
    __slots__ = (
        "accepts",
        "filters",
        "folded",
        "implied",
        "is_bounded",
        "is_impossible",
        "is_narrow",
        "needle",
    )

    def __init__(self, search: Search) -> None:
        text, filters = search.text, search.filters
        self.is_impossible = text == ""
        self.folded = fold(text) if text else ""
        self.needle = Needle(self.folded) if text else None
        self.filters = filters
        self.is_narrow = self.needle is not None
        self.is_bounded = False
        self.accepts: Test | None = None
        self.implied: tuple[Needle, ...] = ()
        if filters is not EVERYTHING:
            accept = filters.accept
            self.accepts = lambda entry: accept(entry.key, entry.updated_at, entry.value)
            if filters.where:
                self.implied = tuple(Needle(fold(text)) for text in filters.implied_texts() if text)
            owner = filters.user or filters.session
            self.is_narrow = bool(self.is_narrow or self.implied or owner)
            self.is_bounded = (
                bool(filters.prefix or filters.user)
                or filters.since is not None
                or filters.until is not None
            )

    def matcher(self) -> Matcher | None:
        """Returns what says where a value has the text, or None when any record will do."""
        return SubstringMatcher(self.folded) if self.folded else None

    def test(self, once: bool = False) -> Test:
        """Returns what says whether an entry matches.

        Args:
            once: the texts are so many that folding them does not pay for this query: most can be
                excluded by a look at their raw JSON.
        """
        needle, accepts = self.needle, self.accepts
        if needle is None:
            return accepts or (lambda _: True)
        utf8 = needle.utf8
        may_be_in = needle.at_a_glance() if once else None

        def contains(entry: Entry) -> bool:
            folded = entry._folded
            if folded is None:
                if may_be_in and not may_be_in(entry.text):
                    return False
                folded = entry._searchable()
            return utf8 in folded

        if accepts is None:
            return contains
        return lambda entry: contains(entry) and accepts(entry)


def newest(
    entries: Iterable[Entry], matches: Test, wanted: int | None, before: float
) -> list[Entry]:
    """Returns the first matches below a recency, of entries that come newest first.

    Args:
        entries: the newest first.
        matches: what says whether an entry matches.
        wanted: how many at most; None for all.
        before: entries of this recency or a higher one were looked at already.
    """
    found: list[Entry] = []
    for entry in entries:
        if entry._recency < before and matches(entry):
            found.append(entry)
            if len(found) == wanted:
                break
    return found


def used_since(entries: Entries, seen: int) -> list[Entry]:
    """Returns the entries that were written or read since a recency was seen, the oldest first."""
    fresh: list[Entry] = []
    for entry in reversed(entries.values()):
        if entry._recency <= seen:
            break
        fresh.append(entry)
    fresh.reverse()
    return fresh
