"""``%memory resolve`` and ``%memory tombstones``: a preview first, then one change that can be undone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tta_memory_nb import InvalidArgument, MemoryPrimitive, Tombstoned
from tta_memory_nb.notebook.commands import COMMANDS, Notebook

COPY = {"text": "The ferry to the island leaves at nine on Sundays"}


@pytest.fixture
def nb() -> Notebook:
    memory = MemoryPrimitive(tombstones="quarantine")
    memory.sync.add_many({"ana:1": {"text": "tea", "by": "Ana"}, "ana:2": {"text": "coffee"}})
    memory.sync.add_many({"bob:1": COPY, "bob:2": COPY})
    return Notebook(memory)


def run(nb: Notebook, command: str, *words: Any, **flags: Any) -> str:
    return COMMANDS[command](nb, *((words,) if words else ()), **flags).text


def test_a_preview_changes_nothing_and_yes_does_it_once(nb: Notebook) -> None:
    memory = nb.memory.sync
    assert run(nb, "resolve").startswith(
        "2 records in 1 case; 1 of 1 cases are undecided; add --keep"
    )
    assert "add --yes to do it" in run(nb, "resolve", keep="newest")
    new, newest = (COMMANDS["resolve"](nb, keep=rule).value for rule in ("new", "newest"))
    assert new.equals(newest)
    assert memory.size() == 4
    text = run(nb, "resolve", "ana:1", "ana:2", keep="merge", fields={"text": "old"}, yes=True)
    assert text == "2 records became 1; %memory undo takes it back"
    assert memory.get("ana:1") == {"text": "tea", "by": "Ana", "merged_from": ["ana:1", "ana:2"]}
    COMMANDS["undo"](nb)
    merging = {"keep": "merge", "into": "new"}
    preview = COMMANDS["resolve"](nb, ("ana:1", "ana:2"), **merging).value
    assert list(preview["decision"]) == ["merge into 'ana:2'"]
    run(nb, "resolve", "ana:1", "ana:2", **merging, yes=True)
    assert memory.keys(prefix="ana") == ["ana:2"]
    table = COMMANDS["doctor"](nb, check="exact-duplicates").value
    run(nb, "resolve", table, keep="newest", yes=True, for_good=True)
    assert memory.keys(prefix="bob") == ["bob:2"]
    COMMANDS["undo"](nb)
    COMMANDS["undo"](nb)
    assert memory.size() == 4
    assert run(nb, "tombstones") == "0 tombstones"


def test_what_was_deleted_for_good_is_listed_put_aside_released_and_lifted(nb: Notebook) -> None:
    memory = nb.memory.sync
    assert "for good" in COMMANDS["delete"](nb, ("bob:1",), for_good=True).text
    assert run(nb, "tombstones") == "1 tombstone"
    told = COMMANDS["add"](nb, "new", COPY).text
    assert told.startswith("not stored: new says what was deleted for good")
    assert run(nb, "tombstones", quarantine=True) == "1 record in quarantine"
    run(nb, "tombstones", "new", release=True)
    assert memory.get("new") == COPY
    assert run(nb, "tombstones") == "0 tombstones"
    COMMANDS["clear"](nb, yes=True, for_good=True, prefix="bob")
    assert run(nb, "tombstones", "bob:2", lift=True) == "lifted 1 tombstone"


@pytest.mark.parametrize(
    ("command", "words", "flags", "named"),
    [
        ("resolve", ("ana:1",), {}, "'ana:1' is one record"),
        ("resolve", ("ana:1", "nobody"), {}, "no record under 'nobody'"),
        ("resolve", (), {"keep": "first"}, "keep='first'"),
        ("resolve", (), {"yes": True}, "--yes: say what stays"),
        (
            "resolve",
            (),
            {"into": "new", "keep": "newest"},
            "into='new': it belongs to --keep merge",
        ),
        ("resolve", (), {"into": "ana:1", "keep": "merge"}, "into='ana:1': give 'old', 'new' or"),
        ("resolve", (), {"explore": True, "yes": True}, "--explore: decide in the explorer"),
        (
            "resolve",
            (),
            {"edits": {"a": 1}, "keep": "newest"},
            "--edits: it belongs to --keep merge",
        ),
        ("tombstones", ("nobody",), {"lift": True}, "no tombstone for 'nobody'"),
        ("tombstones", (), {"lift": True}, "name the keys"),
        ("tombstones", ("nobody",), {"release": True}, "'nobody' is not in quarantine"),
        ("clear", (), {"for_good": True}, "--for-good: say which records"),
    ],
)
def test_mistakes_are_named(
    nb: Notebook, command: str, words: Any, flags: dict[str, Any], named: str
) -> None:
    with pytest.raises(InvalidArgument, match=named):
        run(nb, command, *words, **flags)
    assert nb.memory.sync.size() == 4


def test_a_table_as_the_value_of_an_import_is_refused_as_a_whole() -> None:
    memory = MemoryPrimitive().sync
    memory.add("a", COPY)
    memory.delete("a", for_good=True)
    with pytest.raises(Tombstoned, match=r"and 2 more records do"):
        memory.import_([{"key": f"k{n}", **COPY} for n in range(7)])
    assert memory.size() == 0


def test_what_a_tombstone_does_is_chosen_where_a_memory_is_opened(tmp_path: Path) -> None:
    nb = Notebook(MemoryPrimitive())
    memory = COMMANDS["use"](nb, f"file:{tmp_path / 'notes.db'}", tombstones="quarantine").value
    memory.sync.add("bob:1", COPY)
    COMMANDS["delete"](nb, ("bob:1",), for_good=True)
    COMMANDS["add"](nb, "new", COPY)
    assert [each.key for each in memory.sync.quarantined()] == ["new"]
    COMMANDS["use"](nb, tombstones="refuse")
    with pytest.raises(Tombstoned):
        memory.sync.add("other", COPY)
    with pytest.raises(InvalidArgument, match="tombstones='burn'"):
        COMMANDS["use"](nb, tombstones="burn", mode="ranked")
    assert (memory.tombstone_policy, memory.default_mode) == ("refuse", "keyword")
