"""Charts of traces: when each cell has asked what of a memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ..memory.tracing.counting import counted
from ..monospace import Bar, bar_chart
from .figures import (
    BLUE,
    FAINT,
    GREY,
    INK,
    empty_figure,
    glyph_test,
    show_as_text,
    shown_name,
    styled_figure,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..memory.tracing.cells import Cell
    from ..memory.tracing.operation import Operation

# Told apart by people who see few colours, too: they differ in lightness.
_COLOURS = {
    "read": "#7aa6d6",
    "search": BLUE,
    "write": "#e0a458",
    "delete": "#a4343a",
    "other": GREY,
}
_MOST_CELLS, _MOST_LANES = 8, 6
_NARROWEST = 0.004  # of the width, so that no operation is too short to be seen


def plot_trace(operations: Sequence[Operation]) -> Figure:
    """Draws what each cell has asked of memories, over the time since its first operation; a line for each task.

    The figure shows the last 8 cells, each by its own time, and of each the first 6 tasks.

    Args:
        operations: of a `Trace`, in any order.

    Raises:
        MissingPackage: matplotlib is not installed.
    """
    cells: dict[Cell | None, list[Operation]] = {}
    for each in sorted(operations, key=lambda each: each.began):
        cells.setdefault(each.cell, []).append(each)
    shown = list(cells.items())[-_MOST_CELLS:]
    lanes = [_lanes(of_cell) for _, of_cell in shown]
    height = 0.75 + sum(0.72 + 0.2 * len(each) for each in lanes)
    with styled_figure(height) as figure:
        if not shown:
            return empty_figure(figure, "nothing was asked of a memory while the trace was on")
        titles = [
            f"{'elsewhere' if cell is None else cell.name}  {_about(of_cell)}"
            for cell, of_cell in shown
        ]
        bars = [Bar(title, len(of_cell)) for title, (_, of_cell) in zip(titles, shown, strict=True)]
        show_as_text(figure, bar_chart("operations of each cell", bars))
        has_glyph = glyph_test()
        all_axes = figure.subplots(
            len(shown), 1, squeeze=False, height_ratios=[1.5 + len(each) for each in lanes]
        )
        for axes, title, of_cell in zip(all_axes.flat, titles, lanes, strict=True):
            _draw(axes, of_cell, has_glyph)
            axes.set_title(title, fontsize=9, parse_math=False)
        kinds = [kind for kind in _COLOURS if any(each.kind == kind for each in operations)]
        figure.legend(
            handles=[_handle(kind) for kind in kinds],
            loc="outside upper right",
            ncols=len(kinds),
            frameon=False,
            fontsize=9,
        )
        return figure


def _lanes(operations: Sequence[Operation]) -> dict[str, list[Operation]]:
    """Returns the operations of a cell by task; those of the cell itself first."""
    lanes: dict[str, list[Operation]] = {}
    for each in operations:
        lanes.setdefault(each.task, []).append(each)
    if len(lanes) > _MOST_LANES:
        names = list(lanes)
        for more in names[_MOST_LANES - 1 :]:
            lanes.setdefault("more", []).extend(lanes.pop(more))
    return lanes


def _draw(axes: Axes, lanes: dict[str, list[Operation]], has_glyph: Callable[[str], bool]) -> None:
    first = min(each.began for lane in lanes.values() for each in lane)
    last = max(each.began + each.seconds for lane in lanes.values() for each in lane)
    scale, unit = (
        (1e6, "µs") if last - first < 1e-3 else (1e3, "ms") if last - first < 1 else (1, "s")
    )
    width = max((last - first) * scale, 1e-9)
    for place, lane in enumerate(lanes.values()):
        axes.barh(
            [place] * len(lane),
            [max(each.seconds * scale, width * _NARROWEST) for each in lane],
            0.62,
            [(each.began - first) * scale for each in lane],
            color=[_COLOURS[each.kind] for each in lane],
            linewidth=0,
        )
        failed = [each for each in lane if each.error is not None]
        axes.plot(
            [(each.began + each.seconds - first) * scale for each in failed],
            [place] * len(failed),
            "x",
            color=INK,
            markersize=6,
        )
    names = [shown_name(task, has_glyph) if task else "cell" for task in lanes]
    axes.set_yticks(range(len(lanes)), names if len(lanes) > 1 or any(lanes) else [""], fontsize=8)
    axes.set_ylim(len(lanes) - 0.5, -0.5)
    axes.set_xlim(0, width * 1.01)
    axes.tick_params(axis="y", length=0, labelcolor=FAINT)
    axes.tick_params(axis="x", labelsize=8)
    axes.spines["left"].set_visible(False)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,g} {unit}")


def _about(operations: Sequence[Operation]) -> str:
    counts: Counter[str] = Counter()
    for each in operations:
        counts[each.kind] += 1
        counts["misses"] += each.misses
        counts["failed"] += each.error is not None
        if each.kind == "search":
            counts["found"] += each.records
    return counted(counts, _busy(operations))


def _busy(operations: Sequence[Operation]) -> float:
    """Returns for how many seconds any of some operations was going on; they are sorted by when they began."""
    busy, until = 0.0, float("-inf")
    for each in operations:
        end = each.began + each.seconds
        busy += max(0.0, end - max(each.began, until))
        until = max(until, end)
    return busy


def _handle(kind: str) -> object:
    from matplotlib.patches import Patch

    return Patch(color=_COLOURS[kind], label=kind)
