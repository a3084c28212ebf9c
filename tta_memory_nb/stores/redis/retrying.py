"""A thread that tries to reach a server until it is back."""

from __future__ import annotations

import random
from contextlib import suppress
from threading import Thread
from typing import Protocol
from weakref import ref

from ..plan import Signal

# Seconds between two tries to reach the server, and how they grow.
_FIRST_DELAY, _LONGEST_DELAY, _GROWTH = 0.05, 2.0, 1.6


class Retrying(Protocol):
    """What waits for a server."""

    def try_again(self) -> bool:
        """Tries to reach the server; returns whether it is back."""
        ...


def retry(waiting: Retrying, closed: Signal) -> None:
    """Starts a thread that tries again and again, until success or until nobody has what waits any more.

    Args:
        waiting: what waits for the server.
        closed: ends the thread.
    """
    with suppress(RuntimeError):  # the interpreter is shutting down
        Thread(
            target=_retry, args=(ref(waiting), closed), name="tta-memory-reconnect", daemon=True
        ).start()


def _retry(waiting: ref[Retrying], closed: Signal) -> None:
    delay = _FIRST_DELAY
    # Many clients that have lost one server must not come back at the same instants. A generator
    # of its own: a user who has seeded the common one wants the same numbers each time.
    chance = random.Random()  # noqa: S311
    while True:
        closed.wait(delay * chance.uniform(0.7, 1.3))
        if closed.is_set:
            return
        there = waiting()
        if there is None or there.try_again():
            return
        del there
        delay = min(delay * _GROWTH, _LONGEST_DELAY)
