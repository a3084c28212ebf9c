"""The versions of a record that a memory keeps: when each came to be, who made it, and what it changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

from ..authorship import Author
from ..entry import Entry
from ..record import MemoryRecord
from ..stores.history.changes import Event, KeptChanges
from ..times import shown_instant
from .compare import FieldChange, field_changes

if TYPE_CHECKING:
    import pandas as pd

Became: TypeAlias = Literal[
    "known", "added", "changed", "touched", "deleted", "evicted", "expired", "undone", "restored"
]
"""What has become of a record.

``"known"``: it is older than the changes that are kept. ``"touched"``: it expires at another instant. ``"undone"``: an undo has taken
it out. ``"restored"``: an undo has brought it back.
"""

_NOBODY = Author()


@dataclass(frozen=True, slots=True)
class RecordVersion:
    """A version of a record, or its end.

    Attributes:
        at: the instant of the change, in Unix seconds.
        what: what has become of the record.
        author: who made the change; its parts are None where that is unknown.
        record: the record since then; None if there was none.
    """

    at: float
    what: Became
    author: Author
    record: MemoryRecord | None
    _before: Entry | None = field(repr=False)
    _after: Entry | None = field(repr=False)

    @property
    def fields(self) -> list[FieldChange]:
        """The fields that differ from the version before, and the expiry if that differs; none where the record ended."""
        return [] if self._after is None else list(field_changes(self._before, self._after))


@dataclass(frozen=True, slots=True)
class RecordLog:
    """The versions of one record, the newest first.

    Attributes:
        key: of which record.
        versions: the versions, the newest first.
        since: from which instant on all changes are kept, in Unix seconds.
    """

    key: str
    versions: tuple[RecordVersion, ...]
    since: float

    def __len__(self) -> int:
        return len(self.versions)

    def __iter__(self) -> Iterator[RecordVersion]:
        return iter(self.versions)

    def __getitem__(self, number: int) -> RecordVersion:
        return self.versions[number]

    def __repr__(self) -> str:
        return f"RecordLog({self.key!r}, {self.about})"

    @property
    def about(self) -> str:
        """How many versions there are, and since when the memory keeps them, in one line."""
        count = len(self.versions)
        return f"{count:,} version{'s' * (count != 1)}; changes are kept since {shown_instant(self.since)}"

    @property
    def table(self) -> pd.DataFrame:
        """A table with a row for each field that a version has changed, and at least one for each version.

        The index is ``version``, a number that counts from 1. The columns are ``at`` (in UTC), ``what``, ``by``, ``field``, ``before`` and ``after``.
        """
        from ..frames import versions_frame

        return versions_frame(self.versions)

    def _repr_html_(self) -> str | None:
        """Returns the table for a notebook; all of it is escaped."""
        from ..frames import log_html

        return log_html(self)


def record_log(key: str, kept: KeptChanges, namespace: str) -> RecordLog:
    """Returns the log of a record, of the changes that are kept of it."""
    versions: list[RecordVersion] = []
    changes = kept.changes
    first = changes[0].before if changes else kept.now
    if first is not None:
        record = first.record(namespace)
        versions.append(RecordVersion(first.updated_at, "known", _NOBODY, record, None, first))
    # What a version is compared with: a record that comes back is compared with how it was.
    last = first
    afters = (*(change.before for change in changes[1:]), kept.now)
    for change, after in zip(changes, afters, strict=False):
        at = change.at
        if change.event == "expired" and change.before and change.before.expires_at is not None:
            at = change.before.expires_at  # it is taken out a little later
        became = None if after is None else after.record(namespace)
        what = _became(change.event, change.before)
        before = last if what == "restored" else change.before
        versions.append(RecordVersion(at, what, change.author, became, before, after))
        last = after or last
    return RecordLog(key, tuple(reversed(versions)), kept.since)


def _became(event: Event, before: Entry | None) -> Became:
    if event == "written":
        return "added" if before is None else "changed"
    return event
