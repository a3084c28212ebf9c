"""What the tests of the contract write and read."""

from __future__ import annotations

from tta_memory_nb import MemoryRecord, SyncMemory


def fill(memory: SyncMemory, *keys: str) -> None:
    """Adds a record under each key, in order, whose text is the key."""
    for key in keys:
        memory.add(key, {"text": key})


def keys_of(records: list[MemoryRecord]) -> list[str]:
    return [record.key for record in records]


def everything(memory: SyncMemory) -> tuple[list[str], list[MemoryRecord], int, int | None]:
    """Returns all that a user can read from a memory."""
    return memory.keys(), memory.records(), memory.size(), memory.max_size
