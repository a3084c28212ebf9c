"""The records as of an earlier instant, as a store that is read like any other."""

from __future__ import annotations

from collections.abc import Iterable
from sys import maxsize
from typing import Any, NoReturn

from ...entry import Entry
from ...errors import InvalidArgument
from ...times import shown_instant
from ..local import Local
from ..memory import InMemoryStore
from ..plan import Plan
from ..records import Records
from .changes import Earlier


class Past(Local):
    """The records of a store as they were; reading them changes nothing, and nothing can be written.

    Args:
        earlier: the records of then.
        instant: Unix seconds, the present of this store.
        namespace: name of the tenant.

    Attributes:
        instant: Unix seconds.
        since: by key what has happened last to each record that was changed since.
    """

    def __init__(self, earlier: Earlier, instant: float, namespace: str) -> None:
        self.instant = instant
        self.since = earlier.since
        records = Records(maxsize, self.clock)
        for entry in earlier.entries:
            records.entries[entry.key] = entry
            records.recency = max(records.recency, entry._recency)
        super().__init__(InMemoryStore._over(records, namespace))

    def clock(self) -> float:
        """Returns the instant."""
        return self.instant

    def describe(self) -> str:
        """Returns the text that the repr of a memory has for its store."""
        return f"as_of={shown_instant(self.instant)!r}, size={self._records.size()}"

    def read(self, key: str) -> Plan[Entry | None]:
        """Returns the entry of a key; None when there was none."""
        found = self._records.peek((key,))
        return found[0] if found else None
        yield

    def fetch(self, keys: Iterable[str]) -> Plan[list[Entry]]:
        """Returns the entries of the keys that existed."""
        return self.peek(list(keys))

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise InvalidArgument(
            f"these are the records as of {shown_instant(self.instant)}, which cannot be changed; write to the memory itself"
        )

    write = put = put_for_good = apply = touch = append = _refuse
    remove = remove_matching = clear = revert = resize = _refuse
