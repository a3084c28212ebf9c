"""What a person sees of a table of records: which columns, in what order, and how short. Without pandas."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias
from unicodedata import category

from ..codec import to_json
from ..errors import JOINERS
from ..identifiers import is_identifier, readable
from ..main_field import main_field
from ..table import ABSENT, HIT_META, INSTANTS, Path
from ..text import fold, match_spans
from ..times import ago, shown_instant

Kind: TypeAlias = Literal["main", "text", "number", "time", "key", "score", "why"]

Marks: TypeAlias = Callable[[str], Sequence[tuple[int, int]]]
"""Returns start and end of the places in a text that match what was searched for."""

SIGNALS = ("words", "soft words", "around", "who", "when", "session", "meaning")
"""What contributes to a score, in the order of its columns; see ``search.request.Signal``."""

WHY = "why"
"""The column of a table of explained hits that names the words behind each part of the score."""

MATCHES = "matches"
"""The column of a table of hits that names the fields that match."""

SCORE = "score"
"""The column of a table of hits that says how well each answers."""

TEXT = "text"
"""The column of a table of explained hits that holds what each record says."""

_MAIN_WIDTH, _TEXT_WIDTH = 160, 40
_LONGEST_LETTER = 20  # characters: a family of emoji has about ten
# A hover shows no more of a cell than this, so that a page of long texts stays small.
_MOST_OF_WHOLE = 1000
# What would break a line. Other spaces, such as no-break and ideographic ones, belong to their text.
_SPACE = re.compile("[\t-\r\x1c-\x1f\x85\u2028\u2029]")


class Cell(NamedTuple):
    """A cell as it is shown.

    Attributes:
        text: in one line, cut.
        whole: what the cell stands for, if that is more; empty otherwise.
        spans: start and end of the places in `text` that match what was searched for.
        bars: of a score, what contributes to it and its share of the greatest score of the table.
    """

    text: str
    whole: str = ""
    spans: tuple[tuple[int, int], ...] = ()
    bars: tuple[tuple[str, float], ...] = ()


EMPTY = Cell("")


@dataclass(frozen=True, slots=True)
class Column:
    """A column as it is shown.

    Attributes:
        name: the name of the DataFrame's column, or of its index.
        kind: how wide it may be, and what of it may be cut.
        cells: one for each row.
    """

    name: str
    kind: Kind
    cells: Sequence[Cell]


def lay_out(
    keys: Sequence[str],
    columns: Mapping[str, Sequence[Any]],
    paths: Mapping[str, Path],
    query: str | Sequence[str],
    now: float,
) -> list[Column]:
    """Returns the columns to show, the most telling first.

    First comes the field that matches the query in most rows, or else the field that carries the text.
    Then come who and when, the key, other fields that match, and all other fields. An instant that is
    the same in every row, or missing, tells nothing and is left out.

    Args:
        keys: the index.
        columns: the cells of each column: leaves, `ABSENT` for none, and for instants Unix seconds.
        paths: the path of each column that is a field.
        query: the text or the words that were searched for; empty for nothing.
        now: Unix seconds from which relative times are counted.
    """
    marks = marks_of(query)
    fields = {name: _other_field(columns[name], marks) for name in paths}
    hits = {
        name: sum(bool(cell.spans) for cell in cells) for name, cells in fields.items() if marks
    }
    main = _main(columns, paths, hits)
    rest = sorted((name for name in fields if name != main), key=lambda name: -hits.get(name, 0))
    made: list[Column] = []
    if main is not None:
        made.append(Column(main, "main", _field(columns[main], marks, _MAIN_WIDTH)))
    if set(columns.get(MATCHES, ())) - {main, ABSENT}:
        made.append(Column(MATCHES, "text", _field(columns[MATCHES], None)))
    if SCORE in columns:
        made.append(Column(SCORE, "number", [Cell(f"{cell:.2f}") for cell in columns[SCORE]]))
    made += (
        Column(name, "text", _short(columns[name]))
        for name in ("user", "session")
        if any(cell is not ABSENT for cell in columns[name])
    )
    made += (
        Column(name, "time", [_when(at, now) for at in columns[name]])
        for name in INSTANTS
        if _tells(name, columns)
    )
    made.append(Column("key", "key", _short(keys)))
    for name in rest:
        kind: Kind = "number" if _are_numbers(columns[name]) else "text"
        made.append(Column(name, kind, fields[name]))
    return made


def _main(
    columns: Mapping[str, Sequence[Any]], paths: Mapping[str, Path], hits: Mapping[str, int]
) -> str | None:
    matching = [name for name, count in hits.items() if count and _has_text(columns[name])]
    most = max((hits[name] for name in matching), default=0)
    # Of the fields that match, only those that match as often as any; of all fields, any.
    candidates = [name for name in matching if hits[name] == most] or list(paths)
    names = {paths[name]: name for name in candidates}
    path = main_field({path: columns[name] for path, name in names.items()})
    return None if path is None else names[path]


def _has_text(cells: Sequence[Any]) -> bool:
    return any(isinstance(cell, str) for cell in cells)


def _are_numbers(cells: Sequence[Any]) -> bool:
    return all(cell is ABSENT or isinstance(cell, (int, float)) for cell in cells)


def _tells(name: str, columns: Mapping[str, Sequence[Any]]) -> bool:
    """Whether a column of instants says something that no other column says."""
    cells = columns[name]
    if all(cell is ABSENT for cell in cells):
        return False
    if name == "created" and list(cells) == list(columns["updated"]):
        return False
    return len(cells) == 1 or len(set(cells)) > 1


def lay_out_explained(
    keys: Sequence[str], columns: Mapping[str, Sequence[Any]], words: Sequence[str]
) -> list[Column]:
    """Returns the columns to show of explained hits: text, score with its parts, why, and the key.

    Args:
        keys: the index.
        columns: ``text``, ``score``, the signals and `WHY`, with their cells.
        words: the words to mark in the texts.
    """
    scores = columns[SCORE]
    signals = [name for name in columns if name in SIGNALS]
    # Shares of the whole width: a bar is as long as its score among the scores of the table.
    most = max(
        (sum(abs(columns[name][row]) for name in signals) for row in range(len(keys))), default=0
    )
    bars = [
        tuple((name, abs(columns[name][row]) / most) for name in signals if columns[name][row])
        for row in range(len(keys))
    ]
    return [
        Column(TEXT, "main", _field(columns[TEXT], marks_of(words), _MAIN_WIDTH)),
        Column(
            SCORE,
            "score",
            [Cell(f"{score:.2f}", bars=each) for score, each in zip(scores, bars, strict=True)],
        ),
        *(
            Column(
                name, "number", [Cell(f"{cell:.2f}") if cell else EMPTY for cell in columns[name]]
            )
            for name in signals
        ),
        Column(WHY, "why", _field(columns[WHY], None, _MAIN_WIDTH)),
        Column("key", "key", _short(keys)),
    ]


def marks_of(query: str | Sequence[str]) -> Marks | None:
    """Returns what finds the places to mark: of a text, wherever it stands; of words, whole words only."""
    if not query:
        return None
    if isinstance(query, str):
        folded = fold(query)
        return lambda text: match_spans(text, folded)
    pattern = re.compile("|".join(map(_whole_word, query)), re.IGNORECASE)
    return lambda text: [found.span() for found in pattern.finditer(text)]


def _whole_word(word: str) -> str:
    # Scripts without capital letters include those that are written without spaces between words.
    if any(category(letter) == "Lo" for letter in word):
        return re.escape(word)
    return rf"(?<!\w){re.escape(word)}(?!\w)"


def _field(cells: Sequence[Any], marks: Marks | None, width: int = _TEXT_WIDTH) -> list[Cell]:
    return [_leaf(cell, marks, width) for cell in cells]


def _other_field(cells: Sequence[Any], marks: Marks | None) -> list[Cell]:
    texts = [cell for cell in cells if cell is not ABSENT]
    if marks is None and all(isinstance(text, str) and is_identifier(text) for text in texts):
        return _short(cells)
    return _field(cells, marks)


def _leaf(leaf: Any, marks: Marks | None, width: int) -> Cell:
    if leaf is ABSENT:
        return EMPTY
    if not isinstance(leaf, str):
        leaf = to_json(leaf) if isinstance(leaf, (list, dict)) else str(leaf)
    return cut(leaf, marks(leaf) if marks else (), width)


def _when(at: Any, now: float) -> Cell:
    return EMPTY if at is ABSENT else Cell(ago(at, now), shown_instant(at))


def cut(text: str, spans: Sequence[tuple[int, int]], width: int) -> Cell:
    """Returns a text in one line of at most about `width` characters, in which the first match is seen.

    Args:
        text: any text.
        spans: start and end of the matches, in order.
        width: characters.
    """
    line = _SPACE.sub(" ", text)  # character by character, so that spans stay where they are
    whole = "" if line == text and len(text) <= width else text[:_MOST_OF_WHOLE]
    if len(line) <= width:
        return Cell(line, whole, tuple(spans))
    start = 0
    if spans and spans[0][1] > width - 1:
        # A third of the room is for what comes before the match.
        start = _border(line, max(0, min(spans[0][0] - width // 3, len(line) - width)))
    end = _border(line, start + width)
    before, after = "…" if start else "", "…" if end < len(line) else ""
    moved = len(before) - start
    kept = tuple((a + moved, min(b, end) + moved) for a, b in spans if start <= a < end)
    return Cell(f"{before}{line[start:end]}{after}", whole, kept)


def _border(line: str, at: int) -> int:
    """Returns the next position before which no letter is cut off from its marks, and no emoji from its parts."""
    for border in range(at, max(0, at - _LONGEST_LETTER), -1):
        if border >= len(line) or not (
            line[border] in JOINERS
            or line[border - 1] in JOINERS
            or category(line[border])[0] == "M"
        ):
            return border
    return at


def _short(texts: Sequence[Any]) -> list[Cell]:
    """Returns keys and names, identifiers in them cut to what tells them apart in this table."""
    names = readable(text for text in texts if text is not ABSENT)

    def shown(text: Any) -> Cell:
        if text is ABSENT:
            return EMPTY
        cell = cut(names[text], (), _TEXT_WIDTH)
        return cell._replace(whole="" if cell.text == text else text[:_MOST_OF_WHOLE])

    return [shown(text) for text in texts]


def columns_that_are_fields(names: Sequence[str]) -> list[str]:
    """Returns the names without those of the columns that describe the record or the hit."""
    return [name for name in names if name not in HIT_META]
