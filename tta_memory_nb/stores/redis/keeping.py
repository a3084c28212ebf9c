"""Keeps the journal of a memory in a file, and takes over what processes that have ended have left there."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING
from weakref import ref

from ...errors import NotDurable, ServerError, StoreUnavailable
from ..base import Change
from ..file.faults import named
from ..memory import InMemoryStore
from ..plan import Call, Plan
from .clock import ServerClock
from .commands import Commands
from .journal_file import Facts, JournalFile
from .operations import Write
from .partial import Replicas

if TYPE_CHECKING:
    from .outage import Outages

logger = logging.getLogger("tta_memory_nb")


class Keeping:
    """Keeps the journal of one store in a file; without a file, its methods do nothing.

    Args:
        file: where to keep it; None for nowhere.
        outages: of the store.
        commands: of the store.
        replicas: what this process knows.
        clock: the server's, as far as it is known here.

    Attributes:
        file: as given.
    """

    def __init__(
        self,
        file: JournalFile | None,
        outages: Outages,
        commands: Commands,
        replicas: Replicas,
        clock: ServerClock,
    ) -> None:
        self.file = file
        # Outages have this object. A memory that is dropped must not have to wait for the garbage collector.
        self._outages = there = ref(outages)
        self._replicas = replicas
        self._clock = clock
        self._has_warned = False
        if file is not None:
            file.guard_by(outages.lock)
            file.facts = lambda: _facts_of(there())
            file.client = lambda: commands.write_ids.client

    def save(self, result: object) -> Plan[None]:
        """Brings the file up to date, before a write of an outage is acknowledged.

        Args:
            result: what the write has come to.

        Raises:
            NotDurable: the file cannot be written; the write is in this process alone.
        """
        if self.file is None or not self.file.has_unsaved:
            return
        try:
            yield Call(self.file.save)
        except (ServerError, StoreUnavailable) as error:
            refused = NotDurable(
                "the write is done, and reaches the server when it is back, but it is not in the file of the journal, so "
                f"it is lost if this process ends before that; {error}"
            )
            refused.change = result if isinstance(result, Change) else None
            raise refused from None

    def save_or_warn(self) -> Plan[None]:
        """Brings the file up to date, or says why not: what it keeps is on its way to the server anyway."""
        if self.file is None or not self.file.has_unsaved:
            return
        try:
            yield Call(self.file.save)
            self._has_warned = False
        except (ServerError, StoreUnavailable) as error:
            self._warn(error)

    def _warn(self, error: Exception) -> None:
        if not self._has_warned:
            self._has_warned = True
            logger.warning("the journal is not up to date in its file: %s", error)

    def inherit(self) -> None:
        """Begins with an outage if processes that have ended have left writes; may wait for the file."""
        if self.file is None:
            return
        left = self.file.take_over()
        for name, count in left.elsewhere.items():
            logger.warning(
                "%s keeps %d writes for %s; they stay there until a memory with that address and namespace opens it",
                named(self.file.path),
                count,
                name,
            )
        if not left.writes:
            return
        outages = self._outages()
        assert outages is not None
        with outages.lock:
            count = sum(write.size for write in left.writes)
            outage = outages.start(
                f"{count} writes of a process that has ended wait in {named(self.file.path)}",
                left.facts.base,
            )
            for write in left.writes:
                self._carry_out(write)
                outages.owe(outage, write)
            outage.written_since, outage.moved = left.facts.since, left.facts.moved
            outage.move(self._clock.moved)

    def _carry_out(self, write: Write) -> None:
        """Does in memory what a write was meant to do, as it was done when it was acknowledged."""
        replica = self._replicas.whole.replica
        memory: InMemoryStore = replica.offline
        if write.kind == "clear":
            memory.clear()
            replica.removed_offline(None)
        elif write.kind == "resize":
            memory.resize(write.max_size)
        elif write.kind == "take":
            memory.revert(Change(tuple(write.entries), (), 0, memory))
            replica.removed_offline(write.changed)
        elif write.kind == "touch":
            records = memory.contents
            with records.lock:
                for entry in filter(None, map(records.entries.get, write.keys)):
                    records.use(entry)
                    records.touch_entry(entry, write.ttl, write.at)
        elif write.kind == "restore":
            memory.revert(Change((), tuple(write.entries), 0, memory))
        else:
            memory.remove(write.keys)
            replica.removed_offline(write.keys)
            memory.put(write.kept)

    def leave(self) -> None:
        """Leaves what is pending to the next process, and closes the file."""
        if self.file is None:
            return
        try:
            self.file.save()
        except (ServerError, StoreUnavailable) as error:
            self._warn(error)
            return
        outages = self._outages()
        assert outages is not None
        if count := outages.pending:
            logger.warning(
                "%s has not come back: %d writes wait for it in %s, and reach it when a memory opens that again",
                outages.shown,
                count,
                named(self.file.path),
            )
        outages.hand_over()
        self.file.close()

    def whereabouts(self) -> str:
        """Returns where writes are that have not reached the server, as the end of a sentence."""
        if self.file is None or self.file.has_unsaved:
            return ""
        return f"; they are in {named(self.file.path)}, and reach it when a memory opens that again"


def _facts_of(outages: Outages | None) -> Facts | None:
    outage = None if outages is None else outages.current
    return None if outage is None else Facts(outage.base, outage.first, outage.moved)
