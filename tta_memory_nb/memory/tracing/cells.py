"""Which cell of a notebook has started the work that is going on, in whatever task or thread it goes on.

The cell is a context variable, so tasks that a cell creates, and what `asyncio.to_thread` calls, know it after the cell has
ended. Threads get no context before Python 3.14, so while a notebook is traced `follow_threads` notes the cell that starts a thread, or hands work
to a pool of threads.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import ContextVar
from threading import Lock, Thread, current_thread, get_ident, main_thread
from time import perf_counter
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from ...imported import imported
from .counting import counted

if TYPE_CHECKING:
    from .operation import Operation

P = ParamSpec("P")
T = TypeVar("T")

_MAIN = main_thread().ident


def task_name() -> str:
    """Returns the name of the running task or thread; empty for the main thread outside of any task."""
    asyncio = imported("asyncio")
    if asyncio is not None and asyncio._get_running_loop() is not None:  # noqa: SLF001  does not raise, unlike the other
        task = asyncio.current_task()
        if task is not None:
            name: str = task.get_name()
            return name
    return "" if get_ident() == _MAIN else current_thread().name


class Cell:
    """A run of a cell, and the sums of what it has asked of memories.

    Args:
        number: what stands in the brackets beside it; None for code that is no cell.

    Attributes:
        number: the same.
        task: name of the task or thread that runs the cell.
        counts: how many operations there were of each kind; also ``misses``, ``found`` (records found) and ``failed``.
        busy: for how long any of them was going on, in seconds.
    """

    __slots__ = ("_going_on", "_lock", "_since", "busy", "counts", "number", "task")

    def __init__(self, number: int | None) -> None:
        self.number = number
        self.task = task_name()
        self.counts: dict[str, int] = {}
        self.busy = 0.0
        self._going_on = 0
        self._since = 0.0
        self._lock = Lock()  # tasks and threads of one cell overlap

    def __repr__(self) -> str:
        return f"Cell({self.number})"

    @property
    def name(self) -> str:
        """``[12]``, as a notebook shows it; ``cell`` for one without a number."""
        return "cell" if self.number is None else f"[{self.number}]"

    def begin(self, at: float) -> None:
        """Notes that an operation begins, at an instant of ``time.perf_counter``."""
        with self._lock:
            if not self._going_on:
                self._since = at
            self._going_on += 1

    def end(self, operation: Operation, at: float) -> None:
        """Notes that an operation has ended."""
        counts = self.counts
        with self._lock:
            self._going_on -= 1
            if not self._going_on:
                self.busy += at - self._since
            counts[operation.kind] = counts.get(operation.kind, 0) + 1
            if operation.misses:
                counts["misses"] = counts.get("misses", 0) + operation.misses
            if operation.error is not None:
                counts["failed"] = counts.get("failed", 0) + 1
            if operation.kind == "search":
                counts["found"] = counts.get("found", 0) + operation.records

    @property
    def operations(self) -> int:
        """How many operations have ended."""
        return sum(
            self.counts.get(kind, 0) for kind in ("read", "search", "write", "delete", "other")
        )

    @property
    def about(self) -> str:
        """What it has asked, in one line, such as ``3 reads (1 miss), 2 writes, 4.1 ms``."""
        with self._lock:
            counts, busy = dict(self.counts), self.busy
            if self._going_on:
                busy += perf_counter() - self._since
        return counted(counts, busy)


ASIDE = Cell(None)
"""What is done under this cell is in no trace: the explorer's looks, which are nobody's work."""

_cell: ContextVar[Cell | None] = ContextVar("tta_memory_cell", default=None)

set_cell = _cell.set
"""Says which cell the present context belongs to; None for none."""


def current_cell() -> Cell | None:
    """Returns the cell that has started what goes on in the present task or thread."""
    cell = _cell.get()
    return cell if cell is not None or not _follows else getattr(current_thread(), _CELL, None)


# ---- threads

_CELL = "_tta_memory_cell"
_follows = False
_start, _submit = Thread.start, ThreadPoolExecutor.submit


def follow_threads() -> None:
    """Has threads, and what pools of threads are given, belong to the cell that starts them.

    It puts other methods in the place of `Thread.start` and `ThreadPoolExecutor.submit`, which do the same and note the
    cell. `leave_threads` puts those back that were there.
    """
    global _follows, _start, _submit  # noqa: PLW0603  as the methods that are replaced
    if not _follows:
        _start, _submit = Thread.start, ThreadPoolExecutor.submit
        Thread.start = _start_noted  # type: ignore[method-assign]
        ThreadPoolExecutor.submit = _submit_noted  # type: ignore[method-assign,assignment]
        _follows = True


def leave_threads() -> None:
    """Ends what `follow_threads` has begun. A method that somebody else has replaced since stays, and does no more than the first one."""
    global _follows  # noqa: PLW0603
    if Thread.start is _start_noted:
        Thread.start = _start  # type: ignore[method-assign]
    if ThreadPoolExecutor.submit is _submit_noted:
        ThreadPoolExecutor.submit = _submit  # type: ignore[method-assign]
    _follows = False


def _start_noted(self: Thread) -> None:
    if _follows and (cell := current_cell()) is not None:
        setattr(self, _CELL, cell)
    _start(self)


def _submit_noted(
    self: ThreadPoolExecutor, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
) -> Future[T]:
    cell = current_cell() if _follows else None
    return _submit(self, fn if cell is None else _Within(cell, fn), *args, **kwargs)


class _Within:
    """A function that is called as part of a cell."""

    __slots__ = ("_function", "_of")

    def __init__(self, cell: Cell, function: Callable[..., Any]) -> None:
        self._of, self._function = cell, function

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        token = _cell.set(self._of)
        try:
            return self._function(*args, **kwargs)
        finally:
            _cell.reset(token)
