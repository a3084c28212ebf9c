"""The plain table for places without a kernel or without widgets.

A saved widget only refers to an object of a kernel that has ended. So an explorer displays a plain
table beside itself, which is hidden while the explorer runs and shown wherever it cannot run: on GitHub and
nbviewer, in exported HTML and reopened notebooks, and as text in a terminal.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from html import escape
from itertools import islice
from operator import is_
from typing import Any

from ...frames import frame_html, frame_text, records_frame
from ...record import MemoryRecord
from ...table import META
from .cells import MOST_CHARACTERS, sendable

CLASS = "tta-explorer-static"

_MOST_ROWS = 30
_MOST_FIELDS = 12
_PAUSE = 5.0
"""Seconds between two updates of the page, at least: each one is written into the notebook."""

# JupyterLab and Notebook 7 put each output into an element of its own. The table's element is hidden
# while the one before it shows an explorer; otherwise that one is hidden, with its "model not found".
_STYLE = f"""<style>
.jp-OutputArea-child:has(.tta-explorer.tta-live) + .jp-OutputArea-child:has(.{CLASS}) {{ display: none; }}
.jp-OutputArea-child:not(:has(.tta-explorer.tta-live)):has(+ .jp-OutputArea-child .{CLASS}) {{ display: none; }}
.{CLASS} {{ overflow-x: auto; }}
.jp-NotebookPanel .{CLASS} .tta-why[hidden] {{ display: block; }}
.{CLASS} p {{ margin: 0.3em 0; opacity: 0.8; }}
</style>"""


# Shown in JupyterLab and Notebook 7 alone, beside the table that takes the place of an explorer there.
_WHY = (
    "This is a plain table; run the cell to get the explorer. If the table stays, the front end of widgets is "
    "missing: install anywidget and ipywidgets into the environment in which JupyterLab runs (the kernel's may be "
    "another), restart JupyterLab, and reload this page."
)
# Text is shown by terminals and by consoles of Jupyter.
_NO_WIDGETS = "The explorer is a widget, which needs a notebook. Here, type: %memory search WORDS"


class StaticPage:
    """A table of the rows on a page, as text and as HTML.

    Args:
        records: the records of the page, in order.
        start: the number of the first record, counted from 0.
        total: how many records match.
        query: the text that was searched for; empty for none.
        namespace: the namespace of the records.
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
        table = [frame_text(self._frame)] if self._records else []
        return "\n".join([self._summary(), *table, _NO_WIDGETS])

    def _summary(self) -> str:
        shown = len(self._records)
        rows = f"{self._start + 1:,}-{self._start + shown:,} of " if shown < self._total else ""
        what = f" matching {sendable(self._query)[:MOST_CHARACTERS]!r}" if self._query else ""
        noun = "record" if self._total == 1 else "records"
        return f"{rows}{self._total:,} {noun}{what} in namespace {sendable(self._namespace)!r}"

    def _repr_html_(self) -> str:
        return self.html

    @cached_property
    def _frame(self) -> Any:
        frame = records_frame(self._records, query=self._query)
        return frame.iloc[:, : len(META) + _MOST_FIELDS]

    @cached_property
    def html(self) -> str:
        """The table as HTML, made once however often it is shown and compared."""
        why = f'<p class="tta-why" hidden>{_WHY}</p>'
        summary = f"<p>{escape(self._summary())}</p>"
        return f'<div class="{CLASS}">{_STYLE}{summary}{why}{frame_html(self._frame)}</div>'


class StaticOutput:
    """The output beside an explorer that holds its static page, and is updated with it."""

    def __init__(self) -> None:
        self._handle: Any = None
        self._updated_at = 0.0
        self._html = ""
        self._shown: tuple[object, ...] = ()

    def display(self, make_page: Callable[[], StaticPage | None]) -> None:
        """Displays the page; not if there is none."""
        from IPython.core.getipython import get_ipython
        from IPython.display import display

        page = make_page()
        if page is not None:
            self._updated_at, self._html = time.monotonic(), page.html
            handle = display(page, display_id=True)  # type: ignore[no-untyped-call]
            # A terminal would print each update below what is being typed.
            is_kernel = getattr(get_ipython(), "kernel", None) is not None
            self._handle = handle if is_kernel else None

    def update(self, make_page: Callable[[], StaticPage | None], *shown: object) -> None:
        """Brings a displayed page up to date, unless that was done a moment ago.

        Args:
            make_page: makes the page.
            shown: what the page is made of. While these are the same objects, it stays as it is.
        """
        now = time.monotonic()
        if self._handle is None or now - self._updated_at < _PAUSE:
            return
        if self._shown and all(map(is_, shown, self._shown)):
            return
        self._shown = shown
        page = make_page()
        if page is None:
            return
        before, self._updated_at, self._html = self._html, now, page.html
        if page.html != before:
            with suppress(Exception):  # a closed notebook has no output to update
                self._handle.update(page)


def _shortened(record: MemoryRecord) -> MemoryRecord:
    """The record with long texts cut, so that the page stays small."""
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
