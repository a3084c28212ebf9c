"""Vectors of slow embedders on a server: made once for all clients, and never trusted."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from backends import ONE_SERVER, Clock
from embedding import Toy, meaning_of
from real_servers import need

from tta_memory_nb import MemoryPrimitive
from tta_memory_nb.search import vectors as table
from tta_memory_nb.stores.redis import vectors
from tta_memory_nb.stores.redis.keys import vectors_of

pytestmark = pytest.mark.backends(ONE_SERVER)

TEXTS = {"a:s:1": "the puppy", "a:s:2": "heavy rain", "b:s:1": "bread"}


@pytest.fixture
def pair(make: Callable[..., MemoryPrimitive]) -> Iterator[tuple[Toy, MemoryPrimitive]]:
    toy = Toy()
    memory = make(embedder=toy)
    memory.sync.clear()
    memory.sync.add_many({key: {"text": text} for key, text in TEXTS.items()})
    yield toy, memory
    memory.sync.clear()


@pytest.fixture
def join(
    pair: tuple[Toy, MemoryPrimitive], backend: str
) -> Iterator[Callable[..., MemoryPrimitive]]:
    """Opens the same namespace once more, as another client."""
    namespace, opened = pair[1].namespace, []

    def open_(embedder: Toy) -> MemoryPrimitive:
        url = need(backend).url
        opened.append(
            MemoryPrimitive(
                url, namespace=namespace, embedder=embedder, timeout=60.0, clock=Clock()
            )
        )
        return opened[-1]

    yield open_
    for memory in opened:
        memory.sync.close()


def hashes(memory: MemoryPrimitive) -> list[bytes]:
    names, prefix = vectors_of(memory.namespace)
    return [prefix + name for name in memory.redis_client.smembers(names)]


def found(memory: MemoryPrimitive, question: str) -> str:
    [record] = memory.sync.search_records(question, 1, mode="semantic")
    return record.key


def test_another_client_embeds_its_question_alone(pair, join):
    toy, memory = pair
    assert found(memory, "dog") == "a:s:1"
    [name] = hashes(memory)
    assert memory.redis_client.hlen(name) == len(TEXTS)
    other = Toy()
    client = join(other)
    assert found(client, "dog") == "a:s:1"
    assert other.asked == ["dog"]
    # One of them writes, and the other one uses what the first of them has embedded.
    client.sync.add("a:s:1", {"text": "the cat"})
    assert found(client, "animal") == "a:s:1"
    assert other.asked == ["dog", "animal", "the cat"]
    assert found(memory, "animal") == "a:s:1"
    assert toy.asked[-1] == "animal"


@pytest.mark.parametrize(
    "damage",
    [
        lambda value: value[:-1],
        lambda value: value + b"\0",
        lambda value: b"",
        lambda value: b"12345678" + value[8:],
        lambda value: value[:8] + b"\x00\x00\xc0\x7f" + value[12:],
        lambda value: value[:8] + b"\x00\x00\x80\x40" + value[12:],
        lambda value: value[:8] + bytes(4) + value[12:],
        lambda value: value[:12] + bytes(len(value) - 12),
    ],
    ids=["short", "long", "empty", "of another text", "NaN", "no unit vector", "no scale", "zeros"],
)
def test_a_damaged_vector_is_made_again(pair, join, damage):
    _, memory = pair
    assert found(memory, "dog") == "a:s:1"
    [name] = hashes(memory)
    client = memory.redis_client
    before = client.hgetall(name)
    for key, value in before.items():
        client.hset(name, key, damage(value))
    other = Toy()
    assert found(join(other), "dog") == "a:s:1"
    assert sorted(other.asked) == sorted(["dog", *TEXTS.values()])
    assert client.hgetall(name) == before


def test_each_version_of_an_embedder_has_a_hash_of_its_own_and_clear_takes_all(pair, join):
    _, memory = pair
    found(memory, "dog")
    second = join(Toy("2"))
    found(second, "dog")
    assert len(hashes(memory)) == 2
    memory.sync.clear()
    pattern = vectors_of(memory.namespace)[0].replace(b"vectors", b"*")
    ends = [name.rpartition(b"}:")[2] for name in memory.redis_client.scan_iter(pattern)]
    assert [end for end in ends if not end.startswith(b"answers:")] == [b"meta"]


def test_vectors_of_a_quick_embedder_are_not_kept(pair, join):
    _, memory = pair
    assert found(join(Toy(is_quick=True)), "dog") == "a:s:1"
    assert hashes(memory) == []


def test_vectors_of_records_that_are_gone_are_swept(pair, monkeypatch):
    _, memory = pair
    monkeypatch.setattr(vectors, "_SPARE", 10)
    found(memory, "dog")
    [name] = hashes(memory)
    for _ in range(4):
        memory.sync.add_many({f"old:s:{n}": {"text": f"rain {n}"} for n in range(20)})
        found(memory, "dog")
        memory.sync.remove(prefix="old:")
    memory.sync.add("new:s:1", {"text": "snow"})
    found(memory, "dog")
    assert memory.redis_client.hlen(name) <= 2 * (len(TEXTS) + 1) + 10


def test_a_name_that_another_program_uses_costs_only_the_sharing(pair):
    toy, memory = pair
    names, _ = vectors_of(memory.namespace)
    memory.redis_client.set(names, "taken")
    assert found(memory, "dog") == "a:s:1"
    assert sorted(toy.asked) == sorted(["dog", *TEXTS.values()])
    memory.sync.clear()
    assert memory.redis_client.exists(names) == 0


def test_vectors_are_kept_as_they_were_made_while_another_thread_drops_some(
    pair, join, monkeypatch
):
    _, memory = pair
    monkeypatch.setattr(table, "_SPARE", 0)
    put, dropped = table.Vectors.put_quantized, []

    def put_and_drop(vectors, digests, codes, scales):
        put(vectors, digests, codes, scales)
        if not dropped:
            dropped.append(len(vectors))
            vectors.sweep(np.empty(0, np.uint64))

    monkeypatch.setattr(table.Vectors, "put_quantized", put_and_drop)
    assert found(memory, "dog") == "a:s:1"
    assert dropped == [len(TEXTS)]
    [name] = hashes(memory)
    kept = memory.redis_client.hgetall(name)
    for key, text in TEXTS.items():
        codes, [scale] = table.quantized(meaning_of([text]) / np.linalg.norm(meaning_of([text])))
        assert kept[key.encode()] == table.pack(table.digest_of(text), codes[0], scale)
    other = Toy()
    assert found(join(other), "dog") == "a:s:1"
    assert other.asked == ["dog"]
