"""Why a search did not find a record: the rank is that of brute force, and a remedy finds the record."""

from __future__ import annotations

import random
from typing import Any

import pytest
from backends import ONE_OF_EACH_KIND, Clock
from embedding import PLACE, Toy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_ranked_model import DATES, SPEAKERS, SUBJECTS
from test_similarity import naive

from tta_memory_nb import InvalidArgument, MemoryPrimitive
from tta_memory_nb.search.ranked import by_meaning

BY_MEANING = ("semantic", "hybrid")

QUERIES = (
    *(
        "rain",
        "bridge river",
        "What did Ann say about support?",
        "-rain bridge",
        '"rain bridge" group',
    ),
    *(
        "speaker:Bob rain",
        "user:ann group",
        "nothing of that kind",
        "the",
        "Ann",
        "-bridge -rain group",
    ),
)


def filled(seed: int) -> tuple[Any, list[str]]:
    chance, clock = random.Random(seed), Clock()
    memory = MemoryPrimitive(max_size=500, clock=clock).sync
    for number in range(30):
        clock.tick()
        user, session = chance.choice(("ann", "bob")), chance.choice(("mon", "tue"))
        value = {
            "text": " ".join(chance.choices(SUBJECTS, k=chance.randint(1, 6))),
            "speaker": chance.choice(SPEAKERS[:2]),
            "date": chance.choice(DATES),
            "n": number,
        }
        memory.add(f"{user}:{session}:{number:08x}", value)
    return memory, memory.keys()


filters = st.fixed_dictionaries(
    {},
    optional={
        "user": st.sampled_from(("ann", "bob", "nobody")),
        "session": st.sampled_from(("mon", "tue")),
        "since": st.sampled_from((1_800_000_005.0, 1_800_000_020.0)),
        "where": st.sampled_from(({"n": {"$lt": 20}}, {"speaker": "Ann", "n": {"$gte": 5}})),
    },
)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.integers(0, 5),
    st.sampled_from(QUERIES),
    st.integers(0, 29),
    st.sampled_from((1, 3, None)),
    st.sampled_from(("ranked", "keyword")),
    filters,
)
def test_the_rank_is_that_of_all_answers_and_the_remedy_finds_the_record(
    seed, query, number, limit, mode, given_filters
):
    memory, keys = filled(seed)
    key = keys[number]
    found = memory.why(query, key, limit, mode, **given_filters)
    answers = [r.key for r in memory.search_records(query, None, mode, **given_filters)]
    assert found.answers == len(answers)
    assert found.rank == (answers.index(key) + 1 if key in answers else None)
    is_found = key in answers[:limit]
    assert found.is_found == is_found
    assert found.best == (answers[0] if answers else None)
    assert sum(each.record for each in found.signals) == pytest.approx(found.score or 0)
    if is_found:
        assert found.remedy is None
        return
    assert found.remedy is not None, str(found)
    assert key in [record.key for record in memory.search_records(**found.remedy.arguments)]
    # Each cause is one: with all others mended, the record is still kept out.
    for cause in found.causes:
        if cause.kind == "filter":
            left = {k: v for k, v in given_filters.items() if k == cause.name.partition("[")[0]}
            assert key not in memory.keys(**left)


MEANT = st.lists(st.sampled_from((*PLACE, "other", "things")), max_size=5).map(" ".join)


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.tuples(st.sampled_from("ab"), st.sampled_from("xy"), MEANT), min_size=1, max_size=25
    ),
    MEANT.filter(bool) | st.sampled_from(("-dog rain", "user:a dog", "b dog", "absent")),
    st.integers(0, 24),
    st.sampled_from((1, 2, 5, None)),
    st.sampled_from(BY_MEANING),
    st.booleans(),
    filters.map(lambda given: {n: f for n, f in given.items() if n in ("session", "user")}),
)
def test_the_rank_by_meaning_is_that_of_brute_force_and_the_remedy_finds_the_record(
    said, query, number, limit, mode, is_quick, given_filters
):
    clock, toy = Clock(), Toy(has_words=mode == "hybrid", is_quick=is_quick)
    memory = MemoryPrimitive(embedder=toy, clock=clock).sync
    for turn, (user, session, text) in enumerate(said):
        clock.tick()
        memory.add(f"{user}:{session}:{turn:08x}", {"text": text})
    key = memory.keys()[number % len(said)]
    with pytest.MonkeyPatch.context() as patch:
        # As if the memory were large: few records are compared by meaning.
        patch.setattr(by_meaning, "_CANDIDATES", 2)
        patch.setattr(by_meaning, "_BEST", 2)
        patch.setattr(by_meaning, "_SMALL", 0)
        found = memory.why(query, key, limit, mode, **given_filters)
        answers = [hit.entry.key for hit in memory.hits(query, None, mode, **given_filters)]
        limited = [hit.entry.key for hit in memory.hits(query, limit, mode, **given_filters)]
        assert found.rank == (answers.index(key) + 1 if key in answers else None)
        assert found.is_found == (key in limited)
        assert sum(each.record for each in found.signals) == pytest.approx(found.score or 0)
        if (
            mode == "semantic"
            and found.rank is not None
            and set(query.split()) <= {*PLACE, "other"}
        ):
            # One byte a number: a cosine is off by a few thousandths.
            scores = naive(memory.records(**given_filters), query)
            assert found.score == pytest.approx(scores[key], abs=0.02)
            better = [score for score in scores.values() if score > scores[key] + 0.04]
            as_good = [score for score in scores.values() if score >= scores[key] - 0.04]
            assert len(better) < found.rank <= len(as_good)
        if found.is_found:
            assert found.remedy is None
        elif found.remedy is not None:
            assert key in [record.key for record in memory.search_records(**found.remedy.arguments)]
        else:  # no word that it has makes it answer
            assert [cause.kind for cause in found.causes][-1] == "words"


def test_a_record_that_a_hybrid_search_has_not_compared_is_said_to_be_no_candidate(monkeypatch):
    monkeypatch.setattr(by_meaning, "_CANDIDATES", 2)
    monkeypatch.setattr(by_meaning, "_BEST", 2)
    monkeypatch.setattr(by_meaning, "_SMALL", 0)
    memory = MemoryPrimitive(embedder=Toy(is_quick=True)).sync
    for number in range(3):
        memory.add(f"words{number}", {"text": f"umbrella umbrella{' bread oven cake' * 8}"})
    memory.add("meant", {"text": "umbrella rain storm shower wet weather rained weather"})
    found = memory.why("umbrella", "meant", 1, "hybrid")
    assert found.rank == 1
    [cause] = found.causes
    assert cause.kind == "candidates"
    assert "only these were compared by meaning" in str(found)
    assert found.remedy.arguments["limit"] == 2
    assert "meant" in [r.key for r in memory.search_records(**found.remedy.arguments)]


@pytest.mark.backends(*ONE_OF_EACH_KIND)
def test_why_names_what_keeps_a_record_out(make):
    memory = make().sync
    memory.add("ann:mon:00000001", {"text": "It rained on the bridge", "mood": "low"})
    memory.add("ann:mon:00000002", {"text": "Snow on the bridge", "mood": "high"})
    memory.add("bob:tue:00000003", {"text": "A river", "mood": "high"})

    def causes(*args: Any, **kwargs: Any) -> list[tuple[str, str]]:
        found = memory.why(*args, mode="ranked", **kwargs)
        return [(cause.kind, cause.name) for cause in found.causes]

    assert causes("bridge", "ann:mon:00000001") == []
    assert causes("bridge", "nobody") == [("missing", "")]
    assert causes("bridge", "ann:mon:00000001", user="bob") == [("filter", "user")]
    where = {"mood": "high", "text": {"$exists": True}}
    assert causes("rain", "ann:mon:00000001", where=where) == [("filter", "where[mood]")]
    assert causes("bridge -rain", "ann:mon:00000001") == [("demand", "-rain")]
    assert causes('"snow on the bridge"', "bob:tue:00000003")[0][0] == "demand"
    assert causes("bridge", "bob:tue:00000003") == [("words", "")]
    found = memory.why("bridge", "ann:mon:00000001", 1, "ranked")
    assert [cause.kind for cause in found.causes] == ["limit"]
    assert found.remedy.arguments["limit"] == found.rank == 2
    assert "limit=2" in str(found)


@pytest.mark.backends(*ONE_OF_EACH_KIND, "file")
def test_why_says_what_has_become_of_a_record_that_is_gone(make, clock):
    memory = make(history=1000).sync
    clock.tick()
    memory.add_many(
        {f"{name}:mon:1": {"text": f"rain in {name}"} for name in ("lyon", "oslo", "bari")}
    )
    memory.add("cork:mon:1", {"text": "rain in cork"}, ttl=60)
    undone = memory.apply({"pisa:mon:1": {"text": "rain in pisa"}})
    clock.tick()
    memory.delete("lyon:mon:1")
    memory.delete("oslo:mon:1", for_good=True)
    memory.undo(undone)
    clock.tick(120)
    expected = {
        "lyon": "deleted",
        "oslo": "tombstone",
        "cork": "expired",
        "pisa": "deleted",
        "rome": "missing",
    }
    for name, kind in expected.items():
        for mode in ("keyword", "ranked"):
            key = f"{name}:mon:1"
            found = memory.why("rain", key, mode=mode)
            [cause] = found.causes
            assert (cause.kind, found.rank) == (kind, None), name
            assert (found.remedy is None) == (name in ("oslo", "rome"))
            if found.remedy:
                assert key in [each.key for each in memory.search_records(**found.remedy.arguments)]
    assert "anyway=True" in memory.why("rain", "oslo:mon:1").causes[0].text
    memory.add("oslo:mon:1", {"text": "rain in oslo"}, anyway=True)
    assert memory.why("rain", "oslo:mon:1").is_found
    assert memory.why("snow", "lyon:mon:1").remedy is None


def test_the_remedy_finds_a_record_that_was_written_before_changes_were_kept(clock):
    memory = MemoryPrimitive(clock=clock).sync
    memory.add("a", {"text": "rain"})
    clock.tick()
    memory.keep_history(10)
    clock.tick()
    memory.delete("a")
    found = memory.why("rain", "a")
    assert [record.key for record in memory.search_records(**found.remedy.arguments)] == ["a"]


def test_why_says_that_a_record_was_evicted_or_that_it_cannot_know(clock):
    memory = MemoryPrimitive(max_size=1, clock=clock, history=10).sync
    for key in ("a", "b"):
        clock.tick()
        memory.add(key, {"text": "rain"})
    [cause] = memory.why("rain", "a").causes
    assert cause.kind == "evicted"
    assert "max_size" in cause.text
    [cause] = MemoryPrimitive().sync.why("rain", "a").causes
    assert cause.kind == "missing"
    assert "history=" in cause.text


@pytest.mark.parametrize(
    "condition", ['"absent{}"', "user:nobody{}", "text:absent{}", "gone{}:rain"]
)
def test_a_query_of_very_many_conditions_takes_few_searches(monkeypatch, condition):
    memory = MemoryPrimitive().sync
    memory.add("k", {"text": "rain"})
    memory.add("other", {"gone0": "rain"})
    searches = []
    find = type(memory._store).find
    monkeypatch.setattr(
        type(memory._store), "find", lambda *args: (searches.append(1), find(*args))[1]
    )
    failing = [condition.format(number) for number in range(900)]
    found = memory.why(" ".join((*failing, "-snow", *failing, "rain")), "k", mode="ranked")
    assert len(searches) < 30
    if "gone" in condition:
        # Of names that no record has as fields, those that were tried are words of the question.
        assert {cause.name for cause in found.causes} >= {"gone0:rain", "gone899:rain"}
    else:
        assert [cause.name for cause in found.causes] == failing
    if found.remedy:
        assert memory.search(**found.remedy.arguments)


@pytest.mark.parametrize("mode", ["keyword", "ranked"])
@pytest.mark.parametrize("length", [10, 3_999, 4_000, 4_001, 30_000])
def test_the_remedy_adds_a_word_where_a_long_question_is_read(length, mode):
    memory = MemoryPrimitive().sync
    memory.add("a", {"text": "umbrella"})
    memory.add("b", {"text": "sunny"})
    query = "dull " * length
    found = memory.why(query, "a", mode=mode)
    assert found.remedy is not None
    assert "a" in [each.key for each in memory.search_records(**found.remedy.arguments)]
    if mode == "ranked":
        assert set(found.remedy.arguments["query"].split()) == {"dull", "umbrella"}


def test_why_takes_the_arguments_of_a_search_and_refuses_what_a_search_refuses():
    memory = MemoryPrimitive().sync
    with pytest.raises(InvalidArgument, match="limit=0"):
        memory.why("rain", "k", 0)
    with pytest.raises(InvalidArgument, match="query="):
        memory.why(None, "k")
    with pytest.raises(InvalidArgument, match="key="):
        memory.why("rain", "")
    with pytest.raises(InvalidArgument, match="mode="):
        memory.why("rain", "k", mode="best")
