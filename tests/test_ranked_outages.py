"""Rankings of a memory on a server: other clients, parts of a namespace, and outages."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest
from test_ranked_model import QUESTIONS, key_of, value_of

from tta_memory_nb import MemoryPrimitive

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
