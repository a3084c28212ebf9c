"""The backends, one line each, and the clock they are given.

Contract tests, the model test and the benchmarks take their backends from this table.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from itertools import chain, islice
from typing import Any
from unittest.mock import patch

from real_servers import SERVERS, need

from tta_memory_nb import MemoryPrimitive, SyncMemory, primitive
from tta_memory_nb.filters import EVERYTHING, Filters
from tta_memory_nb.stores.base import Entry
from tta_memory_nb.stores.memory import InMemoryStore, Local
from tta_memory_nb.stores.plan import Plan, at_once


def on_server(name: str) -> Callable[..., MemoryPrimitive]:
    """What makes memories on one of the servers, each in a namespace that nothing is in."""

    def make(max_size: int = 1000, **arguments: Any) -> MemoryPrimitive:
        # A busy machine is no outage: those have tests of their own, with the time they need.
        memory = MemoryPrimitive(need(name).url, **{"timeout": 60.0, **arguments})
        # More than `clear` would: evictions are counted anew as well.
        memory.redis_client.unlink(*memory._store.remote._keys)
        memory.sync.resize(max_size)
        return memory

    return make


BACKENDS: dict[str, Callable[..., MemoryPrimitive]] = {
    "in-memory": MemoryPrimitive,
    **{name: on_server(name) for name in SERVERS},
}
"""Name -> factory that takes ``max_size``, ``namespace`` and ``clock`` as keywords."""


def examples(backend: str, many: int) -> int:
    """How many random programs a backend gets: the logic is one, and a server takes its time."""
    if backend not in SERVERS:
        return many
    if backend == "valkey":
        return max(1, many // 5)
    return max(1, many // 25)


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


class Line:
    """The runner of plans that ask a stand-in; remembers what was asked in which way."""

    def __init__(self) -> None:
        self.log: list[tuple[str, str]] = []

    def run(self, plan: Plan[Any]) -> Any:
        reply = None
        while True:
            try:
                [name] = plan.send(reply)
            except StopIteration as done:
                return done.value
            self.log.append(("called", name))
            reply = f"reply to {name}"

    async def arun(self, plan: Plan[Any]) -> Any:
        reply = None
        while True:
            try:
                [name] = plan.send(reply)
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


def on_a_stand_in(**arguments: Any) -> MemoryPrimitive:
    """A memory on a server's stand-in, over a line of its own."""
    with patch.object(primitive, "_open", lambda records, *_: (StandIn(records), Line())):
        return MemoryPrimitive(**arguments)


WITH_A_STAND_IN = {**BACKENDS, "stand-in": on_a_stand_in}
"""As `BACKENDS`, and a server that is always there: all its verbs are carried out as plans."""
