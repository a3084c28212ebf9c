"""What a server has acknowledged last, so that it can be written again if it is lost.

Servers replicate after they have acknowledged. When another one becomes the primary, what was
acknowledged last may be missing there, and what the one before goes on to acknowledge is thrown
away. So the writes of the last seconds are kept here until nobody can have lost them. Of a memory that promises more
durability than the memory of a server, they are kept until a barrier covers them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, suppress
from functools import partial
from threading import Thread
from time import monotonic
from typing import Any

from ...errors import ServerError, StoreUnavailable
from ..plan import Signal
from .operations import Write

CHECKED_EVERY = 1.0
"""Seconds between two questions whether the server is still the primary."""

# A server is another one's successor for some seconds before Sentinels or nodes say so.
_MARGIN = 10.0

# So many records, and bytes of their texts, are kept at most; then the oldest are dropped.
_MOST, _MOST_BYTES = 50_000, 64_000_000


class Acknowledged:
    """Writes that one server has acknowledged, and that another one may lack, the oldest first.

    Attributes:
        base: the server's counter before the oldest of them.
    """

    def __init__(self) -> None:
        # When each was acknowledged, the counter before, and the write.
        self._writes: deque[tuple[float, int, Write]] = deque()
        self._size = self._weight = 0

    def __len__(self) -> int:
        return len(self._writes)

    @property
    def base(self) -> int | None:
        """The server's counter before the oldest write; None if there is none."""
        return self._writes[0][1] if self._writes else None

    def add(self, writes: Iterable[Write], base: int) -> None:
        """Adds writes that were acknowledged just now.

        Args:
            writes: under the ids that they were sent with.
            base: the server's counter as it was seen before they were sent.
        """
        now = monotonic()
        for write in writes:
            self._writes.append((now, base, write))
            self._size += write.size
            self._weight += write.weight
        while self._size > _MOST or self._weight > _MOST_BYTES:
            self._drop_oldest()

    @property
    def is_half_full(self) -> bool:
        """Whether there are more than half as many as can be."""
        return self._size > _MOST // 2 or self._weight > _MOST_BYTES // 2

    def confirm(self, asked: float, margin: float = _MARGIN) -> None:
        """Drops what cannot be lost, since the server was still the primary, or has it on its disk or replicas.

        Args:
            asked: when that was found out, in seconds of the monotonic clock.
            margin: how many seconds before that it has to be acknowledged.
        """
        while self._writes and self._writes[0][0] <= asked - margin:
            self._drop_oldest()

    def writes(self) -> list[Write]:
        """Returns all writes."""
        return [write for _, _, write in self._writes]

    def forget(self) -> None:
        """Forgets all writes."""
        self._size = self._weight = 0
        self._writes.clear()

    def _drop_oldest(self) -> None:
        _, _, write = self._writes.popleft()
        self._size -= write.size
        self._weight -= write.weight


class Guard:
    """A thread that asks whether a server is still the primary, as long as another one may lack a write.

    Args:
        acknowledged: what another server may lack.
        lock: held while the thread decides to end.

    Attributes:
        is_on: whether there is a thread.
    """

    def __init__(
        self, acknowledged: Acknowledged | None, lock: AbstractContextManager[Any]
    ) -> None:
        self.is_on = False
        self._acknowledged = acknowledged
        self._lock = lock

    def begin(self, check: Callable[[], None], closed: Callable[[], Signal]) -> None:
        """Starts the thread, unless there is one.

        Args:
            check: asks; it may raise `StoreUnavailable` and `ServerError`.
            closed: gives the signal that is set when the memory is closed; another one when it is used
                again.
        """
        starts = False
        try:
            with self._lock:
                starts = not self.is_on
                self.is_on = True
            if starts:
                work = partial(self._run, check, closed)
                Thread(target=work, name="tta-memory-failover", daemon=True).start()
        except BaseException as error:
            if starts:
                self.is_on = False  # the next write starts a thread
            if not isinstance(error, RuntimeError):  # the interpreter is shutting down
                raise

    def _run(self, check: Callable[[], None], closed: Callable[[], Signal]) -> None:
        while True:
            signal = closed()
            signal.wait(CHECKED_EVERY)
            with suppress(StoreUnavailable, ServerError):
                check()
            with self._lock:
                if not self._acknowledged or (signal.is_set and signal is closed()):
                    self.is_on = False
                    return
