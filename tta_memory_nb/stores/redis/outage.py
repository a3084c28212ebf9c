"""What happens when the server is away: work goes on in memory, and nothing acknowledged is lost.

An **outage** begins with a `StoreUnavailable`: no connection, no answer in time, or a server that is
loading, read-only or without a primary. From then on the store is **degraded**: reads are answered
from what this process knows, and writes go to memory and, with their instants, to a **journal**. When
the server is back, the journal is replayed, the oldest write first, before anything else is asked;
then the server counts again. A write that was in flight when the connection broke may have been
applied or not: it goes to the journal under the write id it was sent with, and the server applies no
id twice.

Any other error of the server is raised to the caller, and begins no outage.
"""

from __future__ import annotations

import atexit
import logging
import random
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain
from threading import Event, RLock, Thread
from typing import Any, TypeVar
from weakref import WeakSet

from ...errors import ServerError, StoreUnavailable
from ...times import shown_instant
from ..base import Clock, OutagePolicy
from ..locks import AdvisoryLock
from ..plan import Plan, Runner
from .clock import MOST_SKEW
from .commands import Commands
from .operations import BATCH, MOST_BYTES, Write
from .partial import Replicas

logger = logging.getLogger("tta_memory_nb")

T = TypeVar("T")

MOST_PENDING = 100_000
"""So many records may be pending for the server."""

# Seconds between two tries to reach the server, and how they grow.
_FIRST_DELAY, _LONGEST_DELAY, _GROWTH = 0.05, 2.0, 1.6


class Journal:
    """Writes that are pending for the server, the oldest first.

    Args:
        on_settled: called with the id of each write that is not pending any more.

    Attributes:
        size: how many records are pending.
    """

    def __init__(self, on_settled: Callable[[int], None]) -> None:
        self._writes: OrderedDict[int, Write] = OrderedDict()
        # Writes that were not sent, by key: a later write to the same key replaces them.
        self._unsent: dict[str, int] = {}
        self._on_settled = on_settled
        self.size = 0

    def add(self, write: Write) -> None:
        """Puts a write behind all others."""
        if write.kind == "clear":
            for earlier in [each for each in self._writes.values() if not each.may_be_done]:
                if earlier.kind != "resize":
                    self.remove(earlier)
        key = write.only_key
        if key is not None:
            if key in self._unsent:
                self.remove(self._writes[self._unsent[key]])
            if not write.may_be_done:
                self._unsent[key] = write.write_id
        for other in () if key is not None else chain((e.key for e in write.entries), write.keys):
            self._unsent.pop(other, None)  # that write is sent before this one
        self._writes[write.write_id] = write
        self.size += write.size

    def remove(self, write: Write) -> None:
        """Takes a write out."""
        del self._writes[write.write_id]
        self._forget_key(write)
        self.size -= write.size
        self._on_settled(write.write_id)

    def move(self, since: float, seconds: float) -> None:
        """Moves the instants of all writes; of their entries, those that are not earlier than `since`."""
        for write in self._writes.values():
            write.at += seconds
            for entry in {id(entry): entry for entry in (*write.entries, *write.kept)}.values():
                if entry.updated_at < since:  # an imported one
                    continue
                entry.updated_at += seconds
                if entry.created_at is not None and entry.created_at >= since:
                    entry.created_at += seconds
                if entry.expires_at is not None:
                    entry.expires_at += seconds

    def _forget_key(self, write: Write) -> None:
        key = write.only_key
        if key is not None and self._unsent.get(key) == write.write_id:
            del self._unsent[key]

    def next(self) -> list[Write]:
        """Returns the writes to send next: one of any kind, or some that can be sent together."""
        taken: list[Write] = []
        size = weight = 0
        for write in self._writes.values():
            alone = write.kind in ("clear", "resize")
            texts = sum(len(entry.text) for entry in write.entries)
            if taken and (alone or size + write.size > BATCH or weight + texts > MOST_BYTES):
                break
            taken.append(write)
            size, weight = size + write.size, weight + texts
            if alone:
                break
        for write in taken:
            write.may_be_done = True
            self._forget_key(write)
        return taken


@dataclass(slots=True)
class Outage:
    """An outage that has begun.

    Attributes:
        since: when it began, in Unix seconds.
        reason: what the last try to reach the server has met.
        base: the server's counter as it was seen last before.
        journal: the writes that are pending.
    """

    since: float
    reason: str
    base: int
    journal: Journal = field(repr=False)

    def move(self, seconds: float) -> None:
        """Moves the instants that were taken in this outage, by a clock that was not the server's."""
        if abs(seconds) <= MOST_SKEW:
            return
        self.journal.move(self.since, seconds)
        self.since += seconds


_open: WeakSet[Outages] = WeakSet()


class Outages:
    """Begins and ends the outages of one store, and decides where its verbs are carried out.

    Args:
        commands: what asks the server.
        replicas: what this process knows, which work goes on with.
        runner: carries out what no caller waits for: it tries to reach the server again.
        clock: gives Unix seconds.
        timeout: seconds to wait for another task that is reconnecting.
        shown: the server's address, without any password.
        policy: ``"fallback"``, or ``"raise"`` to have outages raised instead.
        watches: whether a thread tries to reach the server again; tests do it themselves.

    Attributes:
        current: the outage there is, or None.
    """

    def __init__(
        self,
        commands: Commands,
        replicas: Replicas,
        runner: Runner,
        clock: Clock,
        timeout: float,
        *,
        shown: str,
        policy: OutagePolicy = "fallback",
        watches: bool = True,
    ) -> None:
        self.policy = policy
        self.current: Outage | None = None
        self._commands = commands
        self._replicas = replicas
        self._runner = runner
        self._clock = clock
        self._timeout = timeout
        self._shown = shown
        self._watches = watches
        self._lock = RLock()
        self._recovering = AdvisoryLock()
        self._closed = Event()
        _open.add(self)

    @property
    def pending(self) -> int:
        """How many records are pending for the server."""
        outage = self.current
        return outage.journal.size if outage else 0

    def info(self) -> dict[str, Any] | None:
        """Returns what `SyncMemory.outage` does."""
        outage = self.current
        if outage is None:
            return None
        return {
            "degraded_since": outage.since,
            "degraded_because": outage.reason,
            "writes_waiting": outage.journal.size,
        }

    # ---- where a verb is carried out

    def look(self, ask: Callable[[], Plan[T]], offline: Callable[[], T]) -> Plan[T]:
        """Carries a read out: on the server, or with what this process knows.

        Args:
            ask: makes the plan that asks the server.
            offline: answers in an outage.
        """
        while True:
            if self.current is None:
                try:
                    return (yield from ask())
                except StoreUnavailable as error:
                    self._begin(error)
            with self._lock:
                if self.current is not None:
                    return offline()

    def change(
        self,
        ask: Callable[[int], Plan[T]],
        size: int,
        offline: Callable[[int], tuple[T, list[Write]]],
    ) -> Plan[T]:
        """Carries a write out: on the server, or in memory and in the journal.

        Args:
            ask: makes the plan that asks the server, for the id of the write.
            size: how many records the write changes.
            offline: carries it out in memory; returns its result, and what the journal has to keep.
        """
        ids = self._commands.write_ids
        write_id = ids.begin()
        sent = False
        try:
            while True:
                if self.current is None:
                    try:
                        result = yield from ask(write_id)
                    except StoreUnavailable as error:
                        sent = True
                        self._begin(error)
                    else:
                        ids.end(write_id)
                        return result
                with self._lock:
                    if self.current is not None:
                        return self._change_offline(self.current, write_id, sent, size, offline)
        except BaseException:
            ids.end(write_id)
            raise

    def _change_offline(
        self,
        outage: Outage,
        write_id: int,
        sent: bool,
        size: int,
        offline: Callable[[int], tuple[T, list[Write]]],
    ) -> T:
        if outage.journal.size + size > MOST_PENDING:
            raise StoreUnavailable(
                f"{self._shown} has been away since {shown_instant(outage.since)}, and "
                f"{outage.journal.size:,} writes are pending for it, so {size:,} more cannot be "
                "kept; nothing was written: make the server reachable, then call reconnect()"
            )
        result, writes = offline(write_id)
        if not writes:
            self._commands.write_ids.end(write_id)
        for write in writes:
            write.may_be_done = sent and write.write_id == write_id
            outage.journal.add(write)
        return result

    # ---- an outage begins and ends

    def _begin(self, error: StoreUnavailable) -> None:
        """Begins an outage, or raises it, as the policy says."""
        if self.policy == "raise":
            raise error
        with self._lock:
            if self.current is not None:
                self.current.reason = str(error)
                return
            commands = self._commands
            journal = Journal(commands.write_ids.end)
            self._replicas.detach(commands.max_size)
            self.current = Outage(self._clock(), str(error), commands.seen, journal)
            self._closed.clear()
        logger.warning(
            "%s; working in memory: what is written now reaches the server when it is back", error
        )
        if self._watches:
            with suppress(RuntimeError):  # the interpreter is shutting down
                Thread(target=self._watch, name="tta-memory-reconnect", daemon=True).start()

    def _watch(self) -> None:
        """Tries to reach the server until it is back."""
        delay = _FIRST_DELAY
        # Many clients that have lost one server must not come back at the same instants. A generator
        # of its own: a user who has seeded the common one wants the same numbers each time.
        chance = random.Random()  # noqa: S311
        while not self._closed.wait(delay * chance.uniform(0.7, 1.3)):
            try:
                if self._runner.run(self.reconnect()):
                    return
            except Exception as error:  # the thread must not die: the next try may succeed
                logger.debug("%s cannot be reached: %s", self._shown, error)
            delay = min(delay * _GROWTH, _LONGEST_DELAY)

    def reconnect(self) -> Plan[bool]:
        """Tries the server now; returns whether the records are on it."""
        ticket = yield from self._recovering.acquire(self._timeout)
        try:
            if not ticket.done():  # another task is at it, which may wait for this very thread
                return self.current is None
            return (yield from self._recover())
        except StoreUnavailable as error:
            self._begin(error)
            return False
        finally:
            self._recovering.release(ticket)

    def _recover(self) -> Plan[bool]:
        outage, commands = self.current, self._commands
        if outage is None:
            yield from commands.ping()
            with suppress(ServerError):  # a verb meets it again and says what is missing
                yield from commands.measure_time()
            return True
        replayed = 0
        try:
            outage.move((yield from commands.measure_time()))
            # Writes nothing, but finds out whether the server accepts writes.
            yield from commands.replay([], outage.base)
            while True:
                with self._lock:
                    writes = outage.journal.next()
                    if not writes:
                        self._end()
                        break
                yield from self._replay(writes, outage.base)
                with self._lock:
                    for write in writes:
                        outage.journal.remove(write)
                        replayed += write.size
        except ServerError as error:
            # The server is there, but refuses what is pending. If nothing is, the outage is over, and
            # the next caller gets the error.
            with self._lock:
                outage.reason = str(error)
                if outage.journal.size:
                    return False
                self._end()
        logger.info("%s is back; %d writes have reached it", self._shown, replayed)
        return True

    def _end(self) -> None:
        # First: a caller who finds the outage over takes the replica for one of the server.
        self._replicas.whole.replica.start_over()
        self.current = None

    def _replay(self, writes: Sequence[Write], base: int) -> Plan[None]:
        [first, *_] = writes
        commands = self._commands
        if first.kind == "clear":
            yield from commands.purge(first.write_id, first.at, base)
        elif first.kind == "resize":
            more = True
            while more:
                _, more = yield from commands.resize(first.max_size, first.write_id)
        else:
            yield from commands.replay(writes, base)

    def before_close(self) -> Plan[None]:
        """Tries the server once more if writes are pending, and stops trying."""
        if self.pending:
            yield from self.reconnect()
        self._closed.set()
        if self.pending:
            logger.warning(
                "%s has not come back: %d writes have not reached it", self._shown, self.pending
            )

    def at_exit(self) -> None:
        """Does the same when the process ends and nothing has done it."""
        if self.pending and not self._closed.is_set():
            self._runner.run(self.before_close())


@atexit.register
def _at_exit() -> None:
    for outages in list(_open):
        outages.at_exit()
