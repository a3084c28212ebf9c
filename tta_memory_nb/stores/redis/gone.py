"""Keys that this process knows to be missing on the server, and since when.

An answer that comes late, and is older than the deletion of a record, must not bring it back.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from sys import maxsize

# So many of the keys that were found missing last are known one by one.
_MOST = 1024


class Gone:
    """Keys with the server's counter at which they were deleted or found missing."""

    def __init__(self) -> None:
        self._at: OrderedDict[str, int] = OrderedDict()
        # Of all other keys nothing is known that is as old as this.
        self._up_to = 0

    def __contains__(self, key: str) -> bool:
        return key in self._at

    def add(self, key: str, at: int) -> None:
        """Notes that there was no record at a value of the counter."""
        self._at[key] = max(at, self._at.pop(key, 0))
        if len(self._at) > _MOST:
            self.add_all(self._at.popitem(last=False)[1])

    def add_all(self, up_to: int) -> None:
        """Notes that nothing is known of records that were used last up to a value of the counter."""
        self._up_to = max(self._up_to, up_to)

    def discard(self, key: str) -> None:
        """Notes that there is a record again."""
        self._at.pop(key, None)

    def allows(self, key: str, at: int) -> bool:
        """Returns whether a record that existed at a value of the counter may still exist."""
        return at > self._at.get(key, self._up_to)

    def is_later(self, key: str, at: int) -> bool:
        """Returns whether a record is known to have gone after a value of the counter."""
        return self._at.get(key, 0) >= at

    def since(self, seq: int) -> Iterable[tuple[str, int]]:
        """Yields the keys that have gone after a value of the counter, and when."""
        return [(key, at) for key, at in self._at.items() if at > seq]

    def forget(self, since: int, until: int) -> None:
        """Forgets what has gone between two values of the counter; deletions of an outage are later."""
        for key, _ in [(key, at) for key, at in self.since(since) if at < until]:
            del self._at[key]
        if self._up_to < until:
            self._up_to = min(self._up_to, since)

    # ---- an outage, which is later than any value of the counter

    def add_offline(self, keys: Iterable[str] | None) -> None:
        """Notes deletions of an outage; None for all records."""
        if keys is None:
            self._at.clear()
            self._up_to = maxsize
        else:
            for key in keys:
                self._at[key] = maxsize

    def end_offline(self, seen: int) -> None:
        """Gives the deletions of an outage that has ended the value that the counter has now."""
        self._up_to = min(self._up_to, seen)
        for key, at in list(self._at.items())[-_MOST:]:
            self._at[key] = min(at, seen)
        while len(self._at) > _MOST:
            self._at.popitem(last=False)
            self._up_to = seen
