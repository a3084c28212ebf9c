"""Imports into a new memory, for the tests of what can be imported."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from backends import Clock
from record_values import NOW, stored

from tta_memory_nb import (
    MemoryPrimitive,
    TransferError,
)
from tta_memory_nb.transfer import ImportReport


def new_memory(max_size: int = 100, namespace: str = "default") -> MemoryPrimitive:
    return MemoryPrimitive(max_size=max_size, namespace=namespace, clock=Clock(NOW))


def imported(source: Any, *args: Any, **options: Any) -> tuple[MemoryPrimitive, ImportReport]:
    memory = new_memory()
    return memory, memory.sync.import_(source, *args, **options)


def values_of(source: Any, *args: Any, **options: Any) -> dict[str, Any]:
    memory, _ = imported(source, *args, **options)
    return {record.key: record.value for record in memory.sync.records()}


def refused(source: Any, *args: Any, **options: Any) -> TransferError:
    """Returns the error of an import, which must leave the memory as it was."""
    memory = new_memory()
    memory.sync.add("before", {"x": 1})
    before = stored(memory)
    with pytest.raises(TransferError) as caught:
        memory.sync.import_(source, *args, **options)
    assert stored(memory) == before
    return caught.value


def written(path: Path, content: bytes | str | dict[str, Any] | list[Any]) -> Path:
    """Writes a file with bytes, text or JSON, and returns its path."""
    if not isinstance(content, (bytes, str)):
        content = json.dumps(content)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path
