"""Answers that are lost, and answers that arrive after this process has changed what they are about."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pytest
from backends import calls
from outages import everything

from tta_memory_nb import ServerError, StoreUnavailable
from tta_memory_nb.entry import new_entry
from tta_memory_nb.filters import Filters
from tta_memory_nb.search.request import ALL, Search
from tta_memory_nb.stores.plan import drive
from tta_memory_nb.stores.redis.operations import Attempt

if TYPE_CHECKING:
    from collections.abc import Callable

    from tta_memory_nb import MemoryPrimitive

pytestmark = pytest.mark.usefixtures("no_automatic_reconnect")


def lose_the_next_reply(proxy: Any) -> Any:
    return proxy.fault("lose reply", lambda command: command[0] == b"EVALSHA")


# ---- a write whose answer was lost, and that was sent again


@pytest.mark.parametrize("searched", [False, True], ids=["never searched", "searched"])
@pytest.mark.parametrize(
    ("write", "expected"),
    [
        (lambda memory: memory.add("k", {"n": 2}), {"k": {"n": 2}, "j": {"n": 1}}),
        (
            lambda memory: memory.add_many({"k": {"n": 2}, "i": {"n": 2}}),
            {"k": {"n": 2}, "j": {"n": 1}, "i": {"n": 2}},
        ),
        (lambda memory: memory.delete("k"), {"j": {"n": 1}}),
        (lambda memory: memory.remove(prefix="k"), {"j": {"n": 1}}),
        (lambda memory: memory.clear(), {}),
        (lambda memory: memory.resize(1), {"j": {"n": 1}}),
    ],
    ids=["add", "add_many", "delete", "remove", "clear", "resize"],
)
def test_a_write_whose_answer_was_lost_is_known_in_the_next_outage(
    memory, proxy, write, expected, searched
):
    memory.sync.add_many({"k": {"n": 1}, "j": {"n": 1}})
    if searched:
        everything(memory)
    fault = lose_the_next_reply(proxy)
    write(memory.sync)
    assert fault.count == 1
    assert memory.outage() is None
    proxy.refuse()
    assert everything(memory) == expected
    assert memory.outage() is not None


def test_a_delete_whose_answer_was_lost_says_that_there_was_a_record(memory, other, proxy):
    memory.sync.add("here", {})  # the script is there
    memory.sync.delete("here")
    other.sync.add("k", {"n": 1})
    lose_the_next_reply(proxy)
    assert memory.sync.delete("k") is True
    assert memory.sync.delete("k") is False


@pytest.mark.parametrize(
    "change",
    [
        lambda memory: memory.sync.remove(["k", "j"]),
        lambda memory: memory.sync.remove(prefix=""),
        lambda memory: memory.sync.resize(1),
        lambda memory: calls(memory).put(
            [new_entry("k", {"n": 9}, 1.0, None), new_entry("new", {}, 1.0, None)]
        ),
        lambda memory: memory.sync.undo(calls(memory).put([new_entry("new", {}, 1.0, None)])),
    ],
    ids=["remove", "remove matching", "resize", "put", "undo"],
)
def test_a_change_whose_answer_was_lost_can_be_taken_back(memory, other, proxy, change):
    other.sync.add_many({"k": {"n": 1}, "j": {"n": 2}})
    memory.sync.resize(10)
    before = everything(other)
    fault = lose_the_next_reply(proxy)
    taken = change(memory)
    assert fault.count == 1
    after = everything(other)
    memory.sync.undo(memory.sync.undo(memory.sync.undo(taken)))
    assert fault.count == 1
    undone = everything(other)
    assert undone == ({"new": {}, **before} if "new" in undone and after == before else before)
    assert memory.max_size == 10


def test_a_record_that_another_client_wrote_over_an_own_write_is_the_one_that_is_known(
    memory, other, proxy
):
    memory.sync.add("k", {"n": 0})
    commands = memory._store.commands
    write_id = commands.write_ids.begin(Attempt())
    entry = new_entry("k", {"n": 1}, 1.0, None)
    memory._runner.run(commands.set(entry, write_id, ""))
    other.sync.add("k", {"n": 2})
    memory._runner.run(commands.set(entry, write_id, ""))  # sent again, as after a lost answer
    proxy.refuse()
    assert memory.sync.get("k") == {"n": 2}


# ---- an answer that arrives after this process has changed what it is about


def held(memory: MemoryPrimitive, plan: Any, replies: int) -> Callable[[], None] | None:
    """Runs a plan until the server has given so many replies; returns what runs the rest of it.

    Args:
        memory: whose plan it is.
        plan: the plan.
        replies: how many replies it gets; the last one only when the rest is run.

    Returns:
        None if the plan is done before.
    """
    runner: Any = memory._runner
    answer = runner._answer
    try:
        request = plan.send(None)
        for _ in range(replies - 1):
            try:
                reply = answer(request)
            except ServerError as error:  # a script that is not there yet
                request = plan.throw(error)
            else:
                request = plan.send(reply)
    except StopIteration:
        return None
    try:
        last = [answer(request)]
    except ServerError as error:
        last = [error]

    def late(request: object) -> Any:
        if not last:
            return answer(request)
        reply = last.pop()
        if isinstance(reply, ServerError):
            raise reply
        return reply

    return lambda: drive(plan, request, late)


READS: dict[str, Callable[[Any], Any]] = {
    "get": lambda store: store.read("ann:1"),
    "get_many": lambda store: store.fetch(["ann:1", "bob:1"]),
    "search": lambda store: store.find(Search("rain", limit=5)),
    "records": lambda store: store.find(ALL),
    "search of a user": lambda store: store.find(
        Search("rain", limit=5, filters=Filters.build(0.0, user="ann"))
    ),
}

OLD = {"text": "rain", "version": 1}
NEW = {"text": "rain", "version": 2}
CHANGES: dict[str, tuple[Callable[[Any], object], dict[str, Any] | None]] = {
    "delete": (lambda memory: memory.delete("ann:1"), None),
    "remove": (lambda memory: memory.remove(["ann:1"]), None),
    "add": (lambda memory: memory.add("ann:1", NEW), NEW),
    "add_many": (lambda memory: memory.add_many({"ann:1": NEW}), NEW),
    "clear": (lambda memory: memory.clear(), None),
    "undone delete": (lambda memory: memory.undo(memory.remove(["ann:1"])), OLD),
}
"""What this process does meanwhile, and what is under a key afterwards."""


@pytest.mark.parametrize("searched", [False, True], ids=["never searched", "searched"])
@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("read", READS)
def test_an_answer_that_comes_late_brings_nothing_back(
    open_memory, database, proxy, read, change, searched
):
    do, expected = CHANGES[change]
    for replies in itertools.count(1):
        memory = open_memory(proxy.url, namespace=f"{read} {change} {searched} {replies}")
        memory.sync.add_many({"ann:1": OLD, "bob:1": OLD})
        if searched:
            everything(memory)
            open_memory(database.url, namespace=memory.namespace).sync.add("others", {})
        rest = held(memory, READS[read](memory._store), replies)
        if rest is None:
            break
        do(memory.sync)
        rest()
        proxy.refuse()
        assert memory.sync.get("ann:1") == expected
        assert memory.outage() is not None
        proxy.heal()
    assert replies > 1


def test_a_search_that_an_outage_overtakes_is_answered_in_it(memory, other):
    memory.sync.add("k", {"text": "note"})
    store: Any = memory._store
    plan = store.find(Search(text="note"))
    request = plan.send(None)
    store.outages._begin(StoreUnavailable("away, says the test"), store.outages.ended)
    other.sync.add("others", {"text": "note"})
    asked = itertools.count()

    def answer(request: object) -> Any:
        assert next(asked) < 10, "it asks on and on"
        return store.runner._answer(request)  # the server still answers each command

    assert [hit.entry.key for hit in drive(plan, request, answer)] == ["k"]
    assert memory.outage()["degraded_because"] == "away, says the test"
