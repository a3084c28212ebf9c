"""The thread that does an explorer's work, so that neither a cell nor the front end waits for it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from threading import Condition, Thread, current_thread
from time import monotonic


class Worker:
    """Does jobs in turn, and looks around in between.

    The thread is there from the first job until it is stopped, and does not keep Python alive.

    Args:
        look: called when woken and now and then; gives the seconds until the next time at the
            latest. What it raises is its own affair: it should raise nothing.
        beat: called between jobs and looks, whatever they are about; it should raise nothing either.
        every: seconds between two beats, at least.
    """

    def __init__(self, look: Callable[[], float], beat: Callable[[], None], every: float) -> None:
        self._look = look
        self._beat = beat
        self._every = every
        self._turn = Condition()
        self._jobs: deque[Callable[[], None]] = deque()
        self._is_woken = False
        self._is_stopped = False
        self._thread: Thread | None = None

    @property
    def is_here(self) -> bool:
        """Whether the caller is this thread."""
        return current_thread() is self._thread

    def do(self, job: Callable[[], None]) -> None:
        """Has a job done soon, after those before it."""
        with self._turn:
            self._jobs.append(job)
            self._start()
            self._turn.notify()

    def wake(self) -> None:
        """Has it look around soon."""
        with self._turn:
            self._is_woken = True
            self._start()
            self._turn.notify()

    def stop(self) -> None:
        """Ends the thread after what it is doing; another job starts another one."""
        with self._turn:
            self._is_stopped = True
            self._thread = None
            self._turn.notify()

    def _start(self) -> None:
        if self._thread is None:
            self._is_stopped = False
            self._thread = Thread(target=self._run, name="tta-memory-explorer", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        me = current_thread()
        next_look = monotonic()
        next_beat = next_look + self._every
        while True:
            with self._turn:
                if not self._jobs and not self._is_woken:
                    self._turn.wait(max(0.0, min(next_look, next_beat) - monotonic()))
                if self._is_stopped or self._thread is not me:
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
