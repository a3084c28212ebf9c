"""Looks up the records that should perhaps be one, and keeps what is planned about them."""

from __future__ import annotations

from collections.abc import Callable
from threading import RLock
from typing import TYPE_CHECKING

from ...memory.faces import MemoryPrimitive
from ...memory.resolving.case import Case
from ...memory.resolving.resolution import Resolution
from .decisions import Decisions
from .traits import ExplorerTraits

if TYPE_CHECKING:
    from .lister import Lister


class Cases:
    """The cases that an explorer shows one by one: of the doctor's findings, or such that a person has chosen.

    Any thread may call it.

    Args:
        lister: knows the memory, and what the doctor has found.
        traits: which findings are chosen.
    """

    def __init__(self, lister: Lister, traits: ExplorerTraits) -> None:
        self._lister = lister
        self._traits = traits
        self._lock = RLock()  # held for moments only
        # Held while records are looked up, so that no look overwrites what a later one has seen.
        self._looking = RLock()

    def compare(self, cases: tuple[Case, ...]) -> None:
        """Shows some cases in place of those of the findings."""
        self._lister.update(self._lister.memory, compared=cases)
        self.change(lambda decisions: decisions.ask_about(cases).go(0))
        self.find()

    def stop_comparing(self) -> bool:
        """Has the next look show the cases of the findings again; returns whether others were shown."""
        was_comparing = bool(self._lister.found.compared)
        if was_comparing:
            self._lister.update(self._lister.memory, compared=())
            self.change(lambda decisions: decisions.ask_about(()))
        return was_comparing

    def find(self) -> bool:
        """Looks up the records of the cases: of those to compare, or else of the findings that are chosen.

        Returns:
            Whether anything has changed: a record, or what was decided about several, here or elsewhere.
        """
        with self._looking:
            found = self._lister.found
            memory, examination = found.memory, found.examination
            cases = Resolution()
            if found.compared:
                cases = memory.sync.resolve(found.compared)
            elif examination is not None:
                cases = memory.sync.resolve(examination.decidable(self._traits.finding))
            after = self.change(lambda decisions: decisions.with_cases(cases), memory)
            return after is not found.decisions

    def change(
        self, change: Callable[[Decisions], Decisions], memory: MemoryPrimitive | None = None
    ) -> Decisions:
        """Changes what is planned, and returns it.

        Args:
            change: makes the new decisions of those before; must not wait for anything.
            memory: whose records they are, or else of the memory that is shown.
        """
        with self._lock:
            before = self._lister.found.decisions
            decisions = change(before)
            if decisions is not before:
                self._lister.update(memory or self._lister.memory, decisions=decisions)
            return decisions
