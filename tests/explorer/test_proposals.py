"""What agents have proposed, in the explorer: what its front end is sent, and what it asks for."""

from __future__ import annotations

import json

import pytest
from front_end import FrontEnd

from tta_memory_nb import MemoryPrimitive
from tta_memory_nb.notebook.commands import Notebook, views
from tta_memory_nb.notebook.explorer.review import MOST_ITEMS
from tta_memory_nb.notebook.undo import UndoStack

KEY = "ann:home"
BEFORE = {"text": "Ann lives in Lyon"}
AFTER = {"text": "Ann lives in Paris"}


@pytest.fixture
def memory(clock) -> MemoryPrimitive:
    memory = MemoryPrimitive(clock=clock)
    memory.sync.add(KEY, BEFORE)
    return memory


@pytest.fixture
def changes() -> UndoStack:
    return UndoStack()


@pytest.fixture
def seen(explore, changes) -> FrontEnd:
    """A view that shows the proposals."""
    front = FrontEnd(explore(changes=changes))
    front.ask("hello", visible=True)
    front.ask("set", view="proposals")
    return front


def items(front: FrontEnd) -> list[dict]:
    return front.state["proposals"]["items"]


def test_a_view_counts_proposals_and_shows_them_when_they_are_in_sight(explore, memory):
    made = memory.sync.propose("add", KEY, AFTER, reason="she moved", by="agent")
    front = FrontEnd(explore())
    front.ask("hello", visible=True)
    front.when(lambda: (front.state.get("proposals") or {}).get("count") == 1)
    assert items(front) == []
    front.ask("set", view="proposals")
    [item] = items(front)
    assert (item["id"], item["key"], item["by"], item["reason"]) == (
        made.id,
        KEY,
        "agent",
        "she moved",
    )
    assert item["fields"] == [
        {"name": "text", "parts": [[" ", "Ann lives in "], ["-", "Lyon"], ["+", "Paris"]]}
    ]
    assert (item["since"], item["replaces"]) == (None, True)


def test_approving_writes_and_can_be_undone_and_rejecting_writes_nothing(seen, memory, changes):
    moved = memory.sync.propose("add", KEY, AFTER)
    gone = memory.sync.propose("delete", KEY)
    seen.when(lambda: len(items(seen)) == 2)
    seen.ask("reject", proposal=gone.id)
    assert memory.sync.get(KEY) == BEFORE
    seen.ask("approve", proposal=moved.id)
    assert memory.sync.get(KEY) == AFTER
    seen.when(lambda: items(seen) == [])
    assert any(
        each.get("text") == f"Approved: add {KEY}" and each["undo"] for each in seen.messages
    )
    assert list(changes.verbs()) == ["approve"]
    seen.ask("undo")
    assert memory.sync.get(KEY) == BEFORE
    assert {each.status for each in memory.sync.proposals(None)} == {"approved", "rejected"}


def test_a_conflict_is_shown_and_only_what_was_seen_is_overruled(seen, memory):
    made = memory.sync.propose("add", KEY, AFTER)
    seen.when(lambda: len(items(seen)) == 1)
    memory.sync.add(KEY, {"text": "Ann lives in Rome"})
    answer = seen.ask("approve", proposal=made.id)
    assert "has changed since" in answer["message"]
    seen.when(lambda: items(seen)[0]["since"] is not None)
    [item] = items(seen)
    assert item["since"][0]["parts"] == [[" ", "Ann lives in "], ["-", "Lyon"], ["+", "Rome"]]
    assert item["fields"][0]["parts"] == [[" ", "Ann lives in "], ["-", "Rome"], ["+", "Paris"]]
    # What somebody writes between the look and the decision was not seen.
    review = seen.explorer._lister.found.review
    memory.sync.add(KEY, {"text": "Ann lives in Oslo"})
    seen.explorer._lister.update(memory, review=review)
    answer = seen.ask("approve", proposal=made.id, anyway=True)
    assert "has changed again" in answer["message"]
    assert memory.sync.get(KEY) == {"text": "Ann lives in Oslo"}
    seen.when(lambda: items(seen)[0]["since"][0]["parts"][-1] == ["+", "Oslo"])
    seen.ask("approve", proposal=made.id, anyway=True)
    assert memory.sync.get(KEY) == AFTER


def test_what_is_not_pending_or_not_allowed_is_refused(explore, memory):
    made = memory.sync.propose("delete", KEY)
    front = FrontEnd(explore(read_only=True, view="proposals"))
    front.ask("hello", visible=True)
    assert "read-only" in front.ask("approve", proposal=made.id)["message"]
    front.explorer.read_only = False
    for wrong in ("00000000", None, ["x"]):
        assert "not pending any more" in front.ask("reject", proposal=wrong)["message"]
    assert memory.sync.get(KEY) == BEFORE


def test_long_and_hostile_proposals_are_sent_short(seen, memory):
    hostile = "\ud83d<script>\x1b" + "x" * 5000
    memory.sync.propose(
        "add", hostile, {hostile: hostile, **{f"f{n}": n for n in range(30)}}, by=hostile
    )
    for n in range(MOST_ITEMS):
        memory.sync.propose("add", f"k{n}", {"n": n})
    seen.when(lambda: seen.state["proposals"]["count"] == MOST_ITEMS + 1)
    assert len(items(seen)) == MOST_ITEMS
    [item] = [each for each in items(seen) if "script" in each["key"]]
    assert item["fields"][-1]["name"] == "and 19 more fields"
    assert len(json.dumps(item)) < 40_000


def test_the_command_opens_the_proposals(memory):
    memory.sync.propose("delete", KEY)
    explorer = views.explore(Notebook(memory), proposals=True).value
    assert explorer.view == "proposals"
    explorer.close()
