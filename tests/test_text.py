"""A search compares the folded texts that a reader sees, piece by piece."""

from __future__ import annotations

import sys
from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st
from json_values import any_text, json_objects, leaves, pieces

from tta_memory_nb.codec import from_json, snapshot, to_json, to_plain
from tta_memory_nb.text import (
    BORDER,
    Needle,
    fold,
    leaf_text,
    match_spans,
    matching_paths,
    searchable,
    searchable_json,
    to_utf8,
)

# These letters fold in unusual ways, and the marks compose with them.
odd_text = st.text(
    'aAZzsSßſẞıİIiσςΣΐΰᾳᾼﬁﬀŉǰK\u0345\u0301\u0308\u0327é\ud83d\ude42🙂天ｶガ"\\:,{} 1.e'
)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Málaga", "MÁLAGA"),
        ("é", "e\u0301"),
        ("É", "e\u0301"),
        ("straße", "STRASSE"),
        ("STRAẞE", "strasse"),
        ("ΣΊΣΥΦΟΣ", "Σίσυφος"),
        ("ς", "σ"),
        ("ﬁne", "FINE"),
        ("ﬀ", "ff"),
        ("\N{KELVIN SIGN}", "k"),
        ("\N{ANGSTROM SIGN}", "å"),
        ("ſ", "S"),
        ("q\u0323\u0307", "Q\u0307\u0323"),
        ("\u1fb3", "\u03b1\u0345"),
        ("\u1fb7", "\u0391\u0342\u0345"),
        ("가", "\u1100\u1161"),
    ],
)
def test_texts_a_reader_calls_the_same_fold_to_the_same(one, other):
    assert fold(one) == fold(other)


@pytest.mark.parametrize(("one", "other"), [("e", "é"), ("ı", "i"), ("１", "1"), ("カ", "ガ")])
def test_texts_a_reader_distinguishes_stay_different(one, other):
    assert fold(one) != fold(other)


@pytest.mark.parametrize("text", ["🙂👩‍👩‍👧", "天気", "\ud800", "a\udfffb", "\x00", ""])
def test_scripts_without_case_stay_as_they_are(text):
    assert fold(text) == text


def test_folded_text_never_holds_the_border_and_folding_again_changes_nothing():
    # Every code point, alone and after composition: no match may ever cross a border.
    wrong = []
    for code in range(sys.maxunicode + 1):
        character = chr(code)
        folded = fold(character)
        forms = (folded, normalize("NFC", folded), fold(normalize("NFD", character)))
        if fold(folded) != folded or not folded or any(BORDER in form for form in forms):
            wrong.append(f"U+{code:04X}")
    assert wrong == []


@given(any_text | odd_text)
def test_folding_twice_is_folding_once(text):
    assert fold(fold(text)) == fold(text)
    assert BORDER not in fold(text)


@given(any_text | odd_text)
def test_composed_and_decomposed_text_fold_to_the_same(text):
    assert fold(normalize("NFC", text)) == fold(text) == fold(normalize("NFD", text))


@given(any_text)
def test_the_fast_path_for_ascii_gives_the_same_result(text):
    ascii_only = "".join(character for character in text if character.isascii())
    assert fold(ascii_only) == normalize("NFC", normalize("NFD", ascii_only).casefold())


@given(st.data())
def test_a_search_answers_as_the_naive_definition(data):
    value = data.draw(json_objects(leaves | odd_text))
    texts = list(pieces(value)) or [""]
    # Half of the queries are pieces of the value itself; others rarely match.
    part = data.draw(st.sampled_from(texts))
    start = data.draw(st.integers(0, len(part)))
    cut = part[start : data.draw(st.integers(start, len(part)))]
    query = data.draw(st.sampled_from([cut, cut.upper(), cut.swapcase()]) | odd_text)
    needle = fold(query)
    expected = any(needle in fold(text) for text in texts) if query and value else False
    if query:
        stored = from_json(to_json(to_plain(value)))
        assert (needle in searchable(stored)) is expected
        assert bool(matching_paths(stored, needle)) is expected


@pytest.mark.parametrize(
    "query",
    [
        '"',
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        '": "',
        "\\u00e1",
        "\\n",
        "\\",
        "Z",
        "z",
        "ab",
        "b1",
        "\n1",
    ],
)
def test_punctuation_escapes_and_borders_never_match(query):
    value = {"a": "b", "n": [1, {"deep": "á\n", "c": ""}], "e": {}}
    assert fold(query) not in searchable(value)
    assert matching_paths(value, fold(query)) == ()


@pytest.mark.parametrize("query", ['say "hi"', "{curly}", "a:b", "back\\slash", "line\nbreak"])
def test_punctuation_inside_a_text_does_match(query):
    value = {"text": f"x {query} y"}
    assert fold(query) in searchable(value)
    assert matching_paths(value, fold(query)) == ("text",)


@pytest.mark.parametrize(
    ("leaf", "text"),
    [
        ("Text", "Text"),
        (True, "true"),
        (False, "false"),
        (None, "null"),
        (1, "1"),
        (-0.5, "-0.5"),
        (1e22, "1e+22"),
    ],
)
def test_a_leaf_reads_as_json_writes_it_without_quotes(leaf, text):
    assert leaf_text(leaf) == text


def test_paths_name_fields_and_positions_in_field_order_once_each():
    value = {
        "Rain": "rain",
        "agent": {"tags": ["sun", "RAIN", ["rain"]], "rain": {"n": 1}},
        "none": "no",
    }
    assert matching_paths(value, "rain") == (
        "Rain",
        "agent.tags[1]",
        "agent.tags[2][0]",
        "agent.rain",
    )


def test_a_value_as_deep_as_the_codec_allows_is_searched():
    value: dict = {"text": "bottom"}
    for _ in range(199):
        value = {"a": value}
    assert "bottom" in searchable(value)
    assert matching_paths(value, "bottom") == ("a." * 199 + "text",)


# ---- the same for JSON text


def test_no_text_folds_to_a_quote_or_composes_with_one():
    # Therefore JSON text can be folded as a whole and then split at its quotes.
    wrong = []
    for code in range(sys.maxunicode + 1):
        folded = fold(chr(code))
        if fold(f'a"{chr(code)}"b') != f'a"{folded}"b' or (code != ord('"') and '"' in folded):
            wrong.append(f"U+{code:04X}")
    assert wrong == []


numbers = st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from(
    [1e16, 1e15, 1e-5, 1e-4, 1e-7, 0.0001234, -0.0, 1.5e300, 2**64, -(2**63) - 1, 10**400]
)


@given(json_objects(leaves | odd_text | numbers))
def test_json_text_gives_the_same_pieces_as_the_value_in_it(value):
    text = snapshot(value)
    there = searchable_json(text).split(BORDER.encode())
    expected = [to_utf8(fold(piece)) for piece in pieces(value)]
    # A text without pieces has the empty piece.
    assert sorted(there) == sorted(expected or [b""])


@given(json_objects(leaves | odd_text | numbers), st.data())
def test_the_quick_check_of_json_text_misses_nothing(value, data):
    text = snapshot(value)
    there = data.draw(st.sampled_from([*pieces(value), "e", "1e", "+1", '"', "\\", "\n", "k"]))
    start = data.draw(st.integers(0, max(0, len(there) - 1)))
    folded = fold(there[start : start + data.draw(st.integers(1, 8))])
    if folded:
        needle = Needle(folded)
        assert needle.at_a_glance()(text) or needle.utf8 not in searchable_json(text)


def test_the_quick_check_of_json_text_skips_most_texts_without_a_match():
    glance = Needle("umbrella").at_a_glance()
    assert glance(snapshot({"text": "My UMBRELLA"}))
    assert not glance(snapshot({"text": "the sun", "n": 1.5}))
    assert not Needle("málaga").at_a_glance()(snapshot({"text": "Malaga"}))


# ---- spans of matches


@pytest.mark.parametrize(
    ("text", "query", "marked"),
    [
        ("It RAINS, and rains", "rain", ["RAIN", "rain"]),
        ("Straße", "ss", ["ß"]),
        ("STRASSE", "straße", ["STRASSE"]),
        ("Cafe\u0301 bar", "fé", ["fe\u0301"]),
        ("Café", "e", []),
        ("aaa", "aa", ["aa"]),
        ("ς σ Σ", "σ", ["ς", "σ", "Σ"]),
        ("한국", fold("한"), ["한"]),
        ("\u1112\u1161\u11ab", "한", ["\u1112\u1161\u11ab"]),
    ],
)
def test_matches_are_located_in_the_original_text(text, query, marked):
    spans = match_spans(text, fold(query))
    assert [text[start:end] for start, end in spans] == marked


@given(
    st.text("aAß́eÉσςΣ한ᆫ 🙂i\u0130", max_size=12),
    st.text("aAß́eÉσς한 🙂i\u0307", min_size=1, max_size=3),
)
def test_spans_are_located_exactly_where_a_search_finds_a_match(text, query):
    needle = fold(query)
    spans = match_spans(text, needle)
    assert bool(spans) == (needle in fold(text))
    assert all(needle in fold(text[start:end]) for start, end in spans)
    assert all(start < end for start, end in spans)
    assert [*spans] == sorted(spans)
