"""What a memory costs whose server answers searches by RediSearch, beside one that is copied into the process.

    python benchmarks/redisearch.py [--size 100000]

The records and questions are those of `find.py`. The server is Redis 8 with RediSearch, started from PyPI wheels. One
namespace has no index, as of `MemoryPrimitive(url)`; the other one has one, of ``server_search="redisearch"``.

    bytes     of the server's memory a record, also with vectors of WordLlama
    writes    microseconds of a record, of the processor: by the server, and by this process
    searches  milliseconds for 10 records, medians: of the server's processor, of this process's, and on the clock. "hit" is
              an exact search for a word of many records, "miss" one for a text that no record contains
    overlap   which share of the best one, and of the best ten, is the same as with the ranking in this process; also
              where no records around and no sessions count
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from statistics import fmean, median
from time import perf_counter, process_time
from typing import Any, NamedTuple

from find import corpus, questions
from report import heading, log_progress, shown, surroundings, table

from tta_memory_nb import MemoryPrimitive, SearchWeights

sys.path.append(str(Path(__file__).parent.parent / "tests"))
from real_servers import Server, modules, redis_8

BATCH = 10_000
SINGLE = 500
ASKED = 100
EXACT = 5
DEPTH = 10
# The server says how long its processor has worked in steps of some milliseconds, so searches are counted together.
ROUNDS = 2


class Spent(NamedTuple):
    """Seconds of the server's processor, of this process's, and on the clock."""

    server: float
    client: float
    wall: float


class Bench:
    """A server, and what it has spent."""

    def __init__(self) -> None:
        self.server = Server(redis_8(), *modules())
        self._client = self.server.client()

    def open(self, namespace: str, **options: Any) -> Any:
        """Opens a memory on the server."""
        return MemoryPrimitive(self.server.url, namespace=namespace, timeout=600, **options).sync

    def used(self) -> int:
        """Returns the bytes of the server's memory."""
        return int(self._client.info("memory")["used_memory"])

    def _worked(self) -> float:
        cpu = self._client.info("cpu")
        return float(cpu["used_cpu_user"]) + float(cpu["used_cpu_sys"])

    def spent(self, work: Callable[[], object]) -> Spent:
        """Returns what a call costs."""
        server, client, wall = self._worked(), process_time(), perf_counter()
        work()
        client, wall = process_time() - client, perf_counter() - wall
        return Spent(self._worked() - server, client, wall)

    def searches(self, search: Callable[[str], object], asked: Sequence[str]) -> list[str]:
        """Returns the milliseconds of one search as text: the server's mean, and medians of the others."""
        for text in asked:
            search(text)
        clients, walls = [float("inf")] * len(asked), [float("inf")] * len(asked)

        def run() -> None:
            for place, text in enumerate(asked):
                client, wall = process_time(), perf_counter()
                search(text)
                clients[place] = min(clients[place], process_time() - client)
                walls[place] = min(walls[place], perf_counter() - wall)

        server = min(self.spent(run).server for _ in range(ROUNDS)) / len(asked)
        return [shown(each * 1e3) for each in (server, median(clients), median(walls))]


def batches(values: dict[str, Any]) -> Iterable[dict[str, Any]]:
    """Yields parts of the records."""
    keys = list(values)
    for start in range(0, len(keys), BATCH):
        yield {key: values[key] for key in keys[start : start + BATCH]}


def written(bench: Bench, memory: Any, values: dict[str, Any]) -> list[Spent]:
    """Writes all records, the last ones one by one, and returns what one of each kind costs."""
    keys = list(values)
    many = {key: values[key] for key in keys[:-SINGLE]}
    found = []
    for count, work in (
        (len(many), lambda: [memory.add_many(part) for part in batches(many)]),
        (SINGLE, lambda: [memory.add(key, values[key]) for key in keys[-SINGLE:]]),
    ):
        found.append(Spent(*(each / count for each in bench.spent(work))))
    return found


def micros(spent: float, count: int = 1) -> str:
    """Returns microseconds as text."""
    return shown(spent / count * 1e6)


def overlap(memory: Any, other: Any, asked: Sequence[str], depth: int) -> str:
    """Returns which share of the best of one memory are the best of another one, as text."""
    shares = []
    for question in asked:
        wanted, found = (
            {hit.entry.key for hit in each.hits(question, depth, mode="ranked")}
            for each in (memory, other)
        )
        shares.append(len(wanted & found) / max(1, len(wanted)))
    return shown(fmean(shares))


def main() -> None:
    """Prints two tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", type=int, default=100_000)
    size = parser.parse_args().size
    records, _ = corpus(size)
    values = {key: {"sender": sender, "text": text} for key, sender, text in records}
    asked = questions(records)[:ASKED]
    bench = Bench()

    before = bench.used()
    plain = bench.open("plain")
    plain_many, plain_one = written(bench, plain, values)
    plain_bytes = (bench.used() - before) / size
    log_progress("written without an index")

    before = bench.used()
    memory = bench.open("indexed", server_search="redisearch")
    memory.add("first", {"text": "word"})
    memory.build_index()  # so that there is an index when records are written
    many, one = written(bench, memory, values)
    indexing = bench.spent(memory.build_index)
    indexed_bytes = (bench.used() - before) / size
    log_progress("indexed")

    def of(memory: Any, mode: str, **filters: Any) -> Callable[[str], list[Any]]:
        return lambda text: memory.hits(text, DEPTH, mode=mode, **filters)

    plain.build_index()
    alone = bench.open(
        "indexed", server_search="redisearch", weights=SearchWeights(next=0, second=0, third=0)
    )
    user = records[size // 2][0].partition(":")[0]
    hits, misses = ["that", "really", "people"], [f"zq{number}xw" for number in range(EXACT)]
    rows = []
    for name, theirs, search in (
        ("ranked", asked, of(memory, "ranked")),
        ("ranked, without the records around", asked, of(alone, "ranked")),
        ("ranked, of one user", asked, of(memory, "ranked", user=user)),
        ("keyword, hit", hits, of(memory, "keyword")),
        ("keyword, miss", misses, of(memory, "keyword")),
        ("keyword, miss, of one user", misses, of(memory, "keyword", user=user)),
        ("ranked, without an index", asked, of(plain, "ranked")),
        ("keyword, hit, without an index", hits, of(plain, "keyword")),
        ("keyword, miss, without an index", misses, of(plain, "keyword")),
    ):
        rows.append([name, *bench.searches(search, theirs)])
        log_progress(f"searched: {name}")
    bare = SearchWeights(next=0, second=0, third=0, session=0)
    bare_pair = [
        bench.open("plain", weights=bare),
        bench.open("indexed", server_search="redisearch", weights=bare),
    ]

    embedding = bench.spent(memory.embed)
    vector_bytes = (bench.used() - before) / size
    rows.append(["hybrid", *bench.searches(of(memory, "hybrid"), asked)])

    print(heading(surroundings()))
    costs = [
        ["bytes a record", shown(plain_bytes), shown(indexed_bytes)],
        ["bytes a record, with vectors", "-", shown(vector_bytes)],
        ["add, µs of the server", micros(plain_one.server), micros(one.server)],
        ["add, µs of this process", micros(plain_one.client), micros(one.client)],
        ["add_many, µs of the server", micros(plain_many.server), micros(many.server)],
        ["add_many, µs of this process", micros(plain_many.client), micros(many.client)],
        ["indexing, µs of the server", "-", micros(indexing.server, size)],
        ["indexing, µs of this process", "-", micros(indexing.client, size)],
        ["vectors, µs of the server", "-", micros(embedding.server, size)],
        ["vectors, µs of this process", "-", micros(embedding.client, size)],
        ["overlap@1", "-", overlap(plain, memory, asked, 1)],
        ["overlap@10", "-", overlap(plain, memory, asked, DEPTH)],
        ["overlap@10, words and people alone", "-", overlap(*bare_pair, asked, DEPTH)],
    ]
    print("", table([f"{size:,} records", "no index", "indexed"], costs), sep="\n")
    print("", table(["search, ms", "server", "process", "clock"], rows), sep="\n")


if __name__ == "__main__":
    main()
