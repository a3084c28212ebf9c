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
from collections.abc import Callable, Iterator
from itertools import chain, islice
from typing import Any
from unittest.mock import patch

import pytest
from real_servers import SERVERS, need

from tta_memory_nb import MemoryPrimitive, SyncMemory, primitive
from tta_memory_nb.filters import EVERYTHING, Filters
from tta_memory_nb.stores.base import Entry
from tta_memory_nb.stores.memory import InMemoryStore, Local
from tta_memory_nb.stores.plan import Plan, Request, at_once


def on_server(name: str) -> Callable[..., MemoryPrimitive]:
    """What makes memories on one of the servers, each in a namespace that nothing is in."""

    def make(max_size: int = 1000, **arguments: Any) -> MemoryPrimitive:
        # A busy machine is no outage: those have tests of their own, with the time they need.
        memory = MemoryPrimitive(need(name).url, **{"timeout": 60.0, **arguments})
        # More than `clear` would: evictions are counted anew as well.
        store: Any = memory._store
        memory.redis_client.unlink(*store.remote._keys)
        memory.sync.resize(max_size)
        return memory

    return make


BACKENDS: dict[str, Callable[..., MemoryPrimitive]] = {
    "in-memory": MemoryPrimitive,
    **{name: on_server(name) for name in SERVERS},
}
"""Name -> factory that takes ``max_size``, ``namespace`` and ``clock`` as keywords."""

ONE_SERVER = "valkey"
"""The server that stands for all servers where the kind of server makes no difference."""

DEEP = 10 if os.environ.get("HYPOTHESIS_PROFILE") == "deep" else 1
"""How many times as many random programs as usual are run; see ``conftest.py``."""


def examples(backend: str, many: int) -> int:
    """Returns how many random programs a backend runs.

    All backends share the logic above the wire, and a program takes longer on a server. So
    `ONE_SERVER` runs a fifth as many programs as a backend in this process, and each other server a
    twenty-fifth.

    Args:
        backend: name of a row in `WITH_A_STAND_IN`.
        many: number of programs for a backend in this process.
    """
    share = 1 if backend not in SERVERS else 5 if backend == ONE_SERVER else 25
    return DEEP * max(1, many // share)


class Clock:
    """Gives Unix seconds, as `time.time`; time stands still until it is ticked."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def tick(self, seconds: float = 1.0) -> float:
        """Lets time pass; gives the new instant."""
        self.now += seconds
        return self.now


# ---- the verbs of a store, called


class Calls:
    """The verbs of a store without their plans: each is carried out, and gives what it gives."""

    def __init__(self, memory: MemoryPrimitive | SyncMemory) -> None:
        self._store = memory._store
        self._run = memory._runner.run

    def __getattr__(self, name: str) -> Callable[..., Any]:
        verb = getattr(self._store, name)
        return lambda *args, **kwargs: self._run(verb(*args, **kwargs))

    def stream(self, *args: Any, **kwargs: Any) -> Iterator[Entry]:
        return chain.from_iterable(map(self._run, self._store.stream(*args, **kwargs)))


def calls(memory: MemoryPrimitive | SyncMemory) -> Calls:
    """The verbs of a memory's store, to be called."""
    return Calls(memory)


# ---- a server's stand-in

BATCH = 3
"""So many entries come in one batch of a stream from the stand-in."""


class StandIn:
    """A store whose every plan asks its server first; its records are in this process.

    Nothing of it is in reach without a plan, so the verbs have to be carried out as on a server.
    """

    def __init__(self, records: InMemoryStore) -> None:
        self._local = Local(records)

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

    def is_on_server(self) -> bool:
        return True

    def stream(
        self, needle: str | None = None, filters: Filters = EVERYTHING
    ) -> Iterator[Plan[list[Entry]]]:
        entries = self._local.records.stream(needle, filters)
        batch: list[Entry] = []

        @at_once
        def look() -> list[Entry]:
            batch[:] = islice(entries, BATCH)
            return batch.copy()

        more = True
        while more:
            yield self._asking("stream", look)()
            more = len(batch) == BATCH


def asked(request: Request) -> str:
    """Returns the name of the verb that a plan asks the stand-in for."""
    assert isinstance(request, tuple)
    assert len(request) == 1
    return str(request[0])


class Line:
    """The runner of plans that ask a stand-in; remembers what was asked in which way."""

    def __init__(self) -> None:
        self.log: list[tuple[str, str]] = []

    def run(self, plan: Plan[Any]) -> Any:
        reply = None
        while True:
            try:
                name = asked(plan.send(reply))
            except StopIteration as done:
                return done.value
            self.log.append(("called", name))
            reply = f"reply to {name}"

    async def arun(self, plan: Plan[Any]) -> Any:
        reply = None
        while True:
            try:
                name = asked(plan.send(reply))
            except StopIteration as done:
                return done.value
            self.log.append(("awaited", name))
            await asyncio.sleep(0)  # gives way to the loop once, as a round trip would
            self.log.append(("replied", name))
            reply = f"reply to {name}"

    def close(self) -> None:
        self.log.append(("called", "close"))

    async def aclose(self) -> None:
        self.log.append(("awaited", "close"))


def on_a_stand_in(**arguments: Any) -> Any:
    """Returns a memory on a stand-in for a server. It is Any, because tests read its runner's log."""
    with patch.object(primitive, "_open", lambda records, *_: (StandIn(records), Line())):
        return MemoryPrimitive(**arguments)


WITH_A_STAND_IN = {**BACKENDS, "stand-in": on_a_stand_in}
"""As `BACKENDS`, and a server that is always there: all its verbs are carried out as plans."""

# ---- which backends a test runs on


def marks_of(backend: str) -> list[pytest.MarkDecorator]:
    """Returns the marks of a test that runs on a backend: `server`, if the backend is a server."""
    return [pytest.mark.server] if backend in SERVERS else []


ALL_BUT_THE_STAND_IN = tuple(BACKENDS)
"""Every backend that a user can open. For what depends on threads, on tasks or on the data."""

EVERY_BACKEND = tuple(WITH_A_STAND_IN)
"""For what depends on the backend: writes, recency, expiry, undo, namespaces, and how values travel."""

ONE_OF_EACH_KIND = ("in-memory", "stand-in", ONE_SERVER)
"""For what is decided before a command is sent or after a reply has come: the checks of arguments,
the filters, and how a query compares texts. The kind of server makes no difference there."""
