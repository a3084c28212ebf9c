"""Taking turns, of tasks of any loop and of threads."""

from __future__ import annotations

import os
from collections import deque
from concurrent.futures import Future
from threading import Lock, get_ident

from .plan import Plan, Until


class Turn(Future[None]):
    """Done when it has come.

    Attributes:
        thread: where it is used.
    """

    def __init__(self) -> None:
        super().__init__()
        self.thread = get_ident()


class Turns:
    """Lets one after the other do what would only undo, or repeat, the work of all others if done at once.

    It is a courtesy and no lock: whoever has waited in vain gets a turn that has not come, and may go ahead.
    """

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._lock = Lock()
        self._waiting: deque[Turn] = deque()
        self._holder: Turn | None = None
        self._count = 0

    def wait(self, seconds: float) -> Plan[Turn]:
        """Waits for a turn, which has to be given back by `leave`, even if it has not come.

        Args:
            seconds: how long to wait while nobody's turn comes and nobody gets on.
        """
        if self._pid != os.getpid():
            self._begin()  # in a fork, nobody has the turn that was taken before
        turn = Turn()
        with self._lock:
            if self._holder is None:
                self._grant(turn)
                return turn
            self._waiting.append(turn)
        try:
            before = -1
            # A thread may wait for a task that waits for this very thread; then nothing moves.
            while not turn.done() and before != self._count:
                before, holder = self._count, self._holder
                yield Until(turn, seconds, turn.thread if holder is None else holder.thread)
            if turn.done():
                turn.result()  # raises what `fail` has said
        except BaseException:  # a cancelled task as well
            self.leave(turn)
            raise
        return turn

    def get_on(self) -> None:
        """Says that something was done in this turn, so that it is worth waiting for the rest."""
        self._count += 1

    def leave(self, turn: Turn) -> None:
        """Gives a turn back, or waits no more for it."""
        with self._lock:
            if turn is not self._holder:
                if turn in self._waiting:
                    self._waiting.remove(turn)
                return
            self._holder = None
            if self._waiting:
                self._grant(self._waiting.popleft())

    def _grant(self, turn: Turn) -> None:
        self._holder = turn
        self._count += 1
        turn.set_result(None)

    def fail(self, turn: Turn, error: Exception) -> None:
        """Lets those that wait behind a turn know what they would meet with as well, one timeout later."""
        with self._lock:
            if turn is self._holder:
                for each in self._waiting:
                    each.set_exception(type(error)(str(error)))
                self._waiting.clear()
