"""Verbs about the messages of a session."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ...record import MemoryRecord
from ...stores.plan import Plan
from ...times import Duration, duration
from ..messages import history, messages_of, owner_of
from .common import CommonVerbs


class MessageVerbs(CommonVerbs):
    """Appends messages to sessions, and reads them in order."""

    def append(
        self,
        user: str,
        session: str,
        values: Iterable[dict[str, Any]],
        ttl: Duration | None = None,
        *,
        anyway: bool = False,
    ) -> Plan[list[str]]:
        """Adds messages to the end of a session, all in one step, under numbers that the store gives in that step.

        So agents that append to one session at the same time, in any number of processes, never get the same number, also
        not that of a message which was deleted. In an outage, this machine gives numbers that no other one does, by the
        instant; when the server is back, the messages of all machines are in the order of their instants.

        Args:
            user: first part of the keys, without ``:``.
            session: second part of the keys, without ``:``.
            values: JSON objects, in order; they are copied.
            ttl: as in `add`, the same for all.
            anyway: as in `add`.

        Returns:
            The keys in order, each of which reads ``user:session:number``. The number is an instant in microseconds, so that keys
            of a session sort in its order. Filters by user and session find the messages.

        Raises:
            InvalidArgument: a name that is empty or contains ``:``, the ttl, more than 50,000 values.
            NotStorable: a value; the path starts with its place, ``values[2]``.
            Tombstoned: a value says what was deleted for good; as in `apply`.
        """
        owner = owner_of(user, session)
        seconds = None if ttl is None else duration(ttl)
        entries = messages_of(values, self.clock(), seconds)
        return (yield from self.guard.append(owner, entries, anyway)) if entries else []

    def history(self, user: str, session: str, last: int | None = None) -> Plan[list[MemoryRecord]]:
        """Returns the messages that were appended to a session, the first one first; the order of use stays.

        Args:
            user: as in `append`.
            session: as in `append`.
            last: only so many of the last ones; 0 gives none, None all.

        Raises:
            InvalidArgument: a name that is empty or contains ``:``; a number below 0.
        """
        found = yield from history(self._store, user, session, last)
        return [self._record(entry) for entry in found]
