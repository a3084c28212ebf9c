"""Charts of records. Only this module imports matplotlib.

A chart is a `matplotlib.figure.Figure` that is made without pyplot. Making it chooses no backend, changes no
other figure and no setting, and leaves nothing to close. The figure renders itself as a PNG, which every
notebook shows, with ``%matplotlib`` or without, and as lines of text for a terminal.

Text from a memory is drawn literally, never as mathematics or TeX. Characters that no font has are escaped.
"""

from __future__ import annotations

import io
import struct
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from .entry import Entry
from .errors import MissingPackage, harmless
from .identifiers import readable
from .memory.distributions import session_spans, sizes, time_to_live, timeline
from .memory.doctor.finding import SEVERITIES
from .monospace import Bar, bar_chart
from .table import moment
from .times import shown_instant

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from .evaluation.result import Evaluation
    from .memory.doctor.finding import Finding

_INK, _FAINT, _GRID, _PAPER = "#1f2328", "#59636e", "#d8dee4", "#ffffff"
_BLUE, _GREY = "#3b6ea8", "#9aa4af"
# Told apart by people who see few colours, too: they differ in lightness.
_MODES = {"keyword": _GREY, "ranked": _BLUE, "semantic": "#e0a458", "hybrid": "#1f3a5f"}

_SEVERITIES = {"high": "#a4343a", "medium": "#e0a458", "low": _GREY}

# A figure is as wide as a notebook's text. It has twice as many pixels as its displayed size, which most
# screens can show; on other screens it looks no worse.
_WIDTH, _HEIGHT, _DPI, _PIXEL_RATIO = 8.0, 3.2, 100, 2

# Overrides the user's settings while a figure is made: one opaque page for light and dark notebooks.
_STYLE: dict[Any, Any] = {
    "text.usetex": False,
    "text.parse_math": False,
    "axes.unicode_minus": False,
    # A concrete name: "sans-serif" would be resolved when the text is drawn, by the user's settings.
    "font.family": ["DejaVu Sans"],
    "font.size": 10.0,
    "text.color": _INK,
    "axes.labelcolor": _INK,
    "axes.edgecolor": _GREY,
    "axes.facecolor": _PAPER,
    "axes.grid": False,
    "axes.axisbelow": True,
    "axes.titlelocation": "left",
    "axes.titlesize": 11.0,
    "axes.titlecolor": _INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": _FAINT,
    "ytick.color": _FAINT,
    "xtick.labelcolor": _FAINT,
    "ytick.labelcolor": _FAINT,
    "figure.facecolor": _PAPER,
    "figure.autolayout": False,
    "figure.constrained_layout.use": False,
    "path.sketch": None,
    "path.effects": [],
}

# Fonts with letters that matplotlib's own font lacks; used if the system has them.
_MORE_FONTS = (
    *("Noto Sans CJK SC", "Noto Sans CJK JP", "Source Han Sans SC", "WenQuanYi Zen Hei"),
    *("PingFang SC", "Hiragino Sans", "Microsoft YaHei", "Yu Gothic", "Malgun Gothic"),
    *("Noto Sans Devanagari", "Noto Sans Thai", "Noto Sans Hebrew", "Arial Unicode MS"),
)
_NAME_LENGTH = 16  # characters of a user or a session in a label
_LINES = 12  # of a timeline as text

_SECOND, _MINUTE = 1 / 86_400, 1 / 1_440  # in days
_FIRST_INSTANT, _LAST_INSTANT = -62_135_596_800.0, 253_402_300_799.0  # the range of datetime


def plot_timeline(entries: Sequence[Entry]) -> Figure:
    """Draws when records were last written, in UTC.

    Raises:
        MissingPackage: matplotlib is not installed.
    """
    at = [entry.updated_at for entry in entries]
    # No bar is narrower than a second, the resolution of the axis.
    most = max(1, int(max(at) - min(at))) if at else 1
    bins = timeline(entries, min(60, most))
    with _styled_figure() as figure:
        if not entries:
            return _empty_figure(figure)
        few = timeline(entries, min(_LINES, most))
        starts = [shown_instant(int(edge)) for edge in few.edges[:-1]]
        title = f"{_count_of_records(len(entries))} by last write"
        axes = _axes(figure, title, starts, few.counts)
        edges = _dates(bins.edges)
        widths = [max(end - start, _SECOND) for start, end in pairwise(edges)]
        axes.bar(edges[:-1], bins.counts, widths, align="edge", color=_BLUE, edgecolor=_PAPER)
        _count_axis(axes)
        _time_axis(axes, edges[0], edges[-2] + widths[-1])
        return figure


def plot_sessions(entries: Sequence[Entry]) -> Figure:
    """Draws when each session was active, in UTC: from its first to its last present record.

    The figure shows the 30 most recently active sessions of keys that read ``user:session``.

    Raises:
        MissingPackage: matplotlib is not installed.
    """
    spans, more = session_spans(entries)
    with _styled_figure(height=1.3 + 0.25 * max(len(spans), 6)) as figure:
        if not spans:
            return _empty_figure(figure, "no key reads user:session" if entries else "")
        others = f", the {len(spans)} most recently active" if more else ""
        short = readable(name for span in spans for name in (span.user, span.session))
        axes = _axes(
            figure,
            f"{_counted(len(spans) + more, 'session')}{others}",
            [f"{_name(short[span.user])} · {_name(short[span.session])}" for span in spans],
            [span.count for span in spans],
            [f"until {shown_instant(int(span.last))}" for span in spans],
        )
        places = range(len(spans))
        first = _dates([span.first for span in spans])
        last = _dates([span.last for span in spans])
        axes.hlines(places, first, last, color=_BLUE, linewidth=4)
        # A session with a single instant has no length; the dots make it visible.
        axes.scatter([*first, *last], [*places, *places], s=22, color=_BLUE, linewidths=0)
        has_glyph = _glyph_test()
        # Direction marks keep user and session in order if one of them is written from right to left.
        mark = "\u200e" if has_glyph("\u200e") else ""
        names = [
            f"{mark}{_name(short[span.user], has_glyph)}{mark} · "
            f"{_name(short[span.session], has_glyph)}{mark}"
            for span in spans
        ]
        axes.set_yticks(places, names, parse_math=False, usetex=False)
        axes.set_ylim(len(spans) - 0.5, -0.5)  # the most recent on top
        axes.tick_params(axis="y", length=0, labelcolor=_INK, labelsize=9)
        # The counts are at the right edge, where no line hides them.
        for place, span in zip(places, spans, strict=True):
            axes.text(
                *(1.01, place, f"{span.count:,}"),
                transform=axes.get_yaxis_transform(),
                va="center",
                color=_FAINT,
                fontsize=9,
            )
        axes.text(
            1.01, 1.0, "records", transform=axes.transAxes, va="bottom", color=_FAINT, fontsize=9
        )
        axes.grid(axis="x", color=_GRID)
        start, end = min(first), max(last)
        margin = (end - start) * 0.02  # so that no dot is cut off
        _time_axis(axes, start - margin, end + margin)
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
    with _styled_figure() as figure:
        if not entries:
            return _empty_figure(figure)
        names = [
            *("up to 1 min", "1-5 min", "5-15 min", "15-60 min", "1-6 h", "6-24 h"),
            *("1-7 days", "7-30 days", "longer", "never expire"),
        ]
        counts = [*bins.counts, never]
        axes = _axes(figure, f"{_count_of_records(len(entries))} by time to live", names, counts)
        _bars(axes, names, counts, [_BLUE] * len(bins.counts) + [_GREY])
        axes.set_xlabel("time until they expire")
        return figure


def plot_sizes(entries: Sequence[Entry]) -> Figure:
    """Draws the sizes of values as JSON.

    Raises:
        MissingPackage: matplotlib is not installed.
    """
    bins = sizes(entries)
    with _styled_figure() as figure:
        if not entries:
            return _empty_figure(figure)
        names = [_size(edge) for edge in bins.edges[:-1]]
        axes = _axes(figure, f"{_count_of_records(len(entries))} by size", names, bins.counts)
        _bars(axes, names, bins.counts, _BLUE)
        axes.set_xlabel("bytes of JSON: at least this many, and less than twice as many")
        return figure


def plot_evaluation(evaluation: Evaluation) -> Figure:
    """Draws how well each mode answers judged questions: means, with their 95 % intervals.

    Raises:
        MissingPackage: matplotlib is not installed.
    """
    with _styled_figure() as figure:
        count = _counted(len(evaluation.questions), "judged question")
        measures, modes = evaluation.measures, evaluation.modes
        axes = _axes(
            figure,
            f"{count}, mean and 95 % interval",
            [f"{measure} {mode}" for measure in measures for mode in modes],
            [evaluation.mean(mode, measure) for measure in measures for mode in modes],
        )
        width = 0.8 / len(modes)
        for number, mode in enumerate(modes):
            means = [evaluation.mean(mode, measure) for measure in measures]
            ends = [evaluation.interval(mode, measure) for measure in measures]
            axes.bar(
                [place + (number + 0.5) * width - 0.4 for place in range(len(measures))],
                means,
                width,
                color=_MODES[mode],
                edgecolor=_PAPER,
                label=mode,
                # The mean of a resampled interval may lie outside of it by a rounding error.
                yerr=[
                    [max(0.0, mean - low) for mean, (low, _) in zip(means, ends, strict=True)],
                    [max(0.0, high - mean) for mean, (_, high) in zip(means, ends, strict=True)],
                ],
                error_kw={"ecolor": _FAINT, "elinewidth": 1, "capsize": 2},
            )
        axes.set_xticks(range(len(measures)), measures)
        axes.tick_params(axis="x", length=0, labelsize=9)
        axes.set_ylim(0, 1.02)
        axes.grid(axis="y", color=_GRID)
        axes.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
        return figure


def plot_findings(findings: Sequence[Finding]) -> Figure:
    """Draws how many findings each check of the doctor has, the most harmful on top.

    Raises:
        MissingPackage: matplotlib is not installed.
    """
    counts = Counter((finding.check, finding.severity) for finding in findings)
    checks = list(dict.fromkeys(finding.check for finding in findings))
    with _styled_figure(height=1.1 + 0.28 * max(len(checks), 4)) as figure:
        if not checks:
            return _empty_figure(figure, "no check has found anything")
        from matplotlib.ticker import MaxNLocator

        totals = [sum(counts[check, severity] for severity in SEVERITIES) for check in checks]
        axes = _axes(figure, _counted(len(findings), "finding"), checks, totals)
        starts = [0] * len(checks)
        for severity in SEVERITIES:
            widths = [counts[check, severity] for check in checks]
            if any(widths):
                axes.barh(
                    checks,
                    widths,
                    0.7,
                    starts,
                    color=_SEVERITIES[severity],
                    label=severity,
                    edgecolor=_PAPER,
                )
                starts = [start + width for start, width in zip(starts, widths, strict=True)]
        for place, total in enumerate(totals):
            axes.text(total, place, f" {total:,}", va="center", color=_FAINT, fontsize=9)
        if max(totals) > 50 * min(totals):
            axes.set_xscale("symlog", linthresh=10)
            axes.set_xlabel("findings, the scale is logarithmic above 10")
        else:
            axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        axes.invert_yaxis()
        axes.tick_params(axis="y", length=0, labelcolor=_INK)
        axes.margins(x=0.12)
        axes.legend(loc="lower right", frameon=False)
        return figure


# ---------------------------------------------------------------- figures


@contextmanager
def _styled_figure(height: float = _HEIGHT) -> Iterator[Figure]:
    """Yields an empty figure, with the package's style in force while the caller draws on it."""
    try:
        import matplotlib as mpl
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingPackage("plots need matplotlib: pip install 'tta-memory-nb[plots]'") from None
    with mpl.rc_context(_STYLE):
        figure = Figure((_WIDTH, height), dpi=_DPI, layout="constrained")
        FigureCanvasAgg(figure)
        # IPython looks for this method on any object. A Figure lacks it and relies on pyplot's notebook
        # backend; without that backend, IPython would show only its repr.
        figure._repr_png_ = partial(_png, figure)  # type: ignore[attr-defined]
        yield figure


def _png(figure: Figure) -> tuple[bytes, dict[str, int]]:
    """Returns a figure as PNG, with the size at which to display it."""
    file = io.BytesIO()
    figure.savefig(
        file,
        format="png",
        dpi=_PIXEL_RATIO * figure.get_dpi(),
        facecolor=figure.get_facecolor(),
        transparent=False,
    )
    data = file.getvalue()
    width, height = struct.unpack(">II", data[16:24])
    return data, {"width": width // _PIXEL_RATIO, "height": height // _PIXEL_RATIO}


def _axes(
    figure: Figure,
    title: str,
    names: Sequence[str],
    numbers: Sequence[float],
    notes: Sequence[str] = (),
) -> Axes:
    """Returns the axes of a figure, which is shown in text as numbers with names and notes."""
    bars = map(Bar, names, numbers, notes or [""] * len(names))
    _show_as_text(figure, bar_chart(title, list(bars)))
    axes = figure.add_subplot()
    axes.set_title(title)
    return axes


def _show_as_text(figure: Figure, text: str) -> None:
    # IPython looks for this method on any object, and takes the PNG from the other one.
    figure._repr_mimebundle_ = partial(_text_bundle, text)  # type: ignore[attr-defined]


def _text_bundle(text: str, **_options: Any) -> dict[str, str]:
    return {"text/plain": text}


def _empty_figure(figure: Figure, why: str = "") -> Figure:
    text = "nothing to show" + (f": {why}" if why else "")
    _show_as_text(figure, text)
    figure.set_size_inches(_WIDTH, 1.0)
    figure.text(0.5, 0.5, text, ha="center", va="center", color=_FAINT)
    return figure


# ---------------------------------------------------------------- axes


def _count_axis(axes: Axes) -> None:
    from matplotlib.ticker import MaxNLocator, StrMethodFormatter

    axes.set_ylabel("records")
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.grid(axis="y", color=_GRID)


def _time_axis(axes: Axes, start: float, end: float) -> None:
    """Scales the x axis from one date to another, over a minute at least."""
    from datetime import timezone

    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    missing = max(_MINUTE - (end - start), 0.0) / 2
    low, high = _dates([_FIRST_INSTANT, _LAST_INSTANT])
    axes.set_xlim(max(start - missing, low), min(end + missing, high))
    locator = AutoDateLocator(  # type: ignore[no-untyped-call]
        tz=timezone.utc, minticks=3, maxticks=8
    )
    labels = ConciseDateFormatter(  # type: ignore[no-untyped-call]
        locator,
        tz=timezone.utc,
        # For years, months, days, hours, minutes and seconds: the label of a tick, of a tick at a zero,
        # and the rest of the date, which appears at the end of the axis.
        formats=["%Y", "%b", "%d", "%H:%M", "%H:%M", "%H:%M:%S"],
        zero_formats=["", "%Y", "%b", "%d %b", "%H:%M", "%H:%M"],
        offset_formats=["", "%Y", "%Y-%m", "%Y-%m-%d", "%Y-%m-%d", "%Y-%m-%d"],
    )
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(labels)
    axes.set_xlabel("UTC")


def _dates(instants: Sequence[float]) -> list[float]:
    """Converts Unix seconds to matplotlib's date numbers, in days."""
    from matplotlib.dates import date2num

    within = [min(max(at, _FIRST_INSTANT), _LAST_INSTANT) for at in instants]
    days = date2num([moment(at) for at in within])  # type: ignore[no-untyped-call]
    return [float(day) for day in days]


def _bars(axes: Axes, names: Sequence[str], counts: Sequence[int], color: Any) -> None:
    places = range(len(names))
    drawn = axes.bar(places, counts, 0.8, color=color)
    axes.set_xticks(places, names)
    axes.tick_params(axis="x", length=0, labelsize=9)
    axes.set_xlim(min(-0.6, len(names) / 2 - 3.5), max(len(names) - 0.4, len(names) / 2 + 2.5))
    axes.bar_label(
        drawn, [f"{count:,}" if count else "" for count in counts], padding=2, fontsize=9
    )
    axes.margins(y=0.12)
    _count_axis(axes)


# ---------------------------------------------------------------- text


def _count_of_records(count: int) -> str:
    return _counted(count, "record")


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


def _size(edge: float) -> str:
    for unit in ("B", "KiB", "MiB"):
        if edge < 1024:
            return f"{edge:.0f} {unit}"
        edge /= 1024
    return f"{edge:.0f} GiB"


def _name(text: str, has_glyph: Callable[[str], bool] = bool) -> str:
    """Returns a name as it is shown: shortened, with characters that no font has escaped."""
    shown = ""
    for character in harmless(text[: _NAME_LENGTH + 1]):
        spelled = character if has_glyph(character) else _escaped(character)
        if len(shown) + len(spelled) > _NAME_LENGTH:
            return f"{shown}…"
        shown += spelled
    return shown


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()


def _glyph_test() -> Callable[[str], bool]:
    """Returns a test of whether a font has a character. Without a glyph matplotlib warns and draws a box.

    Also adds the installed fallback fonts to the figure that is being made.
    """
    from matplotlib import rcParams
    from matplotlib.font_manager import FontProperties, findfont, fontManager, get_font

    installed = {font.name for font in fontManager.ttflist}
    names = [*rcParams["font.family"], *(name for name in _MORE_FONTS if name in installed)]
    rcParams["font.family"] = names
    fonts = [get_font(findfont(FontProperties(family=[name]))) for name in names]
    return lambda character: any(font.get_char_index(ord(character)) for font in fonts)
