"""The cost of a memory on a server, beside redis-py and LangGraph's store on the same server.

    python benchmarks/server.py [--quick]

The server is Redis 8 with RediSearch and ReJSON, which LangGraph's store needs, started from PyPI wheels.

    single   `add` and `get` beside a bare SET and GET of the same bytes, awaited and called. They
             alternate in batches of calls; the figure is the median over the batches
    history  `add` to a namespace that keeps its changes, beside one that keeps none: new keys, and keys that are
             overwritten, called one by one, and by 16 tasks at a time; batches alternate
    bulk     `add_many`, and `import_` of the real conversations, beside a bare pipeline of HSETs
    search   every class of `benchmarks/search.py`: the median call, and the same minus one round trip
             (a PING, alternating with it); rare and miss beside SCAN + MGET, the way to search without an
             index; the first search of a new process; bytes on the server
    others   `add`, `get` and `search` beside langgraph-checkpoint-redis
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import redis
import redis.asyncio
from corpus import Json, Zipf, digest, has_chitchat, packed, prepare
from measuring import timed
from report import (
    RESULTS,
    Goal,
    goals_table,
    heading,
    log_progress,
    ratio,
    shown,
    surroundings,
    table,
    write,
)

from tta_memory_nb import MemoryPrimitive

sys.path.append(str(Path(__file__).parent.parent / "tests"))
from real_servers import Server, modules, redis_8

BATCH = 100
SINGLE = 4000
SIZE = 100_000
QUICK = 2000


def in_batches(works: dict[str, Callable[[int], Any]], count: int) -> dict[str, float]:
    """Returns the median seconds of a call of each work; the works alternate in batches."""
    found: dict[str, list[float]] = {name: [] for name in works}
    for start in range(0, count, BATCH):
        for name, work in works.items():
            started = perf_counter()
            for number in range(start, start + BATCH):
                work(number)
            found[name].append((perf_counter() - started) / BATCH)
    return {name: median(seconds) for name, seconds in found.items()}


async def in_awaited_batches(
    works: dict[str, Callable[[int], Awaitable[Any]]], count: int
) -> dict[str, float]:
    """Measures awaited calls like `in_batches`."""
    found: dict[str, list[float]] = {name: [] for name in works}
    for start in range(0, count, BATCH):
        for name, work in works.items():
            started = perf_counter()
            for number in range(start, start + BATCH):
                await work(number)
            found[name].append((perf_counter() - started) / BATCH)
    return {name: median(seconds) for name, seconds in found.items()}


def single(url: str, values: Sequence[Json], count: int) -> Json:
    """Measures calls for single records."""
    texts = [packed(value) for value in values]
    client = redis.Redis.from_url(url)
    memory = MemoryPrimitive(url, namespace="single")
    sync = memory.sync
    called = in_batches(
        {
            "SET": lambda n: client.set(f"bare:{n}", texts[n]),
            "add": lambda n: sync.add(f"user:{n}", values[n]),
            "GET": lambda n: client.get(f"bare:{n}"),
            "get": lambda n: sync.get(f"user:{n}"),
        },
        count,
    )

    async def awaited() -> dict[str, float]:
        async with redis.asyncio.Redis.from_url(url) as other, memory:
            return await in_awaited_batches(
                {
                    "SET": lambda n: other.set(f"bare:{n}", texts[n]),
                    "add": lambda n: memory.add(f"user:{n}", values[n]),
                    "GET": lambda n: other.get(f"bare:{n}"),
                    "get": lambda n: memory.get(f"user:{n}"),
                },
                count,
            )

    found = {"called": called, "awaited": asyncio.run(awaited())}
    client.close()
    return found


def keeping(url: str, values: Sequence[Json], count: int) -> Json:
    """Measures the share by which a write takes longer where the server keeps the changes."""
    kept = {
        name: MemoryPrimitive(url, namespace=name, history=history)
        for name, history in (("none", None), ("kept", 1_000))
    }
    found: Json = {}
    for verb, keys in (("add", count), ("overwrite", count // 40)):
        works = {
            name: lambda n, memory=memory, keys=keys, verb=verb: memory.sync.add(
                f"{verb}:{n % keys}", values[n]
            )
            for name, memory in kept.items()
        }
        times = in_batches(works, count)
        found[f"{verb}, called"] = times["kept"] / times["none"] - 1
        found[f"{verb}, 16 tasks"] = asyncio.run(_by_tasks(kept, values, count, keys, verb))
    for memory in kept.values():
        memory.sync.clear()
        memory.sync.close()
    return found


async def _by_tasks(
    memories: dict[str, MemoryPrimitive], values: Sequence[Json], count: int, keys: int, verb: str
) -> float:
    times: dict[str, list[float]] = {name: [] for name in memories}
    for start in range(0, count, BATCH):
        for name, memory in memories.items():
            todo = iter(range(start, start + BATCH))

            async def work(todo: Any = todo, memory: MemoryPrimitive = memory) -> None:
                for n in todo:
                    await memory.add(f"tasks:{verb}:{n % keys}", values[n])

            started = perf_counter()
            await asyncio.gather(*(work() for _ in range(16)))
            times[name].append(perf_counter() - started)
    for memory in memories.values():
        await memory.aclose()
    return median(times["kept"]) / median(times["none"]) - 1


def bulk(url: str, records: Sequence[tuple[str, Json]], real: bool) -> Json:
    """Measures calls for many records."""
    client = redis.Redis.from_url(url)
    texts = [(key.encode(), packed(value)) for key, value in records]

    def bare(pairs: Sequence[tuple[bytes, bytes]]) -> None:
        for start in range(0, len(pairs), 500):
            pipeline = client.pipeline(transaction=False)
            for key, text in pairs[start : start + 500]:
                pipeline.hset("bare", key, text)
            pipeline.execute()

    found: Json = {}
    rounds: list[tuple[float, float]] = []
    for _ in range(3):
        client.flushall()
        memory = MemoryPrimitive(url, namespace="bulk")
        theirs, _ = timed(lambda: bare(texts))
        ours, _ = timed(partial(memory.sync.add_many, records))
        rounds.append((theirs, ours))
    found["HSET, piped"] = median(theirs for theirs, _ in rounds)
    found["add_many"] = median(ours for _, ours in rounds)
    if real:
        from tta_memory_nb.transfer.datasets import DATASETS

        def read() -> list[tuple[bytes, bytes]]:
            items = DATASETS["chitchat"]().items
            return [(record.key.encode(), packed(record.value)) for _, record in items]

        found["reading the conversations"], pairs = timed(read)
        client.flushall()
        found["conversations"] = len(pairs)
        found["HSET, piped, of conversations"], _ = timed(lambda: bare(pairs))
        memory = MemoryPrimitive(url, namespace="real")
        found["import_"], _ = timed(lambda: memory.sync.import_("chitchat"))
    client.flushall()
    client.close()
    return found


def scan_and_compare(client: redis.Redis, needle: str, limit: int) -> list[bytes]:
    """Searches without an index: fetches and compares every value."""
    found: list[bytes] = []
    cursor = 0
    while True:
        cursor, keys = client.scan(cursor, "bare:*", 1000)
        found += [text for text in client.mget(keys) if needle in text.decode().casefold()]
        if not cursor:
            return found[:limit]


def search(url: str, corpus: Zipf, records: Sequence[tuple[str, Json]]) -> Json:
    """Measures every class of queries."""
    client = redis.Redis.from_url(url)
    client.flushall()
    MemoryPrimitive(url, namespace="search").sync.add_many(records)
    used = client.info("memory")["used_memory"]
    client.flushall()
    empty = client.info("memory")["used_memory"]
    MemoryPrimitive(url, namespace="search").sync.add_many(records)
    pipeline = client.pipeline(transaction=False)
    values = sum(len(packed(value)) for _, value in records)
    for number, (_, value) in enumerate(records):
        pipeline.set(f"bare:{number}", packed(value))
    pipeline.execute()
    memory = MemoryPrimitive(url, namespace="search").sync
    questions = prepare(corpus)
    first, _ = timed(lambda: memory.search(questions.queries["miss"][0]))
    whole, _ = timed(memory.build_index)
    found: Json = {
        "first search": first,
        "index": whole,
        "bytes on the server over values": (used - empty) / values,
        "classes": {},
    }
    for kind, queries in questions.queries.items():
        times, pings = [], []
        for query, right in zip(queries, questions.answers[kind][0], strict=True):
            if digest(memory.search(query)) != right:
                raise AssertionError(f"a wrong answer to {query!r}")
        for number in range(200):
            query = queries[number % len(queries)]
            started = perf_counter()
            client.ping()
            pings.append(perf_counter() - started)
            started = perf_counter()
            memory.search(query)
            times.append(perf_counter() - started)
        row = {"search": median(times), "ping": median(pings)}
        if kind in ("rare", "miss"):
            row["SCAN + MGET"], _ = timed(
                lambda query=queries[0]: scan_and_compare(client, query.casefold(), 5)
            )
        found["classes"][kind] = row
    client.flushall()
    client.close()
    return found


def others(url: str, values: Sequence[Json], count: int) -> Json:
    """Measures LangGraph's store on the same server."""
    from langgraph.store.redis import RedisStore

    memory = MemoryPrimitive(url, namespace="others").sync
    room = ("memories", "alice")  # no stop words of RediSearch, which it would not find
    with RedisStore.from_conn_string(url) as store:
        store.setup()
        found = in_batches(
            {
                "add, langgraph": lambda n: store.put(room, f"user:{n}", values[n]),
                "add": lambda n: memory.add(f"user:{n}", values[n]),
                "get, langgraph": lambda n: store.get(room, f"user:{n}"),
                "get": lambda n: memory.get(f"user:{n}"),
            },
            count,
        )
        # Without an embedder, the store has no text search and lists its records.
        for answer in (store.search(room, limit=5), memory.search("text", 5)):
            if len(answer) != 5:
                raise AssertionError(f"{len(answer)} records instead of 5")
        found |= in_batches(
            {
                "search, langgraph": lambda _: store.search(room, limit=5),
                "search": lambda _: memory.search("text", 5),
            },
            min(count, 500),
        )
    return found


def goals(found: dict[str, Json]) -> list[Goal]:
    """Returns the goals with the measured figures."""
    reached: list[Goal] = []
    for face in ("awaited", "called"):
        row = found["single"][face]
        reached += [
            Goal(f"{face}: add over SET", ratio(row["add"], row["SET"]), 1.6),
            Goal(f"{face}: get over GET", ratio(row["get"], row["GET"]), 1.6),
        ]
    reached += [
        Goal(f"history: {verb}", 100 * share, 20, unit=" %")
        for verb, share in found["history"].items()
    ]
    row = found["bulk"]
    reached.append(
        Goal(
            "add_many: rate over piped HSET",
            ratio(row["HSET, piped"], row["add_many"]),
            0.6,
            at_least=True,
        )
    )
    if "import_" in row:
        theirs = row["HSET, piped, of conversations"]
        whole = theirs + row["reading the conversations"]
        reached += [
            Goal("import over reading and piped HSET", ratio(row["import_"], whole), 2),
            Goal("import over piped HSET alone", ratio(row["import_"], theirs), 2),
        ]
    row = found["search"]
    for kind, each in row["classes"].items():
        reached.append(
            Goal(f"search less PING: {kind}", 1e3 * (each["search"] - each["ping"]), 1, unit=" ms")
        )
    for kind in ("rare", "miss"):
        each = row["classes"][kind]
        reached.append(
            Goal(
                f"SCAN + MGET over search: {kind}",
                ratio(each["SCAN + MGET"], each["search"]),
                200,
                at_least=True,
            )
        )
    reached.append(
        Goal("bytes on the server over values", row["bytes on the server over values"], 2.5)
    )
    for verb in ("add", "get", "search"):
        each = found["others"]
        reached.append(
            Goal(
                f"langgraph over ours: {verb}",
                ratio(each.get(f"{verb}, langgraph"), each.get(verb)),
                3,
                at_least=True,
            )
        )
    return reached


def tables(found: dict[str, Json]) -> str:
    """Returns all figures as text."""
    rows = [
        [face, *(shown(1e6 * row[name], " us") for name in ("SET", "add", "GET", "get"))]
        for face, row in found["single"].items()
    ]
    parts = [table(["single", "SET", "add", "GET", "get"], rows)]
    rows = [[verb, shown(100 * share, " %")] for verb, share in found["history"].items()]
    parts.append(table(["history", "longer by"], rows))
    rows = [
        [name, shown(value, " s" if isinstance(value, float) else "")]
        for name, value in found["bulk"].items()
    ]
    parts.append(table(["bulk", ""], rows))
    rows = [
        [
            kind,
            shown(1e6 * row["search"], " us"),
            shown(1e6 * row["ping"], " us"),
            shown(row.get("SCAN + MGET"), " s"),
        ]
        for kind, row in found["search"]["classes"].items()
    ]
    parts.append(table(["search", "ours", "PING", "SCAN + MGET"], rows))
    cold = found["search"]
    parts.append(
        f"first search of a process {shown(cold['first search'], ' s')}, the rest of its index "
        f"{shown(cold['index'], ' s')}"
    )
    rows = [[name, shown(1e6 * value, " us")] for name, value in found["others"].items()]
    parts.append(table(["others", ""], rows))
    return "\n\n".join(parts)


def main() -> None:
    """Measures, prints the figures and writes them to a file."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="few records, no files: a smoke test")
    parser.add_argument(
        "--output", type=Path, help="folder for the files; default: benchmarks/results"
    )
    options = parser.parse_args()
    size = QUICK if options.quick else SIZE
    around = surroundings()
    print(heading(around), end="\n\n", flush=True)
    corpus = Zipf(size)
    records = [record for chunk in corpus.chunks() for record in chunk]
    values = [value for _, value in records]
    gc.freeze()
    server = Server(redis_8(), *modules())
    count = min(SINGLE, size)
    found = {"single": single(server.url, values, count)}
    log_progress("single: done")
    found["history"] = keeping(server.url, values, count)
    log_progress("history: done")
    found["bulk"] = bulk(server.url, records, has_chitchat() and not options.quick)
    log_progress("bulk: done")
    found["search"] = search(server.url, corpus, records)
    log_progress("search: done")
    if find_spec("langgraph") and find_spec("langgraph.store.redis"):
        found["others"] = others(server.url, values, count // 2)
    else:
        log_progress("langgraph-checkpoint-redis is not here, so nothing is compared with it")
        found["others"] = {}
    print(tables(found), end="\n\n")
    reached = goals(found)
    print(goals_table(reached), flush=True)
    server.stop()
    folder = options.output or (None if options.quick else RESULTS)
    if folder is not None:
        report = {
            **around,
            "size": size,
            "at": time.strftime("%Y-%m-%d"),
            "goals": [goal.json() for goal in reached],
            "sections": found,
        }
        write(folder / "server.json", report)


if __name__ == "__main__":
    main()
