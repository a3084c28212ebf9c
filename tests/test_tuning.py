"""Weights that are proposed for judged searches, and evaluations that are kept in a file."""

from __future__ import annotations

import random
from typing import Any

import pytest
from embedding import Toy
from hypothesis import given
from hypothesis import strategies as st

from tta_memory_nb import (
    EmbedderError,
    GoldenSet,
    InvalidArgument,
    MemoryPrimitive,
    SearchWeights,
    TransferError,
    evaluate,
    tune,
)
from tta_memory_nb.evaluation import Answer, Evaluation, Question
from tta_memory_nb.search.indexes import INDEXES


def planted(noise: int = 0) -> tuple[MemoryPrimitive, GoldenSet]:
    """Returns questions that name a person and are answered by the other one.

    The signals of who speaks and of the records around mislead. With less of either, all answers are right.
    """
    chance = random.Random(noise)
    memory = MemoryPrimitive(max_size=1000)
    judged: dict[str, list[str]] = {}
    for number in range(40):
        speakers = ("Ann", "Bob") if number % 2 else ("Bob", "Ann")
        for turn, speaker in enumerate(speakers):
            text = f"subject{number} and {'plain' if turn else f'detail{number}'}"
            memory.sync.add(f"u:s{number}:{turn:08x}", {"speaker": speaker, "text": text})
        right = chance.choice((0, 1)) if noise else 0
        query = f"what did {speakers[1]} say of subject{number} and detail{number}"
        judged[query] = [f"u:s{number}:{right:08x}"]
    return memory, GoldenSet.of(judged)


async def test_weights_that_mislead_are_found_and_the_memory_keeps_its_own():
    memory, golden = planted()
    tuning = await tune(memory, golden, mode="ranked", measure="mrr@2", seed=1)
    assert memory.weights == tuning.current == SearchWeights()
    assert tuning.changed.keys() & {"who", "next"}
    assert tuning.cross_validated.verdict == tuning.kept.verdict == "better"
    assert (tuning.cross_validated.questions, tuning.kept.questions) == (28, 12)
    assert "proposed: " in str(tuning)
    # What is said of the kept questions is what an evaluation says of the whole set.
    before = evaluate(memory.sync, golden, modes="ranked", k=2)
    after = evaluate(memory.sync, golden, modes="ranked", k=2, weights=tuning.weights)
    assert after.weights == tuning.weights
    assert after.since(before, "ranked", "mrr@2").verdict == "better"
    memory.weights = tuning.weights
    assert evaluate(memory.sync, golden, modes="ranked", k=2).answers["ranked"][0].found == (
        after.answers["ranked"][0].found
    )
    again = tune(memory.sync, golden, mode="ranked", measure="mrr@2", seed=1)
    assert again.current == tuning.weights


def test_nothing_is_proposed_where_no_weights_do_better():
    memory = MemoryPrimitive().sync
    memory.add_many({f"n{n}": {"text": f"word{n}"} for n in range(20)})
    golden = GoldenSet.of({f"word{n}": [f"n{n}"] for n in range(20)})
    tuning = tune(memory, golden, mode="ranked")
    assert tuning.weights == tuning.current
    assert tuning.changed == {}
    assert str(tuning).endswith("no weights do better than the current ones")


def test_what_only_chance_has_made_better_is_said_not_to_be():
    memory, golden = planted(noise=3)
    tuning = tune(memory.sync, golden, mode="ranked", measure="mrr@2")
    assert tuning.kept.verdict == "no significant difference"
    if tuning.changed:
        assert "keep the current weights" in str(tuning)


@pytest.mark.parametrize("mode", ["semantic", "hybrid"])
def test_the_weights_of_each_mode_are_tuned(mode):
    memory = MemoryPrimitive(embedder=Toy(), default_mode=mode).sync
    memory.add_many({f"n{n}": {"text": f"dog {n}", "speaker": "Ann"} for n in range(12)})
    golden = GoldenSet.of({f"puppy {n}": [f"n{n}"] for n in range(12)})
    steps: list[object] = []

    def progress(items: Any, total: Any, what: str) -> Any:
        steps.append((total, what))
        return items

    tuning = tune(memory, golden, folds=2, progress=progress)
    assert tuning.mode == mode
    assert steps == [(3 * len(tuning.table) * 2, "tuning")]


def test_a_hybrid_search_that_lacks_its_embedder_is_not_tuned_as_another_one():
    def broken(texts):
        raise OSError("no model")

    memory = MemoryPrimitive(embedder=broken).sync
    memory.add_many({f"n{n}": {"text": f"word{n}"} for n in range(12)})
    golden = GoldenSet.of({f"word{n}": [f"n{n}"] for n in range(12)})
    with pytest.raises(InvalidArgument, match="no model"):
        tune(memory, golden, mode="hybrid")
    with pytest.raises(EmbedderError, match="no model"):
        tune(memory, golden, mode="semantic")


def test_a_note_that_names_no_other_mode_keeps_nothing_from_being_tuned():
    toy = Toy()
    memory = MemoryPrimitive(embedder=toy).sync
    memory.add_many({f"n{n}": {"text": f"word{n}"} for n in range(12)})
    memory.search("word1", mode="hybrid")
    toy.version = "2"
    golden = GoldenSet.of({f"word{n}": [f"n{n}"] for n in range(12)})
    assert tune(memory, golden, mode="hybrid").mode == "hybrid"


@pytest.mark.parametrize(
    "weights",
    [{"who": 1}, SearchWeights(b=1.5), SearchWeights(who=-1), SearchWeights(k1=float("nan"))],
)
def test_weights_without_a_meaning_are_refused_and_change_nothing(weights):
    memory = MemoryPrimitive().sync
    with pytest.raises(InvalidArgument, match="weights"):
        memory.weights = weights
    with pytest.raises(InvalidArgument, match="weights"):
        memory.hits("word", mode="ranked", weights=weights)
    with pytest.raises(InvalidArgument, match="weights"):
        MemoryPrimitive(weights=weights)
    assert memory.weights == SearchWeights()


# ---- the file of an evaluation

TEXTS = st.text(min_size=1, max_size=8)
KEYS = st.text(min_size=1, max_size=4)


@given(
    st.lists(
        st.tuples(TEXTS, st.dictionaries(KEYS, st.integers(0, 3), min_size=1), st.lists(KEYS)),
        min_size=1,
        max_size=5,
    ),
    st.sets(st.sampled_from(sorted(INDEXES)), min_size=1),
)
def test_an_evaluation_is_read_as_it_was_written(tmp_path_factory, asked, modes):
    answers: Any = {
        mode: tuple(
            Answer(Question(query, grades, {}, {"user": "a"}), tuple(found), 0.25)
            for query, grades, found in asked
        )
        for mode in sorted(modes)
    }
    written = Evaluation(
        "a set", answers, (1, 5), gone=("k",), notes={"hybrid": "no model"}, seed=3, embedder="toy"
    )
    path = tmp_path_factory.mktemp("evaluation") / "before.json"
    written.write(path)
    assert Evaluation.read(path) == written


ONE_QUESTION = '"questions": [{"query": "q", "grades": {}}]'


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "holds no evaluation"),
        ("[]", "holds no evaluation"),
        ('{"evaluation": 1}', "holds no evaluation"),
        ('{"evaluation": 2, "k": [5], "questions": [], "answers": {}}', "version 2 of the format"),
        ('{"evaluation": 1, "k": [5], "questions": [], "answers": {}}', "no questions"),
        (f'{{"evaluation": 1, "k": [0], {ONE_QUESTION}, "answers": {{}}}}', "or no ranks"),
        (
            f'{{"evaluation": 1, "k": [5], {ONE_QUESTION}, "answers": {{"ranked": []}}}}',
            "0 answers of ranked to 1 question",
        ),
        (
            f'{{"evaluation": 1, "k": [5], {ONE_QUESTION}, "answers": {{"best": []}}}}',
            "mode 'best' is not known",
        ),
    ],
)
def test_a_file_that_is_no_evaluation_is_refused_by_name(tmp_path, content, message):
    path = tmp_path / "before.json"
    path.write_text(content)
    with pytest.raises(TransferError, match=message) as caught:
        Evaluation.read(path)
    assert "before.json" in str(caught.value)


def test_a_record_that_was_judged_in_between_counts_for_both():
    def asked(grades: dict[str, int], found: tuple[str, ...]) -> Evaluation:
        return Evaluation("set", {"ranked": [Answer(Question("q", grades), found, 0.0)]}, (2,))

    before = asked({"a": 1}, ("a", "b"))
    comparison = asked({"a": 1, "b": 1}, ("a", "b")).since(before, "ranked")
    assert comparison.difference == 0
    with pytest.raises(InvalidArgument, match="looked at 2 records only"):
        Evaluation("set", before.answers, (2, 5)).since(before, "ranked", "recall@5")
