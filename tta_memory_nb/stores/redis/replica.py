"""A copy of a server's namespace in this process: to search in, and to work with in an outage.

Before the first search, a replica keeps what this process has written and read last, for an outage.

From the first search on it holds every record down to an ``oldest_held`` one in the order of use, as
they were at a ``cursor``, a number of the server's counter. What was written or read on the server
later has a higher number, so one question brings the replica up to date. Records that were used less
recently are loaded when a search has not found enough. When none is left on the server, the replica
is complete.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from functools import wraps
from math import inf
from sys import maxsize
from typing import Any, Concatenate, ParamSpec, TypeVar

from ...entry import Entry, recency
from ...search.request import ALL
from .faults import Overtaken
from .knowledge import EMPTY, Knowledge
from .payload import expiry_of
from .position import Position, place_of

# More than the server's counter grows by in any outage; together with it far below 2^53.
_OFFLINE = 1 << 50


P = ParamSpec("P")
T = TypeVar("T")


def _whole(
    change: Callable[Concatenate[Replica, P], T],
) -> Callable[Concatenate[Replica, P], T]:
    """Has a change of a replica hold the lock, and the replica start over when it is interrupted: half of a change is worse than none.

    It also starts over when it is too far behind: without a search, nothing else bounds what is ahead of it.
    """

    @wraps(change)
    def method(self: Replica, /, *args: P.args, **kwargs: P.kwargs) -> T:
        with self.records.lock:
            try:
                result = change(self, *args, **kwargs)
                if self._ahead:
                    self._limit_ahead()
            except BaseException:  # Ctrl-C as well
                if not self._is_offline:
                    self._salvage()
                raise
        return result

    return method


class Replica(Knowledge):
    """Records of a server's namespace, in this process: what it takes in of its own work, of a sync, and of an outage."""

    # ---- what this process does on the server

    @_whole
    def wrote(self, entries: Sequence[Entry], start: int, end: int) -> None:
        """Takes in own writes, whose entries carry their recency.

        Args:
            entries: as they are on the server now.
            start: the server's counter before.
            end: the counter afterwards; -1 when more has changed than these entries.
        """
        if self._oldest_held is None:
            for entry in entries[-self._max_known :] if self._max_known else ():
                self._keep(entry, entry._recency)
            self._sort_if_offline(entries)
        elif self._follows(start, end):
            for entry in entries:
                self._keep(entry, entry._recency)
        else:
            for entry in entries:
                self._note(entry.key, entry._recency, entry)

    @_whole
    def read(self, entries: Iterable[Entry], missing: Iterable[str], start: int, end: int) -> None:
        """Takes in own reads, whose entries carry their new recency, and what did not exist."""
        if self._is_offline:
            return  # an outage has begun meanwhile, and work went on without it
        if self._oldest_held is None or self._follows(start, end):
            for entry in entries:
                there = self.records.entries.get(entry.key)
                if there is not None and there._write_seq == entry._write_seq:
                    there._recency = max(there._recency, entry._recency)
                    if there.expires_at != entry.expires_at:
                        self.records.expire(there, entry.expires_at, entry.sliding)
                    self._held.move_to_end(there)
                else:
                    self._keep(entry, entry._recency)
            self._drop(missing, end)
        else:
            for entry in entries:
                self._note(entry.key, entry._recency, entry)
            for key in missing:
                self._note(key, end, None)

    @_whole
    def touched(self, rows: Sequence[tuple[str, int, bytes]], start: int, end: int) -> None:
        """Takes in own touches: key, recency, and header and span if the expiry is another one."""
        entries = self.records.entries
        if self._is_offline:
            return
        known = [row for row in rows if row[0] in entries]
        if self._oldest_held is None or (len(known) == len(rows) and self._follows(start, end)):
            for key, place, head in known:
                there = entries[key]
                there._recency = max(there._recency, place)
                self._held.move_to_end(there)
                if head:
                    self.records.expire(there, *expiry_of(head))
        else:
            for key, place, head in known:
                entry = copy(entries[key])
                entry._recency = place
                if head:
                    entry.expires_at, entry.sliding = expiry_of(head)
                self._note(key, place, entry)

    @_whole
    def removed(self, keys: Iterable[str], start: int, end: int) -> None:
        """Takes in own deletions, also of keys that did not exist."""
        if self._oldest_held is None or self._follows(start, end):
            self._drop(keys, end)
        else:
            for key in keys:
                self._note(key, end, None)

    @_whole
    def restored(self, entries: Iterable[Entry], end: int) -> None:
        """Takes in records that an own undo has brought back to the places they had."""
        for entry in entries:
            if self._oldest_held is None:
                self._keep(entry, end)
            else:
                self._note(entry.key, end, entry)
        self._sort_if_offline(entries)

    def known(self) -> list[Entry]:
        """Returns all entries that this process knows; of a key there may be several."""
        ahead = (entry for _, entry in self._ahead.values() if entry is not None)
        return [*self._former.values(), *self.records.entries.values(), *ahead]

    def forget_written(self, written: Mapping[str, int], since: int, until: int) -> None:
        """Forgets writes that the server has lost, and deletions between two values of the counter.

        Args:
            written: the number of each write by its key. Meanwhile another thread may have written the record anew.
            since: the lower value.
            until: the upper value.
        """
        for key, number in written.items():
            there = self.records.entries.get(key)
            if there is not None and there._write_seq == number:
                del self.records.entries[key]
            former = self._former.get(key)
            if former is not None and former._write_seq <= number:
                del self._former[key]
            _, ahead = self._ahead.get(key, (0, None))
            if ahead is not None and ahead._write_seq == number:
                del self._ahead[key]
        self._gone.forget(since, until)

    @_whole
    def outdated(self, changes: Iterable[tuple[str, int]]) -> int:
        """Takes in keys that have changed, and the counter at that; the next sync fetches them.

        Returns:
            How many such keys there are.
        """
        for key, end in changes:
            self._note(key, end, None)
        return len(self._ahead)

    def removed_offline(self, keys: Iterable[str] | None) -> None:
        """Takes in deletions of an outage; None for all records.

        An answer to what was asked before the outage is older than these.
        """
        self._gone.add_offline(keys)

    def forget(self, entry: Entry) -> None:
        """Drops a record that has not reached the server and never will."""
        if self.records.entries.get(entry.key) is entry:
            del self.records.entries[entry.key]

    @_whole
    def cleared(self, end: int) -> None:
        """Takes in an own `clear`."""
        self._former.clear()
        self._generation += 1  # what is under way was asked before
        if self._oldest_held is None:
            self._drop(list(self.records.entries), end)
            self._gone.add_all(end)
        else:
            for key in (*self.records.entries, *self._ahead):
                self._note(key, end, None)

    # ---- what a sync has brought

    @_whole
    def apply(self, asked: Position, reply: Sequence[Any]) -> int | None:
        """Takes in the reply of `sync.lua`.

        Args:
            asked: the position that the server was asked with.
            reply: as it came.

        Returns:
            How many older records were loaded; None when the reply is of no use any more, because
            the replica has changed meanwhile.

        Raises:
            Overtaken: an outage has begun, in which the replica takes no replies.
        """
        epoch, seq, reset, more, cursor, log_cursor, changed, gone, older, *rest = reply
        reached, bottom, expiries = rest
        records = self.records
        with records.lock:
            if self._is_offline:
                raise Overtaken("an outage has begun")
            if asked.generation != self._generation:
                return None
            if reset:
                self._former.update(records.entries)
                self._activate(epoch, seq)
            elif cursor < self._cursor or log_cursor < self._log_cursor:
                return None
            records.settle(records.clock())
            if not self._held.changed(changed):
                self._knows_all = False  # the next sync asks for values as well
                return None
            self._held.expiries(expiries)
            assert self._oldest_held is not None
            for key in self._held.gone(gone, self._oldest_held):
                self._former.pop(key, None)
            loaded = self._held.older(older)
            if reached:
                # Two may have asked from the same position; the first may have loaded more since.
                self._oldest_held = min(self._oldest_held, place_of(reached))
            self._cursor, self._log_cursor = cursor, log_cursor
            ahead = self._ahead.items()
            self._ahead = {key: known for key, known in ahead if known[0] > seq}
            if bottom:
                self._oldest_held = -inf
                self._former.clear()
            if not more:
                self._knows_all = True
            return loaded

    # ---- an outage

    def detach(self, max_size: int | None, seen: int, partial: Iterable[Replica] = ()) -> None:
        """Becomes a store of its own, with all that this process knows.

        Args:
            max_size: the capacity of the namespace, if it has one.
            seen: the server's counter.
            partial: other replicas that know something; they are not used any more.
        """
        with self.records.lock:
            try:
                self._detach(max_size, seen, partial)
            except BaseException:  # Ctrl-C as well: the outage has not begun
                self._is_offline = False
                self._salvage()
                raise

    def _detach(self, max_size: int | None, seen: int, partial: Iterable[Replica]) -> None:
        records = self.records
        with records.lock:
            records.settle(records.clock())
            for replica in partial:
                self._join(replica)
            for key, (at, known) in sorted(self._ahead.items(), key=lambda item: item[1][0]):
                if known is None:
                    records.entries.pop(key, None)
                    self._former.pop(key, None)
                else:
                    self._keep(known, at)
            self._ahead.clear()
            for key, entry in reversed(self._former.items()):
                if key not in records.entries:
                    self._held.put_oldest(entry)
            self._former.clear()
            records.indexes.clear()
            # The recency of some is not known, but that they were used last before the replica has
            # started over, and in which order.
            unknown = max(0, self._known_at - len(records.entries))
            for entry in sorted(records.entries.values(), key=recency):
                entry._column = -1
                if not entry._recency:
                    unknown = entry._recency = unknown + 1
                records.entries.move_to_end(entry.key)
            # From here on own numbers, which no late reply of the server comes up to, and which rise
            # from outage to outage.
            records.recency = max(records.recency, seen + _OFFLINE, self._offline_to)
            self._generation += 1
            self._oldest_held = None
            self._epoch, self._cursor, self._log_cursor = EMPTY, 0, 0  # the next sync starts over
            self._is_offline = True
            # What is not known here makes the room on the server only smaller.
            records.set_capacity(maxsize if max_size is None else max_size)
            records.evict([])

    def _join(self, partial: Replica) -> None:
        """Takes in what a partial replica knows and this one does not."""
        for hit in partial.records.find(ALL):
            entry = hit.entry
            key, place = entry.key, entry._recency
            known = self.records.entries.get(key)
            if (
                key in partial._ahead
                or self._gone.is_later(key, place)
                or (known is not None and known._recency >= place)
            ):
                continue
            if (
                known is None
                and self._oldest_held is not None
                and place >= self._oldest_held
                and partial._cursor <= self._cursor
            ):
                continue  # it had been deleted when this replica was synced
            former = self._former.get(key)
            if former is None or former._recency < place:
                self._former[key] = entry
                self.records.entries.pop(key, None)
