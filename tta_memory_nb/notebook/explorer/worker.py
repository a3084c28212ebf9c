"""A thread that runs jobs in order, so that neither a cell nor a message from the front end waits."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from math import inf
from threading import TIMEOUT_MAX, Condition, Thread, current_thread
from time import monotonic

from ...errors import TTAMemoryError
from ...memory.tracing.cells import ASIDE, set_cell

logger = logging.getLogger("tta_memory_nb")

PATIENCE = 4
"""The pause after a look is at least so many times as long as the look, so that looking never keeps a core or a server busy."""

_NOW_AND_THEN, _FAILED_PAUSE = 2.0, 30.0
"""Seconds, at least, between two looks at what changes seldom, and after one that has failed."""


def _never() -> float:
    return inf


def _nothing() -> None:
    pass


class Worker:
    """Runs jobs in the order in which they were given, and calls two functions periodically.

    The thread exists from the first job until `finish` or `stop`, and does not keep Python alive.
    A job must not raise: an exception would end the thread.

    Args:
        look: called after `wake` and again after the number of seconds it returned; None for a
            worker that only runs jobs. It must not raise.
        beat: called between jobs and looks. It must not raise.
        every: seconds between two calls of ``beat``, at least.
    """

    def __init__(
        self,
        look: Callable[[], float] = _never,
        beat: Callable[[], None] = _nothing,
        every: float = inf,
    ) -> None:
        self._look = look
        self._beat = beat
        self._every = every
        self._condition = Condition()
        self._jobs: deque[Callable[[], None]] = deque()
        self._is_woken = False
        self._is_finishing = False
        self._is_stopped = False
        self._thread: Thread | None = None

    def do(self, job: Callable[[], None]) -> None:
        """Runs a job soon, after the jobs given before it."""
        with self._condition:
            self._jobs.append(job)
            self._start()
            self._condition.notify()

    def wake(self) -> None:
        """Calls ``look`` soon, after the jobs given before."""
        with self._condition:
            self._is_woken = True
            self._start()
            self._condition.notify()

    def finish(self) -> None:
        """Ends the thread once all jobs are done. A later job starts another thread."""
        with self._condition:
            self._is_finishing = True
            self._condition.notify()

    def stop(self) -> None:
        """Ends the thread once its present job is done. A later job starts another thread."""
        with self._condition:
            self._is_stopped = True
            self._thread = None
            self._condition.notify()

    def _start(self) -> None:
        self._is_finishing = False
        if self._thread is None:
            self._is_stopped = False
            self._thread = Thread(target=self._run, name="tta-memory-explorer", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        set_cell(ASIDE)  # a trace shows what cells ask, and not what is asked to show a table
        me = current_thread()
        next_look = monotonic()
        next_beat = next_look + self._every
        while True:
            with self._condition:
                if not (self._jobs or self._is_woken or self._is_finishing):
                    pause = min(next_look, next_beat) - monotonic()
                    self._condition.wait(min(max(0.0, pause), TIMEOUT_MAX))
                if self._is_stopped or self._thread is not me:
                    return
                if self._is_finishing and not self._jobs:
                    self._thread = None
                    return
                job = self._jobs.popleft() if self._jobs else None
                is_looking = job is None and (self._is_woken or monotonic() >= next_look)
                if is_looking:
                    self._is_woken = False
            if job is not None:
                job()
            elif is_looking:
                next_look = monotonic() + self._look()
            if monotonic() >= next_beat:
                self._beat()
                next_beat = monotonic() + self._every


class NowAndThen:
    """Looks at what changes seldom: not at every call, and less often if that takes long or has failed.

    Args:
        look: looks, and returns whether anything has changed.
        publish: called if anything has.
        patience: the pause after a look is at least so many times as long as the look.
    """

    def __init__(
        self, look: Callable[[], bool], publish: Callable[[], None], patience: float = PATIENCE
    ) -> None:
        self._look = look
        self._patience = patience
        self._publish = publish
        self._next = 0.0

    def look(self) -> None:
        """Looks, if it is time to."""
        started = monotonic()
        if started < self._next:
            return
        try:
            if self._look():
                self._publish()
        except TTAMemoryError as error:  # such as a server that does not allow another namespace
            logger.debug("what changes seldom cannot be looked up", exc_info=error)
            self._next = started + _FAILED_PAUSE
            return
        ended = monotonic()
        self._next = ended + max(_NOW_AND_THEN, self._patience * (ended - started))

    def hurry(self) -> None:
        """Has the next call look."""
        self._next = 0.0
