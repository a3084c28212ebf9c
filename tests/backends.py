"""The backends, one line each, and the clock they are given.

Contract tests, the model test and the benchmarks take their backends from this table.
"""

from __future__ import annotations

from collections.abc import Callable

from tta_memory_nb import MemoryPrimitive

BACKENDS: dict[str, Callable[..., MemoryPrimitive]] = {
    "in-memory": MemoryPrimitive,
}
"""Name -> factory that takes ``max_size``, ``namespace`` and ``clock`` as keywords."""


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
