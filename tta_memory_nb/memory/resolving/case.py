"""A case: records of which a person decides what becomes, and that decision."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

from ...codec import snapshot
from ...errors import InvalidArgument, brief
from ...record import MemoryRecord
from ..word_diff import FieldDiff, field_diffs

Decision: TypeAlias = Literal["keep", "both", "merge"]
"""What becomes of a case, of which one record stays, all stay, or all become one."""

Rule: TypeAlias = Literal["newest", "oldest", "longest", "merge", "both", "new", "old"]
"""How to decide many cases at once, by which record stays, or that they are merged, or all stay.

``"new"`` and ``"old"`` are the same as ``"newest"`` and ``"oldest"``, since a case is mostly a pair.
"""

RULES: tuple[Rule, ...] = ("newest", "oldest", "longest", "merge", "both")

MERGED_FROM = "merged_from"
"""The field of a merged record that lists the keys of the records it comes from."""


def check_rule(rule: object) -> None:
    """Makes sure that a rule is one.

    Raises:
        InvalidArgument: it is none.
    """
    # Compared one by one, because an argument that is no text may be unhashable.
    if not any(rule == name for name in (*RULES, "new", "old")):
        raise InvalidArgument.about("rule", rule, f"give one of {', '.join(map(repr, RULES))}")


class Case:
    """Two or more records that should perhaps be one, and what was decided about them.

    Attributes:
        records: the records as they were when the case was made, the one that was written longest ago first.
        why: what is the matter with them, in words; empty if a person has named them.
        decision: what becomes of them; None as long as nobody has decided.
        kept: key of the record that stays, or of the merged one; None without a decision and where all stay.
        merged: the value of the merged record; None unless they are merged.
        kept_apart: whether a person has decided before that the records stay side by side, and none has changed since.
    """

    __slots__ = ("decision", "kept", "kept_apart", "merged", "records", "why")

    def __init__(
        self, records: tuple[MemoryRecord, ...], why: str = "", *, kept_apart: bool = False
    ) -> None:
        self.records = records
        self.why = why
        self.kept_apart = kept_apart
        self.decision: Decision | None = None
        self.kept: str | None = None
        self.merged: dict[str, Any] | None = None

    def __repr__(self) -> str:
        return f"Case({', '.join(map(repr, self.keys))}: {self.decided})"

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of the records, in their order."""
        return tuple(record.key for record in self.records)

    @property
    def dropped(self) -> tuple[str, ...]:
        """The keys of the records that go."""
        if self.kept is None:
            return ()
        return tuple(key for key in self.keys if key != self.kept)

    @property
    def decided(self) -> str:
        """The decision in words."""
        if self.decision is None:
            return "undecided"
        if self.decision == "both":
            return "keep both" if len(self.records) == 2 else f"keep all {len(self.records):,}"
        return f"{self.decision} {'into ' if self.decision == 'merge' else ''}{brief(self.kept)}"

    @property
    def result(self) -> dict[str, Any] | None:
        """The value that the record which stays has then; None without a decision and where all stay."""
        if self.kept is None or self.merged is not None:
            return self.merged
        return self.records[self.keys.index(self.kept)].value

    def diffs(self, other: int = -1) -> list[FieldDiff]:
        """Returns the fields in which the first record differs from another one, word by word.

        Args:
            other: place of the other record among ``records``; the last one, which is the newest, if left out.
        """
        return field_diffs(self.records[0].value, self.records[other].value)

    # ---- decisions

    def keep(self, which: str) -> Case:
        """Decides that one record stays and the others go.

        Args:
            which: ``"old"``, ``"new"``, or the key of the record.

        Raises:
            InvalidArgument: it is none of these.
        """
        self.kept = self._record(which, "which").key
        self.decision, self.merged = "keep", None
        return self

    def keep_both(self) -> Case:
        """Decides that all records stay. The doctor does not show them together again, as long as none of them changes."""
        self.decision, self.kept, self.merged = "both", None, None
        return self

    def merge(
        self,
        fields: Mapping[str, str] | None = None,
        edits: Mapping[str, Any] | None = None,
        into: str = "old",
    ) -> Case:
        """Decides that the records become one, which lists in ``merged_from`` where it comes from.

        Args:
            fields: by name of a field, from which record its value is: ``"old"``, ``"new"``, or a key. A field that is not
                named comes from the newest record that has it.
            edits: by name of a field, a value to write in its place; None leaves the field out.
            into: under the key of which record: ``"old"``, ``"new"``, or a key.

        Raises:
            InvalidArgument: a field that the record does not have, or a record that is not in this case.
            NotStorable: a value that cannot be stored.
        """
        value: dict[str, Any] = {}
        for record in self.records:
            value |= record.value
        for name, which in (fields or {}).items():
            source = self._record(which, f"fields[{brief(name)}]")
            if name not in source.value:
                raise InvalidArgument(
                    f"fields[{brief(name)}]={brief(which)}: {brief(source.key)} has no such field; its fields are "
                    f"{', '.join(map(brief, source.value))}"
                )
            value[name] = source.value[name]
        for name, edit in (edits or {}).items():
            if edit is None:
                value.pop(name, None)
            else:
                value[name] = edit
        value[MERGED_FROM] = list(dict.fromkeys(self._origins()))
        snapshot(value, "edits")
        self.kept = self._record(into, "into").key
        self.decision, self.merged = "merge", value
        return self

    def undecide(self) -> Case:
        """Takes the decision back."""
        self.decision = self.kept = self.merged = None
        return self

    def by(self, rule: Rule, into: str = "old") -> Case:
        """Decides by a rule.

        Args:
            rule: as for `Resolution.decide`.
            into: under the key of which record a merged one is kept, as for `merge`; it counts for this rule alone.

        Raises:
            InvalidArgument: there is no such rule, or no such record.
        """
        check_rule(rule)
        if rule in ("newest", "new"):
            return self.keep("new")
        if rule in ("oldest", "old"):
            return self.keep("old")
        if rule == "longest":
            longest = max(self.records, key=lambda record: _length(record.value))
            return self.keep(longest.key)
        if rule == "merge":
            return self.merge(into=into)
        return self.keep_both()

    def _record(self, which: str, name: str) -> MemoryRecord:
        for record in self.records:
            if record.key == which:
                return record
        if which == "old":
            return self.records[0]
        if which == "new":
            return self.records[-1]
        raise InvalidArgument(
            f"{name}={brief(which)}: give 'old', 'new' or one of the keys {', '.join(map(brief, self.keys))}"
        )

    def _origins(self) -> list[str]:
        """Returns the keys of what the records come from: their own, and those of what they were merged from before."""
        origins: list[str] = []
        for record in self.records:
            earlier = record.value.get(MERGED_FROM)
            if isinstance(earlier, list):
                origins += [key for key in earlier if isinstance(key, str)]
            origins.append(record.key)
        return origins


def _length(value: Any) -> int:
    """Returns how many characters the texts of a value have."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        return sum(map(_length, value.values()))
    return sum(map(_length, value)) if isinstance(value, list) else 0
