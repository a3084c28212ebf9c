"""What adapters share: a memory that loses nothing by itself, and logic that is written once, called or awaited.

An adapter is a plan (see `stores.plan`) whose requests are `Ask`, for a verb of the memory, and ``Call``, for
anything else that may take long.
"""

from __future__ import annotations

from typing import Any, TypeVar

from ..errors import InvalidArgument
from ..memory.faces import MemoryPrimitive, SyncMemory
from ..search.request import whole_number
from ..stores.plan import Plan, aanswer, adrive, answer, drive

T = TypeVar("T")


class Ask:
    """Request for a verb of the memory; the reply is what the verb returns.

    Args:
        verb: its name, such as ``"get_records"``.
        *args: its positional arguments.
        **options: its keyword arguments.
    """

    __slots__ = ("args", "options", "verb")

    def __init__(self, verb: str, *args: Any, **options: Any) -> None:
        self.verb = verb
        self.args = args
        self.options = options

    def of(self, memory: MemoryPrimitive | SyncMemory) -> Any:
        """Calls the verb, and returns its result or, of a `MemoryPrimitive`, what is to be awaited."""
        return getattr(memory, self.verb)(*self.args, **self.options)


def called(memory: MemoryPrimitive, plan: Plan[T]) -> T:
    """Carries out the plan of an adapter in the calling thread, also where an event loop is running."""
    sync = memory.sync
    try:
        request = next(plan)
    except StopIteration as done:
        result: T = done.value
        return result
    return drive(
        plan, request, lambda each: each.of(sync) if isinstance(each, Ask) else answer(each)
    )


async def awaited(memory: MemoryPrimitive, plan: Plan[T]) -> T:
    """As `called`; the calling task waits."""

    async def reply(request: object) -> Any:
        return await (request.of(memory) if isinstance(request, Ask) else aanswer(request))

    try:
        request = next(plan)
    except StopIteration as done:
        result: T = done.value
        return result
    return await adrive(plan, request, reply)


def lasting(memory: MemoryPrimitive, evict: bool, loses: str) -> MemoryPrimitive:
    """Returns the memory, if it never evicts a record, or may.

    Args:
        memory: what the user has given to an adapter.
        evict: whether it may evict.
        loses: what would be lost, such as ``"checkpoints"``.

    Raises:
        InvalidArgument: no `MemoryPrimitive`; or one that evicts its least recently used records when it is full.
    """
    if not isinstance(memory, MemoryPrimitive):
        raise InvalidArgument.about("memory", memory, "give a MemoryPrimitive")
    if memory.max_size is not None and not evict:
        raise InvalidArgument(
            f"memory: it keeps at most {memory.max_size:,} records and evicts the others, so {loses} would be "
            "lost without any error; make it with max_size=None, or allow that by evict=True"
        )
    return memory


def limit_of(limit: int | None) -> int | None:
    """Returns a limit as a plain int; 0 gives nothing, None everything.

    Raises:
        InvalidArgument: it is neither None nor an int of at least 0.
    """
    if limit is None:
        return None
    number = whole_number(limit)
    if number is None or number < 0:
        raise InvalidArgument.about("limit", limit, "give an int of at least 0, or None for all")
    return number
