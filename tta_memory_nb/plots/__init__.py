"""Charts of records. Only this package imports matplotlib.

A chart is a `matplotlib.figure.Figure` that is made without pyplot. Making it chooses no backend, changes no
other figure and no setting, and leaves nothing to close. The figure renders itself as a PNG, which every
notebook shows, with ``%matplotlib`` or without, and as lines of text for a terminal.

Text from a memory is drawn literally, never as mathematics or TeX. Characters that no font has are escaped.
"""

from .findings import plot_findings
from .judged import plot_evaluation
from .records import plot_sessions, plot_sizes, plot_timeline, plot_ttl
from .traced import plot_trace

__all__ = [
    "plot_evaluation",
    "plot_findings",
    "plot_sessions",
    "plot_sizes",
    "plot_timeline",
    "plot_trace",
    "plot_ttl",
]
