"""Vectors of texts, found by a digest of the text: one byte a number, and one scale a row.

A vector belongs to a text and not to a record. So a record that is overwritten asks for another row,
equal texts share one, and all indexes of a memory share one table.

All similarities are exact: a row holds integers, and a question is rounded to integers so small that
their products add up in float32 without any rounding. The order of the terms, the number of threads and the
size of a block therefore change nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from hashlib import blake2b
from threading import RLock
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Identity: TypeAlias = tuple[str, str, int]
"""Name and version of an embedder, and how many numbers a vector of it has."""

Floats: TypeAlias = NDArray[np.float32]

# Integers of up to so many bits are exact in float32.
_EXACT = 1 << 24

# Of an integer of one byte.
_LARGEST_CODE = 128

# So many rows are turned into float32 at a time: few enough for a cache.
_BLOCK = 1024

_FIRST_ROWS = 256

# The length of a unit vector that was quantized differs from 1 by less.
_OFF = 0.05

# So many rows are not worth looking for those that nobody needs.
_SPARE = 1024


def digest_of(text: str) -> int:
    """Returns 64 bits that identify a text."""
    utf8 = text.encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(utf8, digest_size=8).digest(), "little")


def quantized(vectors: Floats) -> tuple[NDArray[np.int8], Floats]:
    """Returns the rows of unit vectors as integers of one byte, and the scale of each row.

    A number is its integer times the scale, give or take half a scale; the scale is a 127th of the
    largest number of the row.
    """
    largest = np.abs(vectors).max(axis=1, initial=0.0)
    scales = (largest / 127).astype(np.float32)
    codes = np.rint(vectors / np.where(scales > 0, scales, 1)[:, None])
    return np.clip(codes, -127, 127).astype(np.int8), scales


def pack(digest: int, codes: NDArray[np.int8], scale: np.float32) -> bytes:
    """Returns one vector as bytes: the digest of its text, its scale and its integers."""
    return b"".join((digest.to_bytes(8, "little"), scale.astype("<f4").tobytes(), codes.tobytes()))


def unpack(packed: bytes, digest: int, dim: int) -> tuple[NDArray[np.int8], np.float32] | None:
    """Returns the integers and the scale of `pack`; None for bytes that are no vector of the text.

    Args:
        packed: what was kept.
        digest: of the text.
        dim: how many numbers the vector must have.
    """
    if len(packed) != 12 + dim or int.from_bytes(packed[:8], "little") != digest:
        return None
    scale = np.frombuffer(packed, "<f4", 1, 8)[0].astype(np.float32)
    codes = np.frombuffer(packed, np.int8, dim, 12)
    if not np.isfinite(scale):
        return None
    length = float(scale) * float(np.linalg.norm(codes.astype(np.float64)))
    # A unit vector, but for what quantizing has cost. Zeros may come from an embedder that had nothing to say, or be damage
    # that would hide the record for ever; to ask the embedder once more tells.
    return (codes, scale) if abs(length - 1) < _OFF else None


class Vectors:
    """A table of unit vectors of one embedder; safe to share between threads.

    Args:
        identity: of the embedder that has made the vectors.
        lock: a re-entrant lock that protects the table; None for one of its own.

    Attributes:
        identity: as above.
        generation: another number whenever rows get other numbers.
    """

    def __init__(
        self, identity: Identity, lock: AbstractContextManager[object] | None = None
    ) -> None:
        self.identity = identity
        self.generation = 0
        self._lock = RLock() if lock is None else lock
        self._row_of: dict[int, int] = {}
        self._codes = np.empty((0, identity[2]), np.int8)
        self._scales = np.empty(0, np.float32)
        # No row of codes is longer, which bounds every product with a row. The longest one that is here would do, but then
        # similarities would depend on which other texts have vectors.
        self._longest = _LARGEST_CODE * identity[2] ** 0.5
        # How many texts the largest index has that uses this table.
        self._most_live = 0

    def __len__(self) -> int:
        return len(self._row_of)

    @property
    def nbytes(self) -> int:
        """Bytes of the vectors."""
        return self._codes.nbytes + self._scales.nbytes

    def rows(self, digests: Iterable[int]) -> NDArray[np.int32]:
        """Returns the rows of texts by their digests; -1 for a text without a vector."""
        row = self._row_of.get
        return np.array([row(digest, -1) for digest in digests], np.int32)

    def row(self, digest: int) -> int:
        """Returns the row of a text by its digest; -1 for a text without a vector."""
        return self._row_of.get(digest, -1)

    def vector(self, digest: int) -> Floats | None:
        """Returns the vector of a text by its digest, as it is kept; None for a text without one."""
        with self._lock:
            row = self._row_of.get(digest)
            if row is None:
                return None
            found: Floats = self._codes[row].astype(np.float32) * self._scales[row]
            return found

    def put(self, digests: Sequence[int], vectors: Floats) -> None:
        """Adds the vectors of texts. A text that has a vector keeps it.

        Args:
            digests: of the texts.
            vectors: as many rows, each of length 1 or 0.
        """
        codes, scales = quantized(vectors)
        self.put_quantized(digests, codes, scales)

    def put_quantized(
        self, digests: Sequence[int], codes: NDArray[np.int8], scales: Floats
    ) -> None:
        """Adds vectors that are quantized already, as `put` does."""
        with self._lock:
            first: dict[int, int] = {}
            for place, digest in enumerate(digests):
                if digest not in self._row_of:
                    first.setdefault(digest, place)
            if not first:
                return
            chosen = list(first.values())
            count = len(self._row_of)
            self._make_room(count + len(chosen))
            new = slice(count, count + len(chosen))
            self._codes[new] = codes[chosen]
            self._scales[new] = scales[chosen]
            # Last of all: whoever finds a row here finds its numbers as well.
            for row, digest in enumerate(first, start=count):
                self._row_of[digest] = row

    def quantized_rows(self, rows: NDArray[np.int32]) -> tuple[NDArray[np.int8], Floats]:
        """Returns the integers and the scales of rows."""
        with self._lock:
            return self._codes[rows], self._scales[rows]

    def quantized_of(self, digests: Iterable[int]) -> tuple[NDArray[np.int8], Floats]:
        """Returns the integers and the scales of texts by their digests; zeros for a text without a vector."""
        with self._lock:
            rows = self.rows(digests)
            codes = np.zeros((len(rows), self.identity[2]), np.int8)
            scales = np.zeros(len(rows), np.float32)
            there = rows >= 0
            codes[there], scales[there] = self.quantized_rows(rows[there])
            return codes, scales

    def similarities(self, rows: NDArray[np.int32], question: Floats) -> NDArray[np.float64]:
        """Returns the cosines of some rows with a question; 0 for a row below 0.

        Args:
            rows: numbers of rows; negative for a text that has no vector, such as an empty one.
            question: a unit vector.
        """
        with self._lock:
            integers, scale = self._rounded(question)
            there = rows >= 0
            chosen = rows[there]
            found = np.zeros(len(rows))
            # A scan of all is quicker than collecting most of the rows first.
            if len(chosen) * 2 < len(self._row_of):
                products = np.empty(len(chosen), integers.dtype)
                for start in range(0, len(chosen), _BLOCK):
                    block = self._codes[chosen[start : start + _BLOCK]].astype(integers.dtype)
                    _multiply(block, integers, products[start : start + _BLOCK])
            else:
                products = self._scanned(integers)[chosen]
            found[there] = products * (self._scales[chosen].astype(np.float64) * scale)
            return found

    def sweep(self, live: NDArray[np.uint64]) -> None:
        """Drops rows that nobody needs, when these are more than half of all.

        Args:
            live: digests of the texts that the caller needs. Only the caller that needs the most
                decides; others embed again what they miss.
        """
        with self._lock:
            self._most_live = max(self._most_live, len(live))
            if len(live) < self._most_live or len(self._row_of) <= 2 * len(live) + _SPARE:
                return
            kept = [digest for digest in map(int, live) if digest in self._row_of]
            kept = list(dict.fromkeys(kept))
            rows = [self._row_of[digest] for digest in kept]
            self._codes, self._scales = self._codes[rows], self._scales[rows]
            self._row_of = {digest: row for row, digest in enumerate(kept)}
            self._most_live = len(live)
            self.generation += 1

    def _scanned(self, integers: NDArray[np.floating]) -> NDArray[np.floating]:
        """Returns the products of all rows with a question."""
        count = len(self._row_of)
        products = np.empty(count, integers.dtype)
        block = np.empty((min(_BLOCK, count), self._codes.shape[1]), integers.dtype)
        for start in range(0, count, _BLOCK):
            end = min(start + _BLOCK, count)
            part = block[: end - start]
            part[...] = self._codes[start:end]
            _multiply(part, integers, products[start:end])
        return products

    def _rounded(self, question: Floats) -> tuple[NDArray[np.floating], float]:
        """Returns a question as integers whose products with any row are exact, and their scale."""
        exact = question.astype(np.float64)
        norm = float(np.linalg.norm(exact))
        if not norm:
            return np.zeros(len(question), np.float32), 0.0
        # The sum of the absolute products is at most the product of the norms (Cauchy and Schwarz).
        # Rounding makes the norm of the question longer by at most half of the root of its size.
        wide = (_EXACT / self._longest - 0.5 * len(question) ** 0.5) / norm
        kind: type[np.floating] = np.float32
        if wide * norm < 1000:  # a vector of very many numbers: float64 has room for 2 ** 53
            kind, wide = np.float64, 1e6 / norm
        return np.rint(exact * wide).astype(kind), 1 / wide

    def _make_room(self, rows: int) -> None:
        if rows <= len(self._codes):
            return
        size = max(_FIRST_ROWS, rows, len(self._codes) + len(self._codes) // 2)
        codes = np.empty((size, self._codes.shape[1]), np.int8)
        scales = np.empty(size, np.float32)
        codes[: len(self._codes)], scales[: len(self._scales)] = self._codes, self._scales
        self._codes, self._scales = codes, scales


def _multiply(
    rows: NDArray[np.floating], question: NDArray[np.floating], products: NDArray[np.floating]
) -> None:
    """Writes the products of rows with a question. All numbers are integers, so no product can be invalid."""
    # BLAS may work on what lies beside the numbers in its registers, and numpy warns of that as well.
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        np.matmul(rows, question, out=products)
