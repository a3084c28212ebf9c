"""The versions of records that an explorer has seen since it was opened."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable
from dataclasses import dataclass
from threading import Lock
from typing import Literal

from ...codec import Snapshot
from ...entry import Entry

_MOST_KEYS = 5000
_MOST_VERSIONS = 20
_MOST_BYTES = 64_000_000


@dataclass(frozen=True, slots=True)
class Version:
    """A value that a record had.

    Attributes:
        at: when the value was written, in Unix seconds.
        text: the value as JSON.
        what: "edited" if this explorer wrote the value, "seen" if something else did.
    """

    at: float
    text: Snapshot
    what: Literal["seen", "edited"]


class Versions:
    """The versions seen of each record. Beyond a limit, the oldest are dropped.

    Threads may add and read versions at the same time.
    """

    def __init__(self) -> None:
        self._versions: OrderedDict[str, deque[Version]] = OrderedDict()
        self._bytes = 0
        self._lock = Lock()

    def add(self, entries: Iterable[Entry], what: Literal["seen", "edited"] = "seen") -> None:
        """Adds the current value of each entry, unless it is the last version known."""
        with self._lock:
            for entry in entries:
                self._add_one(entry, what)
            while len(self._versions) > _MOST_KEYS or self._bytes > _MOST_BYTES:
                _, oldest = self._versions.popitem(last=False)
                self._bytes -= sum(len(version.text) for version in oldest)

    def _add_one(self, entry: Entry, what: Literal["seen", "edited"]) -> None:
        kept = self._versions.setdefault(entry.key, deque())
        self._versions.move_to_end(entry.key)
        if kept and kept[-1].text == entry.text:
            return
        kept.append(Version(entry.updated_at, entry.text, what))
        self._bytes += len(entry.text)
        if len(kept) > _MOST_VERSIONS:
            self._bytes -= len(kept.popleft().text)

    def of(self, key: str) -> list[Version]:
        """The versions of a record, newest first."""
        with self._lock:
            return list(reversed(self._versions.get(key, ())))
