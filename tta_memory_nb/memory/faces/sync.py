"""SyncMemory: the memory of an agent, called."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any, Concatenate, ParamSpec, Self, TypeVar, Unpack

from ...entry import Entry, new_entry
from ...filters import FilterArgs
from ...record import MemoryRecord
from ...search.request import Hit, Search, SearchMode
from ...stores.base import NotNow, Store
from ...stores.memory import InMemoryStore
from ...stores.plan import Plan
from ...times import Duration, Instant, duration
from ..after_writes import kept_up
from ..meaning import BY_MEANING
from ..verbs import Verbs
from ..verbs.records import value_of
from ..verbs.search import search_for, values_of
from ..watching import shortcut_under
from .attributes import Attributes
from .methods import documented_by, given, result_of, shortcut, shown_as, watched_batches

P = ParamSpec("P")
T = TypeVar("T")


def _called(
    verb: Callable[Concatenate[Verbs, P], Plan[T]],
) -> Callable[Concatenate[SyncMemory, P], T]:
    """Makes the method of a SyncMemory that carries a verb out."""
    name = verb.__name__

    def method(self: SyncMemory, /, *args: P.args, **kwargs: P.kwargs) -> T:
        verbs = self._verbs
        plan = verb(verbs, *args, **kwargs)
        if verbs.upkeep is not None:
            plan = kept_up(verbs.upkeep, name, plan)
        if verbs.watch is not None:
            plan = verbs.watch(name, plan, *args, **kwargs)
        return self._run(plan)

    method.__qualname__ = f"SyncMemory.{name}"
    return shown_as(verb, method, result_of(verb))


class SyncMemory(Attributes):
    """Every verb of a memory without ``await``; reached as ``memory.sync``.

    ``**filters`` are, for every verb that takes them: ``user``, ``session`` (of keys made by
    `create_memory_key`), ``prefix`` (of the key), ``since``, ``until`` (instants, inclusive, of
    the last write) and ``where`` (conditions on fields); see `Filters.build`.
    """

    def __init__(self, store: Store | None = None, verbs: Verbs | None = None) -> None:
        if store is None or verbs is None:
            raise TypeError(
                "SyncMemory: no class to call; every memory has one: MemoryPrimitive(...).sync"
            )
        super().__init__(store, verbs)
        self._run = store.runner.run
        # What shortcuts look at: whether writes have to be compared with tombstones.
        beside = store.fallback
        self._beside = beside if isinstance(beside, InMemoryStore) else InMemoryStore(0)
        # To make a plan takes longer than to look a key up, and a fifth of the time of an add or of a
        # search for frequent text. So these verbs have shortcuts, where the store offers them.
        self._write_now: Callable[[Entry], None] | None = shortcut(store, "write_now")
        self._read_now: Callable[[str], Entry | None] | None = shortcut(store, "read_now")
        self._find_now: Callable[[Search], list[Hit]] | None = shortcut(store, "find_now")

    def __repr__(self) -> str:
        return f"SyncMemory(namespace={self.namespace!r}, {self._store.describe()})"

    @documented_by(Verbs.add)
    def add(  # noqa: D102
        self,
        key: str,
        value: dict[str, Any],
        ttl: Duration | None = None,
        *,
        sliding: bool = False,
        anyway: bool = False,
    ) -> None:
        if self._write_now is None or not self._is_added_at_once(key, value, ttl, sliding):
            flags = given(sliding=sliding, anyway=anyway) if sliding or anyway else {}
            self._add(key, value, ttl, **flags)

    def _is_added_at_once(
        self, key: str, value: dict[str, Any], ttl: Duration | None, sliding: bool
    ) -> bool:
        """Adds a record by the shortcut of the store, for both faces; returns False if only a plan can do it now."""
        verbs = self._verbs
        write = self._write_now
        if verbs.watch is not None:
            write = shortcut_under(verbs.watch, "add", write)
        if write is not None and verbs.upkeep is None and not self._beside.tombstone_changes:
            try:
                seconds = None if ttl is None else duration(ttl)
                write(new_entry(key, value, verbs.clock(), seconds, sliding=sliding))
                return True
            except NotNow:
                return False
        return False

    @documented_by(Verbs.get)
    def get(  # noqa: D102
        self, key: str, *, as_of: Instant | None = None
    ) -> dict[str, Any] | None:
        if as_of is not None:
            return self._get(key, as_of=as_of)
        read = self._read_now
        if self._verbs.watch is not None:
            read = shortcut_under(self._verbs.watch, "get", read)
        if read is not None:
            try:
                return value_of(read(key))
            except NotNow:
                pass
        return self._get(key)

    @documented_by(Verbs.search)
    def search(  # noqa: D102
        self,
        query: str,
        limit: int | None = 5,
        mode: SearchMode | None = None,
        *,
        as_of: Instant | None = None,
    ) -> list[dict[str, Any]]:
        if as_of is not None:
            return self._search(query, limit, mode, as_of=as_of)
        found = self._found_at_once(query, limit, mode)
        return self._search(query, limit, mode) if found is None else found

    def _found_at_once(
        self, query: str, limit: int | None, mode: SearchMode | None
    ) -> list[dict[str, Any]] | None:
        """Searches by the shortcut of the store, for both faces; returns None if only a plan can do it now."""
        search = search_for(query, limit, mode, self._verbs)
        if self._find_now is None or self._verbs.watch is not None or search.mode in BY_MEANING:
            return None
        return values_of(self._find_now(search))

    def as_of(self, instant: Instant) -> Self:
        """Returns the memory as it was at an instant, to be read and searched in every mode; nothing can be written to it.

        Its answers are those that this memory gave then. Records come in the order in which they were written, since earlier
        orders of use are not kept. The verbs that take ``as_of`` make such a memory for one call; a program that
        asks several times makes it once.

        Args:
            instant: Unix seconds, a datetime, ISO 8601 text, or how long ago, such as ``"2h"``.

        Raises:
            InvalidArgument: it is no instant or lies in the future; the memory keeps no changes (see ``history`` of
                `MemoryPrimitive`), or has dropped those since then.
        """
        past = self._run(self._verbs._past(instant))  # noqa: SLF001  verbs are one with their faces
        return type(self)(past._store, past)  # noqa: SLF001

    _add = _called(Verbs.add)
    _get = _called(Verbs.get)
    _search = _called(Verbs.search)
    delete = _called(Verbs.delete)
    ttl = _called(Verbs.ttl)
    touch = _called(Verbs.touch)
    add_many = _called(Verbs.add_many)
    apply = _called(Verbs.apply)
    append = _called(Verbs.append)
    history = _called(Verbs.history)
    folders = _called(Verbs.folders)
    log = _called(Verbs.log)
    keep_history = _called(Verbs.keep_history)
    get_many = _called(Verbs.get_many)
    get_records = _called(Verbs.get_records)
    keys = _called(Verbs.keys)
    records = _called(Verbs.records)
    entries = _called(Verbs.entries)
    hits = _called(Verbs.hits)
    peek = _called(Verbs.peek)
    change_token = _called(Verbs.change_token)
    search_records = _called(Verbs.search_records)
    count = _called(Verbs.count)
    why = _called(Verbs.why)
    pack = _called(Verbs.pack)
    diagnose = _called(Verbs.diagnose)
    build_index = _called(Verbs.build_index)
    embed = _called(Verbs.embed)
    clear = _called(Verbs.clear)
    remove = _called(Verbs.remove)
    take_all = _called(Verbs.take_all)
    resize = _called(Verbs.resize)
    undo = _called(Verbs.undo)
    export = _called(Verbs.export)
    import_ = _called(Verbs.import_)
    summarize = _called(Verbs.summarize)
    forget = _called(Verbs.forget)
    propose = _called(Verbs.propose)
    proposals = _called(Verbs.proposals)
    approve = _called(Verbs.approve)
    reject = _called(Verbs.reject)
    size = _called(Verbs.size)
    resolve = _called(Verbs.resolve)
    carry_out = _called(Verbs.carry_out)
    tombstones = _called(Verbs.tombstones)
    lift_tombstones = _called(Verbs.lift_tombstones)
    quarantined = _called(Verbs.quarantined)
    release = _called(Verbs.release)
    stats = _called(Verbs.stats)
    get_backend_info = _called(Verbs.get_backend_info)
    reconnect = _called(Verbs.reconnect)

    @documented_by(Verbs.stream_records)
    def stream_records(  # noqa: D102
        self,
        query: str | None = None,
        limit: int | None = None,
        mode: SearchMode | None = None,
        **filters: Unpack[FilterArgs],
    ) -> Iterator[MemoryRecord]:
        batches = watched_batches(self._verbs, query, limit, mode, **filters)
        return chain.from_iterable(map(self._run, batches))

    def close(self) -> None:
        """Closes all connections. A memory that is used again opens new ones.

        If writes are pending for a server that is away, it is tried once more; writes that remain
        pending are logged.
        """
        self._verbs.companions.close()
        self._run(self._store.before_close())
        self._store.runner.close()
