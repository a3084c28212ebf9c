"""Where a verb is carried out: on the server, or in an outage in this process.

In an outage, reads are answered from what this process knows, and writes go to memory and, with their
instants, to the journal. A write that was in flight when the connection broke may have been applied or
not: it goes to the journal under the write id it was sent with, and the server applies no id twice.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from ...errors import StoreUnavailable
from ...times import shown_instant
from ..plan import Plan
from .commands import Commands
from .operations import Attempt, Write
from .outage import Outages
from .partial import Replicas
from .unsettled import Outage

T = TypeVar("T")

MOST_PENDING = 100_000
"""So many records may be pending for the server."""


class Routing:
    """Carries out the verbs of one store.

    Args:
        outages: of the store.
        commands: what asks the server.
        replicas: what this process knows, which answers in an outage.
    """

    def __init__(self, outages: Outages, commands: Commands, replicas: Replicas) -> None:
        self._outages = outages
        self._commands = commands
        self._replicas = replicas

    def look(self, ask: Callable[[], Plan[T]], offline: Callable[[], T]) -> Plan[T]:
        """Carries a read out: on the server, or with what this process knows.

        Args:
            ask: makes the plan that asks the server.
            offline: answers in an outage.
        """
        outages = self._outages
        while True:
            if outages.current is None:
                outages.finish()
                ended = outages.ended
                try:
                    return (yield from ask())
                except StoreUnavailable as error:
                    yield from outages.lost(error, ended)
            elif outages.policy == "raise":
                yield from outages.recover_or_raise()
                continue
            with outages.lock:
                if outages.current is not None and outages.policy == "fallback":
                    outages.watch_over(outages.current)
                    return offline()

    def change(
        self,
        ask: Callable[[int], Plan[T]],
        offline: Callable[[], tuple[T, list[Write]]] | None,
        meant: Callable[[T], list[Write]],
        size: int,
    ) -> Plan[T]:
        """Carries a write out: on the server, or in memory and in the journal.

        Args:
            ask: makes the plan that asks the server, for the id of the write.
            offline: carries it out in memory; returns its result, and what the journal has to keep:
                the write itself comes first. None if only the server can tell whether to write at all.
            meant: gives, for the result of the server, what has to be written again if it is lost, or another
                server takes its place.
            size: how many records the write changes.

        Raises:
            NotDurable: the write is done in an outage, but the file of the journal cannot be written.
            StoreUnavailable: there is an outage, and the policy or the write does not allow to go on in one.
        """
        outages, ids, attempt = self._outages, self._commands.write_ids, Attempt()
        sent = False
        try:
            write_id = ids.begin(attempt)
            while True:
                if outages.current is None:
                    outages.finish()
                    ended, base, at = outages.ended, 0, 0.0
                    if outages.keeps:
                        base, at = self._commands.seen, self._commands.clock()
                    try:
                        result = yield from ask(write_id)
                    except StoreUnavailable as error:
                        sent = True
                        yield from outages.lost(error, ended)
                    else:
                        if not outages.keeps or outages.keep(
                            meant(result), write_id, ended, base, at
                        ):
                            ids.end(write_id)
                            return result
                        sent = True  # what has acknowledged it does not count any more
                elif outages.policy == "raise" or offline is None:
                    yield from outages.recover_or_raise()
                if offline is None:
                    continue
                with outages.lock:
                    outage = outages.current
                    is_offline = outage is not None and outages.policy == "fallback"
                    if outage is not None and is_offline:
                        self._check_room(outage, size)
                        try:
                            result = self._change_offline(outage, offline, write_id, sent)
                        except Exception:
                            raise  # a refusal has changed nothing, and must not be tried again
                        except BaseException:
                            # An interrupt. Done again, it is in memory and in the journal, and not in
                            # one of them only.
                            self._change_offline(outage, offline, write_id, sent)
                            raise
                        if not sent:
                            ids.end(write_id)
                if is_offline:
                    yield from outages.keeping.save(result)
                    return result
        except BaseException:
            if not self._is_pending(attempt):
                ids.end(attempt.write_id)
            raise

    def _check_room(self, outage: Outage, size: int) -> None:
        self._outages.watch_over(outage)
        if outage.journal.size + size > MOST_PENDING:
            raise StoreUnavailable(
                f"{self._outages.shown} has been away since {shown_instant(outage.since)}, and "
                f"{outage.journal.size:,} writes are pending for it, so {size:,} more cannot be "
                "kept; nothing was written: make the server reachable, then call reconnect()"
            )

    def _change_offline(
        self,
        outage: Outage,
        offline: Callable[[], tuple[T, list[Write]]],
        write_id: int,
        sent: bool,
    ) -> T:
        result, writes = offline()
        for write in writes:
            # The first one is the write itself, and may have been applied.
            if sent and write is writes[0]:
                write.write_id = write_id
            self._outages.owe(outage, write)
            self._note_offline(write)
        if not writes:
            self._commands.write_ids.end(write_id)
        return result

    def _is_pending(self, attempt: Attempt) -> bool:
        outage = self._outages.current
        return outage is not None and outage.journal.has(attempt.write_id)

    def _note_offline(self, write: Write) -> None:
        """Lets no answer from before the outage bring back what was deleted in it."""
        if write.kind == "clear":
            self._replicas.whole.replica.removed_offline(None)
        elif write.kind in ("delete", "take"):
            self._replicas.whole.replica.removed_offline(write.changed)
        elif write.kind == "apply":
            self._replicas.whole.replica.removed_offline(write.keys)
