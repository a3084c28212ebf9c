"""What the argument ``as_of`` means."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import InvalidArgument
from ..stores.base import Store
from ..stores.history.bounds import History
from ..stores.plan import Plan
from ..times import Instant, latest, span

if TYPE_CHECKING:
    from .faces import SyncMemory

# The clocks of two machines, or of a process and its server, may differ by so many seconds.
_SKEW = 60.0

KEEPS_NONE = (
    "this memory keeps no earlier versions of its records; have it keep later changes by "
    "MemoryPrimitive(history='7d'), keep_history('7d') or %memory use --history 7d"
)
"""What is said of a memory that was not made to keep changes."""


def history_of(store: Store) -> Plan[History | None]:
    """Returns which changes a store keeps; None for none, and for a store of the caller's that knows nothing of that."""
    look = getattr(store, "kept_history", None)
    if look is None:
        return getattr(store, "history", None)
    found: History | None = yield from look()
    return found


def keeps_changes(memory: SyncMemory) -> bool:
    """Returns whether a memory keeps changes of its records."""
    store = memory._store  # noqa: SLF001  its verbs ask the same
    return store.runner.run(history_of(store)) is not None


def read_as_of(as_of: Instant, now: float, store: Store) -> Plan[float]:
    """Returns the instant of an argument ``as_of``, in Unix seconds; the last one that is shown like it.

    Args:
        as_of: what the caller gave.
        now: Unix seconds.
        store: of which the records are asked for.

    Raises:
        InvalidArgument: it is no instant, lies in the future, or the store keeps no changes.
    """
    first, last = span(as_of, now, "as_of")
    if first > now + _SKEW:
        rule = "this is in the future; give an earlier instant"
        raise InvalidArgument.about("as_of", as_of, rule)
    if (yield from history_of(store)) is None:
        raise InvalidArgument.about("as_of", as_of, KEEPS_NONE)
    return min(latest(last), now)
