"""What adapters for other frameworks share."""

from __future__ import annotations

import pytest

from tta_memory_nb import InvalidArgument, MemoryPrimitive
from tta_memory_nb.integrations.adapting import Ask, awaited, called, lasting
from tta_memory_nb.stores.plan import Call


def test_a_memory_that_evicts_is_refused_unless_that_is_allowed():
    memory = MemoryPrimitive(max_size=1_500)
    with pytest.raises(InvalidArgument, match=r"at most 1,500 records.* so checkpoints would"):
        lasting(memory, False, "checkpoints")
    assert lasting(memory, True, "checkpoints") is memory
    unlimited = MemoryPrimitive(max_size=None)
    assert lasting(unlimited, False, "checkpoints") is unlimited


@pytest.mark.parametrize("given", [None, "redis://host", MemoryPrimitive(max_size=None).sync])
def test_what_is_no_memory_is_refused(given):
    with pytest.raises(InvalidArgument, match="give a MemoryPrimitive"):
        lasting(given, False, "messages")


async def test_one_plan_is_called_and_awaited_and_hears_of_errors():
    memory = MemoryPrimitive(max_size=None)

    def plan(key):
        yield Ask("add", key, {"n": 1})
        value = yield Ask("get", key)
        total = yield Call(sum, [value["n"], 2])
        try:
            yield Ask("add", "", {})
        except InvalidArgument:
            return total
        return None

    def nothing():
        return "nothing"
        yield

    def refused():
        yield Ask("add", "k", {}, ttl=-1)

    assert called(memory, plan("called")) == 3
    assert await awaited(memory, plan("awaited")) == 3
    assert memory.sync.keys() == ["called", "awaited"]
    assert called(memory, nothing()) == await awaited(memory, nothing()) == "nothing"
    with pytest.raises(InvalidArgument, match="ttl"):
        called(memory, refused())
