"""The memories that the contract is tested with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

import pytest
from backends import WITH_A_STAND_IN, Calls, Clock, calls

from tta_memory_nb import SyncMemory

MakeMemory: TypeAlias = Callable[..., SyncMemory]


@pytest.fixture
def make(backend: str, request: pytest.FixtureRequest, clock: Clock) -> Iterator[MakeMemory]:
    """Makes memories of one backend; each test has a namespace of its own."""
    made: list[SyncMemory] = []

    def make_memory(max_size: int = 1000, namespace: str = request.node.name) -> SyncMemory:
        open_memory = WITH_A_STAND_IN[backend]
        memory = open_memory(max_size=max_size, namespace=namespace, clock=clock).sync
        made.append(memory)
        return memory

    yield make_memory
    for memory in made:
        memory.clear()
        memory.close()


@pytest.fixture
def memory(make: MakeMemory) -> SyncMemory:
    return make()


@pytest.fixture
def store(memory: SyncMemory) -> Calls:
    return calls(memory)
