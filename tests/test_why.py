"""Why a search did not find a record: the rank is that of brute force, and a remedy finds the record."""

from __future__ import annotations

import random
from typing import Any

import pytest
from backends import ONE_OF_EACH_KIND, Clock
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_ranked_model import DATES, SPEAKERS, SUBJECTS

from tta_memory_nb import InvalidArgument, MemoryPrimitive

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
