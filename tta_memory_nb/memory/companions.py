"""Companions of a memory: memories beside it, on the same server or in the same file, whose records never mix with its own."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar

from ..keys import companion_of
from ..stores.base import Clock, Store
from ..stores.local import Local
from ..stores.opening import open_beside
from ..stores.plan import Call, InProcessRunner, Plan

if TYPE_CHECKING:
    from .faces import MemoryPrimitive

T = TypeVar("T")


class Companions:
    """Opens the companions of one memory when they are first used, and closes them with it.

    A companion has a namespace of its own. So its records are in no search, no list and no count of the memory, and
    evict none of its records.

    Args:
        store: that of the memory.
        clock: gives Unix seconds.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._lock = Lock()
        self._open: dict[str, MemoryPrimitive] = {}

    def of(self, name: str) -> MemoryPrimitive:
        """Returns the companion of a name. The first call opens it, which may take a round trip to the server.

        Args:
            name: such as ``"proposals"``. The companion's namespace is that of the memory, a colon and this name.
        """
        from .faces import MemoryPrimitive

        with self._lock:
            found = self._open.get(name)
            if found is None:
                namespace = companion_of(self._store.namespace, name)
                store = open_beside(self._store, namespace, self._clock)
                found = self._open[name] = MemoryPrimitive.over(store, clock=self._clock)
        return found

    def store_of(self, name: str) -> Plan[Store]:
        """Returns the store of a companion, within a plan: opening it may wait."""
        if name in self._open or isinstance(self._store, Local):
            return self.of(name).store
        companion: MemoryPrimitive = yield Call(self.of, name)
        return companion.store

    def close(self) -> None:
        """Closes the companions that are open; one that is used again opens its connections anew."""
        for companion in list(self._open.values()):
            companion.sync.close()

    async def aclose(self) -> None:
        """As `close`, including the connections of the running loop."""
        for companion in list(self._open.values()):
            await companion.aclose()


def ask(companion: Store, plan: Plan[T]) -> Plan[T]:
    """Returns a plan for the runner of a memory that carries out a plan of the store of a companion.

    A plan of a server's store needs the runner of that store, so a call has it carried out there.
    """
    if isinstance(companion.runner, InProcessRunner):
        return (yield from plan)
    run: Any = companion.runner.run
    result: T = yield Call(run, plan)
    return result
