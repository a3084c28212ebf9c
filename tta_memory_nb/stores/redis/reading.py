"""The verbs of a store on a server that read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ...entry import Entry
from ...filters import EVERYTHING, Filters
from ...keys import check_key
from ...search.query import Query, hits_of
from ...search.request import Hit, Search
from ..base import Dump
from ..plan import Plan
from .operations import pages
from .wiring import Wiring

# So many records a stream looks at in one round trip.
_STREAMED = 64


class Reading(Wiring):
    """Reads and finds records, on the server or in an outage in this process."""

    def read(self, key: str) -> Plan[Entry | None]:
        """Returns the entry of a key, made the newest; None when there is none."""
        check_key(key)
        return self._routing.look(
            lambda: self.commands.get_one(key), lambda: self._records.read(key)
        )

    def expires_at(self, key: str) -> Plan[float | None]:
        """Returns when a record expires, in Unix seconds; None for never and for no record."""
        check_key(key)
        return self._routing.look(
            lambda: self.commands.expires_at(key), lambda: self._records.expires_at(key)
        )

    def version(self, entry: Entry) -> str:
        """Returns the version of an entry: the number that the server has given to its write.

        Numbers of an outage are those of this process.
        """
        if self.outages.current is None or entry._write_seq <= self.commands.seen:
            return str(entry._write_seq)
        return self._records.version(entry)

    def fetch(self, keys: Iterable[str]) -> Plan[list[Entry]]:
        """Returns the entries of the keys that exist, in the order asked, each made the newest."""
        wanted = [check_key(key) for key in keys]
        if not wanted:
            return []
        return (
            yield from self._routing.look(
                lambda: self.commands.get(wanted), lambda: self._records.fetch(wanted)
            )
        )

    def peek(self, keys: Sequence[str]) -> Plan[list[Entry]]:
        """Returns entries as `fetch` does, but the order of use stays."""
        found: list[Entry] = []
        for batch in pages(list(map(check_key, keys))):
            found += yield from self._peek_batch(batch)
        return found

    def _peek_batch(self, keys: Sequence[str]) -> Plan[list[Entry]]:
        return self._routing.look(
            lambda: self.commands.peek(keys), lambda: self._records.peek(keys)
        )

    # ---- searches and lists

    def find(self, search: Search) -> Plan[list[Hit]]:
        """Returns the hits of a search."""
        return self._routing.look(
            lambda: self._sync.find(search), lambda: self._records.find(search)
        )

    def stream(self, search: Search) -> Iterator[Plan[list[Hit]]]:
        """Yields plans that give the hits of a search a few at a time; see `Store.stream`."""
        if search.mode != "keyword":
            yield from self._stream_ranked(search)
            return
        keys: list[str] = []
        query = Query(search)
        matches = query.test()

        def look_for_keys() -> Plan[list[Hit]]:
            keys.extend(
                (
                    yield from self._routing.look(
                        lambda: self._sync.candidate_keys(search),
                        lambda: self._records.candidate_keys(search),
                    )
                )
            )
            return []

        def look(batch: Sequence[str]) -> Plan[list[Hit]]:
            found = yield from self._peek_batch(batch)
            return hits_of(filter(matches, found), query)

        if query.is_impossible:
            return
        yield look_for_keys()
        for batch in pages(keys, _STREAMED):
            yield look(batch)

    def _stream_ranked(self, search: Search) -> Iterator[Plan[list[Hit]]]:
        """Yields plans that give the hits of a mode that ranks, if their records have the same value yet."""
        hits: list[Hit] = []

        def look_for_hits() -> Plan[list[Hit]]:
            hits.extend((yield from self.find(search.for_all())))
            return []

        def look(batch: Sequence[Hit]) -> Plan[list[Hit]]:
            found = yield from self._peek_batch([hit.entry.key for hit in batch])
            texts = {entry.key: entry.text for entry in found}
            return [hit for hit in batch if texts.get(hit.entry.key) == hit.entry.text]

        yield look_for_hits()
        for batch in pages(hits, _STREAMED):
            yield look(batch)

    def count(self, search: Search) -> Plan[int]:
        """Returns how many hits `find` would give without a limit."""
        if search.text is None and search.filters is EVERYTHING:
            return self.size()
        return self._routing.look(
            lambda: self._sync.count(search), lambda: self._records.count(search)
        )

    def keys(self, filters: Filters = EVERYTHING) -> Plan[list[str]]:
        """Returns the keys of the records that filters accept, least recently used first."""
        # Conditions need values. And a replica that has all of them is brought up to date by one
        # number, while listing keys makes the server look at each.
        if filters.where or (filters is not EVERYTHING and self._replicas.holds(filters)):
            found = yield from self.find(Search(filters=filters, order="oldest"))
            return [hit.entry.key for hit in found]
        return (
            yield from self._routing.look(
                lambda: self.commands.list_keys(filters), lambda: self._records.keys(filters)
            )
        )

    def dump(self, prefix: str, size: int) -> Iterator[Plan[Dump]]:
        """Yields plans that give records as the server has them, a page at a time; see `Dump`.

        Args:
            prefix: what the keys of the records begin with.
            size: how many bytes of a key follow.

        Raises:
            StoreUnavailable: in an outage, when a plan is carried out.
        """
        after = b"-inf"

        def page() -> Plan[Dump]:
            nonlocal after
            dump, after = yield from self.commands.dump(prefix, size, after)
            return dump

        while after:
            yield page()

    def folders(self, prefix: str, depth: int | None) -> Plan[list[str]]:
        """Returns the folders of the keys that begin with a prefix."""
        if self._replicas.holds(EVERYTHING):  # it is brought up to date by one number
            yield from self.find(Search(limit=1))
            if self._replicas.holds(EVERYTHING):
                return self._records.folders(prefix, depth)
        return (
            yield from self._routing.look(
                lambda: self.commands.folders(prefix, depth),
                lambda: self._records.folders(prefix, depth),
            )
        )

    def change_token(self) -> Plan[object]:
        """Returns a change token; in an outage, of what this process knows."""
        return self._routing.look(
            self.commands.change_token, lambda: ("offline", self._records.change_token())
        )

    def size(self) -> Plan[int]:
        """Returns the number of records; in an outage, of those that this process knows."""
        return self._routing.look(self.commands.size, self._records.size)
