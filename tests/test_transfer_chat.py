"""Chat transcripts in many forms: speakers, turns and keys."""

from __future__ import annotations

import gzip
import json
from datetime import datetime

import pydantic
import pytest
from importing import imported, refused, values_of, written
from record_values import NOW

from tta_memory_nb import (
    MemoryRecord,
    create_memory_key,
)
from tta_memory_nb.frames import records_frame


def test_a_list_of_messages_is_one_conversation():
    messages = [
        {"role": "user", "content": "Hi", "timestamp": "2026-01-02T03:04:05Z"},
        {"role": "assistant", "content": [{"type": "text", "text": "Hello"}]},
    ]
    memory, report = imported(messages, session="mon")
    assert report.added == 2
    hello, hi = memory.sync.records()
    assert hi.key == create_memory_key("user", "mon", {"turn": 0})
    assert hi.value == {"turn": 0, **messages[0]}
    assert (
        hi.created_at == hi.updated_at == datetime.fromisoformat("2026-01-02T03:04:05Z").timestamp()
    )
    assert (hello.user, hello.session, hello.updated_at) == ("assistant", "mon", NOW)


@pytest.mark.parametrize("suffix", [".json", ".json.gz"])
@pytest.mark.parametrize("wrapped", [False, True])
def test_a_file_with_a_conversation_gives_it_its_name(suffix, wrapped, tmp_path):
    messages = [{"role": "user", "content": "Hi"}]
    data = json.dumps({"messages": messages, "model": "m"} if wrapped else messages).encode()
    path = tmp_path / f"2026.01.02 call{suffix}"
    memory, _ = imported(written(path, gzip.compress(data) if "gz" in suffix else data))
    assert [record.session for record in memory.sync.records()] == ["2026.01.02 call"]
    memory, _ = imported(path, session="mon", user="ann")
    assert [(record.user, record.session) for record in memory.sync.records()] == [("ann", "mon")]


def test_conversations_by_name_are_read_in_every_common_form(tmp_path):
    def said(text):
        return {"sender": "ann", "text": text}

    content = {
        "list": [said("a"), said("b")],
        "object": {"messages": [said("c")], "rating": 5},
        "grouped": {"messages": [[said("d"), said("e")], [said("f")]]},
    }
    for source in (content, written(tmp_path / "a.json", content)):
        memory, report = imported(source)
        assert report.added == 6
        found = [(r.session, r.value["turn"], r.value["text"]) for r in memory.sync.records()]
        assert found[::-1] == [
            *(("list", 0, "a"), ("list", 1, "b"), ("object", 0, "c")),
            *(("grouped", 0, "d"), ("grouped", 1, "e"), ("grouped", 2, "f")),
        ]


def test_importing_a_longer_transcript_again_only_adds_the_new_messages():
    messages = [{"role": "user", "content": str(turn)} for turn in range(3)]
    memory, _ = imported(messages)
    report = memory.sync.import_([*messages, {"role": "user", "content": "3"}])
    assert (report.added, report.updated, memory.size()) == (1, 3, 4)


@pytest.mark.parametrize("name", ["messages", "conversations"])
def test_conversations_in_a_list_are_called_by_their_ids_or_numbered(name, tmp_path):
    said = {"from": "human", "value": "Hi"}
    content = [{name: [said]}, {"id": "mon", name: (said,)}, {"id": 7, name: [[said], said]}]
    expected = ["a-1", "mon", "7", "7"]
    lines = "\n".join(map(json.dumps, content))
    for source, options in (
        (content, {"session": "a"}),
        (written(tmp_path / "a.json", content), {}),
        (written(tmp_path / "a.jsonl", lines), {}),
        (written(tmp_path / "a.jsonl.gz", gzip.compress(lines.encode())), {}),
        ({name: content}, {"session": "a"}),
    ):
        memory, report = imported(source, **options)
        assert report.added == 4
        found = memory.sync.records()[::-1]
        assert [record.session for record in found] == expected
        assert found[-1].value == {"turn": 1, **said}


def test_broken_messages_of_conversations_in_a_list_are_reported_by_their_positions(tmp_path):
    content = [{"messages": [{"role": "user"}, 5]}]
    assert refused(content).problems[0].startswith("conversation 1, message 2: found ")
    path = written(tmp_path / "a.jsonl", json.dumps(content[0]))
    assert refused(path).problems[0].startswith("line 1, message 2: found ")


def test_a_conversation_under_its_other_name_is_one(tmp_path):
    memory, _ = imported({"conversations": [{"from": "human", "value": "Hi"}]}, session="mon")
    assert [(r.user, r.session) for r in memory.sync.records()] == [("human", "mon")]


def test_message_objects_are_read_as_the_json_they_encode_to():
    class Said(pydantic.BaseModel):
        type: str
        content: str

    memory, _ = imported([Said(type="human", content="Hi"), (Said(type="ai", content="Yes"),)])
    assert [(r.user, r.value) for r in memory.sync.records()] == [
        ("ai", {"turn": 1, "type": "ai", "content": "Yes"}),
        ("human", {"turn": 0, "type": "human", "content": "Hi"}),
    ]


def test_an_object_of_a_list_comes_under_the_key_it_has(tmp_path):
    row = {"key": "mykey", "user": "bob", "text": "hi"}
    expected = {"mykey": {"user": "bob", "text": "hi"}}
    assert values_of([row]) == values_of(written(tmp_path / "a.json", [row])) == expected
    # A message may have a field of that name; only an explicit `key` makes it the key.
    message = {"key": 1, "role": "user"}
    assert list(values_of([message])) == [create_memory_key("user", "chat", {"turn": 0})]
    assert values_of([{"id": 1, "role": "user"}], key="id") == {"1": {"role": "user"}}
    assert "the object has no field 'id' for its key" in refused([message], key="id").problems[0]


def test_a_table_as_json_comes_back_under_its_own_keys(tmp_path):
    memory, _ = imported([MemoryRecord("ann:mon", {"x": 1}), MemoryRecord("b", {"y": "z"})])
    path = tmp_path / "a.json"
    records_frame(memory.sync.records()).reset_index().to_json(
        path, orient="records", date_format="iso"
    )
    assert sorted(values_of(path)) == ["ann:mon", "b"]


@pytest.mark.parametrize(
    "field", ["user", "user_id", "sender", "speaker", "name", "role", "author", "from", "type"]
)
def test_the_sender_is_found_under_its_usual_names(field):
    memory, _ = imported([{field: "ann", "text": "x"}])
    assert [record.user for record in memory.sync.records()] == ["ann"]


def test_ids_with_colons_make_keys_that_can_be_taken_apart():
    memory, _ = imported({"2026-01-02 10:30": [{"role": "a:b", "text": "x"}]})
    assert [(r.user, r.session) for r in memory.sync.records()] == [("a_b", "2026-01-02 10_30")]


def test_turns_whose_keys_would_be_equal_are_kept_apart():
    # "a:b" and "a_b" become one user, and their messages meet in the same turns.
    memory, report = imported({"x:y": [{"role": "a", "n": 1}], "x_y": [{"role": "a", "n": 2}]})
    assert (report.added, report.repeated) == (2, 0)
    assert [record.value["n"] for record in memory.sync.records()] == [2, 1]


@pytest.mark.parametrize(
    ("written_time", "at"),
    [
        ("2018-05-02T19:38:15Z", 1525289895.0),
        (1525289895, 1525289895.0),
        (1525289895.25, 1525289895.25),
        ("1525289895.000200", 1525289895.0002),
        (1525289895250, 1525289895.25),
        ("1525289895250", 1525289895.25),
        (12.5, NOW),
        ("15m", NOW),
        ("1:56 pm on 8 May, 2023", NOW),
        (True, NOW),
        ({"seconds": 1}, NOW),
        (None, NOW),
        (10**400, NOW),
    ],
    ids=repr,
)
def test_the_instant_of_a_message_is_read_from_its_fields(written_time, at):
    memory, _ = imported([{"role": "user", "ts": written_time}])
    assert [record.updated_at for record in memory.sync.records()] == [at]


def test_the_first_field_with_a_time_counts():
    memory, _ = imported([{"role": "user", "timestamp": "soon", "date": "2026-01-02"}])
    assert (
        memory.sync.records()[0].updated_at == datetime.fromisoformat("2026-01-02T00Z").timestamp()
    )


def test_broken_messages_are_reported_by_their_positions():
    content = {
        "mon": [{"role": "user", "text": "x"}, "hello", {"text": "y"}],
        "tue": "no list",
        "wed": {"title": "x"},
        "": [{"role": "user"}],
    }
    user = "give one with user= (in %memory: --user)"
    senders = "user, user_id, sender, speaker, name, role, author, from, type"
    hint = "{'role': ..., 'content': ...}"
    assert refused(content).problems == (
        f"conversation 'mon', message 2: found 'hello'; expected a message such as {hint}",
        f"conversation 'mon', message 3: no sender: none of the fields {senders} holds a name; {user}",
        "conversation 'tue': found 'no list'; expected a list of messages",
        "conversation 'wed': found {'title': 'x'}; expected a list of messages",
        "conversation '', message 1: the name of the conversation is empty; give one with session= (in %memory: --session)",
    )
    memory, report = imported(content, on_error="skip")
    assert (memory.size(), len(report.problems)) == (1, 5)
    named, _ = imported(content["mon"][2:], user="ann")
    assert [record.user for record in named.sync.records()] == ["ann"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "a.json: the file is empty"),
        (b" \n", "a.json: the file is empty"),
        (
            b"5",
            "a.json: found 5; expected a list of messages, or an object of conversations by name",
        ),
        (b"[1,\n2", "a.json: not JSON: Expecting ',' delimiter at line 2"),
        (b'"\xff"', "a.json: not UTF-8 at byte 2"),
        (b'{"c": [], "d": [], "c": []}', "a.json: the field 'c' appears twice in one object"),
    ],
)
def test_a_json_file_that_holds_no_chat_is_refused(content, message, tmp_path):
    assert message in str(refused(written(tmp_path / "a.json", content)))
