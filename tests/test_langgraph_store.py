"""A memory as the store of LangGraph: against a naive model, and where other stores are wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

import pytest
from backends import ONE_SERVER, Clock, examples
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.embeddings import Embeddings
from langgraph.store.base import (
    BaseStore,
    GetOp,
    InvalidNamespaceError,
    ListNamespacesOp,
    MatchCondition,
    PutOp,
    SearchOp,
)

from tta_memory_nb import EmbedderError, InvalidArgument, MemoryPrimitive, NotStorable
from tta_memory_nb.integrations.langgraph import TTAStore

pytestmark = pytest.mark.backends("in-memory", "file", ONE_SERVER)

Open = Callable[..., TTAStore]


@pytest.fixture
def make(make_large: Callable[[], MemoryPrimitive]) -> Open:
    return lambda **options: TTAStore(make_large(), evict=True, **options)


@pytest.fixture
def store(make: Open) -> TTAStore:
    return make()


# ---- beside a naive model

LABELS = ("alice", "alicent", "a/b", "a%2Fb", "%", "*")
KEYS = ("k", "a/b", "a%2Fb", "")
Address = tuple[tuple[str, ...], str]

namespaces = st.lists(st.sampled_from(LABELS), min_size=1, max_size=3).map(tuple)
prefixes = st.lists(st.sampled_from(LABELS), max_size=2).map(tuple)
values = st.fixed_dictionaries(
    {},
    optional={
        "n": st.integers(0, 2),
        "kind": st.sampled_from(["x", "y"]),
        "meta": st.fixed_dictionaries({}, optional={"a": st.integers(0, 1), "b.c": st.just(1)}),
        "langgraph_index": st.just("mine"),
        "_langgraph_index": st.just("also mine"),
    },
)
filters: dict[str, tuple[Any, Callable[[dict[str, Any]], bool]]] = {
    "none": (None, lambda _: True),
    "equal": ({"kind": "x"}, lambda value: value.get("kind") == "x"),
    "order": ({"n": {"$gte": 1}}, lambda value: value.get("n", 0) >= 1),
    "not": ({"kind": {"$ne": "x"}}, lambda value: value.get("kind") != "x"),
    "part": ({"meta": {"a": 1}}, lambda value: value.get("meta", {}).get("a") == 1),
    "dotted": ({"meta": {"b.c": 1}}, lambda value: "b.c" in value.get("meta", {})),
    "object": ({"meta": {}}, lambda value: "meta" in value),
    "path": ({"meta.a": 0}, lambda value: value.get("meta", {}).get("a") == 0),
    "two": ({"n": 1, "kind": "y"}, lambda value: value.get("n") == 1 and value.get("kind") == "y"),
}
minutes = st.sampled_from([None, None, 1, 3])
some = st.sampled_from([0, 1, 3, 100])

operations = st.one_of(
    st.builds(PutOp, namespaces, st.sampled_from(KEYS), values, st.none(), minutes),
    st.builds(PutOp, namespaces, st.sampled_from(KEYS), st.none()),
    st.builds(GetOp, namespaces, st.sampled_from(KEYS), st.booleans()),
    st.builds(
        SearchOp, prefixes, st.sampled_from(sorted(filters)), some, some, st.none(), st.booleans()
    ),
    st.builds(
        ListNamespacesOp,
        st.lists(
            st.builds(MatchCondition, st.sampled_from(["prefix", "suffix"]), prefixes), max_size=2
        ).map(tuple),
        st.sampled_from([None, 1, 2]),
        some,
        some,
    ),
)
programs = st.lists(
    st.one_of(st.lists(operations, min_size=1, max_size=5), st.integers(1, 90)), max_size=12
)


@dataclass
class Item:
    value: dict[str, Any]
    created_at: float
    updated_at: float
    place: int
    minutes: float | None
    expires_at: float | None


@dataclass
class Model:
    """A store that is a dict, all of which is looked at each time."""

    clock: Clock
    items: dict[Address, Item] = field(default_factory=dict)
    writes: int = 0

    def batch(self, ops: list[Any]) -> list[Any]:
        now = self.clock()
        self.items = {
            address: item
            for address, item in self.items.items()
            if item.expires_at is None or item.expires_at > now
        }
        answers = list(map(self.answer, ops))
        puts = {(op.namespace, op.key): op for op in ops if isinstance(op, PutOp)}
        for address, op in puts.items():
            if op.value is None:
                self.items.pop(address, None)
                continue
            old = self.items.get(address)
            self.writes += 1
            expires_at = None if op.ttl is None else now + 60 * op.ttl
            created_at = old.created_at if old else now
            self.items[address] = Item(op.value, created_at, now, self.writes, op.ttl, expires_at)
        return answers

    def answer(self, op: Any) -> Any:
        if isinstance(op, GetOp):
            item = self.items.get((op.namespace, op.key))
            return item and self.shown((op.namespace, op.key), item, op.refresh_ttl)
        if isinstance(op, SearchOp):
            found = [
                (address, item)
                for address, item in self.items.items()
                if address[0][: len(op.namespace_prefix)] == op.namespace_prefix
                and filters[op.filter][1](item.value)
            ]
            found.sort(key=lambda each: (each[1].updated_at, each[1].place), reverse=True)
            page = found[op.offset : op.offset + op.limit]
            return [self.shown(*each, op.refresh_ttl) for each in page]
        if isinstance(op, ListNamespacesOp):
            namespaces = {
                namespace[: op.max_depth]
                for namespace, _ in self.items
                if all(matches(namespace, each) for each in op.match_conditions)
            }
            return sorted(namespaces)[op.offset : op.offset + op.limit]
        return None

    def shown(self, address: Address, item: Item, refresh: bool) -> tuple[Any, ...]:
        if refresh and item.minutes is not None:
            item.expires_at = self.clock() + 60 * item.minutes
        return (*address, item.value, item.created_at, item.updated_at)


def matches(namespace: tuple[str, ...], condition: MatchCondition) -> bool:
    path = condition.path
    if len(path) > len(namespace):
        return False
    if condition.match_type == "suffix":
        namespace, path = namespace[::-1], path[::-1]
    return all(wild in ("*", label) for wild, label in zip(path, namespace, strict=False))


def seen(answer: Any) -> Any:
    """Returns an answer of the store as the model gives it."""
    if isinstance(answer, list):
        return [each if isinstance(each, tuple) else seen(each) for each in answer]
    if answer is None:
        return None
    instants = answer.created_at.timestamp(), answer.updated_at.timestamp()
    return (answer.namespace, answer.key, answer.value, *instants)


def test_answers_are_those_of_a_naive_store(make, backend, clock):
    store = make()

    @settings(max_examples=examples(backend, 40))
    @given(programs)
    def check(program):
        store.memory.sync.clear()
        model = Model(clock)
        for step in program:
            if isinstance(step, int):
                clock.tick(step)
                continue
            wanted = [
                op._replace(filter=filters[op.filter][0]) if isinstance(op, SearchOp) else op
                for op in step
            ]
            assert list(map(seen, store.batch(wanted))) == model.batch(step)

    check()


# ---- where others are wrong


def test_an_item_is_a_record_whose_key_names_it(store):
    store.put(("users", "alice"), "name", {"text": "Alice"})
    store.put(("100%", "a/b"), "c/d", {"n": 1})
    assert store.memory.sync.keys() == ["/users/alice/name", "/100%25/a%2Fb/c%2Fd"]
    assert store.memory.sync.get("/users/alice/name") == {"text": "Alice"}
    assert store.get(("100%", "a/b"), "c/d").value == {"n": 1}
    assert store.list_namespaces() == [("100%", "a/b"), ("users", "alice")]


def test_records_that_are_no_items_are_left_alone(store):
    for key in ("alice:monday", "threads/t/1", "/%zz/k", "//k", "/a.b/k"):
        store.memory.sync.add(key, {"n": 1})
    store.put(("a",), "k", {"n": 1})
    store.memory.sync.add("/%zz/later", {"n": 1})
    for limit in (1, 2, 10):
        assert [item.namespace for item in store.search((), limit=limit)] == [("a",)]
    assert store.list_namespaces() == [("a",)]
    assert store.get(("%zz",), "k") is None


def test_created_at_survives_an_overwrite_and_values_are_copies(store, clock):
    value = {"tags": ["a"]}
    store.put(("a",), "k", value)
    value["tags"].append("b")
    created = clock()
    clock.tick(60)
    first, second = store.batch([GetOp(("a",), "k"), GetOp(("a",), "k")])
    first.value["tags"].append("c")
    assert second.value == store.get(("a",), "k").value == {"tags": ["a"]}
    store.put(("a",), "k", {"tags": []})
    item = store.get(("a",), "k")
    assert item.created_at == datetime.fromtimestamp(created, timezone.utc)
    assert item.updated_at == datetime.fromtimestamp(clock(), timezone.utc)


def test_ten_thousand_labels_are_a_namespace(store):
    deep = tuple(f"{number}/" for number in range(10_000))
    store.put(deep, "k", {"n": 1})
    assert store.get(deep, "k").value == {"n": 1}
    assert store.list_namespaces() == [deep]
    assert store.list_namespaces(max_depth=1) == [("0/",)]
    assert store.search(deep[:9_999])[0].key == "k"


@pytest.mark.parametrize("namespace", [("",), ("a.b",), (3,), ([],), ("a\0",), "users"])
def test_a_label_that_is_none_is_refused_also_in_a_batch(store, namespace):
    for op in (GetOp(namespace, "k"), PutOp(namespace, "k", {}), SearchOp(namespace)):
        with pytest.raises(InvalidNamespaceError, match="label"):
            store.batch([op])
    assert store.memory.size() == 0


@pytest.mark.parametrize(
    ("op", "message"),
    [
        (PutOp((), "k", {}), "at least one label"),
        (PutOp(("a",), "k", [1]), "give a dict"),
        (PutOp(("a",), "k", {"x": {1, 2}}), "is not JSON"),
        (PutOp(("a",), "k", {}, ttl=-1), "minutes above 0"),
        (PutOp(("a",), "k", {}, ttl="1m"), "minutes above 0"),
        (SearchOp(("a",), filter={"n": {"$near": 1}}), "unknown operator"),
        (SearchOp(("a",), filter={"m": {"n": {"$near": 1}}}), "unknown operator"),
        (SearchOp(("a",), filter=["n"]), "give a dict"),
        (SearchOp(("a",), limit=-1), "limit=-1"),
        (SearchOp(("a",), offset=-1), "offset=-1"),
        (ListNamespacesOp(limit=-1), "limit=-1"),
        (ListNamespacesOp(max_depth=0), "depth=0"),
        ("get", "give a GetOp"),
    ],
)
def test_bad_input_is_refused_and_changes_nothing(store, op, message):
    with pytest.raises(ValueError, match=message):
        store.batch([PutOp(("b",), "k", {"n": 1}), op])
    assert store.memory.size() == 0


@pytest.mark.backends("in-memory")
@pytest.mark.parametrize(
    ("namespace", "value", "options"),
    [
        (("users", "ana"), {"text": "no peanuts"}, {}),
        (("users", "a/b"), {"langgraph_index": 1}, {"index": ["text"]}),
        (("users",), {"n": 1}, {"index": False}),
        (("users",), {"n": 1}, {"ttl": 3}),
        (("users",), {"n": 1}, {"ttl": None}),
        (("users",), None, {}),
        ((), {"n": 1}, {}),
        (("langgraph", "a"), {"n": 1}, {}),
        (("a.b",), {"n": 1}, {}),
        (("users",), {"n": 1}, {"ttl": 0}),
        (("users",), {"n": {1, 2}}, {}),
        (("users",), [1], {}),
    ],
)
def test_a_put_does_what_langgraph_makes_of_it_with_a_batch(make, namespace, value, options):
    def outcome(store, put):
        store.put(("users",), "k", {"old": True})
        raised: type[Exception] | None = None
        try:
            put(store, namespace, "k", value, **options)
        except Exception as error:
            raised = type(error)
        entries = store.memory.sync.entries()
        return raised, [(e.key, e.text, e.expires_at, e.sliding) for e in entries]

    config = {"index": {"embed": colours, "fields": ["text"]}, "ttl": {"default_ttl": 5}}
    assert outcome(make(**config), TTAStore.put) == outcome(make(**config), BaseStore.put)


def test_a_memory_that_evicts_is_refused():
    with pytest.raises(InvalidArgument, match="so items would be lost"):
        TTAStore(MemoryPrimitive())


# ---- awaited


async def test_what_tasks_ask_at_the_same_time_is_one_batch_and_sync_calls_work_in_a_loop(store):
    verbs = []

    def watch(verb, plan, /, *args, **options):
        verbs.append(verb)
        return plan

    store.memory.watch = watch
    await asyncio.gather(*(store.aput(("a",), str(n), {"n": n}) for n in range(20)))
    assert verbs == ["apply"]
    found = await asyncio.gather(*(store.aget(("a",), str(n)) for n in range(20)))
    assert [item.value["n"] for item in found] == list(range(20))
    assert verbs == ["apply", "get_records"]
    store.put(("a",), "called", {"n": -1})
    assert store.get(("a",), "called").value == {"n": -1}
    await store.adelete(("a",), "called")
    assert await store.aget(("a",), "called") is None


async def test_an_error_of_one_task_is_not_that_of_another(store):
    answers: Any = await asyncio.gather(
        store.aput(("a",), "k", {"n": 1}),
        store.aput(("a",), "bad", {"x": object()}),
        store.asearch(("a",)),
        return_exceptions=True,
    )
    good, bad, late = answers
    assert good is None
    assert isinstance(bad, NotStorable)
    assert isinstance(late, list)
    assert (await store.aget(("a",), "k")).value == {"n": 1}


async def test_a_search_that_fails_lets_the_writes_of_other_tasks_through(make):
    def broken(texts):
        raise OSError("no network")

    store = make(index={"embed": broken})
    answers: Any = await asyncio.gather(
        store.asearch(("a",), query="blue"),
        store.aput(("a",), "k", {"text": "blue"}),
        return_exceptions=True,
    )
    assert isinstance(answers[0], EmbedderError)
    assert answers[1] is None
    assert (await store.aget(("a",), "k")).value == {"text": "blue"}


async def test_a_cancelled_task_leaves_the_others_alone_and_writes_keep_their_order(store):
    first = asyncio.create_task(store.aput(("a",), "k", {"n": 1}))
    second = asyncio.create_task(store.aget(("a",), "none"))
    await asyncio.sleep(0)
    second.cancel()
    third = asyncio.create_task(store.aput(("a",), "k", {"n": 2}))
    await asyncio.gather(first, third)
    assert second.cancelled()
    assert (await store.aget(("a",), "k")).value == {"n": 2}


@pytest.mark.backends("in-memory")
def test_a_store_is_used_in_several_loops_one_after_the_other():
    store = TTAStore(MemoryPrimitive(max_size=None))
    for number in range(3):
        asyncio.run(store.aput(("a",), str(number), {"n": number}))
    assert len(store.search(("a",))) == 3


# ---- ranked

COLOURS = {"red": [1, 0, 0], "green": [0, 1, 0], "blue": [0, 0, 1]}


def colours(texts: list[str]) -> list[list[float]]:
    """Returns a vector for each text: how often it names each colour."""
    return [[text.count(name) + 0.001 for name in COLOURS] for text in texts]


class OfLangChain(Embeddings):
    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return colours(texts)

    def embed_query(self, text: str) -> list[float]:
        return colours([text])[0]


async def asynchronous(texts: list[str]) -> list[list[float]]:
    return colours(texts)


@pytest.mark.parametrize("embed", [colours, asynchronous, OfLangChain()])
async def test_the_nearest_of_several_fields_ranks_an_item(make, embed):
    store = make(index={"embed": embed, "fields": ["title", "parts[*].text"], "dims": 3})
    ns = ("docs",)
    store.put(ns, "mixed", {"title": "red green", "parts": [{"text": "blue"}, {"text": "red"}]})
    store.put(ns, "red", {"title": "red", "note": "blue blue"})
    store.put(ns, "none", {"note": "blue"})
    store.put(ns, "hidden", {"title": "blue"}, index=False)
    store.put(ns, "own", {"title": "red", "note": "green blue"}, index=["note"])
    with pytest.raises(InvalidArgument, match="index='note': give a list of paths"):
        store.put(ns, "wrong", {"note": "blue"}, index="note")
    for found in (store.search(ns, query="blue"), await store.asearch(ns, query="blue")):
        assert [item.key for item in found][:3] == ["mixed", "own", "red"]
        assert {item.key for item in found[3:]} == {"none", "hidden"}
        assert found[0].score == pytest.approx(1, abs=1e-4)
        assert found[1].score == pytest.approx(0.7071, abs=1e-3)
        assert [item.score for item in found[3:]] == [None, None]
    assert store.get(ns, "hidden").value == {"title": "blue"}
    [second] = store.search(ns, query="blue", limit=1, offset=1)
    assert second.key == "own"
    [only] = store.search(ns, query="blue", filter={"note": "blue blue"})
    assert only.key == "red"
    store.put(ns, "red", {"title": "blue"})
    assert store.search(ns, query="blue", limit=2, filter={"title": "blue"})[0].key == "red"


@pytest.mark.backends("in-memory")
def test_a_query_is_ignored_without_an_index(store):
    store.put(("a",), "k", {"text": "blue"}, index=["text"])
    [item] = store.search(("a",), query="something else")
    assert item.score is None
    assert store.memory.sync.get("/a/k") == {"text": "blue"}


@pytest.mark.backends("in-memory")
def test_the_memory_ranks_whole_items_by_words(make):
    store = make(index={"mode": "ranked"})
    store.put(("a",), "rain", {"text": "It rains in Málaga", "n": 1})
    store.put(("a",), "sun", {"text": "The sun shines", "n": 2})
    store.put(("a",), "hidden", {"text": "raining"}, index=False)
    store.put(("ab",), "sibling", {"text": "raining"})
    [found] = store.search(("a",), query="when did it rain?")
    assert (found.key, found.value) == ("rain", {"text": "It rains in Málaga", "n": 1})
    assert found.score > 0
    assert store.search(("a",), query="rain", filter={"n": {"$gt": 1}}) == []
    assert store.search(("a",), query="rain", limit=0) == []


@pytest.mark.backends("in-memory")
@pytest.mark.parametrize(
    ("index", "message"),
    [
        ({"embed": "no such"}, "embedder='no such'"),
        ({"field": ["text"]}, "'field' is no part of it"),
        ({"mode": "best"}, "mode"),
        ({"fields": "text"}, "give a list of paths"),
        ({"mode": "ranked", "fields": ["text"]}, "leave out fields"),
        (["text"], "give a dict"),
    ],
)
def test_an_index_without_a_meaning_is_refused(make, index, message):
    with pytest.raises(InvalidArgument, match=message):
        make(index=index)


@pytest.mark.backends("in-memory")
def test_an_embedder_that_fails_or_has_other_dims_says_so_and_loses_nothing(make):
    def broken(texts):
        raise OSError("no network")

    for embed, dims, error, message in (
        (broken, None, EmbedderError, "no network"),
        (colours, 4, InvalidArgument, "have 3 numbers"),
    ):
        store = make(index={"embed": embed, "dims": dims})
        store.put(("a",), "k", {"text": "blue"})
        with pytest.raises(error, match=message):
            store.search(("a",), query="blue")
        assert store.get(("a",), "k").value == {"text": "blue"}
