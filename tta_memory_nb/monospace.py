"""Text in a terminal: how many cells of it a text takes, and bar charts out of characters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple
from unicodedata import category, east_asian_width

from .errors import harmless

_LONGEST_BAR = 30


class Bar(NamedTuple):
    """One line of a bar chart.

    Attributes:
        name: what is counted or measured.
        number: a count, or a measure between 0 and 1; the length of the bar.
        note: text behind the bar.
    """

    name: str
    number: float
    note: str = ""


def width(text: str) -> int:
    """Returns how many cells of a terminal a text takes."""
    if text.isascii():
        return len(text)
    return sum(
        0 if category(each) in ("Mn", "Me", "Cf") else 2 if east_asian_width(each) in "WF" else 1
        for each in text
    )


def padded(text: str, cells: int) -> str:
    """Returns a text with spaces behind it, so that it takes that many cells of a terminal."""
    return text + " " * (cells - width(text))


def bar_chart(title: str, bars: Sequence[Bar]) -> str:
    """Returns a bar chart in lines of text, with the control characters of names escaped.

    Args:
        title: the first line.
        bars: the lines below it, from top to bottom.
    """
    names = [harmless(bar.name) for bar in bars]
    widest = max(map(width, names), default=0)
    numbers = [
        f"{bar.number:,}" if isinstance(bar.number, int) else f"{bar.number:.3f}" for bar in bars
    ]
    digits = max(map(len, numbers), default=0)
    most = max((bar.number for bar in bars), default=0)
    lines = [title]
    for name, number, bar in zip(names, numbers, bars, strict=True):
        # Whatever there is is seen, however little it is beside the others.
        length = max(1, round(_LONGEST_BAR * bar.number / most)) if bar.number > 0 else 0
        drawn = f"{'█' * length:{_LONGEST_BAR}}"
        lines.append(f"{padded(name, widest)}  {number:>{digits}}  {drawn}  {bar.note}".rstrip())
    return "\n".join(lines)
