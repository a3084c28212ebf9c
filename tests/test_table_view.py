"""What a person sees of a table of records: what it says first, short, with the match in sight."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Sequence
from html import unescape
from html.parser import HTMLParser

import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from json_values import any_text
from record_values import FEW, records

from tta_memory_nb import MemoryPrimitive, MemoryRecord
from tta_memory_nb.frames import frame_html, frame_text, hits_frame, records_frame
from tta_memory_nb.frames.layout import cut
from tta_memory_nb.main_field import main_field
from tta_memory_nb.table import flatten
from tta_memory_nb.text import fold, match_spans
from tta_memory_nb.times import ago

NOW = 1_800_000_000.0
DAY = 86_400.0
UUID = "842e34da-02f5-4904-a111-0000000000{:02x}"


class Table(HTMLParser):
    """The cells of a table in HTML: what is shown, what a hover shows, and what is marked."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.titles: list[list[str]] = []
        self.marked: list[str] = []
        self._in_cell = self._in_mark = False
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        if tag == "tr":
            self.rows.append([])
            self.titles.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")
            self.titles[-1].append(dict(attrs).get("title") or "")
            self._in_cell = True
        elif tag == "mark":
            self.marked.append("")
            self._in_mark = True

    def handle_endtag(self, tag):
        if tag in ("td", "th"):
            self._in_cell = False
        elif tag == "mark":
            self._in_mark = False

    def handle_data(self, data):
        if self._in_cell:
            self.rows[-1][-1] += data
        if self._in_mark:
            self.marked[-1] += data


def shown(made: Sequence[MemoryRecord], query: str = "") -> Table:
    if query:
        memory = MemoryPrimitive(max_size=10_000, clock=lambda: NOW).sync
        memory.import_(list(made))
        frame = hits_frame(memory.search_records(query), query=query, now=NOW)
    else:
        frame = records_frame(made, now=NOW)
    html = frame_html(frame)
    assert html is not None
    return Table(html)


def record(key: str, value: dict, at: float = NOW - 3660, **instants: float) -> MemoryRecord:
    return MemoryRecord(key, value, "n", **{"created_at": at, "updated_at": at, **instants})


# ---- which columns, in what order


def test_what_was_said_comes_first_then_who_and_when_then_the_key_and_other_fields():
    made = [
        record("ann:mon:0123abcd", {"turn": 1, "text": "rain"}, NOW - 3660),
        record("bob:tue:0123abcd", {"turn": 2, "text": "sun"}, NOW - 2.5 * DAY),
    ]
    table = shown(made)
    assert table.rows == [
        ["text", "user", "session", "updated", "key", "turn"],
        ["rain", "ann", "mon", "1 h ago", "ann:mon:0123abcd", "1"],
        ["sun", "bob", "tue", "2 days ago", "bob:tue:0123abcd", "2"],
    ]
    assert table.titles[1][3] == "2027-01-15 06:59:00Z"


def test_instants_are_shown_only_where_they_tell_something():
    same = [record(f"k{n}", {"text": "x"}) for n in range(2)]
    assert shown(same).rows[0] == ["text", "key"]
    assert shown(same[:1]).rows[0] == ["text", "updated", "key"]
    edited = [
        *same,
        record("e", {"text": "x"}, created_at=NOW - DAY, expires_at=NOW + 7260),
    ]
    assert shown(edited).rows[0] == ["text", "created", "expires", "key"]
    assert [row[2] for row in shown(edited).rows[1:]] == ["", "", "in 2 h"]


def test_the_field_that_matches_comes_first_and_other_fields_that_match_are_named():
    made = [
        record("a", {"text": "nothing of it", "note": "an umbrella", "n": 1}),
        record("b", {"text": "nothing", "note": "my umbrella"}),
    ]
    assert shown(made, "umbrella").rows[0][:2] == ["note", "key"]
    assert shown(made).rows[0][0] == "text"
    both = [record("a", {"text": "umbrella", "tags": ["umbrella"]}), made[1]]
    assert "matches" in shown(both, "umbrella").rows[0]
    only = [record("a", {"text": "umbrella", "n": 1})]
    assert "matches" not in shown(only, "umbrella").rows[0]


def test_a_table_whose_columns_were_chosen_keeps_them():
    frame = records_frame([record("ann:mon", {"turn": 1, "text": "rain"})], now=NOW)
    html = frame_html(frame[["turn", "text"]])
    assert Table(html).rows[0] == ["key", "turn", "text"]
    assert frame_text(frame[["turn"]]) == repr(frame[["turn"]])
    assert Table(frame_html(frame.assign(mine=1))).rows[0] == [
        *("text", "user", "session", "updated", "key", "turn", "mine")
    ]


def test_the_frame_itself_stays_complete():
    frame = records_frame([record("ann:mon", {"turn": 1, "text": "rain"})], query="rain", now=NOW)
    assert list(frame.columns) == [
        "user",
        "session",
        "created",
        "updated",
        "expires",
        "turn",
        "text",
    ]
    assert frame.index.tolist() == ["ann:mon"]


# ---- short


def test_a_match_far_inside_a_long_text_is_in_sight_and_marked():
    text = "before " * 200 + "my Favorite book" + " after" * 200
    table = shown([record("k", {"text": text})], "favorite book")
    assert table.marked == ["Favorite book"]
    cell = table.rows[1][0]
    assert cell.startswith("…")
    assert cell.endswith("…")
    assert len(cell) < 200
    assert table.titles[1][0] == text[:1000]


def test_identifiers_are_shortened_to_what_tells_them_apart_and_stay_whole_on_hover():
    made = [
        record(f"{UUID.format(n)}:831c6aab-9bb7-4a6a-8996-f821d5ffe30a", {"text": "x"}, NOW - n)
        for n in range(3)
    ]
    table = shown(made)
    user, session, key = (table.rows[0].index(name) for name in ("user", "session", "key"))
    assert [row[user] for row in table.rows[1:]] == ["…000000", "…000001", "…000002"]
    assert {row[session] for row in table.rows[1:]} == {"831c6a…"}
    assert table.titles[1][key] == made[0].key
    assert len({row[key] for row in table.rows[1:]}) == 3
    assert all(len(row[key]) <= 41 for row in table.rows[1:])


@pytest.mark.parametrize("name", ["alice", "a-b", "2027-01-15", "what-a-long-name-for-a-session"])
def test_names_that_people_read_are_not_shortened(name):
    made = [record(f"{name}:{name}", {"text": "x"}), record("b:c", {"text": "y"})]
    assert shown(made).rows[1][1] == name


@given(any_text, st.text(min_size=1, max_size=5), any_text, st.integers(12, 60))
@example("", "\xa0", "", 12)
def test_a_cut_text_shows_its_first_match(before, match, after, width):
    text = before * 9 + match + after * 9
    spans = match_spans(text, fold(match)) if fold(match) else []
    cell = cut(text, spans, width)
    assert len(cell.text) <= width + 2
    if spans and spans[0][1] - spans[0][0] <= width // 2:
        start, end = cell.spans[0]
        # Each space may be shown as a plain one.
        found, wanted = cell.text[start:end], text[spans[0][0] : spans[0][1]]
        assert re.sub(r"\s", " ", found) == re.sub(r"\s", " ", wanted)
    assert "\n" not in cell.text


# ---- in a terminal


def test_plain_text_has_the_same_order_and_fits_the_width():
    made = [
        record(
            f"ann:mon:{n:08x}", {"turn": n, "text": f"note {n} " + "long " * 40}, NOW - 60 * n - 30
        )
        for n in range(1, 4)
    ]
    lines = frame_text(records_frame(made, now=NOW)).split("\n")
    assert lines[0].split() == ["text", "user", "session", "updated", "key"]
    assert lines[1].startswith("note 1 long")
    assert "1 min ago" in lines[1]
    assert lines[-1] == "[1 more column]"
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize(
    ("is_terminal", "chosen", "width"),
    [(True, 80, 132), (False, 80, 80), (True, 60, 60), (False, 60, 60), (False, None, 80)],
)
def test_plain_text_is_as_wide_as_the_terminal_unless_the_user_has_chosen(
    monkeypatch, is_terminal, chosen, width
):
    frame = records_frame([record("k", {"text": "long " * 200})], now=NOW)
    monkeypatch.setenv("COLUMNS", "132")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: is_terminal, raising=False)
    with pd.option_context("display.width", chosen):
        lines = frame_text(frame).split("\n")
    assert width - 5 < max(map(len, lines)) <= width


def test_the_whole_text_of_a_cell_is_in_one_line_of_the_page():
    text = "first\n\n[link](http://evil.example)\r\rlast " + "long " * 60
    frame = records_frame([record("k", {"text": text, "note": text})], now=NOW)
    html = frame_html(frame)
    assert html is not None
    assert Table(html).titles[1][0] == text
    # An empty line would end the table where a Markdown file holds it.
    assert "\n\n" not in html
    assert "\r" not in html


def test_plain_text_counts_the_cells_of_wide_characters():
    made = [record("k", {"text": "張三" * 60}), record("l", {"text": "short"}, NOW - 2 * DAY)]
    lines = frame_text(records_frame(made, now=NOW)).split("\n")
    assert len(lines[1]) < 60
    assert lines[1].rstrip().endswith("k")


def test_control_characters_do_not_reach_a_terminal():
    text = frame_text(records_frame([record("k", {"te\x1bxt": "\x1b[31mred\u202e"})], now=NOW))
    assert "\x1b" not in text
    assert "\u202e" not in text


# ---- long tables, and any table


def test_a_long_table_shows_its_ends_and_how_long_it_is():
    frame = records_frame([record(f"k{n}", {"text": str(n)}) for n in range(100)], now=NOW)
    with pd.option_context("display.max_rows", 10, "display.min_rows", 4, "display.max_columns", 1):
        html, text = frame_html(frame), frame_text(frame)
    table = Table(html)
    assert "<p>100 rows × 2 columns, 1 of them not shown</p>" in html
    assert [row[0] for row in table.rows] == ["text", "0", "1", "…", "98", "99"]
    assert text.split("\n")[3] == "…"
    assert "[100 rows]" in text


@settings(max_examples=FEW)
@given(records())
def test_any_table_is_shown_without_markup_of_its_own(made):
    frame = records_frame(made, query="a", now=time.time())
    html = frame_html(frame)
    assert set(re.findall(r"<(\w+)", html.partition("</style>")[2])) <= {
        *("table", "thead", "tbody", "tr", "th", "td", "mark", "p", "div"),
    }
    assert html.encode()
    assert frame_text(frame).encode()


# ---- the field that carries the text


def test_the_main_field_is_found_by_its_name_or_else_by_its_length():
    speech = {("role",): ["user"], ("content",): ["hi"], ("meta", "id"): ["x" * 300]}
    assert main_field(speech) == ("content",)
    assert main_field({("at",): ["2027"], ("remark",): ["a long remark about it"]}) == ("remark",)
    assert main_field({("id",): [UUID.format(1) * 3], ("who",): ["ann"]}) == ("who",)
    assert main_field({("text",): ["", 5], ("n",): [1]}) is None
    often = {("text",): ["x"], ("message", "text"): ["x", "y"]}
    assert main_field(often) == ("message", "text")


@pytest.mark.parametrize(
    ("record", "main"),
    [
        # As mem0 gives memories, their history, and the payload of a vector.
        (
            {
                "id": UUID.format(1),
                "memory": "Likes tea",
                "hash": "0" * 32,
                "user_id": "ann",
                "metadata": {"title": "what Ann prefers to drink in the afternoon"},
            },
            ("memory",),
        ),
        (
            {"event": "UPDATE", "old_memory": "Likes tea and milk", "new_memory": "Likes tea"},
            ("new_memory",),
        ),
        ({"data": "Likes tea", "hash": "0" * 32, "user_id": "ann"}, ("data",)),
        # A block of Letta, and a pair of a key and a value.
        (
            {
                "label": "human",
                "value": "Ann lives in Lyon",
                "description": "What the agent has to know about the person that it talks to",
            },
            ("value",),
        ),
        ({"key": "home", "value": "Ann lives in Lyon"}, ("value",)),
        # An amount, an identifier, and a date are no text.
        ({"value": "900 EUR", "remark": "the rent of the flat in Lyon"}, ("remark",)),
        ({"data": UUID.format(1), "description": "a picture"}, ("description",)),
    ],
)
def test_the_main_field_of_what_other_tools_remember(record, main):
    found = main_field({path: (leaf,) for path, leaf in flatten(record).items()})
    assert found == main


# ---- relative times


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "just now"),
        (-59, "just now"),
        (30, "in 30 s"),
        (-60, "1 min ago"),
        (-3599, "59 min ago"),
        (-3600, "1 h ago"),
        (7200, "in 2 h"),
        (-DAY, "1 day ago"),
        (-6.5 * DAY, "6 days ago"),
        (-7 * DAY, "2027-01-08"),
        (30 * DAY, "2027-02-14"),
    ],
)
def test_an_instant_is_told_as_a_distance_for_a_week(seconds, text):
    assert ago(NOW + seconds, NOW) == text


# ---- nothing


def test_a_table_without_records_says_so_in_one_sentence_and_what_to_try():
    hostile = "<b>zz\u202e"
    for frame, said in (
        (hits_frame([], query=hostile), "No record matches “&lt;b&gt;zz\\u202e”."),
        (records_frame([]), "%memory add KEY text adds one."),
    ):
        html = frame_html(frame)
        assert html is not None
        assert said in html
        assert "<table" not in html
        assert frame_text(frame) == unescape(re.sub("<[^>]*>", "", html))
        # Whoever has chosen columns sees that they are there.
        assert "created" in (frame_html(frame[["created"]]) or "")
