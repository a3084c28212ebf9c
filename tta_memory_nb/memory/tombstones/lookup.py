"""Which rows have a number: sorted arrays, which take 12 bytes a row, and a dict of rows that were added since."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


class Lookup:
    """Finds rows by a number of 64 bits that each of them has."""

    def __init__(self) -> None:
        self._values: npt.NDArray[np.uint64] | None = None
        self._rows: npt.NDArray[np.uint32] | None = None
        self._new: dict[int, list[int]] = {}

    @classmethod
    def of(cls, values: npt.NDArray[np.uint64], rows: npt.NDArray[np.intp]) -> Lookup:
        """Returns a lookup of very many rows.

        Args:
            values: their numbers.
            rows: the rows.
        """
        import numpy as np

        lookup = cls()
        order = np.argsort(values, kind="stable")
        lookup._values, lookup._rows = values[order], rows[order].astype(np.uint32)
        return lookup

    def add(self, value: int, row: int) -> None:
        """Notes that a row has a number."""
        self._new.setdefault(value, []).append(row)

    def rows(self, value: int) -> list[int]:
        """Returns the rows that have a number, in the order in which they were added."""
        found: list[int] = []
        if self._values is not None and self._rows is not None:
            import numpy as np

            wanted = np.uint64(value)
            begin = int(self._values.searchsorted(wanted))
            if begin < len(self._values) and self._values[begin] == wanted:
                end = int(self._values.searchsorted(wanted, "right"))
                found = self._rows[begin:end].tolist()
        return found + self._new.get(value, [])

    def repeated(self) -> list[int]:
        """Returns the numbers that several of the sorted rows have."""
        import numpy as np

        if self._values is None:
            return []
        again = self._values[1:][self._values[1:] == self._values[:-1]]
        return [int(each) for each in np.unique(again)]
