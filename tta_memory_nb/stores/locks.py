"""Locks that an interrupt cannot leave taken: an advisory lock, and slots for a limited number of threads.

Ctrl-C raises `KeyboardInterrupt` between any two steps of Python code. In the middle of `threading.Semaphore`
or `concurrent.futures.Future`, which are Python code around a lock, it leaves that lock taken, and whoever
asks for it next waits for ever. So these classes take only locks of C, with ``with``. Who takes something
makes an object for it before; a ``try`` around everything that follows gives it back.
"""

from __future__ import annotations

import os
from collections import deque
from contextlib import suppress
from threading import Lock, get_ident
from time import monotonic

from .plan import Plan, Signal, WaitFor

# A waiter looks this often whether there is a slot, in case that whoever had one was interrupted.
_LOOK_AGAIN = 0.1


class Ticket(Signal):
    """A place in the queue for an `AdvisoryLock`; it is set when the lock was granted.

    Attributes:
        thread: identifier of the thread that waits for the lock and then uses it.
    """

    __slots__ = ("thread",)

    def __init__(self) -> None:
        super().__init__()
        self.thread = get_ident()


class AdvisoryLock:
    """Advisory lock shared by threads and tasks, first come first served.

    It avoids duplicate work but guarantees nothing. A holder that makes no progress for the time that
    a waiter waits has been interrupted, or is far too slow; then the waiter takes the lock over.

        ticket = Ticket()
        try:
            if (yield from lock.acquire(ticket, seconds)):
                ...
        finally:
            lock.held.discard(ticket)
            lock.release(ticket)

    Attributes:
        held: the ticket that holds the lock, if any. To discard it is a single step, so an interrupt
            comes before it or after it.
    """

    def __init__(self) -> None:
        self._reset()

    def _reset(self) -> None:
        self._pid = os.getpid()
        self._guard = Lock()
        self._queue: deque[Ticket] = deque()
        self.held: set[Ticket] = set()
        self._steps = 0

    def acquire(self, ticket: Ticket, seconds: float) -> Plan[bool]:
        """Waits for the lock.

        Args:
            ticket: has to be given to `release` afterwards, whatever has happened.
            seconds: how long to wait while the lock is not granted to anyone and its holder reports
                no progress.

        Returns:
            Whether the ticket holds the lock; False if the wait could only end when this thread goes
            on.
        """
        if self._pid != os.getpid():
            self._reset()  # the holder's thread does not exist in a forked process
        with self._guard:
            if not self.held:
                self._grant(ticket)
                return True
            self._queue.append(ticket)
        before, has_waited, holder = -1, False, None
        # A thread may wait for a task that waits for this very thread; then there is no progress.
        while not ticket.is_set and before != self._steps:
            before, holder = self._steps, next(iter(self.held.copy()), None)
            began = monotonic()
            yield WaitFor(ticket, seconds, ticket.thread if holder is None else holder.thread)
            has_waited = monotonic() - began >= 0.9 * seconds
        with self._guard:
            if has_waited and not ticket.is_set and self.held <= {holder}:
                self._grant(ticket)
        return ticket.is_set

    def progress(self) -> None:
        """Reports that the holder has done a part of its work, so that waiters wait on."""
        self._steps += 1

    def release(self, ticket: Ticket) -> None:
        """Releases the lock, or leaves its queue; a second time it does nothing."""
        with self._guard:
            with suppress(ValueError):
                self._queue.remove(ticket)
            self.held.discard(ticket)
            if not self.held and self._queue:
                self._grant(self._queue.popleft())

    def _grant(self, ticket: Ticket) -> None:
        self.held.clear()
        self.held.add(ticket)
        self._steps += 1
        ticket.set()


class Slots:
    """Room for a limited number of threads at the same time.

        slot = Slot()
        try:
            if slots.take(slot, seconds):
                ...
        finally:
            slots.taken.discard(slot)
            slots.wake()

    Args:
        most: how many slots there are.

    Attributes:
        taken: the slots that are taken. To discard one is a single step, so an interrupt comes before
            it or after it.
    """

    def __init__(self, most: int) -> None:
        self.taken: set[Slot] = set()
        self._most = most
        self._guard = Lock()
        self._waiting: deque[Signal] = deque()

    def take(self, slot: Slot, seconds: float) -> bool:
        """Takes a slot, if there is one within so many seconds; returns whether it was taken."""
        if self.try_take(slot):
            return True
        until = monotonic() + seconds
        while (left := until - monotonic()) > 0:
            signal = Signal()
            self._waiting.append(signal)
            if not self.try_take(slot):
                signal.wait(min(left, _LOOK_AGAIN))
                if not self.try_take(slot):
                    continue
            return True
        return False

    def try_take(self, slot: Slot) -> bool:
        """Takes a slot, if there is one now; returns whether it was taken."""
        with self._guard:
            if len(self.taken) >= self._most:
                return False
            self.taken.add(slot)
            return True

    def wake(self) -> None:
        """Lets a waiting thread look for a slot."""
        if self._waiting:
            with suppress(IndexError):  # another thread has taken the last one meanwhile
                self._waiting.popleft().set()


class Slot:
    """A slot, or the wish for one."""

    __slots__ = ()
