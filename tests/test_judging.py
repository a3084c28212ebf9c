"""`%memory judge` and `%memory evaluate`: what they add, say, show and refuse."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from shells import Ran, new_shell

from tta_memory_nb import GoldenSet, MemoryPrimitive
from tta_memory_nb.notebook.commands import Notebook
from tta_memory_nb.notebook.completion import complete


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Runs cells in a shell whose directory is empty, over a memory with three records."""
    monkeypatch.chdir(tmp_path)
    with new_shell() as shell:
        Ran(shell, "memory = %memory use")
        for key, text in (
            *(("alice:mon", "It rains"), ("alice:tue", "More rain")),
            ("bob:mon", "Sun at last"),
        ):
            shell.user_ns["memory"].sync.add(key, {"text": text})
        yield lambda cell: Ran(shell, cell)


def judged(path: str = "golden.jsonl") -> list[tuple[str, dict[str, int]]]:
    return [(q.query, dict(q.grades)) for q in GoldenSet.read(path).questions]


def test_judgements_are_added_to_the_golden_set_beside_the_notebook(run):
    ran = run('%memory judge "when does it rain" alice:mon alice:tue --wrong bob:mon')
    assert ran.text == (
        "judged 'when does it rain'; golden.jsonl has 1 question and 2 right answers\n"
    )
    run("%memory judge rain --wrong bob:mon alice:tue --user alice")
    assert judged() == [
        ("when does it rain", {"alice:mon": 1, "alice:tue": 1, "bob:mon": 0}),
        ("rain", {"bob:mon": 0, "alice:tue": 0}),
    ]
    assert GoldenSet.read("golden.jsonl").questions[1].filters == {"user": "alice"}
    run("%memory judge rain --forget bob:mon --user alice")
    assert judged()[1] == ("rain", {"alice:tue": 0})


def test_keys_and_questions_may_come_from_variables(run):
    run("question = 'what is the \"weather\"?'\nfound = %memory search rain")
    assert run("%memory judge $question $found --wrong bob:mon").success
    assert judged() == [('what is the "weather"?', {"alice:tue": 1, "alice:mon": 1, "bob:mon": 0})]


def test_another_file_is_used_from_then_on(run):
    run("%memory judge rain alice:mon --set mine.jsonl")
    run("%memory judge sun bob:mon")
    assert [query for query, _ in judged("mine.jsonl")] == ["rain", "sun"]
    assert not Path("golden.jsonl").exists()
    assert run("%memory evaluate --modes keyword").text.startswith("mine.jsonl has 2 questions")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("judge rain", "name at least one record that is right or wrong"),
        ("judge rain alice:mno", "no record under 'alice:mno' (did you mean 'alice:mon'?)"),
        ("judge when does it rain", "put quotes around a question of several words"),
        ("judge rain alice:mon --wrong alice:mon", "'alice:mon' is both relevant and wrong"),
        ("judge rain alice:mon --since whenever", "--since 'whenever'"),
        ("judge rain --wrong", "--wrong needs a value: --wrong KEYS..."),
        ("evaluate", "there is no golden set 'golden.jsonl' yet; judge some searches first"),
        ("evaluate nowhere.jsonl", "cannot read 'nowhere.jsonl'"),
    ],
)
def test_what_has_no_meaning_is_refused_and_writes_nothing(run, line, message):
    ran = run(f"%memory {line}")
    assert message in str(ran.error)
    assert not Path("golden.jsonl").exists()


def test_an_evaluation_shows_each_mode_and_what_is_gone_or_has_changed(run):
    run("%memory judge rain alice:mon alice:tue")
    run("%memory judge sun bob:mon")
    ran = run("%memory evaluate --modes keyword --k 1,3")
    assert ran.text.startswith(
        "golden.jsonl has 2 questions and 3 right answers\n"
        "  keyword: recall@3 1.00, 95 % interval 1.00 to 1.00\n"
    )
    assert list(ran.result.table["recall@1"]) == [0.75]
    run("memory.sync.delete('bob:mon'); memory.sync.add('alice:mon', {'text': 'dry'})")
    ran = run("%memory evaluate --modes keyword")
    assert "  1 record gone since they were judged, and left out: bob:mon\n" in ran.text
    assert "  1 record changed since they were judged: judge them again: alice:mon\n" in ran.text
    assert "recall@10 0.50" in ran.text


def test_a_cell_fails_if_a_mode_answers_less_well_than_was_asked_for(run):
    run("%memory judge rain alice:mon")
    run("%memory judge umbrella alice:mon")
    assert run("%memory evaluate --modes keyword --fail-under recall@5=0.5,mrr@10=0.1").success
    ran = run("%memory evaluate --modes keyword --fail-under recall@5=0.6")
    assert str(ran.error).startswith("recall@5 of keyword is 0.500, below 0.6\n")
    assert "golden.jsonl has 2 questions" in str(ran.error)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--fail-under recall@5", "give a measure and a number from 0 to 1"),
        ("--fail-under recall@5=70", "give a measure and a number from 0 to 1"),
        ("--fail-under recal@5=0.7", "give one of recall@5, "),
        ("--fail-under recall@7=0.7", "give one of recall@5, "),
        ("--k 5,x", "--k 'x': give whole numbers"),
        ("--k 0", "give whole numbers"),
        ("--modes keyword,,", "give words, separated by commas"),
        ("--modes fuzzy", "'fuzzy'"),
        ("--against nowhere.json", "cannot read 'nowhere.json'"),
        ("--against golden.jsonl", "'golden.jsonl' holds no evaluation"),
        ("--against $memory", "give a file, or a variable that holds an evaluation"),
        ("--fail-if-worse", "give the evaluation to compare with: --against FILE"),
        ("--weights $memory", "what %memory tune returned"),
        ("--save nowhere/before.json", "cannot write 'nowhere/before.json'"),
    ],
)
def test_flags_of_an_evaluation_without_a_meaning_are_refused(run, flags, message):
    run("%memory judge rain alice:mon")
    assert message in str(run(f"%memory evaluate {flags}").error)


def test_an_earlier_evaluation_is_compared_with(run):
    run("%memory judge rain alice:mon")
    run("%memory judge sun bob:mon")
    assert run("before = %memory evaluate --modes keyword").success
    run("memory.sync.add('bob:mon', {'text': 'clouds'})")
    ran = run("%memory evaluate --modes keyword --against $before")
    assert (
        "  recall@10 of keyword now against keyword before: -0.500 [-1.000, +0.000], p = 1.000: "
        "no significant difference; of 2 questions 0 better, 1 worse\n"
    ) in ran.text


def test_a_saved_evaluation_is_compared_with_and_a_cell_fails_if_a_mode_is_worse(run):
    for number in range(8):
        run(f"memory.sync.add('n:{number}', {{'text': 'word{number}'}})")
        run(f"%memory judge word{number} n:{number}")
    ran = run("%memory evaluate --modes keyword --save before.json")
    assert "  saved as before.json\n" in ran.text
    same = run("%memory evaluate --modes keyword --against before.json --fail-if-worse")
    assert same.success
    assert "no significant difference; of 8 questions 0 better, 0 worse" in same.text
    run("memory.sync.add('n:0', {'text': 'other'})")
    # One question is lost: chance alone may do so.
    assert run("%memory evaluate --modes keyword --against before.json --fail-if-worse").success
    run("memory.sync.add_many({f'n:{n}': {'text': 'other'} for n in range(7)})")
    ran = run("%memory evaluate --modes keyword --against before.json --fail-if-worse")
    assert str(ran.error).startswith("recall@10 of keyword now is worse by 0.875\n")
    assert "of 8 questions 0 better, 7 worse" in str(ran.error)


def test_weights_are_proposed_and_used_only_where_that_is_asked_for(run):
    for number in range(12):
        run(f"memory.sync.add('n:{number}', {{'text': 'word{number} word{number + 1}'}})")
        run(f"%memory judge word{number} n:{number}")
    ran = run("tuning = %memory tune --mode ranked --folds 2 --kept 0.25")
    assert ran.success, ran.error
    assert "  ranked: tuned on 9 questions in 2 parts, 3 kept apart\n" in ran.text
    assert "  cross-validation: ndcg@10 of tuned weights against current weights: " in ran.text
    assert list(run("tuning.table").result.columns) == ["current", "proposed"]
    assert run("memory.weights == tuning.current").result is True
    run("from tta_memory_nb import SearchWeights\nmine = SearchWeights(who=0.5)")
    assert run("%memory evaluate --modes ranked --weights $mine").result.weights.who == 0.5
    assert run("memory.weights == tuning.current").result is True
    assert run("%memory use --weights $mine").success
    assert run("memory.weights.who").result == 0.5
    assert run("%memory use --weights $tuning").success
    assert run("memory.weights == tuning.weights").result is True


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("", "a right record that exists are 1; tuning in 5 parts needs at least 10"),
        ("--mode keyword", "it has no weights; give one of ranked, hybrid, semantic"),
        ("--measure speed@5", "--measure 'speed@5': give one of recall, precision, ndcg, mrr"),
        ("--measure ndcg", "with a rank, such as 'ndcg@10'"),
        ("--folds 1", "--folds 1: give a whole number of at least 2"),
        ("--kept 1", "give a share between 0 and 1"),
        ("--kept some", "give a share between 0 and 1"),
        ("nowhere.jsonl", "cannot read 'nowhere.jsonl'"),
    ],
)
def test_a_tuning_without_a_meaning_is_refused(run, flags, message):
    run("%memory judge rain alice:mon")
    assert message in str(run(f"%memory tune {flags}").error)


def test_a_test_collection_is_searched_in_a_memory_of_its_own(run):
    chats = [
        {
            "sample_id": "one",
            "conversation": {
                "session_1": [
                    {"speaker": "Ann", "dia_id": "D1:1", "text": "I moved to Lyon"},
                    {"speaker": "Ben", "dia_id": "D1:2", "text": "Nice"},
                ]
            },
            "qa": [{"question": "Lyon", "evidence": ["D1:1"], "category": 1}],
        }
    ]
    Path("chats.json").write_text(json.dumps(chats))
    ran = run("%memory evaluate chats.json --modes keyword")
    assert ran.text.startswith("chats.json has 1 question and 1 right answer\n")
    assert ran.result.mean("keyword", "recall@5") == 1.0
    assert run("%memory list").result.index.tolist() == ["bob:mon", "alice:tue", "alice:mon"]


def test_tab_offers_keys_to_judge():
    nb = Notebook(MemoryPrimitive())
    nb.memory.sync.add("alice:mon", {"text": "rain"})
    for line in (
        "%memory judge rain al",
        "%memory judge rain --wrong al",
        "%memory judge rain x --forget al",
    ):
        assert complete(line, nb) == ("al", ["alice:mon"])
    assert complete("%memory judge al", nb) is None
