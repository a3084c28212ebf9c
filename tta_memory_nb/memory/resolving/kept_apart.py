"""Remembers which records a person wants to keep side by side, so that the doctor does not show them together again."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from hashlib import blake2b
from typing import TYPE_CHECKING

from ...entry import Unreadable, new_entry
from ...search.request import Search
from ...stores.base import Change, Clock, Store
from ...stores.plan import Plan
from ..companions import Companions, ask
from ..doctor.finding import Finding

if TYPE_CHECKING:
    from .case import Case

DECISIONS = "decisions"
"""Name of the companion that keeps them: keys and versions of records, and nothing of their values."""

_OF_NEAR = ("near-duplicates", "similar-meaning")
"""Checks that compare records, also where they leave it to a person whether these say the same."""


class KeptApart:
    """The decisions of one memory to keep records side by side.

    Args:
        store: of the memory.
        companions: of the memory.
        clock: gives Unix seconds.
    """

    def __init__(self, store: Store, companions: Companions, clock: Clock) -> None:
        self._store, self._companions, self._clock = store, companions, clock

    def note(self, cases: Sequence[Case]) -> Plan[Change]:
        """Remembers that the records of some cases all stay."""
        there = yield from self._companions.store_of(DECISIONS)
        now = self._clock()
        entries = [
            new_entry(
                blake2b(repr(sorted(case.keys)).encode(), digest_size=16).hexdigest(),
                {"versions": [[record.key, record.version] for record in case.records]},
                now,
                None,
            )
            for case in cases
        ]
        change: Change = yield from ask(there, there.put(entries))
        return change

    def take_back(self, change: Change) -> Plan[Change]:
        """Takes a change of the decisions back."""
        there = yield from self._companions.store_of(DECISIONS)
        return (yield from ask(there, there.revert(change)))

    def without(self, findings: Sequence[Finding]) -> Plan[list[Finding]]:
        """Returns the findings but for those about records that all stay, and have not been written since."""
        doubtful = [each for each in findings if _is_about_several(each)]
        unchanged = yield from self._unchanged({key for each in doubtful for key in each.keys})
        return [
            finding
            for finding in findings
            if not (
                _is_about_several(finding)
                and any(kept.issuperset(finding.keys) for kept in unchanged)
            )
        ]

    def mark(self, cases: Sequence[Case]) -> Plan[None]:
        """Notes in each case whether its records all stay, and have not been written since."""
        unchanged = yield from self._unchanged({key for case in cases for key in case.keys})
        for case in cases:
            case.kept_apart = any(kept.issuperset(case.keys) for kept in unchanged)

    def _unchanged(self, keys: AbstractSet[str]) -> Plan[list[set[str]]]:
        """Returns the keys of each decision about some of the given keys, if none of its records was written since."""
        if not keys:
            return []
        there = yield from self._companions.store_of(DECISIONS)
        hits = yield from ask(there, there.find(Search()))
        noted: list[dict[str, str]] = [
            dict(hit.entry.value()["versions"])
            for hit in hits
            if not isinstance(hit.entry, Unreadable)
        ]
        noted = [each for each in noted if not keys.isdisjoint(each)]
        if not noted:
            return []
        entries = yield from self._store.peek(
            list(dict.fromkeys(key for each in noted for key in each))
        )
        now = {entry.key: self._store.version(entry) for entry in entries}
        return [set(each) for each in noted if all(now.get(key) == each[key] for key in each)]


def _is_about_several(finding: Finding) -> bool:
    return len(finding.keys) > 1 and (
        finding.repair.action in ("delete", "merge") or finding.check in _OF_NEAR
    )
