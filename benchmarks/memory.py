"""What loading, adding, getting and searching cost on 258,145 real utterances.

    python benchmarks/memory.py [--json PATH]

Each peer works in a fresh process of its own, and all of them in the same run:

    tta_memory_nb   this package, in memory
    ancestor        the method it grew from: an OrderedDict, and a search that writes each value as
                    JSON, newest first, and looks for the query in it
    sqlite-fts5     SQLite in memory with a trigram index, where it has been built with one

Times are medians. A search asks for 5 records. Ratios are a peer's figure over this package's:
above 1, this package needs less. The ancestor adds and gets by handing the caller's own object
around; the others copy it, so that nobody changes what is remembered.
"""

# ruff: noqa: D102  what the methods of all peers do stands in Peer

from __future__ import annotations

import argparse
import json
import platform
import sqlite3
import subprocess
import sys
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from hashlib import sha256
from importlib.util import find_spec
from os import cpu_count
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, Protocol

import tta_memory_nb
from tta_memory_nb.text import fold, searchable
from tta_memory_nb.transfer.datasets import chitchat

CAPACITY = 300_000
LIMIT = 5
QUERIES = {
    "broad": ("the", "you"),
    "rare": ("umbrella", "accordion"),
    "miss": ("zyzzyva", "no such words"),
    "phrase": ("how was your weekend", "favorite ice cream"),
}

Json = dict[str, Any]


class Unavailable(Exception):
    """A peer that this machine does not have."""


class Peer(Protocol):
    """What is measured."""

    def load(self) -> None:
        """Takes in the dataset, from its file on."""

    def add(self, key: str, value: Json) -> None:
        """Adds or replaces a record."""

    def get(self, key: str) -> Json | None:
        """The value of a key."""

    def search(self, query: str) -> list[Json]:
        """The newest `LIMIT` values that contain the query."""


class Package:
    """This package, in memory."""

    def __init__(self) -> None:
        self.memory = tta_memory_nb.MemoryPrimitive(max_size=CAPACITY).sync
        self.add = self.memory.add
        self.get = self.memory.get

    def load(self) -> None:
        self.memory.import_("chitchat")

    def search(self, query: str) -> list[Json]:
        return self.memory.search(query, LIMIT)


class Ancestor:
    """The method this package grew from."""

    def __init__(self) -> None:
        self.values: OrderedDict[str, Json] = OrderedDict()

    def load(self) -> None:
        load_one_by_one(self.add)

    def add(self, key: str, value: Json) -> None:
        if key in self.values:
            self.values.move_to_end(key)
        self.values[key] = value
        if len(self.values) > CAPACITY:
            self.values.popitem(last=False)

    def get(self, key: str) -> Json | None:
        if key not in self.values:
            return None
        self.values.move_to_end(key)
        return self.values[key]

    def search(self, query: str) -> list[Json]:
        found = []
        needle = query.lower()
        for value in reversed(list(self.values.values())):
            if needle in json.dumps(value, default=str).lower():
                found.append(value)
                if len(found) == LIMIT:
                    break
        return found


class SqliteFts5:
    """SQLite with a trigram index; newest first is the order of row ids."""

    def __init__(self) -> None:
        self.sql = sqlite3.connect(":memory:")
        try:
            self.sql.execute("CREATE VIRTUAL TABLE texts USING fts5(text, tokenize='trigram')")
        except sqlite3.OperationalError as error:
            raise Unavailable(f"SQLite {sqlite3.sqlite_version}: {error}") from None
        self.sql.execute("CREATE TABLE memory (id INTEGER PRIMARY KEY, key UNIQUE, value)")

    def load(self) -> None:
        load_one_by_one(self.add)

    def add(self, key: str, value: Json) -> None:
        self.sql.execute(
            "DELETE FROM texts WHERE rowid = (SELECT id FROM memory WHERE key = ?)", (key,)
        )
        written = self.sql.execute(
            "REPLACE INTO memory (key, value) VALUES (?, ?)", (key, json.dumps(value))
        )
        self.sql.execute(
            "INSERT INTO texts (rowid, text) VALUES (?, ?)", (written.lastrowid, searchable(value))
        )

    def get(self, key: str) -> Json | None:
        row = self.sql.execute("SELECT value FROM memory WHERE key = ?", (key,)).fetchone()
        return None if row is None else dict(json.loads(row[0]))

    def search(self, query: str) -> list[Json]:
        quoted = '"' + fold(query).replace('"', '""') + '"'
        rows = self.sql.execute(
            "SELECT value FROM texts JOIN memory ON id = texts.rowid "
            "WHERE texts MATCH ? ORDER BY texts.rowid DESC LIMIT ?",
            (quoted, LIMIT),
        )
        return [json.loads(value) for (value,) in rows]


PEERS: dict[str, Callable[[], Peer]] = {
    "tta_memory_nb": Package,
    "ancestor": Ancestor,
    "sqlite-fts5": SqliteFts5,
}


def load_one_by_one(add: Callable[[str, Json], None]) -> None:
    """Reads the utterances as this package does, so that only the keeping of them differs."""
    for _, record in chitchat().items:
        assert isinstance(record, tta_memory_nb.MemoryRecord)
        add(record.key, record.value)


# ---------------------------------------------------------------- one peer, in its own process


def measure(name: str) -> Json:
    """The figures of one peer, by name and unit; what it found, to compare."""
    peer = PEERS[name]()
    started = perf_counter()
    peer.load()
    figures = {"load, s": perf_counter() - started, "peak resident, MB": peak_resident()}
    answers = {}
    for kind, queries in QUERIES.items():
        times = []
        for query in queries:
            answers[query] = digest(peer.search(query))  # and whatever the first search prepares
            times.append(median(repeated(partial(peer.search, query))))
        figures[f"search {kind}, us"] = 1e6 * median(times)
    value = {"turn": 1, "text": "It rains in Málaga, so take the umbrella", "tags": ["rain", "es"]}
    keys = [tta_memory_nb.create_memory_key("bench", str(n)) for n in range(20_000)]
    figures["add, us"] = 1e6 * median(in_batches(keys, lambda key: peer.add(key, value)))
    figures["get, us"] = 1e6 * median(in_batches(keys, peer.get))
    return {"figures": figures, "answers": answers}


def repeated(call: Callable[[], object]) -> list[float]:
    """Seconds of each of at least 3 calls, more as long as they are quick."""
    times: list[float] = []
    while len(times) < 3 or (sum(times) < 0.2 and len(times) < 1000):
        started = perf_counter()
        call()
        times.append(perf_counter() - started)
    return times


def in_batches(keys: list[str], call: Callable[[str], object]) -> list[float]:
    """Seconds a call, for each batch of 500: one call is shorter than the clock is exact."""
    times = []
    for start in range(0, len(keys), 500):
        batch = keys[start : start + 500]
        started = perf_counter()
        for key in batch:
            call(key)
        times.append((perf_counter() - started) / len(batch))
    return times


def peak_resident() -> float | None:
    """The most memory this process has had, in MB; None on Windows."""
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)  # bytes there, KB elsewhere


def digest(values: list[Json]) -> str:
    """A short text that is equal for equal values."""
    return sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]


# ---------------------------------------------------------------- all peers, side by side


def run(name: str) -> Json:
    """What `measure` gives in a fresh process, or why there is nothing to measure."""
    print(f"measuring {name} ...", file=sys.stderr)
    command = [sys.executable, str(Path(__file__).resolve()), "--peer", name]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    result: Json = json.loads(done.stdout)
    return result


def table(results: dict[str, Json]) -> str:
    """Figures in columns, and beside each peer's how many times this package's it is."""
    ours, *others = (name for name, result in results.items() if "figures" in result)
    lines = [f"{'':20}{ours:>14}" + "".join(f"{name:>14}   ratio" for name in others)]
    for row, own in results[ours]["figures"].items():
        line = f"{row:20}{shown(own):>14}"
        for name in others:
            theirs = results[name]["figures"][row]
            line += f"{shown(theirs):>14}{shown(theirs / own if own else None):>8}"
        lines.append(line)
    for name, result in results.items():
        if "unavailable" in result:
            lines.append(f"{name} is not here: {result['unavailable']}")
        elif result["answers"] != results[ours]["answers"]:
            lines.append(f"{name} gives other answers, so its searches compare with nothing")
    return "\n".join(lines)


def shown(figure: float | None) -> str:
    """A figure to 2 digits, or whole; a dash where there is none."""
    if figure is None:
        return "-"
    return f"{figure:,.0f}" if figure >= 100 else f"{figure:.2g}"


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", type=Path, metavar="PATH", help="also write the figures here")
    parser.add_argument("--peer", choices=PEERS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.peer:
        try:
            print(json.dumps(measure(arguments.peer)))
        except Unavailable as error:
            print(json.dumps({"unavailable": str(error)}))
        return
    if find_spec("chitchat_dataset") is None:
        sys.exit("the utterances are not here: pip install 'tta-memory-nb[tutorials]'")
    machine = {
        "python": platform.python_version(),
        "tta_memory_nb": tta_memory_nb.__version__,
        "sqlite": sqlite3.sqlite_version,
        "system": platform.system(),
        "machine": platform.machine(),
        "cpus": cpu_count(),
    }
    print("258,145 utterances on", ", ".join(f"{name} {what}" for name, what in machine.items()))
    results = {name: run(name) for name in PEERS}
    print(table(results))
    if arguments.json:
        report = {"machine": machine, "queries": QUERIES, "results": results}
        arguments.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
