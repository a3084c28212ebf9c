"""A search as the indexes need it: compiled once, then asked of many entries."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import compress, repeat
from typing import Any, TypeAlias

from ..entry import Entry
from ..filters import EVERYTHING, Filters
from ..filters.fields import reader_of
from ..text import BORDER, Needle, fold, matching_paths, to_utf8
from .options import SearchOptions
from .request import Contribution, Hit, Search, Span
from .substring.matching import spans_of

Entries: TypeAlias = OrderedDict[str, Entry]
"""All entries of a store by key, the newest last. Their recency rises in this order."""

Test: TypeAlias = Callable[[Entry], bool]
"""Says whether an entry matches."""


class Query:
    """A search, compiled. It is the `Matcher` of the hits that have its text.

    Args:
        search: what is asked; its limit, offset and order do not matter here.

    Attributes:
        text: the text that is looked for, as its user wrote it; None for any record.
        folded: the folded text that is looked for; empty for any record.
        needle: the same as a needle, or None for any record.
        accepts: the filters as a test, or None for none.
        implied: texts that every entry contains that passes ``accepts``.
        beginnings: folded text of which each is in every such entry, at the beginning of a leaf.
        is_impossible: whether nothing can match: an empty text is no query.
        is_bounded: whether the filters name a range of keys or of instants.
        is_span_alone: whether they name a range of instants and nothing else.
        named: all entries that the filters may accept, where an order has found these; else None.
        is_narrow: whether signatures can tell candidates from other entries.
    """

    # Most searches are for text alone; setting all of these for each would take as long as comparing
    # several texts.
    needle: Needle | None = None
    folded = ""
    accepts: Test | None = None
    implied: tuple[Needle, ...] = ()
    beginnings: tuple[bytes, ...] = ()
    is_impossible = is_bounded = is_span_alone = is_narrow = False
    named: list[Entry] | None = None

    def __init__(self, search: Search) -> None:
        text = self.text = search.text
        self.search = search
        if text:
            self.folded = fold(text)
            self.needle = Needle(self.folded)
            self.is_narrow = True
        elif text is not None:
            self.is_impossible = True
        filters = search.filters
        if filters is not EVERYTHING:
            self.accepts = _acceptance(filters)
            if filters.where:
                leaves = tuple(filter(None, filters.implied_texts()))
                self.is_narrow = self.is_narrow or bool(leaves)
                implied = dict.fromkeys(map(fold, (*leaves, *filters.implied_parts())))
                self.implied = tuple(map(Needle, implied))
                # No leaf is the first piece of a text: the name of its field comes before it.
                self.beginnings = tuple(
                    to_utf8(BORDER + fold(text)) for text in filters.implied_beginnings()
                )
            # Written out: to compare copies takes ten times as long.
            self.is_span_alone = (
                filters.user is None
                and filters.session is None
                and filters.prefix is None
                and not filters.where
            )
            owner = filters.user or filters.session
            self.is_narrow = bool(self.is_narrow or owner)
            self.is_bounded = (
                bool(filters.prefix or filters.user)
                or filters.since is not None
                or filters.until is not None
            )

    @property
    def filters(self) -> Filters:
        """Which records may answer at all."""
        return self.search.filters

    @property
    def options(self) -> SearchOptions:
        """What a mode that ranks is asked for."""
        return self.search.options

    def paths(self, value: dict[str, Any]) -> tuple[str, ...]:
        """Returns the paths of the fields that have the text, each once, in field order."""
        return matching_paths(value, self.folded)

    def spans(self, value: dict[str, Any]) -> tuple[Span, ...]:
        """Returns every place that has the text, in field order."""
        return tuple(spans_of(value, self.folded))

    def explain(self, value: dict[str, Any], score: float) -> tuple[Contribution, ...]:
        """Returns the score as the contribution of the first place that has the text."""
        span = next(spans_of(value, self.folded), None)
        path = None if span is None else span.path
        return (Contribution("words", score, path, span, self.text, self.text),)

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

    def fact(self) -> bytes | None:
        """Returns a name of the text and the conditions on fields, for an index to remember which entries do not fulfil them.

        Returns:
            None without a text, or if the answer may change while an entry lives, since it depends on more than its value.
        """
        if self.needle is None:
            return None
        if self.accepts is None:
            return self.needle.utf8
        where = self.filters.where
        if replace(self.filters, where=()) != EVERYTHING:
            return None
        # No text in UTF-8 has this byte.
        return self.needle.utf8 + b"\xff" + to_utf8(repr(where))

    def with_texts(self, entries: list[Entry]) -> list[Entry]:
        """Returns those of many entries that have the text, and what the conditions on fields imply of their text.

        The others need not be decoded, which takes ten times as long as a look at folded text.
        """
        texts = self.beginnings if self.needle is None else (*self.beginnings, self.needle.utf8)
        for text in texts:
            entries = [entry for entry in entries if text in (entry._folded or entry._searchable())]
        return entries

    def passes(self, entries: Sequence[Entry]) -> list[bool]:
        """Returns whether each of many entries passes the filters; quicker than ``accepts`` for each."""
        accepts = self.accepts
        if accepts is None:
            return [True] * len(entries)
        filters = self.filters
        if not filters.where:
            return list(map(accepts, entries))
        unconditional = replace(filters, where=())
        if unconditional == EVERYTHING:
            return filters.held_by([entry.text for entry in entries])
        owned = list(map(_acceptance(unconditional), entries))
        held = iter(filters.held_by([entry.text for entry in compress(entries, owned)]))
        return [is_owned and next(held) for is_owned in owned]


def _acceptance(filters: Filters) -> Test:
    """Returns what says whether filters accept an entry."""
    if not filters.where:
        accept = filters.accept
        return lambda entry: accept(entry.key, entry.updated_at, entry.value)
    holds, read = filters.holds, reader_of(filters.fields())
    unconditional = replace(filters, where=())
    if unconditional == EVERYTHING:
        return lambda entry: holds(read(entry.text))
    owned = unconditional.accept
    return lambda entry: owned(entry.key, entry.updated_at, entry.value) and holds(read(entry.text))


def hits_of(entries: Iterable[Entry], query: Query) -> list[Hit]:
    """Returns entries that match exactly as hits, which do not differ in score."""
    # A search takes some microseconds, so an early end matters here, and a map that beats a comprehension.
    if not entries:
        return []
    return list(map(Hit, entries, repeat(1.0), repeat(query if query.folded else None)))


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
    if not seen and entries and next(iter(entries.values()))._recency > seen:
        return list(entries.values())  # all of them, in a list that does not grow bit by bit
    fresh: list[Entry] = []
    for entry in reversed(entries.values()):
        if entry._recency <= seen:
            break
        fresh.append(entry)
    fresh.reverse()
    return fresh
