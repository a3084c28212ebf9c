"""Tables of explained hits: the parts of each score, and nothing of a record that is not escaped."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from json_values import any_text

from tta_memory_nb.entry import Entry, new_entry
from tta_memory_nb.frames import (
    explained_frame,
    frame_html,
    frame_text,
    hits_frame,
    matched_words,
    records_frame,
)
from tta_memory_nb.frames.explained import why
from tta_memory_nb.frames.layout import SIGNALS, marks_of
from tta_memory_nb.search.request import Contribution, Hit, Span


class Explained:
    """A `Matcher` that gives the parts it was made of."""

    def __init__(self, *parts: Contribution) -> None:
        self.parts = parts

    def paths(self, value: dict[str, Any]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(part.field for part in self.parts if part.field))

    def spans(self, value: dict[str, Any]) -> tuple[Span, ...]:
        return tuple(part.span for part in self.parts if part.span)

    def explain(self, value: dict[str, Any], score: float) -> tuple[Contribution, ...]:
        return self.parts


def hit(key: str, text: str, *parts: Contribution) -> Hit:
    entry: Entry = new_entry(key, {"speaker": "Ana", "text": text}, 0.0, None)
    return Hit(entry, sum(part.amount for part in parts), Explained(*parts))


def words(amount: float, matched: str, asked: str | None = None) -> Contribution:
    return Contribution("words", amount, "text", None, asked or matched, matched)


MOVED = hit(
    "chat:march",
    "I have moved to Lyon",
    words(1.0, "moved", "move"),
    words(0.5, "Lyon", "lyon"),
    Contribution("who", 0.85, "speaker", None, "ana", "Ana"),
)
FLAT = hit(
    "chat:april",
    "How is the new flat?",
    Contribution("around", 0.4, None, None, "lyon", "Lyon", "chat:march"),
)


def test_a_column_for_each_part_sums_to_the_score_and_why_names_the_words():
    frame = explained_frame([MOVED, FLAT])
    assert list(frame.columns) == ["text", "score", "words", "around", "who", "why"]
    assert list(frame.index) == ["chat:march", "chat:april"]
    assert list(frame["words"]) == [1.5, 0.0]
    assert frame[["words", "around", "who"]].sum(axis=1).tolist() == pytest.approx(
        frame["score"].tolist()
    )
    assert list(frame["why"]) == ["words: moved (for move), Lyon; who: Ana", "around: Lyon"]


def test_bars_are_as_long_as_the_parts_of_the_score():
    html = frame_html(explained_frame([MOVED, FLAT])) or ""
    widths = re.findall(r'title="(\w+)" style="width: ([\d.]+)%', html)
    assert widths == [("words", "63.8"), ("who", "36.2"), ("around", "17.0")]
    assert "I have <mark>moved</mark> to <mark>Lyon</mark>" in html
    text = frame_text(explained_frame([MOVED, FLAT]))
    assert text.splitlines() == [
        "text                  score  words  around  who   key",
        "I have moved to Lyon  2.35   1.50           0.85  chat:march",
        "  words: moved (for move), Lyon; who: Ana",
        "How is the new flat?  0.40          0.40          chat:april",
        "  around: Lyon",
    ]


def test_a_selection_of_an_explained_table_shows_the_columns_that_were_chosen():
    frame = explained_frame([MOVED, FLAT])[["score", "why"]]
    html = frame_html(frame) or ""
    assert "tta-bar" not in html
    assert "around: Lyon" in html


def test_nothing_found_is_an_empty_table():
    assert list(explained_frame([]).columns) == ["text", "score", "why"]
    assert frame_html(explained_frame([]))


def test_a_score_is_shown_for_a_mode_that_ranks_and_its_words_are_marked():
    records = [each.record("default") for each in (MOVED, FLAT)]
    marked = matched_words([MOVED.explanation, FLAT.explanation])
    frame = hits_frame(records, query=marked, ranked=True)
    assert list(frame.columns[5:7]) == ["score", "matches"]
    assert list(frame["score"]) == pytest.approx([2.35, 0.4])
    html = frame_html(frame) or ""
    assert "I have <mark>moved</mark> to <mark>Lyon</mark>" in html
    assert ">2.35</td>" in html
    assert "score" not in hits_frame(records, query="moved").columns


def test_a_table_with_scores_is_imported_without_them():
    from tta_memory_nb import MemoryPrimitive

    memory = MemoryPrimitive().sync
    memory.import_(hits_frame([MOVED.record("default")], query=["moved"], ranked=True))
    assert memory.get("chat:march") == {"speaker": "Ana", "text": "I have moved to Lyon"}


parts = st.builds(
    Contribution,
    st.sampled_from(SIGNALS),
    st.floats(-2, 2),
    st.none(),
    st.none(),
    st.none() | any_text,
    st.none() | any_text,
)


@given(
    st.lists(st.tuples(any_text.filter(bool), any_text, st.lists(parts, max_size=4)), max_size=3)
)
def test_hostile_words_and_texts_reach_neither_markup_nor_terminal(found):
    frame = explained_frame([hit(key, text, *each) for key, text, each in found])
    html = frame_html(frame) or ""
    allowed = r"</?(?:div|style|table|thead|tbody|tr|th|td|mark|span|p)\b[^<>]*>"
    assert "<" not in re.sub(allowed, "", html)
    shown = frame_text(frame)
    assert all(
        character.isprintable() or character in " \n" for character in shown if character < "\xa0"
    )
    for name in frame.columns[2:-1]:
        assert name in SIGNALS


def test_markup_in_a_word_is_escaped():
    hostile = hit("k", "<b>x</b>", words(1.0, "<img src=x onerror=alert(1)>"))
    assert "<img" not in (frame_html(explained_frame([hostile])) or "")
    assert why(hostile.explanation) == "words: <img src=x onerror=alert(1)>"


@pytest.mark.parametrize(
    ("query", "text", "marked"),
    [
        ("rain", "Rain, rainy", ["Rain", "rain"]),
        (["rain"], "Rain, rainy", ["Rain"]),
        (["a.b", "C++"], "a.b axb c++!", ["a.b", "c++"]),
        (["天気"], "今日の天気は", ["天気"]),
        ([], "rain", []),
    ],
)
def test_text_is_marked_wherever_it_stands_and_words_as_a_whole(query, text, marked):
    marks = marks_of(query)
    assert [text[start:end] for start, end in (marks(text) if marks else [])] == marked


def test_other_tables_have_no_bars():
    assert 'tta-bar"' not in (frame_html(records_frame([MOVED.record("default")])) or "")
