"""The backends of the tests, which backends a test runs on, and the clock that memories are given.

A test that takes the fixture `backend` (or `make`, which takes it) says on which backends it runs:

    @pytest.mark.backends(*EVERY_BACKEND)
    def test_...(backend): ...

The mark may also be set once for a module, by ``pytestmark``; the mark of a test counts before the
mark of its module. A test without a mark is refused when the tests are collected.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from itertools import chain, count, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from real_servers import SERVERS, need

from tta_memory_nb import MemoryPrimitive, SyncMemory
from tta_memory_nb.entry import Entry
from tta_memory_nb.search.request import ALL, Hit, Search
from tta_memory_nb.stores.base import SimulatedTime
from tta_memory_nb.stores.local import Local
from tta_memory_nb.stores.memory import InMemoryStore
from tta_memory_nb.stores.plan import Plan, aanswer, adrive, answer, as_plan, drive

_numbers = count()


@cache
def _folder() -> TemporaryDirectory[str]:
    """Returns the folder of the files of this process. Most processes that import this module need none."""
    return TemporaryDirectory(prefix="tta-memory-")


def remove_files() -> None:
    """Removes the files of this process."""
    if _folder.cache_info().currsize:
        _folder().cleanup()
        _folder.cache_clear()


def on_server(name: str, **always: Any) -> Callable[..., MemoryPrimitive]:
    """Returns a function that makes memories on one of the servers, each in an empty namespace.

    Args:
        name: of the server.
        **always: arguments of all these memories.
    """

    def make(max_size: int = 1000, **arguments: Any) -> MemoryPrimitive:
        # A busy machine is no outage: those have tests of their own, with the time they need.
        memory = MemoryPrimitive(need(name).url, **{"timeout": 60.0, **always, **arguments})
        # `clear` would keep the count of evictions; a client of redis-py would first ask a cluster for all its commands.
        store: Any = memory._store
        store.runner.run(_unlinked(store.commands.keys))
        memory.sync.resize(max_size)
        return memory

    return make


def _unlinked(keys: Iterable[bytes]) -> Plan[Any]:
    return (yield ("UNLINK", *keys))


def in_a_file(max_size: int = 1000, **arguments: Any) -> MemoryPrimitive:
    """Returns a memory in a new file. It does not wait for the disk, which makes no difference to the answers."""
    path = Path(_folder().name, f"{next(_numbers)}.db")
    memory = MemoryPrimitive(
        f"file:{path}", **{"timeout": 60.0, "durability": "memory", **arguments}
    )
    memory.sync.resize(max_size)
    return memory


BACKENDS: dict[str, Callable[..., MemoryPrimitive]] = {
    "in-memory": MemoryPrimitive,
    "file": in_a_file,
    **{name: on_server(name) for name in SERVERS},
    "redis-stack": on_server("redis-stack", server_search="redisearch"),
}
"""Name -> factory that takes ``max_size``, ``namespace`` and ``clock`` as keywords."""

ONE_SERVER = "valkey"
"""The server of tests for which the kind of server makes no difference."""

DEEP = 10 if os.environ.get("HYPOTHESIS_PROFILE") == "deep" else 1
"""How many times as many random programs as usual are run; see ``conftest.py``."""


def examples(backend: str, many: int) -> int:
    """Returns how many random programs a backend runs.

    All backends share the logic above the wire, and a program takes longer on a server or in a file. So
    `ONE_SERVER` and the file run a fifth as many programs as a backend in this process, and each other
    server a twenty-fifth.

    Args:
        backend: name of a row in `WITH_A_STAND_IN`.
        many: number of programs for a backend in this process.
    """
    in_process = backend not in SERVERS and backend != "file"
    share = 1 if in_process else 5 if backend in (ONE_SERVER, "file") else 25
    return DEEP * max(1, many // share)


class Clock(SimulatedTime):
    """Returns Unix seconds, as `time.time` does, but only `tick` lets time pass."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def tick(self, seconds: float = 1.0) -> float:
        """Lets seconds pass, and returns the new instant."""
        self.now += seconds
        return self.now


# ---- calling the verbs of a store


class Calls:
    """The verbs of a store as plain functions: each runs the plan and returns its result."""

    def __init__(self, memory: MemoryPrimitive | SyncMemory) -> None:
        self._store = memory._store
        self._run = memory._store.runner.run

    def __getattr__(self, name: str) -> Callable[..., Any]:
        verb = getattr(self._store, name)
        return lambda *args, **kwargs: self._run(verb(*args, **kwargs))

    def find(self, search: Search = ALL) -> list[Entry]:
        return [hit.entry for hit in self._run(self._store.find(search))]

    def stream(self, search: Search = ALL) -> Iterator[Entry]:
        batches = map(self._run, self._store.stream(search))
        return (hit.entry for hit in chain.from_iterable(batches))


def calls(memory: MemoryPrimitive | SyncMemory) -> Calls:
    """Returns the verbs of a memory's store as plain functions."""
    return Calls(memory)


# ---- a server's stand-in

BATCH = 3
"""Number of entries in one batch of a stream from the stand-in."""


class StandIn:
    """A store whose every plan asks its server first; its records are in this process.

    Without a plan no record can be reached, so the verbs run as they do on a server.
    """

    def __init__(self, store: InMemoryStore) -> None:
        self._local = Local(store)
        self.runner = Line()

    def __getattr__(self, name: str) -> Any:
        verb = getattr(self._local, name)
        return self._asking(name, verb) if callable(verb) else verb

    def __repr__(self) -> str:
        return "StandIn()"

    def _asking(self, name: str, verb: Callable[..., Plan[Any]]) -> Callable[..., Plan[Any]]:
        def plan(*args: Any, **kwargs: Any) -> Plan[Any]:
            assert (yield (name,)) == f"reply to {name}"
            return (yield from verb(*args, **kwargs))

        return plan

    backend = "redis"

    def is_on_server(self) -> bool:
        return True

    def outage(self) -> None:
        return None

    def describe(self) -> str:
        return "store=StandIn()"

    def tombstones_token(self) -> Plan[Any]:
        return self._asking("tombstones_token", self._local.tombstones_token)()

    def note_tombstones(self) -> Plan[None]:
        return self._asking("note_tombstones", self._local.note_tombstones)()

    def version(self, entry: Entry) -> str:
        return self._local.version(entry)

    def stream(self, search: Search) -> Iterator[Plan[list[Hit]]]:
        hits = self._local.fallback.contents.stream(search)
        batch: list[Hit] = []

        @as_plan
        def look() -> list[Hit]:
            batch[:] = islice(hits, BATCH)
            return batch.copy()

        more = True
        while more:
            yield self._asking("stream", look)()
            more = len(batch) == BATCH


class Line:
    """The runner of plans that send requests to a stand-in; logs each request and its face."""

    def __init__(self) -> None:
        self.log: list[tuple[str, str]] = []

    def run(self, plan: Plan[Any]) -> Any:
        try:
            request = plan.send(None)
        except StopIteration as done:
            return done.value
        return drive(plan, request, self._answer)

    def _answer(self, request: Any) -> Any:
        if type(request) is not tuple:
            return answer(request)
        [name] = request
        self.log.append(("called", name))
        return f"reply to {name}"

    async def arun(self, plan: Plan[Any]) -> Any:
        try:
            request = plan.send(None)
        except StopIteration as done:
            return done.value
        return await adrive(plan, request, self._aanswer)

    async def _aanswer(self, request: Any) -> Any:
        if type(request) is not tuple:
            return await aanswer(request)
        [name] = request
        self.log.append(("awaited", name))
        await asyncio.sleep(0)  # yields to the loop once, as a round trip would
        self.log.append(("replied", name))
        return f"reply to {name}"

    def close(self) -> None:
        self.log.append(("called", "close"))

    async def aclose(self) -> None:
        self.log.append(("awaited", "close"))


def on_a_stand_in(
    *,
    summarizer: Any = None,
    embedder: Any = None,
    clock: Callable[[], float] = time.time,
    **arguments: Any,
) -> Any:
    """Returns a memory on a stand-in for a server. It is Any, because tests read its runner's log."""
    store = StandIn(InMemoryStore(clock=clock, **arguments))
    return MemoryPrimitive.over(store, summarizer=summarizer, embedder=embedder, clock=clock)


WITH_A_STAND_IN = {**BACKENDS, "stand-in": on_a_stand_in}
"""As `BACKENDS`, and a server that is always there: all its verbs are carried out as plans."""

# ---- which backends a test runs on


def marks_of(backend: str) -> list[pytest.MarkDecorator]:
    """Returns the marks of a test that runs on a backend: `server`, if the backend is a server."""
    return [pytest.mark.server] if backend in SERVERS else []


ALL_BUT_THE_STAND_IN = tuple(BACKENDS)
"""Every backend that a user can open. For what depends on the data and on the server's scripts."""

ONE_OF_EACH_CONNECTION = ("in-memory", "file", ONE_SERVER, "cluster", "sentinel")
"""For what happens in the client alone: threads and tasks that share connections and locks, and the
replica that searches read. Clients reach every kind of single server in the same way."""

EVERY_BACKEND = tuple(WITH_A_STAND_IN)
"""For what depends on the backend: writes, recency, expiry, undo, namespaces, and how values travel."""

RANKED_HERE = tuple(name for name in ALL_BUT_THE_STAND_IN if name != "redis-stack")
"""Backends whose records are ranked in this process. The server of the other one ranks them, with fewer signals, and has all
of them embedded."""

ONE_OF_EACH_INDEX = ("in-memory", "file", ONE_SERVER, "redis-stack")
"""For what depends on how a search finds its records: by an index over the records here, over a replica, or on the server.
Every server of the second kind is read in the same way."""

ONE_OF_EACH_KIND = ("in-memory", "stand-in", ONE_SERVER)
"""For what is decided before a command is sent or after a reply has come: the checks of arguments,
the filters, and how a query compares texts. The kind of server makes no difference there."""
