"""Evaluations: measures as a reference library has them, and which differences are called one."""

from __future__ import annotations

import math
from typing import Any

import pytest
from backends import ALL_BUT_THE_STAND_IN
from hypothesis import given
from hypothesis import strategies as st

from tta_memory_nb import EmbedderError, GoldenSet, InvalidArgument, MemoryPrimitive, evaluate
from tta_memory_nb.evaluation import Answer, Evaluation, Question
from tta_memory_nb.evaluation.measures import MEASURES
from tta_memory_nb.evaluation.significance import chance, interval

# ---- measures

KEYS = [f"d{n}" for n in range(12)]


@given(
    st.dictionaries(st.sampled_from(KEYS), st.integers(0, 3), min_size=1, max_size=8).filter(
        lambda grades: any(grades.values())
    ),
    st.lists(st.sampled_from(KEYS), unique=True, max_size=10),
    st.sampled_from([1, 3, 5, 10]),
)
def test_measures_equal_those_of_a_reference_library(grades, found, k):
    ir_measures = pytest.importorskip("ir_measures")
    theirs = {
        "recall": ir_measures.R @ k,
        "precision": ir_measures.P @ k,
        "ndcg": ir_measures.nDCG @ k,
        "mrr": ir_measures.RR @ k,
    }
    # A record that is surely never found makes the run one that the reference has figures for.
    run = {key: float(len(found) - rank) for rank, key in enumerate(found)} or {"none": 1.0}
    figures = ir_measures.calc_aggregate(theirs.values(), {"q": grades}, {"q": run})
    for name, measure in theirs.items():
        assert MEASURES[name](found, grades, k) == pytest.approx(figures[measure])


# ---- significance


def evaluation(figures: dict[Any, list[bool]]) -> Evaluation:
    """Returns an evaluation in which each question has one right record, found first or not at all."""
    return Evaluation(
        "planted",
        {
            mode: [
                Answer(Question(f"q{n}", {f"d{n}": 1}), (f"d{n}",) if hit else (), 0.001)
                for n, hit in enumerate(hits)
            ]
            for mode, hits in figures.items()
        },
        (5, 10),
    )


def test_a_planted_regression_is_caught():
    before = [True] * 80 + [False] * 20
    after = [True] * 64 + [False] * 36
    comparison = evaluation({"keyword": after}).since(evaluation({"keyword": before}), "keyword")
    assert comparison.verdict == "worse"
    assert comparison.difference == pytest.approx(-0.16)
    assert comparison.low < -0.16 < comparison.high < 0
    assert comparison.p < 0.001
    assert ", p < 0.001: worse; of 100 questions 0 better, 16 worse" in str(comparison)
    assert [each.lost for each in comparison.changed] == [(f"d{n}",) for n in range(64, 80)]
    back = evaluation({"keyword": before}).since(evaluation({"keyword": after}), "keyword")
    assert back.verdict == "better"


def test_a_change_within_noise_is_not_called_one():
    # Eight questions changed, five for the worse: a fair coin does so in 73 of 100 cases.
    before = [True] * 50 + [False] * 50
    after = [False] * 5 + [True] * 48 + [False] * 47
    comparison = evaluation({"keyword": after}).since(evaluation({"keyword": before}), "keyword")
    assert comparison.verdict == "no significant difference"
    assert comparison.p == pytest.approx(186 / 256)
    assert comparison.low < 0 < comparison.high
    assert len(comparison.changed) == 8


def test_the_chance_of_a_difference_is_that_of_all_assignments_of_signs():
    assert chance([], 0) == chance([0.0, 0.0], 0) == 1.0
    assert chance([0.5] * 4, 0) == 2 / 16
    assert chance([1.0, -1.0, 1.0], 0) == 1.0
    # With more questions than signs can be tried for, random signs come close to the exact chance.
    worse, better = 30, 12
    exact = sum(math.comb(42, n) for n in range(better + 1)) * 2 / 2**42
    estimated = chance([-1.0] * worse + [1.0] * better, 0)
    assert estimated == pytest.approx(exact, rel=0.3)
    assert estimated == chance([-1.0] * worse + [1.0] * better, 0)


def test_an_interval_holds_the_mean_and_narrows_with_more_questions():
    low, high = interval([0.0, 1.0] * 10, 0)
    lower, higher = interval([0.0, 1.0] * 1000, 0)
    assert low < lower < 0.5 < higher < high
    # The standard error of a share of one half among 2,000 is 0.0112.
    assert higher - lower == pytest.approx(2 * 1.96 * 0.0112, rel=0.1)
    assert interval([0.25], 0) == (0.25, 0.25)
    assert interval([0.0, 1.0] * 10, 0) == (low, high)


@given(st.lists(st.sampled_from([0.0, 0.25, 1.0]), min_size=1, max_size=30))
def test_an_interval_lies_between_the_least_and_the_greatest_figure(figures):
    low, high = interval(figures, 0)
    assert min(figures) - 1e-9 <= low <= high <= max(figures) + 1e-9


# ---- asking a memory


@pytest.fixture
def weather():
    memory = MemoryPrimitive()
    for key, text in (("alice:mon", "rain"), ("alice:tue", "more rain"), ("bob:mon", "rain here")):
        memory.sync.add(key, {"text": text})
    return memory


GOLDEN = GoldenSet.of(
    {"rain": ["alice:mon", "alice:tue"], "here": ["bob:mon"], "snow": ["bob:mon"]}
)


@pytest.mark.backends(*ALL_BUT_THE_STAND_IN)
async def test_an_evaluation_is_awaited_or_called_and_measures_the_same(make):
    memory = make()
    for key, text in (("alice:mon", "rain"), ("alice:tue", "more rain"), ("bob:mon", "rain here")):
        await memory.add(key, {"text": text})
    before = await memory.keys()
    awaited = await evaluate(memory, GOLDEN, modes=["keyword"], k=(1, 3))
    called = evaluate(memory.sync, GOLDEN, modes=["keyword"], k=(1, 3))
    for result in (awaited, called):
        assert result.values("keyword", "recall@1") == [0.0, 1.0, 0.0]
        assert result.values("keyword", "recall@3") == [1.0, 1.0, 0.0]
        assert result.values("keyword", "mrr@3") == [0.5, 1.0, 0.0]
        assert [answer.found for answer in result.answers["keyword"]] == [
            *[("bob:mon", "alice:tue", "alice:mon"), ("bob:mon",), ()]
        ]
    assert await memory.keys() == before


def test_filters_of_a_question_are_those_of_the_search(weather):
    golden = GoldenSet((Question("rain", {"alice:mon": 1}, filters={"user": "alice"}),))
    result = evaluate(weather.sync, golden, modes=["keyword"], k=2)
    assert result.answers["keyword"][0].found == ("alice:tue", "alice:mon")


def test_records_that_are_gone_or_have_changed_are_said_and_gone_ones_do_not_count(
    weather, tmp_path
):
    from tta_memory_nb.evaluation import judge

    memory, path = weather.sync, tmp_path / "golden.jsonl"
    judge(path, "rain", right=memory.peek(["alice:mon", "alice:tue"]))
    judge(path, "here", right=memory.peek(["bob:mon"]))
    memory.add("alice:mon", {"text": "rain, corrected"})
    memory.delete("alice:tue")
    memory.delete("bob:mon")
    result = evaluate(memory, path, modes=["keyword"])
    assert (result.gone, result.changed) == (("alice:tue", "bob:mon"), ("alice:mon",))
    assert result.left_out == ("here",)
    assert result.values("keyword", "recall@5") == [1.0]
    memory.clear()
    with pytest.raises(InvalidArgument, match="none of its right records is in this memory"):
        evaluate(memory, path)


def test_a_set_without_a_right_record_says_so(weather, tmp_path):
    from tta_memory_nb.evaluation import judge, tune

    memory, path = weather.sync, tmp_path / "golden.jsonl"
    judge(path, "rain", wrong=memory.peek(["alice:mon"]))
    for call in (evaluate, tune):
        with pytest.raises(InvalidArgument, match=r"golden\.jsonl: no record is judged right"):
            call(memory, path)


def test_a_set_that_brings_its_records_is_asked_in_a_memory_of_its_own(weather):
    golden = GoldenSet(
        (Question("lyon", {"d1": 1}),), "cities", (("d1", {"text": "Lyon"}), ("d2", {"text": "No"}))
    )
    before = weather.sync.records()
    result = evaluate(weather.sync, golden, modes=["keyword"])
    assert result.mean("keyword", "recall@5") == 1.0
    assert weather.sync.records() == before


def test_a_memory_with_the_records_of_a_set_is_asked_itself():
    golden = GoldenSet(
        (Question("lyon", {"d1": 1}),), "cities", (("d1", {"text": "Lyon"}), ("d2", {"text": "No"}))
    )
    memory = MemoryPrimitive().sync
    memory.add_many(golden.records)
    memory.add("stranger", {"text": "Lyon as well"})
    result = evaluate(memory, golden, modes="keyword")
    assert result.answers["keyword"][0].found == ("stranger", "d1")


async def test_modes_that_cannot_be_carried_out_are_left_out_unless_they_are_asked_for():
    def broken(texts):
        raise OSError("no model")

    memory = MemoryPrimitive(embedder=broken)
    await memory.add("alice:mon", {"text": "rain"})
    golden = GoldenSet.of({"rain": ["alice:mon"]})
    for result in (await evaluate(memory, golden), evaluate(memory.sync, golden)):
        assert result.modes == ("keyword", "ranked")
        assert result.notes.keys() == {"semantic", "hybrid"}
        assert "no model" in result.notes["semantic"]
    with pytest.raises(EmbedderError, match="no model"):
        evaluate(memory.sync, golden, modes=["semantic"])
    result = evaluate(memory.sync, golden, modes=["hybrid"])
    assert result.notes["hybrid"].startswith("searched as 'ranked'")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"modes": ["fuzzy"]}, "mode='fuzzy'"),
        ({"modes": []}, "give at least one mode"),
        ({"k": (0, 5)}, "whole numbers of at least 1"),
        ({"k": ()}, "whole numbers of at least 1"),
        ({"k": ("5",)}, "whole numbers of at least 1"),
        ({"k": None}, "k=None: give whole numbers of at least 1"),
        ({"k": [[5]]}, "whole numbers of at least 1"),
        ({"golden": GoldenSet(())}, "the set has no questions"),
        ({"memory": None}, "give a MemoryPrimitive"),
    ],
)
def test_an_evaluation_without_a_meaning_is_refused(weather, wrong, message):
    arguments: dict[str, Any] = {"memory": weather.sync, "golden": GOLDEN, **wrong}
    with pytest.raises(InvalidArgument, match=message):
        evaluate(**arguments)


# ---- tables


def test_the_table_has_a_row_a_mode_and_shows_like_other_tables():
    result = evaluation({"keyword": [True, False, False]})
    table = result.table
    assert list(table.index) == ["keyword"]
    assert list(table.columns) == [
        *("recall@5", "recall@10", "precision@5", "precision@10", "ndcg@5", "ndcg@10", "mrr@10"),
        *("median ms", "p95 ms"),
    ]
    assert table.loc["keyword", "recall@5"] == 0.333
    assert result.mean("keyword", "recall@5") == pytest.approx(1 / 3)
    assert "recall@10" in repr(result)
    assert "<table" in (result._repr_html_() or "")
    assert list(result.by_question["ranks"]) == ["1", "-", "-"]


def test_text_of_a_question_is_escaped_where_it_is_shown():
    hostile = "<img src=x onerror=alert(1)>\x1b[31m"
    result = Evaluation(
        "hostile",
        {
            "keyword": [Answer(Question(hostile, {"d": 1}), ("d",), 0.001)],
        },
        (5,),
    )
    from tta_memory_nb.frames import frame_html, frame_text

    assert "<img" not in (frame_html(result.by_question) or "")
    assert "\x1b" not in frame_text(result.by_question)


def test_modes_are_compared_by_the_questions_that_changed():
    result = evaluation({"keyword": [True, False, False], "ranked": [False, True, True]})
    comparison = result.between("keyword", "ranked", "recall@5")
    assert list(comparison.table.index) == ["q0", "q1", "q2"]
    assert list(comparison.table["lost"]) == ["d0", "", ""]
    assert list(comparison.table["gained"]) == ["", "d1", "d2"]
    assert str(comparison) == (
        "recall@5 of ranked against keyword: +0.333 [-1.000, +1.000], p = 1.000: "
        "no significant difference; of 3 questions 2 better, 1 worse"
    )
    same = result.between("keyword", "keyword")
    assert (len(same.table), same.verdict) == (0, "no significant difference")
    with pytest.raises(InvalidArgument, match="measure='recall@7': give one of recall@5"):
        result.between("keyword", "ranked", "recall@7")
    with pytest.raises(InvalidArgument, match="this evaluation asked keyword, ranked"):
        result.mean("hybrid", "recall@5")


def test_a_plot_has_a_bar_for_each_mode_and_measure():
    result = evaluation({"keyword": [True, False, False], "ranked": [False, True, True]})
    figure: Any = result.plot()
    [axes] = figure.axes
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["keyword", "ranked"]
    assert len(axes.patches) == 2 * len(result.measures)
    assert figure._repr_png_()[0].startswith(b"\x89PNG")
