"""Writes that have not reached the server for good: those of an outage, and those that were acknowledged and may be lost."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf
from threading import RLock

from ..forks import guarded
from ..history.authors import this_author
from ..plan import Plan, Signal
from .barrier import Barrier, Held
from .clock import MOST_SKEW
from .commands import Commands
from .failover import Acknowledged, Guard
from .journal import Journal
from .operations import Write
from .replay import Compare
from .runner import RedisRunner

logger = logging.getLogger("tta_memory_nb")


@dataclass(slots=True)
class Outage:
    """An outage that has begun.

    Attributes:
        since: when it began, in Unix seconds.
        reason: what the last try to reach the server has met.
        base: the server's counter as it was seen last before.
        journal: the writes that are pending.
        moved: what `ServerClock.moved` was when the instants in this outage were taken.
        said: how many of them were said to be lost.
        written_since: the earliest instant of a write from before the outage; infinite without one.
        is_watched: whether a thread tries to reach the server.
    """

    since: float
    reason: str
    base: int
    journal: Journal = field(repr=False)
    moved: float
    said: int = 0
    written_since: float = inf
    is_watched: bool = False

    def move(self, moved: float) -> None:
        """Moves the instants that were taken in this outage, if the server's time is another one.

        Args:
            moved: what `ServerClock.moved` is now.
        """
        seconds = moved - self.moved
        if abs(seconds) <= MOST_SKEW:
            return
        self.moved = moved
        self.journal.move(self.first, seconds)
        self.since += seconds
        self.written_since += seconds

    @property
    def first(self) -> float:
        """The instant from which on writes are pending."""
        return min(self.since, self.written_since)


OWING: set[Unsettled] = set()
"""Those with pending writes, which have to reach the server even if nobody has the memory any more."""


class Unsettled:
    """What one store has written and must not lose.

    Args:
        commands: what asks the server.
        runner: knows whether another server may take the place of the one that was asked.
        barrier: waits until what the server has acknowledged is durable; None if nobody asks for it.
        shown: the server's address, without any password.

    Attributes:
        current: the outage there is, or None.
        ended: how many outages have ended.
        lock: held while an outage begins or ends, and while a verb is carried out in one.
        shown: the server's address, without any password.
        keeps: whether what was acknowledged has to be kept, because the server may lose it, or another one
            may take its place.
    """

    def __init__(
        self, commands: Commands, runner: RedisRunner, barrier: Barrier | None, shown: str
    ) -> None:
        self.current: Outage | None = None
        self.ended = 0
        self.lock = guarded(RLock(), 1)
        self.shown = shown
        self._commands = commands
        self._barrier, self._may_fail_over = barrier, runner.may_fail_over
        self.keeps = self._may_fail_over or barrier is not None
        self._acknowledged = Acknowledged() if self.keeps else None
        # How many times the server has come back older, as far as the writes that are kept were sent again.
        self._setbacks = 0
        self._guard = Guard(self._acknowledged, self.lock)
        # Gives what compares pending writes with tombstones; None if no memory has said how, or nobody has it any more.
        self._comparing: Callable[[], Compare | None] = _nobody
        self._compare: Compare | None = None
        # Replaced by another one when the memory is used again.
        self._closed = Signal()

    @property
    def pending(self) -> int:
        """How many records are pending for the server."""
        return self.current.journal.size if self.current else 0

    # ---- writes of an outage

    def owe(self, outage: Outage, write: Write) -> None:
        """Has a write of an outage reach the server when it is back."""
        self._sign(write)
        outage.journal.add(write)
        self._compare = self._comparing()  # it is needed as long as writes are pending
        OWING.add(self)

    def _owe_nothing(self) -> None:
        OWING.discard(self)
        self._compare = None

    def _sign(self, write: Write) -> None:
        """Notes who makes a write, if the server is to know."""
        if not write.author and self._commands.history is not None:
            write.author = this_author()

    # ---- the server loses what it has acknowledged, or another one takes its place

    def _check(self) -> None:
        """Asks whether the server is still the primary, and brings what another one may lack."""
        raise NotImplementedError

    def keep(self, writes: list[Write], write_id: int, ended: int, base: int, at: float) -> bool:
        """Keeps what a server has acknowledged, in case that it is lost.

        Args:
            writes: what was written.
            write_id: the id under which it was sent.
            ended: how many outages had ended when the server was asked.
            base: the server's counter then.
            at: the instant then.

        Returns:
            Whether the server still counts.
        """
        assert self._acknowledged is not None
        with self.lock:
            if self.current is not None or ended != self.ended:
                return False
            for write in writes:
                write.at = at
                self._sign(write)
            if writes:
                writes[0].write_id = write_id
            self._acknowledged.add(writes, base)
            if self._barrier is not None:
                self._commands.incarnation.has_writes_waiting = True
        if self._may_fail_over and not self._guard.is_on:
            self._reopen()
            self._guard.begin(self._check, lambda: self._closed)
        return True

    def _reopen(self) -> None:
        """Has threads try again after the memory was closed."""
        if self._closed.is_set:
            self._closed = Signal()

    @property
    def keeps_much(self) -> bool:
        """Whether more is kept than half of what can be."""
        return self._acknowledged is not None and self._acknowledged.is_half_full

    def _counts(self, held: Held, ended: int) -> bool:
        assert self._acknowledged is not None
        with self.lock:
            setbacks = self._commands.incarnation.setbacks
            if self.current is not None or ended != self.ended:
                return False
            if setbacks != self._setbacks and self._acknowledged:
                return False
            self._setbacks = setbacks
            if not held.reason:
                self._commands.write_ids.confirm(held.asked)
                if not self._may_fail_over:
                    self._acknowledged.confirm(held.asked, margin=0.0)
            if not self._acknowledged:
                self._commands.incarnation.has_writes_waiting = False
        return True

    def _hold(self, replayed: int) -> Plan[None]:
        """Waits until the writes of an outage are durable, and says if they are not."""
        if self._barrier is None or not replayed:
            return
        ended = self.ended
        held = yield from self._barrier.hold()
        if self._counts(held, ended) and held.reason:
            logger.warning(
                "%s is back and %d writes have reached it, but durability='%s' does not hold for them: %s",
                self.shown,
                replayed,
                self._barrier.durability,
                held.reason,
            )

    def _take_back(self, outage: Outage) -> None:
        """Has the journal bring what another server may lack, although it was acknowledged."""
        if not self._acknowledged:
            return
        # Other clients may have written to that server meanwhile, so the newest instant wins.
        outage.base = min(outage.base, self._acknowledged.base or 0)
        writes = self._acknowledged.writes()
        outage.written_since = min(outage.first, *(write.at for write in writes))
        self._commands.write_ids.reopen(write.write_id for write in writes if write.write_id)
        for write in writes:
            self.owe(outage, write)
        # Last: an interrupt before this has the next try take them back once more.
        self._acknowledged.forget()


def _nobody() -> None:
    """Returns None: no memory has said how writes are compared."""
