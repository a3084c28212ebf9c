"""What the doctor says of the memory that is shown: a list beside the table, of which a click shows the records."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ...memory.doctor.checks import CHECKS
from ...memory.doctor.finding import SEVERITIES, Diagnosis, Finding
from ...table import portable
from .cells import sendable
from .listing import Superseded
from .pairs import is_decidable

MOST_ITEMS = 100
"""How many findings of one check are listed one by one."""

_MOST_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class Examination:
    """A diagnosis as the explorer shows it; no two are equal, so that a change is noticed.

    Attributes:
        diagnosis: what was found.
    """

    diagnosis: Diagnosis

    def keys_of(self, chosen: str) -> tuple[str, ...] | None:
        """Returns the keys of the records of a check, or of one finding of it; None if nothing is chosen.

        Args:
            chosen: the name of a check, or ``name/number`` for one of its findings, counted from 0.
        """
        if not chosen:
            return None
        return tuple(dict.fromkeys(key for found in self._chosen(chosen) for key in found.keys))

    def decidable(self, chosen: str) -> list[Finding]:
        """Returns the findings about records that should perhaps be one.

        Args:
            chosen: as for `keys_of`; empty for all.
        """
        return list(filter(is_decidable, self._chosen(chosen) if chosen else self.diagnosis))

    def _chosen(self, chosen: str) -> list[Finding]:
        name, _, number = chosen.partition("/")
        of_check = self.diagnosis.of(name)
        if not number:
            return of_check
        return of_check[int(number) : int(number) + 1] if number.isdecimal() else []

    def describe(self, chosen: str) -> dict[str, Any]:
        """Returns the list as it is sent to the front end.

        Args:
            chosen: as for `keys_of`.
        """
        name = chosen.partition("/")[0]
        return {
            "checks": [self._check(each) for each in self.diagnosis.counts()],
            "items": [
                {"finding": f"{name}/{number}", **_item(found)}
                for number, found in enumerate(self.diagnosis.of(name)[:MOST_ITEMS])
            ],
            "examined": self.diagnosis.examined,
            "skipped": [
                f"{check}: {sendable(why)[:_MOST_CHARACTERS]}"
                for check, why in self.diagnosis.skipped.items()
            ],
        }

    def _check(self, name: str) -> dict[str, Any]:
        findings = self.diagnosis.of(name)
        return {
            "finding": name,
            "about": CHECKS[name].about,
            "severity": min((each.severity for each in findings), key=SEVERITIES.index),
            "count": len(findings),
            "decidable": any(map(is_decidable, findings)),
            "records": len({key for each in findings for key in each.keys}),
        }


def _item(found: Finding) -> dict[str, Any]:
    shown = next((each.excerpt for each in found.evidence if each.excerpt), found.keys[0])
    return {
        "text": sendable(found.text)[:_MOST_CHARACTERS],
        "shown": portable(shown)[:_MOST_CHARACTERS],
        "severity": found.severity,
        "records": len(found.keys),
    }


class Progressing:
    """Shows in the views how far an examination is, and stops it when the user cancels it.

    Args:
        tell: sends a message to the views.

    Attributes:
        is_cancelled: whether the user has cancelled it.
    """

    def __init__(self, tell: Any) -> None:
        self._tell = tell
        self.is_cancelled = False

    def __call__(self, items: Iterable[Any], total: int | None, what: str) -> Iterator[Any]:
        """Yields the items, as a progress bar does.

        Raises:
            Superseded: the user has cancelled the examination.
        """
        shown = -1
        for done, item in enumerate(items):
            if self.is_cancelled:
                raise Superseded
            share = 100 * done // max(1, total or 1)
            if share != shown:
                shown = share
                self._tell({"kind": "progress", "what": what, "done": done, "total": total})
            yield item
