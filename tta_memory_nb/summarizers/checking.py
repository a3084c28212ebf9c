"""Asks a summarizer, within a time limit, and checks what it answers.

A summarizer is foreign code: it may raise, hang, or give something else than a text. Then nothing is written.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Sequence
from contextvars import copy_context
from threading import Lock, Thread
from typing import Any

from ..errors import SummarizerError, harmless
from ..imported import imported
from ..record import MemoryRecord
from .base import Summarizer

MOST_CHARACTERS = 1_000_000
"""A longer summary is refused: it would not be one, and no prompt could hold it."""


class Asked:
    """A summarizer whose answers are checked.

    Args:
        summarizer: the summarizer.
        timeout: seconds that it may take.
    """

    def __init__(self, summarizer: Summarizer, timeout: float) -> None:
        self._summarizer = summarizer
        self._timeout = timeout

    @property
    def caller(self) -> Any:
        """What a runner calls or awaits for the text of a summary: `call` or `call_async`."""
        asked = self._summarizer
        is_async = inspect.iscoroutinefunction(asked) or inspect.iscoroutinefunction(
            getattr(type(asked), "__call__", None)  # noqa: B004  not asked whether it can be called
        )
        return self.call_async if is_async else self.call

    def call(self, records: Sequence[MemoryRecord]) -> str | Awaitable[str]:
        """Returns the summary of records; the calling thread waits, at most for the time limit.

        Raises:
            SummarizerError: the summarizer raises, takes too long, or gives no text.
        """
        answers: list[Any] = []
        done = Lock()
        done.acquire()

        run = copy_context().run

        def ask() -> None:
            try:
                answers.append(run(self._summarizer, records))
            except BaseException as error:  # a thread of its own must not end with a traceback
                answers.append(error)
            done.release()

        # Not a pool: a call that hangs would keep one of its threads, and the process, for ever.
        Thread(target=ask, name="tta-memory-summarizer", daemon=True).start()
        if not done.acquire(timeout=self._timeout):
            raise self._late()
        answer = answers[0]
        if isinstance(answer, BaseException):
            raise _failed(answer) from answer
        return self._awaited(answer) if inspect.isawaitable(answer) else checked(answer)

    async def call_async(self, records: Sequence[MemoryRecord]) -> str:
        """Returns the summary of records from an async summarizer, awaited on the running loop.

        Raises:
            SummarizerError: as `call`.
        """
        try:
            answer = self._summarizer(records)
        except Exception as error:
            raise _failed(error) from error
        return await self._awaited(answer)  # type: ignore[arg-type]  # it is an async function

    async def _awaited(self, answer: Awaitable[str]) -> str:
        try:
            text = await _within(answer, self._timeout)
        except TimeoutError as error:
            raise self._late() from error
        except Exception as error:  # whatever the summarizer raises
            raise _failed(error) from error
        return checked(text)

    def _late(self) -> SummarizerError:
        return SummarizerError(
            f"summarizer: no answer within {self._timeout:g} s, so nothing was written; give a longer timeout="
        )


def checked(text: Any) -> str:
    """Returns the text of a summary.

    Raises:
        SummarizerError: it is no text, an empty or a huge one.
    """
    if not isinstance(text, str):
        raise SummarizerError(
            f"summarizer: it gave <{type(text).__name__}>, so nothing was written; it must turn a list of records "
            "into text"
        )
    if not text.strip():
        raise SummarizerError("summarizer: it gave an empty text, so nothing was written")
    if len(text) > MOST_CHARACTERS:
        raise SummarizerError(
            f"summarizer: it gave {len(text):,} characters, so nothing was written; a summary has at most "
            f"{MOST_CHARACTERS:,}"
        )
    return text


def _failed(error: BaseException) -> SummarizerError:
    if isinstance(error, SummarizerError):
        return error
    said = harmless(" ".join(f"{type(error).__name__}: {error}".split()))
    return SummarizerError(f"summarizer: it failed, so nothing was written ({said[:300]})")


async def _within(answer: Awaitable[str], seconds: float) -> str:
    """Awaits for a limited time on asyncio or trio, and without a limit where no loop runs."""
    import asyncio

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        trio = imported("trio")
        limit = None if trio is None else getattr(trio, "fail_after", None)
        if limit is None:
            return await answer
        try:
            with limit(seconds):
                return await answer
        except getattr(trio, "TooSlowError", TimeoutError) as error:
            raise TimeoutError from error
    async with asyncio.timeout(seconds):
        return await answer
