"""Signatures: which n-grams a folded text has, as one bit a row.

A text is UTF-8. What a row stands for:

    GRAMS     a hash of 3 or of 4 bytes in a row: several n-grams share one
    PAIRS     two bytes in a row, by class
    SINGLES   one byte, by class: the union of the pairs that begin with it
    OWNERS    a hash of the user or of the session of a record's key

Letters, digits and the space are classes of their own, so that queries of one or two of them are
answered exactly; other bytes share theirs. Bytes and not characters, because a substring of a
text is a substring of its UTF-8: one ideogram is a 3-gram, one emoji a 4-gram.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from ..text import BORDER

Bits: TypeAlias = npt.NDArray[np.uint64]
"""Rows of bits, 64 columns a word, the first column in the lowest bit."""

# Little-endian on every machine, as `packbits` writes them.
WORD = np.dtype("<u8")

_BORDER = ord(BORDER)
_OWN_CLASS = b"abcdefghijklmnopqrstuvwxyz0123456789 "
_CLASSES = len(_OWN_CLASS) + 9
_BORDER_CLASS = _CLASSES - 1


def _class_of(byte: int) -> int:
    if byte == _BORDER:
        return _BORDER_CLASS
    if byte in _OWN_CLASS:
        return _OWN_CLASS.index(byte)
    if byte >= 0x80:  # two kinds of continuation, two of lead bytes
        kind = (byte >> 5) - 4
    else:
        kind = 4 if byte in b".,:;!?" else 5 if byte in b"'\"-_" else 6 if byte > 0x20 else 7
    return len(_OWN_CLASS) + kind


_CLASS = np.array([_class_of(byte) for byte in range(256)], np.uint16)
_CLASS_LIST: list[int] = _CLASS.tolist()

GRAMS = 4096
PAIRS = GRAMS
SINGLES = PAIRS + _CLASSES * _CLASSES
OWNERS = SINGLES + _CLASSES
_OWNER_ROWS = 256
ROWS = OWNERS + _OWNER_ROWS
"""How many rows a signature has."""

# Odd multipliers, one a place: sums modulo 2**16 are what numpy adds quickest. The two last ones
# mix the sum, whose upper 12 bits are the row.
_THREE = _A3, _B3, _C3 = 40503, 30011, 58213
_FOUR = _A4, _B4, _C4, _D4 = 25717, 60493, 34807, 51787
_MIX = 52429

# A long query is as selective as this many places of it, spread evenly.
_PLACES = 40


def _row(total: int) -> int:
    """The row of an n-gram, from the sum of its bytes times their factors."""
    total &= 0xFFFF
    return (((total ^ total >> 8) * _MIX) & 0xFFFF) >> 4


@lru_cache(maxsize=4096)
def rows_of(needle: bytes) -> tuple[int, ...]:
    """The rows in which every text that contains the needle has its bit set.

    Args:
        needle: folded UTF-8 of at least one byte, without `BORDER`.
    """
    size = len(needle)
    if size == 1:
        return (SINGLES + _CLASS_LIST[needle[0]],)
    if size == 2:
        return (PAIRS + _CLASS_LIST[needle[0]] * _CLASSES + _CLASS_LIST[needle[1]],)
    step = -(-(size - 2) // _PLACES)
    rows = set()
    for at in range(0, size - 2, step):
        one, two, three = needle[at : at + 3]
        rows.add(_row(one * _A3 + two * _B3 + three * _C3))
        if at + 3 < size:
            four = needle[at + 3]
            rows.add(_row(one * _A4 + two * _B4 + three * _C4 + four * _D4))
    return tuple(rows)


def is_exact(needle: bytes) -> bool:
    """Whether the one row of a needle holds those texts that contain it, and no others."""
    return len(needle) <= 2 and all(byte in _OWN_CLASS for byte in needle)


@lru_cache(maxsize=4096)
def owner_rows(user: str | None, session: str | None) -> tuple[int, ...]:
    """The rows of a user and of a session; None has none."""
    # The hash of text differs from process to process, as it may: signatures live in one.
    return tuple(
        OWNERS + hash((kind, name)) % _OWNER_ROWS
        for kind, name in enumerate((user, session))
        if name is not None
    )


class Signer:
    """Makes signatures. Keeps its scratch arrays, because fresh ones cost more than the work."""

    # Bytes of text that are looked at in one go: what is made of them stays in the cache.
    WINDOW = 1 << 16

    def __init__(self) -> None:
        size = self.WINDOW + 3
        self._bytes = np.empty(size, np.uint16)
        self._sum = np.empty(size, np.uint16)
        self._term = np.empty(size, np.uint16)
        self._places = np.empty(size, np.intp)
        # A byte a bit, and one row more for n-grams that cross a border.
        self._marks = np.zeros((ROWS + 1, 64), np.uint8)

    def word(self, texts: Sequence[bytes], owners: Iterable[Sequence[int]], first: int = 0) -> Bits:
        """The signatures of up to 64 texts, as one word a row.

        Args:
            texts: folded UTF-8; at most ``64 - first``.
            owners: rows of each text's user and session.
            first: the column, 0 to 63, of the first text.

        Returns:
            Shape (ROWS,).
        """
        marks = self._marks
        marks.fill(0)
        border = BORDER.encode()
        joined = border.join(texts) + 4 * border
        sizes = [len(text) + 1 for text in texts]
        columns = np.arange(first, first + len(texts), dtype=np.uint8).repeat(sizes)
        for start in range(0, len(columns), self.WINDOW):
            part = columns[start : start + self.WINDOW]
            self._mark(joined[start : start + len(part) + 3], part)
        singles = marks[SINGLES:OWNERS]
        np.max(marks[PAIRS:SINGLES].reshape(_CLASSES, _CLASSES, 64), axis=1, out=singles)
        for column, rows in enumerate(owners, first):
            for row in rows:
                marks[row, column] = 1
        return np.packbits(marks[:ROWS], axis=1, bitorder="little").view(WORD)[:, 0]

    def _mark(self, text: bytes, columns: npt.NDArray[np.uint8]) -> None:
        """Marks the n-grams that begin in a text's first ``len(columns)`` bytes."""
        size = len(columns)
        raw = np.frombuffer(text, np.uint8)
        values = self._bytes[: size + 3]
        values[:] = raw
        crosses = raw == _BORDER
        crosses = crosses[:-2] | crosses[1:-1] | crosses[2:]
        self._hash(values, _THREE)
        self._set(columns, crosses[:size])
        self._hash(values, _FOUR)
        self._set(columns, crosses[:size] | crosses[1:])
        np.take(_CLASS, raw, out=values, mode="clip")
        sums = self._sum[:size]
        np.multiply(values[:size], np.uint16(_CLASSES), out=sums)
        np.add(sums, values[1 : size + 1], out=sums)
        np.add(sums, np.uint16(PAIRS), out=sums)
        self._set(columns, None)

    def _hash(self, values: npt.NDArray[np.uint16], factors: Sequence[int]) -> None:
        """`_row` of the n-gram at each place, into the sums."""
        size = len(values) - 3
        sums, term = self._sum[:size], self._term[:size]
        np.multiply(values[:size], np.uint16(factors[0]), out=sums)
        for place, factor in enumerate(factors[1:], start=1):
            np.multiply(values[place : place + size], np.uint16(factor), out=term)
            np.add(sums, term, out=sums)
        np.right_shift(sums, np.uint16(8), out=term)
        np.bitwise_xor(sums, term, out=sums)
        np.multiply(sums, np.uint16(_MIX), out=sums)
        np.right_shift(sums, np.uint16(4), out=sums)

    def _set(self, columns: npt.NDArray[np.uint8], crosses: npt.NDArray[np.bool_] | None) -> None:
        size = len(columns)
        rows, places = self._sum[:size], self._places[:size]
        if crosses is not None:
            np.copyto(rows, np.uint16(ROWS), where=crosses)
        np.left_shift(rows, 6, out=places, dtype=np.intp)
        np.add(places, columns, out=places)
        self._marks.reshape(-1)[places] = 1
