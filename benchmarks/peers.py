"""The peers that the search of this package is compared with.

All peers hold the last ``max_size`` records and evict the oldest first. All except the ancestor store values as
JSON, return fresh values decoded by orjson, and compare text folded by this package's rules. Each is written as
its own users would write it for this task.
"""

# ruff: noqa: D102  Peer documents the methods of all peers

from __future__ import annotations

import json
import sqlite3
import sys
from abc import ABC, abstractmethod
from bisect import bisect_right
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator
from itertools import islice, pairwise
from typing import Any

import numpy as np
import orjson
from corpus import Json, Record, folded, packed

from tta_memory_nb.text import fold


class Unavailable(Exception):
    """Raised for a peer that is not installed."""


class Peer(ABC):
    """A way to search that is measured."""

    counts = True  # whether it has `count`

    def __init__(self, max_size: int) -> None:
        self.max_size = max_size

    def load(self, records: list[Record]) -> None:
        """Adds many records with new keys, never more than the capacity."""
        for key, value in records:
            self.add(key, value)

    def loaded(self) -> None:  # noqa: B027  most peers need nothing here
        """Called after the last `load`; its time counts as loading."""

    def settle(self) -> None:  # noqa: B027  most peers need nothing here
        """Does the remaining work before searches reach their final speed."""

    @abstractmethod
    def add(self, key: str, value: Json) -> None:
        """Adds a record with a new key, and evicts the oldest record at capacity."""

    @abstractmethod
    def search(self, query: str, limit: int) -> list[Json]:
        """Returns the newest values that contain the query."""

    def index_and_text(self) -> float | None:
        """Returns the bytes of what only searches need; None if the peer cannot report them."""
        return None

    def count(self, query: str) -> int:
        """Returns the number of values that contain the query."""
        raise NotImplementedError


class Package(Peer):
    """This package, in memory."""

    def __init__(self, max_size: int) -> None:
        import tta_memory_nb

        super().__init__(max_size)
        self.memory = tta_memory_nb.MemoryPrimitive(max_size=max_size).sync

    def load(self, records: list[Record]) -> None:
        self.memory.add_many(records)

    def settle(self) -> None:
        self.memory.build_index()

    def add(self, key: str, value: Json) -> None:
        self.memory.add(key, value)

    def search(self, query: str, limit: int) -> list[Json]:
        return self.memory.search(query, limit)

    def count(self, query: str) -> int:
        return self.memory.count(query)

    def index_and_text(self) -> int:
        records = self.memory._store.fallback.contents  # noqa: SLF001
        index = records.indexes.of_mode["keyword"]
        return index.nbytes + sum(
            sys.getsizeof(entry._folded)  # noqa: SLF001
            for entry in records.entries.values()
        )


class Ancestor(Peer):
    """The ancestor's method.

    It has an OrderedDict, and a search that writes each value as JSON, newest first, and looks for the
    query in that text. It stores and returns the caller's own objects. Its answers differ, because it also
    finds JSON's punctuation and does not find text that is not ASCII.
    """

    counts = False

    def __init__(self, max_size: int) -> None:
        super().__init__(max_size)
        self.values: OrderedDict[str, Json] = OrderedDict()

    def add(self, key: str, value: Json) -> None:
        if key in self.values:
            self.values.move_to_end(key)
        self.values[key] = value
        if len(self.values) > self.max_size:
            self.values.popitem(last=False)

    def get(self, key: str) -> Json | None:
        """Returns the caller's own object."""
        if key not in self.values:
            return None
        self.values.move_to_end(key)
        return self.values[key]

    def search(self, query: str, limit: int) -> list[Json]:
        found = []
        needle = query.lower()
        for value in reversed(list(self.values.values())):
            if needle in json.dumps(value, default=str).lower():
                found.append(value)
                if len(found) == limit:
                    break
        return found


class Linear(Peer):
    """A scan over folded texts, newest first, that stops at the limit."""

    def __init__(self, max_size: int) -> None:
        super().__init__(max_size)
        self.records: OrderedDict[str, tuple[str, bytes]] = OrderedDict()

    def add(self, key: str, value: Json) -> None:
        self.records[key] = folded(value), packed(value)
        if len(self.records) > self.max_size:
            self.records.popitem(last=False)

    def search(self, query: str, limit: int) -> list[Json]:
        needle = fold(query)
        found = []
        for text, value in reversed(self.records.values()):
            if needle in text:
                found.append(orjson.loads(value))
                if len(found) == limit:
                    break
        return found

    def count(self, query: str) -> int:
        needle = fold(query)
        return sum(needle in text for text, _ in self.records.values())


class SqliteFts5(Peer):
    """SQLite in memory with a trigram index; row ids give the order, newest first.

    The index does not support queries of fewer than 3 characters; these scan the texts.
    """

    def __init__(self, max_size: int) -> None:
        super().__init__(max_size)
        self.sql = sqlite3.connect(":memory:", isolation_level=None)
        try:
            # The texts are folded already.
            self.sql.execute(
                "CREATE VIRTUAL TABLE texts USING fts5(text, tokenize='trigram case_sensitive 1')"
            )
        except sqlite3.OperationalError as error:
            raise Unavailable(f"SQLite {sqlite3.sqlite_version}: {error}") from None
        self.sql.execute("CREATE TABLE memory (id INTEGER PRIMARY KEY, key UNIQUE, value)")
        self.size = 0

    def load(self, records: list[Record]) -> None:
        self.sql.execute("BEGIN")
        for key, value in records:
            self._insert(key, value)
        self.sql.execute("COMMIT")

    def add(self, key: str, value: Json) -> None:
        self.sql.execute("BEGIN")
        self._insert(key, value)
        if self.size > self.max_size:
            (oldest,) = self.sql.execute("SELECT min(id) FROM memory").fetchone()
            self.sql.execute("DELETE FROM texts WHERE rowid = ?", (oldest,))
            self.sql.execute("DELETE FROM memory WHERE id = ?", (oldest,))
            self.size -= 1
        self.sql.execute("COMMIT")

    def _insert(self, key: str, value: Json) -> None:
        row = self.sql.execute(
            "INSERT INTO memory (key, value) VALUES (?, ?)", (key, orjson.dumps(value))
        ).lastrowid
        self.sql.execute("INSERT INTO texts (rowid, text) VALUES (?, ?)", (row, folded(value)))
        self.size += 1

    def search(self, query: str, limit: int) -> list[Json]:
        condition, argument = self._condition(query)
        rows = self.sql.execute(
            "SELECT value FROM texts JOIN memory ON id = texts.rowid "
            f"WHERE {condition} ORDER BY texts.rowid DESC LIMIT ?",
            (argument, limit),
        )
        return [orjson.loads(value) for (value,) in rows]

    def count(self, query: str) -> int:
        condition, argument = self._condition(query)
        (number,) = self.sql.execute(
            f"SELECT count(*) FROM texts WHERE {condition}", (argument,)
        ).fetchone()
        return int(number)

    @staticmethod
    def _condition(query: str) -> tuple[str, str]:
        needle = fold(query)
        if len(needle) < 3:
            return "instr(text, ?)", needle
        return "texts MATCH ?", '"' + needle.replace('"', '""') + '"'


class Numbered(Peer):
    """Base of the peers below: records that are ordered by number.

    Attributes:
        packed: values as JSON, by number.
        first: the number of the oldest record.
        next: the number of the next record.
    """

    def __init__(self, max_size: int) -> None:
        super().__init__(max_size)
        self.packed: dict[int, bytes] = {}
        self.first = 0
        self.next = 0

    def add(self, key: str, value: Json) -> None:
        del key  # searches return only values; a dict of keys would only add to the cost of `add`
        self.packed[self.next] = packed(value)
        self.enter(self.next, folded(value))
        self.next += 1
        if self.next - self.first > self.max_size:
            self.leave(self.first)
            del self.packed[self.first]
            self.first += 1

    @abstractmethod
    def enter(self, number: int, text: str) -> None:
        """Adds a text."""

    @abstractmethod
    def leave(self, number: int) -> None:
        """Removes the oldest text."""

    @abstractmethod
    def numbers(self, needle: str) -> Iterator[int]:
        """Yields the numbers of texts that contain a folded needle, newest first."""

    def search(self, query: str, limit: int) -> list[Json]:
        return [orjson.loads(self.packed[n]) for n in islice(self.numbers(fold(query)), limit)]

    def count(self, query: str) -> int:
        return sum(1 for _ in self.numbers(fold(query)))


class Polars(Numbered):
    """A column of texts; each search scans all of it."""

    def __init__(self, max_size: int) -> None:
        super().__init__(max_size)
        try:
            import polars
        except ImportError as error:
            raise Unavailable(str(error)) from None
        self.series = polars.Series
        self.column = self.series("text", [], dtype=polars.String)
        self.waiting: list[str] = []

    def loaded(self) -> None:
        self._append()
        self.column = self.column.rechunk()

    def enter(self, number: int, text: str) -> None:
        del number
        self.waiting.append(text)

    def leave(self, number: int) -> None:
        del number
        self._append()
        self.column = self.column.slice(1)

    def _append(self) -> None:
        if self.waiting:
            self.column = self.column.append(self.series("text", self.waiting))
            self.waiting = []

    def _contain(self, needle: str) -> Any:
        self._append()
        return self.column.str.contains(needle, literal=True)

    def numbers(self, needle: str) -> Iterator[int]:
        return (self.first + n for n in reversed(self._contain(needle).arg_true().to_list()))

    def search(self, query: str, limit: int) -> list[Json]:
        places = self._contain(fold(query)).arg_true().tail(limit).to_list()
        return [orjson.loads(self.packed[self.first + n]) for n in reversed(places)]

    def count(self, query: str) -> int:
        return int(self._contain(fold(query)).sum())


class Verified(Numbered):
    """An index that returns candidate texts, which are then compared with the needle."""

    def __init__(self, max_size: int) -> None:
        super().__init__(max_size)
        self.folded: dict[int, str] = {}

    def enter(self, number: int, text: str) -> None:
        self.folded[number] = text

    def leave(self, number: int) -> None:
        del self.folded[number]

    @abstractmethod
    def candidates(self, trigrams: list[str]) -> Iterable[int]:
        """Yields the numbers of texts that contain all trigrams, newest first."""

    def numbers(self, needle: str) -> Iterator[int]:
        parts = list(dict.fromkeys(trigrams(needle)))
        # Shorter than a trigram, so only a scan is possible.
        candidates = self.candidates(parts) if parts else range(self.next - 1, self.first - 1, -1)
        return (n for n in candidates if needle in self.folded[n])


def trigrams(text: str) -> Iterator[str]:
    """Returns all sequences of three characters."""
    return (text[n : n + 3] for n in range(len(text) - 2))


class Tantivy(Verified):
    """Tantivy's index in memory over trigrams, ordered by number.

    Tantivy's n-gram tokenizer gives all tokens the same position, so it cannot search for phrases. The query
    requires all trigrams, and the candidate texts are compared. A search finds added texts after a commit.
    """

    def __init__(self, max_size: int) -> None:
        super().__init__(max_size)
        try:
            import tantivy
        except ImportError as error:
            raise Unavailable(str(error)) from None
        self.tantivy = tantivy
        builder = tantivy.SchemaBuilder()
        builder.add_text_field("text", tokenizer_name="trigram", index_option="basic")
        builder.add_unsigned_field("number", indexed=True, fast=True)
        self.schema = builder.build()
        self.index = tantivy.Index(self.schema)
        # Automatic reloads happen at unpredictable times, and sometimes load the previous commit.
        self.index.config_reader("manual")
        tokenizer = tantivy.Tokenizer.ngram(3, 3)
        self.index.register_tokenizer("trigram", tantivy.TextAnalyzerBuilder(tokenizer).build())
        self.writer = self.index.writer()
        self.loading = True

    def loaded(self) -> None:
        self.writer.commit()
        self.writer.wait_merging_threads()
        self.writer = self.index.writer()
        self.index.reload()
        self.loading = False

    def add(self, key: str, value: Json) -> None:
        super().add(key, value)
        if not self.loading:
            self.writer.commit()
            self.index.reload()

    def enter(self, number: int, text: str) -> None:
        super().enter(number, text)
        document = self.tantivy.Document()
        document.add_text("text", text)
        document.add_unsigned("number", number)
        self.writer.add_document(document)

    def leave(self, number: int) -> None:
        super().leave(number)
        # A term query of the binding uses a signed number, which never equals an unsigned one.
        query = self.tantivy.Query.term_query(self.schema, "number", number)
        self.writer.delete_documents_by_query(query)

    def candidates(self, trigrams: list[str]) -> Iterable[int]:
        query, must = self.tantivy.Query, self.tantivy.Occur.Must
        asked = query.boolean_query(
            [(must, query.term_query(self.schema, "text", part)) for part in trigrams]
        )
        searcher = self.index.searcher()
        start, size = 0, 128
        while True:
            # With an order by a column, the first item of a hit is its number.
            hits = searcher.search(
                asked, size, count=False, order_by_field="number", offset=start
            ).hits
            yield from (number for number, _ in hits)
            if len(hits) < size:
                return
            start, size = start + size, size * 4


class Pyroaring(Verified):
    """A roaring bitmap of text numbers for each trigram, which is encoded as a number."""

    def __init__(self, max_size: int) -> None:
        super().__init__(max_size)
        try:
            from pyroaring import BitMap
        except ImportError as error:
            raise Unavailable(str(error)) from None
        self.bitmap = BitMap
        self.maps: dict[int, Any] = {}

    def load(self, records: list[Record]) -> None:
        for start in range(0, len(records), 1_000):  # a batch that fits into the processor's caches
            self._load(records[start : start + 1_000])

    def _load(self, records: list[Record]) -> None:
        # Sorted trigrams as numbers, so that each bitmap receives all of its texts at once.
        texts = [folded(value) for _, value in records]
        for number, (text, (_, value)) in enumerate(zip(texts, records, strict=True), self.next):
            self.folded[number] = text
            self.packed[number] = packed(value)
        letters = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), np.uint32)
        owners = np.repeat(np.arange(len(texts), dtype=np.uint32), [len(text) for text in texts])
        wide = letters.astype(np.int64)
        parts = wide[:-2] << 42 | wide[1:-1] << 21 | wide[2:]
        inside = owners[:-2] == owners[2:]
        parts, holders = parts[inside], owners[:-2][inside] + np.uint32(self.next)
        order = np.argsort(parts)
        parts, holders = parts[order], holders[order]
        starts = np.flatnonzero(np.diff(parts, prepend=-1)).tolist()
        for start, end in pairwise([*starts, len(parts)]):
            self._map(int(parts[start])).update(self.bitmap(holders[start:end]))
        self.next += len(records)

    def _map(self, part: int) -> Any:
        found = self.maps.get(part)
        if found is None:
            found = self.maps[part] = self.bitmap()
        return found

    def enter(self, number: int, text: str) -> None:
        super().enter(number, text)
        for part in self._parts(trigrams(text)):
            self._map(part).add(number)

    def leave(self, number: int) -> None:
        for part in self._parts(trigrams(self.folded[number])):
            numbers = self.maps[part]
            numbers.discard(number)
            if not numbers:
                del self.maps[part]
        super().leave(number)

    def candidates(self, trigrams: list[str]) -> Iterable[int]:
        maps: list[Any] = [self.maps.get(part, ()) for part in self._parts(trigrams)]
        maps.sort(key=len)
        if not maps[0]:
            return ()
        return self._newest_first(self.bitmap.intersection(*maps))

    @staticmethod
    def _parts(trigrams: Iterable[str]) -> set[int]:
        return {ord(part[0]) << 42 | ord(part[1]) << 21 | ord(part[2]) for part in trigrams}

    @staticmethod
    def _newest_first(numbers: Any) -> Iterator[int]:
        left = len(numbers)
        while left > 0:
            part = numbers[max(0, left - 128) : left]
            yield from reversed(part.to_array())
            left -= 128


class StringZilla(Numbered):
    """SIMD search, from the end, over blocks of about 1 MB of concatenated texts.

    With one call for each text, the calls would take most of the time.
    """

    block_bytes = 2**20

    def __init__(self, max_size: int) -> None:
        super().__init__(max_size)
        try:
            import stringzilla  # type: ignore[import-not-found]
        except ImportError as error:
            raise Unavailable(str(error)) from None
        self.rfind: Callable[..., int] = stringzilla.rfind
        self.blocks: deque[Block] = deque([Block(0)])

    def enter(self, number: int, text: str) -> None:
        block = self.blocks[-1]
        if len(block.text) > self.block_bytes:
            block = Block(number)
            self.blocks.append(block)
        block.starts.append(len(block.text))
        block.text += text.encode("utf-8", "surrogatepass") + BORDER

    def leave(self, number: int) -> None:
        if len(self.blocks) > 1 and number + 1 == self.blocks[1].first:
            self.blocks.popleft()

    def numbers(self, needle: str) -> Iterator[int]:
        sought = needle.encode("utf-8", "surrogatepass")
        for block in reversed(self.blocks):
            end = len(block.text)
            while (place := self.rfind(block.text, sought, 0, end)) >= 0:
                row = bisect_right(block.starts, place) - 1
                if block.first + row < self.first:
                    return
                yield block.first + row
                end = block.starts[row]


BORDER = b"\xff"  # a byte that UTF-8 never contains


class Block:
    """Concatenated texts, and the start of each of them."""

    def __init__(self, first: int) -> None:
        self.first = first
        self.text = bytearray()
        self.starts: list[int] = []


OURS = "tta_memory_nb"
PEERS: dict[str, Callable[[int], Peer]] = {
    OURS: Package,
    "ancestor": Ancestor,
    "linear": Linear,
    "sqlite-fts5": SqliteFts5,
    "polars": Polars,
    "tantivy": Tantivy,
    "pyroaring": Pyroaring,
    "stringzilla": StringZilla,
}
