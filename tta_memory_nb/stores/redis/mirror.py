"""The part of a server's namespace that this process knows: to search in, and to go on with.

Nobody has searched yet: it keeps what this process has written and read last, for an outage.

From the first search on: it holds every record down to a **floor** in the order of recency, as they
were at a **cursor**, a number of the server's counter. Whatever was written or read on the server
later has a higher number, so one question brings it up to date. Records below the floor are loaded
when a search has not found enough above it. At the bottom it is **complete**.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import inf
from sys import maxsize
from typing import Any

from ..base import Clock, Entry
from ..memory import InMemoryStore
from .payload import unpack

_EMPTY = b""

# More than the server's counter grows by in any outage, and far below 2^53 together with it.
_OWN = 1 << 50


@dataclass(frozen=True, slots=True)
class Position:
    """Up to where a mirror knows the server.

    Attributes:
        generation: of how many times it has started over.
        epoch: of the namespace; another one after a clear.
        cursor: the server's counter when it looked last.
        log_cursor: likewise, for the log of what was deleted.
        floor: place of the oldest record it holds; None before the first search.
        knows_all: whether it has every value written up to the cursor.
    """

    generation: int
    epoch: bytes
    cursor: int
    log_cursor: int
    floor: float | None
    knows_all: bool

    @property
    def is_complete(self) -> bool:
        """Whether there is nothing below the floor."""
        return self.floor == -inf


class Mirror(InMemoryStore):
    """Records of a server's namespace, in this process.

    Args:
        max_known: how many it keeps before the first search.
        namespace: name of the tenant.
        clock: gives Unix seconds.
    """

    def __init__(self, max_known: int, *, namespace: str, clock: Clock) -> None:
        super().__init__(max_known, namespace=namespace, clock=clock)
        self._max_known = max_known
        self._generation = 0
        self._epoch = _EMPTY
        self._cursor = self._log_cursor = 0
        self._floor: float | None = None
        self._knows_all = True
        self._is_alone = False
        # Own writes, reads and deletions that a look at the server has not covered yet, by place.
        self._ahead: dict[str, tuple[int, Entry | None]] = {}
        # What was known before it started over; for an outage before it is complete.
        self._former: OrderedDict[str, Entry] = OrderedDict()

    def position(self) -> Position:
        """Up to where it knows the server."""
        with self._lock:
            return Position(
                self._generation,
                self._epoch,
                self._cursor,
                self._log_cursor,
                self._floor,
                self._knows_all and self._floor == -inf,
            )

    # ---- what this process does on the server

    def wrote(self, entries: Sequence[Entry], start: int, end: int) -> None:
        """Takes note of own writes, which carry their places.

        Args:
            entries: as they are on the server now.
            start: the counter before.
            end: the counter afterwards; -1 when more has changed than is told here.
        """
        with self._lock:
            if self._floor is None:
                for entry in entries[-self._max_known :] if self._max_known else ():
                    self._keep(entry)
                if self._is_alone:  # an outage has begun meanwhile, and others have gone on
                    self._sort()
            elif self._follows(start, end):
                for entry in entries:
                    self._keep(entry)
            else:
                for entry in entries:
                    self._note(entry.key, entry.stamp, entry)

    def read(self, entries: Iterable[Entry], missing: Iterable[str], start: int, end: int) -> None:
        """Takes note of own reads, which carry their new places, and of what was not there."""
        with self._lock:
            if self._floor is None or self._follows(start, end):
                for entry in entries:
                    there = self._entries.get(entry.key)
                    if there is not None and there.version == entry.version:
                        there.stamp = max(there.stamp, entry.stamp)
                        self._to_the_end(there)
                    else:
                        self._keep(entry)
                self._drop(missing, end)
            else:
                for entry in entries:
                    self._note(entry.key, entry.stamp, entry)
                for key in missing:
                    self._note(key, end, None)

    def removed(self, keys: Iterable[str], start: int, end: int) -> None:
        """Takes note of own deletions."""
        with self._lock:
            if self._floor is None or self._follows(start, end):
                self._drop(keys, end)
            else:
                for key in keys:
                    self._note(key, end, None)

    def restored(self, entries: Iterable[Entry], end: int) -> None:
        """Takes note of records that an own undo has brought back to the places they had."""
        with self._lock:
            for entry in entries:
                if self._floor is None:
                    self._keep(entry)
                else:
                    self._note(entry.key, end, entry)

    def outdated(self, keys: Iterable[str]) -> None:
        """Forgets records that are other ones by now; the next look brings them."""
        with self._lock:
            for key in keys:
                self._entries.pop(key, None)
                self._former.pop(key, None)

    def forget(self, end: int) -> None:
        """Takes note of an own `clear`."""
        with self._lock:
            self._former.clear()
            if self._floor is None:
                self._entries.clear()
            else:
                self._ahead = dict.fromkeys((*self._entries, *self._ahead), (end, None))

    def _follows(self, start: int, end: int) -> bool:
        """Whether nobody else has done anything since the last look: then there is none to take.

        Only then may the mirror be changed without one: it holds what the server held at one instant.
        """
        follows = start == self._cursor == self._log_cursor and end > start
        if follows:
            self._cursor = self._log_cursor = end
            if self._ahead:
                ahead = self._ahead.items()
                self._ahead = {key: known for key, known in ahead if known[0] > end}
        return follows

    def _note(self, key: str, place: int, entry: Entry | None) -> None:
        """Keeps what is ahead of the cursor for an outage; the next look covers it."""
        if place > self._cursor and place >= self._ahead.get(key, (0, None))[0]:
            self._ahead[key] = (place, entry)

    def _keep(self, entry: Entry) -> None:
        there = self._entries.get(entry.key)
        if there is not None and there.stamp > entry.stamp:
            return
        entry.column = -1
        self._entries[entry.key] = entry
        if self._former:
            self._former.pop(entry.key, None)
        if entry.expires_at is not None:
            self._watch(entry.key, entry.expires_at)
        if there is not None:
            self._entries.move_to_end(entry.key)
        self._stamp = max(self._stamp, entry.stamp)
        while len(self._entries) > self._max_size:
            self._entries.popitem(last=False)

    def _to_the_end(self, entry: Entry) -> None:
        self._entries.move_to_end(entry.key)
        self._stamp = max(self._stamp, entry.stamp)

    def _drop(self, keys: Iterable[str], end: int) -> None:
        for key in keys:
            there = self._entries.get(key)
            # What was written later than this was seen is still there.
            if there is not None and there.stamp <= end:
                del self._entries[key]
            self._former.pop(key, None)

    # ---- what a look at the server has given

    def start_over(self) -> None:
        """Forgets how far it knows the server, but not what it knows of it."""
        with self._lock:
            self._settle(self._clock())
            self._former.update(self._entries)
            self._ahead.clear()
            self._activate(_EMPTY, 0)
            self._floor = None
            self._is_alone = False
            self._set_max_size(self._max_known)
            self._cursor = self._log_cursor = 0
            # Known again, as what was written or read last.
            recent = list(self._former.values())[-self._max_known :] if self._max_known else []
            for entry in recent:
                entry.stamp, entry.column = 0, -1
                self._entries[entry.key] = entry

    def _activate(self, epoch: bytes, seq: int) -> None:
        self._generation += 1
        self._entries.clear()
        self._expiries.clear()
        self._reads.clear()
        self._index.clear()
        self._ahead.clear()
        self._stamp = seq
        self._epoch = epoch
        self._cursor = self._log_cursor = seq
        self._floor = float(seq + 1)
        self._knows_all = True
        self._set_max_size(maxsize)

    def apply(self, asked: Position, reply: Sequence[Any]) -> int | None:
        """Takes in what `sync.lua` has given.

        Args:
            asked: where the mirror stood when it was asked.
            reply: as it came.

        Returns:
            How many records were loaded from below the floor; None when the answer is of no use
            any more, because the mirror has gone on meanwhile.
        """
        epoch, seq, reset, more, cursor, log_cursor, changed, gone, older, reached, bottom = reply
        with self._lock:
            if asked.generation != self._generation:
                return None
            if reset:
                self._former.update(self._entries)
                self._activate(epoch, seq)
            elif cursor < self._cursor or log_cursor < self._log_cursor:
                return None
            self._settle(self._clock())
            if not self._apply_changed(changed):
                self._knows_all = False  # the next look asks for values as well
                return None
            self._apply_gone(gone)
            loaded = self._apply_older(older)
            if reached and self._floor is not None:
                # Two may have asked from the same floor; the first may have gone on from there.
                self._floor = min(self._floor, int(float(reached)))
            self._cursor, self._log_cursor = cursor, log_cursor
            ahead = self._ahead.items()
            self._ahead = {key: known for key, known in ahead if known[0] > seq}
            if bottom:
                self._floor = -inf
                self._former.clear()
            if not more:
                self._knows_all = True
            return loaded

    def _apply_changed(self, rows: Sequence[Any]) -> bool:
        for key, place, blob in triples(rows):
            there = self._entries.get(key)
            if not blob:
                if there is None:
                    return False
                there.stamp = max(there.stamp, place)
                self._entries.move_to_end(key)
            elif there is None or there.stamp <= place:
                entry = unpack(key, blob, place)
                if entry is not None:
                    self._take(entry)
            self._stamp = max(self._stamp, place)
        return True

    def _take(self, entry: Entry) -> None:
        """Puts an entry at the newest end, but keeps the one there if it has the same value."""
        there = self._entries.get(entry.key)
        if there is not None and there.version == entry.version:
            there.stamp = entry.stamp
        else:
            entry.column = -1
            self._entries[entry.key] = entry
            if entry.expires_at is not None:
                self._watch(entry.key, entry.expires_at)
        self._entries.move_to_end(entry.key)

    def _apply_gone(self, rows: Sequence[Any]) -> None:
        assert self._floor is not None
        back = []
        for key, place, blob in triples(rows):
            there = self._entries.get(key)
            if blob and place >= self._floor:
                entry = unpack(key, blob, place)
                if entry is not None and (there is None or there.version != entry.version):
                    self._take(entry)
                    back.append(entry)
            elif there is not None and not blob:
                del self._entries[key]
                self._former.pop(key, None)
        if back:
            self._index.restored(back)
            self._sort()

    def _apply_older(self, rows: Sequence[Any]) -> int:
        loaded = []
        for key, place, blob in triples(rows):
            if key not in self._entries:
                entry = unpack(key, blob, place)
                if entry is not None:
                    loaded.append(entry)
                    self._entries[key] = entry
                    self._entries.move_to_end(key, last=False)
                    if entry.expires_at is not None:
                        self._watch(key, entry.expires_at)
        if loaded:
            if len(loaded) * 4 > len(self._entries):
                # Columns are in the order of recency, and these are older than all that have one.
                for entry in self._entries.values():
                    entry.column = -1
                self._index.clear()
            else:
                self._index.restored(loaded)
        return len(rows) // 3

    def _sort(self) -> None:
        for entry in sorted(self._entries.values(), key=lambda entry: entry.stamp):
            self._entries.move_to_end(entry.key)

    # ---- an outage

    def _still_there(self, entry: Entry) -> Entry | None:
        there = self._entries.get(entry.key)
        if there is entry or (there and there.version and there.version == entry.version):
            return there  # the same write, even if it has been loaded anew
        return None

    def read_one(self, key: str) -> Entry | None:
        """As `fetch`, for one key."""
        return self._read_one(key)

    def go_on_alone(self, max_size: int | None, parts: Iterable[Mirror] = ()) -> None:
        """Becomes a store of its own, with all that is known.

        Args:
            max_size: the capacity that the namespace has, if it has one.
            parts: others who know something; they are not used any more.
        """
        with self._lock:
            self._settle(self._clock())
            for part in parts:
                for entry in part.find():
                    there = self._former.get(entry.key)
                    if there is None or there.stamp < entry.stamp:
                        self._former[entry.key] = entry
            for key, (_, known) in sorted(self._ahead.items(), key=lambda item: item[1][0]):
                if known is None:
                    self._entries.pop(key, None)
                    self._former.pop(key, None)
                else:
                    self._keep(known)
            self._ahead.clear()
            for key, entry in reversed(self._former.items()):
                if key not in self._entries:
                    entry.column = -1
                    self._entries[key] = entry
                    self._entries.move_to_end(key, last=False)
                    if entry.expires_at is not None:
                        self._watch(key, entry.expires_at)
            self._former.clear()
            complete = self._floor == -inf
            self._index.clear()
            unknown = 0
            for entry in sorted(self._entries.values(), key=lambda entry: entry.stamp):
                entry.column = -1
                if not entry.stamp:
                    # Of these nobody knows the place; the server's are larger by far.
                    unknown = entry.stamp = unknown + 1
                self._stamp = max(self._stamp, entry.stamp)
                self._entries.move_to_end(entry.key)
            # From here on its own places, which no late answer of the server comes up to.
            self._stamp += _OWN
            self._generation += 1
            self._floor = None
            self._is_alone = True
            self._set_max_size(max_size if complete and max_size is not None else maxsize)


def triples(rows: Sequence[Any]) -> Iterator[tuple[str, int, bytes]]:
    """Key, place and blob of a flat list."""
    it = iter(rows)
    for key, place, blob in zip(it, it, it, strict=True):
        yield key.decode("utf-8", "surrogatepass"), int(float(place)), blob
