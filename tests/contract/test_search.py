"""The contract of all backends: what a search finds, and filters."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from typing import Any

import pytest
from backends import EVERY_BACKEND, ONE_OF_EACH_KIND, Clock

from contract.reading import fill, keys_of
from tta_memory_nb import SyncMemory

# A test with a mark of its own runs on those backends only.
pytestmark = pytest.mark.backends(*EVERY_BACKEND)


# ---- search


@pytest.mark.backends(*ONE_OF_EACH_KIND)
def test_an_empty_query_finds_nothing(memory):
    fill(memory, "a")
    assert memory.search("") == []
    assert memory.search_records("") == []
    assert memory.count("") == 0


@pytest.mark.backends(*ONE_OF_EACH_KIND)
@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("RAIN", "It rains"),
        ("málaga", "MÁLAGA"),
        ("ma\u0301laga", "Málaga"),
        ("strasse", "Straße"),
        ("STRASSE", "straße"),
        ("ΟΔΥΣΣΕΥΣ", "Οδυσσευς"),
        ("ﬁne", "FINE"),
        ("天気", "今日の天気は"),
        ("🙂", "well 🙂!"),
        ("two words", "these Two Words here"),
        ("\u2028", "one\u2028two"),
    ],
)
def test_a_search_ignores_case_and_unicode_composition(memory, query, text):
    memory.add("k", {"text": text})
    memory.add("other", {"text": "nothing of the kind"})
    assert memory.search(query) == [{"text": text}]


@pytest.mark.backends(*ONE_OF_EACH_KIND)
def test_a_search_reads_field_names_and_every_kind_of_leaf(memory):
    value = {"Weather": {"wind": [12.5, True, None, "SE"]}, "n": -7}
    memory.add("k", value)
    for query in ("weather", "WIND", "12.5", "true", "null", "se", "-7", "n"):
        assert memory.search(query) == [value], query


@pytest.mark.backends(*ONE_OF_EACH_KIND)
@pytest.mark.parametrize("query", ["{", "}", '"', "[", "]", ":", ",", "\\u", "\\n", "name, ", "ab"])
def test_json_punctuation_escapes_and_borders_never_match(memory, query):
    memory.add("k", {"name": "a", "b": ["á", "c"], "break": "x\ny"})
    assert memory.search(query) == []


@pytest.mark.backends(*ONE_OF_EACH_KIND)
def test_the_key_is_not_searched(memory):
    memory.add("alice:monday", {"text": "rain"})
    assert memory.search("alice") == []


def test_hits_come_newest_first_where_reading_counts_too(memory):
    fill(memory, "rain 1", "rain 2", "sun", "rain 3")
    memory.get("rain 1")
    assert memory.search("rain") == [{"text": "rain 1"}, {"text": "rain 3"}, {"text": "rain 2"}]


@pytest.mark.backends(*ONE_OF_EACH_KIND)
def test_a_search_returns_five_records_by_default(memory):
    fill(memory, *(f"rain {n}" for n in range(9)))
    assert len(memory.search("rain")) == 5
    assert memory.search("rain", limit=2) == [{"text": "rain 8"}, {"text": "rain 7"}]
    assert len(memory.search("rain", limit=None)) == 9
    assert keys_of(memory.search_records("rain", limit=1)) == ["rain 8"]
    assert len(memory.search_records("rain")) == 5


def test_a_replaced_value_is_not_found_any_more(memory):
    memory.add("k", {"text": "rain"})
    memory.add("k", {"text": "sun"})
    assert memory.search("rain") == []
    assert memory.search("sun") == [{"text": "sun"}]


@pytest.mark.backends(*ONE_OF_EACH_KIND)
def test_a_hit_says_where_it_matched(memory):
    memory.add("k", {"rain": 1, "agent": {"tags": ["sun", "Rain"]}, "text": "no"})
    [hit] = memory.search_records("rain")
    assert hit.matches == ("rain", "agent.tags[1]")
    assert hit.score == 1.0


# ---- filters

START = datetime(2026, 11, 22, 12, tzinfo=timezone.utc)

# One record a minute.
TALK: dict[str, dict[str, Any]] = {
    "alice:monday": {"turn": 1, "text": "rain", "agent": {"name": "Ann"}, "tags": ["a", "b"]},
    "alice:monday:0123abcd": {"turn": 2, "text": "rain", "agent": {"name": "Bob"}, "ok": True},
    "alice:tuesday": {"turn": 2.5, "text": "sun", "ok": 1, "tags": []},
    "bob:monday": {"turn": "2", "text": "rain", "ok": None, "agent.name": "Ann", "tags": "ab"},
    "bobby:monday": {"turn": True, "day": date(2026, 11, 22), "agent": "Ann", "tags": [["a"], 1]},
    "note": {"text": "rain", "agent": {"boss": {"name": "Zoë"}}, "tags": [True, {"a": 1}]},
}
A1, A2, A3, B1, B2, NOTE = TALK

FILTERS: list[tuple[dict[str, Any], list[str]]] = [
    # by key
    ({"user": "alice"}, [A1, A2, A3]),
    ({"user": "bob"}, [B1]),
    ({"user": "ali"}, []),
    ({"user": ""}, []),
    ({"session": "monday"}, [A1, A2, B1, B2]),
    ({"user": "alice", "session": "monday"}, [A1, A2]),
    ({"session": "0123abcd"}, []),
    ({"prefix": "bob"}, [B1, B2]),
    ({"prefix": "bob:"}, [B1]),
    ({"prefix": "BOB"}, []),
    ({"prefix": ""}, list(TALK)),
    ({"prefix": "*"}, []),
    # by instant, both ends inclusive; the last record is written at 12:05, and it is 12:10
    ({"since": START + timedelta(minutes=4)}, [B2, NOTE]),
    ({"until": START + timedelta(minutes=1)}, [A1, A2]),
    ({"since": "2026-11-22T12:02Z", "until": "2026-11-22T12:03Z"}, [A3, B1]),
    ({"since": START.timestamp() + 300}, [NOTE]),
    ({"since": "6m"}, [B2, NOTE]),
    ({"until": timedelta(minutes=10)}, [A1]),
    ({"since": "2026-11-22"}, list(TALK)),
    ({"until": date(2026, 11, 22)}, []),
    # equality, where JSON's types count
    ({"where": {"turn": 2}}, [A2]),
    ({"where": {"turn": 2.0}}, [A2]),
    ({"where": {"turn": "2"}}, [B1]),
    ({"where": {"turn": 1}}, [A1]),
    ({"where": {"turn": True}}, [B2]),
    ({"where": {"ok": True}}, [A2]),
    ({"where": {"ok": 1}}, [A3]),
    ({"where": {"ok": None}}, [B1]),
    ({"where": {"text": "rain", "turn": {"$gte": 1}}}, [A1, A2]),
    ({"where": {"text": "RAIN"}}, []),
    ({"where": {"tags": ["a", "b"]}}, [A1]),
    ({"where": {"tags": ("a", "b")}}, [A1]),
    ({"where": {"tags": []}}, [A3]),
    ({"where": {"tags": [1, {"a": 1}]}}, []),
    ({"where": {"agent": {"name": "Ann"}}}, [A1]),
    ({"where": {"day": date(2026, 11, 22)}}, [B2]),
    ({"where": {}}, list(TALK)),
    # dotted: a path, or a name that holds dots itself
    ({"where": {"agent.name": "Ann"}}, [A1, B1]),
    ({"where": {"agent.boss.name": "Zoë"}}, [NOTE]),
    ({"where": {"agent.boss": {"name": "Zoë"}}}, [NOTE]),
    ({"where": {"agent.": "Ann"}}, []),
    # operators
    ({"where": {"turn": {"$eq": 2}}}, [A2]),
    ({"where": {"turn": {"$ne": 2}}}, [A1, A3, B1, B2, NOTE]),
    ({"where": {"turn": {"$gt": 1}}}, [A2, A3]),
    ({"where": {"turn": {"$gte": 2}}}, [A2, A3]),
    ({"where": {"turn": {"$lt": 2}}}, [A1]),
    ({"where": {"turn": {"$lte": 2}}}, [A1, A2]),
    ({"where": {"turn": {"$gt": 1, "$lt": 2.5}}}, [A2]),
    ({"where": {"turn": {"$gte": "2"}}}, [B1]),
    ({"where": {"text": {"$gt": "rain"}}}, [A3]),
    ({"where": {"day": {"$lt": date(2026, 11, 23)}}}, [B2]),
    ({"where": {"turn": {"$in": [1, "2"]}}}, [A1, B1]),
    ({"where": {"turn": {"$in": (True,)}}}, [B2]),
    ({"where": {"turn": {"$in": []}}}, []),
    ({"where": {"turn": {"$nin": [1, 2, 2.5]}}}, [B1, B2, NOTE]),
    ({"where": {"ok": {"$nin": [None]}}}, [A1, A2, A3, B2, NOTE]),
    ({"where": {"ok": {"$exists": True}}}, [A2, A3, B1]),
    ({"where": {"ok": {"$exists": False}}}, [A1, B2, NOTE]),
    ({"where": {"agent.name": {"$exists": True}}}, [A1, A2, B1]),
    ({"where": {"tags": {"$contains": "a"}}}, [A1, B1]),
    ({"where": {"tags": {"$contains": ["a"]}}}, [B2]),
    ({"where": {"tags": {"$contains": 1}}}, [B2]),
    ({"where": {"tags": {"$contains": True}}}, [NOTE]),
    ({"where": {"tags": {"$contains": {"a": 1}}}}, [NOTE]),
    ({"where": {"text": {"$contains": "ai"}}}, [A1, A2, B1, NOTE]),
    ({"where": {"turn": {"$contains": 2}}}, []),
    # all of them together
    ({"user": "alice", "since": "9m", "where": {"text": "rain"}}, [A2]),
]


@pytest.fixture
def talk(memory: SyncMemory, clock: Clock) -> SyncMemory:
    clock.now = START.timestamp()
    for key, value in TALK.items():
        memory.add(key, value)
        clock.tick(60)
    clock.now = START.timestamp() + 600
    return memory


@pytest.mark.backends(*ONE_OF_EACH_KIND)
@pytest.mark.parametrize(("filters", "expected"), FILTERS, ids=[str(case[0]) for case in FILTERS])
def test_every_verb_understands_the_same_filters(talk, filters, expected):
    assert talk.keys(**filters) == expected
    assert keys_of(talk.records(**filters)) == expected[::-1]
    assert talk.count(**filters) == len(expected)
    rainy = [key for key in expected if TALK[key].get("text") == "rain"]
    assert keys_of(talk.search_records("rain", None, **filters)) == rainy[::-1]
    assert talk.count("rain", **filters) == len(rainy)
    if talk.keys(**filters) != list(TALK):
        talk.remove(**filters)
        assert talk.keys() == [key for key in TALK if key not in expected]


def test_each_kind_of_filter_is_understood_on_every_backend(talk):
    for filters, expected in (
        ({"user": "alice", "session": "monday"}, [A1, A2]),
        ({"prefix": "bob"}, [B1, B2]),
        ({"since": "2026-11-22T12:02Z", "until": "2026-11-22T12:03Z"}, [A3, B1]),
        ({"since": "9m", "where": {"text": "rain"}}, [A2, B1, NOTE]),
    ):
        assert talk.keys(**filters) == expected
        assert keys_of(talk.records(**filters)) == expected[::-1]
        rainy = [key for key in expected if TALK[key].get("text") == "rain"]
        assert keys_of(talk.search_records("rain", None, **filters)) == rainy[::-1]
        assert talk.count("rain", **filters) == len(rainy)
    talk.remove(user="alice", until="2026-11-22T12:01Z")
    assert talk.keys() == [A3, B1, B2, NOTE]


def test_a_limit_counts_only_records_that_the_filters_accept(talk):
    assert keys_of(talk.records(2, user="alice")) == [A3, A2]
    assert keys_of(talk.search_records("rain", 1, session="monday")) == [B1]
