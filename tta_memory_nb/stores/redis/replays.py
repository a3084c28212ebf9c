"""What is written again to a server that is back: the writes of an outage, and those that it has lost.

A write that the server refuses for good is set aside and named, so that nothing keeps the others from it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from ...errors import brief
from ..plan import Plan
from .commands import Commands
from .failover import Acknowledged
from .journal import Journal, RefusedWrite
from .operations import Write
from .partial import Replicas
from .replay import Compare, Replay

logger = logging.getLogger("tta_memory_nb")


class Replays:
    """Makes the replays of one store.

    Args:
        commands: what asks the server.
        replicas: what this process knows.
        lock: held while a journal is looked at or changed.
        acknowledged: keeps what the server takes; None if it cannot be lost.
        shown: the server's address, without any password.
        save: brings the file of the journal up to date; None if there is no file.

    Attributes:
        refused: by key, the last write that the server has refused for good.
    """

    def __init__(
        self,
        commands: Commands,
        replicas: Replicas,
        lock: AbstractContextManager[Any],
        acknowledged: Acknowledged | None,
        *,
        shown: str,
        save: Callable[[], Plan[None]] | None = None,
    ) -> None:
        self.refused: dict[str, RefusedWrite] = {}
        self._commands = commands
        self._replicas = replicas
        self._lock = lock
        self._acknowledged = acknowledged
        self._shown = shown
        self._save = save

    def of(self, journal: Journal, base: int, since: float, compare: Compare | None) -> Replay:
        """Returns the replay of a journal.

        Args:
            journal: the writes.
            base: the server's counter before them.
            since: the instant from which on they were written, in Unix seconds.
            compare: compares entries with the tombstones that there are now; None if no memory has said how.
        """
        return Replay(
            self._commands,
            journal,
            base,
            since,
            self._lock,
            self._set_aside,
            self._acknowledged,
            self._save,
            compare,
        )

    def restore(self, progress: Callable[[], None], compare: Compare | None) -> Plan[None]:
        """Writes back what the server has lost; a record that was written since at a later instant stays.

        Args:
            progress: called after each step.
            compare: as for `of`.
        """
        incarnation = self._commands.incarnation
        base, writes = incarnation.to_restore()
        if not writes:
            return
        journal = Journal(self._commands.write_ids)
        for write in writes:
            journal.add(write)
        replay = self.of(journal, base, 0.0, compare)
        while journal.size:
            yield from replay.step()
            progress()
        incarnation.restored()
        logger.info("%s has got back %d writes that it had lost", self._shown, replay.replayed)

    def _set_aside(self, write: Write, reason: str) -> None:
        """Keeps a write of one record that the server refuses for good; called with the lock."""
        key = next(write.changed, f"{write.kind}()")
        entry = write.kept[0] if write.kept else None
        self.refused[key] = RefusedWrite(write.kind, write.at, reason, entry)
        for kept in write.kept:
            self._replicas.whole.replica.forget(kept)
        logger.warning(
            "%s refuses a write for good, so it is set aside, and get_backend_info() names it: %s: %s",
            self._shown,
            brief(key),
            reason,
        )
