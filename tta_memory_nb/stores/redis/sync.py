"""Searches on a server: bring a replica up to date, then look there."""

from __future__ import annotations

from math import inf
from typing import TypeAlias

from ...search.request import Hit, Search
from ..locks import Ticket
from ..plan import Plan
from . import scripts
from .commands import Commands
from .namespace import PAGE
from .operations import MOST_BYTES
from .partial import Replicas, Synced

# So many records a first search loads.
_FIRST_LOAD = 256

Loaded: TypeAlias = int | None
"""How many older records one round trip has loaded; None: ask again."""


class Sync:
    """Answers searches in the replicas of a namespace, which it brings up to date first.

    Args:
        commands: what asks the server.
        replicas: what this process knows.
        timeout: seconds to wait for another task that is loading the same records.
    """

    def __init__(self, commands: Commands, replicas: Replicas, timeout: float) -> None:
        self._commands = commands
        self._replicas = replicas
        self._timeout = timeout

    def find(self, search: Search) -> Plan[list[Hit]]:
        """Returns the hits of a search, see `Store.find`."""
        synced = self._replicas.for_filters(search.filters)
        replica = synced.replica
        if search.limit is None or search.order != "newest" or search.mode != "keyword":
            yield from self._catch_up(synced, inf)
            return replica.records.find(search)
        wanted = 0
        while True:
            yield from self._catch_up(synced, wanted)
            found = replica.records.find(search)
            if len(found) >= search.limit or replica.position().is_complete:
                return found
            # Growing steps: what is loaded is searched again each time.
            enough = search.limit + search.offset
            wanted = max(_FIRST_LOAD, enough, 4 * replica.records.size())

    def count(self, search: Search) -> Plan[int]:
        """Returns how many records match."""
        synced = self._replicas.for_filters(search.filters)
        yield from self._catch_up(synced, inf)
        return synced.replica.records.count(search)

    def candidate_keys(self, search: Search) -> Plan[list[str]]:
        """Returns the keys of all records that may match, newest first."""
        synced = self._replicas.for_filters(search.filters)
        yield from self._catch_up(synced, inf)
        return synced.replica.records.candidate_keys(search)

    def load_all(self) -> Plan[None]:
        """Loads every record into the whole replica."""
        yield from self._catch_up(self._replicas.whole, inf)

    def _catch_up(self, synced: Synced, wanted: float) -> Plan[None]:
        """Brings a replica up to date, and loads more of the older records.

        Args:
            synced: the replica.
            wanted: how many more.
        """
        while (yield from self._sync(synced, 0)) is None:
            pass
        # Not before: the sync may have made the replica start over.
        if wanted <= 0 or synced.replica.position().is_complete:
            return
        ticket = Ticket()
        try:
            yield from synced.loading.acquire(ticket, self._timeout)
            while wanted > 0 and not synced.replica.position().is_complete:
                wanted -= (yield from self._sync(synced, min(wanted, PAGE))) or 0
                synced.loading.progress()
        finally:
            synced.loading.held.discard(ticket)
            synced.loading.release(ticket)

    def _sync(self, synced: Synced, older: float) -> Plan[Loaded]:
        """Asks the server once for what has changed, and for so many older records."""
        commands, replica = self._commands, synced.replica
        asked = replica.position()
        reply = yield from commands.run(
            scripts.SYNC,
            asked.epoch,
            asked.cursor,
            asked.log_cursor,
            b"" if asked.oldest_held in (None, -inf) else int(asked.oldest_held),
            int(older),
            MOST_BYTES,
            b"1" if asked.knows_all else b"0",
            *synced.subset.arguments(),
        )
        if type(reply) is int:  # nothing has changed
            commands.note(reply)
            return 0 if replica.position().generation == asked.generation else None
        commands.note(reply[1])
        if reply[2] and asked.epoch:  # what is known is not what is there: something may be lost
            yield from commands.greet()
        loaded = replica.apply(asked, reply)
        return None if reply[3] else loaded
