"""The versions of records that an explorer has seen since it was opened."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable
from dataclasses import dataclass
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
        at: when it was written, in Unix seconds.
        text: the value as JSON.
        what: who wrote it: this explorer, or somebody whose write it has seen.
    """

    at: float
    text: Snapshot
    what: Literal["seen", "edited"]


class History:
    """Versions by key; of the keys and versions that came first it lets go in time."""

    def __init__(self) -> None:
        self._versions: OrderedDict[str, deque[Version]] = OrderedDict()
        self._bytes = 0

    def note(self, entries: Iterable[Entry], what: Literal["seen", "edited"] = "seen") -> None:
        """Keeps what is new of these."""
        for entry in entries:
            kept = self._versions.setdefault(entry.key, deque())
            self._versions.move_to_end(entry.key)
            if kept and kept[-1].text == entry.text:
                continue
            kept.append(Version(entry.updated_at, entry.text, what))
            self._bytes += len(entry.text)
            if len(kept) > _MOST_VERSIONS:
                self._bytes -= len(kept.popleft().text)
        while len(self._versions) > _MOST_KEYS or self._bytes > _MOST_BYTES:
            _, oldest = self._versions.popitem(last=False)
            self._bytes -= sum(len(version.text) for version in oldest)

    def of(self, key: str) -> list[Version]:
        """The versions of a record, the newest first."""
        return list(reversed(self._versions.get(key, ())))
