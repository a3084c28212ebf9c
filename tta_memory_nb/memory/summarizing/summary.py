"""What a summary is as a record, and what summarizing has done, or would do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from ...entry import Entry, Unreadable
from ...errors import harmless
from ...stores.base import Change
from ...text import to_utf8

if TYPE_CHECKING:
    import pandas as pd

Originals: TypeAlias = Literal["keep", "expire", "delete"]
"""What becomes of the records that a summary comes from."""

SOURCES = "summary_of"
"""The field of a summary that lists the keys of the records it comes from."""


# Cheaper than to decode a value, which nearly always is none of a summary.
_MARK = b'"summary_of"'


def is_summary(value: Mapping[str, Any]) -> bool:
    """Returns whether the value of a record is that of a summary."""
    return value.get("type") == "summary" and isinstance(value.get(SOURCES), list)


def sources_of(entry: Entry) -> tuple[str, ...] | None:
    """Returns the keys that a summary comes from; None for a record that is no summary."""
    text = entry.text
    if isinstance(entry, Unreadable) or _MARK not in (
        to_utf8(text) if isinstance(text, str) else text
    ):
        return None
    value = entry.value()
    if not is_summary(value):
        return None
    return tuple(key for key in value[SOURCES] if isinstance(key, str))


@dataclass(frozen=True, slots=True)
class Looked:
    """A record that was looked at, and what becomes of it.

    Attributes:
        key: key of the record.
        outcome: ``"kept"``, ``"expires"`` or ``"deleted"``, or ``"left alone"`` for one that is not summarized.
        why: the reason, if it is left alone.
        bytes: of its value as JSON.
        tokens: of its line in a prompt, estimated.
        text: what it says, in one line.
    """

    key: str
    outcome: str
    why: str
    bytes: int
    tokens: int
    text: str


@dataclass(frozen=True, slots=True)
class Summary:
    """What `MemoryPrimitive.summarize` has done, or, in a dry run, would do; ``str(summary)`` is the text.

    Attributes:
        key: key of the summary; empty if there was nothing to summarize.
        text: of the summary.
        sources: keys of all records that it comes from, those of earlier times included.
        looked: the records that were looked at this time, the oldest first.
        was_there: whether it continues a summary that was there before.
        bytes_saved: by which the values of the memory get smaller, as JSON; negative if they grow.
        tokens_saved: by which a prompt with the summary is shorter than one with its records, estimated.
        change: what was written, for ``undo``; None if nothing was.
        dry_run: whether nothing was written because that was asked for.
    """

    key: str
    text: str
    sources: tuple[str, ...]
    looked: tuple[Looked, ...]
    was_there: bool
    bytes_saved: int
    tokens_saved: int
    change: Change | None
    dry_run: bool

    def __str__(self) -> str:
        return self.text

    def __bool__(self) -> bool:
        return bool(self.key)

    def __repr__(self) -> str:
        """Returns the figures, and the text, in which nothing steers a terminal."""
        lines = [f"Summary({self.key!r}, {self.about})", *map(harmless, self.text.split("\n"))]
        return "\n".join(lines if self.text else lines[:1])

    @property
    def folded(self) -> list[str]:
        """The keys of the records that were summarized this time, the oldest first."""
        return [each.key for each in self.looked if each.outcome != "left alone"]

    @property
    def about(self) -> str:
        """Tells in one line what was done, and how much it saves."""
        if not self.key:
            why = "is old enough" if self.looked else "passes the filters"
            return f"nothing to summarize: no record {why}"
        count = len(self.folded)
        into = "are added to" if self.was_there else "become"
        if count == 1:
            into = "is added to" if self.was_there else "becomes"
        parts = [f"{count:,} record{'s' * (count != 1)} {into} one summary"]
        if self.tokens_saved > 0:
            parts.append(f"about {self.tokens_saved:,} tokens less in a prompt")
        if self.bytes_saved > 0:
            parts.append(f"{self.bytes_saved:,} bytes less in the memory")
        elif self.bytes_saved < 0:
            parts.append(f"{-self.bytes_saved:,} bytes more in the memory")
        if self.dry_run:
            parts.append("nothing is written yet")
        return ", ".join(parts)

    @property
    def table(self) -> pd.DataFrame:
        """A table with a row for each record that was looked at, and what becomes of it.

        The index is ``key``. The columns are ``outcome``, ``why``, ``bytes``, ``tokens`` and ``text``.
        """
        from ...frames import looked_frame

        return looked_frame(self.looked)

    def _repr_html_(self) -> str:
        """Returns the text and the table for a notebook; all of it is escaped."""
        from ...frames import summary_html

        return summary_html(self)


def value_of_summary(
    text: str, sources: list[str], first: str, last: str, by: str
) -> dict[str, Any]:
    """Returns the value of a summary.

    Args:
        text: of the summary.
        sources: keys of the records that it comes from, the oldest first.
        first: the instant of the oldest of them.
        last: the instant of the newest.
        by: the name of the summarizer.
    """
    return {
        "type": "summary",
        "text": text,
        "first": first,
        "last": last,
        "summarizer": by,
        SOURCES: sources,
    }
