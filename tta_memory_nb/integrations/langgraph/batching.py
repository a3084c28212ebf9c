"""One batch for all that the tasks of an event loop ask of a store at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from ...errors import NotDurable, StoreUnavailable


class _Waiting(NamedTuple):
    operations: list[Any]
    done: asyncio.Future[list[Any]]


class Batches:
    """Collects operations, and carries them out in the order in which they came, one batch after the other.

    A batch has what was asked for while the one before was carried out, or in the same step of the loop. Its reads
    see what the batches before have written.

    Args:
        carry: carries operations out, and returns their results in order.
    """

    def __init__(self, carry: Callable[[Sequence[Any]], Awaitable[list[Any]]]) -> None:
        self._carry = carry
        # Without a reference to a loop that has ended, in tests for example.
        self._lines: WeakKeyDictionary[asyncio.AbstractEventLoop, list[_Waiting]] = (
            WeakKeyDictionary()
        )
        self._workers: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Task[None]] = (
            WeakKeyDictionary()
        )

    async def submit(self, operations: list[Any]) -> list[Any]:
        """Returns the results of operations, in order.

        Raises:
            Exception: what the operations raise; an error of some other task's operations is not raised here.
        """
        loop = asyncio.get_running_loop()
        waiting = _Waiting(operations, loop.create_future())
        line = self._lines.setdefault(loop, [])
        line.append(waiting)
        worker = self._workers.get(loop)
        if worker is None or worker.done():
            # Begins in the next step of the loop, so that all of this step are in its first batch.
            self._workers[loop] = loop.create_task(self._work(line))
        return await waiting.done

    async def _work(self, line: list[_Waiting]) -> None:
        batch: list[_Waiting] = []
        try:
            while line:
                batch, line[:] = [each for each in line if not each.done.done()], []
                await self._do(batch)
        finally:
            for each in (*batch, *line):  # the loop is being closed
                each.done.cancel()
            line.clear()

    async def _do(self, batch: list[_Waiting]) -> None:
        """Carries a batch out; if it is refused for one of its operations, each caller's part by itself."""
        try:
            results = await self._carry([one for each in batch for one in each.operations])
        except Exception as error:  # whatever it is, its callers have to hear of it
            # Writes come last and in one step. So nothing is written, but after these two, nobody can tell or it is.
            if len(batch) == 1 or isinstance(error, (StoreUnavailable, NotDurable)):
                _fail(batch, error)
                return
            for each in batch:
                await self._do([each])
        else:
            start = 0
            for each in batch:
                end = start + len(each.operations)
                if not each.done.done():
                    each.done.set_result(results[start:end])
                start = end


def _fail(batch: list[_Waiting], error: Exception) -> None:
    for each in batch:
        if not each.done.done():
            each.done.set_exception(error)
