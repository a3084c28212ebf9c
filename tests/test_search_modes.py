"""The verbs that search take a mode, and every mode explains its scores."""

from __future__ import annotations

from typing import Any

import pytest
from backends import EVERY_BACKEND
from embedding import Toy

from tta_memory_nb import InvalidArgument, MemoryPrimitive
from tta_memory_nb.search.indexes import INDEXES

MODES = tuple(INDEXES)


def told(memory: Any) -> Any:
    memory.add("ann:mon:00000001", {"speaker": "Ann", "text": "It rained on the old bridge"})
    memory.add("ann:mon:00000002", {"speaker": "Bob", "text": "Did the bridge hold?"})
    memory.add("ann:mon:00000003", {"speaker": "Ann", "text": "It did, and nobody was hurt"})
    memory.add("bob:tue:00000004", {"speaker": "Bob", "text": "Snow is expected", "rain": 3})
    return memory


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("query", ["rain", "bridge", "Bob"])
@pytest.mark.backends(*EVERY_BACKEND)
def test_the_parts_of_a_score_sum_to_it(make, mode, query):
    hits = told(make(embedder=Toy()).sync).hits(query, mode=mode)
    assert hits
    for hit in hits:
        assert sum(part.amount for part in hit.explanation) == pytest.approx(hit.score)
        places = {part.field or part.neighbour for part in hit.explanation}
        assert places - {None}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.backends(*EVERY_BACKEND)
def test_all_verbs_that_search_find_the_same_in_a_mode(make, mode):
    memory = told(make(embedder=Toy()).sync)
    for query in ("bridge", "rain", "nothing of it"):
        keys = [hit.entry.key for hit in memory.hits(query, mode=mode)]
        assert [entry.key for entry in memory.entries(query, mode=mode)] == keys
        records = memory.search_records(query, None, mode=mode)
        assert [record.key for record in records] == keys
        assert [record.key for record in memory.stream_records(query, mode=mode)] == keys
        assert memory.count(query, mode) == len(keys)
        assert memory.search(query, None, mode) == [record.value for record in records]
        assert memory.search(query, 1, mode) == [record.value for record in records][:1]


@pytest.mark.parametrize("mode", MODES)
async def test_a_default_mode_is_the_mode_of_every_verb_that_is_called_without_one(mode):
    memory = told(MemoryPrimitive(default_mode=mode, embedder=Toy()).sync)
    assert memory.default_mode == mode
    assert memory.search("bridge") == memory.search("bridge", mode=mode)
    assert memory.search_records("bridge") == memory.search_records("bridge", mode=mode)
    assert memory.count("bridge") == memory.count("bridge", mode)
    memory.default_mode = "keyword"
    assert memory.search("bridge") == memory.search("bridge", mode="keyword")


@pytest.mark.parametrize("mode", ["", "exact", None, 3, [], "RANKED"])
def test_a_mode_that_is_none_is_refused_by_name(mode):
    with pytest.raises(
        InvalidArgument, match=r"default_mode=.*: this version searches by 'keyword'"
    ):
        MemoryPrimitive(default_mode=mode)
    memory = told(MemoryPrimitive().sync)
    with pytest.raises(InvalidArgument, match=r"^default_mode="):
        memory.default_mode = mode
    if mode is None:
        return
    for verb in (memory.search, memory.search_records, memory.entries, memory.hits, memory.count):
        with pytest.raises(InvalidArgument, match=r"^mode=.*: this version searches by 'keyword'"):
            verb("rain", mode=mode)
    with pytest.raises(InvalidArgument, match=r"^mode="):
        memory.stream_records("rain", mode=mode)


def test_a_keyword_search_does_not_read_its_query_as_a_question():
    memory = told(MemoryPrimitive().sync)
    assert memory.search_records("bridge").reading is None
    [first, *_] = memory.hits("bridge")
    assert first.score == 1.0
    assert first.explanation[0].asked == "bridge"
    assert memory.hits()[0].explanation == ()
