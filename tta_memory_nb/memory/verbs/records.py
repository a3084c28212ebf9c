"""Verbs about records that the caller names by their keys."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ...codec import decode, from_json
from ...entry import Entry, Unreadable, new_entry
from ...keys import checked_keys, listed_keys
from ...record import MemoryRecord
from ...stores.base import Change
from ...stores.expecting import Expected
from ...stores.plan import Plan
from ...times import Duration, Instant, duration
from ..applying import Puts, applied, entries_of
from ..tombstones.deleting import remove_for_good
from .common import CommonVerbs, also_as_of


class RecordVerbs(CommonVerbs):
    """Adds, reads, changes and deletes the records of given keys."""

    # ---- one record

    def add(
        self,
        key: str,
        value: dict[str, Any],
        ttl: Duration | None = None,
        *,
        sliding: bool = False,
        anyway: bool = False,
    ) -> Plan[None]:
        """Adds or replaces a record and makes it the newest.

        Args:
            key: non-empty text, for example from `create_memory_key`.
            value: a JSON object; it is copied, never aliased.
            ttl: time until it no longer exists, in seconds, as a timedelta or as text such
                as ``"15m"``; None for never, also when the record it replaces had one.
            sliding: whether the time begins again each time the record is read by its key, at least where that would move
                its end by a 64th of the time. Reading does not write the value again.
            anyway: write it also where it says the same, or nearly the same, as what was deleted for good, and lift the
                tombstone.

        Raises:
            InvalidArgument: the key or the ttl, sliding without a ttl.
            NotStorable: the value; the error names the path.
            Tombstoned: the value says what was deleted for good. With ``tombstones="quarantine"`` it is put into
                quarantine in place of that.
        """
        seconds = None if ttl is None else duration(ttl)
        entry = new_entry(key, value, self.clock(), seconds, sliding=sliding)
        guard = self.guard
        # Each plan within a plan takes time, and most memories have no tombstones.
        return guard.store.write(entry) if guard.is_idle else guard.write(entry, anyway)

    @also_as_of
    def get(self, key: str, *, as_of: Instant | None = None) -> Plan[dict[str, Any] | None]:  # noqa: ARG002  of the decorator
        """Returns a fresh copy of the value and makes it the newest; None when there is none.

        Args:
            key: of which record.
            as_of: look at the records as they were at this instant; see `as_of`.

        Raises:
            InvalidArgument: the key; ``as_of``, as `as_of` says.
            ServerError: the record on the server cannot be read; the message says why.
            MissingPackage: it cannot be read without a package, which the message names.
        """
        entry = yield from self._store.read(key)
        return None if entry is None else _readable(entry).value()

    def delete(self, key: str, *, for_good: bool = False) -> Plan[bool]:
        """Deletes a record; returns whether there was one.

        Args:
            key: key of the record.
            for_good: leave a tombstone, so that the same or nearly the same is not added again; see `remove`.

        Raises:
            InvalidArgument, StoreUnavailable: with ``for_good``, as in `remove`.
        """
        if for_good:
            change = yield from remove_for_good(self._store, self.guard, (key,))
            return bool(change.removed)
        change = yield from self._store.remove((key,))
        return bool(change.removed)

    def ttl(self, key: str) -> Plan[float | None]:
        """Returns the seconds until a record expires; None for never and for no record."""
        # Before the store looks at its own clock: what it finds alive has some time left.
        now = self.clock()
        expires_at = yield from self._store.expires_at(key)
        return None if expires_at is None else expires_at - now

    # ---- many records

    def add_many(
        self,
        items: Mapping[str, dict[str, Any]] | Iterable[tuple[str, dict[str, Any]]],
        ttl: Duration | None = None,
        *,
        anyway: bool = False,
    ) -> Plan[int]:
        """Adds records in turn, all or, when one of them is refused, none.

        Args:
            items: values by key, or (key, value) pairs.
            ttl: as in `add`, the same for all.
            anyway: as in `add`.

        Returns:
            How many were written. More than ``max_size`` evict one another, as in `add`.

        Raises:
            InvalidArgument: a key or the ttl, an item that is no pair.
            NotStorable: a value; the path starts with its key.
            Tombstoned: as in `add`.
        """
        seconds = None if ttl is None else duration(ttl)
        entries = list(entries_of(items, self.clock(), seconds, "items", 2))
        return (yield from self.guard.put_for_good(entries, anyway))

    def apply(
        self,
        puts: Puts,
        deletes: Iterable[str] = (),
        *,
        expect: Expected | None = None,
        anyway: bool = False,
    ) -> Plan[Change]:
        """Writes and deletes records in one step: nobody ever sees a part of it.

        Args:
            puts: values by key, or tuples ``(key, value)``, ``(key, value, ttl)`` and ``(key, value, ttl, sliding)``, as in
                `add`. Of a key that comes twice, the last value counts.
            deletes: keys of records to delete; those that do not exist are ignored.
            expect: what must hold, or else nothing is done: ``{key: None}``, there is no such record;
                ``{key: record.version}``, the record has not been written or deleted since it was read. The keys need not be
                those that are written.
            anyway: as in `add`.

        Returns:
            The change, which `undo` can take back.

        Raises:
            Conflict: a record is not as expected; ``error.keys`` names all of them.
            InvalidArgument: a key, a time to live, a version, a key that is to be written and deleted, more than
                50,000 records in all.
            NotStorable: a value; the path starts with its key.
            Tombstoned: a value says what was deleted for good; also with ``tombstones="quarantine"``, since the step is
                carried out as a whole or not at all.
            StoreUnavailable: with ``expect`` in an outage, in which nobody can tell what other clients have written. Without
                ``expect``, the step is carried out in this process, and reaches the server in one step as well; of what
                others have written by then, the newest instant wins, record by record.
        """
        step = applied(puts, deletes, expect, self.clock())
        return self.guard.apply(step.entries, step.deletes, step.expect, anyway)

    def touch(self, keys: Iterable[str], ttl: Duration | None = None) -> Plan[int]:
        """Has records expire later, and makes them the newest, without writing their values again.

        Args:
            keys: of which records; those that do not exist are ignored.
            ttl: time from now until they no longer exist, as in `add`; records that slide go on with this time. None: only the
                time of records that slide begins again.

        Returns:
            How many of the records exist.

        Raises:
            InvalidArgument: a key, the ttl.
        """
        seconds = None if ttl is None else duration(ttl)
        wanted = list(dict.fromkeys(checked_keys(keys)))
        return (yield from self._store.touch(wanted, seconds)) if wanted else 0

    @also_as_of
    def get_many(
        self,
        keys: Iterable[str],
        *,
        as_of: Instant | None = None,  # noqa: ARG002  of the decorator
    ) -> Plan[dict[str, dict[str, Any]]]:
        """Returns fresh values by key, of the keys that exist, and makes each the newest in order.

        Args:
            keys: of which records.
            as_of: look at the records as they were at this instant; see `as_of`.

        Raises:
            ServerError, MissingPackage: as `get`.
        """
        found = yield from self._fetched(keys)
        return {entry.key: _readable(entry).value() for entry in found}

    @also_as_of
    def get_records(
        self,
        keys: Iterable[str],
        *,
        as_of: Instant | None = None,  # noqa: ARG002  of the decorator
    ) -> Plan[list[MemoryRecord]]:
        """Returns the records of the keys that exist, in the order asked, and makes them newest.

        Args:
            keys: of which records.
            as_of: look at the records as they were at this instant; see `as_of`.
        """
        found = yield from self._fetched(keys)
        return [self._record(entry) for entry in found]

    def _fetched(self, keys: Iterable[str]) -> Plan[list[Entry]]:
        return self._store.fetch(listed_keys(keys))


def value_of(entry: Entry | None) -> dict[str, Any] | None:
    """Returns what `RecordVerbs.get` makes of what the store has read."""
    if entry is None:
        return None
    text = entry.text
    # A call of `from_json` takes a tenth of the time of a get.
    value: dict[str, Any] = decode(text) if type(text) is bytes else from_json(text)
    return value


def _readable(entry: Entry) -> Entry:
    """Returns the entry, or raises the error that says why it cannot be read."""
    if isinstance(entry, Unreadable):
        raise entry.error()
    return entry
