"""The cost of a ranked search, beside other libraries that rank by words.

    python benchmarks/find.py [--sizes 6000 100000 258145] [--peers ranked fts5 server langgraph]

The records are utterances of the chitchat dataset (pip install chitchat-dataset), one conversation a session. The questions
are 300 of these utterances that end in a question mark and have at least five words. Each peer runs in a process of its
own, one after the other, and answers every question twice; the second answers are measured.

    load      seconds until all records can be searched
    add       microseconds of one more record that the next search has to find, without that search
    p50, p95  milliseconds of a search for 10 records: on the clock, and of the processor
    bytes     growth of the process a record: the library's index alone, without the records; of a server, that of the server

FTS5 and tantivy answer a query of all its words, joined by OR, stemmed, without stop words. bm25s is static: a new record
means a new index. None of the three knows people, dates or the records around. "server" is this package with
``server_search="redisearch"``, whose times are on the clock of one client; "server-sem" is the same by vectors, "hybrid" is
this package in memory by words and vectors, "semantic" by vectors alone, and "langgraph" is LangGraph's InMemoryStore, all
four with WordLlama.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

from measuring import resident

QUESTIONS = 300
# A peer that takes so many seconds to load is asked fewer questions.
_SLOW, _FEW = 60, 50
ADDED = 200

Record = tuple[str, str, str]
"""Key, sender, text."""


def utterances() -> Iterable[Record]:
    """Yields the records of the dataset."""
    import chitchat_dataset

    for number, conversation in enumerate(chitchat_dataset.Dataset().values()):
        turn = 0
        for message in conversation["messages"]:
            for each in message if isinstance(message, list) else [message]:
                turn += 1
                yield f"c{number}:s:{turn:08x}", str(each.get("sender", ""))[:8], each["text"]


def questions(records: list[Record]) -> list[str]:
    """Returns some of the questions that the records ask."""
    asked = [text for *_, text in records if text.endswith("?") and 5 <= len(text.split()) <= 20]
    return random.Random(1).sample(asked, min(QUESTIONS, len(asked)))


class Ranked:
    """This package, in memory."""

    mode = "ranked"

    def __init__(self, records: list[Record]) -> None:
        from tta_memory_nb import MemoryPrimitive

        small = MemoryPrimitive().sync
        small.add("k", {"text": "a word"})
        small.search("words", mode="ranked")  # so that what it imports does not count
        self.memory = MemoryPrimitive(max_size=len(records) + ADDED).sync
        for record in records:
            self._put(record)

    def _put(self, record: Record) -> None:
        key, sender, text = record
        self.memory.add(key, {"sender": sender, "text": text})

    def build(self) -> None:
        """The first search indexes everything."""
        self.memory.hits("warm", 1, mode=self.mode)

    def add(self, records: list[Record]) -> None:
        """Has records indexed; writing them is no part of it."""
        for record in records:
            self._put(record)
        held = self.memory._store._records  # noqa: SLF001  the index of words alone
        started = process_time()
        held.indexes.of_mode["ranked"].build(held.entries, None)
        self.spent = process_time() - started

    def search(self, question: str) -> list[str]:
        """Returns keys."""
        return [hit.entry.key for hit in self.memory.hits(question, 10, mode=self.mode)]


def words_of(question: str) -> list[str]:
    """Returns the words of a question that are no stop words."""
    from tta_memory_nb.search.ranked.stop_words import ENGLISH

    words = re.findall(r"[a-z0-9]+", question.lower())
    return [word for word in words if word not in ENGLISH] or words


class Fts5:
    """The full-text index of SQLite."""

    def __init__(self, records: list[Record]) -> None:
        self.records = records
        self.base = sqlite3.connect(":memory:")

    def build(self) -> None:
        """Fills the table."""
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
        """Returns keys."""
        query = " OR ".join(f'"{word}"' for word in words_of(question))
        found = self.base.execute(
            "select key from t where t match ? order by rank limit 10", (query,)
        )
        return [key for (key,) in found]


class Bm25s:
    """bm25s, which builds a matrix of scores."""

    def __init__(self, records: list[Record]) -> None:
        import bm25s
        import snowballstemmer

        self.bm25s, self.records = bm25s, records
        self.stem = snowballstemmer.stemmer("english").stemWord

    def _tokens(self, texts: list[str]) -> Any:
        return self.bm25s.tokenize(
            texts,
            stopwords="en",
            stemmer=lambda words: [*map(self.stem, words)],
            show_progress=False,
        )

    def build(self) -> None:
        """Makes the matrix."""
        self.index = self.bm25s.BM25(k1=0.9, b=0.4)
        texts = [text for *_, text in self.records]
        self.index.index(self._tokens(texts), show_progress=False)

    add = None

    def search(self, question: str) -> list[str]:
        """Returns keys."""
        found, _ = self.index.retrieve(self._tokens([question]), k=10, show_progress=False)
        return [self.records[number][0] for number in found[0]]


class Tantivy:
    """tantivy, an index of Rust."""

    def __init__(self, records: list[Record]) -> None:
        import tantivy

        self.tantivy, self.records = tantivy, records
        schema = tantivy.SchemaBuilder()
        schema.add_text_field("key", stored=True, tokenizer_name="raw")
        schema.add_text_field("text", tokenizer_name="en_stem")
        self.index = tantivy.Index(schema.build())
        self.writer = self.index.writer()

    def build(self) -> None:
        """Adds all records and commits them."""
        for key, _, text in self.records:
            self.writer.add_document(self.tantivy.Document(key=key, text=text))
        self.writer.commit()
        self.index.reload()

    def add(self, records: list[Record]) -> None:
        """Adds records and commits each."""
        for key, _, text in records:
            self.writer.add_document(self.tantivy.Document(key=key, text=text))
            self.writer.commit()
            self.index.reload()

    def search(self, question: str) -> list[str]:
        """Returns keys."""
        searcher = self.index.searcher()
        query = self.index.parse_query(" OR ".join(words_of(question)), ["text"])
        return [searcher.doc(place)["key"][0] for _, place in searcher.search(query, 10).hits]


class BySimilarity(Ranked):
    """This package, in memory, by meaning alone."""

    mode = "semantic"

    def build(self) -> None:
        """Makes all vectors."""
        self.memory.embed()
        self.memory.hits("warm", 1, mode=self.mode)

    def add(self, records: list[Record]) -> None:
        """Has records embedded; writing them is no part of it."""
        for record in records:
            self._put(record)
        started = process_time()
        self.memory.embed()
        self.spent = process_time() - started


class Hybrid(BySimilarity):
    """This package, in memory, by words and by meaning."""

    mode = "hybrid"


class OnServer:
    """This package with ``server_search``: Redis with RediSearch answers. Times of this process and of the server."""

    mode = "ranked"

    def __init__(self, records: list[Record]) -> None:
        sys.path.append(str(Path(__file__).parent.parent / "tests"))
        from real_servers import Server, modules, redis_8

        from tta_memory_nb import MemoryPrimitive

        self.server = Server(redis_8(), *modules())
        url = self.server.url
        self.memory = MemoryPrimitive(url, server_search="redisearch", timeout=600).sync
        self.plain = MemoryPrimitive(url, timeout=600).sync
        self.plain.add_many(self._values(records))
        self.records = len(records)
        self.before = self._used()

    def _values(self, records: list[Record]) -> dict[str, dict[str, str]]:
        return {key: {"sender": sender, "text": text} for key, sender, text in records}

    def _used(self) -> float:
        with self.server.client() as client:
            return float(client.info("memory")["used_memory"])

    @property
    def bytes(self) -> float:
        """What the index takes on the server for a record."""
        return (self._used() - self.before) / self.records

    def build(self) -> None:
        """Indexes all records, which a client without the option has written."""
        self.memory.build_index()

    def add(self, records: list[Record]) -> None:
        """Writes records one by one and indexes them together, as the next search does."""
        started = perf_counter()
        for key, value in self._values(records).items():
            self.memory.add(key, value)
        self.memory.build_index()
        self.spent = perf_counter() - started

    def search(self, question: str) -> list[str]:
        """Returns keys."""
        return [hit.entry.key for hit in self.memory.hits(question, 10, mode=self.mode)]


class OnServerBySimilarity(OnServer):
    """The same, by vectors of WordLlama that the server compares one by one (FLAT)."""

    mode = "semantic"

    def build(self) -> None:
        """Indexes all records, and makes their vectors."""
        self.memory.embed()

    def add(self, records: list[Record]) -> None:
        """Writes records one by one, and indexes and embeds them together."""
        started = perf_counter()
        for key, value in self._values(records).items():
            self.memory.add(key, value)
        self.memory.embed()
        self.spent = perf_counter() - started


class LangGraph:
    """LangGraph's store in memory, with the same vectors of WordLlama."""

    def __init__(self, records: list[Record]) -> None:
        from langgraph.store.memory import InMemoryStore

        from tta_memory_nb.embedders.base import open_embedder

        embedder = open_embedder("wordllama")
        self.records = records
        self.store = InMemoryStore(
            index={
                "dims": embedder.dim,
                "embed": lambda texts: embedder.embed(texts).tolist(),
                "fields": ["text"],
            }
        )

    def build(self) -> None:
        """Puts all records, one by one: a batch with equal texts fails."""
        self.add(self.records)

    def add(self, records: list[Record]) -> None:
        """Puts records one by one."""
        for key, sender, text in records:
            self.store.put(("all",), key, {"sender": sender, "text": text})

    def search(self, question: str) -> list[str]:
        """Returns keys."""
        return [item.key for item in self.store.search(("all",), query=question, limit=10)]


PEERS: dict[str, Callable[[list[Record]], Any]] = {
    "ranked": Ranked,
    "hybrid": Hybrid,
    "fts5": Fts5,
    "bm25s": Bm25s,
    "tantivy": Tantivy,
    "server": OnServer,
    "semantic": BySimilarity,
    "server-sem": OnServerBySimilarity,
    "langgraph": LangGraph,
}


def measure(name: str, size: int) -> dict[str, Any]:
    """Measures one peer in this process."""
    records = list(utterances())
    extra, records = records[-ADDED:], records[: min(size, len(records) - ADDED)]
    asked = questions(records)
    peer = PEERS[name](records)
    before = resident() or 0.0
    started = perf_counter()
    peer.build()
    load = perf_counter() - started
    grown = getattr(peer, "bytes", ((resident() or 0.0) - before) / len(records))
    if load > _SLOW:
        asked = asked[:_FEW]
    for question in asked:
        peer.search(question)
    walls, cpus = [], []
    for question in asked:
        wall, cpu = perf_counter(), process_time()
        peer.search(question)
        cpus.append(process_time() - cpu)
        walls.append(perf_counter() - wall)
    add = None
    if peer.add is not None:
        many = 5 if name == "tantivy" else ADDED
        started = process_time()
        peer.add(extra[:many])
        add = getattr(peer, "spent", process_time() - started) / many * 1e6
    result: dict[str, Any] = {"load": load, "add": add, "bytes": grown}
    for kind, times in (("wall", sorted(walls)), ("cpu", sorted(cpus))):
        result[kind] = times[len(times) // 2] * 1000, times[len(times) * 95 // 100] * 1000
    return result


def main() -> None:
    """Prints a table; each line is measured in a process of its own."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=[6000, 100_000, 258_145])
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=list(PEERS))
    parser.add_argument("--one", nargs=2, metavar=("PEER", "SIZE"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(measure(given.one[0], int(given.one[1]))))
        return
    print("records  peer       load s  add us   p50/p95 ms     p50/p95 ms cpu  bytes")
    for size in given.sizes:
        for name in given.peers:
            done = subprocess.run(
                [sys.executable, __file__, "--one", name, str(size)],
                check=False,
                capture_output=True,
                text=True,
            )
            if done.returncode:
                print(f"{size:<8} {name:<10} {done.stderr.strip().splitlines()[-1]}")
                continue
            found = json.loads(done.stdout)
            add = "-" if found["add"] is None else f"{found['add']:.0f}"
            print(
                f"{size:<8} {name:<10} {found['load']:>6.1f} {add:>7} "
                f"{found['wall'][0]:>6.2f}/{found['wall'][1]:<6.2f} "
                f"{found['cpu'][0]:>8.2f}/{found['cpu'][1]:<6.2f} {found['bytes']:>6.0f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
