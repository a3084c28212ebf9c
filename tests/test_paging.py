"""Pages of records and of searches, in every order. The contract, on every backend."""

from __future__ import annotations

import pytest
from backends import EVERY_BACKEND, ONE_OF_EACH_KIND, WITH_A_STAND_IN

from tta_memory_nb import InvalidArgument


@pytest.fixture
def memory(backend, clock, request):
    memory = WITH_A_STAND_IN[backend](namespace=request.node.name, clock=clock).sync
    for key in "cabfed":
        memory.add(key, {"text": f"rain {key}"})
        clock.tick()
    yield memory
    memory.clear()
    memory.close()


def keys_of(records) -> str:
    return "".join(record.key for record in records)


@pytest.mark.backends(*EVERY_BACKEND)
@pytest.mark.parametrize("loaded", [False, True])
def test_a_read_between_two_pages_changes_only_the_order_of_use(memory, loaded):
    if loaded:
        memory.build_index()
    pages = {}
    for order in ("written", "key", "used", None):
        pages[order] = [keys_of(memory.records(2, order=order))]
    memory.get("a")
    for order, found in pages.items():
        for offset in (2, 4, 6):
            found.append(keys_of(memory.records(2, offset=offset, order=order)))
    assert pages["written"] == ["de", "fb", "ac", ""]
    assert pages["key"] == ["ab", "cd", "ef", ""]
    assert pages["used"] == pages[None] == ["de", "ef", "bc", ""]
    assert keys_of(memory.records(offset=4, order="key")) == "ef"


@pytest.mark.backends(*ONE_OF_EACH_KIND)
def test_searches_give_pages_as_well(memory):
    memory.add("other", {"text": "sun"})
    memory.get("c")
    assert keys_of(memory.search_records("RAIN", 2, offset=1)) == "de"
    assert keys_of(memory.search_records("RAIN", 2, offset=1, order="written")) == "ef"
    assert keys_of(memory.search_records("RAIN", 2, offset=1, order="key")) == "bc"
    assert keys_of(memory.search_records("RAIN", None, order="relevance")) == "cdefba"
    assert [hit.entry.key for hit in memory.hits("RAIN", 1, offset=5, order="key")] == ["f"]
    assert [entry.key for entry in memory.entries(None, 2, order="key", offset=5)] == ["f", "other"]


@pytest.mark.backends(*ONE_OF_EACH_KIND)
def test_a_ranking_is_paged_as_it_is_or_put_into_another_order(memory, clock):
    memory.clear()
    for key, text in (
        ("a", "rain"),
        ("b", "rain and rain in Spain"),
        ("c", "sun"),
        ("d", "rain, sun"),
    ):
        memory.add(key, {"text": text})
        clock.tick()
    ranked = keys_of(memory.search_records("rain", None, "ranked"))
    pages = [memory.search_records("rain", 1, "ranked", offset=n) for n in range(4)]
    assert "".join(map(keys_of, pages)) == ranked
    assert pages[0].reading.words == pages[3].reading.words == ("rain",)
    for order, expected in (
        ("key", "abd"),
        ("written", "dba"),
        ("used", "dba"),
        ("relevance", ranked),
    ):
        assert keys_of(memory.search_records("rain", None, "ranked", order=order)) == expected
    found = memory.search_records("rain", 2, "ranked", order="key")
    assert (keys_of(found), found.reading.mode) == ("ab", "ranked")


@pytest.mark.backends("in-memory")
def test_other_orders_and_offsets_are_refused(memory):
    with pytest.raises(InvalidArgument, match="order='newest': give one of 'used', 'written'"):
        memory.records(order="newest")
    for offset in (-1, True, 1.5, "2"):
        with pytest.raises(InvalidArgument, match="offset="):
            memory.search_records("rain", offset=offset)
