"""Companions of a memory: memories beside it, on the same server or in the same file, whose records never mix with its own."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import TYPE_CHECKING

from ..stores.base import Clock, Store

if TYPE_CHECKING:
    from .faces import MemoryPrimitive


class Companions:
    """Opens the companions of one memory when they are first used, and closes them with it.

    A companion has a namespace of its own. So its records are in no search, no list and no count of the memory, and
    evict none of its records.

    Args:
        namespace: that of the memory.
        open_beside: opens a store in another namespace, where the memory's own store is.
        clock: gives Unix seconds.
    """

    def __init__(self, namespace: str, open_beside: Callable[[str], Store], clock: Clock) -> None:
        self._namespace = namespace
        self._open_beside = open_beside
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
                store = self._open_beside(f"{self._namespace}:{name}")
                found = self._open[name] = MemoryPrimitive.over(store, clock=self._clock)
        return found

    def close(self) -> None:
        """Closes the companions that are open; one that is used again opens its connections anew."""
        for companion in list(self._open.values()):
            companion.sync.close()

    async def aclose(self) -> None:
        """As `close`, including the connections of the running loop."""
        for companion in list(self._open.values()):
            await companion.aclose()
