"""Semantic rankings are those of a naive computation, whatever was written, deleted and searched."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from backends import DEEP
from embedding import PLACE, Toy, meaning_of
from hypothesis import given, settings
from hypothesis import strategies as st

from tta_memory_nb import MemoryPrimitive
from tta_memory_nb.search.ranked import soft
from tta_memory_nb.search.ranked.parts import Reader
from tta_memory_nb.search.ranked.similarity import question_text
from tta_memory_nb.search.ranked.words import Words

WORDS = st.sampled_from([*PLACE, "other", "things"])
TEXTS = st.lists(WORDS, max_size=8).map(" ".join)
KEYS = st.sampled_from(
    [f"{user}:{session}:{n}" for user in "ab" for session in "xy" for n in range(4)] + ["alone"]
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), KEYS, TEXTS),
        st.tuples(st.just("delete"), KEYS, st.just("")),
        st.tuples(st.just("search"), KEYS, TEXTS),
    ),
    max_size=30,
)


def naive(records: list[Any], question: str) -> dict[str, float]:
    """Returns the scores by key, from the formula: z + 0.25 (z-1 + z+1) + 0.12 g (z-2 + z+2)."""
    asked = unit(question)
    sessions: dict[object, list[Any]] = {}
    for record in sorted(records, key=lambda record: record.created_at):
        parts = record.key.split(":")
        sessions.setdefault(tuple(parts[:2]) if len(parts) > 1 else record.key, []).append(record)
    scores = {}
    for session in sessions.values():
        near = [float(unit(record.value["text"]) @ asked) for record in session]
        sizes = [len(record.value["text"].split()) for record in session]
        for at, record in enumerate(session):
            score = near[at]
            for other in (at - 1, at + 1):
                if 0 <= other < len(session):
                    score += 0.25 * near[other]
            for other in (at - 2, at + 2):
                if 0 <= other < len(session):
                    between = sizes[(at + other) // 2]
                    score += 0.12 * min(1.0, 20 / max(1, between)) * near[other]
            scores[record.key] = score
    return scores


def unit(text: str) -> Any:
    vector = meaning_of([text])[0].astype("f8")
    return vector / max(1e-300, float((vector @ vector) ** 0.5))


@settings(max_examples=60 * DEEP)
@given(STEPS, st.integers(3, 20))
def test_semantic_scores_are_those_of_the_formula(steps, size):
    now = [1e9]

    def clock() -> float:
        now[0] += 1
        return now[0]

    memory = MemoryPrimitive(max_size=size, embedder=Toy(is_quick=True), clock=clock).sync
    for step, key, text in [*steps, ("search", "", "dog and rain")]:
        if step == "add":
            memory.add(key, {"text": text})
        elif step == "delete":
            memory.delete(key)
        elif text:
            hits = memory.hits(text, mode="semantic")
            wanted = naive(memory.records(), text)
            found = {hit.entry.key: hit.score for hit in hits}
            # One byte a number: a cosine is off by a few thousandths.
            for key, score in wanted.items():
                assert found.get(key, 0.0) == pytest.approx(max(0.0, score), abs=0.02)
            assert all(a.score >= b.score for a, b in pairwise(hits))
            for hit in hits:
                parts = [part.amount for part in hit.explanation]
                assert sum(parts) == pytest.approx(hit.score, abs=1e-6)
            best = memory.hits(text, 2, mode="semantic")
            assert [hit.entry.key for hit in best] == [hit.entry.key for hit in hits[:2]]
            answer = memory.search_records(text, None, mode="hybrid")
            assert {record.key for record in answer} <= wanted.keys()


def test_names_are_taken_out_of_a_question_unless_it_is_nothing_else():
    words = Words("english")

    def without(text: str, *who: str) -> str:
        return question_text(text, who, words.of(text))

    assert without("When did Caroline's friend leave?", "caroline") == "when did friend leave"
    assert without("Where does Mary Ann live?", "mary ann") == "where does live"
    assert without("Caroline?", "caroline") == "Caroline?"
    assert without("Who was at Müller's?") == "Who was at Müller's?"


def test_a_term_stands_for_the_same_word_whatever_was_asked_and_written_first():
    words = Words("english")
    Reader(words)
    words.of("weeks storms")  # a query
    counts: dict[str, int] = {}
    words.count("storms in the stormy months, months of storm", counts)
    assert {term: words.form_of(term) for term in counts} | {"week": words.form_of("week")} == {
        "storm": "storm",
        "stormi": "stormy",
        "month": "months",
        "week": "week",
        **{word: word for word in ("in", "the", "of")},
    }
    assert words.shortened == ["storm"]


@pytest.mark.parametrize("kept", [0, 1, 1024])
def test_soft_words_are_the_same_in_every_client(monkeypatch, kept):
    monkeypatch.setattr(soft, "_KEPT", kept)
    # Only the first of each two forms has a meaning.
    texts = ["storm", "storms", "puppy", "puppies", "bread", "breads"]
    questions = ("shower", "hound on a shower", "oven hound", "shower oven")

    def soft_words(memory: Any) -> list[Any]:
        return [
            {part.matched for part in hit.explanation if part.signal == "soft words"}
            for question in questions
            for hit in sorted(memory.hits(question, mode="hybrid"), key=lambda hit: hit.entry.key)
        ]

    memories = [MemoryPrimitive(embedder=Toy(has_words=True)).sync for _ in range(2)]
    for memory, order in zip(memories, (texts, texts[::-1]), strict=True):
        memory.search("storms breads puppies", mode="hybrid")
        for text in order:
            memory.add(text, {"text": text})
            soft_words(memory)  # learns the words that are there so far
    one, other = map(soft_words, memories)
    assert one == other
    assert {word for found in one for word in found} == set(texts)
