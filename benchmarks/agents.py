"""The cost of the verbs that agents write and read by, in this process and on a server.

    python benchmarks/agents.py [--quick]

The server is Redis 8, started from a PyPI wheel. Each figure is the least of several batches that alternate with those of its peer.

    apply    two records in one step, and the same with an expectation, beside MULTI with two HSETs of redis-py, and beside two `add`s
    append   one message, beside XADD of redis-py, and beside `add`
    get      of a record that slides, beside one that does not
    store    put and get of an item of LangGraph's `TTAStore`, up to 20,000 of them, beside its InMemoryStore in this process and, on a
             server with RediSearch and ReJSON, beside its RedisStore
    folders  of 100,000 keys in 2,000 folders, beside taking them from `keys()`; in milliseconds
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from time import perf_counter
from typing import Any

import redis
from report import RESULTS, Goal, goals_table, heading, ratio, shown, surroundings, table, write

from tta_memory_nb import MemoryPrimitive, SyncMemory

sys.path.append(str(Path(__file__).parent.parent / "tests"))
from real_servers import Server, modules, redis_8

BATCHES, CALLS = 40, 50
SIZE, FOLDERS = 100_000, 2_000
ITEMS = 20_000

ROOM = ("docs",)  # of two labels, RedisStore finds no item by its key in this RediSearch

VALUE = {"role": "user", "content": "It rains in Málaga, and I forgot my umbrella", "turn": 3}
TEXT = b'{"role":"user","content":"It rains in Malaga, and I forgot my umbrella","turn":3}'

Works = dict[str, Callable[[], Any]]


def least(works: Works, calls: int) -> dict[str, float]:
    """Returns the least seconds of a call of each work; the works alternate in batches."""
    found = dict.fromkeys(works, float("inf"))
    for _ in range(BATCHES):
        for name, work in works.items():
            started = perf_counter()
            for _ in range(calls):
                work()
            found[name] = min(found[name], (perf_counter() - started) / calls)
    return found


def verbs(memory: SyncMemory, calls: int) -> dict[str, float]:
    """Measures the verbs for single records."""
    numbers = count()
    memory.add("fixed", VALUE, ttl=3600)
    memory.add("slides", VALUE, ttl=3600, sliding=True)
    memory.add("guard", VALUE)
    [guard] = memory.get_records(["guard"])

    def two() -> list[tuple[str, dict[str, Any]]]:
        number = next(numbers)
        return [(f"a:{number}", VALUE), (f"b:{number}", VALUE)]

    return least(
        {
            "add": lambda: memory.add(f"user:{next(numbers)}", VALUE),
            "two adds": lambda: [memory.add(*pair) for pair in two()],
            "apply": lambda: memory.apply(two()),
            "apply, expecting": lambda: memory.apply(two(), expect={"guard": guard.version}),
            "append": lambda: memory.append("user", "session", [VALUE]),
            "get": lambda: memory.get("fixed"),
            "get, sliding": lambda: memory.get("slides"),
        },
        calls,
    )


def bare(url: str, calls: int) -> dict[str, float]:
    """Measures what redis-py does for the same."""
    numbers = count()
    with redis.Redis.from_url(url) as client:

        def multi() -> None:
            number = next(numbers)
            with client.pipeline(transaction=True) as pipeline:
                pipeline.hset("bare", f"a:{number}", TEXT)
                pipeline.hset("bare", f"b:{number}", TEXT)
                pipeline.execute()

        return least(
            {"MULTI": multi, "XADD": lambda: client.xadd("stream", {"message": TEXT})}, calls
        )


def folders(memory: SyncMemory, size: int) -> dict[str, float]:
    """Measures the folders of many keys."""
    memory.clear()
    memory.add_many({f"/users/u{n % FOLDERS}/notes/{n}": {"n": n} for n in range(size)})
    keys = memory.keys
    works: Works = {
        "folders": memory.folders,
        "folders, cut": lambda: memory.folders(depth=1),
        "from keys()": lambda: {key.rpartition("/")[0] for key in keys()},
    }
    assert set(works["folders"]()) == works["from keys()"]()
    return least(works, 1)


def stores(items: int) -> dict[str, dict[str, float]]:
    """Measures the store of LangGraph beside its own: puts of new items, and gets, in turn."""
    from langgraph.store.memory import InMemoryStore
    from langgraph.store.redis import RedisStore

    from tta_memory_nb.integrations.langgraph import TTAStore

    def measured(ours: Any, theirs: Any) -> dict[str, float]:
        works: Works = {}
        for name, store in (("", ours), (", theirs", theirs)):
            new, known = count(), count()
            works[f"store put{name}"] = lambda store=store, new=new: store.put(
                ROOM, f"k{next(new)}", VALUE
            )
            works[f"store get{name}"] = lambda store=store, known=known: store.get(
                ROOM, f"k{next(known)}"
            )
        found = least(works, items // BATCHES)
        assert ours.get(ROOM, "k7").value == theirs.get(ROOM, "k7").value
        return found

    found = {"in memory": measured(TTAStore(MemoryPrimitive(max_size=None)), InMemoryStore())}
    server = Server(redis_8(), *modules())
    with RedisStore.from_conn_string(server.url) as theirs:
        theirs.setup()
        memory = MemoryPrimitive(server.url, namespace="items", timeout=60.0)
        found["server"] = measured(TTAStore(memory), theirs)
        memory.sync.close()
    server.stop()
    return found


def _over(found: dict[str, float], verb: str) -> float:
    return ratio(found[f"store {verb}"], found[f"store {verb}, theirs"])


def goals(found: dict[str, Any]) -> list[Goal]:
    """Returns the goals with the measured figures."""
    here, there = found["in memory"], found["server"]
    return [
        Goal("in memory: apply over two adds", ratio(here["apply"], here["two adds"]), 2.5),
        Goal("in memory: sliding get over get", ratio(here["get, sliding"], here["get"]), 1.5),
        Goal("in memory: put of a store over theirs", _over(here, "put"), 4),
        Goal("in memory: get of a store over theirs", _over(here, "get"), 4),
        Goal("in memory: folders", 1e3 * here["folders"], 30, unit=" ms"),
        Goal("server: apply over two adds", ratio(there["apply"], there["two adds"]), 1.5),
        Goal("server: apply over MULTI", ratio(there["apply"], there["MULTI"]), 3),
        Goal("server: append over XADD", ratio(there["append"], there["XADD"]), 4),
        Goal("server: sliding get over get", ratio(there["get, sliding"], there["get"]), 1.2),
        Goal("server: their put over that of a store", 1 / _over(there, "put"), 3, at_least=True),
        Goal("server: get of a store over theirs", _over(there, "get"), 1),
        Goal("server: folders", 1e3 * there["folders"], 60, unit=" ms"),
        Goal(
            "server: keys() over folders",
            ratio(there["from keys()"], there["folders"]),
            3,
            at_least=True,
        ),
    ]


def main() -> None:
    """Measures, prints the figures and writes them to a file."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="few records, no files: a smoke test")
    parser.add_argument(
        "--output", type=Path, help="folder for the files; default: benchmarks/results"
    )
    options = parser.parse_args()
    calls, size = (20, 4_000) if options.quick else (CALLS, SIZE)
    around = surroundings()
    print(heading(around), end="\n\n", flush=True)
    server = Server(redis_8())
    found: dict[str, Any] = {}
    for name, url in (("in memory", None), ("server", server.url)):
        memory = MemoryPrimitive(url, max_size=None, namespace="agents", timeout=60.0).sync
        found[name] = verbs(memory, calls) | folders(memory, size)
        memory.close()
    found["server"] |= bare(server.url, calls)
    for name, figures in stores(calls * BATCHES if options.quick else ITEMS).items():
        found[name] |= figures
    rows = [
        [work, *(shown(1e6 * each[work], " us") if work in each else "" for each in found.values())]
        for work in found["server"]
    ]
    print(table(["", *found], rows), end="\n\n")
    reached = goals(found)
    print(goals_table(reached), flush=True)
    server.stop()
    folder = options.output or (None if options.quick else RESULTS)
    if folder is not None:
        goals_reached = [goal.json() for goal in reached]
        report = {
            **around,
            "size": size,
            "at": time.strftime("%Y-%m-%d"),
            "goals": goals_reached,
            "sections": found,
        }
        write(folder / "agents.json", report)


if __name__ == "__main__":
    main()
