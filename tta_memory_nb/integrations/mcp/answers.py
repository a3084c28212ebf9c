"""What the tools answer: structures that clients get with a schema."""

from __future__ import annotations

import json
from typing import Any, Literal

from pydantic import BaseModel, Field

from ...entry import Entry
from ...search.request import Hit
from ...table import portable
from ...times import shown_instant

MOST_CHARACTERS = 20_000
"""From so many characters of JSON on, a value in a list is cut: the context of an agent has to hold it."""

_EXCERPT = 2_000


class Record(BaseModel):
    """A record."""

    key: str
    value: dict[str, Any] = Field(description="the JSON object; empty if it is cut")
    updated_at: str = Field(description="when it was written, as a date and time in UTC")
    expires_at: str | None = Field(default=None, description="when it ceases to exist")
    score: float | None = Field(
        default=None, description="how well it answers the search; higher is better"
    )
    cut: str | None = Field(
        default=None,
        description="the first characters of a value that is too long for a list; get gives the whole",
    )


class Records(BaseModel):
    """Records, and what to know about them."""

    records: list[Record]
    total: int | None = Field(default=None, description="how many there are in all")
    next_offset: int | None = Field(
        default=None, description="where the next page begins; null for none"
    )
    note: str | None = Field(default=None, description="what else to know about this answer")


class Found(BaseModel):
    """One record."""

    record: Record
    note: str | None = None


class Written(BaseModel):
    """What was written or deleted."""

    key: str
    what: Literal["added", "replaced", "deleted"]
    note: str | None = None


class Proposed(BaseModel):
    """A proposal, about which a person decides."""

    id: str
    key: str
    action: Literal["add", "delete"]
    status: Literal["pending"]
    note: str | None = None


def record_of(found: Entry | Hit, *, whole: bool = False) -> Record:
    """Returns a record as the tools give it.

    Args:
        found: the entry, or the hit of a search.
        whole: whether a long value is given in full.
    """
    entry = found.entry if isinstance(found, Hit) else found
    value = portable(entry.value())
    cut = None
    if not whole and entry.size > MOST_CHARACTERS:
        cut, value = json.dumps(value, ensure_ascii=False)[:_EXCERPT], {}
    return Record(
        key=portable(entry.key),
        value=value,
        updated_at=shown_instant(entry.updated_at),
        expires_at=None if entry.expires_at is None else shown_instant(entry.expires_at),
        score=round(found.score, 4) if isinstance(found, Hit) else None,
        cut=cut,
    )
