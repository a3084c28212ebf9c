"""What all verbs have in common: the store, the defaults of the memory, and the checks of arguments."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, Self, TypeVar

from ...entry import Entry
from ...filters import EVERYTHING, FilterArgs, Filters
from ...record import MemoryRecord
from ...search.indexes import check_mode
from ...search.options import SearchOptions
from ...search.paging import ListOrder, check_offset, check_order
from ...search.request import Hit, Search, SearchMode, check_limit, check_query
from ...stores.base import Clock, Store
from ...stores.history.past import Past
from ...stores.plan import Plan
from ...summarizers.base import SummarizerLike
from ...times import Instant
from ..after_writes import Upkeep
from ..as_of import read_as_of
from ..companions import Companions
from ..meaning import Meanings
from ..packing.relevance import Thresholds
from ..resolving.kept_apart import KeptApart
from ..tombstones.guard import Guard

if TYPE_CHECKING:
    from ..summarizing.upkeep import SummaryUpkeep

P = ParamSpec("P")
T = TypeVar("T")


class Watch(Protocol):
    """Sees every verb that is asked of a memory, for telemetry.

    It gets the name of the verb, its plan and its arguments, and returns the plan that is carried
    out in its place: most often a generator that delegates to the plan with ``yield from``, and
    looks at the clock, the result or the error around it. `SyncMemory.stream_records` has a plan
    for each batch.
    """

    def __call__(self, verb: str, plan: Plan[T], /, *args: Any, **kwargs: Any) -> Plan[T]:
        """Returns the plan to carry out."""
        ...


def spell_out_keywords(keywords: type[Any]) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Shows the ``**keywords`` of a verb one by one, so that Shift-Tab and Tab offer them.

    Args:
        keywords: a TypedDict with their names and types.
    """

    def spell_out(verb: Callable[P, T]) -> Callable[P, T]:
        signature = inspect.signature(verb)
        *others, _ = signature.parameters.values()
        spelled = [
            inspect.Parameter(
                name,
                inspect.Parameter.KEYWORD_ONLY,
                default=None,
                # As it is written in the source; a ForwardRef around it would only clutter the help.
                annotation=getattr(kind, "__forward_arg__", kind),
            )
            for name, kind in keywords.__annotations__.items()
        ]
        verb.__signature__ = signature.replace(parameters=[*others, *spelled])  # type: ignore[attr-defined]
        return verb

    return spell_out


spell_out_filters = spell_out_keywords(FilterArgs)
"""Shows ``**filters`` of a verb as the keywords it takes."""


def also_as_of(verb: Callable[P, Plan[T]]) -> Callable[P, Plan[T]]:
    """Has a verb that only reads answer for an earlier instant where its caller gives ``as_of``."""

    @wraps(verb)
    def method(*args: P.args, **kwargs: P.kwargs) -> Plan[T]:
        as_of: Any = kwargs.pop("as_of", None)
        if as_of is None:
            return verb(*args, **kwargs)
        verbs: Any = args[0]
        return _as_of(verbs, as_of, verb, args[1:], kwargs)

    return method


def _as_of(
    verbs: CommonVerbs,
    as_of: Instant,
    verb: Callable[..., Plan[T]],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Plan[T]:
    past = yield from verbs._past(as_of)  # noqa: SLF001  of this module
    return (yield from verb(past, *args, **kwargs))


class CommonVerbs:
    """What every verb needs: the store, the defaults of the memory, and checks of arguments.

    Args:
        store: where the records are.
        clock: gives Unix seconds.
        summarizer: what `summarize` calls; None for ``"extractive"``.
        default_mode: how to search where a verb is called without ``mode``.
        options: what modes that rank are asked for.
        meanings: the embedder, for searches by meaning.
        companions: opens memories beside this one.
        guard: compares writes with what was deleted for good.

    Attributes:
        clock: gives Unix seconds.
        default_mode: how to search where a verb is called without ``mode``.
        options: what modes that rank are asked for.
        companions: opens memories beside this one.
        thresholds: from which relevance on a record answers a question at all.
        upkeep: None, or what is done after writes; see `forget` and `summarize_when` of the memory.
        summaries: None, or what of it summarizes sessions.
        watch: None, or what the faces hand every plan to before it is carried out; see `Watch`.
        guard: compares writes with what was deleted for good.
        kept_apart: which records a person wants to keep side by side.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        summarizer: SummarizerLike | None,
        default_mode: SearchMode,
        options: SearchOptions,
        meanings: Meanings,
        companions: Companions,
        guard: Guard,
    ) -> None:
        self._store = store
        self.clock = clock
        self._summarizer = summarizer
        self.default_mode = check_mode(default_mode, "default_mode")
        self.options = options
        self._meanings = meanings
        self.companions = companions
        self.guard = guard
        self.kept_apart = KeptApart(store, companions, clock)
        self.thresholds = Thresholds(meanings)
        self.watch: Watch | None = None
        self.upkeep: Upkeep | None = None
        self.summaries: SummaryUpkeep | None = None

    def _past(self, as_of: Instant) -> Plan[Self]:
        """Returns these verbs over the records as of an instant, which can be read only.

        Raises:
            InvalidArgument: it is no instant, the memory keeps no changes, or has dropped those since then.
        """
        instant = yield from read_as_of(as_of, self.clock(), self._store)
        earlier = yield from self._store.as_of(instant)
        from ..tracing.tap import seen_as

        store = seen_as(self._store, Past(earlier, instant, self._store.namespace))
        companions = Companions(store, store.clock)
        return type(self)(
            store,
            store.clock,
            self._summarizer,
            self.default_mode,
            self.options,
            self._meanings,
            companions,
            Guard(store, store.clock, companions, self.guard.policy),
        )

    def _ask(self, store: Store) -> None:
        """Has all verbs ask a store: that of the memory, or what a trace has put in front of it."""
        self._store = self.guard.store = store

    def _filters(self, filters: FilterArgs) -> Filters:
        if not filters:
            return EVERYTHING
        for name in filters:
            if name not in FilterArgs.__annotations__:
                known = ", ".join(FilterArgs.__annotations__)
                raise TypeError(f"{name!r} is no argument and no filter; the filters are {known}")
        compiled = Filters.build(self.clock(), **filters)
        return EVERYTHING if compiled == EVERYTHING else compiled

    def _search(
        self,
        query: str | None,
        limit: int | None,
        mode: SearchMode | None,
        filters: FilterArgs,
        offset: int = 0,
        order: ListOrder | None = None,
        *,
        optional: bool = True,
    ) -> Search:
        """Returns what is asked, checked; a query that is not optional must not be None."""
        mode = self.default_mode if mode is None else check_mode(mode)
        if query is None and optional:
            mode = "keyword"  # there is nothing to rank by
        else:
            check_query(query)  # type: ignore[arg-type]
        return Search(
            query,
            mode,
            self._filters(filters),
            check_limit(limit),
            check_offset(offset),
            check_order(order, mode),
            options=self.options,
        )

    def _record(self, entry: Entry) -> MemoryRecord:
        return entry.record(self._store.namespace, self._store.version(entry))

    def _found(self, hit: Hit) -> MemoryRecord:
        return hit.record(self._store.namespace, self._store.version(hit.entry))
