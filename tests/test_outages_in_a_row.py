"""A client that is alone with its namespace answers the same, whether its server is there or not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from backends import DEEP, Clock, calls
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, multiple, rule, run_state_machine_as_test
from outages import PATIENT, everything
from test_store_model import Model, Program, keys, ttls, values

from tta_memory_nb import MemoryPrimitive, StoreUnavailable
from tta_memory_nb.entry import new_entry

if TYPE_CHECKING:
    from network import Proxy

pytestmark = pytest.mark.usefixtures("no_automatic_reconnect")


# Enough that nothing is evicted: which records a server evicts depends on reads, of which it hears
# nothing in an outage.
capacities = st.integers(50, 53)


class Alone(Program):
    """The programs of `test_store_model`, on a server that goes away again and again.

    This process has written all that there is, so it knows all of it in every outage.
    """

    proxy: Proxy
    runs = 0

    def __init__(self) -> None:
        super().__init__("in-memory")
        self.clock = Clock()

    @initialize(max_size=capacities)
    def start(self, max_size):
        Alone.runs += 1
        self.proxy.heal()
        self.store: Any
        memory = MemoryPrimitive(
            self.proxy.url, namespace="model", clock=self.clock, timeout=PATIENT
        )
        self.store = memory._store
        self.memory = memory.sync
        self.memory.clear()
        self.memory.resize(max_size)
        self.model = Model(max_size, self.clock)

    def teardown(self):
        if hasattr(self, "memory"):
            self.come_back()
            super().teardown()

    @rule(target=Program.changes, max_size=capacities)
    def resize(self, max_size):
        return super().resize(max_size)

    # A read of an outage does not change the order of use on the server.

    @rule(key=keys)
    def get(self, key):
        if self.memory.is_using_redis():
            super().get(key)

    @rule(wanted=st.lists(keys, max_size=3, unique=True))
    def get_many(self, wanted):
        if self.memory.is_using_redis():
            super().get_many(wanted)

    @rule(
        target=Program.changes,
        puts=st.dictionaries(keys, st.tuples(values, ttls), max_size=3),
        deletes=st.lists(keys, max_size=2, unique=True),
        expected=st.dictionaries(keys, st.sampled_from(["nothing", "this", "another"]), max_size=2),
    )
    def apply(self, puts, deletes, expected):
        if not expected or self.memory.is_using_redis():
            return super().apply(puts, deletes, expected)
        self.go_away()  # it may be there, with replies that were lost
        # Only the server knows what other clients have written.
        with pytest.raises(StoreUnavailable, match="only the server can tell"):
            self.memory.apply(
                [(key, *item) for key, item in puts.items()],
                [key for key in deletes if key not in puts],
                expect=dict.fromkeys(expected),
            )
        return multiple()

    @rule(key=keys)
    def peek(self, key):
        there = [item.value for item in self.model.oldest_first() if item.key == key]
        assert [entry.value() for entry in self.memory.peek([key])] == there

    @rule()
    def go_away(self):
        self.proxy.refuse()
        self.memory.size()

    @rule()
    def come_back(self):
        self.proxy.heal()
        assert self.memory.reconnect()
        assert self.store.outages.refused == {}

    @rule()
    def lose_a_reply(self):
        self.proxy.fault("lose reply", lambda command: command[0] == b"EVALSHA")


def test_random_programs_answer_as_the_naive_model_in_one_outage_after_the_other(proxy):
    Alone.proxy = proxy
    run_state_machine_as_test(
        Alone,
        settings=settings(
            max_examples=DEEP * 60,
            stateful_step_count=30,
            suppress_health_check=list(HealthCheck),
            report_multiple_bugs=False,
        ),
    )


def test_a_capacity_holds_in_the_second_outage(memory, proxy):
    memory.sync.resize(3)
    for number in range(4):
        memory.sync.add(f"k{number}", {})
    for _ in range(2):
        proxy.refuse()
        memory.sync.add("last", {})
        assert memory.sync.keys() == ["k2", "k3", "last"]
        proxy.heal()
        assert memory.sync.reconnect()


def test_an_undo_in_an_outage_leaves_alone_what_others_have_written_since(
    memory, other, proxy, clock
):
    memory.sync.add("deleted", {"n": 0})
    written = calls(memory).put([new_entry("written", {"n": 1}, clock.now, None)])
    deleted = memory.sync.remove(["deleted"])
    clock.tick()
    expected = {"written": {"n": 2}, "deleted": {"n": 3}}
    other.sync.add_many(expected)
    proxy.refuse()
    clock.tick()
    memory.sync.undo(written)
    memory.sync.undo(deleted)
    proxy.heal()
    assert memory.sync.reconnect()
    assert everything(other) == everything(memory) == expected


def test_a_record_that_another_client_has_deleted_is_forgotten_when_a_delete_says_so(
    memory, other, proxy
):
    memory.sync.add("k", {"n": 1})
    other.sync.delete("k")
    assert memory.sync.delete("k") is False
    proxy.refuse()
    assert everything(memory) == {}
