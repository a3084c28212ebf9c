"""The explorer over a search that ranks: order, scores, their parts, and judgements."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from backends import ALL_BUT_THE_STAND_IN
from front_end import FrontEnd

from tta_memory_nb import GoldenSet, MemoryExplorer, MemoryPrimitive

LINES = (
    ("Ana", "I have moved to Lyon"),
    ("Ben", "How is the new flat?"),
    ("Ana", "Small, with a balcony over the river"),
    ("Ben", "Do you speak <b>French</b> there?"),
)
QUESTION = "where did Ana move"


def fill(memory: MemoryPrimitive) -> None:
    for number, (speaker, text) in enumerate(LINES):
        memory.sync.add(f"chat:march:0000000{number}", {"speaker": speaker, "text": text})


@pytest.fixture
def explore(tmp_path) -> Iterator[Callable[..., FrontEnd]]:
    made: list[MemoryExplorer] = []

    def make(memory: MemoryPrimitive | None = None, **traits: Any) -> FrontEnd:
        if memory is None:
            fill(memory := MemoryPrimitive())
        traits = {"golden": str(tmp_path / "golden.jsonl"), **traits}
        made.append(MemoryExplorer(memory, **traits))
        front = FrontEnd(made[-1])
        front.ask("hello")
        return front

    yield make
    for explorer in made:
        explorer.close()


@pytest.mark.backends(*ALL_BUT_THE_STAND_IN)
def test_a_mode_that_ranks_lists_the_best_answers_first_with_their_scores(make, explore):
    memory = make()
    fill(memory)
    front = explore(memory)
    assert front.state["modes"][:2] == ["keyword", "ranked"]
    front.ask("set", query=QUESTION, mode="ranked", window=[0, 20])
    front.when(lambda: front.state["mode"] == "ranked" and not front.state["loading"])
    hits = memory.sync.hits(QUESTION, None, "ranked")
    assert front.keys() == [hit.entry.key for hit in hits]
    shown = [column["name"] for column in front.state["columns"] if column["shown"]]
    assert shown[:3] == ["key", "text", "score"]
    first = front.state["rows"][0]["cells"]
    assert first["score"] == {
        "t": f"{hits[0].score:.2f}",
        "v": hits[0].score,
        "k": "num",
        "h": "words: moved (for move); who: Ana",
    }
    assert first["text"]["m"] == [[7, 12]]
    front.ask("set", query="moved", mode="keyword", window=[0, 20])
    front.when(lambda: front.state["mode"] == "keyword" and len(front.state["rows"]) == 1)
    assert "score" not in [column["name"] for column in front.state["columns"]]


def test_a_record_says_where_its_score_comes_from(explore):
    front = explore(query=QUESTION, mode="ranked")
    [hit, *_] = front.explorer.memory.sync.hits(QUESTION, 1, "ranked")
    record = front.ask("record", key=hit.entry.key, whole=False)
    ranked = record["ranked"]
    assert ranked["score"] == hit.score
    assert sum(part["amount"] for part in ranked["parts"]) == pytest.approx(hit.score)
    assert {part["signal"] for part in ranked["parts"]} >= {"words", "who"}
    assert record["matches"] == ["text", "speaker"] or set(record["matches"]) == {"speaker", "text"}
    neighbour = front.ask("record", key="chat:march:00000001", whole=False)
    around = next(part for part in neighbour["ranked"]["parts"] if part["signal"] == "around")
    assert (around["t"], around["near"]) == ("moved (for move)", "chat:march:00000000")


def test_records_in_view_have_their_scores(explore):
    front = explore(query=QUESTION, mode="ranked")
    records = front.explorer.records
    assert [record.score for record in records] == sorted(
        (record.score for record in records), reverse=True
    )
    assert records[0].matches


def test_a_search_without_a_ranking_has_no_scores(explore):
    front = explore(query="moved")
    record = front.ask("record", key="chat:march:00000000", whole=False)
    assert (record["ranked"], record["judged"]) == (None, None)


def test_judgements_go_to_the_golden_set_and_are_taken_back(explore):
    front = explore(query=QUESTION, mode="ranked", filters={"user": "chat"})
    right, wrong = "chat:march:00000000", "chat:march:00000001"
    assert front.ask("judge", key=right, whole=False, right=True)["judged"] is True
    assert front.ask("judge", key=wrong, whole=False, right=False)["judged"] is False
    [question] = GoldenSet.read(front.explorer.golden).questions
    assert (question.query, question.filters) == (QUESTION, {"user": "chat"})
    assert question.grades == {right: 1, wrong: 0}
    assert front.ask("record", key=right, whole=False)["judged"] is True
    assert front.ask("judge", key=right, whole=False, right=None)["judged"] is None
    assert GoldenSet.read(front.explorer.golden).questions[0].grades == {wrong: 0}


def test_what_cannot_be_judged_is_reported_and_writes_nothing(explore):
    front = explore()
    for key in ("chat:march:00000000", "gone"):
        answer = front.ask("judge", key=key, whole=False, right=True)
        assert answer["kind"] == "error"
    from pathlib import Path

    assert not Path(front.explorer.golden).exists()


def test_a_broken_golden_set_hides_no_record(explore, tmp_path):
    (tmp_path / "golden.jsonl").write_text("no json\n")
    front = explore(query=QUESTION, mode="ranked")
    assert front.ask("record", key="chat:march:00000000", whole=False)["judged"] is None
    answer = front.ask("judge", key="chat:march:00000000", whole=False, right=True)
    assert "line 1: not JSON" in answer["message"]


def test_what_is_unexpected_in_how_a_query_was_understood_is_said(explore):
    def broken(texts):
        raise OSError("no \u202emodel")

    memory = MemoryPrimitive(embedder=broken)
    fill(memory)
    front = explore(memory, query="what of the rivver", mode="ranked")
    front.when(lambda: front.state["understood"] == ["searched for: river instead of rivver"])
    for query, mode, said in (
        ("balcony", "hybrid", "ranked search: searched as 'ranked': "),
        ("nowhere", "ranked", "in no record: nowhere"),
    ):
        front.ask("set", query=query, mode=mode, window=[0, 20])
        front.when(lambda query=query: front.state["query"] == query and not front.state["loading"])
        [line] = front.state["understood"]
        assert line.startswith(said)
        assert "\u202e" not in line
    front.ask("set", query="balcony", mode="ranked", window=[0, 20])
    front.when(lambda: front.state["understood"] == [])
