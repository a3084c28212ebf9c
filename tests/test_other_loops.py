"""In this process the awaited face needs no asyncio: it works in whatever carries coroutines out."""

from __future__ import annotations

import asyncio
import sys
import threading
import types
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from tta_memory_nb import MemoryPrimitive

MANY = 200
"""So many records that a stream lets other tasks run several times."""


def alone(work: Coroutine[Any, Any, Any]) -> Any:
    """Carries a coroutine out that must never wait."""
    try:
        work.send(None)
    except StopIteration as done:
        return done.value
    work.close()
    raise AssertionError("it has waited for a loop")


class Trio:
    """Stands in for trio: a task may only yield a checkpoint, and threads are asked for in its own way.

    Attributes:
        checkpoints: how often a task has let others run.
        threads: how many functions were called in a thread.
    """

    def __init__(self) -> None:
        self.checkpoints = self.threads = 0
        self._is_running = False
        self.lowlevel = types.SimpleNamespace(
            current_task=self._current_task, checkpoint=self._checkpoint
        )
        self.to_thread = types.SimpleNamespace(run_sync=self._run_in_thread)

    def _current_task(self) -> str:
        if not self._is_running:
            raise RuntimeError("must be called from async context")
        return "the task"

    async def _checkpoint(self) -> None:
        @types.coroutine
        def turn() -> Any:
            yield self

        self.checkpoints += 1
        await turn()

    async def _run_in_thread(self, function: Callable[[], Any]) -> Any:
        self.threads += 1
        return function()

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Carries a coroutine out, and refuses what another loop would understand."""
        self._is_running = True
        try:
            while True:
                assert work.send(None) is self, "this is no request to trio"
        except StopIteration as done:
            return done.value
        finally:
            self._is_running = False


@pytest.fixture
def trio(monkeypatch: pytest.MonkeyPatch) -> Trio:
    it = Trio()
    monkeypatch.setitem(sys.modules, "trio", it)
    return it


async def use(memory: MemoryPrimitive) -> None:
    for number in range(MANY):
        await memory.add(f"u:{number}", {"text": f"rain {number}"})
    assert len(await memory.search("rain", None)) == MANY
    assert len([record async for record in memory.stream_records()]) == MANY
    assert len([record async for record in memory.stream_records("rain")]) == MANY
    await memory.summarize(10)


def joined(texts: Any) -> str:
    return f"{len(texts)} in {threading.current_thread().name}"


def test_a_memory_works_without_any_loop():
    alone(use(MemoryPrimitive(summarizer=joined)))


def test_a_memory_works_in_trio(trio):
    trio.run(use(MemoryPrimitive(summarizer=joined)))
    assert trio.checkpoints >= 2 * (MANY // 64)
    assert trio.threads == 1


def test_a_memory_works_in_asyncio_beside_an_imported_trio(trio):
    asyncio.run(use(MemoryPrimitive(summarizer=joined)))
    assert (trio.checkpoints, trio.threads) == (0, 0)
