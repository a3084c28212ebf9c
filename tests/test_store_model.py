"""Random programs give the same results on every backend and in a naive model."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import pytest
from backends import EVERY_BACKEND, WITH_A_STAND_IN, Clock, calls, examples
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    multiple,
    rule,
    run_state_machine_as_test,
)
from json_values import pieces
from real_servers import SERVERS

from tta_memory_nb import Conflict, MemoryRecord
from tta_memory_nb.entry import new_entry
from tta_memory_nb.stores.base import Change
from tta_memory_nb.text import fold

NAMESPACE = "model"

# Few of each, so that programs often use the same key, text and instant again.
keys = st.sampled_from(["ann:1", "ann:2", "bob:1", "x"])
texts = st.sampled_from(["Rain", "rain in Málaga", "sun", "", "STRASSE", "straße"])
values = st.fixed_dictionaries({}, optional={"text": texts, "turn": st.integers(0, 2)})
sessions = st.sampled_from([("ann", "1"), ("ann", "2")])
ttls = st.none() | st.sampled_from([1, 2, 3])
queries = st.sampled_from(["rain", "RAIN IN", "strasse", "t", "1", "text", "", "none of it"])
limits = st.none() | st.integers(1, 3)
filters = st.sampled_from(
    [{}, {"user": "ann"}, {"session": "1"}, {"prefix": "bob:"}, {"where": {"turn": {"$gte": 1}}}]
)


@dataclass(eq=False)
class Item:
    """A record of the model; `used` is its position by recency."""

    key: str
    value: dict[str, Any]
    created_at: float
    updated_at: float
    expires_at: float | None
    sliding: float | None = None
    used: int = 0

    def record(self) -> MemoryRecord:
        return MemoryRecord(
            self.key,
            self.value,
            NAMESPACE,
            self.created_at,
            self.updated_at,
            self.expires_at,
            sliding=self.sliding,
        )


Taken: TypeAlias = tuple[list[Item], list[Item]]
"""What a change wrote, and what it removed."""


@dataclass
class Model:
    """A naive memory: a dict, all of which is read each time."""

    max_size: int
    clock: Clock
    items: dict[str, Item] = field(default_factory=dict)
    uses: int = 0

    def alive(self, item: Item) -> bool:
        return item.expires_at is None or item.expires_at > self.clock()

    def oldest_first(self) -> list[Item]:
        self.items = {key: item for key, item in self.items.items() if self.alive(item)}
        return sorted(self.items.values(), key=lambda item: item.used)

    def use(self, item: Item) -> None:
        self.uses += 1
        item.used = self.uses

    def evict(self) -> list[Item]:
        present = self.oldest_first()
        return [
            self.items.pop(item.key) for item in present[: max(0, len(present) - self.max_size)]
        ]

    def write(self, items: list[tuple[str, dict[str, Any], float | None]]) -> Taken:
        before = {item.key: item for item in self.oldest_first()}
        now = self.clock()
        written = []
        for key, value, ttl in items:
            old = self.items.get(key)
            item = Item(key, value, old.created_at if old else now, now, ttl and now + ttl)
            self.use(item)
            self.items[key] = item
            written.append(item)
        self.evict()
        return written, self.gone(before)

    def gone(self, before: dict[str, Item]) -> list[Item]:
        return [item for item in before.values() if self.items.get(item.key) is not item]

    def get(self, key: str) -> dict[str, Any] | None:
        self.oldest_first()
        if key not in self.items:
            return None
        item = self.items[key]
        self.use(item)
        self.renew(item)
        return item.value

    def renew(self, item: Item) -> None:
        if item.sliding is not None:
            item.expires_at = self.clock() + item.sliding

    def touch(self, keys: list[str], ttl: float | None) -> int:
        self.oldest_first()
        there = [self.items[key] for key in keys if key in self.items]
        for item in there:
            self.use(item)
            if ttl is None:
                self.renew(item)
            else:
                item.expires_at = self.clock() + ttl
                item.sliding = item.sliding and ttl
        return len(there)

    def find(self, query: str | None, accepts: dict[str, Any]) -> list[Item]:
        def accepted(item: Item) -> bool:
            user, session, *_ = *item.key.split(":"), ""
            return (
                ("user" not in accepts or (session != "" and user == accepts["user"]))
                and ("session" not in accepts or session == accepts["session"])
                and item.key.startswith(accepts.get("prefix", ""))
                and ("where" not in accepts or item.value.get("turn", 0) >= 1)
                and (query is None or any(fold(query) in fold(text) for text in pieces(item.value)))
            )

        return [item for item in self.oldest_first()[::-1] if query != "" and accepted(item)]

    def take(self, items: list[Item]) -> Taken:
        for item in items:
            del self.items[item.key]
        return [], items

    def undo(self, written: list[Item], removed: list[Item]) -> Taken:
        before = {item.key: item for item in self.oldest_first()}
        for item in written:
            if self.items.get(item.key) is item:
                del self.items[item.key]
        for item in removed:
            if item.key not in self.items and self.alive(item):
                self.items[item.key] = item
        self.evict()
        back = [item for item in removed if self.items.get(item.key) is item]
        return [item for item in back if before.get(item.key) is not item], self.gone(before)


class Program(RuleBasedStateMachine):
    """Runs every verb on the backend and on the model, and compares the results."""

    changes = Bundle("changes")

    def __init__(self, backend: str) -> None:
        super().__init__()
        self.clock = Clock()
        self.make = WITH_A_STAND_IN[backend]
        self.appended: defaultdict[tuple[str, str], set[str]] = defaultdict(set)

    @initialize(max_size=st.sampled_from([0, 1, 2, 3, 3, 4, 4]))
    def start(self, max_size):
        self.memory = self.make(max_size=max_size, namespace=NAMESPACE, clock=self.clock).sync
        self.memory.clear()
        self.model = Model(max_size, self.clock)

    def teardown(self):
        if hasattr(self, "memory"):
            self.the_same_size()
            self.the_same_keys_in_the_same_order()
            self.memory.clear()
            self.memory.close()

    def same(self, real: Change, expected: Taken) -> tuple[Change, Taken]:
        written, removed = expected
        # The order in a change is undefined: its entries have their recency. How often a key was
        # written is undefined, too.
        assert {entry.key for entry in real.written} == {item.key for item in written}
        assert sorted(entry.key for entry in real.removed) == sorted(item.key for item in removed)
        return real, expected

    @rule(key=keys, value=values, ttl=ttls)
    def add(self, key, value, ttl):
        self.memory.add(key, value, ttl)
        self.model.write([(key, value, ttl)])

    @rule(key=keys, value=values, ttl=st.sampled_from([1, 2, 3]))
    def add_sliding(self, key, value, ttl):
        self.memory.add(key, value, ttl, sliding=True)
        [item], _ = self.model.write([(key, value, ttl)])
        item.sliding = ttl

    @rule(wanted=st.lists(keys, max_size=3, unique=True), ttl=ttls)
    def touch(self, wanted, ttl):
        assert self.memory.touch(wanted, ttl) == self.model.touch(wanted, ttl)

    @rule(key=keys, value=values, ttl=st.sampled_from([1, 2]))
    def add_and_wait_until_it_expires(self, key, value, ttl):
        # The next verb, whichever it is, must see at once that the record has expired. Random
        # steps alone rarely test this.
        self.add(key, value, ttl)
        self.clock.tick(ttl)

    @rule(pairs=st.lists(st.tuples(keys, values), max_size=4), ttl=ttls)
    def add_many(self, pairs, ttl):
        assert self.memory.add_many(pairs, ttl) == len(pairs)
        self.model.write([(*pair, ttl) for pair in pairs])

    @rule(target=changes, pairs=st.lists(st.tuples(keys, values), max_size=4), ttl=ttls)
    def put(self, pairs, ttl):
        now = self.clock()
        real = calls(self.memory).put([new_entry(key, value, now, ttl) for key, value in pairs])
        return self.same(real, self.model.write([(*pair, ttl) for pair in pairs]))

    @rule(
        target=changes,
        puts=st.dictionaries(keys, st.tuples(values, ttls), max_size=3),
        deletes=st.lists(keys, max_size=2, unique=True),
        expected=st.dictionaries(keys, st.sampled_from(["nothing", "this", "another"]), max_size=2),
    )
    def apply(self, puts, deletes, expected):
        deletes = [key for key in deletes if key not in puts]
        there = {item.key: item for item in self.model.oldest_first()}
        versions = {record.key: record.version for record in self.memory.records()}
        expect = {
            key: {"nothing": None, "this": versions.get(key), "another": "1"}[what]
            for key, what in expected.items()
        }
        wrong = [key for key, version in expect.items() if version != versions.get(key)]
        items = [(key, *item) for key, item in puts.items()]
        if wrong:
            with pytest.raises(Conflict) as caught:
                self.memory.apply(items, deletes, expect=expect)
            assert list(caught.value.keys) == wrong
            return multiple()
        real = self.memory.apply(items, deletes, expect=expect)
        gone = [there[key] for key in deletes if key in there]
        self.model.take(gone)
        written, removed = self.model.write(items)
        return self.same(real, (written, [*gone, *removed]))

    @rule(session=sessions, some=st.lists(values, max_size=3), ttl=ttls)
    def append(self, session, some, ttl):
        appended = self.memory.append(*session, some, ttl)
        # Behind all that there were, also behind those that are gone.
        before = sorted(self.appended[session])
        assert [*before, *appended] == sorted({*before, *appended})
        self.appended[session].update(appended)
        self.model.write([(key, value, ttl) for key, value in zip(appended, some, strict=True)])

    @rule(session=sessions, last=st.none() | st.integers(0, 3))
    def history(self, session, last):
        there = [item for item in self.model.oldest_first() if item.key in self.appended[session]]
        there.sort(key=lambda item: item.key)
        expected = there if last is None else there[len(there) - min(last, len(there)) :]
        found = self.memory.history(*session, last)
        assert found == [item.record() for item in expected]

    @rule(key=keys)
    def get(self, key):
        assert self.memory.get(key) == self.model.get(key)

    @rule(wanted=st.lists(keys, max_size=3, unique=True))
    def get_many(self, wanted):
        expected = {key: self.model.get(key) for key in wanted}
        found = {key: value for key, value in expected.items() if value is not None}
        assert self.memory.get_many(wanted) == found

    @rule(key=keys)
    def delete(self, key):
        there = [item for item in self.model.oldest_first() if item.key == key]
        assert self.memory.delete(key) is bool(there)
        self.model.take(there)

    @rule(key=keys)
    def ttl(self, key):
        self.model.oldest_first()
        item = self.model.items.get(key)
        left = None if item is None or item.expires_at is None else item.expires_at - self.clock()
        assert self.memory.ttl(key) == left

    @rule(query=queries, limit=limits, accepts=filters)
    def search(self, query, limit, accepts):
        found = self.model.find(query, accepts)
        hits = self.memory.search_records(query, limit, **accepts)
        assert [hit.key for hit in hits] == [item.key for item in found[:limit]]
        plain = [item.value for item in self.model.find(query, {})]
        assert self.memory.search(query, limit) == plain[:limit]

    @rule(query=st.none() | queries, accepts=filters)
    def count(self, query, accepts):
        assert self.memory.count(query, **accepts) == len(self.model.find(query, accepts))

    @rule(accepts=filters, limit=limits)
    def look(self, accepts, limit):
        found = self.model.find(None, accepts)
        records = self.memory.records(limit, **accepts)
        assert records == [item.record() for item in found[:limit]]
        assert self.memory.keys(**accepts) == [item.key for item in found[::-1]]

    @rule()
    def clear(self):
        self.memory.clear()
        self.model.take(self.model.oldest_first())

    @rule(seconds=st.sampled_from([0.5, 1.0, 2.0]))
    def tick(self, seconds):
        self.clock.tick(seconds)

    @rule(target=changes, wanted=st.lists(keys, min_size=1, max_size=3))
    def remove(self, wanted):
        there = [item for item in self.model.oldest_first() if item.key in wanted]
        return self.same(self.memory.remove(wanted), self.model.take(there))

    @rule(target=changes, accepts=filters)
    def remove_matching(self, accepts):
        real = self.memory.remove(**accepts) if accepts else self.memory.take_all()
        return self.same(real, self.model.take(self.model.find(None, accepts)))

    @rule(target=changes, max_size=st.integers(0, 4))
    def resize(self, max_size):
        real = self.memory.resize(max_size)
        self.the_capacity_before(real, max_size)
        return self.same(real, ([], self.model.evict()))

    @rule(target=changes, change=changes)
    def undo(self, change):
        real, expected = change
        back = self.memory.undo(real)
        self.the_capacity_before(back, real.max_size)
        return self.same(back, self.model.undo(*expected))

    def the_capacity_before(self, real, max_size):
        before = self.model.max_size
        self.model.max_size = before if max_size is None else max_size
        assert real.max_size == (None if self.model.max_size == before else before)
        assert self.memory.max_size == self.model.max_size

    # No invariant: it would run after each step and let the store see every expiry at once.
    @rule()
    def the_same_keys_in_the_same_order(self):
        expected = [item.key for item in self.model.oldest_first()]
        assert self.memory.keys() == expected

    @rule()
    def the_same_size(self):
        assert self.memory.size() == len(self.model.oldest_first()) <= self.memory.max_size


@pytest.mark.backends(*EVERY_BACKEND)
def test_random_programs_answer_as_the_naive_model(backend):
    run_state_machine_as_test(
        lambda: Program(backend),
        settings=settings(
            max_examples=examples(backend, 200),
            stateful_step_count=25 if backend in SERVERS else 40,
        ),
    )
