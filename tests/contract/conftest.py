"""The memories that the contract is tested with."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import pytest
from backends import Calls, calls

from tta_memory_nb import MemoryPrimitive, SyncMemory

MakeMemory: TypeAlias = Callable[..., SyncMemory]


@pytest.fixture
def make(make: Callable[..., MemoryPrimitive]) -> MakeMemory:
    """Makes memories of one backend, called without ``await``."""
    return lambda *args, **arguments: make(*args, **arguments).sync


@pytest.fixture
def memory(make: MakeMemory) -> SyncMemory:
    return make()


@pytest.fixture
def store(memory: SyncMemory) -> Calls:
    return calls(memory)
