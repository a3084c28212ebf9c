"""Which records have which terms, in little more than two bytes for each.

What is added goes to the end of a log. When a search finds the log long, or the slots of a block are full, the log is
sorted by terms and becomes a block, which never changes: one flat array for all of its terms. So a term that one
record has costs a few bytes beside its own text, and no object.

A block covers at most 65,536 slots, so a slot is two bytes in it, as in a container of Roaring bitmaps (S. Chambi,
D. Lemire, O. Kaser and R. Godin, "Better bitmap performance with Roaring bitmaps", Software: Practice and Experience 46,
2016). Small blocks are merged into larger ones as the log-structured merge-tree does (P. O'Neil, E. Cheng, D. Gawlick
and E. O'Neil, Acta Informatica 33, 1996).
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence, Sized
from itertools import pairwise, repeat
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .lists import Ints

Slots: TypeAlias = "NDArray[np.int32]"
Counts: TypeAlias = "NDArray[np.uint8]"

_BITS = 16
_MOST_COUNTED = 255

# A search looks through so many postings of the log without sorting it. They are those of some hundred records.
_LOG = 4096
# A block is merged with the next one unless it has so many times as many postings.
_LARGER = 4


class _Block(NamedTuple):
    """The postings of some slots, by term.

    Attributes:
        first: what is added to places.
        terms: numbers of terms, rising.
        begins: index of each term's first posting, and behind them the number of postings.
        places: by term, and rising within each.
        repeated: indexes of the postings of more than one occurrence, rising.
        counts: how many occurrences each of these has.
    """

    first: int
    terms: array[int]
    begins: array[int]
    places: NDArray[np.uint16]
    repeated: array[int]
    counts: Counts

    def __len__(self) -> int:
        return len(self.places)

    def range_of(self, number: int) -> tuple[int, int]:
        """Returns the index of a term's first posting, and of the one behind its last."""
        at = bisect_left(self.terms, number)
        if at == len(self.terms) or self.terms[at] != number:
            return 0, 0
        return self.begins[at], self.begins[at + 1]

    def read(self, begin: int, end: int, slots: Slots, counts: Counts) -> None:
        """Writes slots and counts of some postings into arrays, the latter filled with ones."""
        np.add(self.places[begin:end], np.int32(self.first), out=slots, dtype=np.int32)
        first = bisect_left(self.repeated, begin)
        last = bisect_left(self.repeated, end, first)
        if first < last:
            indexes = np.frombuffer(self.repeated, np.uint32)[first:last]
            counts[indexes - np.uint32(begin)] = self.counts[first:last]

    def all(self) -> _Triples:
        """Returns all postings, by term."""
        slots, counts = _room(len(self))
        self.read(0, len(self), slots, counts)
        terms = np.repeat(np.frombuffer(self.terms, np.uint32), np.diff(self.begins))
        return _Triples(terms, slots, counts)


class _Triples(NamedTuple):
    """Postings, in three arrays."""

    terms: NDArray[np.uint32]
    slots: Slots
    counts: Counts

    def kept(self, which: NDArray[np.bool_] | NDArray[np.intp] | slice) -> _Triples:
        """Returns some of the postings."""
        return _Triples(self.terms[which], self.slots[which], self.counts[which])


_NONE = _Triples(np.empty(0, np.uint32), np.empty(0, np.int32), np.empty(0, np.uint8))


def _room(size: int) -> tuple[Slots, Counts]:
    """Returns arrays for so many postings, of one occurrence each."""
    return np.empty(size, np.int32), np.ones(size, np.uint8)


def _block_of(parts: Sequence[_Triples]) -> _Block:
    """Returns the block of postings whose slots differ in their last 16 bits alone."""
    first = int(parts[0].slots[0]) >> _BITS << _BITS
    # Sorting numbers of 64 bits is several times as quick as finding out an order. They are little-endian everywhere,
    # so that their pieces are views: 32 bits of the term, 16 of the place, 16 of the count.
    packed = np.empty(sum(len(part.terms) for part in parts), "<u8")
    terms, places, counts = (
        packed.view("<u4")[1::2],
        packed.view("<u2")[1::4],
        packed.view("u1")[::8],
    )
    packed[:] = 0
    at = 0
    for part in parts:
        there = slice(at, at := at + len(part.terms))
        terms[there], counts[there] = part.terms, part.counts
        # The last 16 bits of a slot are its place.
        np.copyto(places[there], part.slots, casting="unsafe")
    packed.sort()
    begins = np.flatnonzero(terms[1:] != terms[:-1]) + 1
    begins = np.concatenate(([0], begins, [len(packed)]))
    repeated = np.flatnonzero(counts != 1)
    return _Block(
        first,
        _array(terms[begins[:-1]]),
        _array(begins),
        places.astype(np.uint16),
        _array(repeated),
        counts[repeated],
    )


def _array(numbers: NDArray[np.integer]) -> array[int]:
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
        # Behind the slots of the block that the log will be in.
        self._end = 0
        self._start_log()

    def _start_log(self) -> None:
        self._terms = array("I")
        self._slots = array("i")
        self._counts = bytearray()

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
        if slot >= self._end:
            self._seal(is_full=True)
            self._end = (slot >> _BITS) + 1 << _BITS
        self._terms.extend(map(self._numbers.__getitem__, counts))
        self._slots.extend(repeat(slot, len(counts)))
        try:
            self._counts.extend(counts.values())
        except ValueError:  # then it has added none of them
            self._counts.extend(min(_MOST_COUNTED, count) for count in counts.values())

    def settle(self) -> None:
        """Makes a block of the log if it is so long that looking through it takes time."""
        if len(self._terms) > _LOG:
            self._seal()

    def read(self, term: str) -> tuple[Ints, Counts]:
        """Returns the slots that have a term, in rising order, and how often each has it."""
        number = self._numbers.get(term)
        if number is None:
            return _room(0)
        ranges = [(block, *block.range_of(number)) for block in self._blocks]
        log = self._logged() if self._terms else _NONE
        logged = np.flatnonzero(log.terms == np.uint32(number))
        size = sum(end - begin for _, begin, end in ranges)
        slots, counts = _room(size + len(logged))
        at = 0
        for block, begin, end in ranges:
            if begin < end:
                there = slice(at, at := at + end - begin)
                block.read(begin, end, slots[there], counts[there])
        if len(logged):
            slots[at:], counts[at:] = log.slots[logged], log.counts[logged]
        return slots, counts

    def compacted(self, moved: Ints) -> Postings:
        """Returns the postings without some slots, and without the terms that no other slot has.

        Args:
            moved: slot -> the new one, or -1; new slots have the order of the old ones.
        """
        used = np.zeros(len(self), np.bool_)
        for part in self._parts():
            used[part.terms[moved[part.slots] >= 0]] = True
        renumbered = np.cumsum(used, dtype=np.uint32) - np.uint32(1)
        new = Postings()
        for term, is_used in zip(self, used.tolist(), strict=True):
            if is_used:
                new._numbers[term] = len(new)
        for part in self._parts():
            slots = moved[part.slots]
            kept = slots >= 0
            left = _Triples(renumbered[part.terms[kept]], slots[kept], part.counts[kept])
            new._extend(left.kept(np.argsort(left.slots, kind="stable")))
        new.settle()
        return new

    def _extend(self, added: _Triples) -> None:
        """Adds postings by rising slots, which are not lower than those before."""
        blocks = added.slots >> _BITS
        borders = [0, *(np.flatnonzero(np.diff(blocks)) + 1).tolist(), len(blocks)]
        for begin, end in pairwise(borders):
            if begin == end:
                continue
            if added.slots[begin] >= self._end:
                self._seal(is_full=True)
                self._end = (int(blocks[begin]) + 1) << _BITS
            part = added.kept(slice(begin, end))
            self._terms.frombytes(part.terms.tobytes())
            self._slots.frombytes(part.slots.tobytes())
            self._counts += part.counts.tobytes()

    def _parts(self) -> Iterator[_Triples]:
        """Yields all postings; each part has higher slots than those before."""
        yield from map(_Block.all, self._blocks)
        if self._terms:
            yield self._logged()

    def _logged(self) -> _Triples:
        """Returns the postings of the log. They are no copy, and the log cannot grow while they live."""
        terms, slots = np.frombuffer(self._terms, np.uint32), np.frombuffer(self._slots, np.int32)
        return _Triples(terms, slots, np.frombuffer(self._counts, np.uint8))

    def _seal(self, is_full: bool = False) -> None:
        """Makes a block of the log, together with those before it that are not much larger; of a full one, with all."""
        if not self._terms:
            return
        first, size = self._slots[0] >> _BITS << _BITS, len(self._terms)
        kept = len(self._blocks)
        while kept:
            before = self._blocks[kept - 1]
            if before.first != first or (len(before) >= _LARGER * size and not is_full):
                break
            size += len(before)
            kept -= 1
        parts = [*map(_Block.all, self._blocks[kept:]), self._logged()]
        self._blocks[kept:] = [_block_of(parts)]
        self._start_log()
