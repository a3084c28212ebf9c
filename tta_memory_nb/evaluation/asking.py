"""Asks a memory for an evaluation: its code is written once, and both faces of a memory carry it out."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator
from functools import partial
from inspect import isawaitable
from typing import Any, NamedTuple, TypeAlias, TypeVar, overload

from ..errors import EmbedderError, InvalidArgument, MissingPackage, brief
from ..memory.faces import MemoryPrimitive, SyncMemory

T = TypeVar("T")

UNAVAILABLE = (EmbedderError, MissingPackage)
"""Errors of a search mode that cannot be carried out. The code that asks gets them, and may go on."""


class Ask(NamedTuple):
    """A verb of a memory, and its arguments.

    Attributes:
        verb: its name.
        args: its positional arguments.
        keywords: its other arguments.
        instead: the memory to ask; None for the one that was given.
    """

    verb: str
    args: tuple[Any, ...] = ()
    keywords: dict[str, Any] = {}  # noqa: RUF012  never changed
    instead: MemoryPrimitive | None = None


Asking: TypeAlias = Generator[Ask, Any, T]
"""Yields what to ask, is sent the replies, and returns a result."""


def check_memory(memory: SyncMemory | MemoryPrimitive) -> None:
    """Checks the memory that is to be asked.

    Raises:
        InvalidArgument: it is none.
    """
    if not isinstance(memory, (SyncMemory, MemoryPrimitive)):
        raise InvalidArgument(f"memory={brief(memory)}: give a MemoryPrimitive, or its .sync")


@overload
def carry_out(memory: SyncMemory, asking: Asking[T]) -> T: ...


@overload
def carry_out(memory: MemoryPrimitive, asking: Asking[T]) -> Coroutine[Any, Any, T]: ...


def carry_out(
    memory: SyncMemory | MemoryPrimitive, asking: Asking[T]
) -> T | Coroutine[Any, Any, T]:
    """Asks a memory what is yielded, and returns the result; of a `MemoryPrimitive`, a coroutine."""
    return _called(memory, asking) if isinstance(memory, SyncMemory) else _awaited(memory, asking)


def _called(memory: SyncMemory, asking: Asking[T]) -> T:
    step: Callable[[], Ask] = partial(next, asking)
    while True:
        try:
            ask = step()
        except StopIteration as done:
            return done.value  # type: ignore[no-any-return]
        asked = memory if ask.instead is None else ask.instead.sync
        try:
            reply = getattr(asked, ask.verb)(*ask.args, **ask.keywords)
        except UNAVAILABLE as error:
            step = partial(asking.throw, error)
        else:
            step = partial(asking.send, reply)


async def _awaited(memory: MemoryPrimitive, asking: Asking[T]) -> T:
    step: Callable[[], Ask] = partial(next, asking)
    while True:
        try:
            ask = step()
        except StopIteration as done:
            return done.value  # type: ignore[no-any-return]
        asked = memory if ask.instead is None else ask.instead
        try:
            reply = getattr(asked, ask.verb)(*ask.args, **ask.keywords)
            if isawaitable(reply):  # a few verbs are plain functions on both faces
                reply = await reply
        except UNAVAILABLE as error:
            step = partial(asking.throw, error)
        else:
            step = partial(asking.send, reply)
