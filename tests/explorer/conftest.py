"""A memory, and a view of it without a browser; modules may have others."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from front_end import FrontEnd

from tta_memory_nb import MemoryExplorer, MemoryPrimitive

if TYPE_CHECKING:
    from backends import Clock


@pytest.fixture
def memory(clock: Clock) -> MemoryPrimitive:
    memory = MemoryPrimitive(clock=clock)
    for key, text in (("ann:mon", "It rains"), ("bob:mon", "sun"), ("ann:tue", "More rain")):
        memory.sync.add(key, {"text": text, "n": len(text)})
        clock.tick()
    return memory


@pytest.fixture
def front(explore: Callable[..., MemoryExplorer]) -> FrontEnd:
    front = FrontEnd(explore())
    front.ask("hello")
    return front
