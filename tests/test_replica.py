"""What a replica keeps between two searches is bounded, and complete in an outage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from outages import everything

from tta_memory_nb.stores.redis import knowledge

if TYPE_CHECKING:
    from tta_memory_nb import MemoryPrimitive

pytestmark = pytest.mark.usefixtures("no_automatic_reconnect")

MOST = 5


@pytest.fixture
def searched(monkeypatch: pytest.MonkeyPatch, memory: MemoryPrimitive, other: Any) -> Any:
    """The replica of a memory that has searched, while another client goes on writing."""
    monkeypatch.setattr(knowledge, "_MOST_AHEAD", MOST)
    other.sync.add_many({f"other:{n}": {"text": "note"} for n in range(10)})
    assert memory.sync.count("note") == 10
    store: Any = memory._store
    return store.replica


@pytest.mark.parametrize("kind", ["writes", "deletions", "reads"])
def test_what_is_ahead_of_the_last_search_is_bounded(kind, searched, memory, other, proxy):
    there = {f"other:{n}": {"text": "note"} for n in range(10)}
    for number in range(40):
        other.sync.add("last", {"n": number})
        if kind == "reads":
            assert memory.sync.get(f"none:{number}") is None
            continue
        memory.sync.add(f"own:{number}", {"n": number})
        if kind == "deletions":
            assert memory.sync.delete(f"own:{number}") is True
        else:
            there[f"own:{number}"] = {"n": number}
        assert len(searched._ahead) <= MOST
    proxy.refuse()
    known = everything(memory)
    assert known.pop("last", {"n": 0})
    assert known == there
    proxy.heal()
    assert memory.sync.reconnect() is True
    assert everything(memory) == everything(other) == {**there, "last": {"n": 39}}


def test_what_was_known_before_and_has_expired_is_forgotten(searched, memory, other, clock):
    for number in range(40):
        other.sync.add("last", {"n": number})
        memory.sync.add(f"own:{number}", {"n": number}, 60)
        clock.tick(61)
    searched.start_over(searched._known_at)
    assert {key for key in searched._former if key.startswith("own")} == set()
    assert everything(memory) == everything(other)
