"""Rankings of a memory on a server: other clients, parts of a namespace, and outages."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest
from embedding import Toy
from test_ranked_model import QUESTIONS, key_of, value_of

from tta_memory_nb import GoldenSet, MemoryPrimitive, evaluate

if TYPE_CHECKING:
    from network import Proxy

pytestmark = pytest.mark.usefixtures("no_automatic_reconnect")

PARTS: tuple[dict[str, Any], ...] = ({"user": "ann"}, {"session": "tue"}, {"prefix": "note"})


def fill(memory: Any, seed: int, many: int = 60) -> None:
    chance = random.Random(seed)
    for _ in range(many):
        memory.add(key_of(chance), value_of(chance))


def rankings(memory: Any, **filters: Any) -> list[list[tuple[str, float]]]:
    return [
        [(hit.entry.key, hit.score) for hit in memory.hits(query, mode="ranked", **filters)]
        for query in QUESTIONS
    ]


def test_another_client_ranks_as_the_writer_and_loads_no_more_than_its_filters_name(memory, other):
    fill(memory.sync, 1)
    alone = MemoryPrimitive(clock=memory.clock).sync
    alone.import_(memory.sync.records()[::-1])
    for part in PARTS:
        assert rankings(other.sync, **part) == rankings(memory.sync, **part)
        assert rankings(other.sync, **part) == rankings(alone, **part)
    assert len(other.store._replicas.whole.replica.records.entries) < memory.sync.size()
    assert rankings(other.sync) == rankings(memory.sync) == rankings(alone)
    fill(other.sync, 2, 10)
    assert rankings(memory.sync) == rankings(other.sync)


def test_rankings_go_on_in_an_outage_and_after_it(memory, other, proxy: Proxy):
    fill(memory.sync, 3)
    before = rankings(memory.sync)
    proxy.refuse()
    assert rankings(memory.sync) == before
    memory.sync.add("ann:mon:0000ffff", {"text": "rain on the bridge", "speaker": "Ann"})
    assert memory.sync.why("bridge", "ann:mon:0000ffff", None, "ranked").is_found
    during = rankings(memory.sync)
    assert not memory.is_using_redis()
    proxy.heal()
    assert memory.sync.reconnect()
    assert [[key for key, _ in found] for found in rankings(other.sync)] == [
        [key for key, _ in found] for found in during
    ]
    assert rankings(memory.sync) == rankings(other.sync)


@pytest.mark.parametrize("mode", ["ranked", "semantic", "hybrid"])
def test_an_answer_in_an_outage_says_what_it_may_lack(mode, open_memory, proxy: Proxy, other):
    other.sync.add_many({"ann:mon:1": {"text": "rain"}, "bob:mon:1": {"text": "rain again"}})
    memory = open_memory(proxy.url, namespace=other.namespace, embedder=Toy()).sync
    before = memory.search_records("rain", mode=mode, user="ann")
    assert before.reading.note is None
    proxy.refuse()
    during = memory.search_records("rain", mode=mode)
    assert [record.key for record in during] == ["ann:mon:1"]
    assert "the server has been away since" in during.reading.note
    assert "may lack records" in during.reading.note
    told = memory.why("rain", "bob:mon:1", mode=mode)
    [cause] = told.causes
    assert cause.kind == "missing"
    assert "the server has been away since" in cause.text
    assert "never written" not in cause.text
    noted = evaluate(memory, GoldenSet.of({"rain": ["ann:mon:1"]}), modes=[mode]).notes
    assert "the server has been away since" in noted[mode]
    proxy.heal()
    assert memory.reconnect()
    assert memory.search_records("rain", mode=mode).reading.note is None
    assert memory.why("rain", "bob:mon:1", mode=mode).is_found
