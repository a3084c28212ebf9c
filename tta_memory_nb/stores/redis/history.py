"""Changes of records that a server keeps: asked for, read and dropped.

The scripts that change records write what was there before, in the same step (`lua/changes.lua`), whichever client has called them: the format
of the namespace tells them to. So a namespace has one history for all clients, with the instants of the server.

The records of an instant are the present ones, of which a replica has a copy, with all later changes taken back. A change that is made while
they are read does no harm: it is among those that are taken back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import inf
from struct import Struct
from typing import Any, NamedTuple, get_args

from ...authorship import Author
from ...entry import Entry
from ...errors import InvalidArgument
from ..history.authors import decoded_author
from ..history.bounds import History
from ..history.changes import (
    Earlier,
    Event,
    KeptChange,
    KeptChanges,
    check_kept,
    records_as_of,
)
from ..plan import Plan
from . import scripts
from .commands import Commands
from .keys import decode_key, encode_key
from .operations import MOST_BYTES
from .partial import Replicas
from .payload import unpack
from .sync import Sync

# The head of a change: instant, number of the event, sizes of key and author.
_HEAD = Struct(">dBIH")
_EVENTS: tuple[Event, ...] = get_args(Event)

# A replica drops records by this machine's idea of the server's time, which may be ahead by so many seconds.
_AHEAD = 1.0


class Facts(NamedTuple):
    """What the server says of its history.

    Attributes:
        now: the server's time, in Unix seconds.
        since: from which instant on all changes are known, in Unix seconds.
    """

    now: float
    since: float


class ServerHistory:
    """The history of one namespace on its server, as plans.

    Args:
        commands: what asks the server.
        replicas: gives what to load the records into: what this process knows anyway, or what is used only once.
        timeout: seconds to wait for another task that is loading the same records.
    """

    def __init__(
        self, commands: Commands, replicas: Callable[[], Replicas], timeout: float
    ) -> None:
        self._commands = commands
        self._replicas = replicas
        self._timeout = timeout

    def look(self) -> Plan[History | None]:
        """Asks which changes are kept."""
        yield from self._page(b"0")
        return self._commands.history

    def as_of(self, instant: float) -> Plan[Earlier]:
        """Returns the records as of an instant, see `Store.as_of`."""
        commands = self._commands
        facts = (yield from self._page(b"0"))[0]
        history = self._kept()
        # What the server does from here on is later than what is asked for.
        instant = min(instant, facts.now)
        check_kept(instant, facts.since, history)
        replicas = self._replicas()
        yield from Sync(commands, replicas, self._timeout).load_all()
        records = replicas.whole.replica.records
        with records.lock:
            present = dict(records.entries)
        now = commands.clock()
        # Records that have expired, which the replica has dropped; of those that the server has deleted, the changes tell.
        for entry in (yield from self._expired(now + _AHEAD)):
            present.setdefault(entry.key, entry)
        changes: list[KeptChange] = []
        place: bytes = b""
        while True:
            facts, rows, place, _ = yield from self._page(place, after=instant)
            changes += _changes(rows)
            if not place:
                break
        check_kept(instant, facts.since, self._kept())
        gone = [
            entry.key
            for entry in present.values()
            if entry.expires_at is not None and instant < entry.expires_at <= now
        ]
        earlier = records_as_of(
            present, ((c.at, c.event, c.key, c.before) for c in changes), instant
        )
        for key in gone:
            earlier.since.setdefault(key, "expired")
        return earlier

    def changes_of(self, key: str) -> Plan[KeptChanges]:
        """Returns the changes of one record that are kept, and the record."""
        found: list[KeptChange] = []
        place = b""
        present: Entry | None = None
        while True:
            is_first = not place
            facts, rows, place, blob = yield from self._page(place, key=encode_key(key))
            self._kept()
            if is_first:
                present = unpack(key, blob) if blob else None
            found += _changes(rows)
            if not place:
                break
        found.reverse()
        expires_at = None if present is None else present.expires_at
        if expires_at is not None and expires_at <= facts.now:
            found.append(KeptChange(facts.now, "expired", key, present, Author()))
            present = None
        return KeptChanges(tuple(found), present, facts.since)

    def forget(self, keys: Sequence[str]) -> Plan[None]:
        """Drops all changes of some records."""
        names = list(map(encode_key, keys))
        place: bytes = b""
        while True:
            place = yield from self._commands.run(scripts.ERASE, place, *names)
            if not place:
                return

    def _kept(self) -> History:
        history = self._commands.history
        if history is None:
            raise InvalidArgument("the server keeps no changes of these records any more")
        return history

    def _page(
        self, place: bytes, *, after: float = -inf, key: bytes = b""
    ) -> Plan[tuple[Facts, Sequence[bytes], bytes, bytes]]:
        """Returns facts, some changes, the newest first, where to go on, and the bytes of a record.

        Args:
            place: the number of a change to begin with; empty for the last one.
            after: changes up to this instant are not wanted.
            key: of the only record whose changes are wanted; empty for all.
        """
        reply: Any = yield from self._commands.run(
            scripts.PAST, place, repr(max(after, -1e300)), key, MOST_BYTES
        )
        now, bounds, since, rows, place, blob = reply
        self._commands.note_history(bounds.decode())
        return Facts(float(now), float(since or 0)), rows, place, blob

    def _expired(self, until: float) -> Plan[list[Entry]]:
        """Returns the records that expire up to an instant, as far as the server has not deleted them."""
        found: list[Entry] = []
        looked = 0
        while True:
            count, rows = yield from self._commands.run(scripts.EXPIRED, repr(until), looked)
            it = iter(rows)
            entries = (unpack(decode_key(name), blob) for name, blob in zip(it, it, strict=True))
            found += filter(None, entries)
            looked += count
            if not count:
                return found


def _changes(rows: Sequence[bytes]) -> Iterator[KeptChange]:
    for row in rows:
        at, event, key_size, author_size = _HEAD.unpack_from(row)
        end = _HEAD.size + key_size
        key = decode_key(row[_HEAD.size : end])
        blob = row[end + author_size :]
        before = unpack(key, blob) if blob else None
        author = decoded_author(row[end : end + author_size])
        yield KeptChange(at, _EVENTS[event - 1], key, before, author)
