"""Which rows have a number: sorted arrays, which take 12 bytes a row, and the newest rows in a dict until they are sorted in."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

LEAST_UNSORTED, SHARE_UNSORTED = 4096, 8
"""So many new rows, or this part of all, wait before they are sorted in."""


class Lookup:
    """Finds rows by a number of 64 bits that each of them has."""

    def __init__(self) -> None:
        self._values: npt.NDArray[np.uint64] | None = None
        self._rows: npt.NDArray[np.uint32] | None = None
        self._new: dict[int, list[int]] = {}

    def add(self, value: int, row: int) -> None:
        """Notes that a row has a number."""
        self._new.setdefault(value, []).append(row)
        known = 0 if self._values is None else len(self._values)
        if len(self._new) > max(LEAST_UNSORTED, known // SHARE_UNSORTED):
            self._sort()

    def rows(self, value: int) -> list[int]:
        """Returns the rows that have a number, in the order in which they were added."""
        found: list[int] = []
        if self._values is not None and self._rows is not None:
            import numpy as np

            wanted = np.uint64(value)
            place = int(self._values.searchsorted(wanted))
            while place < len(self._values) and self._values[place] == wanted:
                found.append(int(self._rows[place]))
                place += 1
        return found + self._new.get(value, [])

    def _sort(self) -> None:
        import numpy as np

        count = sum(map(len, self._new.values()))
        values = np.fromiter((v for v, rows in self._new.items() for _ in rows), np.uint64, count)
        rows = np.fromiter((row for rows in self._new.values() for row in rows), np.uint32, count)
        if self._values is not None and self._rows is not None:
            values, rows = (
                np.concatenate([self._values, values]),
                np.concatenate([self._rows, rows]),
            )
        order = np.argsort(values, kind="stable")
        self._values, self._rows, self._new = values[order], rows[order], {}
