"""Charts of what the doctor finds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..memory.doctor.finding import SEVERITIES
from .figures import FAINT, GREY, INK, PAPER, axes_of, counted, empty_figure, styled_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..memory.doctor.finding import Finding

_SEVERITIES = {"high": "#a4343a", "medium": "#e0a458", "low": GREY}


def plot_findings(findings: Sequence[Finding]) -> Figure:
    """Draws how many findings each check of the doctor has, the most harmful on top.

    Raises:
        MissingPackage: matplotlib is not installed.
    """
    counts = Counter((finding.check, finding.severity) for finding in findings)
    checks = list(dict.fromkeys(finding.check for finding in findings))
    with styled_figure(height=1.1 + 0.28 * max(len(checks), 4)) as figure:
        if not checks:
            return empty_figure(figure, "no check has found anything")
        from matplotlib.ticker import MaxNLocator

        totals = [sum(counts[check, severity] for severity in SEVERITIES) for check in checks]
        axes = axes_of(figure, counted(len(findings), "finding"), checks, totals)
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
                    edgecolor=PAPER,
                )
                starts = [start + width for start, width in zip(starts, widths, strict=True)]
        for place, total in enumerate(totals):
            axes.text(total, place, f" {total:,}", va="center", color=FAINT, fontsize=9)
        if max(totals) > 50 * min(totals):
            axes.set_xscale("symlog", linthresh=10)
            axes.set_xlabel("findings, the scale is logarithmic above 10")
        else:
            axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        axes.invert_yaxis()
        axes.tick_params(axis="y", length=0, labelcolor=INK)
        axes.margins(x=0.12)
        axes.legend(loc="lower right", frameon=False)
        return figure
