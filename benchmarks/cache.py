"""The cost of adding, getting and evicting, beside other in-memory stores.

    python benchmarks/cache.py [--quick]

Each section runs in a fresh process.

    dict work   the work of `add` and `get` under the lock, beside cachetools.LRUCache, which only stores
                the object it receives. Values are made beforehand.
    whole       `add` and `get` of values of about 534 bytes. This package copies a value on writing
                and on reading; the others store and return the caller's own object. LangGraph's
                InMemoryStore never evicts.
    await       the additional cost of `await memory.add(...)` over `memory.sync.add(...)`
    watch       the additional cost of the attribute `watch` while it is None, over the same calls without
                a look at it
    trace       the additional cost of a call to a memory with a trace that is on
    history     `add` to a memory that keeps its changes, over one that keeps none: new keys, and keys that
                have a record; processor time, the least of several rounds that alternate
    engines     encoding and decoding of JSON, the basis for the choice of the package's engine
    memory      100,000 records: the number of objects per record that the garbage collector visits, the
                time of a collection, and the memory of a record with key, value and index

Candidates of a comparison run in the same process and alternate in batches of calls. The clock is read once per
batch, and the figure is the median over the batches.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from random import Random
from statistics import median
from threading import RLock
from time import perf_counter, process_time
from typing import Any

from corpus import CHUNK, Json, Record, Zipf
from measuring import resident, timed
from peers import Ancestor
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

import tta_memory_nb
from tta_memory_nb import SyncMemory
from tta_memory_nb.entry import new_entry
from tta_memory_nb.memory.verbs.records import value_of
from tta_memory_nb.stores.base import NotNow
from tta_memory_nb.times import duration

BATCH = 1_000
OURS = "tta_memory_nb"
STORES = (OURS, "langgraph", "cachetools", "ancestor")


def records(count: int) -> list[Record]:
    """Returns generated conversations."""
    return [record for chunk in Zipf(count).chunks() for record in chunk]


Work = tuple[Callable[[Sequence[str]], Sequence[Any]], Callable[[Sequence[Any]], None]]
"""A function that makes the arguments for some keys, and one that makes the calls."""


def in_batches(keys: Sequence[str], works: Mapping[str, Work]) -> dict[str, float]:
    """Returns the median seconds per call of each work; the works alternate.

    The arguments are made right before the calls, as in real use: no program adds a record that it
    made 100,000 records ago.
    """
    times: dict[str, list[float]] = {name: [] for name in works}
    names = list(works)
    for start in range(0, len(keys), BATCH):
        for name in names:
            make, work = works[name]
            batch = make(again(keys[start : start + BATCH]))
            started = perf_counter()
            work(batch)
            times[name].append((perf_counter() - started) / len(batch))
        names.reverse()  # the order affects what is in the processor's caches
    return {name: median(seconds) for name, seconds in times.items()}


def again(keys: Iterable[str]) -> list[str]:
    """Returns equal texts as new objects, whose hashes are not yet computed, like keys from outside."""
    return [key[:1] + key[1:] for key in keys]


# ---------------------------------------------------------------- dict work


def dict_work(size: int) -> Json:
    """Measures an insert, a get and an evicting insert of this package and of cachetools.

    This package is thread-safe; cachetools is measured without a lock and with the lock that it needs.
    """
    from cachetools import LRUCache

    store = tta_memory_nb.InMemoryStore(max_size=size)
    cache: Any = LRUCache(size)
    shared: Any = LRUCache(size)
    lock = RLock()
    # The work of the public verbs, except the encoding of the value.
    write_one, read_one = store.contents.write, store.contents.read

    def write_ours(batch: Sequence[Any]) -> None:
        for entry in batch:
            write_one(entry)

    def write_theirs(batch: Sequence[Any]) -> None:
        for entry in batch:
            cache[entry.key] = entry

    def write_locked(batch: Sequence[Any]) -> None:
        for entry in batch:
            with lock:
                shared[entry.key] = entry

    def read_ours(batch: Sequence[Any]) -> None:
        for key in batch:
            read_one(key)

    def read_theirs(batch: Sequence[Any]) -> None:
        for key in batch:
            cache[key]

    def read_locked(batch: Sequence[Any]) -> None:
        for key in batch:
            with lock:
                shared[key]

    def entries(keys: Sequence[str]) -> list[Any]:
        return [new_entry(key, {"n": 1}, 0.0, None) for key in keys]

    writes: dict[str, Work] = {
        OURS: (entries, write_ours),
        "cachetools": (entries, write_theirs),
        "cachetools and lock": (entries, write_locked),
    }
    reads: dict[str, Work] = {
        OURS: (list, read_ours),
        "cachetools": (list, read_theirs),
        "cachetools and lock": (list, read_locked),
    }
    keys = [f"user{n % 997}:{n:x}" for n in range(2 * size)]
    gc.collect()
    figures = {"insert": in_batches(keys[:size], writes)}
    figures["get"] = in_batches(Random(1).sample(keys[:size], size), reads)
    figures["evict"] = in_batches(keys[size:], writes)
    assert store.size() == len(cache) == len(shared) == size
    return figures


# ---------------------------------------------------------------- whole verbs


def stores(max_size: int) -> dict[str, tuple[Callable[[str, Json], Any], Callable[[str], Any]]]:
    """Returns the functions that add to and get from each store."""
    from cachetools import LRUCache
    from langgraph.store.memory import InMemoryStore

    memory = tta_memory_nb.MemoryPrimitive(max_size=max_size).sync
    graph = InMemoryStore()
    cache: Any = LRUCache(max_size)
    ancestor = Ancestor(max_size)
    return {
        OURS: (memory.add, memory.get),
        "langgraph": (partial(graph.put, ("bench",)), partial(graph.get, ("bench",))),
        "cachetools": (cache.__setitem__, cache.__getitem__),
        "ancestor": (ancestor.add, ancestor.get),
    }


def whole(size: int) -> Json:
    """Measures a complete add, an evicting add and a get of each store."""
    made = records(2 * size)
    there = stores(size)

    def adding(add: Callable[[str, Json], Any]) -> Callable[[Sequence[Record]], None]:
        def work(batch: Sequence[Record]) -> None:
            for key, value in batch:
                add(key, value)

        return work

    def getting(get: Callable[[str], Any]) -> Callable[[Sequence[str]], None]:
        def work(batch: Sequence[str]) -> None:
            for key in batch:
                get(key)

        return work

    value_of = dict(made)

    def pairs(keys: Sequence[str]) -> list[Record]:
        return [(key, value_of[key]) for key in keys]

    adds: dict[str, Work] = {name: (pairs, adding(add)) for name, (add, _) in there.items()}
    gets: dict[str, Work] = {name: (list, getting(get)) for name, (_, get) in there.items()}
    keys = [key for key, _ in made]
    return {
        "add": in_batches(keys[:size], adds),
        "get": in_batches(Random(1).sample(keys[:size], size), gets),
        "evicting add": in_batches(keys[size:], adds),
    }


# ---------------------------------------------------------------- await


def awaiting(size: int) -> Json:
    """Measures the additional seconds of an awaited call over the same call without await.

    Uses a small value, so that the difference is visible.
    """
    memory = tta_memory_nb.MemoryPrimitive(max_size=size)
    value = {"n": 1}
    keys = [f"user{n % 997}:{n:x}" for n in range(size)]
    add, get = memory.sync.add, memory.sync.get
    batch = 100  # short, so that a disturbance mostly affects both of a pair

    differences: dict[str, list[float]] = {"add": [], "get": []}

    async def pairs(part: list[str]) -> None:
        times = [perf_counter()]
        for key in part:
            add(key, value)
        times.append(perf_counter())
        for key in part:
            await memory.add(key, value)
        times.append(perf_counter())
        for key in part:
            get(key)
        times.append(perf_counter())
        for key in part:
            await memory.get(key)
        times.append(perf_counter())
        differences["add"].append((times[2] - 2 * times[1] + times[0]) / len(part))
        differences["get"].append((times[4] - 2 * times[3] + times[2]) / len(part))

    async def all_pairs() -> None:
        for key in keys:  # so that no timed add is the first of its key
            add(key, value)
        for _ in range(3):
            for start in range(0, size, batch):
                await pairs(keys[start : start + batch])

    asyncio.run(all_pairs())
    return {verb: median(times) for verb, times in differences.items()}


# ---------------------------------------------------------------- telemetry that is off


class Unwatched(SyncMemory):
    """A memory whose `add` and `get` do not look at `watch`; otherwise they are the same."""

    def _is_added_at_once(self, key: str, value: Json, ttl: Any, sliding: bool) -> bool:
        verbs, write = self._verbs, self._write_now
        if write is not None and verbs.upkeep is None and not self._beside.tombstone_changes:
            try:
                seconds = None if ttl is None else duration(ttl)
                write(new_entry(key, value, verbs.clock(), seconds, sliding=sliding))
                return True
            except NotNow:
                return False
        return False

    def get(self, key: str, *, as_of: Any = None) -> Json | None:  # noqa: D102
        if as_of is not None:
            return self._get(key, as_of=as_of)
        read = self._read_now
        if read is not None:
            try:
                return value_of(read(key))
            except NotNow:
                pass
        return self._get(key)


def watching(size: int) -> Json:
    """Measures the additional seconds that a look at `watch` costs while it is None."""
    memory = tta_memory_nb.MemoryPrimitive(max_size=size).sync
    unwatched = Unwatched(memory._store, memory._verbs)  # noqa: SLF001
    return differences_of(unwatched, memory, memory, size)


def tracing(size: int) -> Json:
    """Measures the additional seconds of a call while a trace is on."""
    plain, traced = (tta_memory_nb.MemoryPrimitive(max_size=size) for _ in range(2))
    trace = traced.trace()
    for key in keys_of_users(size):
        plain.sync.add(key, {"n": 1})
    found = differences_of(plain.sync, traced.sync, traced.sync, size)
    assert trace.operations
    trace.stop()
    return found


def keys_of_users(count: int) -> list[str]:
    """Returns different keys."""
    return [f"user{n % 997}:{n:x}" for n in range(count)]


def differences_of(one: Any, other: Any, memory: Any, size: int) -> dict[str, float]:
    """Returns by how many seconds `add` and `get` take longer by the other object than by the one.

    Args:
        one: has the verbs.
        other: has them as well.
        memory: what has to be filled first.
        size: how many keys there are.
    """
    value = {"n": 1}
    keys = keys_of_users(size)
    for key in keys:  # so that no timed add is the first of its key
        memory.add(key, value)
    differences: dict[str, list[float]] = {"add": [], "get": []}
    batch = 100  # short, so that a disturbance mostly affects both of a pair

    def seconds(verb: Callable[..., Any], part: Sequence[str], *args: Any) -> float:
        started = perf_counter()
        for key in part:
            verb(key, *args)
        return perf_counter() - started

    for turn in range(6):
        for start in range(0, size, batch):
            part = keys[start : start + batch]
            for name, args in (("add", (value,)), ("get", ())):
                pair = [getattr(one, name), getattr(other, name)]
                if turn % 2:  # the order affects what is in the processor's caches
                    longer, shorter = (seconds(verb, part, *args) for verb in reversed(pair))
                else:
                    shorter, longer = (seconds(verb, part, *args) for verb in pair)
                differences[name].append((longer - shorter) / len(part))
    return {verb: median(times) for verb, times in differences.items()}


# ---------------------------------------------------------------- earlier versions


def keeping(size: int) -> Json:
    """Measures the share by which a write takes longer where the memory keeps its changes."""
    fresh = records(size)
    again_ = [(fresh[n % (size // 40)][0], value) for n, (_, value) in enumerate(fresh)]
    histories = {"the last 1,000 changes": 1_000, "changes of a week": "7d"}
    shares: dict[str, dict[str, float]] = {}
    for verb, items in (("add", fresh), ("overwrite", again_)):
        least: dict[Any, float] = {}
        for _ in range(9):
            for history in (None, *histories.values()):
                memory = tta_memory_nb.MemoryPrimitive(max_size=None, history=history).sync
                add = memory.add
                started = process_time()
                for key, value in items:
                    add(key, value)
                took = process_time() - started
                least[history] = min(took, least.get(history, took))
        shares[verb] = {
            name: least[history] / least[None] - 1 for name, history in histories.items()
        }
    return shares


# ---------------------------------------------------------------- JSON engines


def engines(size: int) -> Json:
    """Measures encoding to and decoding from compact JSON, by size of the value."""
    import msgspec
    import orjson

    encoder = msgspec.json.Encoder()
    decoder = msgspec.json.Decoder()
    standard = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
    known: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
        "json": (standard.encode, json.loads),
        "orjson": (orjson.dumps, orjson.loads),
        "msgspec": (encoder.encode, decoder.decode),
    }
    made = [value for _, value in records(min(size, 2_000))]
    long = " ".join(value["text"] for value in made)
    cut = range(0, len(long) - 5_000, max(1, len(long) // 2_000))
    by_size = {
        "534 bytes": made,
        "text of 5 KB": [{"turn": n, "text": long[n : n + 5_000]} for n in cut],
    }
    figures: Json = {}
    for what, values in by_size.items():
        packed = {name: [encode(v) for v in values] for name, (encode, _) in known.items()}
        times: dict[str, dict[str, list[float]]] = {
            name: {"encode": [], "decode": []} for name in known
        }
        for _ in range(9):
            for name, (encode, decode) in known.items():
                for verb, call, arguments in (
                    ("encode", encode, values),
                    ("decode", decode, packed[name]),
                ):
                    started = perf_counter()
                    for argument in arguments:
                        call(argument)
                    times[name][verb].append((perf_counter() - started) / len(arguments))
        figures[what] = {
            name: {verb: median(seconds) for verb, seconds in verbs.items()}
            for name, verbs in times.items()
        }
    return figures


# ---------------------------------------------------------------- memory


def weigh(name: str, size: int) -> Json:
    """Measures objects per record, the time of a collection, and bytes per record of a store."""
    add, _ = stores(size)[name]
    for _ in Zipf(
        size
    ).chunks():  # loads everything that making records needs before memory is measured
        break
    bytes_before = resident()
    objects_before = len(gc.get_objects())
    empty = median(timed(gc.collect)[0] for _ in range(5))
    for chunk in Zipf(size).chunks():
        for key, value in chunk:
            add(key, value)
        del chunk, key, value
    bytes_after = resident()
    objects = len(gc.get_objects()) - objects_before
    full = median(timed(gc.collect)[0] for _ in range(5))
    grown = None if bytes_before is None or bytes_after is None else bytes_after - bytes_before
    return {
        "objects": objects / size,
        "collection": full - empty,
        "bytes": ratio(grown, size)
        if size >= CHUNK
        else None,  # for fewer records, most of it would be noise
    }


# ---------------------------------------------------------------- the whole

SECTIONS: dict[str, Callable[[int], Json]] = {
    "dict work": dict_work,
    "whole": whole,
    "await": awaiting,
    "watch": watching,
    "trace": tracing,
    "history": keeping,
    "engines": engines,
    **{f"memory {name}": partial(weigh, name) for name in STORES},
}
SIZES = {
    "dict work": 100_000,
    "whole": 20_000,
    "await": 20_000,
    "watch": 20_000,
    "trace": 20_000,
    "history": 20_000,
    "engines": 2_000,
}
MEMORY_SIZE = 100_000
QUICK_SIZE = 5_000


def run(section: str, size: int) -> Json:
    """Returns the result of a section in a fresh process."""
    command = [sys.executable, str(Path(__file__).resolve()), "--work", json.dumps([section, size])]
    seconds, done = timed(
        partial(subprocess.run, command, check=True, stdout=subprocess.PIPE, text=True)
    )
    log_progress(f"{section}, {size:,}: {seconds:.0f} s")
    figures: Json = json.loads(done.stdout)
    return figures


def tables(found: dict[str, Json]) -> str:
    """Returns all figures as text."""
    parts = []
    for section in ("dict work", "whole"):
        figures = found[section]
        names = list(next(iter(figures.values())))
        rows = []
        for verb, times in figures.items():
            cells = [shown(1e6 * times[OURS])]
            for name in names[1:]:
                factor = shown(ratio(times[OURS], times[name]), "x")
                cells.append(f"{shown(1e6 * times[name])} ({factor})")
            rows.append([verb, *cells])
        parts.append(f"{section}, us (in brackets: {OURS} over it)")
        parts.append(table(["", *names], rows))
    parts.append("additional cost of await over the call, us")
    rows = [[verb, shown(1e6 * seconds)] for verb, seconds in found["await"].items()]
    parts.append(table(["", "us"], rows))
    parts.append("additional cost of `watch` that is None, us")
    rows = [[verb, shown(1e6 * seconds)] for verb, seconds in found["watch"].items()]
    parts.append(table(["", "us"], rows))
    parts.append("additional cost of a trace that is on, us")
    rows = [[verb, shown(1e6 * seconds)] for verb, seconds in found["trace"].items()]
    parts.append(table(["", "us"], rows))
    parts.append("share by which a write takes longer where changes are kept, %")
    kept = found["history"]
    rows = [[verb, *(shown(100 * share) for share in kept[verb].values())] for verb in kept]
    parts.append(table(["", *next(iter(kept.values()))], rows))
    parts.append("JSON engines, us")
    by_size = found["engines"]
    columns = [(what, verb) for what in by_size for verb in ("encode", "decode")]
    rows = [
        [name, *(shown(1e6 * by_size[what][name][verb]) for what, verb in columns)]
        for name in next(iter(by_size.values()))
    ]
    parts.append(table(["", *(f"{what}, {verb}" for what, verb in columns)], rows))
    parts.append("memory")
    rows = []
    for name in STORES:
        weighed = found[f"memory {name}"]
        collection = shown(1e3 * weighed["collection"])
        rows.append([name, shown(weighed["objects"]), collection, shown(weighed["bytes"])])
    parts.append(table(["", "gc objects/record", "gc.collect(), ms", "bytes/record"], rows))
    return "\n\n".join(parts)


def goals(found: dict[str, Json]) -> list[Goal]:
    """Returns the goals of this package."""

    def over(section: str, verb: str, peer: str) -> float | None:
        times = found[section][verb]
        return ratio(times[OURS], times[peer])

    return [
        Goal("dict work: insert over cachetools", over("dict work", "insert", "cachetools"), 0.75),
        Goal("dict work: get over cachetools", over("dict work", "get", "cachetools"), 0.65),
        Goal("dict work: evict over cachetools", over("dict work", "evict", "cachetools"), 0.45),
        Goal("whole add over langgraph's put", over("whole", "add", "langgraph"), 1.2),
        Goal("whole get over langgraph's get", over("whole", "get", "langgraph"), 1.5),
        *(
            Goal(f"await: {verb}", 1e6 * seconds, 0.4, unit=" us")
            for verb, seconds in found["await"].items()
        ),
        *(
            Goal(f"watch, None: {verb}", 1e6 * seconds, 0.1, unit=" us")
            for verb, seconds in found["watch"].items()
        ),
        *(
            Goal(f"trace, on: {verb}", 1e6 * seconds, 5, unit=" us")
            for verb, seconds in found["trace"].items()
        ),
        *(
            Goal(f"history, {name}: {verb}", 100 * share, 20, unit=" %")
            for verb, shares in found["history"].items()
            for name, share in shares.items()
        ),
    ]


def main() -> None:
    """Measures, prints the figures and writes them to a file."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="few records, no files: a smoke test")
    parser.add_argument(
        "--output", type=Path, help="folder for the files; default: benchmarks/results"
    )
    parser.add_argument("--work", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        section, size = json.loads(options.work)
        print(json.dumps(SECTIONS[section](size)))
        return
    missing = [name for name in ("cachetools", "langgraph", "msgspec") if find_spec(name) is None]
    if missing:
        sys.exit(f"not here, and nothing can be compared with it: {', '.join(missing)}")
    around = surroundings()
    print(heading(around), end="\n\n", flush=True)
    sizes = {
        section: QUICK_SIZE if options.quick else SIZES.get(section, MEMORY_SIZE)
        for section in SECTIONS
    }
    found = {section: run(section, size) for section, size in sizes.items()}
    print(tables(found), end="\n\n")
    reached = goals(found)
    print(goals_table(reached), flush=True)
    folder = options.output or (None if options.quick else RESULTS)
    if folder is not None:
        report = {
            **around,
            "goals": [goal.json() for goal in reached],
            "sizes": sizes,
            "sections": found,
        }
        write(folder / "cache.json", report)


if __name__ == "__main__":
    main()
