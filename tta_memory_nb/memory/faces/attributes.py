"""What can be asked of a memory without waiting, the same on both faces."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...search.indexes import check_mode
from ...search.options import SearchWeights, check_weights
from ...search.request import SearchMode
from ...stores.base import Clock, NotCopied, Store
from ..verbs import Verbs
from ..verbs.common import Watch

if TYPE_CHECKING:
    from ..summarizing.policy import SummarizeWhen, SummaryPolicy
    from ..tombstones.tombstone import TombstonePolicy
    from ..tracing.trace import Trace

MOST_OPERATIONS = 10_000
"""How many operations a trace holds unless it is told otherwise."""


class Attributes(NotCopied):
    """Settings of a memory, and what is known of its store without asking it.

    Args:
        store: where the records are.
        verbs: the verbs of the memory, which have its settings.
    """

    def __init__(self, store: Store, verbs: Verbs) -> None:
        self._store = store
        self._verbs = verbs

    @property
    def watch(self) -> Watch | None:
        """What sees every verb of this memory, see `Watch`; None, the default, costs nothing."""
        return self._verbs.watch

    @watch.setter
    def watch(self, watch: Watch | None) -> None:
        self._verbs.watch = watch

    def trace(self, size: int = MOST_OPERATIONS) -> Trace:
        """Begins to trace what is asked of this memory, by both of its faces; ``with memory.trace() as trace:`` also ends it.

        Args:
            size: how many operations to hold; the oldest are dropped.

        Returns:
            The trace. ``trace.operations`` and ``trace.table`` say what was asked, by which task and function, how long it took and
            which records it touched; ``trace.add`` traces further memories as well; ``trace.stop`` ends it.

        Raises:
            InvalidArgument: a size below 1.
        """
        from ..tracing.trace import Trace  # imported here: most memories are never traced

        return Trace(size).add(self)

    @property
    def default_mode(self) -> SearchMode:
        """How this memory searches where a verb is called without ``mode``."""
        return self._verbs.default_mode

    @default_mode.setter
    def default_mode(self, mode: SearchMode) -> None:
        self._verbs.default_mode = check_mode(mode, "default_mode")

    @property
    def weights(self) -> SearchWeights:
        """How much each signal counts in this memory's rankings."""
        return self._verbs.options.weights

    @weights.setter
    def weights(self, weights: SearchWeights) -> None:
        self._verbs.options = self._verbs.options.weighing(check_weights(weights))

    @property
    def summarize_when(self) -> SummaryPolicy | None:
        """When sessions are summarized by themselves, after a write; None for never. It can be set to what `MemoryPrimitive` takes."""
        summaries = self._verbs.summaries
        return None if summaries is None else summaries.policy

    @summarize_when.setter
    def summarize_when(self, given: SummarizeWhen | None) -> None:
        if given is not None or self._verbs.summaries is not None:
            from ..summarizing.upkeep import summarize_after_writes

            summarize_after_writes(self._verbs, self._store, given)

    @property
    def summarized(self) -> tuple[int, str | None]:
        """How many summaries were written by themselves, see `summarize_when`, and why the last one failed; None if it did not."""
        summaries = self._verbs.summaries
        return (0, None) if summaries is None else (summaries.written, summaries.trouble)

    @property
    def tombstone_policy(self) -> TombstonePolicy:
        """What becomes of a record that says what was deleted for good, ``"refuse"`` or ``"quarantine"``; it can be set."""
        return self._verbs.guard.policy

    @tombstone_policy.setter
    def tombstone_policy(self, policy: TombstonePolicy) -> None:
        self._verbs.guard.policy = policy

    @property
    def put_aside(self) -> str | None:
        """Key of the record that the last `add` has put into quarantine; None if it was written."""
        return self._verbs.guard.set_aside_last

    @property
    def clock(self) -> Clock:
        """The clock that counts for this memory, which gives Unix seconds; on a server, that of the server."""
        return self._verbs.clock

    @property
    def namespace(self) -> str:
        """The tenant whose records this memory sees."""
        return self._store.namespace

    @property
    def max_size(self) -> int | None:
        """Capacity in records; None for as many as the server has room for."""
        return self._store.max_size

    @property
    def evictions(self) -> int:
        """How many records have been evicted since the start."""
        return self._store.evictions

    @property
    def expired(self) -> int | None:
        """How many records have expired since the start; None where the store does not count them.

        On a server this is what `size` has seen last, and in a file it is about the records that this process knew.
        """
        counted: int | None = getattr(self._store, "expired", None)
        return counted

    @property
    def backend(self) -> str:
        """Name of what the records are on now, which is ``"in-memory"`` (also in an outage), ``"file"`` or ``"redis"``."""
        return self._store.backend

    def is_using_redis(self) -> bool:
        """Returns whether the records are on a server now; False in an outage."""
        return self._store.is_on_server()

    def outage(self) -> dict[str, Any] | None:
        """Returns what is known of an outage of the server; None while there is none.

        ``degraded_since`` (Unix seconds), ``degraded_because`` (text), ``writes_waiting`` (records
        that reach the server when it is back), ``writes_refused`` (as in `get_backend_info`). The
        server is not asked.
        """
        return self._store.outage()
