"""What all charts have in common: figures without pyplot, their style, axes, and text in them."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from ..errors import MissingPackage, harmless
from ..monospace import Bar, bar_chart
from ..table import moment

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, FAINT, GRID, PAPER = "#1f2328", "#59636e", "#d8dee4", "#ffffff"
BLUE, GREY = "#3b6ea8", "#9aa4af"
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
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": GREY,
    "axes.facecolor": PAPER,
    "axes.grid": False,
    "axes.axisbelow": True,
    "axes.titlelocation": "left",
    "axes.titlesize": 11.0,
    "axes.titlecolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": FAINT,
    "ytick.labelcolor": FAINT,
    "figure.facecolor": PAPER,
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

SECOND, _MINUTE = 1 / 86_400, 1 / 1_440  # in days
_FIRST_INSTANT, _LAST_INSTANT = -62_135_596_800.0, 253_402_300_799.0  # the range of datetime


@contextmanager
def styled_figure(height: float = _HEIGHT) -> Iterator[Figure]:
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


def axes_of(
    figure: Figure,
    title: str,
    names: Sequence[str],
    numbers: Sequence[float],
    notes: Sequence[str] = (),
) -> Axes:
    """Returns the axes of a figure, which is shown in text as numbers with names and notes."""
    bars = map(Bar, names, numbers, notes or [""] * len(names))
    show_as_text(figure, bar_chart(title, list(bars)))
    axes = figure.add_subplot()
    axes.set_title(title)
    return axes


def show_as_text(figure: Figure, text: str) -> None:
    """Has a figure show itself as a text where no picture can be shown."""
    # IPython looks for this method on any object, and takes the PNG from the other one.
    figure._repr_mimebundle_ = partial(_text_bundle, text)  # type: ignore[attr-defined]


def _text_bundle(text: str, **_options: Any) -> dict[str, str]:
    return {"text/plain": text}


def empty_figure(figure: Figure, why: str = "") -> Figure:
    """Returns a figure that says that there is nothing to show, and why."""
    text = "nothing to show" + (f": {why}" if why else "")
    show_as_text(figure, text)
    figure.set_size_inches(_WIDTH, 1.0)
    figure.text(0.5, 0.5, text, ha="center", va="center", color=FAINT)
    return figure


# ---------------------------------------------------------------- axes


def count_axis(axes: Axes) -> None:
    """Scales the y axis for numbers of records."""
    from matplotlib.ticker import MaxNLocator, StrMethodFormatter

    axes.set_ylabel("records")
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.grid(axis="y", color=GRID)


def time_axis(axes: Axes, start: float, end: float) -> None:
    """Scales the x axis from one date to another, over a minute at least."""
    from datetime import timezone

    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    missing = max(_MINUTE - (end - start), 0.0) / 2
    low, high = dates([_FIRST_INSTANT, _LAST_INSTANT])
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


def dates(instants: Sequence[float]) -> list[float]:
    """Converts Unix seconds to matplotlib's date numbers, in days."""
    from matplotlib.dates import date2num

    within = [min(max(at, _FIRST_INSTANT), _LAST_INSTANT) for at in instants]
    days = date2num([moment(at) for at in within])  # type: ignore[no-untyped-call]
    return [float(day) for day in days]


def count_bars(axes: Axes, names: Sequence[str], counts: Sequence[int], color: Any) -> None:
    """Draws numbers of records as bars with names, each with its number on top."""
    places = range(len(names))
    drawn = axes.bar(places, counts, 0.8, color=color)
    axes.set_xticks(places, names)
    axes.tick_params(axis="x", length=0, labelsize=9)
    axes.set_xlim(min(-0.6, len(names) / 2 - 3.5), max(len(names) - 0.4, len(names) / 2 + 2.5))
    axes.bar_label(
        drawn, [f"{count:,}" if count else "" for count in counts], padding=2, fontsize=9
    )
    axes.margins(y=0.12)
    count_axis(axes)


# ---------------------------------------------------------------- text


def count_of_records(count: int) -> str:
    """``1 record``, ``1,204 records``."""
    return counted(count, "record")


def counted(count: int, what: str) -> str:
    """``1 session``, ``12 sessions``."""
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


def shown_name(text: str, has_glyph: Callable[[str], bool] = bool) -> str:
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


def glyph_test() -> Callable[[str], bool]:
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
