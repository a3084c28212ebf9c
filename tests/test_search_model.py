"""Searches in memories of any size and history find the same records as a scan."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from backends import (
    ALL_BUT_THE_STAND_IN,
    BACKENDS,
    ONE_OF_EACH_INDEX,
    Clock,
    examples,
    marks_of,
)
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from json_values import any_text, json_objects, leaves, pieces
from real_servers import SERVERS, need
from search_oracle import (
    NASTY,
    NOWHERE,
    Oracle,
    Twin,
    check,
    cut,
    folded,
    matching,
    query_about,
    value_of,
)

from tta_memory_nb import MemoryPrimitive
from tta_memory_nb.search.substring import index as substring
from tta_memory_nb.stores.redis.operations import BATCH

EXAMPLES = 200
"""Random programs for a backend in this process; `examples` says how many a server runs."""

# Below 64 records the index may be unused; memories of thousands are slow, and so are rare.
CAPACITIES = (
    *([0, 1, 3, 20, 63, 64, 65] + [100, 128, 130, 200, 256] * 2),
    *(300, 400, 500, 600, 700, 1200),
)
# The middle of the range, because Hypothesis prefers its ends.
LARGE = {61: 3000, 97: 5000, 143: 4096}

capacities = st.integers(0, 199).map(
    lambda place: LARGE.get(place, CAPACITIES[place % len(CAPACITIES)])
)
# On a server each record costs round trips, and the index is the same in every backend.
small_capacities = st.sampled_from(CAPACITIES)
# Conditions on values that nearly no record, half of them, or most fulfil.
CONDITIONS: tuple[dict[str, Any], ...] = (
    {"n": {"$gte": 10**9}},
    {"mood": {"$in": ["sun", "Sun", "Σ"]}},
    {"mood": {"$ne": "sun"}, "n": {"$lt": 2000.5}},
    {"n": 31},
    {"agent.mood": "Straße"},
)

KINDS = (
    *("add", "add", "add", "overwrite", "overwrite", "touch", "touch", "delete", "put", "remove"),
    *("remove matching", "undo", "undo", "tick", "tick", "build", "build", "churn", "churn", "ask"),
    *("take all", "clear", "resize"),
)
# A verb, the share of the capacity that it concerns in percent, and a random seed.
steps = st.tuples(st.sampled_from(KINDS), st.integers(0, 100), st.integers(0, 2**32))


def twin_of(backend: str, capacity: int) -> Twin:
    clock = Clock()
    memory = BACKENDS[backend](max_size=capacity, namespace="search", clock=clock).sync
    memory.clear()
    return Twin(memory, clock, capacity, BATCH if memory.is_using_redis() else None)


def ttl_of(chance: random.Random) -> float | None:
    return chance.choice((None, None, None, None, 1, 2.5, 60))


def write(twin: Twin, chance: random.Random, pairs: list[tuple[str, dict[str, Any]]]) -> None:
    """Writes pairs one by one, or all at once."""
    if chance.random() < 0.5:
        twin.add_many(pairs, ttl_of(chance))
    else:
        for key, value in pairs:
            twin.add(key, value, ttl_of(chance))


def step(twin: Twin, kind: str, percent: int, chance: random.Random) -> None:
    oracle = twin.oracle
    many = 1 + oracle.max_size * percent // 100
    few = 1 + many // 4
    match kind:
        case "add":
            write(twin, chance, twin.new_pairs(chance, many))
        case "overwrite":
            write(twin, chance, twin.other_pairs(chance, few))
        case "put":
            pairs = twin.other_pairs(chance, few) + twin.new_pairs(chance, few)
            chance.shuffle(pairs)
            twin.put(pairs + pairs[:3], ttl_of(chance))
        case "touch":
            keys = twin.some_keys(chance, few)
            chance.shuffle(keys)
            if chance.random() < 0.5:
                twin.get_many(keys)
            else:
                for key in keys:
                    twin.get(key)
        case "delete":
            for key in twin.some_keys(chance, few):
                twin.delete(key)
        case "remove":
            twin.remove(twin.some_keys(chance, few))
        case "remove matching":
            twin.remove_matching(twin.some_filters(chance))
        case "take all":
            twin.take_all()
        case "clear":
            twin.clear()
        case "undo":
            twin.undo(chance.randrange(len(twin.changes)) if twin.changes else -1)
        case "resize":
            twin.resize(chance.choice((few, many, oracle.max_size, oracle.max_size + many)))
        case "tick":
            twin.clock.tick(chance.choice((0.25, 1, 2, 100)))
        case "build":
            twin.build(chance.choice((0, 0.0002, 5)))
        case "churn":
            for _ in range(min(many, 40)):
                small_step(twin, chance)
        case "ask":
            twin.ask(chance, 6)


def small_step(twin: Twin, chance: random.Random) -> None:
    """Changes one to three records, so that the next search meets an incomplete index."""
    key = next(iter(twin.some_keys(chance, 1)), "none")
    match chance.randrange(14):
        case 0 | 1 | 2:
            twin.add(*twin.new_pairs(chance, 1)[0], ttl_of(chance))
        case 3 | 4:
            for pair in twin.other_pairs(chance, 2):
                twin.add(*pair, ttl_of(chance))
        case 5 | 6:
            twin.get_many(twin.some_keys(chance, 3))
        case 7:
            twin.get(key)
        case 8:
            twin.delete(key)
        case 9:
            twin.remove(twin.some_keys(chance, 3))
        case 10:
            twin.undo()
        case 11:
            twin.clock.tick(0.25)
        case 12:
            twin.put(twin.other_pairs(chance, 1) + twin.new_pairs(chance, 2), ttl_of(chance))
        case 13:
            twin.build(0.0001)
    if chance.random() < 0.4:
        twin.ask(chance)


@pytest.mark.backends(*ALL_BUT_THE_STAND_IN)
def test_random_programs_find_the_same_records_as_a_scan(backend):
    # Shrinking would take minutes at these sizes, and a failing program is short enough to read.
    @settings(
        max_examples=examples(backend, EXAMPLES),
        suppress_health_check=list(HealthCheck),
        phases=[Phase.explicit, Phase.reuse, Phase.generate],
    )
    @given(
        small_capacities if backend in SERVERS else capacities,
        st.lists(steps, min_size=1, max_size=4 if backend in SERVERS else 8),
        st.integers(0, 2**32),
    )
    def run(capacity, program, seed):
        twin = twin_of(backend, capacity)
        chance = random.Random(seed)
        step(twin, "add", chance.choice((0, 50, 100, 120)), chance)
        for kind, percent, step_seed in program:
            step(twin, kind, percent, random.Random(step_seed))
            twin.ask(chance, 2)
        twin.ask(chance, 2)
        twin.same_everything()

    run()


@pytest.mark.parametrize(
    ("backend", "seed"),
    [
        pytest.param(name, seed, marks=marks_of(name))
        for name in ONE_OF_EACH_INDEX
        for seed in range(examples(name, 4))
    ],
)
def test_searches_in_heavy_churn_find_the_same_records_as_a_scan(backend, seed, monkeypatch):
    chance = random.Random(seed)
    if seed % 2:  # what a search has found out is remembered, however little time it took
        monkeypatch.setattr(substring, "_LONG", 0.0)
    capacity = (3000, 4095, 4096, 5000)[seed % 4]
    twin = twin_of(backend, capacity)
    # Grows from nothing; searches run meanwhile in only half of the cases.
    while twin.number < capacity:
        write(twin, chance, twin.new_pairs(chance, chance.choice((1, 63, 64, 65, 500))))
        if seed % 2:
            twin.ask(chance)
    twin.ask(chance)
    asked_again = [
        (query_about(chance, twin.present()), {"where": where}, limit)
        for where in CONDITIONS
        for limit in (1, 100)
    ]
    for step_number in range(20 if backend == "redis-stack" else 50):
        for _ in range(3):
            small_step(twin, chance)
        match chance.randrange(16):
            case 0:  # enough that the ring wraps around after a few steps
                write(twin, chance, twin.new_pairs(chance, chance.choice((200, 1000))))
            case 1:
                write(twin, chance, twin.other_pairs(chance, 150))
            case 2:
                twin.get_many(twin.some_keys(chance, 300))
            case 3:
                twin.remove(twin.some_keys(chance, chance.choice((10, 700))))
            case 4:
                twin.remove_matching(twin.some_filters(chance))
            case 5:
                twin.undo(chance.randrange(len(twin.changes)) if twin.changes else -1)
            case 6:
                twin.clock.tick(2)
            case 7:
                twin.build(chance.choice((0.001, 5)))
            case 8 if step_number % 3 == 0:
                twin.resize(capacity + chance.choice((-500, -1, 1, 700)))
            case 9 if step_number % 5 == 0:
                twin.take_all()
                twin.ask(chance)
                twin.undo()
        twin.ask(chance)
        twin.same_answers(*chance.choice(asked_again))
    twin.ask(chance, 5)
    twin.same_everything()


class PartialTwin(Twin):
    """Only queries with filters that a server can apply, so that partial replicas answer them.

    Args:
        another: a memory on the same records, which only reads.
    """

    def __init__(self, writer: Any, another: Any, clock: Clock, max_size: int) -> None:
        super().__init__(writer, clock, max_size, BATCH)
        self.memories = (writer, another)

    def build(self, seconds: float) -> None:
        """Does nothing, because an index would load the whole namespace."""

    def some_filters(self, chance: random.Random) -> dict[str, Any]:
        filters: dict[str, Any] = {}
        while not filters.keys() - {"where"}:
            filters = super().some_filters(chance)
        return filters

    def ask(self, chance: random.Random, times: int = 1) -> None:
        for _ in range(times):
            present = self.present()
            query = query_about(chance, present) if chance.random() < 0.8 else None
            self.memory = chance.choice(self.memories)
            self.same_answers(query, self.some_filters(chance), chance.choice((None, 1, 5, 100)))
            self.memory = self.memories[0]


@pytest.mark.backends(*SERVERS)
def test_random_programs_find_the_same_records_in_partial_replicas(backend):
    loaded = []

    @settings(
        max_examples=examples(backend, EXAMPLES // 2),
        suppress_health_check=list(HealthCheck),
        phases=[Phase.explicit, Phase.reuse, Phase.generate],
    )
    @given(small_capacities, st.lists(steps, min_size=1, max_size=6), st.integers(0, 2**32))
    def run(capacity, program, seed):
        clock = Clock()
        made = {"max_size": capacity, "namespace": "parts", "clock": clock}
        writer = BACKENDS[backend](**made).sync
        another = MemoryPrimitive(need(backend).url, timeout=60.0, **made).sync
        twin = PartialTwin(writer, another, clock, capacity)
        chance = random.Random(seed)
        step(twin, "add", chance.choice((50, 100, 120)), chance)
        for kind, percent, step_seed in program:
            step(twin, kind, percent, random.Random(step_seed))
            twin.ask(chance, 3)
        twin.ask(chance, 3)
        if all(kind != "take all" for kind, *_ in program):
            oldest_held = [each._store.replica.position().oldest_held for each in twin.memories]
            loaded.append(oldest_held != [None, None])
        twin.same_everything()
        for each in twin.memories:
            each.close()

    run()
    assert loaded
    assert not any(loaded)


@pytest.mark.backends(*ALL_BUT_THE_STAND_IN)
def test_a_record_that_a_batch_evicts_and_writes_again_is_a_new_record(backend):
    # In memory a batch evicts once. A server receives it in smaller batches, each of which evicts.
    twin = twin_of(backend, 1000)
    twin.add_many([(f"old:{n}", {"n": n}) for n in range(1000)])
    twin.clock.tick()
    new = [(f"new:{n}", {"n": n}) for n in range(BATCH)]
    twin.put([*new, ("old:0", {"n": -1}), ("old:999", {"n": -2})])
    twin.same_everything()
    twin.undo()
    twin.same_everything()


@pytest.mark.backends(*ONE_OF_EACH_INDEX)
def test_each_piece_of_each_record_is_found_however_it_is_written(backend):
    twin = twin_of(backend, 1000)
    chance = random.Random(0)
    twin.add_many([*((f"nasty:{n}", {"text": word}) for n, word in enumerate(NASTY))])
    # The others have a server read more, and nothing else: an index in this process has to tell many apart.
    twin.add_many(twin.new_pairs(chance, 100 if backend == "redis-stack" else 500))
    twin.build(5)
    for word in NASTY:
        for query in {word, word.upper(), word.lower(), word[:1], word[-2:]}:
            twin.same_answers(query, {}, None)
            twin.same_answers(query, {"where": {"text": word}}, 1)


@pytest.mark.backends(*ONE_OF_EACH_INDEX)
def test_any_json_is_found_among_hundreds_of_other_records(backend):
    @given(values=st.lists(json_objects(leaves), max_size=4), data=st.data())
    @settings(max_examples=examples(backend, 100))
    def run(values, data):
        look_for_any_json(backend, values, data)

    run()


def look_for_any_json(backend, values, data):
    twin = twin_of(backend, 300)
    chance = random.Random(data.draw(st.integers(0, 2**32)))
    twin.add_many(twin.new_pairs(chance, 100))
    safe = [value for value in values if all(NOWHERE not in text for text in pieces(value))]
    twin.add_many([(f"any:{n}", value) for n, value in enumerate(safe)])
    twin.build(5)
    texts = [text for value in safe for text in pieces(value)]
    queries = [cut(chance, text) for text in texts] + [data.draw(any_text)]
    for query in queries:
        if NOWHERE not in folded(query):
            twin.same_answers(query, {}, chance.choice((None, 1)))


# ---- the oracle itself


def test_the_texts_make_hits_and_misses_of_all_kinds():
    # Queries that match no record or all records would compare little.
    chance = random.Random(1)
    oracle = Oracle(500, Clock())
    oracle.write([(f"k{n}", value_of(chance, n)) for n in range(500)], None)
    items = list(oracle.items.values())
    sizes = [len(oracle.find(query_about(chance, items), {})) for _ in range(1000)]
    assert sum(size == 0 for size in sizes) > 100
    assert sum(0 < size <= 5 for size in sizes) > 100
    assert sum(5 < size <= 100 for size in sizes) > 100
    assert sum(size > 100 for size in sizes) > 50


def test_the_oracle_compares_each_piece_by_itself():
    chance = random.Random(2)
    oracle = Oracle(300, Clock())
    oracle.write([(f"k{n}", value_of(chance, n)) for n in range(300)], None)
    items = list(oracle.items.values())
    for _ in range(300):
        query = query_about(chance, items)
        one_by_one = [
            item
            for item in items
            if query and any(folded(query) in folded(text) for text in pieces(item.value))
        ]
        assert matching(items, query, {}) == one_by_one


class Wrong:
    """A memory in which one function falsifies the results of a verb."""

    def __init__(self, right: Any, spoil: Callable[..., Any], verb: str) -> None:
        self._right = right
        self._spoil = spoil
        self._verb = verb

    def __getattr__(self, name: str) -> Any:
        right = getattr(self._right, name)
        if name != self._verb:
            return right
        return lambda *args, **kwargs: self._spoil(self._right, right(*args, **kwargs), *args)


def with_a_stale_value(seen: dict[str, Any]) -> Callable[..., Any]:
    """Returns the first value that was ever found under a key."""

    def spoil(memory: Any, hits: list[Any], *arguments: Any) -> list[Any]:
        return [replace(hit, value=seen.setdefault(hit.key, hit.value)) for hit in hits]

    return spoil


def with_a_deleted_record(kept: dict[str, Any]) -> Callable[..., Any]:
    """Finds again what an earlier search with the same query has found."""

    def spoil(memory: Any, hits: list[Any], query: str, *arguments: Any) -> list[Any]:
        before = kept.setdefault(query, hits)
        found = {hit.key for hit in hits}
        return hits + [hit for hit in before if hit.key not in found]

    return spoil


def without_the_last(memory: Any, hits: list[Any], *arguments: Any) -> list[Any]:
    return hits[:-1]


def without_the_newest(memory: Any, hits: list[Any], *arguments: Any) -> list[Any]:
    return hits[1:]


def without_one_in_a_hundred(memory: Any, hits: list[Any], *arguments: Any) -> list[Any]:
    return [hit for hit in hits if hash(hit.value.get("n")) % 100]


def oldest_first(memory: Any, hits: list[Any], *arguments: Any) -> list[Any]:
    return hits[::-1]


def by_the_time_of_writing(memory: Any, hits: list[Any], *arguments: Any) -> list[Any]:
    """As if `get` did not make a record the newest."""
    return sorted(hits, key=lambda hit: -hit.value.get("n", 0))


def twice(memory: Any, hits: list[Any], *arguments: Any) -> list[Any]:
    return hits + hits[-1:]


def with_what_only_shares_letters(memory: Any, hits: list[Any], query: str, *arguments: Any) -> Any:
    """An index that returns candidates: records with each two letters of the query somewhere."""
    needle = folded(query)
    pairs = {needle[place : place + 2] for place in range(len(needle) - 1)} or {needle}
    limit = arguments[0] if arguments else 5
    found = [
        record
        for record in memory.records()
        if query and all(any(p in folded(text) for text in pieces(record.value)) for p in pairs)
    ]
    return found[:limit] if len(hits) < len(found) else hits


def one_too_many(memory: Any, number: int, *arguments: Any) -> int:
    return number + 1


FAULTS = {
    "a hit missing at the old end": (without_the_last, "search_records"),
    "a hit missing at the new end": (without_the_newest, "search_records"),
    "few hits missing": (without_one_in_a_hundred, "search_records"),
    "another order": (oldest_first, "search_records"),
    "the order of writing": (by_the_time_of_writing, "search_records"),
    "a hit twice": (twice, "search_records"),
    "candidates as hits": (with_what_only_shares_letters, "search_records"),
    "stale values": (with_a_stale_value({}), "search_records"),
    "deleted records": (with_a_deleted_record({}), "search_records"),
    "plain values missing": (without_the_last, "search"),
    "records missing": (without_the_last, "records"),
    "a wrong count": (one_too_many, "count"),
}


@pytest.mark.parametrize("fault", [None, *FAULTS])
def test_wrong_answers_of_a_memory_are_detected(fault):
    twin = twin_of("in-memory", 300)
    if fault is not None:
        twin.memory = Wrong(twin.memory, *FAULTS[fault])

    def run() -> None:
        chance = random.Random(3)
        step(twin, "add", 100, chance)
        for _ in range(150):
            small_step(twin, chance)
            twin.ask(chance)

    if fault is None:
        run()
    else:
        with pytest.raises(AssertionError, match=r"found, .* wanted"):
            run()


def test_a_difference_is_reported_with_its_position():
    check([1, 2, 3], [1, 2, 3], "nothing")
    with pytest.raises(AssertionError, match=r"keys: 2 found, 3 wanted; at 1 \[3\] found, \[2\]"):
        check([1, 3], [1, 2, 3], "keys")
