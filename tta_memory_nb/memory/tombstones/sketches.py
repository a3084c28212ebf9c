"""Finds those of very many sketches that are like one: bands of equal bytes, sorted, and then an exact count."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from .fingerprint import ALIKE, HASHES

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

# Texts that share 8 of 10 words are in one of 16 bands of 4 bytes with a probability of 0.9998.
_ROWS = 4
_BANDS = HASHES // _ROWS

# Bits of the number of a sketch in a place; 4 bytes of a sketch and the number of the band are above them.
_NUMBER = 28


class Sketches:
    """Sketches by number; the numbers count from 0 in the order in which they were added. Each takes 192 bytes once they are arranged."""

    def __init__(self) -> None:
        import numpy as np

        self._table: npt.NDArray[np.uint8] = np.zeros((0, HASHES), np.uint8)
        self._added = bytearray()
        # In order, for each band of each sketch: number of the band, its bytes, and number of the sketch, in one number.
        self._places: npt.NDArray[np.uint64] = np.zeros(0, np.uint64)
        self._tags = np.arange(_BANDS, dtype=np.uint64) << np.uint64(_NUMBER + 32)

    def __len__(self) -> int:
        return len(self._table) + len(self._added) // HASHES

    def extend(self, sketches: Iterable[bytes]) -> None:
        """Adds sketches of `HASHES` bytes each."""
        self._added += b"".join(sketches)

    def like(self, sketch: bytes) -> Sequence[int]:
        """Returns the numbers of the sketches whose texts have at least `ALIKE` of their words in common, nearest first."""
        import numpy as np

        wanted = np.frombuffer(sketch, np.uint8)
        found: dict[int, int] = {}
        numbers: set[int] = set()
        lowest = wanted.view(np.uint32).astype(np.uint64) << np.uint64(_NUMBER) | self._tags
        numbers_only = np.uint64((1 << _NUMBER) - 1)
        begins = self._places.searchsorted(lowest)
        ends = self._places.searchsorted(lowest | numbers_only, "right")
        for band in np.flatnonzero(begins < ends):
            numbers.update((self._places[begins[band] : ends[band]] & numbers_only).tolist())
        if numbers:
            candidates = np.fromiter(numbers, np.int64, len(numbers))
            equal = (self._table[candidates] == wanted).sum(axis=1)
            found.update(zip(candidates.tolist(), equal.tolist(), strict=True))
        if self._added:
            added = np.frombuffer(self._added, np.uint8).reshape(-1, HASHES)
            equal = np.count_nonzero(added == wanted, axis=1)
            near = np.flatnonzero(equal >= _LEAST_EQUAL)
            first = len(self._table)
            found.update((first + int(number), int(equal[number])) for number in near)
            del added  # it keeps the bytes from growing
        alike = [number for number, equal in found.items() if equal >= _LEAST_EQUAL]
        return sorted(alike, key=lambda number: (-found[number], number))

    def arrange(self) -> None:
        """Sorts what was added, so that very many are searched as fast as few."""
        import numpy as np

        added = np.frombuffer(bytes(self._added), np.uint8).reshape(-1, HASHES)
        self._table, self._added = np.concatenate([self._table, added]), bytearray()
        count = len(self._table)
        numbers = np.arange(count, dtype=np.uint64)
        self._places = np.empty(_BANDS * count, np.uint64)
        for band, tag in enumerate(self._tags):
            part = np.ascontiguousarray(self._table[:, band * _ROWS : (band + 1) * _ROWS])
            places = self._places[band * count : (band + 1) * count]
            places[:] = part.view(np.uint32).ravel()
            places <<= np.uint64(_NUMBER)
            places |= numbers
            places |= tag
            places.sort()


# Of bytes that have nothing to do with each other, one in 256 is equal.
_LEAST_EQUAL = int(HASHES * (ALIKE + (1 - ALIKE) / 256) + 0.5)
