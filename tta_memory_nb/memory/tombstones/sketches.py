"""Finds those of very many sketches that are like one: bands of equal bytes, sorted, and then an exact count."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from .fingerprint import ALIKE, HASHES

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

# Texts that share 8 of 10 words are in one of 16 bands of 4 bytes with a probability of 0.9998.
_ROWS = 4
_BANDS = HASHES // _ROWS
# So many new sketches are compared one by one before they are sorted in; at least, or a share of all.
_LEAST_UNSORTED, _SHARE_UNSORTED = 4096, 16


class Sketches:
    """Sketches by number; the numbers count from 0 in the order in which they were added."""

    def __init__(self) -> None:
        import numpy as np

        self._table: npt.NDArray[np.uint8] = np.zeros((0, HASHES), np.uint8)
        self._added: list[bytes] = []
        # Of each band: its values in order, and the numbers of the sketches that have them.
        self._values: list[npt.NDArray[np.uint32]] = []
        self._numbers: list[npt.NDArray[np.uint32]] = []

    def __len__(self) -> int:
        return len(self._table) + len(self._added)

    def extend(self, sketches: Iterable[bytes]) -> None:
        """Adds sketches of `HASHES` bytes each."""
        self._added.extend(sketches)
        if len(self._added) > max(_LEAST_UNSORTED, len(self._table) // _SHARE_UNSORTED):
            self._sort()

    def like(self, sketch: bytes) -> Sequence[int]:
        """Returns the numbers of the sketches whose texts have at least `ALIKE` of their words in common, nearest first."""
        import numpy as np

        wanted = np.frombuffer(sketch, np.uint8)
        found: dict[int, int] = {}
        bands = wanted.view(np.uint32)
        for band, (values, numbers) in enumerate(zip(self._values, self._numbers, strict=True)):
            first, last = (int(np.searchsorted(values, bands[band], side)) for side in _SIDES)
            if first < last:
                candidates = numbers[first:last]
                equal = (self._table[candidates] == wanted).sum(axis=1)
                found.update(zip(candidates.tolist(), equal.tolist(), strict=True))
        if self._added:
            added = np.frombuffer(b"".join(self._added), np.uint8).reshape(-1, HASHES)
            equal = (added == wanted).sum(axis=1)
            near = np.flatnonzero(equal >= _LEAST_EQUAL)
            first = len(self._table)
            found.update((first + int(number), int(equal[number])) for number in near)
        alike = [number for number, equal in found.items() if equal >= _LEAST_EQUAL]
        return sorted(alike, key=lambda number: (-found[number], number))

    def _sort(self) -> None:
        import numpy as np

        added = np.frombuffer(b"".join(self._added), np.uint8).reshape(-1, HASHES)
        self._table, self._added = np.concatenate([self._table, added]), []
        self._values, self._numbers = [], []
        for band in range(_BANDS):
            part: Any = np.ascontiguousarray(self._table[:, band * _ROWS : (band + 1) * _ROWS])
            values = part.view(np.uint32).ravel()
            order = np.argsort(values, kind="stable").astype(np.uint32)
            self._values.append(values[order])
            self._numbers.append(order)


_SIDES: tuple[Any, Any] = ("left", "right")
# Of bytes that have nothing to do with each other, one in 256 is equal.
_LEAST_EQUAL = int(HASHES * (ALIKE + (1 - ALIKE) / 256) + 0.5)
