"""Commands about the memory itself: what it runs on, which one is in use, nested event loops."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Self, cast

from ...errors import InvalidArgument, brief, harmless
from ...memory.faces import MemoryPrimitive, SyncMemory
from ...memory.tombstones.tombstone import check_policy
from ...search.indexes import check_mode
from ...search.request import SearchMode
from ...stores.durability import named_durability
from ...stores.file.address import absolute
from ...stores.history.bounds import History, HistoryLike, read_history
from ...stores.redis.clock import MOST_SKEW
from ...stores.schemes import FILE, is_address, scheme_of
from ...times import shown_instant
from ..arguments import Word
from ..fields import Lookup
from .base import IN_MEMORY, Notebook, Reply, count_records, shown
from .judging import weights_in

DEFAULT_CAPACITY = 1000

# A word that ends like this is the name of a file that keeps a memory.
_FILES = (".db", ".sqlite", ".sqlite3")


def info(nb: Notebook, *, restore: bool = False) -> Reply:
    """Show backend, namespace, size, capacity, evictions and more.

    If the server is away, the command tries to reach it.

    Flags:
        restore: write what the server has lost, as far as this kernel knows it
    """
    from ...frames import facts_frame

    memory = nb.memory.sync
    memory.reconnect(restore)
    about = memory.get_backend_info()
    facts = _facts(nb.memory, about) | _promises(about)
    stats = memory.stats()
    facts["size in bytes"] = stats["bytes"]
    if saved := stats["bytes"] - stats["stored"]:
        share = saved / stats["bytes"]
        facts["saved by compression"] = f"{saved:,} bytes ({share:.0%})"
    facts["expiring"] = stats["expiring"]
    facts["undoable"] = ", ".join(nb.undo_stack.verbs()) or "nothing"
    cautions = "\n".join(f"caution: {harmless(each)}" for each in about.get("dangers", ()))
    return Reply(cautions, facts_frame(facts, "memory"))


def status(nb: Notebook) -> Reply:
    """The reply to ``%memory`` alone: backend, namespace, size, capacity, evictions."""
    from ...frames import facts_frame

    facts = _facts(nb.memory, nb.memory.get_backend_info())
    return Reply("%memory help lists all commands", facts_frame(facts, "memory"))


def use(
    nb: Notebook,
    memory: Word | None = None,
    *,
    namespace: str | None = None,
    max_size: int | None = None,
    durability: str | None = None,
    server_search: str | None = None,
    journal: str | None = None,
    history: str | None = None,
    mode: str | None = None,
    weights: str | None = None,
    tombstones: str | None = None,
    yes: bool = False,
) -> Reply:
    """Choose the memory to work on, its namespace, capacity, durability, search mode, or what tombstones do.

    MEMORY is a variable that holds a MemoryPrimitive or an address; or in-memory; or a file such as
    notes.db, which keeps the records; or an address such as redis://host:6379; or embedded, a server of
    your own that keeps its records in a directory. If there is no variable REDIS_URL, $REDIS_URL takes the address from the environment, so that no
    password is saved in the notebook. Returns the memory, so that code can use the same one.

      %memory use notes.db
      %memory use $agent_memory
      %memory use $REDIS_URL
      %memory use embedded
      %memory use --namespace experiment-2
      %memory use --max-size 300000
      %memory use $REDIS_URL --durability replicas:1
      %memory use $REDIS_URL --server-search redisearch
      %memory use $REDIS_URL --journal outages.db
      %memory use --history 7d
      %memory use --mode ranked
      %memory use --weights $tuning
      %memory use --tombstones quarantine
      memory = %memory use

    Flags:
        namespace: name of the tenant; each has its own records
        max_size: capacity in records
        durability: what must hold before a write to a server or a file is acknowledged: memory, disk
            or replicas:N; for a file also normal or full, the words of SQLite
        server_search: redisearch has a server with RediSearch answer searches, for memories that are too large for this
            process; redisearch:hnsw finds vectors by a graph; off deletes that index
        journal: a file such as outages.db that keeps what is written while the server is away, also if
            the kernel ends; the next memory with this file brings it to the server
        history: how many changes of records are kept from now on for %memory log and --as-of: a number, or a time such
            as 7d; off drops them
        mode: how to search from now on, in commands and in code: keyword, ranked, semantic or hybrid
        weights: a variable with the weights of the signals in rankings, or with what %memory tune returned
        tombstones: what becomes from now on of a record that says what was deleted for good: refuse, or quarantine, which puts it
            aside for %memory tombstones --quarantine
        yes: evict the records for which a smaller capacity has no room
    """
    default_mode = None if mode is None else check_mode(cast("SearchMode", mode))
    signals = None if weights is None else weights_in(weights)
    policy = None if tombstones is None else check_policy(tombstones)
    if journal is not None:
        if not isinstance(journal, str):
            raise InvalidArgument.about("journal", journal, "give a file, such as outages.db")
        # A relative path means the same file after a %cd as well.
        journal = absolute(journal if is_address(journal) else f"{FILE}:{journal}", "journal")
    kept = None if history is None else _history_in(history)
    wanted = _Wanted(named_durability(durability), journal, server_search)
    chosen = _chosen(nb, memory, namespace, max_size, wanted)
    if max_size is not None and max_size != chosen.max_size:
        excess = chosen.size() - max_size
        if excess > 0 and max_size >= 0 and not yes:
            raise InvalidArgument(
                f"--max-size {max_size}: {count_records(excess)} would be evicted for good; delete "
                "or export some first, or add --yes"
            )
        chosen.sync.resize(max_size)
    if history is not None:
        chosen.sync.keep_history(kept)
    if default_mode is not None:
        chosen.default_mode = default_mode
    if signals is not None:
        chosen.weights = signals
    if policy is not None:
        chosen.tombstone_policy = policy
    nb.memory = chosen
    if nb.trace is not None and nb.trace.is_on:
        nb.trace.add(chosen)
    return Reply(value=chosen)


def nest(_nb: Notebook) -> Reply:
    """Let code in cells call asyncio.run, as scripts do.

    Patches asyncio for the whole kernel until it restarts. Nothing in this package needs the patch: in
    cells, plain await works.
    """
    from ...nesting import allow_nested_asyncio

    allow_nested_asyncio()
    return Reply("asyncio.run works in cells now, until the kernel restarts")


def outage_of(nb: Notebook) -> str:
    """One line about the outage of the server in use; empty if there is none."""
    outage = nb.memory.outage()
    if outage is None:
        return ""
    count = outage["writes_waiting"]
    pending = f", {count:,} pending {'write' if count == 1 else 'writes'}" if count else ""
    return (
        f"degraded since {shown_instant(outage['degraded_since'])}: working in memory, with the records that were loaded before{pending}; "
        "%memory info tries to reach the server"
    )


def or_environment(lookup: Lookup) -> Lookup:
    """A lookup that falls back to the environment for names that the notebook does not have."""

    def look(expression: str) -> Any:
        try:
            return lookup(expression)
        except NameError:
            if expression in os.environ:
                return os.environ[expression]
            raise

    return look


def _promises(about: Mapping[str, Any]) -> dict[str, Any]:
    """What the server of a memory promises, in words; nothing without a server."""
    if "persistence" not in about:
        return {}
    facts = {
        "durability": about["durability"],
        "persistence": _persistence(about["persistence"]),
        "replicas": _replicas(about["replicas"]),
        "eviction policy": about["eviction_policy"] or "unknown",
    }
    if about["last_failover"] is not None:
        facts["last failover"] = shown_instant(about["last_failover"])
    if about["degraded"] and about["promised_at"] is not None:
        facts["as the server said"] = shown_instant(about["promised_at"])
    return facts


def _processes(others: Sequence[Mapping[str, Any]] | None) -> str:
    """``2: agent.py (process 4711), notes.ipynb (process 4712)``."""
    if others is None:
        return "unknown"
    shown = [f"{brief(harmless(each['program']))} (process {each['pid']})" for each in others[:5]]
    more = ", ..." if len(others) > len(shown) else ""
    return f"{len(others)}: {', '.join(shown)}{more}" if others else "none"


def _persistence(state: Mapping[str, Any]) -> str:
    """``append-only file, fsync everysec; no snapshots``."""
    if state["aof"] is None and state["snapshots"] is None:
        return "unknown"
    fsync = f", fsync {state['fsync']}" if state["fsync"] else ""
    aof = {None: "unknown append-only file", False: "no append-only file"}.get(
        state["aof"], f"append-only file{fsync}"
    )
    rules = {None: "unknown snapshots", "": "no snapshots"}.get(state["snapshots"], "snapshots")
    last = f", the last at {shown_instant(state['last_save'])}" if state["last_save"] else ""
    return f"{aof}; {rules}{last}"


def _replicas(replicas: Sequence[Mapping[str, Any]] | None) -> str:
    """``2: 10.0.0.7:6379 online, 10.0.0.8:6379 online, 14 bytes behind``."""
    if replicas is None:
        return "unknown"
    shown = [
        f"{each['address'] or 'unknown'} {each['state'] or 'unknown'}"
        + (f", {each['behind']:,} bytes behind" if each["behind"] else "")
        for each in replicas[:5]
    ]
    return f"{len(replicas)}: {', '.join(shown)}" if replicas else "none"


def _summaries(memory: MemoryPrimitive) -> dict[str, Any]:
    """What is summarized after writes, in words; nothing if nothing is."""
    policy = memory.summarize_when
    if policy is None:
        return {}
    done, trouble = memory.summarized
    failed = f"; the last one failed: {brief(harmless(trouble))}" if trouble else ""
    return {"summarized after writes": f"{policy.about}; {done:,} so far{failed}"}


def _facts(memory: MemoryPrimitive, about: Mapping[str, Any]) -> dict[str, Any]:
    facts = {"backend": about["backend"]}
    if "redis_url" in about:
        facts["server"] = harmless(about["redis_url"])
        facts["version"] = about["server"] or "unknown"
        facts["state"] = "degraded: working in memory" if about["degraded"] else "connected"
    if "path" in about:
        facts["path"] = harmless(about["path"])
        facts["size on disk"] = f"{about['size_on_disk']:,} bytes"
        facts["durability"] = about["durability"]
        facts["other processes"] = _processes(about["other_processes"])
    facts |= {
        "namespace": about["namespace"],
        "size": about["size"],
        "capacity": "no limit" if about["max_size"] is None else about["max_size"],
        "evictions": about["evictions"],
    }
    if about.get("journal"):
        facts["journal"] = harmless(about["journal"])
    if about.get("history"):
        facts["history"] = about["history"]
    if memory.default_mode != "keyword":
        facts["search mode"] = memory.default_mode
    if memory.tombstone_policy != "refuse":
        facts["tombstones"] = memory.tombstone_policy
    if (asked := about.get("server_search")) and "index_records" in about:
        size = f", {about['index_bytes']:,} bytes" if about["index_records"] else ""
        facts["server search"] = (
            f"{asked}: {about['index_records']:,} records indexed, {about['index_pending']:,} pending{size}"
        )
    if abs(about.get("clock_skew") or 0) > MOST_SKEW:
        skew = about["clock_skew"]
        where = "ahead of" if skew > 0 else "behind"
        facts["clock"] = f"{abs(skew):,.0f} s {where} the server's, which decides"
    if lost := about.get("lost_on_server"):
        facts["lost on the server"] = f"{lost:,} writes; %memory info --restore writes them back"
    if unnoted := about.get("reads_not_noted"):
        facts["reads not noted"] = f"{unnoted:,}, since the server could not write"
    if refused := about.get("writes_refused"):
        names = ", ".join(map(brief, list(refused)[:5]))
        facts["refused writes"] = f"{len(refused):,}: {names}{', ...' if len(refused) > 5 else ''}"
    if about.get("degraded"):
        facts["degraded since"] = shown_instant(about["degraded_since"])
        facts["degraded because"] = harmless(about["degraded_because"])
        facts["pending writes"] = about["writes_waiting"]
    return facts | _summaries(memory)


def _chosen(
    nb: Notebook,
    memory: object,
    namespace: str | None,
    max_size: int | None,
    wanted: _Wanted,
) -> MemoryPrimitive:
    """The memory that ``use`` asks for, made if it does not exist yet."""
    if memory is None and namespace in (None, nb.memory.namespace) and wanted == _Wanted():
        return nb.memory
    if isinstance(memory, str) and memory != IN_MEMORY and not is_address(memory):
        memory = _memory_called(nb, memory)
    backend = nb.backend
    if isinstance(memory, MemoryPrimitive):
        if namespace not in (None, memory.namespace):
            raise InvalidArgument(
                f"--namespace {brief(namespace)}: this memory's namespace is "
                f"{brief(memory.namespace)}; make another MemoryPrimitive for another namespace"
            )
        wanted.check(memory)
        namespace = memory.namespace
        # A backend name of its own, by which `use --namespace` finds the memory again.
        backend = f"variable {id(memory)}"
        nb.memories[backend, namespace] = memory
    elif isinstance(memory, str):
        # A relative path means the same file after a %cd as well.
        backend = absolute(memory) if scheme_of(memory) == FILE else memory
    elif memory is not None:
        way_out = "; give the memory that has it" if isinstance(memory, SyncMemory) else ""
        raise InvalidArgument(
            f"MEMORY: <{type(memory).__name__}> is no MemoryPrimitive, 'in-memory' or URL{way_out}"
        )
    place = (backend, nb.memory.namespace if namespace is None else namespace)
    known = nb.memories.get(place)
    if known is None or not wanted.is_met_by(known):
        if backend == nb.backend:
            wanted = wanted.or_those_of(nb.memory)
        nb.memories[place] = MemoryPrimitive(
            backend if is_address(backend) else None,
            _capacity(nb, max_size),
            namespace=place[1],
            durability=wanted.durability,
            journal=wanted.journal,
            server_search=wanted.server_search,
            default_mode=nb.memory.default_mode,
            weights=nb.memory.weights,
            summarize_when=None if known is None else known.summarize_when,
            tombstones=(nb.memory if known is None else known).tombstone_policy,
        )
    nb.backend = backend
    return nb.memories[place]


def _capacity(nb: Notebook, max_size: int | None) -> int:
    """The capacity of a new memory: as asked for, or else that of the memory in use."""
    if max_size is None:
        max_size = nb.memory.max_size
    return DEFAULT_CAPACITY if max_size is None else max_size


def _history_in(history: object) -> History | None:
    """What ``--history`` means; None for ``off``."""
    if history == "off":
        return None
    number = isinstance(history, str) and history.isdigit()
    return read_history(int(str(history)) if number else cast("HistoryLike", history))


class _Wanted(NamedTuple):
    """What ``use`` asks of a memory, which cannot be changed in one that is made; None for anything.

    Attributes:
        durability: as for `MemoryPrimitive`, by its name in `get_backend_info`.
        journal: as for `MemoryPrimitive`, with an absolute path.
        server_search: as for `MemoryPrimitive`.
    """

    durability: str | None = None
    journal: str | None = None
    server_search: str | None = None

    @classmethod
    def of(cls, memory: MemoryPrimitive) -> Self:
        """Returns what a memory was made with."""
        about = memory.get_backend_info()
        journal = about.get("journal")
        return cls(
            about.get("durability", "memory"),
            journal and f"{FILE}:{journal}",
            about.get("server_search"),
        )

    def is_met_by(self, memory: MemoryPrimitive) -> bool:
        """Returns whether a memory was made as it is wanted."""
        return not any(self) or not self._differences(memory)

    def or_those_of(self, memory: MemoryPrimitive) -> Self:
        """Returns the same, with what a memory was made with in place of None."""
        there = self.of(memory)
        if there.server_search == "off":  # which was done once
            there = there._replace(server_search=None)
        return type(self)(*(mine or its for mine, its in zip(self, there, strict=True)))

    def check(self, memory: MemoryPrimitive) -> None:
        """Refuses a memory that was made otherwise."""
        for name, (wanted, found) in self._differences(memory).items():
            raise InvalidArgument.about(
                name,
                wanted,
                f"this memory was made with {brief(found)}; make another MemoryPrimitive for another one",
            )

    def _differences(self, memory: MemoryPrimitive) -> dict[str, tuple[str, str | None]]:
        there = zip(self._fields, self, self.of(memory), strict=True)
        return {
            name: (wanted, found)
            for name, wanted, found in there
            if wanted is not None and wanted != found
        }


def _memory_called(nb: Notebook, name: str) -> MemoryPrimitive | SyncMemory | str:
    try:
        found = nb.lookup(name)
    except Exception:  # a lookup may raise anything for an unknown name
        found = None
    if isinstance(found, (MemoryPrimitive, SyncMemory)):  # the latter is refused by name
        return found
    if isinstance(found, str) and is_address(found):
        return found
    if found is None and name.endswith(_FILES):
        return f"{FILE}:{name}"
    raise InvalidArgument(
        f"MEMORY: '{shown(name)}' is no MemoryPrimitive, 'in-memory', 'embedded', file such as notes.db or "
        "address such as redis://localhost:6379"
    )
