"""Which columns contain some texts, or also fulfil conditions on fields, as far as searches have found out.

Signatures leave candidates, whose texts have to be compared. That takes nearly all of the time of counting a text that many
entries contain, and of looking for one that none contains although all of its n-grams are frequent. What came of it
holds for as long as a column belongs to its entry, so it is kept as bits, and the next search for the text compares
only the entries that have got a column since. Such a text, with conditions or without, is called a fact here; see `Query.fact`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from .grams import WORD, Bits
from .signature import bits_of

# So many facts are remembered, those that were counted last, and only of up to so many bytes.
_FACTS = 16
LONGEST = 256

Columns: TypeAlias = Sequence[int] | npt.NDArray[np.intp]
"""Numbers of columns. An array is quicker where there are many."""


class _Known(NamedTuple):
    """Bits of one fact.

    Attributes:
        compared: columns whose entries were looked at, or are gone.
        matching: those whose entries match.
    """

    compared: Bits
    matching: Bits


class Verified:
    """Bits by column, of the columns of one index.

    Args:
        taken: by column, whether it was given to an entry, which may be gone by now.
    """

    def __init__(self, taken: npt.NDArray[np.bool_]) -> None:
        self._size = len(taken)
        self._alive = np.packbits(taken, bitorder="little").view(WORD)
        self._known: dict[bytes, _Known] = {}

    @property
    def nbytes(self) -> int:
        """Bytes of all bits."""
        return self._alive.nbytes * (1 + 2 * len(self._known))

    def added(self, columns: Columns) -> None:
        """Notes columns that were given to entries."""
        self._alive |= self._bits(columns)

    def cleared(self, word: int) -> None:
        """Forgets the columns of a word, which others will get."""
        self._alive[word] = 0
        for known in self._known.values():
            known.compared[word] = known.matching[word] = 0

    def unknown(self, fact: bytes, candidates: Bits) -> Bits:
        """Returns which of some candidates were not looked at for a fact yet."""
        known = self._known.pop(fact, None)
        if known is None:
            known = _Known(np.zeros_like(self._alive), np.zeros_like(self._alive))
            if len(self._known) >= _FACTS:
                del self._known[next(iter(self._known))]
        self._known[fact] = known
        left: Bits = candidates & ~known.compared[: len(candidates)]
        return left

    def refuted(self, fact: bytes) -> Bits | None:
        """Returns which columns were looked at for a fact and do not match; None if none is known."""
        known = self._known.get(fact)
        return None if known is None else known.compared & ~known.matching

    def learn(self, fact: bytes, compared: Bits, matching: Columns) -> None:
        """Notes which columns were looked at for a fact, and which of them match."""
        known = self._known[fact]
        known.matching[:] |= self._bits(matching)
        known.compared[: len(compared)] |= compared

    def matching(self, fact: bytes) -> Bits:
        """Returns which columns are known to match."""
        return self._known[fact].matching

    def count(self, columns: Bits, within: Bits | None) -> int:
        """Returns how many of some columns belong to entries.

        Args:
            columns: bits of the columns, of all or of the first ones.
            within: which of them count; None for all.
        """
        bits = columns & self._alive[: len(columns)]
        return population(bits if within is None else bits & within[: len(bits)])

    # ---- entries that are gone

    @property
    def alive(self) -> int:
        """How many columns seem to belong to entries."""
        return population(self._alive)

    def columns(self) -> npt.NDArray[np.intp]:
        """Returns the columns that seem to belong to entries."""
        return bits_of(self._alive)

    def retain(self, alive: npt.NDArray[np.bool_]) -> None:
        """Forgets the columns of entries that are gone.

        Args:
            alive: by column, whether its entry may still be there.
        """
        self._alive &= np.packbits(alive, bitorder="little").view(WORD)

    def _bits(self, columns: Columns) -> Bits:
        flags = np.zeros(self._size, np.bool_)
        flags[columns] = True
        return np.packbits(flags, bitorder="little").view(WORD)


if hasattr(np, "bitwise_count"):

    def population(words: Bits) -> int:
        """Returns how many bits are set."""
        return int(np.bitwise_count(words).sum(dtype=np.int64))

else:  # numpy 1

    def population(words: Bits) -> int:
        """Returns how many bits are set."""
        return int(np.unpackbits(words.view(np.uint8)).sum(dtype=np.int64))
