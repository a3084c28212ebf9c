"""Entries of one namespace in the order of use, with their expiries and indexes; the caller holds the lock."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from copy import copy
from heapq import heapify, heappop, heappush
from math import inf
from os import urandom
from threading import RLock

from ..entry import Entry, recency
from ..keys import message_key
from ..search.indexes import Indexes
from ..search.query import Entries
from .base import Clock
from .forks import guarded
from .history.log import ChangeLog


class OrderedEntries:
    """Entries by key in the order of use: an ordered dict, a heap of their expiries, and their indexes.

    Who calls a method holds the lock. That does not keep out a signal handler or a ``__del__``: what was
    there in one line may be gone in the next.

    Args:
        capacity: how many records there may be; `evict` enforces it.
        clock: gives Unix seconds.

    Attributes:
        lock: held by all code that changes entries. It is re-entrant, since a signal handler or a
            ``__del__`` may run in the middle of a verb and use the memory in its turn. The clock is
            foreign code as well, so it is read before the lock is taken.
        entries: oldest first. An OrderedDict and not a dict: taking the first key of a dict walks
            over every slot deleted before it, which would make eviction quadratic.
        recency: the highest one that was given; the counter of writes and reads.
        evictions: how many records were evicted since the start.
        expired: how many records have expired since the start.
        removals: how often something was taken out or put back, which changes no other counter.
        last_number: the highest number that was given to a message.
        origin: tells the numbers of this counter from those of all others.
        log: the changes that are kept; None for none.
    """

    def __init__(self, capacity: int, clock: Clock) -> None:
        self.clock = clock
        self.lock = guarded(RLock(), 3)
        self.entries: Entries = OrderedDict()
        self.indexes = Indexes(capacity)
        self.capacity = capacity
        self.recency = 0
        self.evictions = 0
        self.expired = 0
        self.removals = 0
        self.last_number = 0
        self.origin = urandom(6).hex()
        self.log: ChangeLog | None = None
        # (expires_at, key) and not the entry: a pair stays here until it comes up, also when the
        # entry was overwritten or deleted, and would keep its value alive.
        self._expiries: list[tuple[float, str]] = []
        # Entries that were read, in order, since the order of use was brought up to date.
        self._reads: list[Entry] = []

    @property
    def has_reads(self) -> bool:
        """Whether there are reads that the order of use does not have yet."""
        return bool(self._reads)

    def settle(self, now: float) -> None:
        """Makes newest what was read, in order, and deletes what has expired."""
        if self._reads:
            self._settle_reads()
        while self._expiries and self._expiries[0][0] <= now:
            entry = self.entries.get(heappop(self._expiries)[1])
            # The key may have been written again since, to expire later or never.
            if entry is None or entry.expires_at is None:
                continue
            if entry.expires_at <= now:
                self.entries.pop(entry.key, None)
                self.expired += 1
                if self.log is not None:
                    self.log.note_expired(now, entry)
            elif entry.sliding is not None:  # it was read since
                heappush(self._expiries, (entry.expires_at, entry.key))

    def _settle_reads(self) -> None:
        reads = self._reads
        count = len(reads)  # others may add to the list meanwhile
        there, move_to_end = self.entries.get, self.entries.move_to_end
        for entry in reads[:count]:
            key = entry.key
            if there(key) is entry:  # as `use`, whose call would take as long as all this
                try:
                    move_to_end(key)
                except KeyError:
                    continue
                self.recency = entry._recency = self.recency + 1
        del reads[:count]

    def use(self, entry: Entry) -> None:
        """Makes an entry the newest, unless foreign code has deleted it a moment ago."""
        try:  # suppress() takes four times as long
            self.entries.move_to_end(entry.key)
        except KeyError:
            return
        self.recency = entry._recency = self.recency + 1

    def _insert(self, entry: Entry, replaced: Entry | None) -> None:
        """Puts an entry at the new end, in place of the one that has its key."""
        if entry.created_at is None:
            entry.created_at = entry.updated_at if replaced is None else replaced.created_at
        entry._column = -1
        if entry.expires_at is not None:
            self.expect_expiry(entry)
        self.entries[entry.key] = entry
        if replaced is None:
            self.recency = entry._recency = self.recency + 1
        else:
            self.use(entry)
        entry._write_seq = entry._recency

    def evict(self, evicted: list[Entry]) -> None:
        """Removes what there is no room for; adds each to a list before, so none is in neither."""
        while len(self.entries) > self.capacity:
            try:
                oldest = next(iter(self.entries.values()))
            except (RuntimeError, StopIteration):  # written to between the two calls
                continue
            evicted.append(oldest)
            self.entries.pop(oldest.key, None)

    def number(self, owner: str, entries: Sequence[Entry], now: float, suffix: str = "") -> None:
        """Sets the keys of messages, see `Store.append`.

        Args:
            owner: user and session.
            entries: the messages.
            now: Unix seconds.
            suffix: what tells these numbers from those that others give.
        """
        number = max(int(now * 1e6), self.last_number + 1)
        taken = True
        while taken:  # an import may have brought keys of a later instant
            keys = [message_key(owner, number + n, suffix) for n in range(len(entries))]
            taken = any(key in self.entries for key in keys)
            number += len(entries)
        self.last_number = number - 1
        for entry, key in zip(entries, keys, strict=True):
            entry.key = key

    def set_capacity(self, capacity: int | None) -> int | None:
        """Sets the capacity; returns the one before, or None when it stays as it is."""
        before = self.capacity
        if capacity is None or capacity == before:
            return None
        self.capacity = self.indexes.capacity = capacity
        return before

    def take_back(
        self,
        written: Iterable[Entry],
        removed: Iterable[Entry],
        now: float,
        newest: float = inf,
    ) -> tuple[list[Entry], list[Entry]]:
        """Deletes what was written and restores what was removed, each to its place.

        What was written under a key since then stays.

        Args:
            written: entries to delete.
            removed: entries to restore, unless they have expired.
            now: Unix seconds.
            newest: entries of a higher recency are not restored.

        Returns:
            What was deleted, and what was restored.
        """
        taken = [there for entry in written if (there := self.same_write(entry))]
        for entry in taken:
            self.entries.pop(entry.key, None)
        # Copies, since they may be touched: what the change and a history hold stays as it was.
        restored = [
            copy(entry)
            for entry in removed
            if entry.key not in self.entries
            and entry._recency <= newest
            and (entry.expires_at is None or entry.expires_at > now)
        ]
        self.indexes.restored(restored)
        for entry in restored:
            if entry.expires_at is not None:
                self.expect_expiry(entry)
            self.entries[entry.key] = entry
        if restored:
            self.sort()
        return taken, restored

    def same_write(self, entry: Entry) -> Entry | None:
        """Returns the entry under a key, if it still is what the same write has put there."""
        there = self.entries.get(entry.key)
        if there is None or there is entry:
            return there
        # A replica may have loaded it anew since.
        return there if there._write_seq and there._write_seq == entry._write_seq else None

    def sort(self) -> None:
        """Moves every entry to the place that its recency says."""
        for entry in sorted(self.entries.values(), key=recency):
            with suppress(KeyError):
                self.entries.move_to_end(entry.key)

    def expect_expiry(self, entry: Entry) -> None:
        """Notes when an entry that has an expiry will be deleted."""
        if len(self._expiries) > 2 * len(self.entries) + 64:
            # Records with a TTL that are rewritten over and over leave their old expiry behind.
            self._expiries = [
                (e.expires_at, e.key)
                for e in list(self.entries.values())
                if e.expires_at is not None
            ]
            heapify(self._expiries)
        assert entry.expires_at is not None
        heappush(self._expiries, (entry.expires_at, entry.key))

    def forget_all(self) -> None:
        """Drops every entry, and with them expiries, noted reads and indexes."""
        self.entries.clear()
        self._expiries.clear()
        self._reads.clear()
        self.indexes.clear()

    def remove(self, there: Sequence[Entry], now: float) -> None:
        """Deletes entries that are there, at an instant in Unix seconds."""
        for entry in there:
            self.entries.pop(entry.key, None)
        self.removals += 1
        if self.log is not None:
            self.log.note(now, [("deleted", entry.key, entry) for entry in there])
        if not self.entries:
            self._expiries.clear()
            self.indexes.clear()
