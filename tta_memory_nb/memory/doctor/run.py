"""Carries the checks out in slices, so that a person can stop them and an event loop goes on meanwhile."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from time import monotonic
from typing import TYPE_CHECKING

from ...entry import Entry, Unreadable
from ...errors import EmbedderError, MissingPackage
from ...stores.plan import Call, Plan
from ..meaning import Bar
from .checks import Check, Chosen
from .examined import PAUSE, Examined, Record
from .finding import SEVERITIES, Diagnosis, Finding

if TYPE_CHECKING:
    from ...stores.base import Store
    from ..meaning import Meanings
    from ..tracing.trace import Reads

_SLICE = 0.05
"""Seconds of work after which other tasks run, and an interrupt or a cancellation is noticed."""

_PREPARING = 3.0
_MOST_VECTORS = 20_000


def diagnose(
    store: Store,
    meanings: Meanings,
    entries: Sequence[Entry],
    wanted: Chosen,
    now: float,
    bar: Bar,
    reads: Reads | None = None,
) -> Plan[Diagnosis]:
    """Returns what the checks find in some entries.

    Args:
        store: where the entries are from; it is asked for vectors that other clients have made.
        meanings: the embedder of the memory.
        entries: what to look at. Entries never change, so the run sees them as they were when it began.
        wanted: the checks and their parameters.
        now: Unix seconds.
        bar: shows how far it is.
        reads: what a trace knows of reads and searches; None without one.

    Raises:
        MissingPackage: a check that the user has named needs a package that is not installed.
    """
    for check in wanted.checks:
        yield Call(check.get_ready)
    with bar:
        bar.expect(len(entries))
        work = _Work(entries, wanted, now, bar)
        work.examined.reads = reads
        while not (yield Call(work.prepare)):
            pass
        yield from _embed(store, meanings, work, wanted)
        while not (yield Call(work.check)):
            pass
        bar.advance(len(entries) - bar.done)
        return work.diagnosis()


def _embed(store: Store, meanings: Meanings, work: _Work, wanted: Chosen) -> Plan[None]:
    """Has the main texts embedded if a check compares vectors.

    Without being asked for, this is done only where the memory has vectors already, and in memories that are small
    enough for each pair to be compared.
    """
    name = "similar-meaning"
    if name not in [check.name for check in wanted.checks]:
        return
    examined = work.examined
    if not wanted.are_named:
        if not meanings.about()["vectors"]:
            examined.skipped[name] = (
                "this memory has no vectors yet; name the check to have them made"
            )
            return
        if len(examined.records) > _MOST_VECTORS:
            examined.skipped[name] = (
                f"more than {_MOST_VECTORS:,} records; name the check to compare them all the same"
            )
            return
    try:
        examined.vectors = yield from meanings.vectors_of(
            store, [record.main for record in examined.records]
        )
    except (EmbedderError, MissingPackage) as error:
        if wanted.are_named:
            raise
        examined.skipped[name] = str(error)


class _Work:
    """The work of a run, of which each call does a slice.

    Attributes:
        examined: the records, once `prepare` is done.
    """

    def __init__(self, entries: Sequence[Entry], wanted: Chosen, now: float, bar: Bar) -> None:
        self._wanted = wanted
        self._bar = bar
        self._count = len(entries)
        self._found: list[Finding] = []
        self._total = _PREPARING + sum(check.cost for check in wanted.checks)
        self._done = 0.0
        records: list[Record] = []
        unreadable: list[Unreadable] = []
        self.examined = Examined(records, unreadable, now)
        self._preparing = self._prepared(entries, records, unreadable)
        self._checking = self._checked()

    def prepare(self) -> bool:
        """Takes records apart, for a slice of time; returns whether that is done."""
        return self._go_on(self._preparing)

    def check(self) -> bool:
        """Carries checks out, for a slice of time; returns whether that is done."""
        return self._go_on(self._checking)

    def diagnosis(self) -> Diagnosis:
        """Returns the findings, the most harmful first, and of equal ones the most urgent check."""
        order = {check.name: place for place, check in enumerate(self._wanted.checks)}
        self._found.sort(key=lambda each: (SEVERITIES.index(each.severity), order[each.check]))
        return Diagnosis(
            self._found,
            checks=tuple(order),
            examined=self._count,
            at=self.examined.now,
            skipped=self.examined.skipped,
        )

    def _go_on(self, steps: Iterator[float]) -> bool:
        until = monotonic() + _SLICE
        for done in steps:
            self._done = max(self._done, done)
            if monotonic() >= until:
                break
        else:
            return True
        self._bar.advance(int(self._count * min(1.0, self._done / self._total)) - self._bar.done)
        return False

    def _prepared(
        self, entries: Iterable[Entry], records: list[Record], unreadable: list[Unreadable]
    ) -> Iterator[float]:
        for number, entry in enumerate(entries):
            if isinstance(entry, Unreadable):
                unreadable.append(entry)
            else:
                records.append(Record(entry))
            if number % PAUSE == 0:
                yield _PREPARING * number / self._count
        records.sort(key=lambda record: (record.created, record.key))

    def _checked(self) -> Iterator[float]:
        done = _PREPARING
        # A check goes over the records once or a few times, and pauses as often as that takes.
        pauses = max(1, 2 * self._count // PAUSE)
        for check in self._wanted.checks:
            for number, found in enumerate(self._steps(check)):
                if found is None:
                    yield done + check.cost * (1 - pauses / (pauses + number))
                else:
                    self._found.append(found)
                    if len(self._found) % PAUSE == 0:
                        yield done
            done += check.cost
            yield done

    def _steps(self, check: Check) -> Iterator[Finding | None]:
        values = {name: self._wanted.parameters[name] for name in check.parameters}
        try:
            yield from check.function()(self.examined, **values)
        except MissingPackage as error:
            if self._wanted.are_named:
                raise
            self.examined.skipped[check.name] = str(error)
