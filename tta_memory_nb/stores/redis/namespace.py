"""The commands of one namespace that are about it as a whole: how large it is, its keys, what the server promises."""

from __future__ import annotations

from math import inf
from typing import Any

from ...errors import ServerError, StoreUnavailable
from ...filters import Filters
from ...text import to_utf8
from ..base import Dump
from ..plan import Plan
from . import scripts
from .calls import Calls
from .clock import ServerClock
from .faults import explained, other_format
from .keys import FORMATS, KEEPING_FORMATS, decode_key
from .partial import Replicas, Subset
from .promises import QUESTIONS, UNKNOWN, read_promises
from .rows import entries_of
from .wire import Pipelined

PAGE = 1000
"""So many records a script looks at, or loads, in one call."""

DUMP_PAGE = 500
"""The same for records of which their values are asked for, joined."""

KEYS_PAGE = 10_000
"""So many keys a script looks at in one call."""

FOLDERS_PAGE = 20_000
"""The same for their folders, which take half the time, and of which each page names all anew."""

# What about.lua is told, for the counters alone.
_ABOUT = (PAGE, b"", b"", 0)


class NamespaceCommands(Calls):
    """The commands about a namespace as a whole, as plans.

    Args:
        namespace: name of the tenant.
        replicas: what this process knows of the namespace.
        clock: of the server.
        timeout: seconds after which this process does not wait for a reply any more.

    Attributes:
        max_size: the capacity of the namespace as it was seen last; None for no limit.
        evictions: how many records the server has evicted, as it was seen last.
        expired: how many records have expired on the server, as it was seen last.
        promised: what the server has said last of what it promises.
        promised_at: when that was, in Unix seconds; None if it was not asked.
    """

    def __init__(
        self, namespace: str, replicas: Replicas, clock: ServerClock, timeout: float
    ) -> None:
        super().__init__(namespace, replicas, clock, timeout)
        self.max_size: int | None = None
        self.evictions = self.expired = 0
        self.promised = UNKNOWN
        self.promised_at: float | None = None

    def ping(self) -> Plan[None]:
        """Checks that the server answers, and that this version knows the layout of the records."""
        try:
            found, bounds = yield ("HMGET", self.keys[3], "format", "history")
        except ServerError as error:
            if error.code == "WRONGTYPE":
                return  # verbs meet it again, and a clear makes room
            raise explained(error, self._namespace) from None
        if found is not None and found not in FORMATS:
            raise other_format(self._namespace, found.decode("utf-8", "replace"))
        self.note_history(bounds.decode() if found in KEEPING_FORMATS else "")

    def leave(self) -> Plan[None]:
        """Has the server forget which writes of this process it has applied; later ones get another name."""
        client = self.write_ids.leave()
        if client is not None:
            yield ("HDEL", self.keys[3], b"client:" + client, b"seen:" + client)

    def note(self, end: int, capacity: int | None = None, start: int | None = None) -> int:
        """Records the server's counter, and the capacity if the reply has it (-1: no limit).

        Args:
            end: the counter.
            capacity: how many records the namespace has room for.
            start: what the counter was before, where that may be much less.

        Returns:
            The highest value of the counter that was seen.
        """
        if capacity is not None:
            self.max_size = None if capacity < 0 else capacity
        return self.incarnation.note(end, start)

    def size(self) -> Plan[int]:
        """Returns the number of records."""
        reply = yield from self._about()
        size: int = reply[0]
        return size

    def stats(self) -> Plan[dict[str, int]]:
        """Returns what `Store.stats` does; ``stored`` are the bytes that the server keeps."""
        before, more = inf, 1
        while 0 < more < before:  # a server that cannot write now deletes no expired records
            before = more
            _, expiring, *_, more = yield from self._about()
        size = stored = 0
        place: bytes = b"0"
        while place:
            some, some_stored, place = yield from self.run(scripts.SIZES, place, PAGE)
            size, stored = size + some, stored + some_stored
        return {"bytes": size, "expiring": expiring, "stored": stored}

    def _about(self) -> Plan[Any]:
        return self._has_told((yield from self.run(scripts.ABOUT, *_ABOUT)))

    def _has_told(self, reply: Any) -> Any:
        self.evictions = reply[2]
        self.expired = reply[-2] + reply[-1]
        self.max_size = None if reply[3] < 0 else reply[3]
        if self.history is None:  # another client may have begun it
            self.note_history(reply[4].decode())
        return reply

    def promises(self) -> Plan[int]:
        """Asks the server what it promises now, see `promised`; returns the number of records."""
        about, *replies = yield Pipelined((self.call(scripts.ABOUT, *_ABOUT), *QUESTIONS))
        for reply in (about, *replies):
            if isinstance(reply, StoreUnavailable):
                raise reply
        # The server has forgotten the script, or refuses it.
        failed = isinstance(about, ServerError)
        about = (yield from self._about()) if failed else self._has_told(about)
        self.promised, self.promised_at = read_promises(replies), self.clock()
        size: int = about[0]
        return size

    def change_token(self) -> Plan[object]:
        """Returns a token made of the counter that every write and read takes a number from."""
        counters = yield ("HMGET", self.keys[3], "epoch", "seq", "max")
        expired = yield ("ZCOUNT", self.keys[2], "-inf", repr(self.clock()))
        return (*counters, expired)

    def give_up(self, write_id: int, client: bytes = b"") -> Plan[bool]:
        """Has the server ignore a write that may still be under way.

        Args:
            write_id: of the write.
            client: that has sent it; empty for this one.

        Returns:
            Whether the server had applied the write before.
        """
        applied = yield from self.write(scripts.GIVE_UP, write_id, client=client)
        return bool(applied)

    # ---- keys

    def list_keys(self, filters: Filters) -> Plan[list[str]]:
        """Returns the keys that filters without conditions accept, least recently used first.

        No value crosses the wire: the server looks at keys and headers, so many at a time that no
        other client waits long for it.
        """
        subset = Subset.of(filters)
        # A key that is used meanwhile moves to the newest end, and is listed again there.
        listed: dict[bytes, None] = {}
        after: bytes = b"-inf"
        while after:
            keys, expired, after = yield from self.run(
                scripts.KEYS, after, KEYS_PAGE, *subset.arguments()
            )
            for key in keys:
                listed.pop(key, None)
                listed[key] = None
            for key in expired:
                listed.pop(key, None)
        found = [decode_key(key) for key in listed]
        if filters.user is None and filters.session is None:
            return found
        # The server finds keys that contain both names; which of them are owned is decided here.
        owners = Filters(user=filters.user, session=filters.session)
        return [key for key in found if owners.accept(key, 0.0, dict)]

    def dump(self, prefix: str, size: int, after: bytes) -> Plan[tuple[Dump, bytes]]:
        """Returns some records, and the recency after which to go on; empty at the end.

        Args:
            prefix: what the keys of the records begin with.
            size: how many bytes of a key follow.
            after: the recency after which to go on; ``b"-inf"`` at first.
        """
        keys, numbers, values, others, after = yield from self.run(
            scripts.DUMP, after, DUMP_PAGE, to_utf8(prefix), size
        )
        return Dump(keys, numbers, values, entries_of(others)), after

    def folders(self, prefix: str, depth: int | None) -> Plan[list[str]]:
        """Returns the folders of keys, found on the server, so many keys at a time that no other client waits long."""
        found: dict[bytes, None] = {}
        after: bytes = b"-inf"
        while after:
            some, after = yield from self.run(
                scripts.FOLDERS, after, FOLDERS_PAGE, to_utf8(prefix), depth or 0
            )
            found.update(dict.fromkeys(some))
        return list(map(decode_key, found))
