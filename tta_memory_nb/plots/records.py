"""Charts of records: over time, by session, by time to live, by size."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from ..entry import Entry
from ..identifiers import readable
from ..memory.distributions import session_spans, sizes, time_to_live, timeline
from ..times import shown_instant
from .figures import (
    BLUE,
    FAINT,
    GREY,
    GRID,
    INK,
    PAPER,
    SECOND,
    axes_of,
    count_axis,
    count_bars,
    count_of_records,
    counted,
    dates,
    empty_figure,
    glyph_test,
    shown_name,
    styled_figure,
    time_axis,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_LINES = 12  # of a timeline as text


def plot_timeline(entries: Sequence[Entry]) -> Figure:
    """Draws when records were last written, in UTC.

    Raises:
        MissingPackage: matplotlib is not installed.
    """
    at = [entry.updated_at for entry in entries]
    # No bar is narrower than a second, the resolution of the axis.
    most = max(1, int(max(at) - min(at))) if at else 1
    bins = timeline(entries, min(60, most))
    with styled_figure() as figure:
        if not entries:
            return empty_figure(figure)
        few = timeline(entries, min(_LINES, most))
        starts = [shown_instant(int(edge)) for edge in few.edges[:-1]]
        title = f"{count_of_records(len(entries))} by last write"
        axes = axes_of(figure, title, starts, few.counts)
        edges = dates(bins.edges)
        widths = [max(end - start, SECOND) for start, end in pairwise(edges)]
        axes.bar(edges[:-1], bins.counts, widths, align="edge", color=BLUE, edgecolor=PAPER)
        count_axis(axes)
        time_axis(axes, edges[0], edges[-2] + widths[-1])
        return figure


def plot_sessions(entries: Sequence[Entry]) -> Figure:
    """Draws when each session was active, in UTC: from its first to its last present record.

    The figure shows the 30 most recently active sessions of keys that read ``user:session``.

    Raises:
        MissingPackage: matplotlib is not installed.
    """
    spans, more = session_spans(entries)
    with styled_figure(height=1.3 + 0.25 * max(len(spans), 6)) as figure:
        if not spans:
            return empty_figure(figure, "no key reads user:session" if entries else "")
        others = f", the {len(spans)} most recently active" if more else ""
        short = readable(name for span in spans for name in (span.user, span.session))
        axes = axes_of(
            figure,
            f"{counted(len(spans) + more, 'session')}{others}",
            [
                f"{shown_name(short[span.user])} · {shown_name(short[span.session])}"
                for span in spans
            ],
            [span.count for span in spans],
            [f"until {shown_instant(int(span.last))}" for span in spans],
        )
        places = range(len(spans))
        first = dates([span.first for span in spans])
        last = dates([span.last for span in spans])
        axes.hlines(places, first, last, color=BLUE, linewidth=4)
        # A session with a single instant has no length; the dots make it visible.
        axes.scatter([*first, *last], [*places, *places], s=22, color=BLUE, linewidths=0)
        has_glyph = glyph_test()
        # Direction marks keep user and session in order if one of them is written from right to left.
        mark = "\u200e" if has_glyph("\u200e") else ""
        names = [
            f"{mark}{shown_name(short[span.user], has_glyph)}{mark} · "
            f"{shown_name(short[span.session], has_glyph)}{mark}"
            for span in spans
        ]
        axes.set_yticks(places, names, parse_math=False, usetex=False)
        axes.set_ylim(len(spans) - 0.5, -0.5)  # the most recent on top
        axes.tick_params(axis="y", length=0, labelcolor=INK, labelsize=9)
        # The counts are at the right edge, where no line hides them.
        for place, span in zip(places, spans, strict=True):
            axes.text(
                *(1.01, place, f"{span.count:,}"),
                transform=axes.get_yaxis_transform(),
                va="center",
                color=FAINT,
                fontsize=9,
            )
        axes.text(
            1.01, 1.0, "records", transform=axes.transAxes, va="bottom", color=FAINT, fontsize=9
        )
        axes.grid(axis="x", color=GRID)
        start, end = min(first), max(last)
        margin = (end - start) * 0.02  # so that no dot is cut off
        time_axis(axes, start - margin, end + margin)
        return figure


def plot_ttl(entries: Sequence[Entry], now: float) -> Figure:
    """Draws how long records have until they expire.

    Args:
        entries: the entries, in any order.
        now: Unix seconds.

    Raises:
        MissingPackage: matplotlib is not installed.
    """
    bins, never = time_to_live(entries, now)
    with styled_figure() as figure:
        if not entries:
            return empty_figure(figure)
        names = [
            *("up to 1 min", "1-5 min", "5-15 min", "15-60 min", "1-6 h", "6-24 h"),
            *("1-7 days", "7-30 days", "longer", "never expire"),
        ]
        counts = [*bins.counts, never]
        axes = axes_of(figure, f"{count_of_records(len(entries))} by time to live", names, counts)
        count_bars(axes, names, counts, [BLUE] * len(bins.counts) + [GREY])
        axes.set_xlabel("time until they expire")
        return figure


def plot_sizes(entries: Sequence[Entry]) -> Figure:
    """Draws the sizes of values as JSON.

    Raises:
        MissingPackage: matplotlib is not installed.
    """
    bins = sizes(entries)
    with styled_figure() as figure:
        if not entries:
            return empty_figure(figure)
        names = [_size(edge) for edge in bins.edges[:-1]]
        axes = axes_of(figure, f"{count_of_records(len(entries))} by size", names, bins.counts)
        count_bars(axes, names, bins.counts, BLUE)
        axes.set_xlabel("bytes of JSON: at least this many, and less than twice as many")
        return figure


def _size(edge: float) -> str:
    for unit in ("B", "KiB", "MiB"):
        if edge < 1024:
            return f"{edge:.0f} {unit}"
        edge /= 1024
    return f"{edge:.0f} GiB"
