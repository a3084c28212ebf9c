"""What others delete for good while a client is away stays deleted when the client replays its writes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from outages import everything

from tta_memory_nb import MemoryPrimitive

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from network import Proxy

pytestmark = pytest.mark.usefixtures("no_automatic_reconnect")

VIOLIN = {"text": "My sister Anna plays the violin in the city orchestra every Friday"}
LIKE_IT = {"note": "In the city orchestra, my sister Anna plays the violin every FRIDAY!"}
OTHER = {"text": "My brother Tom repairs old bicycles in a workshop near the harbour"}


@pytest.fixture
def opened(
    open_memory: Callable[..., MemoryPrimitive], database: Any
) -> Callable[..., MemoryPrimitive]:
    """Opens memories in a namespace that no other test has used: tombstones outlive the records."""
    namespace = f"tombs-{uuid4().hex}"
    return lambda url=database.url, **arguments: open_memory(
        url, namespace=namespace, **{"timeout": 60.0, **arguments}
    )


def away(memory: MemoryPrimitive, proxy: Proxy) -> None:
    """Has a memory write in an outage what another one deletes for good meanwhile, in every way."""
    here = memory.sync
    here.add_many({"anna": VIOLIN, "tom": OTHER})
    undone = here.remove(["anna"])
    proxy.refuse()
    here.add("single", LIKE_IT)
    here.add_many({"many": VIOLIN, "kept": {"n": 1}})
    here.apply({"step": VIOLIN, "also": {"n": 2}}, ["tom"])
    here.append("ann", "mon", [VIOLIN, {"n": 3}])
    here.undo(undone)
    assert here.size() == 8


@pytest.mark.parametrize("policy", ["refuse", "quarantine"])
def test_a_replay_brings_nothing_back_that_was_deleted_for_good(policy, opened, proxy, caplog):
    memory, other = opened(proxy.url, tombstones=policy), opened().sync
    away(memory, proxy)
    other.add("copy", VIOLIN)
    other.delete("copy", for_good=True)
    proxy.heal()
    assert memory.sync.reconnect()
    kept = everything(opened())
    assert {key for key in kept if not key.startswith("ann:")} == {"tom", "kept"}
    assert [value for key, value in kept.items() if key.startswith("ann:mon:")] == [{"n": 3}]
    assert everything(memory) == kept
    refused = memory.get_backend_info()["writes_refused"]
    names = {key for key in refused if not key.startswith("ann:")}
    assert names == {"single", "many", "step", "also", "anna"}
    assert "deleted for good" in refused["many"].reason
    assert refused["many"].value == VIOLIN
    assert "one step with another record" in refused["also"].reason
    assert "set aside" in caplog.text
    in_quarantine = {record.key for record in memory.sync.quarantined()}
    if policy == "refuse":
        assert in_quarantine == set()
    else:
        assert {"single", "many", "step", "anna"} <= in_quarantine
    memory.sync.add("anna", VIOLIN, anyway=True)  # the memory goes on, and a person may decide
    assert other.get("anna") == VIOLIN


def test_so_does_a_journal_that_another_process_has_left(opened, proxy, tmp_path: Path):
    journal = f"file:{tmp_path / 'outages.db'}"
    memory, other = opened(proxy.url, journal=journal), opened().sync
    away(memory, proxy)
    memory.sync.close()
    other.add("copy", VIOLIN)
    other.delete("copy", for_good=True)
    proxy.heal()
    heir = opened(proxy.url, journal=journal)
    assert heir.get_backend_info()["degraded"] is False
    assert "many" in heir.get_backend_info()["writes_refused"]
    assert VIOLIN not in everything(opened()).values()
    assert other.get("kept") == {"n": 1}


def test_writes_that_say_something_else_are_replayed_as_ever(opened, proxy):
    memory, other = opened(proxy.url), opened().sync
    memory.sync.add("a", {"n": 0})
    proxy.refuse()
    memory.sync.add("a", {"n": 1})
    memory.sync.touch(["a"], 60)
    other.add("copy", VIOLIN)
    other.delete("copy", for_good=True)
    proxy.heal()
    assert memory.sync.reconnect()
    assert other.get("a") == {"n": 1}
    assert memory.get_backend_info()["writes_refused"] == {}
