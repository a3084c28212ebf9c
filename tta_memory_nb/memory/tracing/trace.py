"""The trace: a bounded list of what was asked of memories."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Mapping, Sized
from itertools import takewhile
from threading import Lock
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple, Self, TypeVar

from ...entry import Entry
from ...errors import InvalidArgument
from ...search.request import whole_number
from ...stores.base import NotNow
from ...stores.plan import Plan
from ..faces.attributes import MOST_OPERATIONS, Attributes
from ..watching import add_watch, remove_watch, watches_of
from .callers import caller_of
from .cells import ASIDE, Cell, current_cell, task_name
from .counting import counted
from .operation import CURRENT, KINDS, Kind, Operation
from .tap import Tap, tap_of

if TYPE_CHECKING:
    from types import FrameType, TracebackType

    import pandas as pd

    from ..verbs import Verbs
    from ..verbs.common import CommonVerbs

T = TypeVar("T")
S = TypeVar("S")
R = TypeVar("R")

_MOST_HELD = 64 * 2**20  # bytes of keys and values
_LONGEST = 200  # characters of a key or a query
# These look for more records than they return; the result says which.
_NARROWED = frozenset(("history", "stream_records", "pack"))
_OF_KEYS = frozenset(("get_many", "get_records"))


class Trace:
    """What was asked of memories while the trace was on: operations, the oldest first.

    Tracing costs some microseconds an operation, and nothing once it is off. A trace holds keys, queries and records, as they were
    then, until it is cleared: also those of records that were deleted since.

        >>> memory = MemoryPrimitive()
        >>> with memory.trace() as trace:
        ...     memory.sync.get("nobody")
        >>> [(each.verb, each.misses) for each in trace.operations]
        [('get', 1)]

    Args:
        size: how many operations to hold; the oldest are dropped.

    Attributes:
        size: the same.
        dropped: how many were dropped.

    Raises:
        InvalidArgument: a size below 1.
    """

    def __init__(self, size: int = MOST_OPERATIONS) -> None:
        number = whole_number(size)
        if number is None or number < 1:
            raise InvalidArgument.about("size", size, "give an int of at least 1 (operations)")
        self.size = number
        self.dropped = 0
        self._watchers: list[Watcher] = []
        self._operations: deque[Operation] = deque()
        self._held = 0
        self._stripped = 0  # so many of the oldest hold no records any more
        self._number = 0
        self._lock = Lock()

    # ---- on and off

    def add(self, memory: Attributes) -> Self:
        """Traces one more memory, with both of its faces; one that is traced already stays as it is.

        Args:
            memory: a `MemoryPrimitive` or its ``sync``.

        Raises:
            InvalidArgument: it is no memory.
        """
        if not isinstance(memory, Attributes):
            raise InvalidArgument.about("memory", memory, "give a MemoryPrimitive")
        verbs = memory._verbs  # noqa: SLF001  the two faces share them
        if all(each.verbs is not verbs for each in self._watchers):
            self._watchers.append(Watcher(self, memory.namespace, verbs))
        return self

    def stop(self) -> None:
        """Traces no more. What was traced stays, and `add` goes on with it."""
        for watcher in self._watchers:
            watcher.stop()
        self._watchers.clear()

    @property
    def is_on(self) -> bool:
        """Whether any memory is traced now."""
        return bool(self._watchers)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    # ---- what was traced

    @property
    def operations(self) -> list[Operation]:
        """What was asked and has ended, in the order of the ends."""
        with self._lock:
            return list(self._operations)

    def of(self, cell: int | Cell) -> list[Operation]:
        """Returns the operations that a cell has started.

        Args:
            cell: the number in the brackets beside it; of several runs with that number, those of all.
        """
        return [
            each
            for each in self.operations
            if each.cell is cell or (each.cell is not None and each.cell.number == cell)
        ]

    @property
    def latest(self) -> int:
        """The number of the operation that has ended last; 0 before the first."""
        return self._number

    def since(self, number: int) -> list[Operation]:
        """Returns the operations after the one with this number."""
        with self._lock:
            newest = takewhile(lambda each: each.number > number, reversed(self._operations))
            return list(newest)[::-1]

    def clear(self) -> None:
        """Drops all operations, and with them the records that they hold."""
        with self._lock:
            self._operations.clear()
            self._held = self._stripped = self.dropped = 0

    def __len__(self) -> int:
        return len(self._operations)

    def __repr__(self) -> str:
        return f"Trace({self.about})"

    @property
    def about(self) -> str:
        """What was asked, in one line, such as ``3 reads (1 miss), 2 writes, 4.1 ms``."""
        operations = self.operations
        counts: dict[str, int] = {}
        for each in operations:
            found = each.records if each.kind == "search" else 0
            counts[each.kind] = counts.get(each.kind, 0) + 1
            counts["misses"] = counts.get("misses", 0) + each.misses
            counts["failed"] = counts.get("failed", 0) + (each.error is not None)
            counts["found"] = counts.get("found", 0) + found
        text = counted(counts, sum(each.seconds for each in operations)) if counts else "nothing"
        dropped = f"; {self.dropped:,} older ones were dropped" if self.dropped else ""
        return f"{'on' if self.is_on else 'off'}: {text}{dropped}"

    @property
    def table(self) -> pd.DataFrame:
        """A table with a row for each operation, in the order of the ends.

        The index is ``operation``. The columns are ``cell``, ``task``, ``caller``, ``verb``, ``about`` (a key, or what was searched for),
        ``records`` (found, written or deleted), ``misses``, ``bytes``, ``ms``, ``at`` (in UTC), ``memory`` (its namespace) and ``error``.
        """
        from ...frames import operations_frame

        return operations_frame(self.operations)

    def _repr_html_(self) -> str:
        """Returns the table for a notebook; all of it is escaped."""
        from ...frames import trace_html

        return trace_html(self.about, self.operations)

    # ---- noting

    def note(self, operation: Operation) -> None:
        """Adds an operation that has ended, and drops what is too much."""
        with self._lock:
            operations = self._operations
            self._number = operation.number = self._number + 1
            if len(operations) >= self.size:
                self._held -= operations.popleft().held
                self.dropped += 1
                if self._stripped:
                    self._stripped -= 1
            operations.append(operation)
            self._held += operation.held
            while self._held > _MOST_HELD and self._stripped < len(operations):
                old = operations[self._stripped]
                self._stripped += 1
                self._held -= old.held
                old.let_go()


class Watcher:
    """The `Watch` of a trace on one memory.

    Args:
        trace: where operations are noted.
        namespace: of the memory.
        verbs: of the memory.

    Attributes:
        trace: the same.
        verbs: the same.
        since: when it began, in Unix seconds by the clock of the memory.
    """

    def __init__(self, trace: Trace, namespace: str, verbs: Verbs) -> None:
        self.trace = trace
        self.verbs = verbs
        self.since = verbs.clock()
        self._namespace = namespace
        self._tap = tap_of(verbs._store)  # noqa: SLF001  only a trace comes between verbs and store
        verbs._ask(self._tap)  # noqa: SLF001
        add_watch(verbs, self)

    def stop(self) -> None:
        """Sees no more. A tap that another trace has put in front of this one's stays."""
        remove_watch(self.verbs, self)
        front: Any = self.verbs._store  # noqa: SLF001
        if front is self._tap:
            self.verbs._ask(self._tap.tapped)  # noqa: SLF001
        while isinstance(front, Tap):
            if front.tapped is self._tap:
                front.tapped = self._tap.tapped
            front = front.tapped

    def __call__(self, verb: str, plan: Plan[T], /, *args: Any, **kwargs: Any) -> Plan[T]:
        """Returns a plan that does the same and is noted."""
        cell, kind = current_cell(), KINDS.get(verb, "other")
        if cell is ASIDE or kind is None:
            return plan
        first = args[0] if args else next(iter(kwargs.values())) if kwargs else None
        about, asked = None, 1
        if isinstance(first, str):
            about = first[:_LONGEST]
        elif verb in _OF_KEYS:
            asked = len(first) if isinstance(first, Sized) else 0
        frame = sys._getframe(1)  # noqa: SLF001  inspect's own way takes a hundred times as long
        return self._noted(self._begun(verb, kind, about, cell, frame), plan, asked)

    def shortcut(self, verb: str, call: Callable[[S], R]) -> Callable[[S], R]:
        """Returns a shortcut of the store that does the same and is noted, in half the time of a plan.

        Args:
            verb: ``"add"`` or ``"get"``.
            call: takes an entry to write, or a key, of which it returns the entry or None.
        """
        cell, kind = current_cell(), KINDS[verb]
        if cell is ASIDE or kind is None:
            return call

        def noted(subject: S) -> R:
            written = subject if isinstance(subject, Entry) else None
            about = subject if written is None else written.key
            text = about[:_LONGEST] if isinstance(about, str) else None
            frame = sys._getframe(1)  # noqa: SLF001  as above
            operation = self._begun(verb, kind, text, cell, frame)
            is_done = True
            try:
                result = call(subject)
                found = result if written is None else written
                if isinstance(found, Entry):
                    operation.entries = (found,)
                return result
            except NotNow:  # its plan comes next, and is noted
                is_done = False
                raise
            except BaseException as error:
                operation.error = type(error).__name__
                raise
            finally:
                if is_done:
                    if cell is not None:
                        cell.begin(operation.began)
                    self._ended(operation, 1)

        return noted

    def _begun(
        self, verb: str, kind: Kind, about: str | None, cell: Cell | None, frame: FrameType
    ) -> Operation:
        task = task_name()
        return Operation(
            id(self.verbs),
            self._namespace,
            verb,
            kind,
            about,
            cell,
            task if cell is None or task != cell.task else "",
            caller_of(frame),
            self.verbs.clock(),
            perf_counter(),
        )

    def _ended(self, operation: Operation, asked: int) -> None:
        ended = perf_counter()
        operation.seconds = ended - operation.began
        operation.settle(asked)
        self.trace.note(operation)
        if operation.cell is not None:
            operation.cell.end(operation, ended)

    def _noted(self, operation: Operation, plan: Plan[T], asked: int) -> Plan[T]:
        before = CURRENT.get()
        CURRENT.set(operation)
        if operation.cell is not None:
            operation.cell.begin(operation.began)
        try:
            result = yield from plan
            if operation.verb in _NARROWED:
                operation.keep_only(_keys_of(result))
            return result
        except BaseException as error:
            operation.error = type(error).__name__
            raise
        finally:
            # No token: a plan that is given up may be closed in another context than it began in.
            CURRENT.set(before)
            self._ended(operation, asked)


class Reads(NamedTuple):
    """What a trace knows of reads.

    Attributes:
        since: from when on it knows all of them, in Unix seconds by the clock of the memory.
        by_key: the operations that have read or found each record, by its key.
    """

    since: float
    by_key: Mapping[str, list[Operation]]


def reads_of(verbs: CommonVerbs) -> Reads | None:
    """Returns what is known of reads of a memory by the trace that is on for the longest time; None if none is."""
    watchers = (each for each in watches_of(verbs.watch) if isinstance(each, Watcher))
    watcher = min(watchers, key=lambda each: each.since, default=None)
    if watcher is None:
        return None
    operations = watcher.trace.operations
    by_key: dict[str, list[Operation]] = {}
    for each in operations:
        if each.source == id(verbs) and each.kind in ("read", "search"):
            for key in each.keys:
                by_key.setdefault(key, []).append(each)
    is_whole = not watcher.trace.dropped
    return Reads(watcher.since if is_whole else max(watcher.since, operations[0].at), by_key)


def _keys_of(result: object) -> list[str]:
    """Returns the keys of the records in a result: a pack, or a list of records."""
    keys = getattr(result, "keys", None)
    if isinstance(keys, list):
        return keys
    assert not isinstance(result, Mapping)
    return [each.key for each in result]  # type: ignore[attr-defined]
