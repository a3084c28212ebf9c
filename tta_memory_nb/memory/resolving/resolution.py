"""A resolution: cases with their decisions, to be looked at before they are carried out; and what was done."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...stores.base import Change
from .case import Case, Rule, check_rule

if TYPE_CHECKING:
    import pandas as pd


class Resolution(list[Case]):
    """Cases, with what was decided about each. Nothing is changed until ``carry_out``.

    Attributes:
        left_out: keys that are in several cases, of which the first counts; and keys of records that were gone or unreadable.
    """

    def __init__(self, cases: Iterable[Case] = (), left_out: Sequence[str] = ()) -> None:
        super().__init__(cases)
        self.left_out = tuple(left_out)

    def decide(self, rule: Rule, *, again: bool = False, into: str = "old") -> Resolution:
        """Decides by a rule all cases that nobody has decided about.

        Args:
            rule: ``"newest"``, ``"oldest"`` or ``"longest"`` keeps that record; ``"merge"`` makes one of all; ``"both"`` keeps all.
            again: also decide anew about the others.
            into: under the key of which record a merged one is kept: ``"old"``, ``"new"``, or a key that each of the cases has.

        Raises:
            InvalidArgument: there is no such rule, or a case has no record of the key.
        """
        check_rule(rule)
        for case in self:
            if again or case.decision is None:
                case.by(rule, into)
        return self

    @property
    def undecided(self) -> int:
        """How many cases nobody has decided about."""
        return sum(case.decision is None for case in self)

    @property
    def about(self) -> str:
        """What becomes of the records, in one line."""
        before = sum(len(case.records) for case in self)
        after = before - sum(len(case.dropped) for case in self)
        text = f"{_records(before)} in {len(self):,} case{'s' * (len(self) != 1)}"
        if before != after:
            text = f"{_records(before)} become {after:,}"
        if self.undecided:
            text += f"; {self.undecided:,} of {len(self):,} cases are undecided"
        if self.left_out:
            text += f"; {_records(len(self.left_out))} left out, which are in several cases or gone"
        return text

    @property
    def table(self) -> pd.DataFrame:
        """A table with a row for each case.

        The index is ``case``, counted from 0. The columns are ``decision``, ``change`` (from the oldest record to the newest, or to
        the merged one, word by word: ``[-gone-]{+came+}``), ``kept``, ``dropped`` and ``why``.
        """
        from ...frames import resolution_frame

        return resolution_frame(self)

    def __repr__(self) -> str:
        return f"Resolution({self.about})"

    def _repr_html_(self) -> str | None:
        """Returns the table for a notebook; all of it is escaped."""
        from ...frames import resolution_html

        return resolution_html(self)


@dataclass(frozen=True, slots=True)
class Resolved:
    """What `MemoryPrimitive.carry_out` has done.

    Attributes:
        cases: the cases that were decided about.
        before: how many records they had.
        after: how many are left.
        change: what was changed, for `SyncMemory.undo`; None if nothing was.
    """

    cases: tuple[Case, ...]
    before: int
    after: int
    change: Change | None

    @property
    def about(self) -> str:
        """What has become of the records, in one line."""
        if self.before == self.after:
            return f"{_records(self.before)} stay as they are"
        return f"{_records(self.before)} became {self.after:,}"

    def __repr__(self) -> str:
        return f"Resolved({self.about})"


def _records(count: int) -> str:
    return f"{count:,} record{'s' * (count != 1)}"
