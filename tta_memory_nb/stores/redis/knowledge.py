"""What a process knows of a server's namespace, how far it knows it, and how either changes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from math import inf
from sys import maxsize

from ...entry import Entry
from ..base import Clock
from ..memory import InMemoryStore
from ..records import Records
from .gone import Gone
from .held import Held
from .position import Position

EMPTY = b""
"""Epoch of a replica that knows nothing of the server."""

# So many keys may be ahead of the last sync, or a quarter of the records that are held if that is more.
_MOST_AHEAD = 10_000


class Knowledge:
    """Records of a server's namespace that this process knows, and the position up to which it knows them.

    Its methods are the single steps of what a `Replica` takes in.

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
        self._epoch = EMPTY
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

    # ---- single records

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

    # ---- all of them

    def _limit_ahead(self) -> None:
        if len(self._ahead) > max(_MOST_AHEAD, len(self.records.entries) // 4):
            self._salvage()

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
            self._activate(EMPTY, 0)
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
