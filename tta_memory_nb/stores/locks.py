"""An advisory lock for tasks of any event loop and for threads, first come first served."""

from __future__ import annotations

import os
from collections import deque
from concurrent.futures import Future
from threading import Lock, get_ident

from .plan import Plan, WaitFor


class Ticket(Future[None]):
    """A place in the queue for an `AdvisoryLock`; the future is done when the lock was granted.

    Attributes:
        thread: identifier of the thread that waits for the lock and then uses it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.thread = get_ident()


class AdvisoryLock:
    """Advisory lock shared by threads and tasks.

    It avoids duplicate work but guarantees nothing: after a timeout without any progress the waiter
    proceeds anyway, with a ticket that is not done.
    """

    def __init__(self) -> None:
        self._reset()

    def _reset(self) -> None:
        self._pid = os.getpid()
        self._guard = Lock()
        self._queue: deque[Ticket] = deque()
        self._holder: Ticket | None = None
        self._steps = 0

    def acquire(self, seconds: float) -> Plan[Ticket]:
        """Waits for the lock.

        Args:
            seconds: how long to wait while the lock is not granted to anyone and its holder reports
                no progress.

        Returns:
            A ticket, which has to be given to `release`. It is done if it holds the lock; if it is
            not, the wait has timed out, or could only end when this thread goes on.
        """
        if self._pid != os.getpid():
            self._reset()  # the holder's thread does not exist in a forked process
        ticket = Ticket()
        with self._guard:
            if self._holder is None:
                self._grant(ticket)
                return ticket
            self._queue.append(ticket)
        try:
            before = -1
            # A thread may wait for a task that waits for this very thread; then there is no progress.
            while not ticket.done() and before != self._steps:
                before, holder = self._steps, self._holder
                yield WaitFor(ticket, seconds, ticket.thread if holder is None else holder.thread)
        except BaseException:  # the cancellation of a task as well
            self.release(ticket)
            raise
        return ticket

    def progress(self) -> None:
        """Reports that the holder has done a part of its work, so that waiters wait on."""
        self._steps += 1

    def release(self, ticket: Ticket) -> None:
        """Releases the lock, or leaves its queue; a second time it does nothing."""
        with self._guard:
            if ticket is not self._holder:
                if ticket in self._queue:
                    self._queue.remove(ticket)
                return
            self._holder = None
            if self._queue:
                self._grant(self._queue.popleft())

    def _grant(self, ticket: Ticket) -> None:
        self._holder = ticket
        self._steps += 1
        ticket.set_result(None)
