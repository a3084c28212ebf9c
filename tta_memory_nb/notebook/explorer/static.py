"""The page that is left where no kernel answers: GitHub, nbviewer, exported HTML, reopened notebooks.

A saved widget is an address of something that is no more. So an explorer puts a plain table beside
itself: hidden while the explorer is alive, shown by everything that cannot run it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import cached_property
from html import escape
from itertools import islice
from typing import Any

from ...frames import frame_html, records_frame
from ...record import MemoryRecord
from .cells import MOST_CHARACTERS, sendable

CLASS = "tta-explorer-static"

_MOST_ROWS = 30
_MOST_FIELDS = 12

# JupyterLab and Notebook 7 put each output into a child of its own: this one hides while its
# neighbour shows an explorer, and hides what its neighbour says about a lost one.
_STYLE = f"""<style>
.jp-OutputArea-child:has(.tta-explorer.tta-live) + .jp-OutputArea-child:has(.{CLASS}) {{ display: none; }}
.jp-OutputArea-child:not(:has(.tta-explorer.tta-live)):has(+ .jp-OutputArea-child .{CLASS}) {{ display: none; }}
.{CLASS} {{ overflow-x: auto; }}
.{CLASS} p {{ margin: 0.3em 0; opacity: 0.8; }}
</style>"""


class StaticPage:
    """A table of the rows on a page, as text and as HTML.

    Args:
        records: of the page, in its order.
        start: the number of the first one, from 0.
        total: how many records answer.
        query: what was searched for.
        namespace: whose records they are.
    """

    def __init__(
        self,
        records: Iterable[MemoryRecord],
        start: int,
        total: int,
        query: str,
        namespace: str,
    ) -> None:
        self._records = [_shortened(record) for record in islice(records, _MOST_ROWS)]
        self._start = start
        self._total = total
        self._query = query
        self._namespace = namespace

    def __repr__(self) -> str:
        return self._told()

    def _told(self) -> str:
        shown = len(self._records)
        rows = f"{self._start + 1:,}-{self._start + shown:,} of " if shown < self._total else ""
        what = f" matching {sendable(self._query)[:MOST_CHARACTERS]!r}" if self._query else ""
        noun = "record" if self._total == 1 else "records"
        return f"{rows}{self._total:,} {noun}{what} in namespace {sendable(self._namespace)!r}"

    def _repr_html_(self) -> str:
        return self.html

    @cached_property
    def html(self) -> str:
        """The table, made once however often it is shown and compared."""
        frame = records_frame(self._records)
        frame = frame.drop(columns=["user", "session", "created"]).iloc[:, : 2 + _MOST_FIELDS]
        return (
            f'<div class="{CLASS}">{_STYLE}<p>{escape(self._told())}</p>{frame_html(frame)}</div>'
        )


def _shortened(record: MemoryRecord) -> MemoryRecord:
    """The record without what would make a page of megabytes."""
    return replace(record, key=_cut(record.key), value=_shorter(record.value))


def _shorter(value: dict[str, Any]) -> dict[str, Any]:
    shorter: dict[str, Any] = {}
    for name, leaf in list(value.items())[:_MOST_FIELDS]:
        if isinstance(leaf, (dict, list)) and len(str(leaf)) > MOST_CHARACTERS:
            leaf = _cut(str(leaf))
        shorter[_cut(name)] = _cut(leaf) if isinstance(leaf, str) else leaf
    return shorter


def _cut(text: str) -> str:
    return text if len(text) <= MOST_CHARACTERS else f"{text[:MOST_CHARACTERS]}…"
