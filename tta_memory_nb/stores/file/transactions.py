"""Transactions of a file: the records of this process and the file change together, or neither does."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from sys import maxsize
from typing import TypeVar

from ...authorship import calling, context
from ...entry import Entry, Unreadable
from ...errors import InvalidArgument, ServerError, StoreUnavailable
from ...keys import companion_of
from ..base import Change, NotCopied, NotNow
from ..durability import Durability
from ..forks import after_fork_in_child, before_fork
from ..history.bounds import History, read_history
from ..history.changes import Earlier, KeptChanges
from ..history.log import Row
from ..memory import InMemoryStore
from ..opening import Settings
from ..plan import Call, InProcessRunner, Plan
from ..records import Records
from .database import PAUSE, Database
from .faults import fault, is_busy, nested, occupied
from .kept import Caller, Kept, PendingChanges
from .mirror import Mirror
from .rows import Head, Rows

T = TypeVar("T")

MOST_READS = 512
"""So many reads are noted in the file at once, if nothing is written before."""


class _Runner(InProcessRunner):
    """Carries the plans of a file out, and closes the file.

    Args:
        disconnect: closes the file.
    """

    def __init__(self, disconnect: Callable[[], None]) -> None:
        self._disconnect = disconnect

    def close(self) -> None:
        """Closes the file. A later plan opens it again."""
        self._disconnect()

    async def aclose(self) -> None:
        """Closes the file. A later plan opens it again."""
        self._disconnect()


class Transactions(NotCopied):
    """The records of one namespace, in a file and in this process, and the steps in which both change.

    Before each step, one look at the file tells whether another process has changed it. A transaction that fails
    leaves the file as it was, and the records are read anew.

    Args:
        settings: what the memory asks of its store. A file keeps as many records as the disk has room for,
            unless `resize` is called.
        durability: what must hold before a write is acknowledged.
        path: absolute path of the file.
    """

    def __init__(self, settings: Settings, durability: Durability, path: Path) -> None:
        self.namespace = settings.namespace
        self._durability = durability
        self._timeout = settings.timeout
        self._path = path
        self._records = records = Records(maxsize, settings.clock)
        self.fallback = InMemoryStore._over(records, settings.namespace)
        synchronous = "FULL" if durability.kind == "disk" else "NORMAL"
        self._database = Database(path, synchronous, settings.timeout)
        self._rows = Rows(settings.namespace)
        self._kept = Kept(self._rows)
        self._mirror = Mirror(records, self._rows, self._kept)
        self._tombstone_rows = Rows(companion_of(settings.namespace, "tombstones"))
        self._tombstones = Head()
        # Whether a transaction is under way; its thread holds the lock of the records.
        self._busy = False
        self.runner = _Runner(self._disconnect)
        before_fork(self._before_fork)
        after_fork_in_child(self._after_fork_in_child)
        self._look(nothing)
        history = read_history(settings.history)
        if history is not None and history != self._kept.history:
            self._keep(history)

    def _attempt(self, do: Callable[[], T], nested_do: Callable[[], T], patience: float) -> T:
        """Does something with the file, again and again while another process keeps it to itself.

        Args:
            do: what to do; the lock of the records is held, and what it does not commit is taken back.
            nested_do: what to do instead in the middle of another transaction of this very thread, as code of a
                signal handler or a `__del__` is.
            patience: seconds to wait for the other process.
        """
        deadline = time.monotonic() + patience
        while True:
            with self._records.lock:
                if self._busy:
                    return nested_do()
                try:
                    self._busy = True
                    return do()
                except sqlite3.Error as error:
                    if not is_busy(error):
                        raise fault(self._path, error) from None
                finally:
                    self._busy = False
                    self._database.give_up()
            if time.monotonic() >= deadline:
                raise occupied(self._path, patience)
            time.sleep(PAUSE)

    def _is_current(self) -> bool:
        """Returns whether the records are as the file is; the caller holds the lock."""
        return self._mirror.head is not None and not self._database.has_changed()

    def _follow(self) -> None:
        """Takes in what the file has, in a transaction that has begun."""
        # In this order: the transaction sees the file as of its first statement.
        self._mirror.follow(self._database.connection)
        assert self._mirror.head is not None
        self._kept.follow(self._database.connection, self._mirror.head)
        self._collect()
        self._tombstones = self._tombstone_rows.head(self._database.connection)
        self._database.has_seen()

    def _look(self, do: Callable[[], T]) -> T:
        """Does something when the records are as the file is."""

        def look() -> T:
            if not self._is_current():
                self._database.begin_reading()
                self._follow()
                self._database.commit()
            return do()

        return self._attempt(look, do, self._timeout)

    def _look_at(self, do: Callable[[], T]) -> Plan[T]:
        """Does something when the records are as the file is; a call does what may have to wait."""
        if not self._busy:
            with self._records.lock:
                if not self._busy and self._can_answer():
                    return do()
        result: T = yield Call(self._look, do)
        return result

    def _can_answer(self) -> bool:
        try:
            return self._is_current()
        except sqlite3.Error:
            return False  # the call that follows raises it as an error of the memory

    def _change(
        self,
        verb: Callable[[], Change],
        is_promised: bool = True,
        patience: float | None = None,
        check: Callable[[], None] | None = None,
        by: Caller | None = None,
        then: Callable[[sqlite3.Connection, Head], None] | None = None,
    ) -> Change:
        """Changes the records and the file in one step.

        Args:
            verb: changes the records.
            is_promised: whether the change must be as durable as the memory promises.
            patience: seconds to wait for another process; None for the timeout of the memory.
            check: raises if nothing is to be changed, in view of the records as they are in the file.
            by: who makes the change; None for the caller.
            then: what else the transaction writes, at its end.
        """

        def change() -> Change:
            self._database.begin_writing(is_promised)
            if not self._is_current():
                self._follow()
            if check is not None:
                check()
            return self._make(verb, by, then)

        def refuse() -> Change:
            raise nested(self._path)

        return self._attempt(change, refuse, self._timeout if patience is None else patience)

    def _changing(
        self,
        verb: Callable[[], Change],
        check: Callable[[], None] | None = None,
        then: Callable[[sqlite3.Connection, Head], None] | None = None,
    ) -> Call:
        """Returns a request for `_change`, which may be carried out by a thread that does not know who has asked."""
        by = None if self._kept.history is None else (calling(), context())
        return Call(self._change, verb, True, None, check, by, then)

    def _make(
        self,
        verb: Callable[[], Change],
        by: Caller | None = None,
        then: Callable[[sqlite3.Connection, Head], None] | None = None,
    ) -> Change:
        """Changes records that are as the file is, and the file, in a transaction that has begun."""
        database, mirror = self._database, self._mirror
        before, mirror.head = mirror.head, None  # until it is committed
        assert before is not None
        self._pending()  # of a transaction that has failed
        done = verb()
        after = mirror.save(database.connection, before, done)
        self._kept.save(database.connection, after, self._pending(), by)
        if then is not None:
            then(database.connection, after)
        database.commit_change()
        mirror.head = after
        return done

    # ---- earlier versions

    @property
    def history(self) -> History | None:
        """Which changes of records are kept; None for none."""
        return self._kept.history

    def kept_history(self) -> Plan[History | None]:
        """Returns which changes of records are kept: another process may have changed that."""
        return self._look_at(lambda: self._kept.history)

    def _collect(self) -> None:
        """Has the records note their changes if the file keeps them."""
        history, log = self._kept.history, self._records.log
        if history is None:
            self._records.log = None
        elif log is None:
            self._records.log = PendingChanges()

    def _pending(self) -> list[Row]:
        """Returns the changes that are no rows yet, and forgets them."""
        log = self._records.log
        return log.take() if isinstance(log, PendingChanges) else []

    def _keep(self, history: History | None) -> None:
        def keep(connection: sqlite3.Connection, head: Head) -> None:
            self._kept.keep(connection, head, history, self._records.clock())
            self._collect()

        self._change(Change, then=keep)

    def keep_changes(self, history: History | None) -> Plan[None]:
        """Keeps changes from now on, more or fewer of them, or none."""
        yield Call(self._keep, history)

    def as_of(self, instant: float) -> Plan[Earlier]:
        """Returns the records as of an instant."""
        now = self._records.clock()
        found: Earlier = yield Call(
            self._ask, lambda c, head: self._kept.as_of(c, head, instant, now)
        )
        return found

    def kept_changes(self, key: str) -> Plan[KeptChanges]:
        """Returns the changes of a record that are kept, and the record."""
        now = self._records.clock()
        found: KeptChanges = yield Call(
            self._ask, lambda c, head: self._kept.changes_of(c, head, key, now)
        )
        return found

    def forget_changes(self, keys: Iterable[str]) -> Plan[None]:
        """Drops all changes of some records that are kept."""
        names = set(keys)
        yield self._changing(Change, then=lambda c, head: self._kept.forget(c, head, names))

    def _ask(self, ask: Callable[[sqlite3.Connection, Head], T]) -> T:
        """Asks for changes that are kept, in a transaction that sees the file as it is."""

        def look() -> T:
            self._database.begin_reading()
            if not self._is_current():
                self._follow()
            if self._kept.history is None:
                raise InvalidArgument("the file keeps no changes of these records any more")
            assert self._mirror.head is not None
            result = ask(self._database.connection, self._mirror.head)
            self._database.commit()
            return result

        def refuse() -> T:
            raise nested(self._path)

        return self._attempt(look, refuse, self._timeout)

    # ---- tombstones, which are in a namespace of their own

    def tombstones_token(self) -> Plan[Head | None]:
        """Returns what the file knows of the list of tombstones as a whole; None if there never was one."""
        head = yield from self._look_at(lambda: self._tombstones)
        return head if head.id else None

    def note_tombstones(self) -> Plan[None]:
        """Does nothing: whoever looks at the file sees that the list has changed."""
        yield from self._look_at(nothing)

    # ---- without a plan, where nothing has to be waited for

    def write_now(self, entry: Entry) -> None:
        """Carries `write` out without a plan, where that takes less time than to have a thread do it."""
        database, records, mirror = self._database, self._records, self._mirror
        if self._busy or mirror.head is None or not database.is_quick:
            raise NotNow
        with records.lock:
            if self._busy:
                raise NotNow
            try:
                self._busy = True
                if mirror.head is None or not database.try_to_begin_writing():
                    raise NotNow
                if self._tombstones.id:
                    raise NotNow  # the entry has to be compared with what was deleted for good
                if mirror.can_add(entry):
                    head, mirror.head = mirror.head, None  # until it is committed
                    self._pending()
                    records.write(entry)
                    after = mirror.add(database.connection, head, entry)
                    if records.log is not None:
                        self._kept.save(database.connection, after, self._pending(), None)
                    database.commit_change()
                    mirror.head = after
                else:
                    self._make(lambda: self.fallback.put((entry,)))
            except sqlite3.Error as error:
                raise fault(self._path, error) from None
            finally:
                self._busy = False
                database.give_up()

    def read_now(self, key: str) -> Entry | None:
        """Carries `read` out without a plan, which would take longer than the read itself."""
        mirror, records = self._mirror, self._records
        head = mirror.head
        if head is None or self._database.has_changed():
            raise NotNow
        if (there := records.entries.get(key)) is not None and there.sliding is not None:
            raise NotNow  # reading it changes the file
        entry = records.read(key)
        if mirror.head is not head or type(entry) is Unreadable:
            raise NotNow  # another thread has begun to change the records, or the plan knows what to say
        if not records.has_reads and mirror.unnoted >= MOST_READS:
            self._note_reads()
        return entry

    # ---- reads, noted in the file later

    def _note_reads(self) -> None:
        """Notes in the file what was read here, without waiting for the disk or for another process."""
        if self._mirror.unnoted > 0 or self._records.has_reads:
            with suppress(StoreUnavailable, ServerError):
                self._change(Change, is_promised=False, patience=0.0)

    # ---- opened and closed

    def _disconnect(self) -> None:
        """Closes the file."""
        with self._records.lock:
            if not self._busy:
                self._database.close()

    def _before_fork(self) -> None:
        # A child must not use the connection of its parent, and SQLite has more than one place that knows of
        # it; so both sides open the file again when they need it.
        if not self._busy:
            self._database.suspend()

    def _after_fork_in_child(self) -> None:
        self._busy = False
        self._database.forget()


def nothing() -> None:
    """Does nothing, once the records are as the file is."""
