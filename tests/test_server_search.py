"""A server with RediSearch answers searches by itself, and its index keeps in step with the records."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from copy import copy
from typing import Any

import pytest
from backends import DEEP, Clock
from embedding import Toy
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from real_servers import Server, modules, need, redis_8

from tta_memory_nb import (
    InvalidArgument,
    MemoryPrimitive,
    ServerError,
    StoreUnavailable,
    SyncMemory,
)
from tta_memory_nb.notebook.commands import memories
from tta_memory_nb.notebook.commands.base import Notebook
from tta_memory_nb.search.options import SearchWeights
from tta_memory_nb.search.request import Found, Hit
from tta_memory_nb.stores.redis.keys import index_of, keys_of
from tta_memory_nb.stores.redis.redisearch import index as index_module
from tta_memory_nb.stores.redis.redisearch.shadows import number_of, shadow_of, word_of

AS_ON_A_SERVER = SearchWeights(session=0, b=0)
"""What a server knows of a score. With these weights a memory in this process gives the same scores."""


@pytest.fixture
def url() -> str:
    address: str = need("redis-stack").url
    return address


Open = Callable[..., SyncMemory]


@pytest.fixture
def open_memory(url: str, request: pytest.FixtureRequest) -> Iterator[Open]:
    """Opens memories of one namespace, which is empty at first."""
    opened: list[SyncMemory] = []

    def open_one(server_search: str | None = "redisearch", **arguments: Any) -> SyncMemory:
        given = {"namespace": request.node.name, "timeout": 60.0, **arguments}
        address = url + ("?protocol=3" if len(opened) % 2 else "")
        opened.append(MemoryPrimitive(address, server_search=server_search, **given).sync)
        return opened[-1]

    yield open_one
    MemoryPrimitive(url, namespace=request.node.name, server_search="off").sync.clear()
    for memory in opened:
        memory.close()


def client_of(memory: SyncMemory) -> Any:
    return memory._store.runner.client


def names_on(memory: SyncMemory) -> set[bytes]:
    """Returns what is on the server of an index: its name, its shadows and its sets."""
    pending, bare, prefix = index_of(memory.namespace)
    client = client_of(memory)
    names = {name for name in client.execute_command("FT._LIST") if name.startswith(prefix)}
    keys = client.scan_iter(keys_of(memory.namespace).values.removesuffix("values") + "*")
    return names | {key for key in keys if key in (pending, bare) or key.startswith(prefix)}


def note_of(found: list[Hit]) -> str | None:
    assert isinstance(found, Found)
    note: str | None = found.reading.note
    return note


def keys_found(memory: SyncMemory, query: str, mode: str = "ranked", **filters: Any) -> list[str]:
    return [hit.entry.key for hit in memory.hits(query, None, mode, **filters)]


# ---- in step with the records

KEYS = st.sampled_from(["ann:1", "ann:2:0000000a", "bob:1", "x", "ann::y", "é:1"])
WORDS = ["rain", "sun", "Málaga", "日本", "foo_bar", "ann", "yesterday", "C++", "C", "🎉"]
TEXTS = st.lists(st.sampled_from(WORDS), max_size=4).map(" ".join)
DATE = "8 May 2023"
VALUES = st.fixed_dictionaries(
    {"text": TEXTS},
    optional={
        "speaker": st.sampled_from(["Ann", "Bob"]),
        "turn": st.integers(0, 2),
        "date": st.sampled_from([DATE, "2027-01-16"]),
    },
)
TTLS = st.none() | st.sampled_from([1, 2])
FILTERS = st.sampled_from(
    [
        {},
        {"user": "ann"},
        {"session": "1"},
        {"user": "ann", "session": "1"},
        {"prefix": "ann:"},
        {"prefix": "a"},
        {"prefix": "ann:2:"},
        {"where": {"turn": {"$gte": 1}}},
        {"since": 1_800_000_002.0},
        {"until": 1_800_000_002.0},
    ]
)


COUNTED = [
    {},
    {"prefix": "ann:"},
    {"prefix": "ann:2:"},
    *({at: 1_800_000_002.0} for at in ("since", "until")),
]
"""Filters that the server decides alone, so that it counts words in just what they accept."""


class Program(RuleBasedStateMachine):
    """Two clients write, one of which knows nothing of the index; the other one searches."""

    changes = Bundle("changes")

    def __init__(self, url: str) -> None:
        super().__init__()
        self.clock = Clock()

        def open_one(**arguments: Any) -> SyncMemory:
            given = {"namespace": "in step", "clock": self.clock, "timeout": 60.0, **arguments}
            return MemoryPrimitive(url, weights=AS_ON_A_SERVER, **given).sync

        self.searching = open_one(server_search="redisearch")
        # Scripts cannot read what is compressed.
        self.other = open_one(compress_over=0)

    @initialize(max_size=st.sampled_from([2, 3, 4]))
    def start(self, max_size):
        self.other.clear()
        self.other.resize(max_size)

    def teardown(self):
        self.in_step()
        self.searching.clear()
        self.searching.close()
        self.other.close()

    def either(self, number: int) -> SyncMemory:
        return (self.searching, self.other)[number]

    @rule(one=st.integers(0, 1), key=KEYS, value=VALUES, ttl=TTLS)
    def add(self, one, key, value, ttl):
        self.either(one).add(key, value, ttl)

    @rule(one=st.integers(0, 1), values=st.dictionaries(KEYS, VALUES, max_size=4), ttl=TTLS)
    def add_many(self, one, values, ttl):
        self.either(one).add_many(values, ttl)

    @rule(one=st.integers(0, 1), key=KEYS)
    def read(self, one, key):
        self.either(one).get(key)

    @rule(key=KEYS)
    def delete(self, key):
        self.other.delete(key)

    @rule(target=changes, filters=FILTERS)
    def remove(self, filters):
        return self.searching.remove(**filters) if filters else self.searching.take_all()

    @rule(target=changes, max_size=st.integers(1, 4))
    def resize(self, max_size):
        return self.searching.resize(max_size)

    @rule(change=changes)
    def undo(self, change):
        self.searching.undo(change)

    @rule(one=st.integers(0, 1))
    def clear(self, one):
        self.either(one).clear()

    @rule(seconds=st.sampled_from([0.5, 1.0]))
    def tick(self, seconds):
        self.clock.tick(seconds)

    @rule(
        words=st.lists(st.sampled_from([*WORDS, "Bob", "when", DATE]), min_size=1, max_size=3),
        filters=FILTERS,
        limit=st.none() | st.integers(1, 3),
    )
    def search(self, words, filters, limit):
        query = " ".join(words)
        local = MemoryPrimitive(weights=AS_ON_A_SERVER, clock=self.clock).sync
        entries = sorted(self.other.entries(), key=lambda entry: entry._write_seq)
        local._store.fallback.put(map(copy, entries))
        expected = {
            hit.entry.key: hit.score for hit in local.hits(query, None, "ranked", **filters)
        }
        found = self.searching.hits(query, limit, "ranked", **filters)
        scores = [hit.score for hit in found]
        assert scores == sorted(scores, reverse=True)
        accepted = set(local.keys(**filters))
        for hit in found:
            assert hit.entry.key in accepted
            assert sum(part.amount for part in hit.explanation) == pytest.approx(hit.score)
        # Of other filters, the server counts words in more records than they accept.
        if filters in COUNTED:
            assert scores == pytest.approx(sorted(expected.values(), reverse=True)[:limit])
            for hit in found:
                assert hit.score == pytest.approx(expected[hit.entry.key])
            assert self.searching.count(query, "ranked", **filters) == len(expected)

    @rule(query=st.sampled_from(["rain", "RAIN S", "á", "t", "speaker", "1"]), filters=FILTERS)
    def search_for_text(self, query, filters):
        for limit in (None, 1):
            found = self.searching.entries(query, limit, **filters)
            expected = self.other.entries(query, limit, **filters)
            assert [entry.key for entry in found] == [entry.key for entry in expected]
            for order in ("written", "key"):
                page = self.searching.records(limit, order=order, offset=1, **filters)
                assert page == self.other.records(limit, order=order, offset=1, **filters)
        streamed = [record.key for record in self.searching.stream_records(query, **filters)]
        assert streamed == [record.key for record in self.other.stream_records(query, **filters)]
        assert self.searching.count(query, **filters) == len(streamed)

    @invariant()
    def holds_no_copy(self):
        position = self.searching._store.replica.position()  # type: ignore[attr-defined]
        assert position.oldest_held is None

    def in_step(self):
        """Each record has its shadow, and there is no other one."""
        assert self.searching.build_index() == 0
        index = self.searching._store._index  # type: ignore[attr-defined]
        client = client_of(self.searching)
        there = {entry.key: entry for entry in self.other.entries()}
        shadows = {
            index.key_of(name): client.hgetall(name)
            for name in names_on(self.searching)
            if name.startswith(index.name + b":")
        }
        for key, entry in there.items():
            fields = shadow_of(entry, index.reader).fields
            pairs = zip(fields[::2], fields[1::2], strict=True)
            assert shadows.pop(key) == {name.encode(): text.encode() for name, text in pairs}
        # What has expired may be there yet.
        assert all(float(fields[b"x"]) <= self.clock() for fields in shadows.values())


def test_the_index_keeps_in_step_with_every_verb_of_every_client(url):
    program = settings(max_examples=40 * DEEP, stateful_step_count=25)
    run_state_machine_as_test(lambda: Program(url), settings=program)


def test_records_that_were_there_before_are_indexed_by_the_first_search(open_memory, caplog):
    plain = open_memory(None)
    plain.add_many({f"ann:s:{n:08x}": {"text": f"note {n}"} for n in range(2500)})
    assert plain.get_backend_info()["server_search"] is None
    memory = open_memory()
    about = memory.get_backend_info()
    assert (about["index_records"], about["index_pending"]) == (0, 2500)
    with caplog.at_level(logging.WARNING, "tta_memory_nb"):
        found = memory.hits("2345", 3, "ranked")
    assert [hit.entry.key for hit in found] == [f"ann:s:{2345:08x}"]
    assert note_of(found) == "2,500 records were indexed on the server first"
    assert "indexing 2500 records" in caplog.text
    assert note_of(memory.hits("2345", 3, "ranked")) is None
    about = memory.get_backend_info()
    assert (about["index_records"], about["index_pending"]) == (2500, 0)


def test_what_an_interrupt_leaves_is_indexed_later(open_memory, monkeypatch):
    memory = open_memory()
    memory.add_many({f"k{n}": {"text": "rain"} for n in range(20)})
    monkeypatch.setattr(index_module, "BATCH", 3)
    left = iter(range(10))

    def interrupted(*args: Any) -> Any:
        if next(left, None) is None:
            raise KeyboardInterrupt
        return shadow_of(*args)

    with monkeypatch.context() as patch:
        patch.setattr(index_module, "shadow_of", interrupted)
        with pytest.raises(KeyboardInterrupt):
            memory.hits("rain", mode="ranked")
    assert 0 < memory.get_backend_info()["index_pending"] < 20
    assert len(keys_found(memory, "rain")) == 20


def test_a_word_that_no_record_has_is_corrected(open_memory):
    local = MemoryPrimitive(weights=AS_ON_A_SERVER).sync
    memories = [local] + [open_memory(weights=AS_ON_A_SERVER) for _ in range(2)]
    texts = ("I went down to the harbour", "the organisation of harbours", "harbour", "Málaga")
    for number, text in enumerate(texts):
        local.add(f"ann:1:{number}", {"text": text})
        memories[1].add(f"ann:1:{number}", {"text": text})
    # Two exchanged letters are one mistake, two are corrected in a long word, and one in a short word.
    for query in (
        "harbuor",
        "harbr",
        "orgamizatoin",
        "orgnisatoin",
        "habuor",
        "nowhere",
        "went harbuor",
    ):
        expected, *found = (memory.hits(query, None, "ranked") for memory in memories)
        for hits in found:
            assert [(hit.entry.key, pytest.approx(hit.score)) for hit in expected] == [
                (hit.entry.key, hit.score) for hit in hits
            ]
            assert [asked for asked, _ in hits.reading.corrected] == [
                asked for asked, _ in expected.reading.corrected
            ]
    [(asked, _)] = memories[1].hits("harbuor", None, "ranked").reading.corrected
    assert asked == "harbuor"
    filtered = memories[1].hits("harbuor", None, "ranked", user="bob")
    assert list(filtered) == []
    assert filtered.reading.unknown == ("harbuor",)


FILTERS_OF_VALUES_AND_PARTS: tuple[dict[str, Any], ...] = (
    {"where": {"speaker": "Bob"}},
    {"where": {"n": {"$gt": 3}}, "user": "ann"},
    {"prefix": "ann:mon:0000000"},
    {"prefix": "an"},
    {"prefix": "ann:mon:", "where": {"speaker": {"$ne": "Bob"}}},
    {"prefix": "ann:mon:00000001:"},
    {"session": "mon"},
)


@pytest.mark.parametrize("mode", ["ranked", "hybrid"])
def test_what_does_not_pass_a_filter_is_no_context_of_what_does(open_memory, mode):
    on_server = open_memory(weights=AS_ON_A_SERVER, embedder=Toy())
    texts = ("heavy rain", "a nice walk", "bread", "a quiet evening", "a road", "rain at last")
    for session in ("ann:mon", "ann:tue", "bob:mon"):
        for number in range(18):
            value = {
                "text": texts[number % 6],
                "speaker": "Bob" if number % 4 else "Ann",
                "n": number,
            }
            on_server.add(f"{session}:{number:08x}", value)
    for filters in FILTERS_OF_VALUES_AND_PARTS:
        alone = MemoryPrimitive(weights=AS_ON_A_SERVER, embedder=Toy()).sync
        alone.import_(on_server.records(None, **filters)[::-1])
        expected = alone.hits("rain", None, mode)
        found = on_server.hits("rain", None, mode, **filters)
        assert {hit.entry.key for hit in found} == {hit.entry.key for hit in expected}
        for hit in found:
            keys = {part.neighbour for part in hit.explanation if part.neighbour is not None}
            assert not keys or len(on_server.peek(list(keys))) == len(alone.peek(list(keys)))
        assert on_server.count("rain", mode, **filters) == len(expected)


def test_clear_by_a_client_without_the_option_leaves_nothing_to_find(open_memory):
    memory, plain = open_memory(), open_memory(None)
    memory.add_many({f"k{n}": {"text": "rain"} for n in range(5)})
    assert len(keys_found(memory, "rain")) == 5
    plain.clear()
    plain.add("new", {"text": "rain"})
    assert keys_found(memory, "rain") == ["new"]
    # Index, shadow; those of the former generation were deleted.
    assert len(names_on(memory)) == 2


def test_off_deletes_the_index_and_no_record(open_memory):
    memory = open_memory(embedder=Toy())
    memory.add_many({"a": {"text": "dog"}, "b": {"text": "rain"}})
    assert keys_found(memory, "puppy", "semantic") == ["a"]
    assert names_on(memory)
    plain = open_memory("off")
    assert names_on(memory) == set()
    assert plain.keys() == ["a", "b"]
    assert keys_found(plain, "rain") == ["b"]
    plain.add("c", {"text": "rain"})
    assert names_on(memory) == set()


# ---- hostile text

ANY_TEXT = st.text(max_size=12) | st.sampled_from(
    [
        *(
            "50%",
            "@home",
            "(really",
            '"open',
            "'; DROP",
            "a|b",
            "-x",
            "~x",
            "*",
            "x*",
            "{a}",
            "[1 2]",
        ),
        *(
            "$v",
            "=>",
            "\\",
            "inf",
            "nan",
            "1e5",
            "a\0b",
            "\ud800",
            "the",
            "İ",
            "ﬁ",
            "tta:{x}:i1",
            ",",
        ),
    ]
)


@settings(max_examples=40 * DEEP, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    records=st.dictionaries(
        st.tuples(ANY_TEXT, ANY_TEXT).map(lambda parts: f"k{parts[0]}:{parts[1]}"),
        st.fixed_dictionaries({"text": ANY_TEXT, "speaker": ANY_TEXT}),
        max_size=4,
    ),
    query=st.lists(ANY_TEXT, max_size=3).map(" ".join),
    user=ANY_TEXT,
)
def test_no_text_is_syntax(hostile, records, query, user):
    memory, local = hostile, MemoryPrimitive(weights=AS_ON_A_SERVER, language="none").sync
    memory.clear()
    memory.add_many(records)
    local.add_many(records)
    for filters in ({}, {"user": f"k{user}"}, {"session": user}, {"prefix": f"k{user}:"}):
        assert keys_found(memory, query, "keyword", **filters) == keys_found(
            local, query, "keyword", **filters
        )
        expected = local.hits(query, None, "ranked", **filters)
        found = memory.hits(query, None, "ranked", **filters)
        # The server corrects no words, and does not find single characters in pairs of them.
        reading = getattr(expected, "reading", None)
        assume(reading is None or not reading.corrected)
        allowed = {hit.entry.key: hit.score for hit in expected}
        for hit in found:
            assert hit.score <= allowed[hit.entry.key] + 1e-9
        if all(variants == 1 for variants in _variants(expected)):
            assert {hit.entry.key: pytest.approx(hit.score) for hit in found} == allowed


def _variants(hits: Any) -> list[int]:
    matcher = hits[0].matcher if hits else None
    return [len(term.variants) for term in matcher.ranking.question.terms] if matcher else []


@pytest.fixture(scope="module")
def hostile() -> Iterator[SyncMemory]:
    memory = MemoryPrimitive(
        need("redis-stack").url,
        namespace="hostile {*} | @x:(y)",
        server_search="redisearch",
        language="none",
        weights=AS_ON_A_SERVER,
        timeout=60.0,
    ).sync
    yield memory
    memory.clear()
    memory.close()


@given(st.text(), st.text())
def test_texts_that_differ_have_words_that_differ(one, other):
    assume(one != other)
    assert word_of(one) != word_of(other)
    assert word_of(one).isalnum()
    assert word_of(one).isascii()
    assert 0 <= number_of(one) < 1 << 53


# ---- meaning


@pytest.mark.parametrize("kind", ["redisearch", "redisearch:hnsw"])
def test_meaning_is_compared_on_the_server(open_memory, kind):
    texts = ["the puppy", "heavy rain", "bread and cake", "", "a truck", "wet hound"]
    toy = Toy(is_quick=True)
    memory = open_memory(kind, embedder=toy, weights=AS_ON_A_SERVER)
    plain = open_memory(None, embedder=Toy(is_quick=True), weights=AS_ON_A_SERVER)
    # No record is around another one.
    plain.add_many({f"k{n}": {"text": text, "speaker": "Ann"} for n, text in enumerate(texts)})
    plain.add("k3", {"text": ""})
    for query in ("dog", "What weather did Ann like?", "oven", "dog in the rain"):
        for mode in ("semantic", "hybrid"):
            expected = {hit.entry.key: hit.score for hit in plain.hits(query, None, mode)}
            found = {hit.entry.key: hit.score for hit in memory.hits(query, None, mode)}
            # A vector has two bytes a number there, so one that is 0 here may be nearly 0.
            assert found == {
                key: pytest.approx(score, abs=0.01)
                for key, score in expected.items()
                if key in found
            }
            assert all(score < 0.01 for key, score in expected.items() if key not in found)
            best = memory.hits(query, 1, mode)[0]
            assert sum(part.amount for part in best.explanation) == pytest.approx(best.score)
    assert set(toy.asked) - set(toy.questions) == set(texts) - {""}
    assert memory.get_backend_info()["index_without_vector"] == 0
    plain.add("k1", {"text": "a kitten cat"})
    assert keys_found(memory, "dog", "semantic")[0] in ("k0", "k1", "k5")
    assert "k1" not in keys_found(memory, "storm", "semantic")


def test_packs_are_chosen_as_in_this_process_and_empty_where_nothing_is_relevant(open_memory):
    local = MemoryPrimitive(weights=AS_ON_A_SERVER).sync
    memory = open_memory(weights=AS_ON_A_SERVER)
    towns = ("bridge river market", "bakery tower garden", "harbour lantern chapel", "mill quarry")
    for number in range(24):
        value = {"speaker": ("Ann", "Bob")[number % 2], "text": f"{towns[number % 4]} {number}"}
        for each in (local, memory):
            each.add(f"note-{number}", value)
    for query in ("Where is the bakery of Ann?", "quarry", "Did Zoe fix a submarine at the mill?"):
        expected = local.pack(query, 400, mode="ranked", fill="budget")
        found = memory.pack(query, 400, mode="ranked", fill="budget")
        assert found.tokens <= 400
        assert found.relevance == pytest.approx(expected.relevance)
        assert found.threshold == pytest.approx(expected.threshold)
        assert bool(found) is bool(expected) is ("Zoe" not in query)
        assert set(found.keys) == set(expected.keys)
        assert [each.outcome for each in found.considered] == [
            each.outcome for each in expected.considered
        ]


def test_another_embedder_has_all_texts_embedded_again(open_memory):
    first = open_memory(embedder=Toy("1"))
    first.add_many({"a": {"text": "dog"}, "b": {"text": "rain"}})
    assert keys_found(first, "puppy", "semantic") == ["a"]
    second = Toy("2")
    memory = open_memory(embedder=second)
    assert keys_found(memory, "puppy", "semantic") == ["a"]
    assert sorted(second.asked) == ["dog", "puppy", "rain"]
    # A third client with the same embedder embeds its question alone.
    third = Toy("2")
    assert keys_found(open_memory(embedder=third), "hound", "semantic") == ["a"]
    assert third.asked == ["hound"]


def test_all_records_are_embedded_ahead_on_demand(open_memory):
    toy = Toy()
    memory = open_memory(embedder=toy)
    memory.add_many({f"k{n}": {"text": f"rain {n}"} for n in range(1200)})
    assert memory.embed() == 1200
    assert memory.get_backend_info()["index_without_vector"] == 0
    assert len(keys_found(memory, "storm", "semantic")) == 1200
    assert sorted(toy.asked) == sorted(["", "storm", *(f"rain {n}" for n in range(1200))])


# ---- what it cannot do, and what goes wrong


def test_a_server_without_the_module_is_refused_in_one_line():
    with pytest.raises(
        ServerError, match=r"^server_search='redisearch': redis://.* has no RediSearch; "
    ):
        MemoryPrimitive(need("valkey").url, server_search="redisearch", timeout=60.0)


@pytest.mark.parametrize(
    ("address", "message"),
    [
        (None, "only a server that has RediSearch"),
        ("file:x.db", "only a server that has RediSearch"),
        ("redis+cluster://localhost:1", "leave server_search out"),
    ],
)
def test_a_backend_that_has_none_is_refused(address, message):
    with pytest.raises(InvalidArgument, match=message):
        MemoryPrimitive(address, server_search="redisearch")
    with pytest.raises(InvalidArgument, match="give 'redisearch', 'redisearch:hnsw', 'off'"):
        MemoryPrimitive(address, server_search="solr")


def test_an_index_of_another_language_is_not_taken(open_memory):
    open_memory(language="german").build_index()
    with pytest.raises(ServerError, match="is indexed with language='german'"):
        open_memory()
    open_memory("off")
    open_memory().build_index()


def test_an_index_of_a_later_version_is_refused(open_memory):
    memory = open_memory()
    memory.build_index()
    client_of(memory).hset(keys_of(memory.namespace).meta, "index_as", "99:english")
    with pytest.raises(ServerError, match="pip install --upgrade"):
        memory.hits("rain", mode="ranked")


def test_an_earlier_version_that_would_not_keep_the_index_in_step_is_refused(open_memory):
    memory = open_memory()
    memory.build_index()
    assert client_of(memory).hget(keys_of(memory.namespace).meta, "format") == b"1+index"


def test_an_index_that_someone_dropped_is_made_again(open_memory):
    memory = open_memory()
    memory.add("a", {"text": "rain"})
    assert keys_found(memory, "rain") == ["a"]
    client_of(memory).execute_command("FT.DROPINDEX", memory._store._index.name)
    memory.hits("rain", mode="ranked")
    assert keys_found(memory, "rain") == ["a"]


def test_a_server_without_room_still_answers(open_memory):
    need("redis-stack")
    server = Server(redis_8(), *modules())
    try:
        memory = MemoryPrimitive(server.url, server_search="redisearch", timeout=60.0).sync
        memory.add("a", {"text": "rain"})
        assert keys_found(memory, "rain") == ["a"]
        memory.add("b", {"text": "rain"})
        client_of(memory).config_set("maxmemory", 1)
        found = memory.hits("rain", mode="ranked")
        assert [hit.entry.key for hit in found] == ["a"]
        assert note_of(found).startswith("1 records are not indexed yet: ")
        client_of(memory).config_set("maxmemory", 0)
        assert sorted(keys_found(memory, "rain")) == ["a", "b"]
    finally:
        server.stop()


def test_in_an_outage_what_this_process_knows_is_searched():
    need("redis-stack")
    server = Server(redis_8(), *modules())
    try:
        memory = MemoryPrimitive(server.url, server_search="redisearch", timeout=60.0).sync
        memory.add("a", {"text": "rain"})
        server.kill()
        assert keys_found(memory, "rain") == ["a"]
        assert memory.get_backend_info()["degraded"]
        strict = MemoryPrimitive(server.url, on_outage="fallback", server_search="redisearch")
        assert strict.sync.hits("rain", mode="ranked") == []
        with pytest.raises(StoreUnavailable):
            MemoryPrimitive(server.url, on_outage="raise", server_search="redisearch")
    finally:
        server.stop()


def test_info_says_how_far_the_index_is(open_memory, url):
    memory = open_memory()
    memory.add_many({"a": {"text": "rain"}, "b": {"text": "sun"}})
    nb = Notebook()
    memories.use(nb, url, namespace=memory.namespace, server_search="redisearch")
    facts = memories.info(nb).value["value"]
    assert facts["server search"] == "redisearch: 0 records indexed, 2 pending"
    nb.memory.sync.hits("rain", mode="ranked")
    facts = memories.info(nb).value["value"]
    assert facts["server search"].startswith("redisearch: 2 records indexed, 0 pending, ")
