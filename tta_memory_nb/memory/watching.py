"""Several watches on one memory: each sees every verb, whichever comes and goes first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from ..stores.plan import Plan

if TYPE_CHECKING:
    from .verbs.common import Watch

T = TypeVar("T")


class Watched(Protocol):
    """A memory, or its verbs."""

    watch: Watch | None


class Watches:
    """Hands a plan to several watches in turn, so that the last one is outermost.

    Args:
        watches: two or more.
    """

    __slots__ = ("watches",)

    def __init__(self, watches: tuple[Watch, ...]) -> None:
        self.watches = watches

    def __call__(self, verb: str, plan: Plan[T], /, *args: Any, **kwargs: Any) -> Plan[T]:
        """Returns the plan to carry out."""
        for watch in self.watches:
            plan = watch(verb, plan, *args, **kwargs)
        return plan


def watches_of(watch: Watch | None) -> Iterator[Watch]:
    """Returns every watch behind ``memory.watch``, the first one that was added first."""
    if isinstance(watch, Watches):
        yield from watch.watches
    elif watch is not None:
        yield watch


def add_watch(memory: Watched, watch: Watch) -> None:
    """Has a watch see every verb of a memory, beside those that do already."""
    _set(memory, (*watches_of(memory.watch), watch))


def remove_watch(memory: Watched, watch: Watch) -> None:
    """Ends what `add_watch` has begun; the other watches go on. Without any, ``memory.watch`` is None again."""
    _set(memory, tuple(each for each in watches_of(memory.watch) if each is not watch))


def _set(memory: Watched, watches: tuple[Watch, ...]) -> None:
    if len(watches) > 1:
        memory.watch = Watches(watches)
    else:
        memory.watch = watches[0] if watches else None
