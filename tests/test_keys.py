"""Keys keep their form for ever, and warn when they cannot be parsed."""

from __future__ import annotations

import hashlib
import json
import warnings
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from json_values import any_text, json_objects

from tta_memory_nb import (
    AmbiguousKeyWarning,
    InvalidArgument,
    MemoryKey,
    create_memory_key,
    parse_memory_key,
)
from tta_memory_nb.keys import check_key, check_namespace

ids = any_text.filter(lambda text: text and ":" not in text)


@pytest.mark.parametrize(
    ("context", "key"),
    [
        (None, "alice:monday"),
        ({}, "alice:monday"),
        ({"a": 1}, "alice:monday:42b7b4f2"),
        ({"topic": "weather", "city": "Málaga"}, "alice:monday:07a3bb10"),
        ({"city": "Málaga", "topic": "weather"}, "alice:monday:07a3bb10"),
        ({"when": date(2026, 11, 22)}, "alice:monday:9eb41e9a"),
    ],
)
def test_keys_never_change_their_form(context, key):
    # Fixed texts: stored keys must be found by every later version.
    assert create_memory_key("alice", "monday", context) == key


@given(json_objects().filter(bool))
def test_the_hash_is_the_beginning_of_the_md5_of_sorted_json(context):
    text = json.dumps(context, sort_keys=True, default=str)
    digest = hashlib.md5(text.encode()).hexdigest()
    assert create_memory_key("u", "s", context) == f"u:s:{digest[:8]}"


@given(ids, ids, st.none() | json_objects())
def test_a_key_can_be_taken_apart_again(user, session, context):
    key = create_memory_key(user, session, context)
    parts = parse_memory_key(key)
    assert parts is not None
    assert (parts.user, parts.session) == (user, session)
    assert ":".join(part for part in parts if part) == key
    assert (parts.context_hash is None) is (not context)


@pytest.mark.parametrize(
    ("key", "parts"),
    [
        ("alice:monday", MemoryKey("alice", "monday")),
        ("alice:monday:0123abcd", MemoryKey("alice", "monday", "0123abcd")),
        ("alice:monday:0123ABCD", None),
        ("alice:monday:0123abc", None),
        ("alice:monday:0123abcde", None),
        ("alice:monday:0123abcd\n", None),
        ("alice:monday:tuesday", None),
        ("a:b:c:0123abcd", None),
        ("note", None),
        (":monday", None),
        ("alice:", None),
        ("alice::0123abcd", None),
        (":", None),
        ("", None),
        (None, None),
        (5, None),
    ],
)
def test_only_keys_of_the_form_are_taken_apart(key, parts):
    assert parse_memory_key(key) == parts


@pytest.mark.parametrize(
    ("user", "session", "named"),
    [("a:b", "c", "user_id='a:b'"), ("a", "b:c", "session_id='b:c'")],
)
def test_an_id_with_a_colon_makes_the_same_key_as_ever_but_warns(user, session, named):
    with pytest.warns(AmbiguousKeyWarning, match=named) as caught:
        assert create_memory_key(user, session) == "a:b:c"
    assert [warning.filename for warning in caught] == [__file__]


@given(ids, ids)
def test_other_ids_do_not_warn(user, session):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        create_memory_key(user, session, {"a": 1})
    assert caught == []


@pytest.mark.parametrize(
    ("user", "session", "key", "named"),
    [("", "s", ":s", "user_id is empty"), ("u", "", "u:", "session_id is empty")],
)
def test_an_empty_id_makes_the_same_key_as_ever_but_warns(user, session, key, named):
    with pytest.warns(AmbiguousKeyWarning, match=named) as caught:
        assert create_memory_key(user, session) == key
    assert [warning.filename for warning in caught] == [__file__]


def test_ids_that_are_no_text_are_written_as_text():
    assert create_memory_key(7, 3.5) == "7:3.5"


def test_a_context_whose_json_cannot_be_made_is_refused():
    ring: dict = {}
    ring["self"] = ring
    deep: dict = {}
    for _ in range(100_000):
        deep = {"a": deep}
    for context in ({1: "a", "b": 2}, {(1, 2): 3}, ring, deep):
        with pytest.raises(InvalidArgument, match="context="):
            create_memory_key("u", "s", context)


@pytest.mark.parametrize("check", [check_key, check_namespace])
def test_keys_and_namespaces_are_non_empty_text(check):
    assert check("ü a:*") == "ü a:*"
    for wrong in ("", None, 7, b"k"):
        with pytest.raises(InvalidArgument, match=repr(wrong)):
            check(wrong)
