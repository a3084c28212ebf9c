"""Searches by meaning: what they find, when they embed, and what they do without their embedder."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from backends import EVERY_BACKEND, ONE_OF_EACH_KIND, RANKED_HERE, Clock
from embedding import GROUPS, Toy, meaning_of, need_wordllama

from tta_memory_nb import EmbedderError, InvalidArgument, MemoryPrimitive, MissingPackage
from tta_memory_nb.search.request import Reading

BY_MEANING = ("semantic", "hybrid")

TEXTS = {
    "alice:mon:1": "the puppy ran away",
    "alice:mon:2": "it was wet outside",
    "alice:tue:1": "new tires for the truck",
    "bob:mon:1": "a loaf of bread for dinner",
    "bob:mon:2": "nothing of note",
}


def filled(memory: MemoryPrimitive) -> MemoryPrimitive:
    memory.sync.add_many({key: {"text": text} for key, text in TEXTS.items()})
    return memory


def keys(found: Sequence[Any]) -> list[str]:
    return [record.key for record in found]


def reading(found: Any) -> Reading:
    """Returns how a search was understood."""
    understood: Reading = found.reading
    return understood


class Fails:
    """A function that embeds as long as nothing is in its way."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.calls = 0

    def __call__(self, texts: list[str]) -> np.ndarray:
        self.calls += 1
        if self.error is not None:
            raise self.error
        return meaning_of(texts)


# ---- what is found


@pytest.mark.backends(*EVERY_BACKEND)
@pytest.mark.parametrize("mode", BY_MEANING)
async def test_a_record_is_found_by_words_that_it_does_not_have(make, mode):
    memory = filled(make(embedder=Toy()))
    assert memory.sync.search("dog") == []
    for question, key in (("dog", "alice:mon:1"), ("storm", "alice:mon:2"), ("cake", "bob:mon:1")):
        found = memory.sync.search_records(question, 1, mode=mode)
        assert keys(found) == [key]
        assert found[0].score > 0
        assert keys(await memory.search_records(question, 1, mode=mode)) == [key]
        assert await memory.search(question, 1, mode=mode) == [{"text": TEXTS[key]}]


@pytest.mark.backends(*RANKED_HERE, "stand-in")
@pytest.mark.parametrize("mode", BY_MEANING)
def test_filters_leave_out_what_does_not_pass_and_nothing_else_is_embedded(make, mode):
    toy = Toy()
    memory = filled(make(embedder=toy))
    found = memory.sync.search_records("dog", None, mode=mode, user="bob")
    assert all(key.startswith("bob:") for key in keys(found))
    assert set(toy.asked) <= {"dog", *(TEXTS[key] for key in TEXTS if key.startswith("bob"))}


@pytest.mark.backends(*ONE_OF_EACH_KIND)
@pytest.mark.parametrize("mode", BY_MEANING)
def test_the_parts_of_a_score_sum_to_it(make, mode):
    memory = filled(make(embedder=Toy(has_words=True)))
    hits = memory.sync.hits("did the dog get wet, alice?", mode=mode)
    assert hits
    for hit in hits:
        parts = hit.explanation
        assert sum(part.amount for part in parts) == pytest.approx(hit.score)
    assert "meaning" in {part.signal for hit in hits for part in hit.explanation}


def test_a_word_of_similar_meaning_is_explained_as_a_soft_word():
    memory = filled(MemoryPrimitive(embedder=Toy(has_words=True)))
    [hit] = memory.sync.hits("dog", 1, mode="hybrid")
    [soft] = [part for part in hit.explanation if part.signal == "soft words"]
    assert hit.entry.key == "alice:mon:1"
    assert (soft.asked, soft.matched) == ("dog", "puppy")
    assert soft.amount > 0


# ---- when texts are embedded


@pytest.mark.backends(*EVERY_BACKEND)
def test_nothing_is_embedded_for_a_memory_that_is_not_searched_by_meaning(make):
    toy = Toy()
    memory = filled(make(embedder=toy))
    memory.sync.search("puppy")
    memory.sync.search("puppy", mode="ranked")
    memory.sync.build_index()
    assert toy.asked == []


@pytest.mark.backends(*EVERY_BACKEND)
def test_a_text_is_embedded_once_whatever_happens_to_its_records(make):
    toy = Toy()
    memory = filled(make(embedder=toy))
    memory.sync.search("dog", mode="semantic")
    assert sorted(toy.asked) == sorted([*TEXTS.values(), "dog"])
    assert toy.questions == ["dog"]
    memory.sync.search("dog", mode="semantic")
    memory.sync.add("carol:mon:1", {"text": TEXTS["bob:mon:1"]})
    memory.sync.delete("bob:mon:1")
    memory.sync.search("dog", mode="semantic")
    assert len(toy.asked) == len(TEXTS) + 1
    memory.sync.add("alice:mon:1", {"text": "the cat ran away"})
    assert keys(memory.sync.search_records("dog", 1, mode="semantic")) == ["alice:mon:1"]
    assert toy.asked[len(TEXTS) + 1 :] == ["the cat ran away"]


@pytest.mark.backends(*EVERY_BACKEND)
def test_names_and_dates_are_not_embedded(make):
    toy = Toy()
    memory = make(embedder=toy)
    value = {
        "speaker": "Caroline",
        "date": "2023-05-08",
        "text": "It rains",
        "n": 3,
        "tags": ["dog"],
    }
    memory.sync.add("alice:mon:1", value)
    memory.sync.search("When did it rain, Caroline?", mode="semantic")
    assert sorted(toy.asked) == ["It rains dog", "when did it rain"]


@pytest.mark.backends(*ONE_OF_EACH_KIND)
def test_embed_makes_the_vectors_ahead_and_shows_how_far_it_is(make):
    toy = Toy()
    memory = make(embedder=toy)
    memory.sync.add_many({f"u:s:{n}": {"text": f"rain {n}"} for n in range(100)})
    steps = []

    def progress(items, total, what):
        steps.append((total, what))
        for item in items:
            steps.append(item)
            yield item

    assert memory.sync.embed(user="nobody") == 0
    assert memory.sync.embed(progress=progress) == 100
    assert steps == [(100, "embedding"), *range(100)]
    assert sorted(toy.asked) == sorted(f"rain {n}" for n in range(100))
    assert memory.sync.embed() == 0
    assert memory.sync.get_backend_info()["vectors"] == 100
    assert memory.sync.embed(progress=True) == 0


def test_an_interrupt_keeps_what_was_embedded():
    toy = Toy()

    class Interrupted(Toy):
        def embed(self, texts: Sequence[str], *, query: bool = False) -> np.ndarray:
            if len(toy.asked) > 40:
                raise KeyboardInterrupt
            return toy.embed(texts, query=query)

    embedder: Any = Interrupted()
    embedder.is_quick = False

    async def embed(texts: list[str]) -> np.ndarray:
        return embedder.embed(texts)

    memory = MemoryPrimitive(embedder=embed)
    memory.sync.add_many({f"u:s:{n}": {"text": f"rain {n}"} for n in range(100)})
    with pytest.raises(KeyboardInterrupt):
        memory.sync.embed()
    done = memory.sync.get_backend_info()["vectors"]
    assert 0 < done < 100
    toy.asked.clear()
    embedder.embed = toy.embed
    assert memory.sync.embed() == 100 - done


def test_no_lock_is_held_while_an_embedder_works():
    memory: Any = None

    def embed(texts: list[str]) -> np.ndarray:
        # Another thread gets its turn with the records in the middle of a search.
        writer = threading.Thread(target=memory.sync.add, args=("other", {"text": "written"}))
        writer.start()
        writer.join()
        return meaning_of(texts)

    memory = filled(MemoryPrimitive(embedder=embed))
    assert keys(memory.sync.search_records("dog", 1, mode="semantic")) == ["alice:mon:1"]
    assert memory.sync.get("other") == {"text": "written"}


async def test_the_loop_runs_while_an_embedder_works():
    entered, free = threading.Event(), threading.Event()

    def embed(texts: list[str]) -> np.ndarray:
        entered.set()
        assert free.wait(60)
        return meaning_of(texts)

    memory = filled(MemoryPrimitive(embedder=embed))
    search = asyncio.create_task(memory.search("dog", 1, mode="semantic"))
    await asyncio.to_thread(entered.wait, 60)
    # The loop has come here although the embedder has not answered.
    free.set()
    assert await search == [{"text": TEXTS["alice:mon:1"]}]


async def test_an_async_embedder_runs_on_the_loop_of_the_search():
    loops = set()

    async def embed(texts: list[str]) -> np.ndarray:
        loops.add(asyncio.get_running_loop())
        return meaning_of(texts)

    memory = filled(MemoryPrimitive(embedder=embed))
    assert await memory.search("dog", 1, mode="semantic") == [{"text": TEXTS["alice:mon:1"]}]
    assert loops == {asyncio.get_running_loop()}
    assert memory.sync.search("storm", 1, mode="hybrid") == [{"text": TEXTS["alice:mon:2"]}]


@pytest.mark.usefixtures("threads_take_turns_often")
def test_threads_that_search_and_write_find_what_is_there():
    toy = Toy(has_words=True, is_quick=True)
    memory = MemoryPrimitive(max_size=10_000, embedder=toy)
    words = [word for group in GROUPS for word in group.split()]
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for n in range(30):
                word = words[(number * 7 + n) % len(words)]
                key = f"u{number}:s:{n}"
                memory.sync.add(key, {"text": f"{word} {number} {n}"})
                found = memory.sync.search_records(word, None, mode=BY_MEANING[n % 2])
                assert key in keys(found)
                if n % 3 == 0:
                    memory.sync.delete(key)
                    assert key not in keys(memory.sync.search_records(word, None, mode="hybrid"))
        except BaseException as error:
            failures.append(error)
            raise

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


# ---- without an embedder


@pytest.mark.backends(*EVERY_BACKEND)
def test_a_hybrid_search_whose_embedder_fails_is_a_ranked_one_and_says_so(make):
    embedder = Fails(RuntimeError("quota exceeded"))
    memory = filled(make(embedder=embedder))
    ranked = memory.sync.search_records("the puppy", mode="ranked")
    found = memory.sync.search_records("the puppy", mode="hybrid")
    assert found == ranked
    assert keys(found)[0] == "alice:mon:1"
    assert reading(ranked).note is None
    assert reading(found).mode == "ranked"
    assert "searched as 'ranked'" in reading(found).note
    assert "RuntimeError: quota exceeded" in reading(found).note
    with pytest.raises(EmbedderError, match="RuntimeError: quota exceeded"):
        memory.sync.search("the puppy", mode="semantic")
    assert "quota exceeded" in memory.sync.get_backend_info()["embedder_failed"]
    assert memory.sync.search("puppy") == [{"text": TEXTS["alice:mon:1"]}]
    # As soon as the embedder works, it is used.
    embedder.error = None
    found = memory.sync.search_records("dog", 1, mode="hybrid")
    assert (keys(found), reading(found).note) == (["alice:mon:1"], None)
    assert memory.sync.get_backend_info()["embedder_failed"] is None


def test_an_embedder_that_fails_in_the_middle_keeps_what_it_has_embedded():
    toy = Toy()
    embedder = Fails()
    memory = filled(MemoryPrimitive(embedder=embedder))
    memory.sync.search("dog", mode="semantic")
    memory.sync.add("new", {"text": "a storm"})
    embedder.error = ValueError("no")
    with pytest.raises(EmbedderError):
        memory.sync.search("dog", mode="semantic")
    embedder.error = None
    before = embedder.calls
    assert keys(memory.sync.search_records("rain", 1, mode="semantic")) == ["new"]
    assert embedder.calls == before + 2  # the question, and the one text
    assert toy.asked == []


def test_an_embedder_that_was_too_slow_is_left_alone_for_half_a_minute():
    clock = Clock()
    free = threading.Event()
    calls = []

    def embed(texts: list[str]) -> np.ndarray:
        calls.append(texts)
        free.wait()
        return meaning_of(texts)

    memory = filled(MemoryPrimitive(embedder=embed, embedder_timeout=0.01, clock=clock))
    for _ in range(3):
        found = memory.sync.search_records("the puppy", mode="hybrid")
        assert "no answer within 0.01 s" in reading(found).note
    assert len(calls) == 1
    free.set()
    clock.tick(31)
    # A busy machine may be late again, which is no failure of this test.
    memory.sync.search("the puppy", mode="hybrid")
    assert len(calls) > 1


@pytest.mark.parametrize("mode", BY_MEANING)
def test_a_missing_package_is_named_with_the_line_that_installs_it(mode, monkeypatch):
    monkeypatch.setattr("tta_memory_nb.embedders.wordllama.folder_of", lambda _: None)
    memory = filled(MemoryPrimitive())
    line = "pip install 'tta-memory-nb[semantic]'"
    if mode == "semantic":
        with pytest.raises(MissingPackage) as caught:
            memory.sync.search("puppy", mode=mode)
        assert line in str(caught.value)
    else:
        found = memory.sync.search_records("puppy", mode=mode)
        assert keys(found)[0] == "alice:mon:1"
        assert line in reading(found).note
    assert line in memory.sync.get_backend_info()["embedder_failed"]


@pytest.mark.parametrize("given", [3, "word2vec", b"wordllama"])
def test_what_is_no_embedder_is_refused_at_once(given):
    with pytest.raises(InvalidArgument, match=r"^embedder="):
        MemoryPrimitive(embedder=given)


def test_an_embedder_is_loaded_by_the_first_search_that_needs_it(monkeypatch):
    def never(*_: object) -> None:
        raise AssertionError("loaded")

    monkeypatch.setattr("tta_memory_nb.memory.meaning.open_embedder", never)
    memory = filled(MemoryPrimitive(embedder="wordllama", default_mode="ranked"))
    memory.sync.search("puppy")
    assert memory.sync.get_backend_info()["embedder"] == "wordllama"


def test_in_an_outage_searches_by_meaning_go_on_with_what_is_known_here():
    memory = filled(MemoryPrimitive("redis://invalid:1", embedder=Toy()))
    assert memory.outage() is not None
    for mode in BY_MEANING:
        found = memory.sync.search_records("dog", 1, mode=mode)
        assert keys(found) == ["alice:mon:1"]
        assert reading(found).note.startswith("the server has been away since")
    memory.sync.close()


# ---- another embedder


@pytest.mark.backends(*EVERY_BACKEND)
def test_a_changed_embedder_embeds_everything_again_and_says_so(make):
    toy = Toy()
    memory = filled(make(embedder=toy))
    memory.sync.search("dog", mode="semantic")
    toy.version = "2"
    toy.asked.clear()
    found = memory.sync.search_records("dog", 1, mode="semantic")
    assert "the embedder has changed from 'toy' (version 1, 5 numbers)" in reading(found).note
    assert sorted(toy.asked) == sorted([*TEXTS.values(), "dog"])
    assert reading(memory.sync.search_records("dog", 1, mode="semantic")).note is None


def test_vectors_of_another_size_are_never_compared():
    sizes = iter((3, 3, 4, 4, 4))
    memory = filled(MemoryPrimitive(embedder=lambda texts: np.ones((len(texts), next(sizes)))))
    memory.sync.search("dog", mode="semantic")
    memory.sync.add("new", {"text": "new"})
    with pytest.raises(EmbedderError, match="of 4 numbers, and not of 3"):
        memory.sync.search("cat", mode="semantic")
    found = memory.sync.search_records("the puppy", mode="hybrid")
    assert "of 4 numbers" in reading(found).note


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no processes are forked here")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_child_process_searches_by_meaning_while_its_parent_does():
    memory = filled(MemoryPrimitive(embedder=Toy(is_quick=True)))
    over = threading.Event()

    def search() -> None:
        number = 0
        while not over.is_set():
            memory.sync.add("more", {"text": f"rain {(number := number + 1)}"})
            memory.sync.search("dog", 1, mode="semantic")

    thread = threading.Thread(target=search)
    thread.start()
    try:
        for _ in range(5):
            child = os.fork()
            if child == 0:  # a failure here must not run the tests a second time
                found = memory.sync.search_records("dog", 1, mode="semantic")
                os._exit(keys(found) != ["alice:mon:1"])
            assert os.waitpid(child, 0)[1] == 0
    finally:
        over.set()
        thread.join()


# ---- hostile questions and records


@pytest.mark.parametrize("mode", BY_MEANING)
@pytest.mark.parametrize(
    "question",
    [
        "the of and",
        "alice",
        "x" * 100_000,
        "\x00\x1b[31m\u202e",
        "\ud800",
        "犬 собака кη 개 كلب",
        "?!",
        " ",
    ],
)
def test_a_hostile_question_gets_an_answer(mode, question):
    memory = filled(MemoryPrimitive(embedder=Toy(has_words=True)))
    found = memory.sync.search_records(question, mode=mode)
    assert {record.key for record in found} <= TEXTS.keys()


@pytest.mark.parametrize("mode", BY_MEANING)
def test_a_search_that_says_nothing_asks_no_embedder_and_is_a_ranked_one(mode):
    toy = Toy(has_words=True)
    memory = filled(MemoryPrimitive(embedder=toy)).sync
    for query in ("-puppy", "user:bob", "   ", '-"a loaf"'):
        found = memory.search_records(query, None, mode)
        assert keys(found) == keys(memory.search_records(query, None, "ranked"))
    assert toy.asked == []


@pytest.mark.parametrize("mode", BY_MEANING)
def test_no_more_of_a_question_or_a_record_is_embedded_than_says_something(mode):
    toy = Toy(has_words=True)
    memory = filled(MemoryPrimitive(embedder=toy)).sync
    memory.add("letters", {"text": "x" * 1_000_000})
    found = memory.search_records("dog " + " ".join(f"q{n}z" for n in range(100_000)), 3, mode)
    assert reading(found).unread > 0
    assert max(map(len, toy.asked)) <= 20_000
    memory.diagnose(["similar-meaning"])
    assert max(map(len, toy.asked)) <= 20_000
    assert len(toy.questions) < 200
    assert keys(memory.search_records("dog", 1, mode=mode)) == ["alice:mon:1"]


@pytest.mark.parametrize("mode", BY_MEANING)
def test_hostile_records_do_not_keep_others_from_being_found(mode):
    memory = filled(MemoryPrimitive(embedder=Toy(has_words=True)))
    memory.sync.add("large", {"text": "bla " * 100_000})
    memory.sync.add("wide", {f"f{n}": "x" for n in range(5000)})
    memory.sync.add("numbers", {"n": list(range(1000))})
    memory.sync.add("empty", {})
    memory.sync.add("control", {"text": "\x00\x1b\ud800"})
    assert keys(memory.sync.search_records("dog", 1, mode=mode)) == ["alice:mon:1"]
    assert memory.sync.search("", mode=mode) == []


# ---- WordLlama


def test_wordllama_finds_what_is_meant():
    need_wordllama()
    memory = MemoryPrimitive()
    texts = {
        "a:s:1": "I bought a new laptop yesterday",
        "b:s:1": "Our cat had kittens",
        "c:s:1": "The physician prescribed antibiotics",
        "d:s:1": "We booked a hotel in Lisbon",
    }
    memory.sync.add_many({key: {"text": text} for key, text in texts.items()})
    for question, key in (
        ("which computer?", "a:s:1"),
        ("pets", "b:s:1"),
        ("doctor's medicine", "c:s:1"),
        ("holiday travel", "d:s:1"),
    ):
        for mode in BY_MEANING:
            assert keys(memory.sync.search_records(question, 1, mode=mode)) == [key]
