"""Which entries may contain a text: signatures, one bit for each entry and row.

The matrix has a row for each n-gram hash (see `grams`) and a column for each entry, 64 columns to a
word. A query is the AND of the rows of its n-grams. The columns that are left are candidates, and the
caller compares each with the text itself. Such an index is a bit-sliced signature file (Wong, Liu,
Olken, Rotem and Wong, "Bit transposed files", VLDB 1985; Goodwin et al., "BitFunnel", SIGIR 2017).

Columns are written one after the other, so newer entries have later columns. The words form a ring:
when all are written, the oldest is written again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import count, islice

import numpy as np
import numpy.typing as npt

from .grams import ROWS, WORD, Bits, Signer
from .runs import Numbers, Runs

# So many rows are looked at: more rows exclude hardly anything.
_MOST_ROWS = 12

# Looking at one row costs as much as comparing the texts of so many candidates.
_ROW_COST = 6

# In a matrix of so many words or more, the summary says first in which ones to look, if at most one word in so many
# has a column of the rarest row.
_MANY_WORDS = 4096
_SPARSE = 8

# Runs are asked for when so many columns have been looked at in vain; a row that a smaller share of the columns has
# excludes enough by itself.
_MANY_COLUMNS = 256
_RARE = 32

# In so few words, bits are found one by one.
_FEW_WORDS = 10

# So many rows of a matrix that has grown are copied with each `append`.
_COPIED = 128

# So many words are written together: side by side they share cache lines.
_STRIDE = 8


class SignatureIndex:
    """A ring of columns.

    Args:
        words: how many words of 64 columns there is room for.
        sample: texts like those that will be written, see `grams`.
    """

    def __init__(self, words: int, sample: Sequence[bytes] = ()) -> None:
        self._rows: Bits = np.zeros((ROWS, words), WORD)
        # Which words of each row have a bit set, one bit a word.
        self._summary: Bits = np.zeros((ROWS, -(-words // 64)), WORD)
        # How many columns of each row have their bit set; rare rows exclude most.
        self._counts = np.zeros(ROWS, np.int64)
        self._count_of = self._counts.data
        # While the matrix grows: the rows that are still to be copied, and from which words.
        self._not_copied: set[int] = set()
        self._grown_from = self._rows
        self._old_words: npt.NDArray[np.intp] = np.empty(0, np.intp)
        self._runs = Runs(words)
        self._signer = Signer(sample)
        self.rows_of = self._signer.rows_of
        self._used = 0  # words
        self._end = 0  # all words that were ever written are before it
        self._head = 0  # the word after the newest one
        self._filled = 64  # columns of the newest word that are taken

    @property
    def columns(self) -> int:
        """How many columns there is room for."""
        return int(self._rows.shape[1]) * 64

    @property
    def nbytes(self) -> int:
        """Bytes of the matrix."""
        return int(self._rows.nbytes) + int(self._summary.nbytes) + self._runs.nbytes

    def free(self) -> int:
        """Returns how many columns can be written before the oldest word is overwritten."""
        return self.columns - self._used * 64 + 64 - self._filled

    def taken(self) -> npt.NDArray[np.bool_]:
        """Returns by column whether it is written."""
        words = np.zeros((int(self._rows.shape[1]), 64), np.bool_)
        words[np.arange(self._head - self._used, self._head) % len(words)] = True
        if self._used:
            words[self._head - 1, self._filled :] = False
        return words.reshape(-1)

    def oldest(self) -> range:
        """Returns the columns of the word that was written first."""
        first = self._oldest_word() * 64
        return range(first, first + 64)

    def _oldest_word(self) -> int:
        return (self._head - self._used) % int(self._rows.shape[1])

    def clear_oldest(self) -> None:
        """Makes room for 64 columns where the oldest were."""
        self._copy_rows(ROWS)
        word = self._oldest_word()
        self._counts -= _population(self._rows[:, word, None])
        self._rows[:, word] = 0
        self._summary[:, word >> 6] &= ~_bit(word)
        self._used -= 1
        if not self._used:
            self._filled = 64  # it was the newest as well

    def grow(self, words: int) -> int:
        """Makes room for more words. The oldest column becomes the first.

        Rows are copied when they are needed, and some with each `append`, so that no caller waits for
        all of them.

        Returns:
            By how many columns the others move back; columns before the oldest move behind them.
        """
        self._copy_rows(ROWS)
        first, used = self._oldest_word(), self._used
        self._grown_from = self._rows
        self._old_words = np.arange(first, first + used) % self._rows.shape[1]
        self._not_copied = set(range(ROWS))
        self._rows = np.zeros((ROWS, words), WORD)
        self._summary = np.zeros((ROWS, -(-words // 64)), WORD)
        if used:
            # Not later: the newest word may have free columns, which the next `append` writes.
            *_, newest = self._old_words
            self._rows[:, used - 1] = self._grown_from[:, newest]
        self._head = self._end = used
        self._runs.grow(words, used, first)
        return first * 64

    def _copy(self, row: int) -> None:
        old = self._old_words[:-1]
        self._rows[row, : len(old)] = self._grown_from[row, old]
        bits = np.packbits(self._rows[row] != 0, bitorder="little")
        self._summary[row].view(np.uint8)[: len(bits)] = bits
        self._not_copied.discard(row)
        if not self._not_copied:
            self._grown_from = self._rows  # releases the old matrix

    def _copy_those(self, rows: Sequence[int]) -> None:
        if self._not_copied:
            for row in self._not_copied.intersection(rows):
                self._copy(row)

    def _copy_rows(self, count: int) -> None:
        for row in list(islice(self._not_copied, count)):
            self._copy(row)

    def append(self, texts: Sequence[bytes], owners: Sequence[Sequence[int]]) -> list[int]:
        """Writes texts into the next columns, which must be free; returns these columns."""
        self._copy_rows(_COPIED)
        columns: list[int] = []
        written: list[tuple[int, Numbers]] = []
        start = 0
        if self._filled < 64:
            start = min(64 - self._filled, len(texts))
            word, runs = self._signer.word(texts[:start], owners[:start], self._filled)
            last = self._head - 1
            written.append((last, runs))
            self._rows[:, last] |= word
            self._summarize(last, word)
            self._counts += _population(word[:, None])
            columns += range(last * 64 + self._filled, last * 64 + self._filled + start)
            self._filled += start
        while start < len(texts):
            self._head %= self._rows.shape[1]
            room = min(self._rows.shape[1] - self._head, _STRIDE)
            parts = [
                (texts[at : at + 64], owners[at : at + 64])
                for at in range(start, min(len(texts), start + 64 * room), 64)
            ]
            words, runs_of = zip(*(self._signer.word(*part) for part in parts), strict=True)
            block = np.stack(words, axis=1)
            written += zip(count(self._head), runs_of, strict=False)
            self._rows[:, self._head : self._head + len(parts)] = block
            for number in range(len(parts)):
                self._summarize(self._head + number, block[:, number])
            self._counts += _population(block)
            taken = sum(len(part) for part, _ in parts)
            columns += range(self._head * 64, self._head * 64 + taken)
            start += taken
            self._head += len(parts)
            self._end = max(self._end, self._head)
            self._used += len(parts)
            self._filled = (taken - 1) % 64 + 1
        self._runs.add(written)
        return columns

    def _summarize(self, word: int, bits: Bits) -> None:
        """Notes in the summary which rows have a bit in a word."""
        self._summary[:, word >> 6] |= np.where(bits != 0, _bit(word), WORD.type(0))

    def rarest(self, rows: Iterable[int]) -> Sequence[int]:
        """Returns the rows that exclude most, the one with the fewest columns first."""
        return sorted(rows, key=self._count_of.__getitem__)[:_MOST_ROWS]

    def count(self, row: int) -> int:
        """Returns how many columns have a bit in a row."""
        return self._count_of[row]

    def having_runs(self, needle: bytes, rows: Sequence[int]) -> Bits | None:
        """Returns which columns may have the n-grams of a needle in its order; None where that excludes none, or little.

        Args:
            needle: folded UTF-8.
            rows: of the needle, the rarest first.
        """
        if not rows or self._count_of[rows[0]] * _RARE < self._used * 64:
            return None
        runs = self._signer.runs_of(needle)
        return self._runs.words_with(runs, int(self._rows.shape[1])) if runs else None

    def candidates(
        self,
        rows: Sequence[int],
        wanted: int | None,
        within: Bits | None = None,
        needle: bytes = b"",
    ) -> Iterator[list[int]]:
        """Yields the columns that have a bit in each of the rows, newest first, block by block.

        Args:
            rows: the rarest first; without rows there are no columns.
            wanted: how many columns the caller is likely to take, which decides how many are looked
                at in one step; the iterator continues with the older ones anyway. None for all.
            within: which columns may be among them; None for all.
            needle: folded UTF-8 that the rows are of, or a part of them. What its runs exclude is left out, if so many columns are
                looked at that this pays.
        """
        count_of, end = self._count_of, self._end
        if not rows or not end:
            return
        self._copy_those(rows)
        # If the rows were independent, so many columns would be left after each of them.
        expected: float = count_of[rows[0]]
        total, first = self._used * 64, 1
        while first < len(rows) and (expected >= _ROW_COST or first < 2):
            expected *= count_of[rows[first]] / total
            first += 1
        together, rest = rows[:first], rows[first:]
        step = end
        if wanted is not None and expected > 4 * wanted:
            # So many words are likely to hold several times as many as are wanted.
            step = max(64, int(end * 4 * wanted / expected))
        looked_at = 0 if wanted is not None else _MANY_COLUMNS
        having_runs: Bits | None = None
        is_sparse = end >= _MANY_WORDS and count_of[rows[0]] * _SPARSE <= self._used
        for low, high in self._newest_first(step):
            if is_sparse:
                words, left = self._few_of(together, low, high)
                if within is not None:
                    left = left & within[words]
            else:
                left = self._all_of(together, low, high)
                if within is not None:
                    left = left & within[low:high]
                words = _nonzero(left)
                left = left[words]
                if low:
                    words += low
            if not len(words):
                continue
            stop = size = len(words)
            if wanted is not None and size * 4 > high - low:
                size = wanted // 8 + 2  # where most words have candidates, few words have enough
            while stop > 0:
                start = max(0, stop - size)
                some, bits = words[start:stop], left[start:stop]
                if needle and looked_at >= _MANY_COLUMNS:
                    having_runs, needle = self.having_runs(needle, rows), b""
                if having_runs is not None:
                    bits = bits & having_runs[some]
                columns = self._rest_of(rest, some, bits)
                looked_at += len(columns)
                yield columns
                stop = start
                size *= 4

    def among(self, rows: Sequence[int], words: npt.NDArray[np.intp], mask: Bits) -> list[int]:
        """Returns the columns of some words, within a mask for each word, with a bit in each row."""
        if not rows:
            return []
        self._copy_those(rows)
        for row in rows:
            mask = mask & self._rows[row, words]
        kept = mask.nonzero()[0]
        return _bits(words[kept], mask[kept])

    def _newest_first(self, step: int) -> list[tuple[int, int]] | Iterator[tuple[int, int]]:
        """Returns ranges of words, the newest first."""
        if self._head == self._end <= step:
            return [(0, self._end)]
        return self._ranges(step)

    def _ranges(self, step: int) -> Iterator[tuple[int, int]]:
        for low, high in ((0, self._head), (self._head, self._end)):
            while low < high:
                start = max(low, high - step)
                yield start, high
                high = start
                step *= 4

    def all_of(self, rows: Sequence[int]) -> Bits:
        """Returns which columns have a bit in each of the rows; without rows there are none."""
        if not rows:
            return np.zeros(0, WORD)
        self._copy_those(rows)
        return self._all_of(rows, 0, self._end)

    def _all_of(self, rows: Sequence[int], low: int, high: int) -> Bits:
        matrix = self._rows
        left = matrix[rows[0], low:high]
        if len(rows) == 1:
            return left
        left = np.bitwise_and(left, matrix[rows[1], low:high])
        for row in rows[2:]:
            np.bitwise_and(left, matrix[row, low:high], out=left)
        return left

    def _few_of(
        self, rows: Sequence[int], low: int, high: int
    ) -> tuple[npt.NDArray[np.intp], Bits]:
        """Returns the words of a range that have a column with a bit in each of the rows, and these columns.

        The summary, which is small, excludes most words, so little of the matrix is fetched from memory.
        """
        summary, matrix = self._summary, self._rows
        likely = summary[rows[0]]
        for row in rows[1:]:
            likely = likely & summary[row]
        kept = likely.nonzero()[0]
        words = np.array(_bits(kept, likely[kept])[::-1], np.intp)
        if low or high < self._end:
            words = words[(words >= low) & (words < high)]
        left = matrix[rows[0], words]
        for row in rows[1:]:
            left &= matrix[row, words]
        kept = left.nonzero()[0]
        return words[kept], left[kept]

    def _rest_of(self, rows: Sequence[int], words: npt.NDArray[np.intp], bits: Bits) -> list[int]:
        """Returns the columns of some words that have a bit in each of the other rows as well."""
        for row in rows:
            if len(words) <= _ROW_COST:
                break
            bits = bits & self._rows[row, words]
            kept = bits.nonzero()[0]
            if len(kept) < len(words):
                words, bits = words[kept], bits[kept]
        return _bits(words, bits)


def _bit(word: int) -> np.uint64:
    """Returns the bit of a word in the summary."""
    return np.uint64(1 << (word & 63))


def bits_of(words: Bits) -> npt.NDArray[np.intp]:
    """Returns the columns of the bits that are set."""
    # Most words may be empty.
    there = _nonzero(words)
    bits = np.unpackbits(words[there].view(np.uint8), bitorder="little")
    places = bits.view(np.bool_).nonzero()[0]
    columns: npt.NDArray[np.intp] = (there << 6)[places >> 6] + (places & 63)
    return columns


def _nonzero(words: Bits) -> npt.NDArray[np.intp]:
    # The comparison is vectorised; for few words it costs more than it saves.
    return (words if len(words) < 2000 else words != 0).nonzero()[0]


def _bits(words: npt.NDArray[np.intp], bits: Bits) -> list[int]:
    """Returns the columns of the bits that are set, the last first."""
    values: list[int] = bits.tolist() if len(words) <= _FEW_WORDS else []
    if not values or sum(map(int.bit_count, values)) > 2 * _FEW_WORDS:
        flat = np.unpackbits(np.ascontiguousarray(bits).view(np.uint8), bitorder="little")
        places = flat.nonzero()[0]
        columns: list[int] = (words[places >> 6] * 64 + (places & 63))[::-1].tolist()
        return columns
    columns = []
    for word, value in zip(words[::-1].tolist(), reversed(values), strict=True):
        while value:
            top = value.bit_length() - 1
            columns.append(word * 64 + top)
            value ^= 1 << top
    return columns


if hasattr(np, "bitwise_count"):

    def _population(words: Bits) -> npt.NDArray[np.int64]:
        """Returns how many bits of each row are set."""
        counts: npt.NDArray[np.int64] = np.bitwise_count(words).sum(axis=1, dtype=np.int64)
        return counts

else:  # numpy 1
    _OF_BYTE = np.array([byte.bit_count() for byte in range(256)], np.uint8)

    def _population(words: Bits) -> npt.NDArray[np.int64]:
        """Returns how many bits of each row are set."""
        octets = np.ascontiguousarray(words).view(np.uint8)
        counts: npt.NDArray[np.int64] = _OF_BYTE[octets].sum(axis=1, dtype=np.int64)
        return counts
