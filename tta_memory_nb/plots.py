"""Pictures of a memory as matplotlib figures. The one module that imports matplotlib.

The figures are made without pyplot: nothing keeps them but whoever asked, and no backend is chosen for
the rest of the notebook.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from io import BytesIO
from typing import TYPE_CHECKING, Any

from .distributions import Bins, session_spans, sizes, time_to_live, timeline
from .errors import MissingPackage
from .stores.base import Entry
from .table import is_utf8

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WIDTH, _HEIGHT = 8.0, 2.6  # inches
_BLUE = "#1976d2"
_MOST_SESSIONS = 20
_LONGEST = 40  # characters of a label


def plot_timeline(entries: Sequence[Entry]) -> Figure:
    """Records by the instant of their last write, in UTC.

    Args:
        entries: as ``memory.sync.entries()`` gives them.

    Raises:
        MissingPackage: matplotlib is not installed.
    """
    bins = timeline(entries)
    figure, axes = _empty("Records by the time of their last write (UTC)")
    if not bins.counts:
        return _nothing(figure, axes)
    edges = [_moment(edge) for edge in bins.edges]
    if edges[0] == edges[-1]:
        axes.bar([edges[0]], bins.counts, width=0.01, color=_BLUE)  # type: ignore[arg-type]
    else:
        axes.stairs(bins.counts, _numbers(edges), fill=True, color=_BLUE)
    _dates(axes)
    axes.set_ylabel("records")
    return figure


def plot_sessions(entries: Sequence[Entry]) -> Figure:
    """Sessions of keys that read ``user:session[:hash8]``, from first to last write.

    Args:
        entries: as ``memory.sync.entries()`` gives them.

    Raises:
        MissingPackage: matplotlib is not installed.
    """
    spans, more = session_spans(entries, _MOST_SESSIONS)
    rest = f", the most recent {len(spans)} of {len(spans) + more:,}" if more else ""
    figure, axes = _empty(f"Sessions over time (UTC){rest}", 0.8 + 0.24 * max(5, len(spans)))
    if not spans:
        return _nothing(figure, axes)
    starts = _numbers([_moment(span.first) for span in spans])
    ends = _numbers([_moment(span.last) for span in spans])
    # A session of one record is seen as well.
    least = max(max(ends) - min(starts), 1e-4) / 150
    axes.barh(
        range(len(spans)),
        [max(end - start, least) for start, end in zip(starts, ends, strict=True)],
        left=starts,
        color=_BLUE,
    )
    axes.set_yticks(range(len(spans)), [_label(f"{s.user}:{s.session} ({s.count})") for s in spans])
    axes.invert_yaxis()
    _dates(axes)
    return figure


def plot_ttl(entries: Sequence[Entry], now: float) -> Figure:
    """Records by what is left of their life.

    Args:
        entries: as ``memory.sync.entries()`` gives them.
        now: Unix seconds.

    Raises:
        MissingPackage: matplotlib is not installed.
    """
    bins, never = time_to_live(entries, now)
    figure, axes = _empty(f"Time to live; {never:,} never expire")
    if not any(bins.counts):
        return _nothing(figure, axes)
    names = [
        "< 1 min",
        "< 5 min",
        "< 15 min",
        "< 1 h",
        "< 6 h",
        "< 1 d",
        "< 7 d",
        "< 30 d",
        "longer",
    ]
    axes.bar(names, bins.counts, color=_BLUE)
    axes.set_ylabel("records")
    return figure


def plot_sizes(entries: Sequence[Entry]) -> Figure:
    """Records by the bytes of their values as JSON.

    Args:
        entries: as ``memory.sync.entries()`` gives them.

    Raises:
        MissingPackage: matplotlib is not installed.
    """
    bins = sizes(entries)
    figure, axes = _empty("Size of the values")
    if not bins.counts:
        return _nothing(figure, axes)
    axes.bar(_ranges(bins), bins.counts, color=_BLUE)
    axes.set_ylabel("records")
    return figure


def png(figure: Figure) -> bytes:
    """The figure as a picture, for whoever shows it."""
    file = BytesIO()
    figure.savefig(file, format="png", dpi=110)
    return file.getvalue()


PLOTS: dict[str, Callable[[Sequence[Entry], float], Figure]] = {
    "timeline": lambda entries, _now: plot_timeline(entries),
    "sessions": lambda entries, _now: plot_sessions(entries),
    "ttl": plot_ttl,
    "sizes": lambda entries, _now: plot_sizes(entries),
}
"""The pictures by name, each of some records at an instant."""


def _empty(title: str, height: float = _HEIGHT) -> tuple[Figure, Axes]:
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingPackage(
            "pictures need matplotlib: pip install 'tta-memory-nb[plots]'"
        ) from None
    # An opaque ground: a notebook may be light or dark.
    figure = Figure(figsize=(_WIDTH, height), layout="constrained", facecolor="white")
    axes = figure.add_subplot()
    axes.set_title(title, loc="left", fontsize=10, fontweight="bold", parse_math=False)
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _nothing(figure: Figure, axes: Axes) -> Figure:
    axes.set_axis_off()
    axes.text(0.5, 0.5, "nothing to show", ha="center", va="center", color="#555555")
    return figure


def _dates(axes: Axes) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator(tz=timezone.utc)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    formatter = ConciseDateFormatter(locator, tz=timezone.utc)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_formatter(formatter)


def _numbers(moments: Sequence[datetime]) -> Any:
    from matplotlib.dates import date2num

    return date2num(moments)  # type: ignore[no-untyped-call]


def _moment(at: float) -> datetime:
    return datetime.fromtimestamp(at, timezone.utc)


def _ranges(bins: Bins) -> list[str]:
    return [
        f"{_bytes(low)}-{_bytes(high)}"
        for low, high in zip(bins.edges, bins.edges[1:], strict=False)
    ]


def _bytes(size: float) -> str:
    for unit, length in (("M", 1 << 20), ("K", 1 << 10)):
        if size >= length:
            return f"{size / length:g}{unit}"
    return f"{size:g}"


def _label(text: str) -> str:
    """Text from a memory on an axis: short, printable, and no formula."""
    shown = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
    if not is_utf8(shown) or not shown.isprintable():
        shown = "".join(
            c if c.isprintable() else c.encode("unicode_escape").decode() for c in shown
        )
    return shown.replace("$", r"\$")
