"""Signatures: which n-grams a folded text has, as one bit a row.

A text is UTF-8. Each row has a bit for:

    GRAMS     a hash of 3 or of 4 bytes in a row, or of a character of 2 bytes: several share one
    PAIRS     two bytes in a row, by class
    SINGLES   one byte of ASCII: the union of the pairs that begin with it, or itself
    OWNERS    a hash of the user or of the session of a record's key

Letters, digits and the other most frequent bytes are classes of their own, so a query of two of them
is answered exactly, as is any query of one byte; other bytes share their class. N-grams are of bytes
and not of characters, because a substring of a text is a substring of its UTF-8: one ideogram is a
3-gram, one emoji a 4-gram.

A sample of the texts decides which n-grams share a row. N-grams of nearly all texts, such as the names
of fields, are put together: a rare n-gram that shared a row with one of them would select nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from ...text import BORDER
from .runs import Numbers, runs_in

Bits: TypeAlias = npt.NDArray[np.uint64]
"""Rows of bits, 64 columns a word, the first column in the lowest bit."""

# Little-endian on every machine, as `packbits` writes them.
WORD = np.dtype("<u8")

_BORDER = ord(BORDER)
_OWN_CLASS = b"abcdefghijklmnopqrstuvwxyz0123456789 .,-"
_CLASSES = len(_OWN_CLASS) + 7
_QUOTE_CLASS, _OTHER_CLASS, _BORDER_CLASS = _CLASSES - 3, _CLASSES - 2, _CLASSES - 1
# The ASCII bytes of these two classes; folded text has no capitals.
_OTHERS = [byte for byte in range(128) if byte not in _OWN_CLASS and not 65 <= byte <= 90]


def _class_of(byte: int) -> int:
    if byte == _BORDER:
        return _BORDER_CLASS
    if byte in _OWN_CLASS:
        return _OWN_CLASS.index(byte)
    if byte >= 0x80:  # two kinds of continuation and two of lead bytes
        return len(_OWN_CLASS) + (byte >> 5) - 4
    return _QUOTE_CLASS if byte in b"'\"" else _OTHER_CLASS


_CLASS = np.array([_class_of(byte) for byte in range(256)], np.uint16)
_CLASS_LIST: list[int] = _CLASS.tolist()

GRAMS = 4096
PAIRS = GRAMS
SINGLES = PAIRS + _CLASSES * _CLASSES
_OTHER_SINGLES = SINGLES + len(_OWN_CLASS)
OWNERS = _OTHER_SINGLES + len(_OTHERS)
_OWNER_ROWS = 256
ROWS = OWNERS + _OWNER_ROWS
"""Number of rows of a signature."""

_SINGLE_ROW = np.zeros(128, np.intp)
_SINGLE_ROW[list(_OWN_CLASS)] = np.arange(SINGLES, _OTHER_SINGLES)
_SINGLE_ROW[_OTHERS] = np.arange(_OTHER_SINGLES, OWNERS)
_SINGLE_LIST: list[int] = _SINGLE_ROW.tolist()

# An n-gram is hashed to 16 bits, which numpy adds and multiplies quickest: the sum of its bytes times
# these odd factors, mixed.
_HASHES = 1 << 16
_TWO = _A2, _B2 = 44939, 27183
_THREE = _A3, _B3, _C3 = 40503, 30011, 58213
_FOUR = _A4, _B4, _C4, _D4 = 25717, 60493, 34807, 51787
_MIX = 52429

# N-grams that a larger share of the sample's texts has select nearly nothing, and so many of them share
# a row. Of the other n-grams, so many of the most frequent have a row of their own, which is exact.
_COMMON = 0.95
_TOGETHER = 32
_OWN_ROW = 1024
_SAMPLE = 256

# N-grams of four bytes that a larger share of the sample's texts has make runs, see `runs`. Rarer ones exclude enough by
# themselves.
_IN_RUNS = 0.05

_SHARED = (_QUOTE_CLASS, _OTHER_CLASS)

# Needles of so few bytes have few n-grams, so their pairs are looked at as well.
_SHORT = 6

# A long needle is as selective as the n-grams at so many places of it, spread evenly.
_PLACES = 32


def _mixed(total: int) -> int:
    total &= 0xFFFF
    return ((total ^ total >> 8) * _MIX) & 0xFFFF


def _parts(needle: bytes) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Returns the hashes of a needle's n-grams, and the rows of its pairs and of its single bytes."""
    size = len(needle)
    if size == 1:
        return (), (_SINGLE_LIST[needle[0]],)
    hashes: set[int] = set()
    pairs: set[int] = set()
    if size <= _SHORT:
        pairs.update(_SINGLE_LIST[byte] for byte in needle if _CLASS_LIST[byte] in _SHARED)
        for one, two in pairwise(needle):
            pairs.add(PAIRS + _CLASS_LIST[one] * _CLASSES + _CLASS_LIST[two])
            if one & 0xE0 == 0xC0:  # begins a character of two bytes
                hashes.add(_mixed(one * _A2 + two * _B2))
    step = -(-max(size - 2, 1) // _PLACES)
    for at in range(0, size - 2, step):
        one, two, three = needle[at : at + 3]
        hashes.add(_mixed(one * _A3 + two * _B3 + three * _C3))
        if at + 3 < size:
            four = needle[at + 3]
            hashes.add(_mixed(one * _A4 + two * _B4 + three * _C4 + four * _D4))
    return tuple(hashes), tuple(pairs)


def is_exact(needle: bytes) -> bool:
    """Returns whether the one row of a needle has exactly the texts that contain the needle."""
    return len(needle) == 1 or (len(needle) == 2 and all(byte in _OWN_CLASS for byte in needle))


@lru_cache(maxsize=4096)
def owner_rows(user: str | None, session: str | None) -> tuple[int, ...]:
    """Returns the rows of a user and of a session; None has no row."""
    # The hash of a str differs between processes. That does no harm: signatures live in one process.
    return tuple(
        OWNERS + hash((kind, name)) % _OWNER_ROWS
        for kind, name in enumerate((user, session))
        if name is not None
    )


class Signer:
    """Makes signatures. It keeps its scratch arrays, because new ones would cost more than the work.

    Args:
        sample: texts that decide which n-grams share a row.
    """

    # So many bytes of text are looked at in one step: the arrays stay in the processor's cache.
    WINDOW = 1 << 16

    def __init__(self, sample: Sequence[bytes] = ()) -> None:
        size = self.WINDOW + 5
        self._bytes = np.empty(size, np.uint16)
        self._sum = np.empty(size, np.uint16)
        self._term = np.empty(size, np.uint16)
        self._places = np.empty(size, np.intp)
        # One byte for each bit, and one more row for n-grams that cross a border.
        self._marks = np.zeros((ROWS + 1, 64), np.uint8)
        self._makes_runs = np.zeros(_HASHES, np.bool_)
        self._row_of = self._rows_by_hash(sample[:_SAMPLE])
        self._row_list: list[int] = self._row_of.tolist()
        # Where in the marks the row of each hash begins.
        self._start_of = self._row_of.astype(np.intp) << 6
        self._seen = np.zeros(_HASHES, np.bool_)
        self._has_seen = self._seen.data

    def rows_of(self, needle: bytes) -> set[int] | None:
        """Returns the rows in which every text that contains the needle has its bit set.

        Args:
            needle: folded UTF-8 of at least one character, without `BORDER`.

        Returns:
            None when no text so far has had one of the needle's n-grams.
        """
        hashes, rows = _parts(needle)
        row_of, has_seen = self._row_list, self._has_seen
        found = set(rows)
        for number in hashes:
            if not has_seen[number]:
                return None
            found.add(row_of[number])
        return found

    def runs_of(self, needle: bytes) -> list[int]:
        """Returns the bits of the runs that every text has which contains the needle, see `runs`."""
        grams = zip(needle, needle[1:], needle[2:], needle[3:], strict=False)
        hashes = [
            _mixed(one * _A4 + two * _B4 + three * _C4 + four * _D4)
            for one, two, three, four in grams
        ]
        found: list[int] = runs_in(np.array(hashes, np.uint16), self._makes_runs).tolist()
        return found

    def word(
        self, texts: Sequence[bytes], owners: Iterable[Sequence[int]], first: int = 0
    ) -> tuple[Bits, Numbers]:
        """Returns the signatures of up to 64 texts, as one word for each row, and the bits of their runs.

        Args:
            texts: folded UTF-8; at most ``64 - first``.
            owners: rows of each text's user and session.
            first: the column, 0 to 63, of the first text.

        Returns:
            Shapes (ROWS,) and (n,). A run may be there several times.
        """
        marks = self._marks
        marks.fill(0)
        border = BORDER.encode()
        joined = border.join(texts) + 6 * border
        runs: list[Numbers] = []
        sizes = [len(text) + 1 for text in texts]
        columns = np.arange(first, first + len(texts), dtype=np.intp).repeat(sizes)
        for start in range(0, len(columns), self.WINDOW):
            part = columns[start : start + self.WINDOW]
            runs.append(self._mark(joined[start : start + len(part) + 5], part))
        pairs = marks[PAIRS:SINGLES].reshape(_CLASSES, _CLASSES, 64)
        np.max(pairs[: len(_OWN_CLASS)], axis=1, out=marks[SINGLES:_OTHER_SINGLES])
        for column, rows in enumerate(owners, first):
            for row in rows:
                marks[row, column] = 1
        word = np.packbits(marks[:ROWS].reshape(-1), bitorder="little").view(WORD)
        return word, runs[0] if len(runs) == 1 else np.concatenate(runs)

    def _mark(self, text: bytes, columns: Numbers) -> Numbers:
        """Marks the n-grams that begin in a text's first ``len(columns)`` bytes, and returns the runs that do."""
        size = len(columns)
        raw = np.frombuffer(text, np.uint8)
        values = self._bytes[: size + 5]
        values[:] = raw
        crosses = _crossing(raw)
        self._hash(values[: size + 3], _THREE)
        self._set_grams(columns, crosses[:size])
        fours = self._hash(values, _FOUR)
        # A run that crosses a border may be among them: it does no harm.
        runs = runs_in(fours, self._makes_runs)
        self._set_grams(columns, crosses[:size] | crosses[1 : size + 1])
        places = (raw[:size] & 0xE0 == 0xC0).nonzero()[0]
        if len(places):  # characters of two bytes
            sums = values[places] * np.uint16(_A2) + values[places + 1] * np.uint16(_B2)
            hashes = (sums ^ sums >> np.uint16(8)) * np.uint16(_MIX)
            self._seen[hashes] = True
            self._marks[self._row_of[hashes], columns[places]] = 1
        np.take(_CLASS, raw, out=values, mode="clip")
        classes = values[:size]
        places = ((classes == _QUOTE_CLASS) | (classes == _OTHER_CLASS)).nonzero()[0]
        self._marks[_SINGLE_ROW[raw[places]], columns[places]] = 1
        rows = self._sum[:size]
        np.multiply(classes, np.uint16(_CLASSES), out=rows)
        np.add(rows, values[1 : size + 1], out=rows)
        np.add(rows, np.uint16(PAIRS), out=rows)
        starts = self._places[:size]
        np.left_shift(rows, 6, out=starts, dtype=np.intp)
        self._set(starts, columns)
        return runs

    def _hash(self, values: npt.NDArray[Any], factors: Sequence[int]) -> npt.NDArray[np.uint16]:
        """Returns `_mixed` of the n-gram at each place but the last three, in a scratch array."""
        size = len(values) - 3
        sums, term = self._sum[:size], self._term[:size]
        np.multiply(values[:size], np.uint16(factors[0]), out=sums)
        for place, factor in enumerate(factors[1:], start=1):
            np.multiply(values[place : place + size], np.uint16(factor), out=term)
            np.add(sums, term, out=sums)
        np.right_shift(sums, np.uint16(8), out=term)
        np.bitwise_xor(sums, term, out=sums)
        np.multiply(sums, np.uint16(_MIX), out=sums)
        return sums

    def _set_grams(self, columns: Numbers, crosses: npt.NDArray[np.bool_]) -> None:
        places, hashes = self._places[: len(columns)], self._sum[: len(columns)]
        np.copyto(places, hashes)
        self._seen[places] = True  # other integers as indices take three times as long
        np.take(self._start_of, hashes, out=places, mode="clip")
        np.copyto(places, ROWS << 6, where=crosses)
        self._set(places, columns)

    def _set(self, starts: Numbers, columns: Numbers) -> None:
        """Marks columns of rows, of which the array of their starts is overwritten."""
        np.add(starts, columns, out=starts)
        self._marks.reshape(-1)[starts] = 1

    def _rows_by_hash(self, sample: Sequence[bytes]) -> npt.NDArray[np.uint16]:
        """Returns a row for each hash; rare n-grams share their row with others that are as rare."""
        seen = np.zeros(_HASHES, np.int64)
        for text in sample:
            raw = np.frombuffer((text + 4 * BORDER.encode())[: self.WINDOW], np.uint8)
            values = self._bytes[: len(raw)]
            values[:] = raw
            crosses = _crossing(raw)
            three = self._hash(values, _THREE)[~crosses[:-1]].copy()
            four = self._hash(values, _FOUR)[~(crosses[:-1] | crosses[1:])]
            seen[np.unique(np.append(three, four))] += 1
        if len(sample):
            self._makes_runs = seen > _IN_RUNS * len(sample)
        order = np.argsort(-seen, kind="stable")
        common = int(np.count_nonzero(seen > _COMMON * len(sample))) if len(sample) else 0
        common = min(common, _OWN_ROW)
        shared = -(-common // _TOGETHER)
        others = np.arange(_HASHES - common)
        rows = np.empty(_HASHES, np.uint16)
        rows[order[:common]] = np.arange(common) // _TOGETHER
        # The others are dealt out from the most frequent down, so the rows that are left fill alike.
        left = GRAMS - shared - _OWN_ROW
        rows[order[common:]] = shared + np.where(
            others < _OWN_ROW, others, _OWN_ROW + (others - _OWN_ROW) % left
        )
        return rows


def _crossing(raw: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """Returns for each place whether a border is among the three bytes from there on."""
    borders: npt.NDArray[np.bool_] = raw == _BORDER
    crosses: npt.NDArray[np.bool_] = borders[:-2] | borders[1:-1] | borders[2:]
    return crosses
