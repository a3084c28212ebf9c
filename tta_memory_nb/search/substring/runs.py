"""Which runs of n-grams occur in blocks of columns.

The rows of a signature say which n-grams a text has, and not whether they follow one another. So a text that no record
contains can leave most of them as candidates: all of "sess", "essi" and "ssis" are in a record with the words
"session" and "assistant", and "sessis" is not. A run is two or three frequent n-grams of four bytes, each beginning one
byte after the other. A block of columns is a Bloom filter (Bloom, "Space/time trade-offs in hash coding with allowable
errors", CACM 1970) of the runs of its texts. Blocks without one of a needle's runs cannot contain the needle.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Numbers: TypeAlias = npt.NDArray[np.intp]

# A block has so many words of 64 columns. Records of one kind have few different runs, so a larger one
# would not have many more of them; a smaller one would take more memory for each column.
_WORDS = 32
_BITS = 18
_BYTES = (1 << _BITS) // 8

_FULL = ~np.uint64(0)

# Each run has two bits. Runs of two and of three n-grams have different ones.
_FACTORS = {1: (0x9E3779B1, 0x85EBCA6B), 2: (0xC2B2AE35, 0x27D4EB2F)}


def runs_in(hashes: npt.NDArray[np.uint16], makes_runs: npt.NDArray[np.bool_]) -> Numbers:
    """Returns the bits of runs.

    Args:
        hashes: hashes of the n-grams of four bytes at n places in a row.
        makes_runs: by hash, whether its n-grams are frequent.

    Returns:
        The bits of all runs, in no order: numbers from 0, below the number of bits that a block has. One may be there
        several times.
    """
    frequent = np.take(makes_runs, hashes, mode="clip")
    two = frequent[:-1] & frequent[1:]
    three = two[:-1] & two[1:]
    found = []
    for distance, begins in ((1, two), (2, three)):
        at = begins.nonzero()[0]
        both = hashes[at].astype(np.uint32)
        both <<= np.uint32(16)
        both |= hashes[distance:][at]
        found += [both * np.uint32(factor) for factor in _FACTORS[distance]]
    bits = np.concatenate(found)
    bits >>= np.uint32(32 - _BITS)
    return bits.astype(np.intp)


class Runs:
    """The runs of each block of a ring of words.

    Args:
        words: how many words the ring has.
    """

    def __init__(self, words: int) -> None:
        self._bits = np.zeros((_blocks(words), _BYTES), np.uint8)
        # The runs that a block had before the ring came to it again. Words that are not written over yet have them.
        self._before: npt.NDArray[np.uint8] | None = None
        self._last = 0  # the block that was written last

    @property
    def nbytes(self) -> int:
        """Bytes of the bits."""
        return self._bits.nbytes

    def add(self, written: Iterable[tuple[int, Numbers]]) -> None:
        """Takes in words that were written.

        Args:
            written: words, in the order of the ring, each with the bits of the runs of its texts.
        """
        for block, of_block in groupby(written, lambda item: item[0] // _WORDS):
            if block != self._last:
                before = self._bits[block].copy()
                self._before = before if before.any() else None
                self._bits[block] = 0
                self._last = block
            flags = np.unpackbits(self._bits[block], bitorder="little")
            for _, bits in of_block:
                flags[bits] = 1
            self._bits[block] = np.packbits(flags, bitorder="little")

    def grow(self, words: int, used: int, moved: int) -> None:
        """Makes room for more words.

        Args:
            words: how many words the ring has now.
            used: how many of them are written: the first ones.
            moved: by how many words these have moved back.
        """
        old = self._bits
        self._bits = np.zeros((_blocks(words), _BYTES), np.uint8)
        # The blocks of words that have moved are others now. It is not known what these have.
        self._bits[: len(old)] = 0xFF if moved else old
        if self._before is not None and not moved:
            self._bits[self._last] |= self._before
        self._before = None
        self._last = max(0, used - 1) // _WORDS

    def words_with(self, bits: Sequence[int], words: int) -> npt.NDArray[np.uint64] | None:
        """Returns which columns may have all of some runs, as words of bits; None for all columns.

        Args:
            bits: of the runs, as `runs_in` gives them.
            words: of how many words.
        """
        having = np.ones(len(self._bits), np.bool_)
        for number in bits:
            place, bit = number >> 3, np.uint8(1 << (number & 7))
            column = self._bits[:, place] & bit
            if self._before is not None:
                column[self._last] |= self._before[place] & bit
            having &= column != 0
        if having.all():
            return None
        blocks = np.where(having, _FULL, np.uint64(0)).astype("<u8")
        of_words: npt.NDArray[np.uint64] = blocks.repeat(_WORDS)[:words]
        return of_words


def _blocks(words: int) -> int:
    return -(-words // _WORDS)
