"""The cost of a memory in a file, beside SQLite itself and other stores that keep their records by it.

    python benchmarks/file.py [--quick]

Values are the conversations of the other benchmarks, of about 534 bytes. Everything is on the disk that holds the
temporary files. Candidates alternate in batches of calls, and a figure is the median over the calls.

    single   awaited and called `add` beside a bare INSERT of the same JSON in a transaction of its own, with
             ``synchronous = FULL`` and with ``NORMAL``; `get` beside a memory in this process and a bare SELECT
    peers    one record added and read by each of the others, with FULL where they allow it: sqlitedict does not
             wait for the disk at all. OpenAI's SQLiteSession adds a message and reads the last one of its session
    bulk     `add_many` beside executemany in one transaction, which is given records, and has json.dumps make the
             text of each; and beside one that is given the texts
    open     a file with 100,000 records, up to the first `get`, beside a SELECT of all and json.loads of each; the
             file is in the cache of the system, so the time of the processor is the one that other work does not lengthen
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import shutil
import sqlite3
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing, suppress
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any

from corpus import Json, Record, Zipf
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

OURS = "tta_memory_nb"
BARE = "bare SQLite"
IN_MEMORY = "in memory"
BATCH = 50
LEVELS = {"disk": "FULL", "memory": "NORMAL"}

Called = Callable[[int], Any]
Awaited = Callable[[int], Awaitable[Any]]


def records(count: int) -> list[Record]:
    """Returns generated conversations."""
    return [record for chunk in Zipf(count).chunks() for record in chunk][:count]


def bare(path: Path, level: str) -> sqlite3.Connection:
    """Returns a connection to a new table of keys and texts."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(f"PRAGMA synchronous = {level}")
    connection.execute("CREATE TABLE records (key TEXT PRIMARY KEY, value TEXT)")
    return connection


async def in_batches(works: dict[str, Called | Awaited], count: int) -> dict[str, float]:
    """Returns the median seconds of a call of each work; the works alternate in batches.

    The median is that over the calls: a batch in which SQLite moves its log into the file, or the disk is busy with
    other things, would be longer as a whole.
    """
    found: dict[str, list[float]] = {name: [] for name in works}
    names = list(works)
    for start in range(0, count, BATCH):
        for name in names:
            work, times = works[name], found[name]
            is_awaited = asyncio.iscoroutinefunction(work)
            for number in range(start, start + BATCH):
                started = perf_counter()
                if is_awaited:
                    await work(number)
                else:
                    work(number)
                times.append(perf_counter() - started)
        names.reverse()
    return {name: median(seconds) for name, seconds in found.items()}


# ---------------------------------------------------------------- single records


def single(folder: Path, made: Sequence[Record]) -> Json:
    """Measures one record at a time, with both durabilities."""
    figures: Json = {}
    local = MemoryPrimitive(max_size=len(made))
    local.sync.add_many(made)
    keys = [key for key, _ in made]
    for durability, level in LEVELS.items():
        connection = bare(folder / f"bare-{level}.db", level)
        memory = MemoryPrimitive(f"file:{folder / f'ours-{level}.db'}", durability=durability)

        def insert(number: int, to: sqlite3.Connection = connection) -> None:
            key, value = made[number]
            to.execute("INSERT INTO records VALUES (?, ?)", (key, json.dumps(value)))

        def select(number: int, of: sqlite3.Connection = connection) -> Any:
            row = of.execute("SELECT value FROM records WHERE key = ?", (keys[number],)).fetchone()
            return json.loads(row[0])

        async def add(number: int, to: MemoryPrimitive = memory) -> None:
            await to.add(*made[number])

        def add_called(number: int, to: MemoryPrimitive = memory) -> None:
            key, value = made[number]
            to.sync.add(f"called:{key}", value)

        async def get(number: int, of: MemoryPrimitive = memory) -> Any:
            return await of.get(keys[number])

        async def get_local(number: int) -> Any:
            return await local.get(keys[number])

        figures[level] = {
            "add": asyncio.run(
                in_batches({BARE: insert, OURS: add, f"{OURS}, called": add_called}, len(made))
            ),
            "get": asyncio.run(
                in_batches({BARE: select, OURS: get, IN_MEMORY: get_local}, len(made))
            ),
        }
        connection.close()
        memory.sync.close()
    return figures


# ---------------------------------------------------------------- peers


def peers(folder: Path, made: Sequence[Record]) -> Json:
    """Measures adding and reading one record by each peer that is installed."""
    keys = [key for key, _ in made]
    works: dict[str, tuple[Called | Awaited, Called | Awaited]] = {}
    closers: list[Callable[[], Any]] = []
    memory = MemoryPrimitive(f"file:{folder / 'peer-ours.db'}")
    closers.append(memory.sync.close)

    async def add(number: int) -> None:
        await memory.add(*made[number])

    async def get(number: int) -> Any:
        return await memory.get(keys[number])

    works[OURS] = (add, get)
    with suppress(ImportError):
        from sqlitedict import SqliteDict

        theirs = SqliteDict(
            str(folder / "sqlitedict.db"),
            autocommit=True,
            journal_mode="WAL",
            encode=json.dumps,
            decode=json.loads,
        )
        closers.append(theirs.close)
        works["sqlitedict"] = (
            lambda n: theirs.__setitem__(*made[n]),
            lambda n: theirs[keys[n]],
        )
    with suppress(ImportError):
        from diskcache import Cache, JSONDisk

        cache = Cache(str(folder / "diskcache"), disk=JSONDisk, sqlite_synchronous=2)
        closers.append(cache.close)
        works["diskcache"] = (lambda n: cache.set(*made[n]), lambda n: cache[keys[n]])
    with suppress(ImportError):
        from langgraph.store.sqlite import SqliteStore

        connection = sqlite3.connect(
            folder / "langgraph.db", isolation_level=None, check_same_thread=False
        )
        graph = SqliteStore(connection)
        graph.setup()
        connection.execute("PRAGMA synchronous = FULL")
        closers.append(connection.close)
        works["langgraph SqliteStore"] = (
            lambda n: graph.put(("bench",), *made[n]),
            lambda n: graph.get(("bench",), keys[n]),
        )
    with suppress(ImportError):
        from agents import SQLiteSession

        session = SQLiteSession("bench", folder / "session.db")
        closers.append(session.close)

        async def add_item(number: int) -> None:
            await session.add_items([{"role": "user", "content": json.dumps(made[number][1])}])

        async def get_item(_: int) -> Any:
            return await session.get_items(limit=1)

        works["openai SQLiteSession"] = (add_item, get_item)
    figures = {
        "add": asyncio.run(
            in_batches({name: work for name, (work, _) in works.items()}, len(made))
        ),
        "get": asyncio.run(
            in_batches({name: work for name, (_, work) in works.items()}, len(made))
        ),
    }
    for close in closers:
        close()
    return figures


# ---------------------------------------------------------------- many records


def bulk(folder: Path, made: Sequence[Record], rounds: int = 5) -> Json:
    """Measures all records in one call."""
    texts = [(key, json.dumps(value)) for key, value in made]

    def execute(path: Path, rows: Callable[[], Any]) -> None:
        with closing(bare(path, "FULL")) as connection:
            connection.execute("BEGIN")
            connection.executemany("INSERT INTO records VALUES (?, ?)", rows())
            connection.execute("COMMIT")

    found: dict[str, list[float]] = {"executemany": [], "executemany of texts": [], "add_many": []}
    for turn in range(rounds):
        memory = MemoryPrimitive(f"file:{folder / f'bulk-{turn}.db'}")
        works = {
            "executemany": partial(
                execute,
                folder / f"bulk-bare-{turn}.db",
                lambda: ((key, json.dumps(value)) for key, value in made),
            ),
            "executemany of texts": partial(
                execute, folder / f"bulk-texts-{turn}.db", lambda: texts
            ),
            "add_many": partial(memory.sync.add_many, made),
        }
        for name, work in works.items():
            found[name].append(timed(work)[0])
        memory.sync.close()
    return {name: median(seconds) for name, seconds in found.items()}


def opening(folder: Path, made: Sequence[Record], rounds: int = 5) -> Json:
    """Measures the opening of a file with many records."""
    path = folder / "opened.db"
    memory = MemoryPrimitive(f"file:{path}", durability="memory")
    memory.sync.add_many(made)
    memory.sync.close()
    with closing(bare(folder / "opened-bare.db", "NORMAL")) as connection:
        connection.execute("BEGIN")
        connection.executemany(
            "INSERT INTO records VALUES (?, ?)", ((k, json.dumps(v)) for k, v in made)
        )
        connection.execute("COMMIT")

    def ours() -> None:
        memory = MemoryPrimitive(f"file:{path}", durability="memory")
        assert memory.sync.get(made[0][0]) is not None
        memory.sync.close()

    def theirs() -> None:
        with closing(sqlite3.connect(folder / "opened-bare.db")) as connection:
            rows = connection.execute("SELECT key, value FROM records")
            assert len({key: json.loads(value) for key, value in rows}) == len(made)

    del memory
    gc.collect()
    gc.freeze()  # what the making of the records has left
    found: dict[str, list[float]] = {}
    for _ in range(rounds):
        for name, work in ((OURS, ours), (BARE, theirs)):
            before = process_time()
            found.setdefault(name, []).append(timed(work)[0])
            found.setdefault(f"{name}, processor", []).append(process_time() - before)
    return {name: median(seconds) for name, seconds in found.items()}


# ---------------------------------------------------------------- the whole


def goals(figures: Json) -> list[Goal]:
    """Returns the goals and what was measured."""
    single, bulk = figures["single"], figures["bulk"]
    found = [
        Goal(
            f"awaited add, synchronous = {level}, over a bare INSERT",
            ratio(of["add"][OURS], of["add"][BARE]),
            1.5,
        )
        for level, of in single.items()
    ]
    found.append(
        Goal(
            "get, over a memory in this process",
            ratio(single["FULL"]["get"][OURS], single["FULL"]["get"][IN_MEMORY]),
            3,
        )
    )
    found.append(
        Goal(
            "add_many, rate over that of executemany",
            ratio(bulk["executemany"], bulk["add_many"]),
            0.6,
            at_least=True,
        )
    )
    return [
        *found,
        Goal(
            "100,000 records opened, processor time",
            figures["open"][f"{OURS}, processor"],
            1,
            unit=" s",
        ),
    ]


def tables(figures: Json) -> str:
    """Returns all figures as text."""
    micro = 1e6
    parts = []
    for level, of in figures["single"].items():
        for verb, times in of.items():
            rows = [
                [name, shown(seconds * micro, " µs"), shown(ratio(seconds, times[BARE]), "x")]
                for name, seconds in times.items()
            ]
            parts.append(table([f"{verb}, synchronous = {level}", "a call", BARE], rows))
    times = figures["peers"]
    rows = [
        [
            name,
            shown(times["add"][name] * micro, " µs"),
            shown(times["get"][name] * micro, " µs"),
            shown(ratio(times["add"][name], times["add"][OURS]), "x"),
            shown(ratio(times["get"][name], times["get"][OURS]), "x"),
        ]
        for name in times["add"]
    ]
    parts.append(table(["beside others", "add", "get", "add / ours", "get / ours"], rows))
    for name in ("bulk", "open"):
        rows = [[what, shown(seconds, " s")] for what, seconds in figures[name].items()]
        parts.append(table([name, "in all"], rows))
    return "\n\n".join(parts)


def main() -> None:
    """Measures, prints the tables, and writes the results."""
    parser = argparse.ArgumentParser(description="A memory in a file, beside its peers.")
    parser.add_argument("--quick", action="store_true", help="fewer records, in seconds")
    quick = parser.parse_args().quick
    count, many, most = (200, 2_000, 10_000) if quick else (1_500, 20_000, 100_000)
    for peer in ("sqlitedict", "diskcache", "langgraph.store.sqlite", "agents"):
        with suppress(ModuleNotFoundError):
            if find_spec(peer):
                continue
        log_progress(f"{peer} is not installed, and is left out")
    folder = Path(tempfile.mkdtemp(prefix="tta-memory-bench-"))
    figures: Json = {}
    sections = {
        "single": (single, count),
        "peers": (peers, count),
        "bulk": (bulk, many),
        "open": (opening, most),
    }
    try:
        for name, (section, size) in sections.items():
            seconds, figures[name] = timed(partial(section, folder, records(size)))
            log_progress(f"{name}, {size:,}: {seconds:.0f} s")
    finally:
        shutil.rmtree(folder)
    around = surroundings()
    found = goals(figures)
    print(heading(around), tables(figures), goals_table(found), sep="\n\n")
    if not quick:
        report = {**around, "figures": figures, "goals": [goal.json() for goal in found]}
        write(RESULTS / "file.json", report)


if __name__ == "__main__":
    main()
