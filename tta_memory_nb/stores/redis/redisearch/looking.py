"""Exact searches for text on a server that is not copied into this process.

RediSearch finds words, and not text inside them. So a script looks through the records, the most recently
used first, and sends those that may contain the text; whether they do is decided here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from ....entry import Entry, Unreadable
from ....search.query import Query, hits_of
from ....search.ranked.parts import leaves_of
from ....search.request import Hit, Search
from ...plan import Plan
from .. import scripts
from ..commands import Commands
from ..operations import MOST_BYTES
from ..partial import Subset
from ..rows import entries_of

T = TypeVar("T")

# So many records a script looks at in one call: the first time, when the newest ones may be enough, and then.
_FIRST, _MORE = 256, 2000


class Looking:
    """Looks through the records of a namespace on a server, as plans.

    Args:
        commands: what asks the server.
    """

    def __init__(self, commands: Commands) -> None:
        self._commands = commands

    def find(self, search: Search) -> Plan[list[Hit]]:
        """Returns the hits of a search for exact text, or of one without text, newest first."""
        query = Query(search)
        matches = query.test(once=True)
        end = None if search.limit is None else search.offset + search.limit
        found = yield from self._look(query, lambda entry: entry if matches(entry) else None, end)
        return hits_of(found[search.offset : end], query)

    def count(self, search: Search) -> Plan[int]:
        """Returns how many records have the text."""
        query = Query(search)
        matches = query.test(once=True)
        return len((yield from self._look(query, lambda entry: matches(entry) or None)))

    def candidate_keys(self, search: Search) -> Plan[list[str]]:
        """Returns the keys of all records that may match, newest first."""
        return (yield from self._look(Query(search), lambda entry: entry.key))

    def fields(self, count: int) -> Plan[set[str]]:
        """Returns the names of the fields of some of the newest records, in small letters."""
        rows, *_ = yield from self._commands.run(
            scripts.LOOK, b"+inf", b"-inf", count, MOST_BYTES, b""
        )
        read = (entry for entry in entries_of(rows) if not isinstance(entry, Unreadable))
        return {leaf.name.lower() for entry in read for leaf in leaves_of(entry.value())}

    def _look(
        self, query: Query, take: Callable[[Entry], T | None], wanted: int | None = None
    ) -> Plan[list[T]]:
        """Returns what is taken of the records, newest first.

        Args:
            query: what is asked.
            take: returns what is wanted of a record; None to leave the record out.
            wanted: how many are enough; None for all.
        """
        if query.is_impossible:
            return []
        needle = query.needle
        text = needle.utf8 if needle is not None and needle.shows_in_json() else b""
        subset = Subset.of(query.filters).arguments()
        found: dict[str, T] = {}
        after = b"-inf"
        while True:
            taken: dict[str, T] = {}
            before, newest, steps = b"+inf", b"", 0
            while before:
                count = _MORE if steps else _FIRST
                rows, before, highest = yield from self._commands.run(
                    scripts.LOOK, before, after, count, MOST_BYTES, text, *subset
                )
                newest = newest or highest
                steps += 1
                for entry in entries_of(rows):
                    if (of_entry := take(entry)) is not None:
                        taken.setdefault(entry.key, of_entry)
                if wanted is not None and len(taken) >= wanted:
                    break
            # Records that were used meanwhile have moved to the newest end, past the place that was looked at.
            found = taken | {key: each for key, each in found.items() if key not in taken}
            if steps <= 1 or not newest:
                return list(found.values())
            after = newest
