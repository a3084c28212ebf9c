"""The verbs of a store on a server that write records."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import chain

from ...entry import Entry
from ...errors import StoreUnavailable
from ..base import Change
from ..expecting import Expected
from ..plan import Plan
from .operations import Write, batches, pages
from .wire import Prepared
from .wiring import Wiring, acknowledged

# A record of more bytes may be larger than the server takes. Servers allow at least as much.
_LARGE = 1 << 16


class Writing(Wiring):
    """Adds, replaces and touches records, on the server or in an outage in this process.

    In each verb, ``offline`` does the work in this process, and ``meant`` says what is to reach the
    server later; see `Routing.change`. ``compared`` is the list of tombstones that the caller has compared the entries with:
    the server refuses them if there is another one, also if this process learns of it before they are sent.
    """

    @acknowledged
    def write(self, entry: Entry) -> Plan[None]:
        """Writes one entry in a way that cannot be taken back."""

        def meant(_: None = None) -> list[Write]:
            return [Write.setting((entry,), self.clock())]

        def offline() -> tuple[None, list[Write]]:
            writes = meant()
            self._offline.put((entry,))
            return None, writes

        compared = self.commands.tombstones
        ask = self.commands.set_large if len(entry.text) > _LARGE else self.commands.set
        return self._change(lambda write_id: ask(entry, write_id, compared), offline, meant, 1)

    @acknowledged
    def put(self, entries: Iterable[Entry]) -> Plan[Change]:
        """Writes entries in order, evicting the least recently used above `max_size`."""
        done = yield from self._put_batches(entries, for_good=False)
        change = self._joined(done)
        if len(done) > 1 and change.removed:
            # What one batch wrote and another one replaced or evicted was not there before.
            own = {(entry.key, entry._write_seq) for entry in change.written}
            there = [
                [entry for entry in part if (entry.key, entry._write_seq) not in own]
                for each in done
                for part in _replaced_and_evicted(each)
            ]
            removed = tuple(chain.from_iterable(there))
            change = replace(change, removed=removed, evicted=sum(map(len, there[1::2])))
        return change

    @acknowledged
    def put_for_good(self, entries: Iterable[Entry]) -> Plan[None]:
        """Writes entries, as `put` does, in a way that cannot be taken back."""
        yield from self._put_batches(entries, for_good=True)

    def _put_batches(self, entries: Iterable[Entry], *, for_good: bool) -> Plan[list[Change]]:
        compared = self.commands.tombstones
        todo = ((batch, self.commands.prepare(batch)) for batch in batches(entries))
        done: list[Change] = []
        finish: list[Callable[[], Change]] = []
        following = next(todo, None)
        while following is not None:
            ahead: list[tuple[list[Entry], Prepared] | None] = []

            def work(ahead: list[tuple[list[Entry], Prepared] | None] = ahead) -> None:
                # While the server is at this batch: finishes the one before, and prepares the one
                # after. Once, however often the batch is sent.
                done.extend(finish.pop()() for _ in list(finish))
                if not ahead:
                    ahead.append(next(todo, None))

            finish.append((yield from self._put_batch(*following, compared, work, for_good)))
            [following] = ahead
        done.extend(finish.pop()() for _ in list(finish))
        return done

    def _put_batch(
        self,
        entries: Sequence[Entry],
        prepared: Prepared,
        compared: str,
        work: Callable[[], None],
        for_good: bool,
    ) -> Plan[Callable[[], Change]]:
        def ask(write_id: int) -> Plan[Callable[[], Change]]:
            try:
                return (
                    yield from self.commands.put(
                        entries,
                        write_id,
                        compared,
                        for_good=for_good,
                        prepared=prepared,
                        work=work,
                    )
                )
            finally:
                work()  # whatever has happened, before anything else is made of it

        def meant(_: object = None) -> list[Write]:
            return [Write.setting(entries, self.clock())]

        def offline() -> tuple[Callable[[], Change], list[Write]]:
            work()
            writes = meant()
            change = self._offline.put(entries)
            return lambda: change, writes

        return self._change(ask, offline, meant, len(entries))

    @acknowledged
    def apply(
        self, entries: Sequence[Entry], deletes: Sequence[str], expect: Expected
    ) -> Plan[Change]:
        """Deletes and writes records in one step, if others are as expected.

        In an outage nobody can tell what other clients have written, so nothing can be expected then.
        """
        size, compared = len(entries) + len(deletes), self.commands.tombstones
        if not size and not expect:
            return Change(origin=self)

        def meant(_: object = None) -> list[Write]:
            if not size:
                return []
            write = Write.setting(entries, self.clock())
            return [replace(write, kind="apply", keys=tuple(deletes))]

        def offline() -> tuple[Change, list[Write]]:
            writes = meant()
            return self._offline.apply(entries, deletes), writes

        try:
            change = yield from self._change(
                lambda write_id: self.commands.apply(entries, deletes, expect, write_id, compared),
                None if expect else offline,
                meant,
                size,
            )
        except StoreUnavailable as error:
            if not expect:
                raise
            raise StoreUnavailable(
                f"{error}; only the server can tell whether other clients have changed these records, so nothing was "
                "written, unless the server has gone away in the middle of this call: try again when it is back"
            ) from None
        return replace(change, origin=self)

    @acknowledged
    def touch(self, keys: Sequence[str], ttl: float | None) -> Plan[int]:
        """Has records expire later, and makes them the newest in order."""
        count = 0
        for batch in pages(keys):
            count += yield from self._touch_batch(batch, ttl)
        return count

    def _touch_batch(self, keys: Sequence[str], ttl: float | None) -> Plan[int]:
        def meant(_: object = None) -> list[Write]:
            return [Write("touch", self.clock(), keys=tuple(keys), ttl=ttl)]

        def offline() -> tuple[int, list[Write]]:
            writes = meant()
            return self._records.touch(keys, ttl), writes

        return self._change(
            lambda write_id: self.commands.touch(keys, ttl, write_id), offline, meant, len(keys)
        )

    @acknowledged
    def append(self, owner: str, entries: Sequence[Entry]) -> Plan[list[str]]:
        """Writes entries in one step, under keys with numbers of the server, in an outage with numbers of this process."""
        is_numbered, compared = False, self.commands.tombstones

        def meant(_: object = None) -> list[Write]:
            return [Write.setting(entries, self.clock())]

        def offline() -> tuple[list[str], list[Write]]:
            nonlocal is_numbered
            records = self._records
            with records.lock:
                if not is_numbered:  # an interrupt has this done again, under the same keys
                    records.last_number = max(records.last_number, self.commands.seen)
                    suffix = f"-{self.commands.write_ids.client[:8].decode()}"
                    records.number(owner, entries, self.clock(), suffix)
                    is_numbered = True
                writes = [replace(each, kind="append") for each in meant()]
                self._offline.put(entries)
            return [entry.key for entry in entries], writes

        return self._change(
            lambda write_id: self.commands.append(owner, entries, write_id, compared),
            offline,
            meant,
            len(entries),
        )


def _replaced_and_evicted(change: Change) -> tuple[Sequence[Entry], Sequence[Entry]]:
    """Returns what a write has removed; the evicted come last."""
    split = len(change.removed) - change.evicted
    return change.removed[:split], change.removed[split:]
