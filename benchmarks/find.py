"""The cost of a search that ranks, beside other libraries, for 6,000 to 1,000,000 records.

    python benchmarks/find.py [--sizes 6000 100000 258145 1000000] [--peers ranked fts5 server] [--output FOLDER]

The records are the utterances of the chitchat dataset (pip install chitchat-dataset), one conversation a session. Beyond
its 258,145, a record is the first half of one utterance and the second half of another one. The questions are 300 of the
dataset's utterances that end in a question mark and have at least five words. Each library runs in a process of its own,
one after the other.

    load      seconds until all records can be searched
    add       microseconds of one more record that the next search has to find, without that search
    p50, p95  milliseconds of a search for 10 records: on the clock, and of the processor. Each question is answered once
              to warm up, and then as often as is possible in some seconds, up to three times; its least time counts
    next      milliseconds of the processor of a search for which one record was added just before, with that addition
    bytes     growth of the process a record: the library's index alone, without the records; of a server, that of the server
    recall    which share of the best ten is found, where vectors are searched by a graph

FTS5 and tantivy answer a query of all its words, joined by OR, stemmed, without stop words. bm25s is static: a new record
means a new index. None of the three knows people, dates and the records around. "ranked" is this package in memory, by
words; "hybrid" also compares vectors, and "semantic" compares vectors alone. "server" is this package with
``server_search="redisearch"``, whose times are those of one client; "server-sem" is the same by vectors, of which each is
compared, and "server-hnsw" by a graph of them. "langgraph" is LangGraph's InMemoryStore. All vectors are WordLlama's.

The results are written to benchmarks/results/find.json if everything is measured, and to a folder of your choice.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from time import perf_counter, process_time

from measuring import resident
from rankers import ADDED, RANKERS, Ranker, Record
from report import RESULTS, Json, heading, log_progress, shown, surroundings, table, write

SIZES = (6_000, 100_000, 258_145, 1_000_000)
PEERS = [name for ranker in RANKERS for name in ranker.names]

QUESTIONS = 300
ROUNDS = 3
NEXT = 20
# A library gets so many seconds to answer, once to warm up and then for each round.
SECONDS = 10.0
RECALLED = 100


def utterances() -> Iterable[Record]:
    """Yields the records of the dataset."""
    import chitchat_dataset

    for number, conversation in enumerate(chitchat_dataset.Dataset().values()):
        turn = 0
        for message in conversation["messages"]:
            for each in message if isinstance(message, list) else [message]:
                turn += 1
                yield f"c{number}:s:{turn:08x}", str(each.get("sender", ""))[:8], each["text"]


def corpus(size: int) -> tuple[list[Record], list[Record]]:
    """Returns so many records, and others to add."""
    real = list(utterances())
    records, extra = real[: -4 * ADDED], real[-4 * ADDED :]
    halves = [text.split() for *_, text in records]
    chance, copy = random.Random(2), 0
    while len(records) < size:
        copy += 1
        others = chance.sample(halves, len(halves))
        records += [
            (
                f"copy{copy}-{key}",
                sender,
                " ".join(first[: len(first) // 2] + rest[len(rest) // 2 :]),
            )
            for (key, sender, _), first, rest in zip(
                records[: len(halves)], halves, others, strict=True
            )
        ]
    return records[:size], extra


def questions(records: list[Record]) -> list[str]:
    """Returns some of the questions that the records ask."""
    asked = [text for *_, text in records if text.endswith("?") and 5 <= len(text.split()) <= 20]
    return random.Random(1).sample(asked, min(QUESTIONS, len(asked)))


def timed_searches(peer: Ranker, asked: Sequence[str]) -> Json:
    """Returns the median and the 95th percentile of the least times of questions, in milliseconds."""
    answered: list[str] = []
    until = perf_counter() + SECONDS
    for question in asked:
        peer.search(question)
        answered.append(question)
        if perf_counter() > until:
            break
    walls, cpus = [float("inf")] * len(answered), [float("inf")] * len(answered)
    until = perf_counter() + ROUNDS * SECONDS
    for _ in range(ROUNDS):
        for place, question in enumerate(answered):
            wall, cpu = perf_counter(), process_time()
            peer.search(question)
            cpus[place] = min(cpus[place], process_time() - cpu)
            walls[place] = min(walls[place], perf_counter() - wall)
        if perf_counter() > until:
            break
    figures: Json = {"questions": len(answered)}
    for kind, times in (("wall", sorted(walls)), ("cpu", sorted(cpus))):
        figures[kind] = [times[len(times) // 2] * 1000, times[len(times) * 95 // 100] * 1000]
    return figures


def timed_adds(peer: Ranker, extra: list[Record], asked: Sequence[str]) -> Json:
    """Returns microseconds of one more record, and milliseconds of one more with a search."""
    started = process_time()
    peer.add(extra[: peer.adds])
    spent = process_time() - started if peer.spent is None else peer.spent
    both = []
    for record, question in zip(extra[peer.adds : peer.adds + NEXT], asked, strict=False):
        started = process_time()
        peer.add([record])
        peer.search(question)
        both.append(process_time() - started)
    return {"add": spent / peer.adds * 1e6, "next": sorted(both)[len(both) // 2] * 1000}


def measure(kind: type[Ranker], size: int, names: Sequence[str]) -> Json:
    """Measures one library in this process, in the ways of asking that are wanted."""
    records, extra = corpus(size)
    asked = questions(records)
    peer = kind(records)
    before = resident() or 0.0
    results: Json = {}
    for number, name in enumerate(name for name in kind.names if name in names):
        peer.prepare_recall(name, asked[:RECALLED])
        started = perf_counter()
        peer.build(name)
        load = perf_counter() - started
        elsewhere = peer.grown()
        grown = (resident() or 0.0) - before if elsewhere is None else elsewhere
        result: Json = {"load": load, "bytes": grown / len(records), "add": None, "next": None}
        result |= timed_searches(peer, asked)
        result["recall"] = peer.recall(asked[:RECALLED])
        if peer.adds:
            more = extra[number * (ADDED + NEXT) :]
            result |= timed_adds(peer, more, asked)
        results[name] = result
    return results


def in_own_process(kind: type[Ranker], size: int, names: Sequence[str]) -> Json:
    """Returns the results of `measure` in a fresh process, or why there are none."""
    done = subprocess.run(
        [sys.executable, __file__, "--one", kind.__name__, str(size), *names],
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        return {name: {"unavailable": lines[-1] if lines else "killed"} for name in names}
    found: Json = json.loads(done.stdout)
    return found


def lines_of(size: int, results: Json) -> list[list[str]]:
    """Returns the lines of the table for one size."""
    lines = []
    for name, found in results.items():
        if "unavailable" in found:
            lines.append([f"{size:,}", name, found["unavailable"][:60], *[""] * 6])
            continue
        wall, cpu = (f"{shown(p50)} / {shown(p95)}" for p50, p95 in (found["wall"], found["cpu"]))
        figures = (found["load"], found["add"])
        rest = (found["next"], found["bytes"], found["recall"])
        lines.append([f"{size:,}", name, *map(shown, figures), wall, cpu, *map(shown, rest)])
    return lines


def main() -> None:
    """Prints a table, and writes the results."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=PEERS)
    parser.add_argument("--output", type=Path, help="where find.json is written")
    parser.add_argument("--one", nargs="+", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        name, size, *names = given.one
        kind = next(each for each in RANKERS if each.__name__ == name)
        print(json.dumps(measure(kind, int(size), names)))
        return
    is_whole = set(given.sizes) == set(SIZES) and set(given.peers) == set(PEERS)
    folder = given.output or (RESULTS if is_whole else None)
    around = surroundings()
    runs: Json = {}
    for size in given.sizes:
        results = runs[str(size)] = {}
        for kind in RANKERS:
            names = [
                name
                for name in kind.names
                if name in given.peers and size <= kind.most.get(name, size)
            ]
            if not names:
                continue
            started = perf_counter()
            results |= in_own_process(kind, size, names)
            log_progress(f"{size:,}: {', '.join(names)}, {perf_counter() - started:.0f} s")
        if folder:  # after each size, since a run takes an hour
            write(folder / "find.json", {**around, "sizes": runs})
    head = ["records", "", "load s", "add µs", "ms", "ms cpu", "next ms", "bytes", "recall"]
    rows = [line for size, results in runs.items() for line in lines_of(int(size), results)]
    print(heading(around), table(head, rows), sep="\n\n")


if __name__ == "__main__":
    main()
