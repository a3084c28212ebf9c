"""Charts of memories: their contents, and the settings that they do not change."""

from __future__ import annotations

import io
import pickle
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from json_values import any_text
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from tta_memory_nb import MissingPackage
from tta_memory_nb.entry import Entry
from tta_memory_nb.plots import plot_sessions, plot_sizes, plot_timeline, plot_ttl

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NOW = 1_800_000_000.0
EARLIEST, LATEST = -62_135_596_800.0, 253_402_300_799.0
PNG = b"\x89PNG\r\n\x1a\n"

PLOTS = {
    "timeline": plot_timeline,
    "sessions": plot_sessions,
    "ttl": lambda entries: plot_ttl(entries, NOW),
    "sizes": plot_sizes,
}


def entry(key: str, at: float = NOW, expires: float | None = None, text: bytes = b"{}") -> Entry:
    return Entry(key, text, at, at, expires)


def png(figure: Figure) -> bytes:
    """Draws the figure as PNG; a warning is an error."""
    draw: Any = figure  # its method is set on the instance
    data, shown = draw._repr_png_()
    assert data.startswith(PNG)
    width, height = figure.get_size_inches() * figure.get_dpi()
    assert shown == {"width": round(width), "height": round(height)}
    return data


def texts(figure: Figure) -> list[str]:
    """Returns all texts of a figure, as they are drawn."""
    figure.draw_without_rendering()
    found = [text.get_text() for text in figure.texts]
    for axes in figure.axes:
        found += [axes.get_title(loc="left"), axes.get_xlabel(), axes.get_ylabel()]
        found += [text.get_text() for text in axes.texts]
        found += [each.get_text() for each in (*axes.get_xticklabels(), *axes.get_yticklabels())]
        found.append(axes.xaxis.get_offset_text().get_text())
    return [text.replace("\u200e", "") for text in found if text]


def bars(axes: Axes) -> list[Rectangle]:
    return [patch for patch in axes.patches if isinstance(patch, Rectangle)]


def heights(figure: Figure) -> list[int]:
    return [round(bar.get_height()) for bar in bars(figure.axes[0])]


@pytest.mark.parametrize("plot", PLOTS.values(), ids=PLOTS)
def test_an_empty_memory_has_nothing_to_show(plot):
    figure = plot([])
    assert texts(figure) == ["nothing to show"]
    png(figure)


def test_keys_without_sessions_say_why_there_is_nothing_to_show():
    assert texts(plot_sessions([entry("loose")])) == ["nothing to show: no key reads user:session"]


def test_the_axis_of_a_timeline_has_dates_in_utc():
    # The 15th of January 2027, 08:00, and two days later.
    figure = plot_timeline([entry("a"), entry("b"), entry("c", NOW + 2 * 86400)])
    shown = texts(figure)
    assert "3 records by last write" in shown
    assert {"UTC", "16 Jan", "12:00"} <= set(shown)
    bars = heights(figure)
    assert (bars[0], bars[-1], sum(bars), len(bars)) == (2, 1, 3, 60)


@pytest.mark.parametrize("apart", [0.0, 0.000001, 0.5, 3.0])
def test_instants_that_are_close_together_are_visible(apart):
    figure = plot_timeline([entry("a"), entry("b", NOW + apart)])
    assert "08:00" in " ".join(texts(figure))
    [axes] = figure.axes
    low, high = axes.get_xlim()
    assert (high - low) * 86400 == pytest.approx(60)
    assert all(bar.get_width() * 86400 >= 0.999 for bar in bars(axes))
    assert sum(heights(figure)) == 2


def test_sessions_have_a_line_each_the_most_recent_on_top():
    made = [entry("alice:mon", NOW), entry("alice:mon:0123abcd", NOW + 3600), entry("bob:x", NOW)]
    shown = texts(plot_sessions(made))
    assert "2 sessions" in shown
    assert [text for text in shown if " · " in text] == ["alice · mon", "bob · x"]
    assert {"1", "2"} <= set(shown)


def test_identifiers_in_the_names_of_sessions_are_cut_to_what_tells_them_apart():
    user = "842e34da-02f5-4904-a111-0000000000"
    figure = plot_sessions([entry(f"{user}{n:02x}:chat", NOW + n) for n in range(2)])
    names = [text for text in texts(figure) if " · " in text]
    assert names == ["…000001 · chat", "…000000 · chat"]


def test_only_the_most_recent_sessions_are_drawn():
    shown = texts(plot_sessions([entry(f"u{n}:s", NOW + n) for n in range(1500)]))
    assert "1,500 sessions, the 30 most recently active" in shown
    names = [text for text in shown if " · " in text]
    assert (len(names), names[0]) == (30, "u1499 · s")


def test_the_chart_of_times_to_live_counts_records_that_never_expire():
    figure = plot_ttl([entry("a", expires=NOW + 3600), entry("b"), entry("c")], NOW)
    assert heights(figure) == [0, 0, 0, 1, 0, 0, 0, 0, 0, 2]
    assert "never expire" in texts(figure)


def test_sizes_are_named_by_their_lower_edge():
    made = [entry("a"), entry("b", text=b"x" * 1023), entry("c", text=b"x" * 3_000_000)]
    figure = plot_sizes(made)
    assert sum(heights(figure)) == 3
    assert {"2 B", "512 B", "1 KiB", "2 MiB"} <= set(texts(figure))


# ---------------------------------------------------------------- hostile text and instants


@pytest.mark.parametrize(
    ("user", "shown"),
    [
        (r"$\frac{x", r"$\frac{x"),
        ("$a$ _b_ ^c", "$a$ _b_ ^c"),
        (r"\input{/etc/x}", r"\input{/etc/x}"),
        ("\x1b[31m\n\u202e", r"\x1b[31m\n\u202e"),
        ("x" * 1_000_000, "x" * 16 + "…"),
        ("\ud83d", r"\ud83d"),
        ("\U000e0041", r"\U000e0041"),
        ("مرحبا", "مرحبا"),
    ],
)
def test_a_name_is_drawn_literally_and_without_effect(user, shown):
    figure = plot_sessions([entry(f"{user}:s")])
    assert f"{shown} · s" in texts(figure)
    png(figure)


def test_tex_in_the_users_settings_does_not_reach_names():
    with mpl.rc_context({"text.usetex": True}):
        figure = plot_sessions([entry("$x^2$:s")])
    labels = figure.axes[0].get_yticklabels()
    assert [(label.get_usetex(), label.get_parse_math()) for label in labels] == [(False, False)]


@settings(max_examples=12)
@given(st.lists(any_text.filter(bool), min_size=1, max_size=5))
@example(["张三", "🎉", "ลูก", "e" + "\u0301" * 50])
def test_any_name_can_be_drawn(names):
    png(plot_sessions([entry(f"{name}:{name}") for name in names]))


@settings(max_examples=5)
@given(st.lists(st.floats(EARLIEST, LATEST), min_size=1, max_size=5))
@example([EARLIEST, LATEST])
@example([LATEST])
@example([EARLIEST])
def test_any_instants_can_be_drawn(instants):
    made = [entry(f"u:{n}", at, at) for n, at in enumerate(instants)]
    for name in PLOTS.keys() - {"sizes"}:  # sizes are drawn without instants
        png(PLOTS[name](made))


# ---------------------------------------------------------------- settings that stay unchanged


def test_pyplot_is_not_imported_and_no_setting_is_changed():
    program = (
        "import sys\n"
        "from tta_memory_nb import plots\n"
        "assert 'matplotlib' not in sys.modules\n"
        "import matplotlib\n"
        "before = matplotlib.rcParams.copy()\n"  # reading the backend would select one
        "from tta_memory_nb.stores.base import Entry\n"
        "made = [Entry('a:b', b'{}', 1.0, 1.0, None)]\n"
        "for figure in (plots.plot_timeline(made), plots.plot_sessions(made)):\n"
        "    figure._repr_png_()\n"
        "assert matplotlib.rcParams.copy() == before\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def plain(figure: Figure) -> list[str]:
    """Returns the lines in which a terminal shows a figure."""
    shown: Any = figure  # its method is set on the instance
    text: str = shown._repr_mimebundle_(include=None, exclude=None)["text/plain"]
    return text.splitlines()


def test_a_terminal_shows_a_figure_as_lines_of_text():
    made = [
        entry("ann:mon", NOW, NOW + 1800),
        entry("ann:mon:0123abcd", NOW + 7200),
        entry("\u202eevil\n:張三", NOW, text=b"{" + b" " * 98 + b"}"),
    ]
    assert plain(plot_sessions(made)) == [
        "2 sessions",
        "ann · mon            2  " + "█" * 30 + "  until 2027-01-15 10:00:00Z",
        "\\u202eevil\\n · 張三  1  " + "█" * 15 + " " * 15 + "  until 2027-01-15 08:00:00Z",
    ]
    title, first, *_, last = plain(plot_timeline(made))
    assert title == "3 records by last write"
    assert first == "2027-01-15 08:00:00Z  2  " + "█" * 30
    assert last.startswith("2027-01-15 09:50:00Z  1  ")
    assert plain(plot_ttl(made, NOW))[4] == "15-60 min     1  " + "█" * 15
    assert plain(plot_sizes(made))[1:] == [
        "2 B   2  " + "█" * 30,
        *(f"{size:<4}  0" for size in ("4 B", "8 B", "16 B", "32 B")),
        "64 B  1  " + "█" * 15,
    ]
    assert plain(plot_timeline([])) == ["nothing to show"]


def test_a_picture_is_the_same_opaque_page_whatever_the_users_settings():
    made = [entry("alice:mon"), entry("bob:mon", NOW + 100_000)]
    plain = {name: png(plot(made)) for name, plot in PLOTS.items()}
    dark = {
        "text.color": "white",
        "axes.facecolor": "black",
        "figure.facecolor": "black",
        "savefig.transparent": True,
        "font.family": ["monospace"],
        "font.sans-serif": ["Nowhere"],
        "xtick.color": "white",
    }
    with mpl.rc_context(dark):
        assert {name: png(plot(made)) for name, plot in PLOTS.items()} == plain


def test_a_figure_can_be_saved_and_kept():
    figure = plot_timeline([entry("a")])
    assert isinstance(figure, Figure)
    for format_ in ("png", "svg", "pdf"):
        file = io.BytesIO()
        figure.savefig(file, format=format_)
        assert file.getvalue()
    assert png(pickle.loads(pickle.dumps(figure))) == png(figure)


@pytest.mark.parametrize("plot", PLOTS.values(), ids=PLOTS)
def test_without_matplotlib_the_error_has_the_line_to_type(plot, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingPackage, match=r"pip install 'tta-memory-nb\[plots\]'"):
        plot([entry("a:b")])


def test_colours_contrast_with_the_background():
    def luminance(colour: str) -> float:
        channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    from tta_memory_nb.plots.figures import BLUE, FAINT, INK, PAPER

    for colour in (INK, FAINT, BLUE):
        dark, light = sorted(map(luminance, (colour, PAPER)))
        assert (light + 0.05) / (dark + 0.05) >= 4.5
