"""Parts of a namespace that filters name, so that a question about one need not load the rest.

What of a filter a server can decide is which keys it means and between which instants they were
updated; the rest is decided here, where values can be read.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from math import inf
from threading import Lock

from ...filters import Filters
from ...text import to_utf8
from ..locks import AdvisoryLock
from .mirror import Mirror

MOST_PARTS = 4
"""So many parts this process keeps, those that were asked about last."""


@dataclass(frozen=True, slots=True)
class Part:
    """Records whose keys and instants are of a kind.

    Attributes:
        prefix: what their keys begin with.
        infix: what their keys contain.
        since: the earliest instant of their last update, in Unix seconds.
        until: the latest.
    """

    prefix: str = ""
    infix: str = ""
    since: float = -inf
    until: float = inf

    @classmethod
    def of(cls, filters: Filters) -> Part:
        """The smallest part with all records that filters accept."""
        prefix, infix = filters.prefix or "", ""
        if filters.user is not None:
            owner = f"{filters.user}:{filters.session or ''}"
            prefix = max(prefix, owner, key=len)  # a key begins with both, or is not accepted
        elif filters.session is not None:
            infix = f":{filters.session}"
        since = -inf if filters.since is None else filters.since
        until = inf if filters.until is None else filters.until
        return cls(prefix, infix, since, until)

    def covers(self, other: Part) -> bool:
        """Whether every record of another part belongs to this one as well."""
        return (
            other.prefix.startswith(self.prefix)
            and self.infix in other.infix
            and self.since <= other.since
            and self.until >= other.until
        )

    def arguments(self) -> tuple[bytes | str, ...]:
        """As `lua/sync.lua` takes it."""
        if self == WHOLE:
            return ()
        instants = (repr(at) if abs(at) < inf else b"" for at in (self.since, self.until))
        return (to_utf8(self.prefix), to_utf8(self.infix), *instants)


WHOLE = Part()


@dataclass(slots=True)
class Known:
    """What this process knows of a part.

    Attributes:
        part: which.
        mirror: its records.
        loading: two would load the same; that is more work, but no harm.
    """

    part: Part
    mirror: Mirror
    loading: AdvisoryLock = field(default_factory=AdvisoryLock)


class Parts:
    """The parts that were asked about last.

    Args:
        whole: what is known of the whole namespace.
        make: makes the mirror of another part.
    """

    def __init__(self, whole: Known, make: Callable[[], Mirror]) -> None:
        self._whole = whole
        self._make = make
        self._lock = Lock()
        self._parts: OrderedDict[Part, Known] = OrderedDict()

    def for_filters(self, filters: Filters) -> Known:
        """Where to look for what filters accept."""
        part = Part.of(filters)
        if part == WHOLE or self._whole.mirror.position().is_complete:
            return self._whole
        with self._lock:
            known = next((each for each in self._parts.values() if each.part.covers(part)), None)
            if known is None:
                known = self._parts[part] = Known(part, self._make())
            self._parts.move_to_end(known.part)
            while len(self._parts) > MOST_PARTS:
                self._parts.popitem(last=False)
        return known

    def outdated(self, keys: Iterable[str]) -> None:
        """Takes note of records that this process has changed: the next look brings what they are now."""
        if self._parts:
            keys = list(keys)
            for known in list(self._parts.values()):
                known.mirror.outdated(keys)

    def clear(self) -> Iterator[Mirror]:
        """Forgets all parts, and gives what was known of each."""
        with self._lock:
            parts, self._parts = self._parts, OrderedDict()
        return (known.mirror for known in parts.values())
