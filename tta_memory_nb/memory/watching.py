"""Several watches on one memory: each sees every verb, whichever comes and goes first."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from ..stores.plan import Plan

if TYPE_CHECKING:
    from .verbs.common import Watch

T = TypeVar("T")
P = TypeVar("P")


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


def shortcut_under(
    watch: Watch | None, verb: str, shortcut: Callable[[P], T] | None
) -> Callable[[P], T] | None:
    """Returns how to take the shortcut of a store for a verb while a memory is watched.

    Args:
        watch: ``memory.watch``.
        verb: name of the verb.
        shortcut: of the store; None if it has none.

    Returns:
        The shortcut itself without a watch. With one, what the watch makes of it by a method ``shortcut``; None if it has no
        such method, so that it sees the plan of the verb.
    """
    if watch is None or shortcut is None:
        return shortcut
    seen: Callable[[str, Callable[[P], T]], Callable[[P], T]] | None
    seen = getattr(watch, "shortcut", None)
    return None if seen is None else seen(verb, shortcut)


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
