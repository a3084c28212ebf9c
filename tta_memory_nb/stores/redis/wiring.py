"""The parts of a store on a server, and how they work together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import wraps
from itertools import chain
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from ..base import Change, NotCopied, capacity_of
from ..durability import IN_MEMORY, read_durability
from ..memory import InMemoryStore
from ..opening import Settings
from ..plan import Plan
from .barrier import Barrier
from .clock import ServerClock
from .commands import Commands
from .durable import Durable
from .history import ServerHistory
from .journal_file import JournalFile
from .outage import Outages
from .partial import Replicas
from .payload import Payloads
from .replay import Compare
from .replica import Replica
from .routing import Routing
from .runner import RedisRunner
from .sync import Sync
from .vectors import VectorHashes

if TYPE_CHECKING:
    from .redisearch.answers import ServerSearch
    from .redisearch.index import ServerIndex

P = ParamSpec("P")
T = TypeVar("T")
AnyWiring = TypeVar("AnyWiring", bound="Wiring")


def acknowledged(
    verb: Callable[Concatenate[AnyWiring, P], Plan[T]],
) -> Callable[Concatenate[AnyWiring, P], Plan[T]]:
    """Has a verb that writes return when what it has written is as durable as the memory promises."""

    @wraps(verb)
    def method(self: AnyWiring, /, *args: P.args, **kwargs: P.kwargs) -> Plan[T]:
        plan = verb(self, *args, **kwargs)
        return plan if self._durable is None else self._durable.acknowledged(plan)

    return method


class Wiring(NotCopied):
    """Makes the parts of a store on a server, and says what they know without asking the server.

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

        def make() -> Replica:
            return Replica(0, namespace=namespace, clock=clock)

        replicas = Replicas(self.replica, make)
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
        # A memory whose server searches is too large for this process: nothing that is loaded for the past stays.
        is_kept = settings.server_search in (None, "off")
        self._history = ServerHistory(
            self.commands,
            lambda: replicas if is_kept else Replicas(make(), make),
            settings.timeout,
        )
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

    # ---- tombstones

    def tombstones_token(self) -> Plan[str | None]:
        """Returns the number of the list of tombstones, as far as this process knows; None for none.

        The server refuses a write that was compared with another list, so a process learns of it then.
        """
        return self.commands.tombstones or None
        yield

    def note_tombstones(self) -> Plan[None]:
        """Tells all clients that the list of tombstones has changed."""
        yield from self._routing.look(self.commands.note_tombstones, lambda: None)

    def compare_replays_with(self, compare: Compare) -> None:
        """Names what compares writes of an outage with the tombstones that there are when they are replayed.

        Args:
            compare: returns by its place why an entry must not be written; asks the server.
        """
        self.outages.compare_with(compare)

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
    def expired(self) -> int:
        """How many records have expired since the start, as the server was seen last."""
        return self.commands.expired

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
