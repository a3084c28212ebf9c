"""Charts of evaluations: how well each mode answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .figures import BLUE, GREY, GRID, INK, PAPER, axes_of, counted, styled_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..evaluation.result import Evaluation

# Told apart by people who see few colours, too: they differ in lightness.
_MODES = {"keyword": GREY, "ranked": BLUE, "semantic": "#e0a458", "hybrid": "#1f3a5f"}


def plot_evaluation(evaluation: Evaluation) -> Figure:
    """Draws how well each mode answers judged questions: means, with their 95 % intervals.

    Raises:
        MissingPackage: matplotlib is not installed.
    """
    with styled_figure() as figure:
        from matplotlib.patheffects import AbstractPathEffect, withStroke

        # A line is seen on the page and on a dark bar alike.
        outlined: list[AbstractPathEffect] = [withStroke(linewidth=3, foreground=PAPER)]
        count = counted(len(evaluation.questions), "judged question")
        measures, modes = evaluation.measures, evaluation.modes
        axes = axes_of(
            figure,
            f"{count}, mean and 95 % interval",
            [f"{measure} {mode}" for measure in measures for mode in modes],
            [evaluation.mean(mode, measure) for measure in measures for mode in modes],
        )
        width = 0.8 / len(modes)
        for number, mode in enumerate(modes):
            means = [evaluation.mean(mode, measure) for measure in measures]
            ends = [evaluation.interval(mode, measure) for measure in measures]
            bars = axes.bar(
                [place + (number + 0.5) * width - 0.4 for place in range(len(measures))],
                means,
                width,
                color=_MODES[mode],
                edgecolor=PAPER,
                label=mode,
                # The mean of a resampled interval may lie outside of it by a rounding error.
                yerr=[
                    [max(0.0, mean - low) for mean, (low, _) in zip(means, ends, strict=True)],
                    [max(0.0, high - mean) for mean, (_, high) in zip(means, ends, strict=True)],
                ],
                error_kw={"ecolor": INK, "elinewidth": 1, "capsize": 2},
            )
            assert bars.errorbar is not None  # since it was asked for
            _, caps, intervals = bars.errorbar.lines
            for line in (*caps, *intervals):
                line.set_path_effects(outlined)
        axes.set_xticks(range(len(measures)), measures)
        axes.tick_params(axis="x", length=0, labelsize=9)
        axes.set_ylim(0, 1.02)
        axes.grid(axis="y", color=GRID)
        axes.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
        return figure
