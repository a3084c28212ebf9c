"""What happens when the server cannot be had: work goes on in memory, and nothing is lost.

An **outage** is what raises `StoreUnavailable`: no connection, no answer in time, a server that is loading,
read-only or without a primary. From then on the store is **degraded**: reads are answered from what
this process knows, writes go to memory and, with their instants, to a **journal**. When the server is
back the journal is replayed, the oldest write first, before anything else is asked; then the server
counts again. A write that was under way when the connection broke may have been applied or not: it
goes to the journal under the number it was sent with, and the server carries out no number twice.

Any other error of the server is shown to the caller and changes nothing of this.
"""

from __future__ import annotations

import atexit
import logging
import random
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from copy import copy
from dataclasses import dataclass, field, replace
from itertools import chain
from threading import Event, RLock, Thread
from typing import Any, Literal, TypeAlias, TypeVar
from weakref import WeakSet

from .errors import InvalidArgument, ServerError, StoreUnavailable
from .filters import EVERYTHING, Filters
from .keys import check_key
from .stores.base import Change, Clock, Entry, check_limit, check_max_size
from .stores.memory import query_of
from .stores.plan import Plan, Prepared, Runner
from .stores.redis.remote import BATCH, MOST_BYTES, Remote, Write, batches, pages
from .stores.turns import Turns

logger = logging.getLogger("tta_memory_nb")

T = TypeVar("T")

OutagePolicy: TypeAlias = Literal["fallback", "raise"]

MOST_WAITING = 100_000
"""So many records may wait for the server."""

# Seconds between two tries to reach the server, and how they grow.
_FIRST_DELAY, _LONGEST_DELAY, _GROWTH = 0.05, 2.0, 1.6


class Journal:
    """Writes that wait for the server, the oldest first.

    Args:
        settled: is told the number of a write that need not wait any more.
    """

    def __init__(self, settled: Callable[[int], None]) -> None:
        self._writes: OrderedDict[int, Write] = OrderedDict()
        # Of those that the server has not seen: a later write to the same key takes their place.
        self._unsent: dict[str, int] = {}
        self._settled = settled
        self.size = 0
        """How many records wait."""

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
                self._unsent[key] = write.op
        for other in () if key is not None else chain((e.key for e in write.entries), write.keys):
            self._unsent.pop(other, None)  # its turn comes before this one
        self._writes[write.op] = write
        self.size += write.size

    def remove(self, write: Write) -> None:
        """Lets go of a write."""
        del self._writes[write.op]
        self._forget_key(write)
        self.size -= write.size
        self._settled(write.op)

    def _forget_key(self, write: Write) -> None:
        key = write.only_key
        if key is not None and self._unsent.get(key) == write.op:
            del self._unsent[key]

    def next(self) -> list[Write]:
        """The writes that are to be sent next: one of any kind, or some that go together."""
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
class _State:
    """Of an outage.

    Attributes:
        since: when it began, in Unix seconds.
        reason: what the last try has met with.
        base: the server's counter as it was seen last before.
    """

    since: float
    reason: str
    base: int
    journal: Journal = field(repr=False)


_open_stores: WeakSet[ServerStore] = WeakSet()


class ServerStore:
    """The store of a memory on a server; see the module for what it does in an outage.

    Args:
        remote: the namespace on the server.
        runner: carries out what nobody waits for: tries to reach the server again.
        clock: gives Unix seconds.
        shown: the server's address, without any password.
        policy: ``"fallback"``, or ``"raise"`` to have outages raised instead.
        watches: whether a thread tries to reach the server again; tests do it themselves.
    """

    def __init__(
        self,
        remote: Remote,
        runner: Runner,
        clock: Clock,
        *,
        shown: str,
        policy: OutagePolicy = "fallback",
        watches: bool = True,
    ) -> None:
        self.namespace = remote.namespace
        self.remote = remote
        self._runner = runner
        self._clock = clock
        self._shown = shown
        self._policy = policy
        self._watches = watches
        self._lock = RLock()
        self._outage: _State | None = None
        self._recovering = Turns()
        self._closed = Event()
        self._server = ""
        _open_stores.add(self)

    def __repr__(self) -> str:
        state = f", degraded, {self.waiting} writes waiting" if self._outage else ""
        return f"{self._shown!r}{state}"

    # ---- what is known without asking

    @property
    def fallback(self) -> Any:
        """What this process knows of the server, and works on in an outage."""
        return self.remote.mirror

    @property
    def max_size(self) -> int | None:
        """Capacity in records; None for as many as the server has room for."""
        return self.remote.max_size

    @property
    def evictions(self) -> int:
        """How many records have been evicted since the start."""
        return self.remote.evictions

    @property
    def waiting(self) -> int:
        """How many records wait for the server."""
        outage = self._outage
        return outage.journal.size if outage else 0

    def is_on_server(self) -> bool:
        """Whether the records are on the server now."""
        return self._outage is None

    def outage(self) -> dict[str, Any] | None:
        """See `SyncMemory.outage`."""
        outage = self._outage
        if outage is None:
            return None
        return {
            "degraded_since": outage.since,
            "degraded_because": outage.reason,
            "writes_waiting": outage.journal.size,
        }

    # ---- the policy

    def _look(self, ask: Callable[[], Plan[T]], alone: Callable[[], T]) -> Plan[T]:
        """A read: of the server, or of what is known here."""
        while True:
            if self._outage is None:
                try:
                    return (yield from ask())
                except StoreUnavailable as error:
                    self._lose(error)
            with self._lock:
                if self._outage is not None:
                    return alone()

    def _change(
        self,
        ask: Callable[[int], Plan[T]],
        size: int,
        alone: Callable[[int], tuple[T, list[Write]]],
    ) -> Plan[T]:
        """A write: to the server, or to memory and journal.

        Args:
            ask: the plan, for the number of the write.
            size: how many records it is about.
            alone: does it in memory; gives the result, and what the journal has to know.
        """
        operations = self.remote.operations
        op = operations.begin()
        sent = False
        try:
            while True:
                if self._outage is None:
                    try:
                        result = yield from ask(op)
                    except StoreUnavailable as error:
                        sent = True
                        self._lose(error)
                    else:
                        operations.end(op)
                        return result
                with self._lock:
                    if self._outage is not None:
                        return self._change_alone(self._outage, op, sent, size, alone)
        except BaseException:
            operations.end(op)
            raise

    def _change_alone(
        self,
        outage: _State,
        op: int,
        sent: bool,
        size: int,
        alone: Callable[[int], tuple[T, list[Write]]],
    ) -> T:
        if outage.journal.size + size > MOST_WAITING:
            raise StoreUnavailable(
                f"{self._shown} has been away since {outage.since:.0f} (Unix seconds), and "
                f"{outage.journal.size:,} writes wait for it, so {size:,} more cannot be kept; "
                "nothing was written: make the server reachable, then call reconnect()"
            )
        result, writes = alone(op)
        if not writes:
            self.remote.operations.end(op)
        for write in writes:
            write.may_be_done = sent and write.op == op
            outage.journal.add(write)
        return result

    def _write(self, op: int, kind: Literal["set", "delete", "clear"], **what: Any) -> Write:
        return Write(op, kind, self._clock(), **what)

    def _lose(self, error: StoreUnavailable) -> None:
        """Begins an outage, or raises it, as the policy says."""
        if self._policy == "raise":
            raise error
        with self._lock:
            if self._outage is not None:
                self._outage.reason = str(error)
                return
            remote = self.remote
            journal = Journal(remote.operations.end)
            remote.go_on_alone()
            self._outage = _State(self._clock(), str(error), remote.seen, journal)
            self._closed.clear()
        logger.warning(
            "%s; working in memory: what is written meanwhile reaches the server when it is back",
            error,
        )
        if self._watches:
            with suppress(RuntimeError):  # the interpreter is about to end
                Thread(target=self._watch, name="tta-memory-reconnect", daemon=True).start()

    def _watch(self) -> None:
        """Tries to reach the server until it is back."""
        delay = _FIRST_DELAY
        # Many clients that have lost one server must not come back in step. A generator of its own:
        # whoever has seeded the common one wants the same numbers each time.
        chance = random.Random()  # noqa: S311
        while not self._closed.wait(delay * chance.uniform(0.7, 1.3)):
            try:
                if self._runner.run(self.reconnect()):
                    return
            except Exception as error:  # a thread must not die of what the next try may not meet
                logger.debug("%s cannot be had: %s", self._shown, error)
            delay = min(delay * _GROWTH, _LONGEST_DELAY)

    def reconnect(self) -> Plan[bool]:
        """Tries the server now, whatever was known of it; whether the records are on it."""
        turn = yield from self._recovering.wait(self.remote.timeout)
        try:
            if not turn.done():  # another one is at it, who may wait for this very thread
                return self._outage is None
            return (yield from self._recover())
        except StoreUnavailable as error:
            self._lose(error)
            return False
        finally:
            self._recovering.leave(turn)

    def _recover(self) -> Plan[bool]:
        outage = self._outage
        if outage is None:
            yield from self.remote.ping()
            return True
        replayed = 0
        try:
            # Writes nothing, but finds out whether the server lets one write.
            yield from self.remote.replay([], outage.base)
            while True:
                with self._lock:
                    writes = outage.journal.next()
                    if not writes:
                        self._end_outage()
                        break
                yield from self._replay(writes, outage.base)
                with self._lock:
                    for write in writes:
                        outage.journal.remove(write)
                        replayed += write.size
        except ServerError as error:
            # It is there, but does not take what waits. If nothing waits, the next caller is told.
            with self._lock:
                outage.reason = str(error)
                if outage.journal.size:
                    return False
                self._end_outage()
        logger.info("%s is back; %d writes have reached it", self._shown, replayed)
        return True

    def _end_outage(self) -> None:
        # First: who finds the outage over looks at the mirror as one of the server's.
        self.remote.mirror.start_over()
        self._outage = None

    def _replay(self, writes: Sequence[Write], base: int) -> Plan[None]:
        [first, *_] = writes
        if first.kind == "clear":
            yield from self.remote.purge(first.op, first.at, base)
        elif first.kind == "resize":
            more = True
            while more:
                _, more = yield from self.remote.resize(first.max_size, first.op)
        else:
            yield from self.remote.replay(writes, base)

    def part(self) -> Plan[None]:
        """What is to be done before the connections are closed: the last try, if something waits."""
        if self.waiting:
            yield from self.reconnect()
        self._closed.set()
        if self.waiting:
            logger.warning(
                "%s has not come back: %d writes have not reached it", self._shown, self.waiting
            )

    # ---- one record

    def write(self, entry: Entry) -> Plan[None]:
        """As `put`, for one entry that nobody will want to take back."""

        def alone(op: int) -> tuple[None, list[Write]]:
            meant = copy(entry)
            self.remote.mirror.put((entry,))
            return None, [self._write(op, "set", entries=(meant,), kept=(entry,))]

        return self._change(lambda op: self.remote.set(entry, op), 1, alone)

    def read(self, key: str) -> Plan[Entry | None]:
        """As `fetch`, for one key."""
        check_key(key)
        mirror = self.remote.mirror
        return self._look(lambda: self.remote.get_one(key), lambda: mirror.read_one(key))

    def expires_at(self, key: str) -> Plan[float | None]:
        """When a record expires, in Unix seconds; None when it never does or does not exist."""
        check_key(key)
        return self._look(
            lambda: self.remote.expires_at(key), lambda: self.remote.mirror.expires_at(key)
        )

    # ---- many records

    def put(self, entries: Iterable[Entry]) -> Plan[Change]:
        """Writes entries in turn, evicting the least recently used above `max_size`."""
        done = yield from self._put_batches(entries, for_good=False)
        change = self._joined(done)
        if len(done) > 1 and change.removed:
            # What one batch wrote and another one replaced or evicted was not there before.
            own = {(entry.key, entry.version) for entry in change.written}
            there = [
                [entry for entry in part if (entry.key, entry.version) not in own]
                for each in done
                for part in _replaced_and_evicted(each)
            ]
            removed = tuple(chain.from_iterable(there))
            change = replace(change, removed=removed, evicted=sum(map(len, there[1::2])))
        return change

    def put_for_good(self, entries: Iterable[Entry]) -> Plan[None]:
        """As `put`, of entries that nobody will want to take back."""
        yield from self._put_batches(entries, for_good=True)

    def _put_batches(self, entries: Iterable[Entry], *, for_good: bool) -> Plan[list[Change]]:
        todo = ((batch, self.remote.prepare(batch)) for batch in batches(entries))
        done: list[Change] = []
        finish: list[Callable[[], Change]] = []
        following = next(todo, None)
        while following is not None:
            ahead: list[tuple[list[Entry], Prepared] | None] = []

            def work(ahead: list[tuple[list[Entry], Prepared] | None] = ahead) -> None:
                # While the server is at this batch: what is left of the one before, and what can be done
                # for the one after. Once, however often it is sent.
                done.extend(finish.pop()() for _ in list(finish))
                if not ahead:
                    ahead.append(next(todo, None))

            finish.append((yield from self._put_batch(*following, work, for_good)))
            [following] = ahead
        done.extend(finish.pop()() for _ in list(finish))
        return done

    def _put_batch(
        self,
        entries: Sequence[Entry],
        prepared: Prepared,
        work: Callable[[], None],
        for_good: bool,
    ) -> Plan[Callable[[], Change]]:
        def ask(op: int) -> Plan[Callable[[], Change]]:
            try:
                return (
                    yield from self.remote.put(
                        entries, op, for_good=for_good, prepared=prepared, work=work
                    )
                )
            finally:
                work()  # whatever has happened, before anything else is made of it

        def alone(op: int) -> tuple[Callable[[], Change], list[Write]]:
            work()
            meant = [copy(entry) for entry in entries]
            change = self.remote.mirror.put(entries)
            return lambda: change, [self._write(op, "set", entries=meant, kept=entries)]

        return self._change(ask, len(entries), alone)

    def fetch(self, keys: Iterable[str]) -> Plan[list[Entry]]:
        """The entries of the keys that exist, in the order asked, each made newest in turn."""
        wanted = [check_key(key) for key in keys]
        if not wanted:
            return []
        return (
            yield from self._look(
                lambda: self.remote.get(wanted), lambda: self.remote.mirror.fetch(wanted)
            )
        )

    def find(
        self, needle: str | None = None, limit: int | None = None, filters: Filters = EVERYTHING
    ) -> Plan[list[Entry]]:
        """Entries, newest first, whose folded text contains the folded needle (None: all)."""
        limit = check_limit(limit)
        return self._look(
            lambda: self.remote.find(needle, limit, filters),
            lambda: self.remote.mirror.find(needle, limit, filters),
        )

    def stream(
        self, needle: str | None = None, filters: Filters = EVERYTHING
    ) -> Iterator[Plan[list[Entry]]]:
        """As `find` without a limit, but a few at a time; see `Store.stream`."""
        keys: list[str] = []
        matches = query_of(needle, filters).test()
        mirror = self.remote.mirror

        def look_for_keys() -> Plan[list[Entry]]:
            keys.extend(
                (
                    yield from self._look(
                        lambda: self.remote.candidate_keys(needle, filters),
                        lambda: mirror.candidate_keys(needle, filters),
                    )
                )
            )
            return []

        def look(batch: Sequence[str]) -> Plan[list[Entry]]:
            found = yield from self._peek_batch(batch)
            return list(filter(matches, found))

        yield look_for_keys()
        for batch in pages(keys, 64):
            yield look(batch)

    def count(self, needle: str | None = None, filters: Filters = EVERYTHING) -> Plan[int]:
        """How many entries `find` would give without a limit."""
        return self._look(
            lambda: self.remote.count(needle, filters),
            lambda: self.remote.mirror.count(needle, filters),
        )

    def keys(self) -> Plan[list[str]]:
        """Keys, least recently used first."""
        return self._look(self.remote.keys, self.remote.mirror.keys)

    def peek(self, keys: Sequence[str]) -> Plan[list[Entry]]:
        """As `fetch`, but the order of recency stays."""
        found: list[Entry] = []
        for batch in pages(list(map(check_key, keys))):
            found += yield from self._peek_batch(batch)
        return found

    def _peek_batch(self, keys: Sequence[str]) -> Plan[list[Entry]]:
        return self._look(lambda: self.remote.peek(keys), lambda: self.remote.mirror.peek(keys))

    def mark(self) -> Plan[object]:
        """As `Store.mark`; in an outage, of what is known here."""
        return self._look(self.remote.mark, lambda: ("alone", self.remote.mirror.mark()))

    def size(self) -> Plan[int]:
        """Number of records; in an outage, of those that are known here."""
        return self._look(self.remote.size, self.remote.mirror.size)

    # ---- taking out and putting back

    def remove(self, keys: Sequence[str]) -> Plan[Change]:
        """Deletes the keys that exist."""
        done: list[Change] = []
        for batch in pages(list(dict.fromkeys(map(check_key, keys)))):
            done.append((yield from self._remove_batch(batch)))  # noqa: PERF401  as above
        return self._joined(done)

    def _remove_batch(
        self, keys: Sequence[str], entries: Sequence[Entry] | None = None
    ) -> Plan[Change]:
        def ask(op: int) -> Plan[Change]:
            if entries is None:
                return self.remote.remove(keys, op)
            return self.remote.remove_versions(entries, op)

        def alone(op: int) -> tuple[Change, list[Write]]:
            change = self.remote.mirror.remove(keys)
            # Of keys that are not known here as well: they may be on the server.
            return change, [self._write(op, "delete", keys=tuple(keys))]

        return self._change(ask, len(keys), alone)

    def remove_matching(self, filters: Filters = EVERYTHING) -> Plan[Change]:
        """Deletes every entry that the filters accept."""
        found = yield from self.find(filters=filters)
        done: list[Change] = []
        for batch in pages(found):
            keys = [entry.key for entry in batch]
            done.append((yield from self._remove_batch(keys, batch)))
        return self._joined(done)

    def clear(self) -> Plan[None]:
        """Deletes every entry for good."""

        def alone(op: int) -> tuple[None, list[Write]]:
            self.remote.mirror.clear()
            return None, [self._write(op, "clear")]

        return self._change(self.remote.clear, 1, alone)

    def revert(self, change: Change) -> Plan[Change]:
        """Takes a change back, but keeps what has been written under a key since then.

        Raises:
            InvalidArgument: the change was made to another store.
        """
        if change.origin is not self:
            raise InvalidArgument(
                "this change was made to another memory, and only that one can take it back"
            )
        max_size = change.max_size
        # What was replaced comes back only where its successor has gone.
        parts: list[tuple[Sequence[Entry], Sequence[Entry]]]
        parts = [(batch, ()) for batch in pages(change.written)]
        # The newest first: where there is no room for all, none comes back only to fall out later.
        removed = sorted(change.removed, key=lambda entry: -entry.stamp)
        parts += [((), batch) for batch in pages(removed)]
        done: list[Change] = []
        for written, restored in parts or [((), ())]:
            done.append((yield from self._revert_batch(written, restored, max_size)))
            max_size = None
        return self._joined(done)

    def _revert_batch(
        self, written: Sequence[Entry], removed: Sequence[Entry], max_size: int | None
    ) -> Plan[Change]:
        mirror = self.remote.mirror

        def alone(op: int) -> tuple[Change, list[Write]]:
            back = mirror.revert(Change(tuple(written), tuple(removed), 0, mirror, max_size))
            # `removed` of it is what was taken out, and what was evicted to make room.
            writes = []
            if back.removed:
                keys = tuple(entry.key for entry in back.removed)
                writes.append(self._write(op, "delete", keys=keys))
            if back.written:
                writes.append(
                    self._write(
                        self.remote.operations.begin() if writes else op,
                        "set",
                        entries=[copy(entry) for entry in back.written],
                        kept=back.written,
                    )
                )
            return back, writes

        return self._change(
            lambda op: self.remote.revert(written, removed, max_size, op),
            len(written) + len(removed),
            alone,
        )

    def resize(self, max_size: int) -> Plan[Change]:
        """Sets the capacity; a smaller one evicts at once."""
        max_size = check_max_size(max_size)
        more = True
        done: list[Change] = []

        def alone(op: int) -> tuple[tuple[Change, bool], list[Write]]:
            before, self.remote.max_size = self.remote.max_size, max_size
            change = replace(self.remote.mirror.resize(max_size), max_size=before)
            return (change, False), [Write(op, "resize", self._clock(), max_size=max_size)]

        while more:
            change, more = yield from self._change(
                lambda op: self.remote.resize(max_size, op), 1, alone
            )
            done.append(change)
        return self._joined(done)

    def _joined(self, changes: Sequence[Change]) -> Change:
        """One change for those that were made of a verb's parts."""
        if len(changes) == 1:
            return replace(changes[0], origin=self)
        return Change(
            tuple(chain.from_iterable(each.written for each in changes)),
            tuple(chain.from_iterable(each.removed for each in changes)),
            sum(each.evicted for each in changes),
            self,
            changes[0].max_size if changes else None,
        )

    # ---- about the store

    def stats(self) -> Plan[dict[str, int]]:
        """``bytes`` of all values as JSON, of these as they are ``stored``; and ``expiring`` records."""
        return self._look(self.remote.stats, self.remote.mirror.stats)

    def build_index(self, seconds: float | None = None) -> Plan[int]:
        """Loads all records to search in, and does the work that searches have put off."""
        if seconds != 0:
            yield from self._look(self.remote.catch_up_with_all, lambda: None)
        return self.remote.mirror.build_index(seconds)

    def about(self) -> Plan[dict[str, Any]]:
        """What the store runs on, see `SyncMemory.get_backend_info`."""
        size = yield from self.size()
        server = yield from self._look(self.remote.server, lambda: "")
        outage = self.outage()
        return {
            "backend": "in-memory" if outage else "redis",
            "fallback_available": self._policy == "fallback",
            "namespace": self.namespace,
            "size": size,
            "max_size": self.max_size,
            "evictions": self.evictions,
            "redis_url": self._shown,
            "server": server or None,
            "degraded": outage is not None,
            **(outage or dict.fromkeys(("degraded_since", "degraded_because"))),
            "writes_waiting": self.waiting,
        }


def _replaced_and_evicted(change: Change) -> tuple[Sequence[Entry], Sequence[Entry]]:
    """What a write has removed; the evicted come last."""
    split = len(change.removed) - change.evicted
    return change.removed[:split], change.removed[split:]


@atexit.register
def _at_exit() -> None:
    for store in list(_open_stores):
        if store.waiting and not store._closed.is_set():  # noqa: SLF001  a function of this module
            # Nobody is left to come back to: one more try, then it has to be said.
            store._runner.run(store.part())  # noqa: SLF001
