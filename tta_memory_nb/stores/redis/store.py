"""The `Store` of a server: Redis, Valkey, a Cluster, what Sentinels name, or an embedded one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import wraps
from itertools import chain
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from ...entry import Entry, recency
from ...errors import InvalidArgument, StoreUnavailable
from ...filters import EVERYTHING, Filters
from ...keys import check_key
from ...search.query import Query, hits_of
from ...search.request import Hit, Search
from ..base import Change, NotCopied, capacity_of, check_max_size, check_origin
from ..durability import IN_MEMORY, check_attainable, read_durability
from ..expecting import Expected
from ..file.address import path_of
from ..file.faults import named
from ..memory import InMemoryStore
from ..opening import Settings
from ..plan import Plan
from .addresses import parse_address
from .barrier import Barrier
from .clock import ServerClock
from .commands import Commands
from .durable import Durable
from .journal_file import JournalFile
from .keys import keys_of
from .operations import BATCH, Write, batches, pages
from .outage import Outages
from .partial import Replicas
from .payload import Payloads
from .promises import dangers
from .replica import Replica
from .routing import Routing
from .runner import RedisRunner
from .sync import Sync
from .vectors import VectorHashes
from .wire import Prepared

if TYPE_CHECKING:
    from .redisearch.answers import ServerSearch
    from .redisearch.index import ServerIndex

P = ParamSpec("P")
T = TypeVar("T")

# So many records a stream looks at in one round trip.
_STREAMED = 64

# A record of more bytes may be larger than the server takes. Servers allow at least as much.
_LARGE = 1 << 16


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
    except BaseException:
        store.outages.keeping.leave()
        store.runner.close()
        raise
    return store


def _acknowledged(
    verb: Callable[Concatenate[RedisStore, P], Plan[T]],
) -> Callable[Concatenate[RedisStore, P], Plan[T]]:
    """Has a verb that writes return when what it has written is as durable as the memory promises."""

    @wraps(verb)
    def acknowledged(self: RedisStore, /, *args: P.args, **kwargs: P.kwargs) -> Plan[T]:
        plan = verb(self, *args, **kwargs)
        return plan if self._durable is None else self._durable.acknowledged(plan)

    return acknowledged


class RedisStore(NotCopied):
    """The records of one namespace on a server; see `outage` for what it does while that is away.

    Args:
        settings: what the memory asks of its store. A memory on a server bounds with ``max_size``
            how many records this process keeps before the first search, for an outage.
        runner: carries the plans out.
        shown: the server's address, without any password.
        journal: keeps the writes of an outage; None for this process alone.
    """

    def __init__(
        self,
        settings: Settings,
        runner: RedisRunner,
        *,
        shown: str,
        journal: JournalFile | None = None,
    ) -> None:
        self.namespace = namespace = settings.namespace
        self.runner = runner
        self._settings = settings
        self._durability = read_durability(settings.durability or "memory")
        self.clock = clock = ServerClock(settings.clock)
        self._shown = shown
        self.replica = Replica(capacity_of(settings.max_size), namespace=namespace, clock=clock)
        replicas = Replicas(self.replica, lambda: Replica(0, namespace=namespace, clock=clock))
        self._replicas = replicas
        self.commands = Commands(
            namespace,
            replicas,
            Payloads(settings.compress_over),
            clock,
            settings.timeout,
        )
        runner.greet_with(self.commands.incarnation.greeting)
        self._vectors = VectorHashes(namespace, self.commands)
        self._sync: Sync | ServerSearch = Sync(self.commands, replicas, settings.timeout)
        self._index: ServerIndex | None = None
        if settings.server_search is not None:
            # Imported here: most memories need none of it.
            from .redisearch.answers import ServerSearch
            from .redisearch.index import ServerIndex

            self._index = ServerIndex(settings, self.commands, shown)
            if settings.server_search != "off":
                self._sync = ServerSearch(
                    self.commands, self._index, by_graph=settings.server_search.endswith(":hnsw")
                )
        self.barrier: Barrier | None = None
        if self._durability != IN_MEMORY:
            meta = self.commands.keys[3]
            self.barrier = Barrier(self._durability, meta, shown, settings.timeout)
            self.commands.write_ids.awaits_barriers = True
        self.outages = Outages(
            settings,
            clock,
            self.commands,
            replicas,
            runner,
            self.barrier,
            shown=shown,
            kept=journal,
        )
        self._routing = Routing(self.outages, self.commands, replicas)
        self._durable: Durable | None = None
        self._change = self._routing.change
        if self.barrier is not None:
            self._durable = Durable(self.barrier, self.outages, self._routing)
            self._change = self._durable.change
        # In an outage these answer.
        self._records = self.replica.records
        self._offline = self.replica.offline

    def __repr__(self) -> str:
        return f"RedisStore({self.describe()})"

    def describe(self) -> str:
        """Returns the text that the repr of a memory has for its store, without any round trip."""
        degraded = ""
        if self.outages.current is not None:
            degraded = f", degraded, {self.outages.pending} pending writes"
        return f"store={self._shown!r}{degraded}"

    # ---- what is known without asking

    @property
    def fallback(self) -> InMemoryStore:
        """What this process knows of the server, and works with in an outage."""
        return self._offline

    @property
    def max_size(self) -> int | None:
        """Capacity in records; None for as many as the server has room for."""
        return self.commands.max_size

    @property
    def evictions(self) -> int:
        """How many records have been evicted since the start."""
        return self.commands.evictions

    @property
    def backend(self) -> str:
        """Name of what the records are on now, which is ``"redis"``, or in an outage ``"in-memory"``."""
        return "redis" if self.is_on_server() else "in-memory"

    def is_on_server(self) -> bool:
        """Returns whether the records are on the server now."""
        return self.outages.current is None

    def outage(self) -> dict[str, Any] | None:
        """Returns what `SyncMemory.outage` does."""
        return self.outages.info()

    # ---- one record

    @_acknowledged
    def write(self, entry: Entry) -> Plan[None]:
        """Writes one entry in a way that cannot be taken back."""

        def meant(_: None = None) -> list[Write]:
            return [Write.setting((entry,), self.clock())]

        def offline() -> tuple[None, list[Write]]:
            writes = meant()
            self._offline.put((entry,))
            return None, writes

        ask = self.commands.set_large if len(entry.text) > _LARGE else self.commands.set
        return self._change(lambda write_id: ask(entry, write_id), offline, meant, 1)

    def read(self, key: str) -> Plan[Entry | None]:
        """Returns the entry of a key, made the newest; None when there is none."""
        check_key(key)
        return self._routing.look(
            lambda: self.commands.get_one(key), lambda: self._records.read(key)
        )

    def expires_at(self, key: str) -> Plan[float | None]:
        """Returns when a record expires, in Unix seconds; None for never and for no record."""
        check_key(key)
        return self._routing.look(
            lambda: self.commands.expires_at(key), lambda: self._records.expires_at(key)
        )

    # ---- many records

    @_acknowledged
    def put(self, entries: Iterable[Entry]) -> Plan[Change]:
        """Writes entries in order, evicting the least recently used above `max_size`."""
        done = yield from self._put_batches(entries, for_good=False)
        change = self._joined(done)
        if len(done) > 1 and change.removed:
            # What one batch wrote and another one replaced or evicted was not there before.
            own = {(entry.key, entry._write_seq) for entry in change.written}
            there = [
                [entry for entry in part if (entry.key, entry._write_seq) not in own]
                for each in done
                for part in _replaced_and_evicted(each)
            ]
            removed = tuple(chain.from_iterable(there))
            change = replace(change, removed=removed, evicted=sum(map(len, there[1::2])))
        return change

    @_acknowledged
    def put_for_good(self, entries: Iterable[Entry]) -> Plan[None]:
        """Writes entries, as `put` does, in a way that cannot be taken back."""
        yield from self._put_batches(entries, for_good=True)

    def version(self, entry: Entry) -> str:
        """Returns the version of an entry: the number that the server has given to its write.

        Numbers of an outage are those of this process.
        """
        if self.outages.current is None or entry._write_seq <= self.commands.seen:
            return str(entry._write_seq)
        return self._records.version(entry)

    @_acknowledged
    def apply(
        self, entries: Sequence[Entry], deletes: Sequence[str], expect: Expected
    ) -> Plan[Change]:
        """Deletes and writes records in one step, if others are as expected.

        In an outage nobody can tell what other clients have written, so nothing can be expected then.
        """
        size = len(entries) + len(deletes)
        if not size and not expect:
            return Change(origin=self)

        def meant(_: object = None) -> list[Write]:
            if not size:
                return []
            write = Write.setting(entries, self.clock())
            return [replace(write, kind="apply", keys=tuple(deletes))]

        def offline() -> tuple[Change, list[Write]]:
            writes = meant()
            return self._offline.apply(entries, deletes), writes

        try:
            change = yield from self._change(
                lambda write_id: self.commands.apply(entries, deletes, expect, write_id),
                None if expect else offline,
                meant,
                size,
            )
        except StoreUnavailable as error:
            if not expect:
                raise
            raise StoreUnavailable(
                f"expect: {error}; only the server can tell whether other clients have changed these records, so "
                "nothing was written, unless the server has gone away in the middle of this call: read them again "
                "when it is back, or write without expect"
            ) from None
        return replace(change, origin=self)

    @_acknowledged
    def touch(self, keys: Sequence[str], ttl: float | None) -> Plan[int]:
        """Has records expire later, and makes them the newest in order."""
        count = 0
        for batch in pages(keys):
            count += yield from self._touch_batch(batch, ttl)
        return count

    def _touch_batch(self, keys: Sequence[str], ttl: float | None) -> Plan[int]:
        def meant(_: object = None) -> list[Write]:
            return [Write("touch", self.clock(), keys=tuple(keys), ttl=ttl)]

        def offline() -> tuple[int, list[Write]]:
            writes = meant()
            return self._records.touch(keys, ttl), writes

        return self._change(
            lambda write_id: self.commands.touch(keys, ttl, write_id), offline, meant, len(keys)
        )

    @_acknowledged
    def append(self, owner: str, entries: Sequence[Entry]) -> Plan[list[str]]:
        """Writes entries in one step, under keys with numbers of the server, in an outage with numbers of this process."""
        is_numbered = False

        def meant(_: object = None) -> list[Write]:
            return [Write.setting(entries, self.clock())]

        def offline() -> tuple[list[str], list[Write]]:
            nonlocal is_numbered
            records = self._records
            with records.lock:
                if not is_numbered:  # an interrupt has this done again, under the same keys
                    records.last_number = max(records.last_number, self.commands.seen)
                    suffix = f"-{self.commands.write_ids.client[:8].decode()}"
                    records.number(owner, entries, self.clock(), suffix)
                    is_numbered = True
                writes = [replace(each, kind="append") for each in meant()]
                self._offline.put(entries)
            return [entry.key for entry in entries], writes

        return self._change(
            lambda write_id: self.commands.append(owner, entries, write_id),
            offline,
            meant,
            len(entries),
        )

    def _put_batches(self, entries: Iterable[Entry], *, for_good: bool) -> Plan[list[Change]]:
        todo = ((batch, self.commands.prepare(batch)) for batch in batches(entries))
        done: list[Change] = []
        finish: list[Callable[[], Change]] = []
        following = next(todo, None)
        while following is not None:
            ahead: list[tuple[list[Entry], Prepared] | None] = []

            def work(ahead: list[tuple[list[Entry], Prepared] | None] = ahead) -> None:
                # While the server is at this batch: finishes the one before, and prepares the one
                # after. Once, however often the batch is sent.
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
        def ask(write_id: int) -> Plan[Callable[[], Change]]:
            try:
                return (
                    yield from self.commands.put(
                        entries, write_id, for_good=for_good, prepared=prepared, work=work
                    )
                )
            finally:
                work()  # whatever has happened, before anything else is made of it

        def meant(_: object = None) -> list[Write]:
            return [Write.setting(entries, self.clock())]

        def offline() -> tuple[Callable[[], Change], list[Write]]:
            work()
            writes = meant()
            change = self._offline.put(entries)
            return lambda: change, writes

        return self._change(ask, offline, meant, len(entries))

    def fetch(self, keys: Iterable[str]) -> Plan[list[Entry]]:
        """Returns the entries of the keys that exist, in the order asked, each made the newest."""
        wanted = [check_key(key) for key in keys]
        if not wanted:
            return []
        return (
            yield from self._routing.look(
                lambda: self.commands.get(wanted), lambda: self._records.fetch(wanted)
            )
        )

    def peek(self, keys: Sequence[str]) -> Plan[list[Entry]]:
        """Returns entries as `fetch` does, but the order of use stays."""
        found: list[Entry] = []
        for batch in pages(list(map(check_key, keys))):
            found += yield from self._peek_batch(batch)
        return found

    def _peek_batch(self, keys: Sequence[str]) -> Plan[list[Entry]]:
        return self._routing.look(
            lambda: self.commands.peek(keys), lambda: self._records.peek(keys)
        )

    def find(self, search: Search) -> Plan[list[Hit]]:
        """Returns the hits of a search."""
        return self._routing.look(
            lambda: self._sync.find(search), lambda: self._records.find(search)
        )

    def stream(self, search: Search) -> Iterator[Plan[list[Hit]]]:
        """Yields plans that give the hits of a search a few at a time; see `Store.stream`."""
        if search.mode != "keyword":
            yield from self._stream_ranked(search)
            return
        keys: list[str] = []
        query = Query(search)
        matches = query.test()

        def look_for_keys() -> Plan[list[Hit]]:
            keys.extend(
                (
                    yield from self._routing.look(
                        lambda: self._sync.candidate_keys(search),
                        lambda: self._records.candidate_keys(search),
                    )
                )
            )
            return []

        def look(batch: Sequence[str]) -> Plan[list[Hit]]:
            found = yield from self._peek_batch(batch)
            return hits_of(filter(matches, found), query)

        if query.is_impossible:
            return
        yield look_for_keys()
        for batch in pages(keys, _STREAMED):
            yield look(batch)

    def _stream_ranked(self, search: Search) -> Iterator[Plan[list[Hit]]]:
        """Yields plans that give the hits of a mode that ranks, if their records have the same value yet."""
        hits: list[Hit] = []

        def look_for_hits() -> Plan[list[Hit]]:
            hits.extend((yield from self.find(search.for_all())))
            return []

        def look(batch: Sequence[Hit]) -> Plan[list[Hit]]:
            found = yield from self._peek_batch([hit.entry.key for hit in batch])
            texts = {entry.key: entry.text for entry in found}
            return [hit for hit in batch if texts.get(hit.entry.key) == hit.entry.text]

        yield look_for_hits()
        for batch in pages(hits, _STREAMED):
            yield look(batch)

    def count(self, search: Search) -> Plan[int]:
        """Returns how many hits `find` would give without a limit."""
        if search.text is None and search.filters is EVERYTHING:
            return self.size()
        return self._routing.look(
            lambda: self._sync.count(search), lambda: self._records.count(search)
        )

    def keys(self, filters: Filters = EVERYTHING) -> Plan[list[str]]:
        """Returns the keys of the records that filters accept, least recently used first."""
        # Conditions need values. And a replica that has all of them is brought up to date by one
        # number, while listing keys makes the server look at each.
        if filters.where or (filters is not EVERYTHING and self._replicas.holds(filters)):
            found = yield from self.find(Search(filters=filters, order="oldest"))
            return [hit.entry.key for hit in found]
        return (
            yield from self._routing.look(
                lambda: self.commands.list_keys(filters), lambda: self._records.keys(filters)
            )
        )

    def folders(self, prefix: str, depth: int | None) -> Plan[list[str]]:
        """Returns the folders of the keys that begin with a prefix."""
        if self._replicas.holds(EVERYTHING):  # it is brought up to date by one number
            yield from self.find(Search(limit=1))
            if self._replicas.holds(EVERYTHING):
                return self._records.folders(prefix, depth)
        return (
            yield from self._routing.look(
                lambda: self.commands.folders(prefix, depth),
                lambda: self._records.folders(prefix, depth),
            )
        )

    def change_token(self) -> Plan[object]:
        """Returns a change token; in an outage, of what this process knows."""
        return self._routing.look(
            self.commands.change_token, lambda: ("offline", self._records.change_token())
        )

    def size(self) -> Plan[int]:
        """Returns the number of records; in an outage, of those that this process knows."""
        return self._routing.look(self.commands.size, self._records.size)

    # ---- taking out and putting back

    @_acknowledged
    def remove(self, keys: Sequence[str]) -> Plan[Change]:
        """Deletes the keys that exist."""
        done: list[Change] = []
        for batch in pages(list(dict.fromkeys(map(check_key, keys)))):
            done.append((yield from self._remove_batch(batch)))  # noqa: PERF401  it yields
        return self._joined(done)

    def _remove_batch(
        self, keys: Sequence[str], entries: Sequence[Entry] | None = None
    ) -> Plan[Change]:
        def ask(write_id: int) -> Plan[Change]:
            if entries is None:
                return self.commands.remove(keys, write_id)
            return self.commands.remove_versions(entries, write_id)

        def offline() -> tuple[Change, list[Write]]:
            change = self._offline.remove(keys)
            # Also of keys that are not known here: they may be on the server.
            return change, [Write("delete", self.clock(), keys=tuple(keys))]

        def meant(change: Change) -> list[Write]:
            found = keys if entries is None else [entry.key for entry in change.removed]
            return [Write("delete", self.clock(), keys=tuple(found))]

        return self._change(ask, offline, meant, len(keys))

    @_acknowledged
    def remove_matching(self, filters: Filters = EVERYTHING) -> Plan[Change]:
        """Deletes every record that the filters accept."""
        found = yield from self.find(Search(filters=filters))
        done: list[Change] = []
        for batch in pages([hit.entry for hit in found]):
            keys = [entry.key for entry in batch]
            done.append((yield from self._remove_batch(keys, batch)))
        return self._joined(done)

    @_acknowledged
    def clear(self) -> Plan[None]:
        """Deletes every record in a way that cannot be taken back."""

        def meant(_: None = None) -> list[Write]:
            return [Write("clear", self.clock())]

        def offline() -> tuple[None, list[Write]]:
            self._offline.clear()
            return None, meant()

        return self._change(self.commands.clear, offline, meant, 1)

    @_acknowledged
    def revert(self, change: Change) -> Plan[Change]:
        """Takes a change back, but keeps what has been written under a key since then.

        Raises:
            InvalidArgument: the change was made to another store.
        """
        check_origin(change, self)
        max_size = change.max_size
        done: list[Change] = []
        for written, restored in _undone_together(change):
            done.append((yield from self._revert_batch(written, restored, max_size)))
            max_size = None
        return self._joined(done)

    def _revert_batch(
        self, written: Sequence[Entry], removed: Sequence[Entry], max_size: int | None
    ) -> Plan[Change]:
        def offline() -> tuple[Change, list[Write]]:
            memory = self._offline
            back = memory.revert(Change(tuple(written), tuple(removed), 0, memory, max_size))
            if max_size is not None:
                before, self.commands.max_size = self.commands.max_size, max_size
                back = replace(back, max_size=None if before == max_size else before)
            return back, meant()

        def meant(_: object = None) -> list[Write]:
            writes = []
            if max_size is not None:
                writes.append(Write("resize", self.clock(), max_size=max_size))
            # Also what is not known here: it may be on the server.
            if written:
                writes.append(Write("take", self.clock(), entries=written))
            if removed:
                # The oldest first, since the server may not know the place of any.
                back_in = tuple(sorted(removed, key=recency))
                writes.append(Write("restore", self.clock(), entries=back_in, kept=back_in))
            return writes

        return self._change(
            lambda write_id: self.commands.revert(written, removed, max_size, write_id),
            offline,
            meant,
            len(written) + len(removed),
        )

    @_acknowledged
    def resize(self, max_size: int) -> Plan[Change]:
        """Sets the capacity; a smaller one evicts at once."""
        max_size = check_max_size(max_size)
        more = True
        done: list[Change] = []

        def offline() -> tuple[tuple[Change, bool], list[Write]]:
            before, self.commands.max_size = self.commands.max_size, max_size
            capacity = None if before == max_size else before
            change = replace(self._offline.resize(max_size), max_size=capacity)
            return (change, False), meant()

        def meant(_: object = None) -> list[Write]:
            return [Write("resize", self.clock(), max_size=max_size)]

        while more:
            change, more = yield from self._change(
                lambda write_id: self.commands.resize(max_size, write_id), offline, meant, 1
            )
            done.append(change)
        return self._joined(done)

    def _joined(self, changes: Sequence[Change]) -> Change:
        """Returns one change for those that the batches of a verb have made."""
        if len(changes) == 1:
            return replace(changes[0], origin=self)
        return Change(
            tuple(chain.from_iterable(each.written for each in changes)),
            tuple(chain.from_iterable(each.removed for each in changes)),
            sum(each.evicted for each in changes),
            self,
            changes[0].max_size if changes else None,
        )

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


def _undone_together(change: Change) -> list[tuple[Sequence[Entry], Sequence[Entry]]]:
    """Returns what each step of an undo takes out, and what it restores.

    What was replaced comes back in the step that takes its successor out: a server without room may refuse
    the next step.
    """
    # The newest first: where there is no room for all, none comes back only to be evicted later.
    removed = sorted(change.removed, key=lambda entry: -entry._recency)
    if len(change.written) + len(removed) <= BATCH:
        return [(change.written, removed)]
    replaced: dict[str, list[Entry]] = {entry.key: [] for entry in change.written}
    others: list[Entry] = []
    for entry in removed:
        replaced.get(entry.key, others).append(entry)
    together: list[tuple[Sequence[Entry], Sequence[Entry]]] = [
        (written, [old for entry in written for old in replaced.pop(entry.key, ())])
        for written in pages(change.written)
    ]
    return together + [((), restored) for restored in pages(others)]


def _replaced_and_evicted(change: Change) -> tuple[Sequence[Entry], Sequence[Entry]]:
    """Returns what a write has removed; the evicted come last."""
    split = len(change.removed) - change.evicted
    return change.removed[:split], change.removed[split:]
