"""Hits with the parts of their scores as a pandas DataFrame."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ..main_field import main_field
from ..search.request import Contribution, Hit, Reading
from ..table import PATHS_ATTR, flatten, portable
from ..text import leaf_text
from .layout import SCORE, SIGNALS, TEXT, WHY

if TYPE_CHECKING:
    import pandas as pd

    from ..memory.why import Why

EXPLAINED_ATTR = "tta_memory_nb.explained"
"""Key in ``attrs`` of a table of explained hits, for what is needed only to show it: the words to mark."""

_DIGITS = 3
_MOST_WORDS = 4
"""How many words, of each part of a score, are named."""


def explained_frame(hits: Sequence[Hit]) -> pd.DataFrame:
    """Returns a table with a row for each hit, and a column for each part of the scores.

    The index is ``key``. The columns are ``text`` (the field that carries it), ``score``, the signals of
    which some hit has a part, whose numbers sum to the score, and ``why``, which names the words behind them.
    """
    import pandas as pd

    parts = [hit.explanation for hit in hits]
    amounts = [_amounts(each) for each in parts]
    signals = [name for name in SIGNALS if any(name in each for each in amounts)]
    columns: dict[str, list[Any]] = {
        TEXT: list(map(portable, _texts(hits))),
        SCORE: [hit.score for hit in hits],
        **{name: [each.get(name, 0.0) for each in amounts] for name in signals},
        WHY: [portable(why(each)) for each in parts],
    }
    index = pd.Index([portable(hit.entry.key) for hit in hits], dtype=object, name="key")
    frame = pd.DataFrame(columns, index)
    frame.attrs[PATHS_ATTR] = None  # displayed like the tables of records, without being one
    frame.attrs[EXPLAINED_ATTR] = {"words": matched_words(parts)}
    return frame


def understood(reading: Reading, *, in_full: bool, shown: Callable[[str], str]) -> list[str]:
    """Returns lines that say how a query was understood.

    Args:
        reading: how it was understood.
        in_full: also say what is as expected: the words looked for, and those left out.
        shown: makes text of the query and of the memory fit to be shown.
    """
    expected = [("words", reading.words), ("who", reading.who), ("left out", reading.dropped)]
    surprising = [
        ("searched for", tuple(f"{new} instead of {old}" for old, new in reading.corrected)),
        ("in no record", reading.unknown),
    ]
    if reading.mode == "semantic":  # it compares meanings without a look at single words
        expected, surprising = [("who", reading.who)], []
    parts = [*expected, *surprising] if in_full else surprising
    named = [f"{what}: {shown(', '.join(words))}" for what, words in parts if words]
    lines = [] if reading.note is None else [f"{reading.mode} search: {shown(reading.note)}"]
    if reading.unread:
        lines.append(f"the last {reading.unread:,} characters of the question were not read")
    return [*lines, "; ".join(named)] if named else lines


def why_frame(why: Why) -> pd.DataFrame:
    """Returns a table with a row for each signal that adds to the score of a record or of the best one.

    The index is ``signal``. The columns are ``record`` and ``best``, what the signal adds to the score of
    either, rounded to 3 digits, and ``words``, the words behind it in the record.
    """
    import pandas as pd

    index = pd.Index([each.signal for each in why.signals], dtype=object, name="signal")
    words = [_named(why.explanation, each.signal) for each in why.signals]
    frame = pd.DataFrame(
        {
            "record": [round(each.record, _DIGITS) for each in why.signals],
            "best": [round(each.best, _DIGITS) for each in why.signals],
            "words": pd.Series(list(map(portable, words)), index, dtype=object),
        },
        index,
    )
    frame.attrs[PATHS_ATTR] = None  # displayed like the tables of records, without being one
    return frame


def is_explained(frame: pd.DataFrame) -> bool:
    """Returns whether a frame is a table of explained hits, with all of its columns."""
    names = list(frame.columns)
    return (
        EXPLAINED_ATTR in frame.attrs
        and frame.index.name == "key"
        and names[:2] == [TEXT, SCORE]
        and names[-1:] == [WHY]
    )


def is_reasons(frame: pd.DataFrame) -> bool:
    """Returns whether a frame is a table of `why_frame`, with all of its columns."""
    return frame.index.name == "signal" and list(frame.columns) == ["record", "best", "words"]


def matched_words(explanations: Sequence[Sequence[Contribution]]) -> list[str]:
    """Returns the words of records that matched, each once, for marking them in the texts."""
    return list(
        dict.fromkeys(
            portable(part.matched)
            for parts in explanations
            for part in parts
            if part.matched and part.signal in ("words", "soft words")
        )
    )


def why(parts: Sequence[Contribution]) -> str:
    """Returns the words behind a score, in the order of the signals: ``words: moved, flat; who: Ana``."""
    named = {signal: _named(parts, signal) for signal in SIGNALS}
    return "; ".join(f"{signal}: {words}" for signal, words in named.items() if words)


def _named(parts: Sequence[Contribution], signal: str) -> str:
    """Returns the words behind one signal, some of them if they are many."""
    words = list(
        dict.fromkeys(
            word_of(part)
            for part in parts
            if part.signal == signal and (part.matched or part.asked)
        )
    )
    return ", ".join(words[:_MOST_WORDS]) + (", ..." if len(words) > _MOST_WORDS else "")


def word_of(part: Contribution) -> str:
    """Returns the word of the record, and behind it the word of the query that it stands for, if another."""
    if part.matched is None:
        return part.asked or ""
    if part.asked is None or part.asked.casefold() == part.matched.casefold():
        return part.matched
    return f"{part.matched} (for {part.asked})"


def _amounts(parts: Sequence[Contribution]) -> dict[str, float]:
    """Returns the sum of each signal."""
    sums: dict[str, float] = {}
    for part in parts:
        sums[part.signal] = sums.get(part.signal, 0.0) + part.amount
    return sums


def _texts(hits: Sequence[Hit]) -> list[str]:
    """Returns what each record says: the field that carries the text of the hits, or else its first leaf."""
    rows = [flatten(hit.entry.value()) for hit in hits]
    paths = dict.fromkeys(path for row in rows for path in row)
    main = main_field({path: [row[path] for row in rows if path in row] for path in paths})
    texts = []
    for row in rows:
        leaf = row[main] if main in row else next(iter(row.values()), "")
        texts.append("" if isinstance(leaf, (list, dict)) else leaf_text(leaf))
    return texts
