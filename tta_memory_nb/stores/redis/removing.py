"""The verbs of a store on a server that take records out, or take a change back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ...entry import Entry, recency
from ...filters import EVERYTHING, Filters
from ...keys import check_key
from ...search.request import Search
from ..base import Change, check_max_size, check_origin
from ..plan import Plan
from .operations import BATCH, Write, pages
from .reading import Reading
from .wiring import acknowledged


class Removing(Reading):
    """Deletes, evicts and restores records, on the server or in an outage in this process."""

    @acknowledged
    def remove(self, keys: Sequence[str]) -> Plan[Change]:
        """Deletes the keys that exist."""
        done: list[Change] = []
        for batch in pages(list(dict.fromkeys(map(check_key, keys)))):
            done.append((yield from self._remove_batch(batch)))  # noqa: PERF401  it yields
        return self._joined(done)

    def _remove_batch(
        self, keys: Sequence[str], entries: Sequence[Entry] | None = None
    ) -> Plan[Change]:
        def ask(write_id: int) -> Plan[Change]:
            if entries is None:
                return self.commands.remove(keys, write_id)
            return self.commands.remove_versions(entries, write_id)

        def offline() -> tuple[Change, list[Write]]:
            change = self._offline.remove(keys)
            # Also of keys that are not known here: they may be on the server.
            return change, [Write("delete", self.clock(), keys=tuple(keys))]

        def meant(change: Change) -> list[Write]:
            found = keys if entries is None else [entry.key for entry in change.removed]
            return [Write("delete", self.clock(), keys=tuple(found))]

        return self._change(ask, offline, meant, len(keys))

    @acknowledged
    def remove_matching(self, filters: Filters = EVERYTHING) -> Plan[Change]:
        """Deletes every record that the filters accept."""
        found = yield from self.find(Search(filters=filters))
        done: list[Change] = []
        for batch in pages([hit.entry for hit in found]):
            keys = [entry.key for entry in batch]
            done.append((yield from self._remove_batch(keys, batch)))
        return self._joined(done)

    @acknowledged
    def clear(self) -> Plan[None]:
        """Deletes every record in a way that cannot be taken back."""

        def meant(_: None = None) -> list[Write]:
            return [Write("clear", self.clock())]

        def offline() -> tuple[None, list[Write]]:
            self._offline.clear()
            return None, meant()

        return self._change(self.commands.clear, offline, meant, 1)

    @acknowledged
    def resize(self, max_size: int) -> Plan[Change]:
        """Sets the capacity; a smaller one evicts at once."""
        max_size = check_max_size(max_size)
        more = True
        done: list[Change] = []

        def offline() -> tuple[tuple[Change, bool], list[Write]]:
            before, self.commands.max_size = self.commands.max_size, max_size
            capacity = None if before == max_size else before
            change = replace(self._offline.resize(max_size), max_size=capacity)
            return (change, False), meant()

        def meant(_: object = None) -> list[Write]:
            return [Write("resize", self.clock(), max_size=max_size)]

        while more:
            change, more = yield from self._change(
                lambda write_id: self.commands.resize(max_size, write_id), offline, meant, 1
            )
            done.append(change)
        return self._joined(done)

    @acknowledged
    def revert(self, change: Change) -> Plan[Change]:
        """Takes a change back, but keeps what has been written under a key since then.

        Raises:
            InvalidArgument: the change was made to another store.
        """
        check_origin(change, self)
        max_size = change.max_size
        done: list[Change] = []
        for written, restored in _undone_together(change):
            done.append((yield from self._revert_batch(written, restored, max_size)))
            max_size = None
        return self._joined(done)

    def _revert_batch(
        self, written: Sequence[Entry], removed: Sequence[Entry], max_size: int | None
    ) -> Plan[Change]:
        def offline() -> tuple[Change, list[Write]]:
            memory = self._offline
            back = memory.revert(Change(tuple(written), tuple(removed), 0, memory, max_size))
            if max_size is not None:
                before, self.commands.max_size = self.commands.max_size, max_size
                back = replace(back, max_size=None if before == max_size else before)
            return back, meant()

        def meant(_: object = None) -> list[Write]:
            writes = []
            if max_size is not None:
                writes.append(Write("resize", self.clock(), max_size=max_size))
            # Also what is not known here: it may be on the server.
            if written:
                writes.append(Write("take", self.clock(), entries=written))
            if removed:
                # The oldest first, since the server may not know the place of any.
                back_in = tuple(sorted(removed, key=recency))
                writes.append(Write("restore", self.clock(), entries=back_in, kept=back_in))
            return writes

        return self._change(
            lambda write_id: self.commands.revert(written, removed, max_size, write_id),
            offline,
            meant,
            len(written) + len(removed),
        )


def _undone_together(change: Change) -> list[tuple[Sequence[Entry], Sequence[Entry]]]:
    """Returns what each step of an undo takes out, and what it restores.

    What was replaced comes back in the step that takes its successor out: a server without room may refuse
    the next step.
    """
    # The newest first: where there is no room for all, none comes back only to be evicted later.
    removed = sorted(change.removed, key=lambda entry: -entry._recency)
    if len(change.written) + len(removed) <= BATCH:
        return [(change.written, removed)]
    replaced: dict[str, list[Entry]] = {entry.key: [] for entry in change.written}
    others: list[Entry] = []
    for entry in removed:
        replaced.get(entry.key, others).append(entry)
    together: list[tuple[Sequence[Entry], Sequence[Entry]]] = [
        (written, [old for entry in written for old in replaced.pop(entry.key, ())])
        for written in pages(change.written)
    ]
    return together + [((), restored) for restored in pages(others)]
