"""The tombstones that this process knows, arranged for comparisons in flat arrays: there may be a million of them."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

from ...entry import Entry, write_seq
from .fingerprint import Fingerprint
from .lookup import Lookup
from .sketches import Sketches
from .tombstone import PREFIX, sketch_in

_DIGEST = 16  # bytes


class Listed:
    """The tombstones of one memory. Each has a row; a row that was dropped stays where it is, and counts no more."""

    def __init__(self) -> None:
        self._size = 0
        self._round = 1
        # By row: the digest that names the tombstone, the beginnings of those of its text and of its numbers and negations (0 for
        # none), the number of its write, and the round in which it was seen last (0: it was dropped).
        self._ids = bytearray()
        self._texts, self._stated = array("Q"), array("Q")
        self._seqs, self._rounds = array("Q"), array("I")
        self._by_id, self._by_text = Lookup(), Lookup()
        self._sketches: Sketches | None = None
        # By number of the sketch, the row.
        self._sketched = array("I")

    def __len__(self) -> int:
        return self._size

    def begin(self) -> int:
        """Begins to take in all that the companion store has, for `end`; several threads may be at it."""
        self._round += 1
        return self._round

    def end(self, begun: int) -> None:
        """Drops tombstones that `add` was not given since a call of `begin`, which has returned that number: they were lifted."""
        for row, seen in enumerate(self._rounds):
            if 0 < seen < begun:
                self._drop(row)

    def add(self, entries: Sequence[Entry]) -> int:
        """Adds tombstones; returns how many of them were unknown or have changed."""
        sketches, count = [], 0
        for entry in entries:
            id_, number = _id_in(entry.key), write_seq(entry)
            if not id_:
                continue  # of another program
            known = self._row_of(id_)
            if known >= 0:
                if self._seqs[known] == number:
                    self._rounds[known] = self._round
                    continue
                self._drop(known)  # it was made again, perhaps as one of another kind
            count += 1
            value = entry.value()
            text, sketch = _number(value.get("text")), sketch_in(value)
            row = len(self._seqs)
            self._ids += id_
            self._texts.append(text)
            self._stated.append(_number(value.get("stated")))
            self._seqs.append(number)
            self._rounds.append(self._round)
            self._size += 1
            self._by_id.add(_first(id_), row)
            if text:
                self._by_text.add(text, row)
            if sketch:
                sketches.append(sketch)
                self._sketched.append(row)
        if sketches:
            if self._sketches is None:
                self._sketches = Sketches()
            self._sketches.extend(sketches)
        return count

    def _drop(self, row: int) -> None:
        self._rounds[row] = 0
        self._size -= 1

    def _row_of(self, id_: bytes) -> int:
        """Returns the row of a tombstone; -1 if there is none."""
        for row in self._by_id.rows(_first(id_)):
            if self._rounds[row] and self._ids[row * _DIGEST : (row + 1) * _DIGEST] == id_:
                return row
        return -1

    def _id_of(self, row: int) -> str:
        return self._ids[row * _DIGEST : (row + 1) * _DIGEST].hex()

    def like(self, print_: Fingerprint) -> list[str]:
        """Returns the ids of the tombstones that refuse a value, the surest first."""
        if not self._size:
            return []
        rows = [self._row_of(bytes.fromhex(each)) for each in (print_.exact, print_.under_key)]
        if print_.text:
            rows += self._by_text.rows(_number(print_.text))
        if print_.sketch and self._sketches is not None:
            stated = _number(print_.stated)
            alike = (self._sketched[number] for number in self._sketches.like(print_.sketch))
            rows += (row for row in alike if self._stated[row] == stated)
        found = (row for row in rows if row >= 0 and self._rounds[row])
        return list(dict.fromkeys(map(self._id_of, found)))


def _first(digest: bytes) -> int:
    return int.from_bytes(digest[:8], "big")


def _id_in(key: str) -> bytes:
    """Returns the digest in the key of a tombstone's record; empty if there is none."""
    try:
        id_ = bytes.fromhex(key.removeprefix(PREFIX))
    except ValueError:
        return b""
    return id_ if len(id_) == _DIGEST else b""


def _number(digest: object) -> int:
    """Returns the beginning of a digest in hexadecimal digits as a number; 0 for none."""
    try:
        return int(digest[:16], 16) if isinstance(digest, str) and digest else 0
    except ValueError:
        return 0
