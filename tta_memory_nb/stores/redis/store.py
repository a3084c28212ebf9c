"""The `Store` of a server: Redis, Valkey, a Cluster, what Sentinels name, or an embedded one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from ...errors import InvalidArgument, StoreUnavailable
from ..durability import IN_MEMORY, check_attainable, read_durability
from ..file.address import path_of
from ..file.faults import named
from ..opening import Settings
from ..plan import Plan
from .addresses import parse_address
from .journal_file import JournalFile
from .keys import keys_of
from .promises import dangers
from .removing import Removing
from .runner import RedisRunner
from .versions import Versions
from .writing import Writing


def open_store(address: str, settings: Settings) -> RedisStore:
    """Returns the store of the server that an address means.

    The server is tried at once, so that a wrong address or password is reported here.

    Raises:
        InvalidArgument: the address means nothing; the message holds no password.
        StoreUnavailable: the server cannot be reached, and the policy is ``"raise"``.
        ServerError: the server refuses.
    """
    server = parse_address(address)
    if settings.server_search is not None and server.kind == "cluster":
        raise InvalidArgument.about(
            "server_search",
            settings.server_search,
            "RediSearch has one index for all nodes of a Cluster, which a memory cannot keep in step with its "
            "records; leave server_search out",
        )
    if server.kind == "embedded":
        place = "an embedded server, which has no replicas, and a supervisor that syncs its file every second,"
        check_attainable(read_durability(settings.durability or "memory"), place, ("memory",))
    journal = None
    if settings.journal is not None:
        path = path_of(settings.journal, "journal")
        journal = JournalFile(path, server.place, settings.namespace, settings.timeout)
    runner = RedisRunner(server, settings.timeout, keys_of(settings.namespace).values.encode())
    store = RedisStore(settings, runner, shown=server.shown, journal=journal)
    try:
        store.outages.keeping.inherit()
        if not store.runner.run(store.reconnect()) and journal is not None:
            # What ended processes have left may wait for a server that is there and refuses: that is reported here, too.
            with suppress(StoreUnavailable):
                store.runner.run(store.commands.ping())
        store.runner.run(store.check_durability())
        store.runner.run(store.check_server_search())
        store.runner.run(store.begin_history())
    except BaseException:
        store.outages.keeping.leave()
        store.runner.close()
        raise
    return store


class RedisStore(Writing, Removing, Versions):
    """The records of one namespace on a server; see `outage` for what it does while that is away."""

    def __repr__(self) -> str:
        return f"RedisStore({self.describe()})"

    def describe(self) -> str:
        """Returns the text that the repr of a memory has for its store, without any round trip."""
        degraded = ""
        if self.outages.current is not None:
            degraded = f", degraded, {self.outages.pending} pending writes"
        return f"store={self._shown!r}{degraded}"

    # ---- vectors of slow embedders

    def load_vectors(
        self, identity: tuple[str, str, int], keys: Sequence[str]
    ) -> Plan[dict[str, bytes]]:
        """Returns what the server has of the vectors of some records; nothing in an outage.

        An index on the server has vectors of its own.
        """
        nothing: dict[str, bytes] = {}
        if self._index is not None:
            return nothing
        return (
            yield from self._routing.look(
                lambda: self._vectors.load(identity, keys), lambda: nothing
            )
        )

    def save_vectors(
        self, identity: tuple[str, str, int], vectors: Mapping[str, bytes]
    ) -> Plan[None]:
        """Keeps vectors of records on the server; not in an outage."""
        if self._index is not None:
            return
        yield from self._routing.look(lambda: self._vectors.save(identity, vectors), lambda: None)

    # ---- about the store

    def stats(self) -> Plan[dict[str, int]]:
        """Returns ``bytes`` of all values as JSON, how many are ``stored``, ``expiring`` records."""
        return self._routing.look(self.commands.stats, self._records.stats)

    def build_index(self, seconds: float | None = None) -> Plan[int]:
        """Loads all records to search in, and does the work that searches have put off."""
        if seconds != 0:
            yield from self._routing.look(self._sync.load_all, lambda: None)
        on_server = yield from self._about_index()
        if on_server:
            return int(on_server["index_pending"])
        return self._records.build_index(seconds)

    def _about_index(self) -> Plan[dict[str, Any]]:
        """Returns what is known of the index on the server; nothing where none is asked for, and in an outage."""
        if self._index is None or self._settings.server_search == "off":
            return {}
        nothing: dict[str, Any] = {}
        return (yield from self._routing.look(self._index.about, lambda: nothing))

    def about(self) -> Plan[dict[str, Any]]:
        """Returns what the store runs on, see `SyncMemory.get_backend_info`."""
        size = yield from self._routing.look(self.commands.promises, self._records.size)
        yield from self._routing.look(self.commands.look_for_lost, lambda: None)
        index = yield from self._about_index()
        history = self._known_history()  # `promises` has asked
        outage, promised = self.outage(), self.commands.promised
        if self.runner.is_embedded:
            promised = promised.synced_by_its_supervisor()
        found = dangers(promised, self._durability, self.clock.skew)
        if outage and self._durability != IN_MEMORY:
            asked = f"durability='{self._durability}'"
            where = self.outages.keeping.file
            waits = f"in {named(where.path)}" if where else "in this process"
            found.insert(0, f"{asked} does not hold in an outage: writes wait {waits}")
        return {
            "backend": "in-memory" if outage else "redis",
            "fallback_available": self._settings.on_outage == "fallback",
            "namespace": self.namespace,
            "size": size,
            "max_size": self.max_size,
            "evictions": self.evictions,
            "reads_not_noted": self.commands.reads_not_noted,
            "redis_url": self._shown,
            "server": promised.server or None,
            "durability": str(self._durability),
            "server_search": self._settings.server_search,
            "history": None if history is None else str(history),
            **index,
            **promised.about,
            "last_failover": self.outages.last_failover,
            "promised_at": self.commands.promised_at,
            "dangers": found,
            "clock_skew": self.clock.skew,
            "lost_on_server": len(self.commands.incarnation.lost),
            "degraded": outage is not None,
            **(outage or dict.fromkeys(("degraded_since", "degraded_because"))),
            "writes_waiting": self.outages.pending,
            "writes_refused": dict(self.outages.refused),
            "journal": None
            if self.outages.keeping.file is None
            else str(self.outages.keeping.file.path),
        }

    def check_durability(self) -> Plan[None]:
        """Makes sure that the server can promise what is asked, unless it is away.

        Raises:
            ServerError: it cannot.
        """
        if self.barrier is not None:
            yield from self._routing.look(self.barrier.check, lambda: None)

    def check_server_search(self) -> Plan[None]:
        """Makes sure that the server can answer searches, or deletes its index, as is asked; unless it is away.

        Raises:
            ServerError: it has no RediSearch, or refuses.
        """
        if self._index is not None:
            is_off = self._settings.server_search == "off"
            check = self._index.end if is_off else self._index.check
            yield from self._routing.look(check, lambda: None)

    def reconnect(self, restore_from_here: bool = False) -> Plan[bool]:
        """Tries the server now; returns whether the records are on it."""
        return self.outages.reconnect(restore_from_here)

    def before_close(self) -> Plan[None]:
        """Tries the server once more, if writes are pending."""
        return self.outages.before_close()
