"""Which records have which terms, in two bytes or fewer for most.

What is added goes to the end of a log. When a search finds the log long, or the slots of a block are full, the log is
sorted by terms and becomes a block, which never changes: one flat array for all of its terms. So a term that one
record has costs a few bytes beside its own text, and no object.

A block covers at most 65,536 slots, so a slot is two bytes in it, as in a container of Roaring bitmaps (S. Chambi,
D. Lemire, O. Kaser and R. Godin, "Better bitmap performance with Roaring bitmaps", Software: Practice and Experience 46,
2016). A term that many records have is kept as the gaps between its slots, of a byte each. Small blocks are merged into larger ones as the log-structured merge-tree does (P. O'Neil, E. Cheng, D. Gawlick
and E. O'Neil, Acta Informatica 33, 1996).
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sized
from itertools import compress
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .lists import Ints

Counts: TypeAlias = "NDArray[np.uint8]"

Packed: TypeAlias = "NDArray[np.uint64]"
"""Postings as numbers of 64 bits, little-endian on every machine: the number of the term (32 bits), the last
16 bits of the slot, and how many occurrences it has (16 bits). Sorting them sorts by term, then by slot."""

_BITS = 16
_PLACE = (1 << _BITS) - 1
_MOST_COUNTED = 255

# A search looks through so many postings of the log without sorting it. They are those of some hundred records.
_LOG = 4096
# Of a term with so many postings in a block, gaps of one byte are tried. Reading others is quicker.
_FREQUENT = 1024
# A longer gap takes several bytes.
_LONGEST_GAP = 255
# A block is merged with the next one unless it has so many times as many postings.
_LARGER = 4


def _terms_of(packed: Packed) -> NDArray[np.uint32]:
    return packed.view("<u4")[1::2]


def _places_of(packed: Packed) -> NDArray[np.uint16]:
    return packed.view("<u2")[1::4]


def _counts_of(packed: Packed) -> Counts:
    return packed.view("u1")[::8]


def _gaps_of(places: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """Returns rising places as the gaps before them: a byte of 0 adds 255, any other one adds itself and ends the gap."""
    steps = np.diff(places.astype(np.int32), prepend=np.int32(-1))
    zeros = (steps - 1) // _LONGEST_GAP
    gaps = np.zeros(len(places) + int(zeros.sum()), np.uint8)
    gaps[np.cumsum(zeros + 1) - 1] = steps - _LONGEST_GAP * zeros
    return gaps


def _places_in(gaps: NDArray[np.uint8]) -> Ints:
    """Returns the places that `_gaps_of` has made gaps of."""
    ends = gaps != 0
    steps = gaps.astype(np.int32)
    steps[~ends] = _LONGEST_GAP
    places = np.cumsum(steps, dtype=np.int32)
    places -= np.int32(1)
    return places if len(places) == np.count_nonzero(ends) else places[ends]


class _Block(NamedTuple):
    """The postings of some slots, by term.

    Attributes:
        first: the slot whose place is 0.
        terms: numbers of terms, rising.
        begins: index of each term's first posting, and behind them the number of postings.
        places: by term, and rising within each; without those of frequent terms.
        frequent: index in ``terms`` -> the gaps between the places of a frequent term, by rising indexes.
        indexes: those of the frequent terms.
        skipped: how many postings the first frequent terms have: none of them, the first one, and so on.
        repeated: indexes of the postings of more than one occurrence, rising.
        counts: how many occurrences each of these has.
    """

    first: int
    terms: array[int]
    begins: array[int]
    places: NDArray[np.uint16]
    frequent: dict[int, NDArray[np.uint8]]
    indexes: tuple[int, ...]
    skipped: tuple[int, ...]
    repeated: array[int]
    counts: Counts

    @classmethod
    def of(cls, first: int, packed: Packed) -> _Block:
        """Returns the block of postings, which are sorted."""
        terms, counts = _terms_of(packed), _counts_of(packed)
        begins = np.flatnonzero(terms[1:] != terms[:-1]) + 1
        begins = np.concatenate(([0], begins, [len(packed)]))
        repeated = np.flatnonzero(counts != 1)
        places = _places_of(packed).astype(np.uint16)
        frequent, skipped, left = {}, [0], []
        last = 0
        for at in np.flatnonzero(np.diff(begins) >= _FREQUENT).tolist():
            begin, end = begins[at : at + 2].tolist()
            gaps = _gaps_of(places[begin:end])
            if len(gaps) * 3 < (end - begin) * 4:
                frequent[at] = gaps
                skipped.append(skipped[-1] + end - begin)
                left.append(places[last:begin])
                last = end
        return cls(
            first,
            _array(terms[begins[:-1]]),
            _array(begins),
            np.concatenate((*left, places[last:])),
            frequent,
            tuple(frequent),
            tuple(skipped),
            _array(repeated),
            counts[repeated],
        )

    def __len__(self) -> int:
        return self.begins[-1]

    def find(self, number: int) -> int | None:
        """Returns the index of a term; None if no record has it."""
        at = bisect_left(self.terms, number)
        return at if at < len(self.terms) and self.terms[at] == number else None

    def size_of(self, at: int) -> int:
        """Returns how many records have the term of an index."""
        return self.begins[at + 1] - self.begins[at]

    def _places(self, at: int) -> NDArray[Any]:
        """Returns the places of the term of an index."""
        gaps = self.frequent.get(at)
        if gaps is not None:
            return _places_in(gaps)
        skipped = self.skipped[bisect_left(self.indexes, at)]
        return self.places[self.begins[at] - skipped : self.begins[at + 1] - skipped]

    def read(self, at: int, slots: Ints, counts: Counts) -> None:
        """Writes slots and counts of the term of an index into arrays, the latter filled with ones."""
        np.add(self._places(at), np.int32(self.first), out=slots, dtype=np.int32)
        begin = self.begins[at]
        first = bisect_left(self.repeated, begin)
        last = bisect_left(self.repeated, self.begins[at + 1], first)
        if first < last:
            indexes = np.frombuffer(self.repeated, np.uint32)[first:last]
            counts[indexes - np.uint32(begin)] = self.counts[first:last]

    def packed(self) -> Packed:
        """Returns all postings, sorted."""
        packed = np.zeros(len(self), "<u8")
        _terms_of(packed)[:] = np.repeat(np.frombuffer(self.terms, np.uint32), np.diff(self.begins))
        places = _places_of(packed)
        last, taken = 0, 0
        for at, gaps in self.frequent.items():
            begin, end = self.begins[at], self.begins[at + 1]
            places[last:begin] = self.places[taken : taken + begin - last]
            taken += begin - last
            np.copyto(places[begin:end], _places_in(gaps), casting="unsafe")
            last = end
        places[last:] = self.places[taken:]
        counts = _counts_of(packed)
        counts[:] = 1
        counts[np.frombuffer(self.repeated, np.uint32)] = self.counts
        return packed


def _array(numbers: NDArray[np.integer[Any]]) -> array[int]:
    """Returns numbers as an array that is quick to look up single numbers in."""
    return array("I", numbers.astype(np.uint32).tobytes())


class _Numbers(dict[str, int]):
    """Numbers terms in the order in which they are asked for."""

    def __missing__(self, term: str) -> int:
        number = self[term] = len(self)
        return number


class Postings(Iterable[str], Sized):
    """Terms, in the order in which they were first added, and the records that have them.

    A record is named by its slot.
    """

    def __init__(self) -> None:
        self._numbers = _Numbers()
        self._blocks: list[_Block] = []
        # The log: packed postings of slots that differ in their last 16 bits alone, and the first such slot.
        self._log = array("Q")
        self._first = -1 << _BITS

    def __len__(self) -> int:
        return len(self._numbers)

    def __iter__(self) -> Iterator[str]:
        return iter(self._numbers)

    def __contains__(self, term: object) -> bool:
        return term in self._numbers

    def add(self, slot: int, counts: dict[str, int]) -> None:
        """Adds a record.

        Args:
            slot: a higher one than those before.
            counts: term -> how often the record has it; more than 255 count as 255.
        """
        if slot - self._first > _PLACE:
            self._begin(slot)
        place = (slot & _PLACE) << _BITS
        occurrences: Iterable[int] = counts.values()
        if max(occurrences, default=0) > _MOST_COUNTED:
            occurrences = [min(_MOST_COUNTED, count) for count in occurrences]
        numbers = map(self._numbers.__getitem__, counts)
        self._log.extend(
            [
                number << 32 | place | count
                for number, count in zip(numbers, occurrences, strict=True)
            ]
        )

    def settle(self) -> None:
        """Makes a block of the log if it is so long that looking through it takes time."""
        if len(self._log) > _LOG:
            self._seal()

    def read(self, term: str) -> tuple[Ints, Counts]:
        """Returns the slots that have a term, in rising order, and how often each has it."""
        number = self._numbers.get(term)
        if number is None:
            return np.empty(0, np.int32), np.empty(0, np.uint8)
        having = [(block, at) for block in self._blocks if (at := block.find(number)) is not None]
        # While this view of the log lives, the log cannot grow.
        log = self._packed_log()
        logged = np.flatnonzero(_terms_of(log) == np.uint32(number))
        size = sum(block.size_of(at) for block, at in having) + len(logged)
        slots, counts = np.empty(size, np.int32), np.ones(size, np.uint8)
        begin = 0
        for block, at in having:
            there = slice(begin, begin := begin + block.size_of(at))
            block.read(at, slots[there], counts[there])
        if len(logged):
            slots[begin:] = _places_of(log)[logged] + np.int32(self._first)
            counts[begin:] = _counts_of(log)[logged]
        return slots, counts

    def among(self, places: Ints) -> list[str]:
        """Returns the terms that some slots have.

        Args:
            places: slot -> any number for these slots, and -1 for the others.
        """
        return list(compress(self, self._used(places).tolist()))

    def _used(self, places: Ints) -> NDArray[np.bool_]:
        """Returns by the number of a term whether any of some slots has it; see `among`."""
        used = np.zeros(len(self), np.bool_)
        for first, packed in self._parts():
            used[_terms_of(packed)[places[_places_of(packed) + np.int32(first)] >= 0]] = True
        return used

    def compacted(self, moved: Ints) -> Postings:
        """Returns the postings without some slots, and without the terms that no other slot has.

        Args:
            moved: slot -> the new one, or -1; new slots have the order of the old ones.
        """
        used = self._used(moved)
        renumbered = np.cumsum(used, dtype=np.uint32) - np.uint32(1)
        new = Postings()
        for term, is_used in zip(self, used.tolist(), strict=True):
            if is_used:
                new._numbers[term] = len(new)
        for first, packed in self._parts():
            slots = moved[_places_of(packed) + np.int32(first)]
            kept = slots >= 0
            slots, packed = slots[kept], packed[kept]
            _terms_of(packed)[:] = renumbered[_terms_of(packed)]
            np.copyto(_places_of(packed), slots, casting="unsafe")
            for number in np.unique(slots >> _BITS).tolist():
                new._extend(number << _BITS, packed[slots >> _BITS == number])
        new.settle()
        return new

    def _extend(self, first: int, packed: Packed) -> None:
        """Adds postings of slots that differ in their last 16 bits alone."""
        if first > self._first:
            self._begin(first)
        self._log.frombytes(packed.tobytes())

    def _parts(self) -> Iterator[tuple[int, Packed]]:
        """Yields all postings, each part with the slot whose place is 0."""
        for block in self._blocks:
            yield block.first, block.packed()
        yield self._first, self._packed_log()

    def _packed_log(self) -> Packed:
        if not self._log:
            return np.empty(0, "<u8")
        # This is no copy on nearly all machines.
        return np.frombuffer(self._log, np.uint64).astype("<u8", copy=False)

    def _begin(self, slot: int) -> None:
        """Begins with the block of a slot."""
        self._seal(is_full=True)
        self._first = slot >> _BITS << _BITS

    def _seal(self, is_full: bool = False) -> None:
        """Makes a block of the log, together with those before it that are not much larger; of a full one, with all."""
        if not self._log:
            return
        size, kept = len(self._log), len(self._blocks)
        while kept:
            before = self._blocks[kept - 1]
            if before.first != self._first or (len(before) >= _LARGER * size and not is_full):
                break
            size += len(before)
            kept -= 1
        for block in self._blocks[kept:]:
            self._log.frombytes(block.packed().tobytes())
        packed = self._packed_log()
        packed.sort()
        self._blocks[kept:] = [_Block.of(self._first, packed)]
        del packed
        self._log = array("Q")
