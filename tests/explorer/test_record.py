"""One record in the explorer: what is shown of it, and what can be done with it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from front_end import FrontEnd


def test_a_record_is_shown_whole_with_its_neighbours(front, memory):
    memory.sync.add("ann:mon:00000001", {"text": "later"})
    shown = front.ask("record", key="ann:mon")
    assert json.loads(shown["text"]) == {"text": "It rains", "n": 8}
    assert [each["key"] for each in shown["neighbours"]] == ["ann:mon", "ann:mon:00000001"]
    assert [each["current"] for each in shown["neighbours"]] == [True, False]
    assert front.ask("record", key="nobody")["gone"] is True


def test_a_message_is_shown_in_its_conversation(front, memory):
    said = [{"role": "user", "content": f"{n} {'long ' * 200}"} for n in range(50)]
    keys = memory.sync.append("ann", "chat", [*said, {"text": "nobody's"}])
    memory.sync.add("ann:chat", {"text": "no message"})
    shown = front.ask("record", key=keys[30])
    messages = shown["conversation"]
    assert shown["neighbours"] == []
    assert [each["key"] for each in messages] == keys[10:]
    assert [each["key"] for each in messages if each["current"]] == [keys[30]]
    assert messages[0]["t"].startswith("10 long")
    assert len(messages[0]["t"]) == 601
    assert [each["role"] for each in messages[-2:]] == ["user", ""]
    assert messages[-1]["t"] == "nobody's"
    assert front.ask("record", key="ann:chat")["conversation"] == []


def test_a_summary_is_shown_with_its_sources_and_a_source_with_its_summary(front, memory):
    memory.sync.add("ann:mon:00000001", {"text": "later"})
    summary = memory.sync.summarize(0, user="ann", session="mon", summarizer=lambda _: "all of it")
    shown = front.ask("record", key=summary.key)
    assert [each["key"] for each in shown["sources"]] == ["ann:mon", "ann:mon:00000001"]
    assert shown["summaries"] == []
    shown = front.ask("record", key="ann:mon")
    assert [(each["key"], each["t"]) for each in shown["summaries"]] == [(summary.key, "all of it")]
    assert shown["sources"] == []


def test_the_history_of_a_record_is_what_the_memory_keeps_if_it_keeps_its_changes(
    front, memory, clock
):
    memory.sync.keep_history(50)
    memory.sync.add("kept", {"n": 1})
    clock.tick(10)
    memory.sync.add("kept", {"n": 2})
    shown = front.ask("record", key="kept")
    assert shown["kept_since"] == memory.sync.log("kept").since
    told = [(json.loads(each["text"]), each["what"]) for each in shown["history"]]
    assert told == [({"n": 2}, "changed"), ({"n": 1}, "added")]
    assert all("in test_record.py" in each["by"] for each in shown["history"])
    assert [each["fields"] for each in shown["history"]] == [
        [{"name": "n", "parts": [["-", "1"], ["+", "2"]]}],
        [{"name": "n", "parts": [["+", "1"]]}],
    ]


def test_an_edit_keeps_when_it_was_created_and_when_it_expires(front, memory, clock):
    memory.sync.add("k", {"n": 1}, ttl=60)
    clock.tick(10)
    shown = front.ask("record", key="k")
    assert front.ask("edit", key="k", text='{"n": 2}', base=shown["base"])["ok"] is True
    [record] = memory.sync.get_records(["k"])
    assert record.value == {"n": 2}
    assert record.created_at == shown["created"]
    assert record.updated_at == shown["updated"] + 10
    assert record.expires_at == shown["expires"]
    history = front.ask("record", key="k")["history"]
    assert [(json.loads(each["text"]), each["what"]) for each in history] == [
        ({"n": 2}, "now"),
        ({"n": 1}, "seen"),
    ]
    front.ask("undo")
    assert memory.sync.get("k") == {"n": 1}
    # The same value as at first, but in an earlier version.
    history = front.ask("record", key="k")["history"]
    assert [each["what"] for each in history] == ["now", "edited", "seen"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"n": }', "not JSON"),
        ("[1]", "JSON object"),
        ('{"a": 1, "a": 2}', "a"),
        ('{"a": NaN}', "NaN|nan|not"),
        ("[" * 5000, "deep|JSON"),
    ],
)
def test_an_invalid_value_is_refused(front, memory, text, problem):
    base = front.ask("record", key="bob:mon")["base"]
    reply = front.ask("edit", key="bob:mon", text=text, base=base)
    assert reply["ok"] is False
    assert memory.sync.peek(["bob:mon"])[0].value() == {"text": "sun", "n": 3}


def test_a_record_that_has_changed_meanwhile_is_not_overwritten(front, memory):
    base = front.ask("record", key="bob:mon")["base"]
    memory.sync.add("bob:mon", {"text": "hail"})
    reply = front.ask("edit", key="bob:mon", text="{}", base=base)
    assert json.loads(reply["conflict"]["text"]) == {"text": "hail"}
    assert memory.sync.get("bob:mon") == {"text": "hail"}
    again = front.ask("edit", key="bob:mon", text="{}", base=reply["conflict"]["base"])
    assert again["ok"] is True
    memory.sync.delete("bob:mon")
    gone = front.ask("edit", key="bob:mon", text="{}", base=base)
    assert gone["conflict"]["text"] is None
    assert memory.sync.get("bob:mon") is None


def test_expiry_can_be_set_and_taken_off(front, memory, clock):
    base = front.ask("record", key="bob:mon")["base"]
    assert front.ask("expire", key="bob:mon", ttl="15m", base=base)["ok"] is True
    assert memory.sync.ttl("bob:mon") == 900
    shown = front.ask("record", key="bob:mon")
    assert front.ask("expire", key="bob:mon", ttl="soon", base=shown["base"])["ok"] is False
    assert front.ask("expire", key="bob:mon", ttl=None, base=shown["base"])["ok"] is True
    assert memory.sync.ttl("bob:mon") is None


def test_a_duplicate_never_replaces_another_record(front, memory):
    assert front.ask("duplicate", key="bob:mon", **{"as": "ann:mon"})["ok"] is False
    assert front.ask("duplicate", key="bob:mon", **{"as": "bob:copy"})["ok"] is True
    assert memory.sync.get("bob:copy") == {"text": "sun", "n": 3}


def test_each_action_is_described_in_words(front):
    def notice_of(verb: str, **content: Any) -> str:
        before = len(front.messages)
        front.send(verb, **content)
        return front.when(
            lambda: next(
                (each["text"] for each in front.messages[before:] if each["kind"] == "said"), None
            )
        )

    base = front.ask("record", key="bob:mon")["base"]
    assert notice_of("edit", key="bob:mon", base=base, text='{"n": 2}') == "Saved bob:mon"
    assert notice_of("undo") == "Undone: bob:mon as before"
    base = front.ask("record", key="bob:mon")["base"]
    assert notice_of("expire", key="bob:mon", base=base, ttl="1h") == "New expiry of bob:mon"
    assert notice_of("duplicate", key="bob:mon", **{"as": "bob:new"}) == "Copied to bob:new"
    assert notice_of("undo") == "Undone: duplicate"
    assert notice_of("delete", keys=["bob:mon"]) == "Deleted bob:mon"


def test_deleting_the_selection_and_undoing_it(front, memory):
    front.ask("select", keys=["ann:mon", "bob:mon"])
    front.send("delete", selected=True)
    front.when(lambda: any(m.get("text") == "Deleted 2 records" for m in front.messages))
    assert memory.sync.keys() == ["ann:tue"]
    assert front.explorer.selected == ()
    front.send("undo")
    front.when(lambda: any("Undone: 2 records" in m.get("text", "") for m in front.messages))
    assert memory.sync.keys() == ["ann:mon", "bob:mon", "ann:tue"]


def test_a_key_pressed_right_after_selecting_deletes_what_was_selected_and_not_the_row_below(
    front, memory
):
    front.send("select", keys=["ann:mon"])
    front.send("delete", selected=True, keys=["bob:mon"])
    front.when(lambda: any(m.get("text") == "Deleted ann:mon" for m in front.messages))
    front.send("delete", selected=True, keys=["bob:mon"])
    front.when(lambda: any(m.get("text") == "Deleted bob:mon" for m in front.messages))
    assert memory.sync.keys() == ["ann:tue"]


def test_the_exported_file_equals_that_of_the_verb_export(front, memory, tmp_path):
    front.ask("select", keys=["ann:tue"])
    file = front.ask("export", selected=True)
    memory.sync.remove(["ann:mon", "bob:mon"])
    memory.sync.export(tmp_path / "records.jsonl")
    assert file["text"] == (tmp_path / "records.jsonl").read_text()


def test_a_read_only_explorer_changes_nothing(explore, memory):
    front = FrontEnd(explore(read_only=True))
    front.ask("hello")
    before = memory.sync.change_token()
    for verb in ("edit", "expire", "duplicate", "delete", "undo"):
        reply = front.ask(verb, key="bob:mon", keys=["bob:mon"], text="{}", base="", **{"as": "x"})
        assert reply["message"] == "this explorer is read-only"
    assert memory.sync.change_token() == before
