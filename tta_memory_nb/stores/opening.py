"""Opens the store that an address means, with what a memory asks of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any, get_args

from ..errors import InvalidArgument, brief
from ..keys import check_namespace
from ..times import duration
from ..urls import masked_url
from .base import Clock, OutagePolicy, Store, capacity_of
from .durability import check_attainable, named_durability, read_durability
from .history.bounds import HistoryLike, read_history
from .local import Local
from .memory import InMemoryStore
from .schemes import EMBEDDED, FILE, SCHEMES, scheme_of

SERVER_SEARCHES = ("redisearch", "redisearch:hnsw", "off")
"""What a memory may ask a server to do of its searches; ``"off"`` deletes the index that a server has for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a memory asks of its store; for the arguments see `MemoryPrimitive`.

    Raises:
        InvalidArgument: a setting that means nothing; the message names it.
    """

    namespace: str
    max_size: int | None
    on_outage: OutagePolicy
    timeout: float
    compress_over: int
    clock: Clock
    durability: str | None = None
    server_search: str | None = None
    language: str = "english"
    journal: str | None = None
    history: HistoryLike | None = None

    def __post_init__(self) -> None:
        if self.on_outage not in get_args(OutagePolicy):
            raise InvalidArgument(f"on_outage={brief(self.on_outage)}: give 'fallback' or 'raise'")
        size = self.compress_over
        if isinstance(size, bool) or not isinstance(size, int) or size < 0:
            raise InvalidArgument(f"compress_over={brief(size)}: give a number of bytes")
        # The class is frozen, since a store works with its settings; these are set before that.
        set_ = object.__setattr__
        if self.durability is not None:
            read_durability(named_durability(self.durability))
        if self.server_search not in (None, *SERVER_SEARCHES):
            known = ", ".join(map(repr, SERVER_SEARCHES))
            rule = f"give {known}, or leave it out"
            raise InvalidArgument.about("server_search", self.server_search, rule)
        if self.journal is not None:
            self._check_journal(self.journal)
        read_history(self.history)
        set_(self, "timeout", duration(self.timeout, "timeout"))
        capacity_of(self.max_size)
        set_(self, "namespace", check_namespace(self.namespace))

    def _check_journal(self, journal: object) -> None:
        if not isinstance(journal, str) or scheme_of(journal) != FILE:
            raise InvalidArgument.about(
                "journal", journal, "give the address of a file, such as 'file:outages.db'"
            )
        if self.on_outage == "raise":
            raise InvalidArgument.about(
                "journal",
                journal,
                "with on_outage='raise' no write waits for the server; leave one of them out",
            )


def open_store(address: str | None, settings: Settings) -> Store:
    """Returns the store that an address means; the one in this process for no address.

    Raises:
        InvalidArgument: the address means nothing; the message holds no password.
        StoreUnavailable: the server cannot be reached, and ``on_outage`` is ``"raise"``.
        ServerError: the server refuses, for example the password.
    """
    scheme = SCHEMES.get(scheme_of(address)) if address else None
    if settings.journal is not None and (not address or (scheme and scheme.kind == "file")):
        raise InvalidArgument.about(
            "journal",
            settings.journal,
            "a journal keeps what is written while a server is away, and this memory has no server; leave it out",
        )
    has_none = not address or (scheme and scheme.kind in ("file", "embedded"))
    if settings.server_search is not None and has_none:
        raise InvalidArgument.about(
            "server_search",
            settings.server_search,
            "only a server that has RediSearch answers searches by itself; give its address as redis_url, or "
            "leave server_search out",
        )
    if not address:
        place = "a memory without a server, which is lost with its process,"
        check_attainable(read_durability(settings.durability or "memory"), place, ("memory",))
        return Local(
            InMemoryStore(
                settings.max_size,
                namespace=settings.namespace,
                clock=settings.clock,
                history=settings.history,
            )
        )
    if scheme is None:
        known = ", ".join(
            f"{name}://"
            for name in SCHEMES
            if name not in (EMBEDDED, FILE) and "rediss+" not in name
        )
        raise InvalidArgument(
            f"redis_url={masked_url(address)!r}: give an address that begins with {known}, "
            "'embedded:' or 'file:'"
        )
    store: Any = import_module(scheme.module, __package__).open_store(address, settings)
    store.opened_as = address, settings
    opened: Store = store
    return opened


def open_beside(store: Store, namespace: str, clock: Clock) -> Store:
    """Returns a store in another namespace, on the same server, in the same file, or beside the records in this process.

    All stores in this process that share their records share what is beside them as well. Of a store of the caller's, nobody knows
    where its records are, so what is beside them is in this process.

    Args:
        store: the store.
        namespace: the other namespace.
        clock: gives Unix seconds, for a store in this process.
    """
    opened_as: tuple[str, Settings] | None = getattr(store, "opened_as", None)
    if opened_as is not None:
        address, settings = opened_as
        changed = replace(
            settings,
            namespace=namespace,
            max_size=None,
            journal=None,
            server_search=None,
            history=None,
        )
        return open_store(address, changed)
    made = InMemoryStore(None, namespace=namespace, clock=clock)
    beside = getattr(store.fallback, "companions", {})
    return Local(beside.setdefault(namespace, made))
