"""The tombstones that this process knows, arranged for comparisons in flat arrays: there may be a million of them."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence

import msgspec

from ...entry import Entry, write_seq
from ...stores.base import Dump
from .fingerprint import DIGEST, HASHES, Fingerprint
from .lookup import Lookup
from .sketches import Sketches
from .tombstone import PREFIX, sketch_in

_NONE = "0" * 16

# So many tombstones, or this part of all, may be unarranged before that makes comparisons slow.
_MOST_UNARRANGED, _SHARE_UNARRANGED = 4096, 8


class _Kept(msgspec.Struct, gc=False):
    """What the record of a tombstone says that values are compared with."""

    text: str = ""
    sketch: bytes = b""
    stated: str = ""


_read = msgspec.json.Decoder(list[_Kept]).decode


class Listed:
    """The tombstones of one memory. Each has a row; a row that was dropped stays where it is, and counts no more.

    Many are taken in by `extend` and then arranged, once; single ones are added later.
    """

    def __init__(self) -> None:
        self._size = 0
        # By row: the digest that names the tombstone, the beginnings of those of its text and of its numbers and negations (0 for
        # none), and the number of its write (-1: it was dropped).
        self._ids = bytearray()
        self._texts, self._stated = array("Q"), array("Q")
        self._numbers = array("d")
        self._by_id, self._by_text = Lookup(), Lookup()
        self._sketches: Sketches | None = None
        # By number of the sketch, the row.
        self._sketched = array("I")
        self._arranged = 0

    def __len__(self) -> int:
        return self._size

    @property
    def needs_arranging(self) -> bool:
        """Whether so many were added one by one that they had better be taken in anew."""
        added = len(self._numbers) - self._arranged
        return added > max(_MOST_UNARRANGED, self._arranged // _SHARE_UNARRANGED)

    # ---- very many

    def extend(self, dump: Dump) -> bool:
        """Takes in a page of tombstones, for `arrange`; returns False, and does nothing, if a value is not that of a tombstone.

        Of the entries that the page has besides, `add` takes care.
        """
        import numpy as np

        try:
            ids = bytes.fromhex(dump.keys.decode())
            kept = _read(dump.values)
            texts = bytes.fromhex("".join([each.text[:16] or _NONE for each in kept]))
            stated = bytes.fromhex("".join([each.stated[:16] or _NONE for each in kept]))
        except (ValueError, msgspec.MsgspecError):
            return False
        sketches = b"".join([each.sketch for each in kept])
        count, first = len(kept), len(self._numbers)
        sizes = {len(each.sketch) for each in kept}
        if not len(ids) == DIGEST * count == 2 * len(texts) == 2 * len(stated) or sizes - {
            0,
            HASHES,
        }:
            return False
        self._ids += ids
        for column, digests in ((self._texts, texts), (self._stated, stated)):
            column.frombytes(np.frombuffer(digests, ">u8").astype(np.uint64).tobytes())
        self._numbers.frombytes(np.frombuffer(dump.numbers, ">f8").astype(np.float64).tobytes())
        if sketches:
            self._sketch([sketches], (row for row, each in enumerate(kept, first) if each.sketch))
        self._size += count
        return True

    def arrange(self) -> None:
        """Sorts what was taken in, so that it is found."""
        import numpy as np

        firsts = np.frombuffer(bytes(self._ids), ">u8")[:: DIGEST // 8].astype(np.uint64)
        self._by_id = Lookup.of(firsts, np.arange(len(firsts)))
        texts = np.frombuffer(self._texts.tobytes(), np.uint64)
        having = np.flatnonzero(texts)
        self._by_text = Lookup.of(texts[having], having)
        if self._sketches is not None:
            self._sketches.arrange()
        self._arranged = len(self._numbers)
        # A server may give a record twice that changes meanwhile.
        for first in self._by_id.repeated():
            rows = [row for row in self._by_id.rows(first) if self._numbers[row] >= 0]
            last = {self._id(row): row for row in rows}
            for row in rows:
                if last[self._id(row)] != row:
                    self._drop(row)

    # ---- single ones

    def add(self, entries: Sequence[Entry]) -> int:
        """Adds tombstones; returns how many of them were unknown or have changed."""
        sketches, sketched, count = [], [], 0
        for entry in entries:
            id_, number = _id_in(entry.key), write_seq(entry)
            if not id_:
                continue  # of another program
            known = self._row_of(id_)
            if known >= 0:
                if self._numbers[known] == number:
                    continue
                self._drop(known)  # it was made again, perhaps as one of another kind
            count += 1
            value = entry.value()
            text, sketch = _number(value.get("text")), sketch_in(value)
            row = len(self._numbers)
            self._ids += id_
            self._texts.append(text)
            self._stated.append(_number(value.get("stated")))
            self._numbers.append(number)
            self._size += 1
            self._by_id.add(_first(id_), row)
            if text:
                self._by_text.add(text, row)
            if sketch:
                sketches.append(sketch)
                sketched.append(row)
        if sketches:
            self._sketch(sketches, sketched)
        return count

    def drop(self, ids: Iterable[str]) -> None:
        """Drops tombstones that were lifted."""
        for each in ids:
            row = self._row_of(_id_in(PREFIX + each))
            if row >= 0:
                self._drop(row)

    def _sketch(self, sketches: Iterable[bytes], rows: Iterable[int]) -> None:
        if self._sketches is None:
            self._sketches = Sketches()
        self._sketches.extend(sketches)
        self._sketched.extend(rows)

    def _drop(self, row: int) -> None:
        self._numbers[row] = -1
        self._size -= 1

    def _row_of(self, id_: bytes) -> int:
        """Returns the row of a tombstone; -1 if there is none."""
        for row in self._by_id.rows(_first(id_)):
            if self._numbers[row] >= 0 and self._id(row) == id_:
                return row
        return -1

    def _id(self, row: int) -> bytes:
        return bytes(self._ids[row * DIGEST : (row + 1) * DIGEST])

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
        found = (row for row in rows if row >= 0 and self._numbers[row] >= 0)
        return list(dict.fromkeys(self._id(row).hex() for row in found))


def _first(digest: bytes) -> int:
    return int.from_bytes(digest[:8], "big")


def _id_in(key: str) -> bytes:
    """Returns the digest in the key of a tombstone's record; empty if there is none."""
    try:
        id_ = bytes.fromhex(key.removeprefix(PREFIX))
    except ValueError:
        return b""
    return id_ if len(id_) == DIGEST else b""


def _number(digest: object) -> int:
    """Returns the beginning of a digest in hexadecimal digits as a number; 0 for none."""
    try:
        return int(digest[:16], 16) if isinstance(digest, str) and digest else 0
    except ValueError:
        return 0
