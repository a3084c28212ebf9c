"""What `find.py` measures: libraries that rank records for a question, behind one interface."""

from __future__ import annotations

import re
import sqlite3
import sys
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter, process_time
from typing import Any, ClassVar

Record = tuple[str, str, str]
"""Key, sender, text."""

ADDED = 200
DEPTH = 10


class Ranker:
    """A library that ranks; each ``names`` is one way to ask it, which is measured after the one before it.

    Args:
        records: what is searched.

    Attributes:
        names: of the ways to ask.
        most: of so many records at most, since more take too long or too much memory.
        adds: how many records are added one by one; 0 for a library that cannot.
        spent: seconds of the last `add`, where that is not the time of the call.
    """

    names: ClassVar[Sequence[str]]
    most: ClassVar[dict[str, int]] = {}
    adds = ADDED
    spent: float | None = None

    def __init__(self, records: list[Record]) -> None:
        self.records = records

    def build(self, name: str) -> None:
        """Makes the records ready for searches."""
        raise NotImplementedError

    def add(self, records: list[Record]) -> None:
        """Adds records one by one, so that the next search finds them."""
        raise NotImplementedError

    def search(self, question: str) -> list[str]:
        """Returns the keys of the best records."""
        raise NotImplementedError

    def grown(self) -> float | None:
        """Returns the bytes that the index takes in another process; None for one in this process."""
        return None

    def prepare_recall(self, name: str, questions: Sequence[str]) -> None:
        """Keeps what `recall` compares with, before ``name`` is built."""

    def recall(self, questions: Sequence[str]) -> float | None:  # noqa: ARG002
        """Returns which share of the best the last way to ask has found; None for an exact one."""
        return None


class Ours(Ranker):
    """This package, in memory, by words."""

    names = ("ranked",)

    def __init__(self, records: list[Record]) -> None:
        from tta_memory_nb import MemoryPrimitive

        super().__init__(records)
        small = MemoryPrimitive().sync
        small.add("k", {"text": "a word"})
        small.search("words", mode="ranked")  # so that what it imports does not count
        self.mode: Any = self.names[0]
        self.memory = MemoryPrimitive(max_size=len(records) + 4 * ADDED).sync
        self._put(records)

    def _put(self, records: list[Record]) -> None:
        for key, sender, text in records:
            self.memory.add(key, {"sender": sender, "text": text})

    def build(self, name: str) -> None:
        """Has the first search index everything."""
        self.mode = name
        self.memory.hits("warm", 1, mode=self.mode)

    def add(self, records: list[Record]) -> None:
        """Has records indexed; writing them is no part of the time."""
        self._put(records)
        held = self.memory._store._records  # noqa: SLF001  the index of words alone
        started = process_time()
        held.indexes.of_mode["ranked"].build(held.entries, None)
        self.spent = process_time() - started

    def search(self, question: str) -> list[str]:
        """Returns the keys of the best records."""
        return [hit.entry.key for hit in self.memory.hits(question, DEPTH, mode=self.mode)]


class OursByMeaning(Ours):
    """This package, in memory, by words and vectors of WordLlama, and by vectors alone."""

    names = ("hybrid", "semantic")

    def build(self, name: str) -> None:
        """Makes all vectors."""
        self.mode = name
        self.memory.embed()
        self.memory.hits("warm", 1, mode=self.mode)

    def add(self, records: list[Record]) -> None:
        """Has records embedded and indexed; writing them is no part of the time."""
        self._put(records)
        started = process_time()
        self.memory.embed()
        self.spent = process_time() - started


class OursOnAServer(Ranker):
    """This package with ``server_search``: Redis with RediSearch answers by words, by vectors, and by a graph of vectors."""

    names = ("server", "server-sem", "server-hnsw")
    # A graph takes a millisecond of the server for each record, and vectors of a million take 2.8 GB of it.
    most: ClassVar = {"server-hnsw": 100_000, "server-sem": 258_145}

    def __init__(self, records: list[Record]) -> None:
        sys.path.append(str(Path(__file__).parent.parent / "tests"))
        from real_servers import Server, modules, redis_8

        from tta_memory_nb import MemoryPrimitive

        super().__init__(records)
        self.server = Server(redis_8(), *modules())
        self.mode: Any = "ranked"
        self.memory = self._open("redisearch")
        plain = MemoryPrimitive(self.server.url, timeout=600).sync
        for start in range(0, len(records), 10_000):
            plain.add_many(_values(records[start : start + 10_000]))
        plain.close()
        self._before = self._used()
        self._least: list[float] = []

    def _open(self, kind: str) -> Any:
        from tta_memory_nb import MemoryPrimitive

        return MemoryPrimitive(self.server.url, server_search=kind, timeout=600).sync

    def _used(self) -> float:
        with self.server.client() as client:
            return float(client.info("memory")["used_memory"])

    def grown(self) -> float:
        """Returns the bytes that the index takes on the server."""
        return self._used() - self._before

    def build(self, name: str) -> None:
        """Indexes all records, which a client without the option has written."""
        if name == "server-hnsw":
            self.memory.close()
            self.memory = self._open("redisearch:hnsw")
        self.mode = "ranked" if name == "server" else "semantic"
        self._index()

    def _index(self) -> None:
        if self.mode == "ranked":
            self.memory.build_index()
        else:
            self.memory.embed()

    def add(self, records: list[Record]) -> None:
        """Writes records one by one and indexes them together, as the next search does."""
        started = perf_counter()
        for key, value in _values(records).items():
            self.memory.add(key, value)
        self._index()
        self.spent = perf_counter() - started

    def _hits(self, question: str) -> list[Any]:
        found: list[Any] = self.memory.hits(question, DEPTH, mode=self.mode)
        return found

    def search(self, question: str) -> list[str]:
        """Returns the keys of the best records."""
        return [hit.entry.key for hit in self._hits(question)]

    def prepare_recall(self, name: str, questions: Sequence[str]) -> None:
        """Keeps the scores of the last of the exact answers."""
        if name == "server-hnsw":
            self._least = [
                hits[-1].score if (hits := self._hits(question)) else 0.0 for question in questions
            ]

    def recall(self, questions: Sequence[str]) -> float | None:
        """Returns which share of the best was found, by scores: many utterances are equal."""
        if not self._least:
            return None
        good = sum(
            hit.score >= least - 1e-4
            for question, least in zip(questions, self._least, strict=True)
            for hit in self._hits(question)
        )
        return good / (DEPTH * len(questions))


def _values(records: list[Record]) -> dict[str, dict[str, str]]:
    return {key: {"sender": sender, "text": text} for key, sender, text in records}


# ---- peers


def words_of(question: str) -> list[str]:
    """Returns the words of a question that are no stop words."""
    from tta_memory_nb.search.ranked.stop_words import ENGLISH

    words = re.findall(r"[a-z0-9]+", question.lower())
    return [word for word in words if word not in ENGLISH] or words


class Fts5(Ranker):
    """The full-text index of SQLite."""

    names = ("fts5",)

    def build(self, name: str) -> None:  # noqa: ARG002
        """Fills the table."""
        self.base = sqlite3.connect(":memory:")
        self.base.execute(
            "create virtual table t using fts5(key unindexed, text, tokenize='porter unicode61')"
        )
        rows = ((key, f"{sender} {text}") for key, sender, text in self.records)
        self.base.executemany("insert into t values (?, ?)", rows)

    def add(self, records: list[Record]) -> None:
        """Adds records one by one."""
        for key, sender, text in records:
            self.base.execute("insert into t values (?, ?)", (key, f"{sender} {text}"))

    def search(self, question: str) -> list[str]:
        """Returns the keys of the best records."""
        query = " OR ".join(f'"{word}"' for word in words_of(question))
        found = self.base.execute(
            f"select key from t where t match ? order by rank limit {DEPTH}", (query,)
        )
        return [key for (key,) in found]


class Bm25s(Ranker):
    """bm25s, which builds a matrix of scores."""

    names = ("bm25s",)
    adds = 0

    def _tokens(self, texts: list[str]) -> Any:
        return self._bm25s.tokenize(
            texts,
            stopwords="en",
            stemmer=lambda words: [*map(self._stem, words)],
            show_progress=False,
        )

    def build(self, name: str) -> None:  # noqa: ARG002
        """Makes the matrix."""
        import bm25s
        import snowballstemmer

        self._bm25s: Any = bm25s
        self._stem = snowballstemmer.stemmer("english").stemWord
        self._index = bm25s.BM25(k1=0.9, b=0.4)
        texts = [text for *_, text in self.records]
        self._index.index(self._tokens(texts), show_progress=False)

    def search(self, question: str) -> list[str]:
        """Returns the keys of the best records."""
        found, _ = self._index.retrieve(self._tokens([question]), k=DEPTH, show_progress=False)
        return [self.records[number][0] for number in found[0]]


class Tantivy(Ranker):
    """tantivy, an index of Rust."""

    names = ("tantivy",)
    adds = 5

    def build(self, name: str) -> None:  # noqa: ARG002
        """Adds all records and commits them."""
        import tantivy

        self._tantivy = tantivy
        schema = tantivy.SchemaBuilder()
        schema.add_text_field("key", stored=True, tokenizer_name="raw")
        schema.add_text_field("text", tokenizer_name="en_stem")
        self._index = tantivy.Index(schema.build())
        self._writer = self._index.writer()
        self._write(self.records)

    def _write(self, records: list[Record]) -> None:
        for key, _, text in records:
            self._writer.add_document(self._tantivy.Document(key=key, text=text))
        self._writer.commit()
        self._index.reload()

    def add(self, records: list[Record]) -> None:
        """Adds records and commits each."""
        for record in records:
            self._write([record])

    def search(self, question: str) -> list[str]:
        """Returns the keys of the best records."""
        searcher = self._index.searcher()
        query = self._index.parse_query(" OR ".join(words_of(question)), ["text"])
        hits = searcher.search(query, DEPTH).hits
        return [searcher.doc(place)["key"][0] for _, place in hits]


class LangGraph(Ranker):
    """LangGraph's store in memory, with the same vectors of WordLlama."""

    names = ("langgraph",)
    # It keeps vectors as Python floats, 24 KB a record, and makes an array of all of them for each search.
    most: ClassVar = {"langgraph": 100_000}

    def build(self, name: str) -> None:  # noqa: ARG002
        """Puts all records, one by one: a batch with equal texts fails."""
        from langgraph.store.memory import InMemoryStore

        from tta_memory_nb.embedders.base import open_embedder

        embedder = open_embedder("wordllama")
        self._store = InMemoryStore(
            index={
                "dims": embedder.dim,
                "embed": lambda texts: embedder.embed(texts).tolist(),
                "fields": ["text"],
            }
        )
        self.add(self.records)

    def add(self, records: list[Record]) -> None:
        """Puts records one by one."""
        for key, sender, text in records:
            self._store.put(("all",), key, {"sender": sender, "text": text})

    def search(self, question: str) -> list[str]:
        """Returns the keys of the best records."""
        found = self._store.search(("all",), query=question, limit=DEPTH)
        return [item.key for item in found]


RANKERS: tuple[type[Ranker], ...] = (
    Ours,
    OursByMeaning,
    Fts5,
    Bm25s,
    Tantivy,
    LangGraph,
    OursOnAServer,
)
