"""How an outage begins and ends: nothing acknowledged is lost in it.

An **outage** begins with a `StoreUnavailable`: no connection, no answer in time, or a server that is
loading, read-only or without a primary. From then on the store is **degraded**: its verbs are carried out
in memory, and writes wait in a **journal** (see `routing`). When the server is back, the journal is
replayed, the oldest write first, before anything else is asked; then the server counts again.

Any other error of the server is raised to the caller, and begins no outage.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from math import inf
from time import monotonic
from typing import Any
from weakref import WeakMethod

from ...errors import ServerError, StoreUnavailable
from ..forks import after_fork_in_child
from ..locks import AdvisoryLock, Ticket
from ..opening import Settings
from ..plan import Call, Plan, Signal
from .barrier import Barrier, Held
from .clock import ServerClock
from .commands import Commands
from .ends import watch_over
from .faults import FailedOver, Overtaken
from .journal import Journal, RefusedWrite
from .journal_file import JournalFile
from .keeping import Keeping
from .partial import Replicas
from .replay import Compare
from .replays import Replays
from .retrying import retry
from .runner import RedisRunner
from .unsettled import Outage, Unsettled

logger = logging.getLogger("tta_memory_nb")

# Seconds that the last try at the end of a process goes on with the replay.
_LAST_TRY = 3.0


class Outages(Unsettled):
    """Begins and ends the outages of one store.

    Args:
        settings: of the store.
        clock: the server's, as far as it is known here.
        commands: what asks the server.
        replicas: what this process knows, which work goes on with.
        runner: carries out what no caller waits for: it tries to reach the server again.
        barrier: waits until what the server has acknowledged is durable; None if nobody asks for it.
        shown: the server's address, without any password.
        kept: the file that keeps the journal; None if it is in this process alone.

    Attributes:
        policy: what an outage is to the caller of a verb: an error, or work that goes on in memory.
        keeping: keeps the journal in a file, if there is one.
        awaits_comparison: whether the server is there, but no memory has said yet how pending writes are compared with tombstones.
        last_failover: when this process found another server than before last, in Unix seconds, or None.
    """

    def __init__(
        self,
        settings: Settings,
        clock: ServerClock,
        commands: Commands,
        replicas: Replicas,
        runner: RedisRunner,
        barrier: Barrier | None,
        *,
        shown: str,
        kept: JournalFile | None = None,
    ) -> None:
        super().__init__(commands, runner, barrier, shown)
        self._replicas = replicas
        self._runner = runner
        self._clock = clock
        self._timeout = settings.timeout
        self.policy = settings.on_outage
        after_fork_in_child(self._begin_in_child)
        self._recovering = AdvisoryLock()
        self._is_ending = False
        self.keeping = Keeping(kept, self, commands, replicas, clock)
        save = self.keeping.save_or_warn if kept else None
        self._replays = Replays(
            commands, replicas, self.lock, self._acknowledged, shown=shown, save=save
        )
        self.awaits_comparison = False
        self.last_failover: float | None = None
        self._try_until = inf
        if self.policy == "fallback" or self.keeps:
            watch_over(self)

    @property
    def refused(self) -> dict[str, RefusedWrite]:
        """By key, the last write that the server has refused for good after an outage."""
        return self._replays.refused

    def compare_with(self, compare: Compare) -> None:
        """Names what compares pending writes with the tombstones that there are when the server is back."""
        # Weak, so that a memory that nobody has any more is gone at once; see `owe`.
        self._comparing = WeakMethod(compare)
        if self.pending:
            self._compare = compare
        if self.awaits_comparison:
            self._runner.run(self.reconnect())

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

    # ---- the server loses what it has acknowledged, or another one takes its place

    def confirm(self, held: Held, ended: int) -> Plan[bool]:
        """Takes note of a barrier; brings what was lost before it to the server again.

        Args:
            held: what the barrier has found.
            ended: how many outages had ended when it was asked for.

        Returns:
            Whether the barrier counts; otherwise another one is needed.
        """
        if self._counts(held, ended):
            return True
        if self.current is None and ended == self.ended:
            yield from self.lost(FailedOver(f"{self.shown} has come back older than it was"), ended)
        return False

    def _check(self) -> None:
        """Asks whether the server is still the primary, and brings what another one may lack."""
        assert self._acknowledged is not None
        if self.current is not None:
            return
        asked, ended = monotonic(), self.ended
        if self._runner.has_failed_over():
            self._begin(FailedOver(f"{self.shown}: another server has become the primary"), ended)
            self._runner.run(self.reconnect())
        else:
            with self.lock:
                self._acknowledged.confirm(asked)

    def lost(self, error: StoreUnavailable, ended: int) -> Plan[None]:
        """Begins an outage; after a failover, tries to end it at once.

        Args:
            error: what has happened.
            ended: how many outages had ended when the server was asked.
        """
        if not isinstance(error, Overtaken):
            self._begin(error, ended)
        if isinstance(error, FailedOver):
            yield from self.reconnect()

    def recover_or_raise(self) -> Plan[None]:
        """Ends an outage, or raises it as `StoreUnavailable`."""
        if not (yield from self.reconnect()):
            outage = self.current
            raise StoreUnavailable(outage.reason if outage else f"{self.shown} is away")

    # ---- an outage begins and ends

    def _begin(self, error: StoreUnavailable, ended: int) -> None:
        """Begins an outage, or raises it, as the policy says.

        Args:
            error: what has happened.
            ended: how many outages had ended when the server was asked. If another one has ended
                since then, the error is older than what is known now, and the caller asks again.
        """
        if self.policy == "raise" and not self._acknowledged and not isinstance(error, FailedOver):
            raise error
        with self.lock:
            if self.current is not None:
                self.current.reason = str(error)
                if self.current.is_watched:
                    return
            elif ended != self.ended:
                return
            else:
                self._take_back(self.start(str(error), self._commands.seen))
        what = "working in memory: what is written now reaches the server when it is back"
        if isinstance(error, FailedOver):
            what = f"{self.pending} writes that were acknowledged last are written again"
        elif self._barrier is not None:
            what += f", and durability='{self._barrier.durability}' does not hold before that"
        # As text: the traceback of an error would keep the memory alive as long as the log has it.
        logger.warning("%s; %s", str(error), what)
        self.watch_over(self.current)

    def start(self, reason: str, base: int) -> Outage:
        """Goes on in memory, and returns the outage that begins by it; the lock is held.

        Args:
            reason: why.
            base: the server's counter as it was seen last.
        """
        self._start_over()
        commands = self._commands
        self._replicas.detach(commands.max_size, base)
        journal = Journal(commands.write_ids, self.keeping.file)
        self._clock.count_alone()
        now, moved = self._clock(), self._clock.moved
        self.current = outage = Outage(now, reason, base, journal, moved)
        commands.incarnation.has_writes_waiting = True
        commands.incarnation.reused_from = inf
        self._reopen()
        return outage

    def watch_over(self, outage: Outage | None) -> None:
        """Has a thread try to end an outage, unless one does."""
        if outage is not None and not outage.is_watched:
            self._watch()
            outage.is_watched = True

    def _watch(self) -> None:
        """Has a thread try to reach the server until it is back."""
        retry(self, self._closed)

    def try_again(self) -> bool:
        """Tries to reach the server, for a thread that nobody waits for; returns whether it is back."""
        try:
            return self._runner.run(self.reconnect())
        except Exception as error:  # the thread must not die: the next try may succeed
            logger.debug("%s cannot be reached: %s", self.shown, error)
            return False

    def _begin_in_child(self) -> None:
        """Goes on in a forked process, which has none of the threads; pending writes stay the parent's."""
        self._closed, self._guard.is_on = Signal(), False
        if self._acknowledged is not None:
            self._acknowledged.forget()
        if self.current is not None:
            self.current.journal = Journal(self._commands.write_ids, self.keeping.file)
            self._owe_nothing()
            self._watch()

    def reconnect(self, restore_from_here: bool = False) -> Plan[bool]:
        """Tries the server now; returns whether the records are on it.

        Args:
            restore_from_here: write what the server has lost, as far as this process knows it.
        """
        ticket, ended = Ticket(), self.ended
        try:
            if not (yield from self._recovering.acquire(ticket, self._timeout)):
                # Another task is at it, which waits for this very thread.
                return self.current is None
            is_back = yield from self._recover()
            if is_back and restore_from_here:
                yield from self._replays.restore(self._recovering.progress, self._comparing())
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
        with self.lock:
            self._take_back(outage)
            if self._runner.settle():
                self.last_failover = self._clock()
                if outage.written_since == inf:
                    outage.base = 0  # its counter may have had to do with other writes
        replay = self._replays.of(journal, outage.base, outage.first, self._comparing())
        try:
            yield from commands.greet()
            setbacks = commands.incarnation.setbacks
            with self.lock:
                outage.move(self._clock.moved)
                replay.since = outage.first
                outage.base = int(min(outage.base, commands.incarnation.reused_from))
                replay.base = outage.base
            yield from commands.keep_asked()
            yield from replay.probe()
            while not self._has_ended(journal):
                if monotonic() > self._try_until:
                    return False
                yield from replay.step()
                self._recovering.progress()
            self._setbacks = setbacks
        except ServerError as error:
            # The server is there, but refuses what is pending. If nothing is, the outage is over, and
            # the next caller gets the error.
            outage.reason = str(error)
            self.awaits_comparison = error.code == "STONES"
            if not self._has_ended(journal):
                return False
        yield from self.keeping.save_or_warn()
        logger.info("%s is back; %d writes have reached it", self.shown, replay.replayed)
        yield from commands.incarnation.look_for_losses(commands.run)
        yield from self._hold(replay.replayed)
        return True

    def _has_ended(self, journal: Journal) -> bool:
        """Ends the outage if nothing is pending any more; returns whether nothing is."""
        with self.lock:
            if journal:
                return False
            if self.current is not None and self.current.journal is journal:
                self.ended += 1
                self._is_ending = True
                self._owe_nothing()
                self.current = None
                self._start_over()
            return True

    def finish(self) -> None:
        """Does the last step of the end of an outage, if an interrupt has kept it from being done."""
        if self._is_ending:
            self._start_over()

    def _start_over(self) -> None:
        with self.lock:
            if self._is_ending and self.current is None:
                self._replicas.whole.replica.start_over(self._commands.seen)
                self._commands.incarnation.has_writes_waiting = False
                self._is_ending = False

    @property
    def _may_have_lost(self) -> bool:
        """Whether a server that has taken the place of another one may lack a write."""
        return self._may_fail_over and bool(self._acknowledged)

    def before_close(self) -> Plan[None]:
        """Tries the server once more if writes are pending, and stops trying."""
        if self._may_have_lost:
            with suppress(StoreUnavailable, ServerError):
                yield Call(self._check)
        if self.pending:
            yield from self.reconnect()
        if self.current is None and not self._acknowledged and not self._runner.has_resent:
            with suppress(StoreUnavailable, ServerError):
                yield from self._commands.leave()
        self._closed.set()
        self._owe_nothing()
        yield Call(self.keeping.leave)
        self.say_what_is_lost()

    def hand_over(self) -> None:
        """Ends an outage whose writes are in a file, from which the next memory brings them to the server."""
        with self.lock:
            if self.current is not None:
                self.ended += 1
                self._is_ending = True
                self.current = None
                self._start_over()

    def at_exit(self) -> None:
        """Does the same when the process ends and nothing has done it, within a limited time."""
        try:
            if (self.pending or self._may_have_lost) and not self._closed.is_set:
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
                "%s has not come back: %d writes have not reached it%s",
                self.shown,
                outage.said,
                self.keeping.whereabouts(),
            )
