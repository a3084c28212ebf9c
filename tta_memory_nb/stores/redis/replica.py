"""A copy of a server's namespace in this process: to search in, and to work with in an outage.

Before the first search, a replica keeps what this process has written and read last, for an outage.

From the first search on it holds every record down to an ``oldest_held`` one in the order of use, as
they were at a ``cursor``, a number of the server's counter. What was written or read on the server
later has a higher number, so one question brings the replica up to date. Records that were used less
recently are loaded when a search has not found enough. When none is left on the server, the replica
is complete.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from copy import copy
from functools import wraps
from math import inf
from sys import maxsize
from typing import Any, Concatenate, ParamSpec, TypeVar

from ...entry import Entry, recency
from ...search.request import ALL
from ..base import Clock
from ..memory import InMemoryStore
from ..records import Records
from .faults import Overtaken
from .gone import Gone
from .held import Held
from .payload import expiry_of
from .position import Position, place_of

_EMPTY = b""

# So many keys may be ahead of the last sync, or a quarter of the records that are held if that is more.
_MOST_AHEAD = 10_000

# More than the server's counter grows by in any outage; together with it far below 2^53.
_OFFLINE = 1 << 50


P = ParamSpec("P")
T = TypeVar("T")


def _whole(
    change: Callable[Concatenate[Replica, P], T],
) -> Callable[Concatenate[Replica, P], T]:
    """Has a replica start over when a change of it is interrupted: half of a change is worse than none.

    It also starts over when it is too far behind: without a search, nothing else bounds what is ahead of it.
    """

    @wraps(change)
    def method(self: Replica, /, *args: P.args, **kwargs: P.kwargs) -> T:
        with self.records.lock:
            try:
                result = change(self, *args, **kwargs)
                self._limit_ahead()
            except BaseException:  # Ctrl-C as well
                if not self._is_offline:
                    self._salvage()
                raise
        return result

    return method


class Replica:
    """Records of a server's namespace, in this process.

    Args:
        max_known: how many records it keeps before the first search.
        namespace: name of the tenant.
        clock: gives Unix seconds.

    Attributes:
        records: what it holds.
        offline: the same records as a store of its own, which work goes on with in an outage.
    """

    def __init__(self, max_known: int, *, namespace: str, clock: Clock) -> None:
        self.records = Records(max_known, clock)
        self._held = Held(self.records)
        self.offline = InMemoryStore._over(self.records, namespace)
        self._max_known = max_known
        self._generation = 0
        self._epoch = _EMPTY
        self._cursor = self._log_cursor = 0
        self._oldest_held: float | None = None
        self._knows_all = True
        self._is_offline = False
        # Own writes, reads and deletions that no sync has covered yet, with their counter: entry,
        # or None for a deletion.
        self._ahead: dict[str, tuple[int, Entry | None]] = {}
        # What was known before the replica started over; for an outage before it is complete.
        self._former: OrderedDict[str, Entry] = OrderedDict()
        self._most_former = max(max_known, _MOST_AHEAD)
        # Of what this process has done before the first sync and in an outage.
        self._gone = Gone()
        # The counter when the replica started over. What it has known since before that is as new.
        self._known_at = 0
        # The highest recency that was given in an outage.
        self._offline_to = 0

    def position(self) -> Position:
        """Returns how far the replica knows the server."""
        with self.records.lock:
            return Position(
                self._generation,
                self._epoch,
                self._cursor,
                self._log_cursor,
                self._oldest_held,
                self._knows_all and self._oldest_held == -inf,
            )

    # ---- what this process does on the server

    @_whole
    def wrote(self, entries: Sequence[Entry], start: int, end: int) -> None:
        """Takes in own writes, whose entries carry their recency.

        Args:
            entries: as they are on the server now.
            start: the server's counter before.
            end: the counter afterwards; -1 when more has changed than these entries.
        """
        with self.records.lock:
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
        with self.records.lock:
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
        with self.records.lock:
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
        with self.records.lock:
            if self._oldest_held is None or self._follows(start, end):
                self._drop(keys, end)
            else:
                for key in keys:
                    self._note(key, end, None)

    @_whole
    def restored(self, entries: Iterable[Entry], end: int) -> None:
        """Takes in records that an own undo has brought back to the places they had."""
        with self.records.lock:
            for entry in entries:
                if self._oldest_held is None:
                    self._keep(entry, end)
                else:
                    self._note(entry.key, end, entry)
            self._sort_if_offline(entries)

    def known(self) -> list[Entry]:
        """Returns all entries that this process knows; of a key there may be several."""
        with self.records.lock:
            ahead = (entry for _, entry in self._ahead.values() if entry is not None)
            return [*self._former.values(), *self.records.entries.values(), *ahead]

    def forget_written(self, keys: Iterable[str], since: int) -> None:
        """Forgets records that the server has lost, and deletions after a value of the counter."""
        with self.records.lock:
            for key in keys:
                self.records.entries.pop(key, None)
                self._former.pop(key, None)
                self._ahead.pop(key, None)
            self._gone.forget(since)

    @_whole
    def outdated(self, changes: Iterable[tuple[str, int]]) -> int:
        """Takes in keys that have changed, and the counter at that; the next sync fetches them.

        Returns:
            How many such keys there are.
        """
        with self.records.lock:
            for key, end in changes:
                self._note(key, end, None)
            return len(self._ahead)

    def removed_offline(self, keys: Iterable[str] | None) -> None:
        """Takes in deletions of an outage; None for all records.

        An answer to what was asked before the outage is older than these.
        """
        with self.records.lock:
            self._gone.add_offline(keys)

    def forget(self, entry: Entry) -> None:
        """Drops a record that has not reached the server and never will."""
        with self.records.lock:
            if self.records.entries.get(entry.key) is entry:
                del self.records.entries[entry.key]

    @_whole
    def cleared(self, end: int) -> None:
        """Takes in an own `clear`."""
        with self.records.lock:
            self._former.clear()
            self._generation += 1  # what is under way was asked before
            if self._oldest_held is None:
                self._drop(list(self.records.entries), end)
                self._gone.add_all(end)
            else:
                for key in (*self.records.entries, *self._ahead):
                    self._note(key, end, None)

    def _follows(self, start: int, end: int) -> bool:
        """Whether no other client has done anything since the last sync, so none has to be asked.

        Only then may the replica be changed without a sync: it holds what the server held at one
        instant.
        """
        follows = start == self._cursor == self._log_cursor and end > start
        if follows:
            self._cursor = self._log_cursor = end
            if self._ahead:
                ahead = self._ahead.items()
                self._ahead = {key: known for key, known in ahead if known[0] > end}
        return follows

    def _note(self, key: str, at: int, entry: Entry | None) -> None:
        """Keeps what is ahead of the cursor for an outage; the next sync covers it."""
        if at > self._cursor and at >= self._ahead.get(key, (0, None))[0]:
            self._ahead[key] = (at, entry)

    def _keep(self, entry: Entry, at: int) -> None:
        """Takes in a record, as it was at a value of the counter, unless something newer is known."""
        records = self.records
        there = records.entries.get(entry.key)
        if there is None:
            if not self._gone.allows(entry.key, at):
                return
        elif there._recency > at or (
            not there._recency and at <= self._known_at and there._write_seq >= entry._write_seq
        ):
            return
        self._held.put(entry)
        if self._former:
            self._former.pop(entry.key, None)
        self._gone.discard(entry.key)
        if there is not None:
            records.entries.move_to_end(entry.key)
        records.recency = max(records.recency, entry._recency)
        while len(records.entries) > records.capacity:
            _, oldest = records.entries.popitem(last=False)
            self._gone.add_all(oldest._recency)

    def _sort_if_offline(self, entries: Iterable[Entry]) -> None:
        """Puts own writes, whose answers came after an outage had begun, to their places."""
        if self._is_offline:
            self.records.indexes.restored(entries)
            self.records.sort()

    def _drop(self, keys: Iterable[str], end: int) -> None:
        entries = self.records.entries
        for key in keys:
            there = entries.get(key)
            # What was written later than the deletion still exists.
            if there is not None:
                if there._recency > end:
                    continue
                del entries[key]
            self._former.pop(key, None)
            if self._oldest_held is None:
                self._gone.add(key, end)

    def _limit_ahead(self) -> None:
        if len(self._ahead) > max(_MOST_AHEAD, len(self.records.entries) // 4):
            self._salvage()

    # ---- what a sync has brought

    def _salvage(self) -> None:
        """Starts over with all that this process knows for certain."""
        seen = max(self._known_at, self._cursor, self._log_cursor)
        for key, (at, known) in sorted(self._ahead.items(), key=lambda item: item[1][0]):
            seen = max(seen, at)
            self.records.entries.pop(key, None)
            self._former.pop(key, None)
            if known is None:
                self._gone.add(key, at)
            else:
                self._former[key] = known
        self._start_over(seen)

    def start_over(self, seen: int) -> None:
        """Forgets how far it knows the server, but not what it knows of it.

        Args:
            seen: the server's counter.
        """
        with self.records.lock:
            try:
                self._start_over(seen)
            except BaseException:  # Ctrl-C as well: done again, it is done
                self._start_over(seen)
                raise

    def _start_over(self, seen: int) -> None:
        records = self.records
        with records.lock:
            records.settle(records.clock())
            self._offline_to = max(self._offline_to, records.recency)
            self._most_former = max(self._most_former, len(records.entries))
            for key, entry in records.entries.items():
                self._former[key] = entry
                self._former.move_to_end(key)
            self._activate(_EMPTY, 0)
            self._ahead = {}
            self._oldest_held = None
            self._is_offline = False
            records.set_capacity(self._max_known)
            self._cursor = self._log_cursor = 0
            self._known_at = seen
            self._gone.end_offline(seen)
            self._forget_former(records.clock())
            # The last ones stay known, as if they had just been written or read.
            for entry in self._former.values():
                entry._recency = 0
            recent = list(self._former.values())[-self._max_known :] if self._max_known else []
            for entry in recent:
                self._held.put(entry)

    def _forget_former(self, now: float) -> None:
        """Drops what has expired of what was known before, and the oldest where that is too much."""
        former = self._former
        over = [k for k, e in former.items() if e.expires_at is not None and e.expires_at <= now]
        for key in over:
            del former[key]
        while len(former) > self._most_former:
            former.popitem(last=False)

    def _activate(self, epoch: bytes, seq: int) -> None:
        self._generation += 1
        # What this process has done since the server was asked.
        ahead = {key: known for key, known in self._ahead.items() if known[0] > seq}
        if self._oldest_held is None and not self._is_offline:
            for entry in self.records.entries.values():
                if entry._recency > seq:
                    ahead[entry.key] = (entry._recency, entry)
            ahead.update({key: (end, None) for key, end in self._gone.since(seq)})
        self.records.forget_all()
        self._is_offline = False
        self._ahead = ahead
        self.records.recency = seq
        self._epoch = epoch
        self._cursor = self._log_cursor = seq
        self._oldest_held = float(seq + 1)
        self._knows_all = True
        self.records.set_capacity(maxsize)

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
            self._epoch, self._cursor, self._log_cursor = _EMPTY, 0, 0  # the next sync starts over
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
