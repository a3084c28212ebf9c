"""What happens when the server is away: work goes on in memory, and nothing acknowledged is lost.

An **outage** begins with a `StoreUnavailable`: no connection, no answer in time, or a server that is
loading, read-only or without a primary. From then on the store is **degraded**: reads are answered
from what this process knows, and writes go to memory and, with their instants, to a **journal**. When
the server is back, the journal is replayed, the oldest write first, before anything else is asked;
then the server counts again. A write that was in flight when the connection broke may have been
applied or not: it goes to the journal under the write id it was sent with, and the server applies no
id twice.

What the server refuses for good is set aside and named, so that nothing keeps the other writes from
it. Any other error of the server is raised to the caller, and begins no outage.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from math import inf
from threading import Event, RLock, Thread
from time import monotonic
from typing import Any, TypeVar

from ...errors import ServerError, StoreUnavailable, brief
from ...times import shown_instant
from ..forks import after_fork_in_child, guarded
from ..locks import AdvisoryLock, Ticket
from ..opening import Settings
from ..plan import Call, Plan
from .clock import MOST_SKEW, ServerClock
from .commands import Commands
from .ends import watch_over
from .failover import CHECKED_EVERY, Acknowledged
from .faults import FailedOver
from .journal import Journal, RefusedWrite, Replay
from .operations import Attempt, Write
from .partial import Replicas
from .retrying import retry
from .runner import RedisRunner

logger = logging.getLogger("tta_memory_nb")

T = TypeVar("T")

MOST_PENDING = 100_000
"""So many records may be pending for the server."""

# Seconds that the last try at the end of a process goes on with the replay.
_LAST_TRY = 3.0


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


# Those with pending writes, which have to reach the server even if nobody has the memory any more.
_owing: set[Outages] = set()


class Outages:
    """Begins and ends the outages of one store, and decides where its verbs are carried out.

    Args:
        settings: of the store.
        clock: the server's, as far as it is known here.
        commands: what asks the server.
        replicas: what this process knows, which work goes on with.
        runner: carries out what no caller waits for: it tries to reach the server again.
        shown: the server's address, without any password.

    Attributes:
        current: the outage there is, or None.
        refused: by key, the last write that the server has refused for good after an outage.
    """

    def __init__(
        self,
        settings: Settings,
        clock: ServerClock,
        commands: Commands,
        replicas: Replicas,
        runner: RedisRunner,
        *,
        shown: str,
    ) -> None:
        self.current: Outage | None = None
        self.refused: dict[str, RefusedWrite] = {}
        self._commands = commands
        self._replicas = replicas
        self._runner = runner
        self._clock = clock
        self._timeout = settings.timeout
        self._policy = settings.on_outage
        self._shown = shown
        self._lock = guarded(RLock(), 1)
        after_fork_in_child(self._begin_in_child)
        self._recovering = AdvisoryLock()
        self._ended = 0  # how many outages have ended
        self._is_ending = False
        self._acknowledged = Acknowledged() if runner.may_fail_over else None
        self._is_guarded = False
        self._closed = Event()
        self._try_until = inf
        if self._policy == "fallback" or self._acknowledged is not None:
            watch_over(self)

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
            "writes_refused": dict(self.refused),
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
                if self._is_ending:
                    self._start_over()
                ended = self._ended
                try:
                    return (yield from ask())
                except StoreUnavailable as error:
                    yield from self._lost(error, ended)
            elif self._policy == "raise":
                yield from self._recover_or_raise()
                continue
            with self._lock:
                if self.current is not None and self._policy == "fallback":
                    self._watch_over(self.current)
                    return offline()

    def change(
        self,
        ask: Callable[[int], Plan[T]],
        offline: Callable[[], tuple[T, list[Write]]],
        meant: Callable[[T], list[Write]],
        size: int,
    ) -> Plan[T]:
        """Carries a write out: on the server, or in memory and in the journal.

        Args:
            ask: makes the plan that asks the server, for the id of the write.
            offline: carries it out in memory; returns its result, and what the journal has to keep:
                the write itself comes first.
            meant: gives, for the result of the server, what has to be written again if another server
                takes its place.
            size: how many records the write changes.
        """
        ids, attempt = self._commands.write_ids, Attempt()
        sent = False
        try:
            write_id = ids.begin(attempt)
            while True:
                if self.current is None:
                    if self._is_ending:
                        self._start_over()
                    ended, base, at = self._ended, self._commands.seen, self._clock()
                    try:
                        result = yield from ask(write_id)
                    except StoreUnavailable as error:
                        sent = True
                        yield from self._lost(error, ended)
                    else:
                        if self._acknowledged is None or self._keep(
                            meant(result), write_id, ended, base, at
                        ):
                            ids.end(write_id)
                            return result
                        sent = True  # what has acknowledged it does not count any more
                elif self._policy == "raise":
                    yield from self._recover_or_raise()
                    continue
                with self._lock:
                    if self.current is not None and self._policy == "fallback":
                        self._check_room(self.current, size)
                        try:
                            result = self._change_offline(self.current, offline, write_id, sent)
                        except Exception:
                            raise  # a refusal has changed nothing, and must not be tried again
                        except BaseException:
                            # An interrupt. Done again, it is in memory and in the journal, and not in
                            # one of them only.
                            self._change_offline(self.current, offline, write_id, sent)
                            raise
                        if not sent:
                            ids.end(write_id)
                        return result
        except BaseException:
            if not self._is_pending(attempt):
                ids.end(attempt.write_id)
            raise

    def _check_room(self, outage: Outage, size: int) -> None:
        self._watch_over(outage)
        if outage.journal.size + size > MOST_PENDING:
            raise StoreUnavailable(
                f"{self._shown} has been away since {shown_instant(outage.since)}, and "
                f"{outage.journal.size:,} writes are pending for it, so {size:,} more cannot be "
                "kept; nothing was written: make the server reachable, then call reconnect()"
            )

    def _change_offline(
        self,
        outage: Outage,
        offline: Callable[[], tuple[T, list[Write]]],
        write_id: int,
        sent: bool,
    ) -> T:
        result, writes = offline()
        for write in writes:
            # The first one is the write itself, and may have been applied.
            if sent and write is writes[0]:
                write.write_id = write_id
            outage.journal.add(write)
            _owing.add(self)
            self._note_offline(write)
        if not writes:
            self._commands.write_ids.end(write_id)
        return result

    def _is_pending(self, attempt: Attempt) -> bool:
        outage = self.current
        return outage is not None and outage.journal.has(attempt.write_id)

    def _note_offline(self, write: Write) -> None:
        """Lets no answer from before the outage bring back what was deleted in it."""
        if write.kind == "clear":
            self._replicas.whole.replica.removed_offline(None)
        elif write.kind in ("delete", "take"):
            self._replicas.whole.replica.removed_offline(write.changed)

    # ---- another server takes the place of the one that was asked

    def _keep(self, writes: list[Write], write_id: int, ended: int, base: int, at: float) -> bool:
        """Keeps what a server has acknowledged, in case that another one takes its place.

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
        with self._lock:
            if self.current is not None or ended != self._ended:
                return False
            for write in writes:
                write.at = at
            if writes:
                writes[0].write_id = write_id
            self._acknowledged.add(writes, base)
            starts, self._is_guarded = not self._is_guarded, True
        if starts:
            self._closed.clear()
            with suppress(RuntimeError):  # the interpreter is shutting down
                Thread(target=self._guard, name="tta-memory-failover", daemon=True).start()
        return True

    def _guard(self) -> None:
        """Asks whether the server is still the primary, as long as another one may lack a write."""
        assert self._acknowledged is not None
        while True:
            is_last = self._closed.wait(CHECKED_EVERY)
            with suppress(StoreUnavailable, ServerError):
                self._check()
            with self._lock:
                if is_last or not self._acknowledged:
                    self._is_guarded = False
                    return

    def _check(self) -> None:
        """Asks whether the server is still the primary, and brings what another one may lack."""
        assert self._acknowledged is not None
        if self.current is not None:
            return
        asked, ended = monotonic(), self._ended
        if self._runner.has_failed_over():
            self._begin(FailedOver(f"{self._shown}: another server has become the primary"), ended)
            self._runner.run(self.reconnect())
        else:
            with self._lock:
                self._acknowledged.confirm(asked)

    def _lost(self, error: StoreUnavailable, ended: int) -> Plan[None]:
        """Begins an outage; after a failover, tries to end it at once."""
        self._begin(error, ended)
        if isinstance(error, FailedOver):
            yield from self.reconnect()

    def _recover_or_raise(self) -> Plan[None]:
        """Ends an outage, or raises it as `StoreUnavailable`."""
        if not (yield from self.reconnect()):
            outage = self.current
            raise StoreUnavailable(outage.reason if outage else f"{self._shown} is away")

    # ---- an outage begins and ends

    def _begin(self, error: StoreUnavailable, ended: int) -> None:
        """Begins an outage, or raises it, as the policy says.

        Args:
            error: what has happened.
            ended: how many outages had ended when the server was asked. If another one has ended
                since then, the error is older than what is known now, and the caller asks again.
        """
        if self._policy == "raise" and not self._acknowledged and not isinstance(error, FailedOver):
            raise error
        with self._lock:
            if self.current is not None:
                self.current.reason = str(error)
                return
            if ended != self._ended:
                return
            self._start_over()
            commands = self._commands
            self._replicas.detach(commands.max_size, commands.seen)
            journal = Journal(commands.write_ids)
            self._clock.count_alone()
            self.current = Outage(
                self._clock(), str(error), commands.seen, journal, self._clock.moved
            )
            commands.incarnation.has_writes_waiting = True
            self._take_back(self.current)
            self._closed.clear()
        what = "working in memory: what is written now reaches the server when it is back"
        if isinstance(error, FailedOver):
            what = (
                f"{self.pending} writes that the one before has acknowledged last are written again"
            )
        # As text: the traceback of an error would keep the memory alive as long as the log has it.
        logger.warning("%s; %s", str(error), what)
        self._watch_over(self.current)

    def _watch_over(self, outage: Outage | None) -> None:
        """Has a thread try to end an outage, unless one does."""
        if outage is not None and not outage.is_watched:
            self._watch()
            outage.is_watched = True

    def _take_back(self, outage: Outage) -> None:
        """Has the journal bring what another server may lack, although it was acknowledged."""
        if not self._acknowledged:
            return
        # Other clients may have written to that server meanwhile, so the newest instant wins.
        outage.base = min(outage.base, self._acknowledged.base or 0)
        writes = self._acknowledged.take()
        outage.written_since = min(outage.first, *(write.at for write in writes))
        self._commands.write_ids.reopen(write.write_id for write in writes if write.write_id)
        for write in writes:
            outage.journal.add(write)
        _owing.add(self)

    def _watch(self) -> None:
        """Has a thread try to reach the server until it is back."""
        retry(self, self._closed)

    def try_again(self) -> bool:
        """Tries to reach the server, for a thread that nobody waits for; returns whether it is back."""
        try:
            return self._runner.run(self.reconnect())
        except Exception as error:  # the thread must not die: the next try may succeed
            logger.debug("%s cannot be reached: %s", self._shown, error)
            return False

    def _begin_in_child(self) -> None:
        """Goes on in a forked process, which has none of the threads; pending writes stay the parent's."""
        self._closed, self._is_guarded = Event(), False
        if self._acknowledged is not None:
            self._acknowledged.take()
        if self.current is not None:
            self.current.journal = Journal(self._commands.write_ids)
            _owing.discard(self)
            self._watch()

    def reconnect(self, restore_from_here: bool = False) -> Plan[bool]:
        """Tries the server now; returns whether the records are on it.

        Args:
            restore_from_here: write what the server has lost, as far as this process knows it.
        """
        ticket, ended = Ticket(), self._ended
        try:
            if not (yield from self._recovering.acquire(ticket, self._timeout)):
                # Another task is at it, which waits for this very thread.
                return self.current is None
            is_back = yield from self._recover()
            if is_back and restore_from_here:
                yield from self._restore()
            return is_back
        except StoreUnavailable as error:
            self._begin(error, ended)
            return False
        finally:
            self._recovering.held.discard(ticket)
            self._recovering.release(ticket)

    def _recover(self) -> Plan[bool]:
        outage, commands = self.current, self._commands
        if outage is None:
            yield from commands.ping()
            with suppress(ServerError):  # a verb meets it again and says what is missing
                yield from commands.greet()
            return True
        journal = outage.journal
        with self._lock:
            self._take_back(outage)
            if self._runner.settle() and outage.written_since == inf:
                outage.base = 0  # its counter may have had to do with other writes
        replay = Replay(
            commands,
            journal,
            outage.base,
            outage.first,
            self._lock,
            self._set_aside,
            self._acknowledged,
        )
        try:
            yield from commands.greet()
            with self._lock:
                outage.move(self._clock.moved)
                replay.since = outage.first
            yield from replay.probe()
            while not self._has_ended(journal):
                if monotonic() > self._try_until:
                    return False
                yield from replay.step()
                self._recovering.progress()
        except ServerError as error:
            # The server is there, but refuses what is pending. If nothing is, the outage is over, and
            # the next caller gets the error.
            outage.reason = str(error)
            if not self._has_ended(journal):
                return False
        logger.info("%s is back; %d writes have reached it", self._shown, replay.replayed)
        yield from commands.incarnation.look_for_losses(commands.run)
        return True

    def _restore(self) -> Plan[None]:
        """Writes back what the server has lost; a record that was written since at a later instant stays."""
        incarnation = self._commands.incarnation
        since = incarnation.came_back_with
        if since == inf:
            return
        journal = Journal(self._commands.write_ids)
        for write in incarnation.to_restore():
            journal.add(write)
        replay = Replay(
            self._commands,
            journal,
            int(since),
            0.0,
            self._lock,
            self._set_aside,
            self._acknowledged,
        )
        while journal.size:
            yield from replay.step()
            self._recovering.progress()
        incarnation.restored()
        logger.info("%s has got back %d writes that it had lost", self._shown, replay.replayed)

    def _has_ended(self, journal: Journal) -> bool:
        """Ends the outage if nothing is pending any more; returns whether nothing is."""
        with self._lock:
            if journal:
                return False
            if self.current is not None and self.current.journal is journal:
                self._ended += 1
                self._is_ending = True
                _owing.discard(self)
                self.current = None
                self._start_over()
            return True

    def _start_over(self) -> None:
        """Does the last step of the end of an outage, also if it was interrupted before."""
        with self._lock:
            if self._is_ending and self.current is None:
                self._replicas.whole.replica.start_over(self._commands.seen)
                self._commands.incarnation.has_writes_waiting = False
                self._is_ending = False

    def _set_aside(self, write: Write, reason: str) -> None:
        """Keeps a write of one record that the server refuses for good; called with the lock."""
        key = next(write.changed, f"{write.kind}()")
        entry = write.kept[0] if write.kept else None
        self.refused[key] = RefusedWrite(write.kind, write.at, reason, entry)
        for kept in write.kept:
            self._replicas.whole.replica.forget(kept)
        logger.warning(
            "%s refuses a write for good, so it is set aside, and get_backend_info() names it: %s: %s",
            self._shown,
            brief(key),
            reason,
        )

    def before_close(self) -> Plan[None]:
        """Tries the server once more if writes are pending, and stops trying."""
        if self._acknowledged:
            with suppress(StoreUnavailable, ServerError):
                yield Call(self._check)
        if self.pending:
            yield from self.reconnect()
        if self.current is None and not self._acknowledged and not self._runner.has_resent:
            with suppress(StoreUnavailable, ServerError):
                yield from self._commands.leave()
        self._closed.set()
        _owing.discard(self)
        self.say_what_is_lost()

    def at_exit(self) -> None:
        """Does the same when the process ends and nothing has done it, within a limited time."""
        try:
            if (self.pending or self._acknowledged) and not self._closed.is_set():
                self._try_until = monotonic() + max(_LAST_TRY, self._timeout)
                self._runner.run(self.before_close())
        finally:
            self.say_what_is_lost()

    def say_what_is_lost(self) -> None:
        """Logs how many writes have not reached the server, if that was not said."""
        outage = self.current
        if outage is not None and outage.journal.size != outage.said:
            outage.said = outage.journal.size
            logger.warning(
                "%s has not come back: %d writes have not reached it", self._shown, outage.said
            )
