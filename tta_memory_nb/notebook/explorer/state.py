"""What a view shows, as it is sent to the front end."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, TypeAlias, cast

from ...filters import FilterArgs
from ...memory.faces import MemoryPrimitive
from ...memory.resolving.case import Case
from ...search.indexes import INDEXES
from ...search.request import SearchMode
from ...table import portable
from ...times import counted_back, shown_instant, span
from .cells import (
    ABOUT,
    KEY,
    MATCHES,
    NO_FIELDS,
    SCORE,
    Column,
    Fields,
    Rows,
    column_called,
    sendable,
)
from .code import finding_call, search_call
from .decisions import Decisions
from .findings import Examination
from .headings import Headings
from .listing import Listing
from .pairs import counts_of, describe
from .review import NO_REVIEW, Review
from .versions import Versions

MODES: tuple[str, ...] = tuple(INDEXES)

CHARTS = ("timeline", "distributions")
"""The views that draw the records."""

PROPOSALS = "proposals"
"""The view that lists what agents have proposed."""

RESOLVE = "resolve"
"""The view in which a person decides about records that should perhaps be one."""

Window: TypeAlias = tuple[int, int]
"""The number of the first row of a page, from 0, and the number after its last row."""

State: TypeAlias = dict[str, Any]

FILTERS: tuple[str, ...] = tuple(FilterArgs.__annotations__)

# Which end of the span that an instant stands for is the limit.
_ENDS = {"since": 0, "until": 1}

_MOST_SHOWN = 300
"""How many characters of a condition are shown."""


@dataclass(frozen=True, slots=True)
class Found:
    """What an explorer knows of its memory at one moment.

    Attributes:
        memory: the memory that is shown.
        versions: the versions of its records seen so far.
        listing: the records that are listed; None before the first listing.
        fields: the fields of these records.
        is_loading: whether more rows are being listed.
        facets: what the filter menus offer; None until it is counted.
        charts: the data of the charts; None until they are needed.
        headings: what the header shows of some columns.
        summarized: the listing that ``headings`` were made of; None if there is none.
        examination: what the doctor has found; None until the records were examined.
        review: what agents have proposed, as far as that was looked up.
        compared: cases that a person has chosen, which are shown in place of those of the findings.
        decisions: records that should perhaps be one, and what is planned about them, as far as that was looked up.
    """

    memory: MemoryPrimitive
    versions: Versions
    listing: Listing | None = None
    fields: Fields = NO_FIELDS
    is_loading: bool = False
    facets: dict[str, Any] | None = None
    charts: dict[str, Any] | None = None
    headings: Headings = field(default_factory=dict)
    summarized: Listing | None = None
    examination: Examination | None = None
    review: Review = NO_REVIEW
    compared: tuple[Case, ...] = ()
    decisions: Decisions = field(default_factory=Decisions)

    def columns(self, chosen: Sequence[str] | None) -> list[Column]:
        """The columns that are shown, without the key's.

        Args:
            chosen: as for `Fields.shown`.
        """
        known = (*self.fields.columns, *ABOUT)
        return [column_called(name, known) for name in self.fields.shown(chosen)]


@dataclass(frozen=True, slots=True)
class ExplorerState:
    """The state of an explorer at one moment, from which each view's window is made.

    It is a copy that nothing changes, so that views can make their rows at the same time and
    without a lock.

    Attributes:
        found: what is known of the memory.
        query, mode, filters, sort_by, descending, columns, selected, view, finding, live, read_only: the
            traits of these names.
        status: the state of the memory and of its server, as it is shown.
        namespace: the name that the memory is shown under.
        namespaces: the names of all memories that the explorer offers.
        undoable: the newest change that can be undone, as a verb; None if there is none.
        now: Unix seconds.
    """

    found: Found
    query: str
    mode: str
    filters: Mapping[str, Any]
    sort_by: str
    descending: bool
    columns: Sequence[str] | None
    selected: Sequence[str]
    view: str
    finding: str
    live: bool
    read_only: bool
    status: Mapping[str, Any]
    namespace: str
    namespaces: Sequence[str]
    undoable: str | None
    now: float

    def is_as(self, other: ExplorerState) -> bool:
        """Whether another look at the same explorer has seen the same, at whatever time."""
        return (
            self.found is other.found
            and self.filters is other.filters
            and all(getattr(self, name) == getattr(other, name) for name in _COMPARED)
        )

    def place_of(self, key: str) -> int | None:
        """The row number of a key, counted from 0; None if the key is not listed."""
        listing = self.found.listing
        return None if listing is None else listing.place_of(key)

    def describe(self, window: Window) -> State:
        """The state as JSON, with the rows of one window."""
        found, listing = self.found, self.found.listing
        columns = self._columns()
        start, stop = window
        chosen = set(self.selected)
        entries = [] if listing is None else listing.entries[start:stop]
        ranking = None if listing is None else listing.ranking
        rows = Rows([column for column, shown in columns if shown], self.query, ranking)
        return {
            "query": self.query,
            "mode": self.mode,
            "modes": list(MODES),
            "filters": {name: _shown_filter(name, self.filters.get(name)) for name in FILTERS},
            "sort": {"by": self.sort_by, "descending": self.descending},
            "view": self.view,
            "live": self.live,
            "read_only": self.read_only,
            "namespace": self.namespace,
            "namespaces": list(self.namespaces),
            "columns": [
                {
                    "name": portable(column.name),
                    "title": sendable(column.name),
                    "kind": column.kind,
                    "sortable": column not in (MATCHES, SCORE),
                    "shown": shown,
                }
                for column, shown in [(KEY, True), *columns]
            ],
            "more_fields": found.fields.more,
            "automatic": self.columns is None,
            "total": 0 if listing is None else listing.total,
            "loading": listing is None or found.is_loading,
            "understood": [] if ranking is None else ranking.understood(),
            "start": start,
            "rows": [rows.row(entry, selected=entry.key in chosen) for entry in entries],
            "selected": len(self.selected),
            "status": self.status,
            "facets": found.facets,
            "charts": found.charts if self.view in CHARTS else None,
            "headings": {
                portable(column.name): heading
                for column, shown in columns
                if shown and (heading := found.headings.get(column.name)) is not None
            },
            "findings": None
            if found.examination is None
            else found.examination.describe(self.finding),
            "finding": self.finding,
            "proposals": found.review.describe(whole=self.view == PROPOSALS),
            "cases": self._cases(),
            "code": self._code(),
            "undoable": self.undoable,
        }

    def _cases(self) -> dict[str, Any]:
        """The findings that can be decided about, by check, and the case in view while they are in sight."""
        examination = self.found.examination
        checks = {} if examination is None else counts_of(examination.diagnosis)
        return {
            "checks": list(checks.items()),
            "compared": len(self.found.compared),
            "list": describe(self.found.decisions)
            if self.view == RESOLVE and (examination is not None or self.found.compared)
            else None,
        }

    def _code(self) -> str:
        """The Python call that finds what is shown."""
        examination = self.found.examination
        keys = None if examination is None else examination.keys_of(self.finding)
        if keys is None:
            return search_call(self.query, cast("SearchMode", self.mode), self.filters)
        return finding_call(self.finding.partition("/")[0], keys)

    def _columns(self) -> list[tuple[Column, bool]]:
        """All columns but the key's, each with whether it is shown; shown ones first, in order."""
        fields, listing = self.found.fields, self.found.listing
        shown = fields.shown(self.columns)
        found = [MATCHES] if self.query else []
        if listing is not None and listing.ranking is not None:
            found.append(SCORE)
            if self.columns is None:
                shown.insert(1, SCORE.name)
        known = (*found, *fields.columns, *ABOUT)
        inside = [column_called(name, known) for name in shown]
        return [
            *((column, True) for column in inside),
            *((column, False) for column in known if column.name not in shown),
        ]


_COMPARED = {each.name for each in fields(ExplorerState)} - {"found", "filters", "now"}


def _shown_filter(name: str, value: Any) -> Any:
    """A filter as a view shows it. A view cannot hold every value, and does not send this back."""
    if value is None:
        return None
    if name == "where":
        shown = json.dumps(value, ensure_ascii=False, default=str)
        return sendable(shown if len(shown) <= _MOST_SHOWN else f"{shown[:_MOST_SHOWN]}…")
    if name not in _ENDS:
        return portable(value)
    back = counted_back(value)
    # An instant that moves is not worked out here: the state of an explorer at rest stays the same.
    at = None if back is not None else span(value, 0.0, name)[_ENDS[name]]
    text = str(value) if back is not None else shown_instant(at or 0.0)
    return {"text": text, "at": at, "back": back}


def status_of(memory: MemoryPrimitive) -> dict[str, Any]:
    """The state of a memory and of its server, as it is sent to the front end."""
    about = memory.get_backend_info()
    outage = memory.outage()
    return {
        "backend": about["backend"],
        "server": about.get("redis_url"),
        "path": sendable(about["path"]) if "path" in about else None,
        "namespace": sendable(about["namespace"]),
        "size": about["size"],
        "capacity": about["max_size"],
        "evictions": about["evictions"],
        "as_of": getattr(memory.store, "instant", None),
        "degraded": outage
        and {
            "since": outage["degraded_since"],
            "because": outage["degraded_because"],
            "waiting": outage["writes_waiting"],
        },
    }
