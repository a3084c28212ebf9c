"""What the doctor says of a memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

Severity: TypeAlias = Literal["high", "medium", "low"]
"""How much harm a finding does if nobody acts.

``"high"``, an agent is steered or a secret leaks; ``"medium"``, answers get worse; ``"low"``, room is wasted.
"""

SEVERITIES: tuple[Severity, ...] = ("high", "medium", "low")

Action: TypeAlias = Literal["delete", "merge", "edit", "review"]
"""What a repair does, which is to delete records, make one of several, edit a text, or let a person look first."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """A place that a finding rests on.

    Attributes:
        key: key of the record.
        field: name of the field, as in a column of a table; empty for the record as a whole.
        excerpt: the text around the place, at most 160 characters, secrets in it masked.
        marks: start and end of the places within ``excerpt``.
        spans: start and end of the same places within the text of the field, in characters.
    """

    key: str
    field: str = ""
    excerpt: str = ""
    marks: tuple[tuple[int, int], ...] = ()
    spans: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Repair:
    """What the doctor proposes. It is never carried out by the doctor itself.

    Attributes:
        action: what to do.
        keys: the records that this would change or delete.
        text: the same in words.
    """

    action: Action
    keys: tuple[str, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with one record or with several.

    Attributes:
        check: name of the check that has found it, such as ``"near-duplicates"``.
        severity: how much harm it does.
        keys: the records that it is about; of duplicates, the one to keep comes first.
        text: what is wrong, in one sentence, without anything secret.
        evidence: the places that it rests on, at most five of them.
        counterpart: key of the record that the first one is compared with; None if there is none.
        score: how sure the check is, or how similar the records are, from 0 to 1; None where a check only
            knows yes and no.
        repair: what the doctor proposes.
    """

    check: str
    severity: Severity
    keys: tuple[str, ...]
    text: str
    evidence: tuple[Evidence, ...]
    repair: Repair
    counterpart: str | None = None
    score: float | None = None


class Diagnosis(list[Finding]):
    """The findings, the most harmful first, and what was looked at.

    Attributes:
        checks: names of the checks that were carried out.
        examined: how many records were looked at.
        at: when, in Unix seconds.
        skipped: the checks, or parts of them, that could not be carried out, and why.
    """

    def __init__(
        self,
        findings: Iterable[Finding] = (),
        *,
        checks: tuple[str, ...] = (),
        examined: int = 0,
        at: float = 0.0,
        skipped: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(findings)
        self.checks = checks
        self.examined = examined
        self.at = at
        self.skipped = dict(skipped or {})

    def counts(self) -> dict[str, int]:
        """Returns how many findings each check has, in the order of the findings; without those that have none."""
        return dict(Counter(finding.check for finding in self))

    def of(self, check: str) -> list[Finding]:
        """Returns the findings of one check."""
        return [finding for finding in self if finding.check == check]


@dataclass(frozen=True, slots=True)
class Spot:
    """A place in a text that a pattern has found, before it is shown.

    Attributes:
        what: what was found there, in words.
        span: start and end in the text.
        severity: how much harm it does.
        score: how sure the pattern is, from 0 to 1.
        is_private: whether the place is masked where the text is shown.
    """

    what: str
    span: tuple[int, int]
    severity: Severity = "high"
    score: float = 1.0
    is_private: bool = False
