"""A ranking equals the one that is worked out anew from all records, after any program of changes."""

from __future__ import annotations

import random
from threading import Thread
from typing import Any

import numpy as np
import pytest
from backends import BACKENDS, DEEP, RANKED_HERE, Clock, examples, marks_of
from embedding import PLACE, Toy
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from ranked_oracle import ranked
from search_oracle import check

from tta_memory_nb import MemoryPrimitive, SearchWeights
from tta_memory_nb.entry import new_entry
from tta_memory_nb.search.ranked import best, by_meaning, postings
from tta_memory_nb.search.ranked.lists import Lists
from tta_memory_nb.search.ranked.reach import FARTHEST
from tta_memory_nb.search.ranked.slots import Slots
from tta_memory_nb.search.ranked.views import sorted_view
from tta_memory_nb.search.ranked.words import Words

EXAMPLES = 100
SUBJECTS = (
    *(
        "rain",
        "raining",
        "bridge",
        "bridges",
        "river",
        "support",
        "group",
        "the",
        "when",
        "yesterday",
    ),
    *(
        "parseHttp",
        "user_id",
        "v1.2.3",
        "天気",
        "東京都",
        "Погода",
        "погоды",
        "málaga",
        "Malaga",
        "Ann",
        "will",
    ),
)
SPEAKERS = ("Ann", "Bob", "Mary Jane", "the one who never speaks")
DATES = ("1:56 pm on 8 May, 2023", "2023-05-09", "2024-02-29T10:00:00Z", "soon")
QUESTIONS = (
    *("rain", "What did Ann say about the bridge?", "when did it rain", "Ann", "the", "天気"),
    *(
        "What happened on 8 May 2023?",
        "rain in May 2023",
        "user_id support",
        "ПОГОДА",
        "MÁLAGA river group",
    ),
)
KINDS = (
    *("add", "add", "add", "add", "many", "overwrite", "delete", "read", "undo", "tick", "resize"),
    *("remove", "ask", "ask", "ask", "clear", "build"),
)
steps = st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 2**32)), min_size=1, max_size=40)


def value_of(chance: random.Random) -> dict[str, Any]:
    words = chance.choices(SUBJECTS, k=chance.choice((0, 1, 3, 6, 30)))
    value: dict[str, Any] = {"text": " ".join(words)}
    if chance.random() < 0.7:
        value["speaker"] = chance.choice(SPEAKERS)
    if chance.random() < 0.3:
        value["date"] = chance.choice(DATES)
    if chance.random() < 0.2:
        value["more"] = {
            "names": [*chance.choices(SUBJECTS, k=2)],
            "n": chance.randrange(30),
            "is": None,
        }
    return value


def key_of(chance: random.Random) -> str:
    user, session = chance.choice(("ann", "bob", "Zoë")), chance.choice(("mon", "tue"))
    number = chance.randrange(40)
    return chance.choice((f"{user}:{session}:{number:08x}", f"{user}:{session}", f"note-{number}"))


class Program:
    """A memory, and what was done to it."""

    def __init__(self, memory: Any, clock: Clock) -> None:
        self.memory, self.clock = memory, clock
        self.changes: list[Any] = []

    def step(self, kind: str, chance: random.Random) -> None:
        memory = self.memory
        keys = memory.keys()
        match kind:
            case "add":
                memory.add(key_of(chance), value_of(chance), chance.choice((None, None, None, 5)))
            case "many":
                memory.add_many([(key_of(chance), value_of(chance)) for _ in range(12)])
            case "overwrite" if keys:
                memory.add(chance.choice(keys), value_of(chance))
            case "delete" if keys:
                memory.delete(chance.choice(keys))
            case "read" if keys:
                memory.get_many(chance.sample(keys, min(4, len(keys))))
            case "remove" if keys:
                self.changes.append(memory.remove(chance.sample(keys, min(3, len(keys)))))
            case "undo" if self.changes:
                memory.undo(self.changes.pop())
            case "resize":
                self.changes.append(memory.resize(chance.choice((6, 20, 40))))
            case "tick":
                self.clock.tick(chance.choice((1, 4, 90_000)))
            case "clear" if chance.random() < 0.3:
                memory.clear()
            case "build":
                memory.build_index(chance.choice((0, 1)))
            case "ask":
                self.same_answers(chance)

    def same_answers(self, chance: random.Random) -> None:
        query = chance.choice(QUESTIONS)
        filters = chance.choice(
            (
                *({}, {}, {"user": "ann"}, {"session": "mon"}, {"prefix": "note"}, {"user": "Zoë"}),
                *(
                    {"since": self.clock() - 3},
                    {"where": {"speaker": "Ann"}},
                    {"where": {"text": chance.choice(SUBJECTS)}},
                    {"where": {"date": chance.choice(DATES)}, "until": self.clock()},
                    {"where": {"speaker": {"$eq": "?!"}}, "prefix": "ann"},
                    {"where": {"is": None}},
                ),
            )
        )
        wanted = ranked(self.memory.entries(**filters), query)
        hits = self.memory.hits(query, mode="ranked", **filters)
        found = [(hit.entry.key, round(hit.score, 9)) for hit in hits]
        question = f"{query!r}, {filters!r}"
        check(found, [(key, round(score, 9)) for key, score in wanted], question)
        check(self.memory.count(query, "ranked", **filters), len(wanted), f"count, {question}")
        few = [hit.entry.key for hit in self.memory.hits(query, 3, mode="ranked", **filters)]
        check(few, [key for key, _ in wanted[:3]], f"limit=3, {question}")
        for hit in chance.sample(hits, min(2, len(hits))):
            assert sum(part.amount for part in hit.explanation) == pytest.approx(hit.score)


@pytest.mark.parametrize(
    "backend", [pytest.param(name, marks=marks_of(name)) for name in RANKED_HERE]
)
def test_a_ranking_equals_a_naive_one_after_any_program(backend):
    @settings(
        max_examples=examples(backend, EXAMPLES),
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.explicit, Phase.generate, Phase.shrink),
    )
    @given(steps, st.sampled_from((6, 20, 60)))
    def run(program, capacity):
        clock = Clock()
        memory = BACKENDS[backend](max_size=capacity, namespace="ranked", clock=clock).sync
        memory.clear()
        twin = Program(memory, clock)
        try:
            for kind, seed in (*program, ("ask", 1), ("ask", 2)):
                twin.step(kind, random.Random(seed))
        finally:
            memory.close()

    run()


@pytest.mark.parametrize("mode", ["ranked", "semantic", "hybrid"])
def test_a_filtered_ranking_is_that_of_a_memory_with_nothing_else(mode):
    chance = random.Random(5)
    clock = Clock()
    toy = Toy(has_words=True, is_quick=True)
    whole = MemoryPrimitive(max_size=2000, clock=clock, embedder=toy).sync
    # Words that are near to those of the questions, and people, which only others have.
    for number in range(80):
        clock.tick()
        text = chance.choice(("umbrella", "shower", "wet", "weather", "storm", "hound"))
        whole.add(f"other{number % 12}:mon:{number:08x}", {"speaker": "Eve", "text": text})
    for _ in range(600):
        clock.tick()
        whole.add(key_of(chance), value_of(chance))
    for filters in (
        {"user": "ann"},
        {"user": "bob", "session": "tue"},
        {"where": {"speaker": "Ann"}},
    ):
        part = MemoryPrimitive(max_size=2000, clock=clock, embedder=toy).sync
        part.import_(whole.records(None, **filters)[::-1])
        for query in (*QUESTIONS, "storm", "Did Ann say that the weather was wet?", "Ann on rain"):
            found = whole.search_records(query, None, mode=mode, **filters)
            wanted = part.search_records(query, None, mode=mode)
            assert [(r.key, round(r.score, 9)) for r in found] == [
                (r.key, round(r.score, 9)) for r in wanted
            ]


def test_of_many_near_words_those_in_the_records_that_pass_are_taken():
    toy = Toy(has_words=True, is_quick=True)
    memory = MemoryPrimitive(embedder=toy).sync
    # More words than are looked for, all of one meaning, and the last one is that of the one record that passes.
    words = {f"rain{letter}": None for letter in "abcdefghijkl"}
    with pytest.MonkeyPatch.context() as patch:
        for word in words:
            patch.setitem(PLACE, word, PLACE["rain"])
        for number, word in enumerate((*words, "umbrella")):
            memory.add(f"{'bob' if word == 'umbrella' else 'ann'}:mon:{number:08x}", {"text": word})
        [hit] = memory.hits("storm", mode="hybrid", user="bob")
        assert {part.matched for part in hit.explanation if part.signal == "soft words"} == {
            "umbrella"
        }


def test_names_are_taken_out_of_a_question_if_few_people_are_in_the_records_that_pass():
    toy = Toy(has_words=True, is_quick=True)
    memory = MemoryPrimitive(embedder=toy).sync
    for number in range(100):
        memory.add(f"person{number}:mon:{number:08x}", {"text": "cake"})
    for number, text in enumerate(("dog", "rain")):
        memory.add(f"ann:mon:{number:08x}", {"text": text})
    toy.asked.clear()
    memory.hits("dog", mode="hybrid", user="ann")
    assert "ann" in toy.asked
    toy.asked.clear()
    memory.hits("cat", mode="hybrid")
    assert not {"ann", "person1"} & set(toy.asked)


@settings(max_examples=40 * DEEP, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.integers(0, 2**32),
    st.sampled_from((*QUESTIONS, "bridge river support group yesterday will", "-rain bridge")),
    st.sampled_from((1, 3, 10)),
    st.sampled_from(("ranked", "hybrid")),
    st.sampled_from(({}, {"user": "ann"}, {"where": {"speaker": "Ann"}})),
    st.lists(st.sampled_from((0.0, 0.3, 1.0)), min_size=6, max_size=6),
)
def test_the_best_are_the_same_as_if_all_were_scored(seed, query, limit, mode, filters, shares):
    chance, clock = random.Random(seed), Clock()
    names = ("next", "second", "third", "who", "when", "session")
    weights = SearchWeights(**dict(zip(names, shares, strict=True)))
    memory = MemoryPrimitive(
        max_size=500, clock=clock, weights=weights, embedder=Toy(has_words=True, is_quick=True)
    ).sync
    for _ in range(chance.choice((3, 40, 150))):
        clock.tick()
        memory.add(key_of(chance), value_of(chance))
    with pytest.MonkeyPatch.context() as patch:
        # However many records have to be scored, that pays here.
        patch.setattr(best, "_SHARE", 0)
        patch.setattr(best, "_SAMPLE", 16)
        found = memory.hits(query, limit, mode, **filters)
    wanted = memory.hits(query, None, mode, **filters)[:limit]
    assert [(hit.entry.key, hit.score) for hit in found] == [
        (hit.entry.key, hit.score) for hit in wanted
    ]


@settings(max_examples=20 * DEEP, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.integers(0, 2**32),
    st.sampled_from((*QUESTIONS, "bridge river support group yesterday will")),
    st.sampled_from((1, 3, 10)),
    st.sampled_from((0.05, 0.3, 1.0)),
)
def test_a_hybrid_search_needs_no_vectors_of_what_cannot_be_among_the_best(
    seed, query, limit, weight
):
    chance, clock, toy = random.Random(seed), Clock(), Toy(is_quick=True)
    weights = SearchWeights(meaning=weight)
    memory = MemoryPrimitive(max_size=200, clock=clock, weights=weights, embedder=toy).sync
    for _ in range(chance.choice((40, 150))):
        clock.tick()
        memory.add(key_of(chance), value_of(chance))

    def best_of(hits: Any) -> list[tuple[str, float]]:
        return [(hit.entry.key, hit.score) for hit in hits]

    with pytest.MonkeyPatch.context() as patch:
        # As if the memory had too many records for looking at all vectors.
        patch.setattr(by_meaning, "_SMALL", 0)
        first = best_of(memory.hits(query, limit, "hybrid"))
        memory.embed()
        found = best_of(memory.hits(query, limit, "hybrid"))
        patch.setattr(by_meaning._Asked, "_among_the_best", lambda _, ranking, *__: ranking)
        assert found == best_of(memory.hits(query, limit, "hybrid"))
    assert found == first


def test_few_of_many_records_with_a_word_get_vectors():
    toy = Toy(is_quick=True)
    memory = MemoryPrimitive(max_size=5000, weights=SearchWeights(meaning=0.1), embedder=toy).sync
    for number in range(3000):
        text = f"bridge {'river ' if number < 3 else ''}{number}"
        memory.add(f"note-{number}", {"text": text})
    hits = memory.hits("bridge river", 3, "hybrid")
    assert {hit.entry.key for hit in hits} == {"note-0", "note-1", "note-2"}
    assert len(toy.asked) < 20


def test_rankings_hold_while_other_threads_write(threads_take_turns_often):
    memory = MemoryPrimitive(max_size=50).sync
    failures: list[BaseException] = []

    def run(seed: int) -> None:
        chance = random.Random(seed)
        try:
            for _ in range(60):
                memory.add(key_of(chance), value_of(chance))
                memory.delete(key_of(chance))
                for hit in memory.hits(chance.choice(QUESTIONS), 5, mode="ranked"):
                    assert sum(part.amount for part in hit.explanation) == pytest.approx(hit.score)
        except BaseException as failure:
            failures.append(failure)

    threads = [Thread(target=run, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    for query in QUESTIONS:
        wanted = ranked(memory.entries(), query)
        found = [(hit.entry.key, round(hit.score, 9)) for hit in memory.hits(query, mode="ranked")]
        assert found == [(key, round(score, 9)) for key, score in wanted]


def test_a_view_that_is_changed_is_the_one_that_is_made_anew():
    chance = random.Random(5)
    lists, alive = Lists(Words()), list[int]()
    entries = iter(range(10_000))

    def added() -> int:
        number = next(entries)
        words = " ".join(chance.choices(SUBJECTS, k=chance.randrange(9)))
        key = f"{chance.choice(['a', 'b', 'c'])}:{chance.randrange(4)}:{number}"
        entry = new_entry(chance.choice([key, f"alone{number}"]), {"text": words}, 1.0, None)
        entry._write_seq = number
        entry.created_at = chance.choice([1.0, 2.0, 3.0])
        return lists.add(entry)

    view = sorted_view(lists, np.empty(0, np.int32))
    for _ in range(300):
        new = [added() for _ in range(chance.choice([0, 1, 1, 2, 5]))]
        gone = chance.sample(alive, min(len(alive), chance.choice([0, 1, 1, 3])))
        if chance.random() < 0.7:
            assert len(view.session_lengths) == len(set(view.sessions.tolist()))
        view = view.changed(new, gone)
        alive = [slot for slot in [*alive, *new] if slot not in gone]
        other = sorted_view(lists, np.array(alive, np.int32))
        for name in ("slots", "places", "lengths", "sessions", "session_lengths"):
            assert getattr(view, name).tolist() == getattr(other, name).tolist(), name
        assert view.mean_length == other.mean_length


@pytest.mark.parametrize("log", [0, 7, 4096])
def test_postings_are_those_that_a_dict_of_lists_would_hold(monkeypatch, log):
    monkeypatch.setattr(postings, "_LOG", log)
    monkeypatch.setattr(postings, "_FREQUENT", 1 + log % 2)
    chance = random.Random(log)
    lists, wanted = postings.Postings(), dict[str, dict[int, int]]()

    def check() -> None:
        assert list(lists) == list(wanted)
        assert len(lists) == len(wanted)
        for term in (*wanted, "nowhere"):
            slots, counts = lists.read(term)
            assert dict(zip(slots.tolist(), counts.tolist(), strict=True)) == wanted.get(term, {})
            assert sorted(slots.tolist()) == slots.tolist()

    slot = 65_000
    for step in range(400):
        # Across the borders of blocks, and far behind them.
        slot += chance.choice((1, 1, 1, 3, 255, 256, 511, 70_000 if step % 100 == 99 else 1))
        terms = {0, *chance.sample(range(step // 4 + 5), chance.randrange(5))}
        counts = {f"t{term}": chance.choice((1, 1, 2, 255, 300)) for term in terms}
        lists.add(slot, counts)
        for term, count in counts.items():
            wanted.setdefault(term, {})[slot] = min(255, count)
        if step % 5 == 0:
            lists.settle()
        if step % 40 == 0:
            check()
        if step in (250, 399):
            kept = [each for each in range(slot + 1) if chance.random() < 0.5]
            moved = np.full(slot + 1, -1, np.int32)
            moved[kept] = np.arange(len(kept))
            lists = lists.compacted(moved)
            wanted = {
                term: found
                for term, having in wanted.items()
                if (
                    found := {
                        int(moved[each]): count
                        for each, count in having.items()
                        if moved[each] >= 0
                    }
                )
            }
            slot = len(kept)
            check()
    assert list(lists.compacted(np.full(slot + 1, -1, np.int32))) == []


def test_slots_behind_16_million_records_are_found():
    lists = postings.Postings()
    slots = [3, (1 << 24) - 1, 1 << 24, (1 << 24) + 9, (1 << 31) - 1]
    for slot in slots:
        lists.add(slot, {"rain": 1})
    assert lists.read("rain")[0].tolist() == slots


def test_context_across_a_very_long_record_counts_exactly():
    lists = Lists(Words())

    def added(number: int, text: str) -> int:
        entry = new_entry(f"a:b:{number}", {"text": text}, 1.0, None)
        entry._write_seq, entry.created_at = number, float(number)
        return lists.add(entry)

    slots = [added(0, "rain"), added(1, "rain " * 30), added(2, "sun")]
    view = sorted_view(lists, np.array(slots, np.int32))
    assert view.reach[1][0] == 20 / 30
    # More words than two bytes can count.
    view = view.changed([added(3, "long " * 70_000), added(4, "sun"), added(5, "sun")], [])
    everywhere = [reach.everywhere().tolist() for reach in view.reach]
    assert everywhere[0] == [1.0] * 5
    assert everywhere[1] == [20 / 30, 1.0, 20 / 70_000, 1.0]
    assert everywhere[2] == [1.0, 40 / 70_001, 40 / 70_001]
    # Of records that do not exist, nothing reaches one.
    for distance, reach in enumerate(view.reach, 1):
        around = np.arange(-FARTHEST, len(view) + FARTHEST)
        outside = (around < 0) | (around + distance >= len(view))
        assert reach[around][~outside].tolist() == everywhere[distance - 1]
        assert not reach[around][outside].any()


def test_a_column_of_numbers_that_are_too_large_for_it_is_widened():
    lists = Lists(Words())

    def kept(name: str) -> list[int]:
        return getattr(lists, name)[: len(lists)].tolist()

    numbers = (3, 1 << 33, 5)
    for number in numbers:
        entry = new_entry(
            f"a:{number}", {"text": "rain " * (number % 4), "at": "1 May 1850"}, 1.0, None
        )
        entry._write_seq = number
        entry._recency = -number
        lists.add(entry)
    assert (kept("writes"), kept("recency")) == ([*numbers], [-n for n in numbers])
    assert kept("days") == [-43_709] * 3
    lists.add(new_entry("a:long", {"text": "rain " * 70_000}, 1.0, None))
    assert kept("lengths")[-1] == 70_000
    lists.use(0, 1 << 40)
    assert lists.recency[0] == 1 << 40
    lists.kill(["a:5"])
    lists.compact()
    assert kept("writes") == [3, 1 << 33, 0]
    assert kept("days") == [-43_709, -43_709, 0]


def test_slots_are_those_that_a_dict_would_hold():
    chance = random.Random(3)
    keys = list[str]()
    slots, wanted = Slots(keys), dict[str, int]()
    for step in range(20_000):
        key = f"k{chance.randrange(100 + step // 4)}"
        if chance.random() < 0.2:
            assert slots.remove(key) == wanted.pop(key, None)
        else:
            keys.append(key)
            slots.put(len(keys) - 1)
            wanted[key] = len(keys) - 1
        assert len(slots) == len(wanted)
        other = f"k{chance.randrange(6000)}"
        assert slots.get(other) == wanted.get(other)
        if step % 2000 == 0:
            assert slots.all().tolist() == sorted(wanted.values())
            some = [f"k{number}" for number in range(0, 6000, 7)]
            there = [wanted[key] for key in some if key in wanted]
            assert sorted(slots.get_many(some).tolist()) == sorted(there)
            assert [slot for slot in range(len(keys) + 1) if slots.is_alive(slot)] == sorted(
                wanted.values()
            )
    assert slots.get_many([]).tolist() == []
    again = Slots(keys := list(wanted), len(wanted))
    assert [again.get(key) for key in keys] == list(range(len(keys)))
