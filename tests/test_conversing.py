"""`%memory append`, `history`, `touch` and `folders`, and how a message is read."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from backends import Clock
from shells import new_shell

from tta_memory_nb import InvalidArgument, MemoryPrimitive
from tta_memory_nb.conversation import said
from tta_memory_nb.frames import frame_html, frame_text
from tta_memory_nb.notebook.arguments import Syntax
from tta_memory_nb.notebook.commands import COMMANDS, Notebook
from tta_memory_nb.notebook.parsing import parse


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def nb(clock):
    return Notebook(MemoryPrimitive(clock=clock))


def run(nb, line, body=None, **variables):
    """Carries out a line of `%memory`."""
    name, _, rest = line.partition(" ")
    parsed = parse(Syntax.of(name, COMMANDS[name]), rest, body, lambda name: variables[name])
    return COMMANDS[name](nb, *parsed.operands, **parsed.flags)


def test_messages_are_appended_and_shown_as_a_conversation(nb, clock):
    lines = [
        "append ann mon --role user Where is my order?",
        'append ann mon {"role": "assistant", "tool_call": {"name": "find", "arguments": {}}}',
        'append ann mon --role tool {"content": "shipped", "n": 1}',
    ]
    replies = [run(nb, line).text for line in lines]
    assert replies == ["appended 1 message to ann:mon"] * 3
    many = [{"role": "assistant", "content": "It was\nshipped."}, {"text": "<b>no role</b>"}]
    reply = run(nb, "append ann mon --ttl 1h $many", many=many)
    assert reply.text == "appended 2 messages to ann:mon, expires in 3,600 s"
    run(nb, "append ann mon --role user", body="a cell's body\nof two lines")
    shown = run(nb, "history ann mon")
    assert shown.text == "6 messages"
    assert list(shown.value["role"]) == ["user", "assistant", "tool", "assistant", "", "user"]
    assert list(shown.value["text"]) == [
        "Where is my order?",
        '{"tool_call":{"name":"find","arguments":{}}}',
        "shipped",
        "It was\nshipped.",
        "<b>no role</b>",
        "a cell's body\nof two lines",
    ]
    assert list(shown.value.index) == [each.key for each in nb.memory.sync.history("ann", "mon")]
    assert str(shown.value["written"].dtype) == "datetime64[us, UTC]"
    assert shown.value["written"].iloc[0] == pd.Timestamp(clock(), unit="s", tz="UTC")
    assert "<b>" not in frame_html(shown.value)
    assert "Where is my order?" in frame_text(shown.value)
    assert run(nb, "history ann mon --last 2 --json").value == [
        {"text": "<b>no role</b>"},
        {"role": "user", "content": "a cell's body\nof two lines"},
    ]
    clock.tick(3600)
    assert run(nb, "history ann mon").text == "4 messages"
    assert run(nb, "history ann tue").text == "no messages were appended to ann:tue"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('append ann mon --role user {"role": "tool"}', "--role 'user': .* its role is 'tool'"),
        ("append ann mon --ttl -1 text", "ttl"),
        ("append a:b mon text", "user='a:b'"),
        ("append ann mon --role user $many", "values=7"),
        ("history ann ''", "session=''"),
        ("history ann mon --last -1", "last=-1"),
        ("touch nobody", "no record under 'nobody'"),
        ("touch ann:mon --ttl 0", "ttl"),
        ("folders --depth 0", "depth=0"),
    ],
)
def test_a_mistake_changes_nothing(nb, clock, line, message):
    nb.memory.sync.add("ann:mon", {"text": "hi"}, ttl=60)
    before = nb.memory.sync.records()
    with pytest.raises(InvalidArgument, match=message):
        run(nb, line, many=7)
    assert nb.memory.sync.records() == before


def test_touched_records_expire_later(nb, clock):
    memory = nb.memory.sync
    memory.add_many({"a": {}, "b": {}, "c": {}}, ttl=60)
    memory.add("s", {}, ttl=60, sliding=True)
    clock.tick(50)
    assert run(nb, "touch a b --ttl 2m").text == "touched 2 records, expires in 120 s"
    assert run(nb, "touch s").text == "touched 1 record"
    assert [memory.ttl(key) for key in "abcs"] == [120, 120, 10, 60]
    assert memory.keys() == ["c", "a", "b", "s"]


def test_folders_are_listed(nb):
    assert run(nb, "folders").text == "no key has a folder: a part before a /"
    nb.memory.sync.add_many(
        {key: {} for key in ("/users/ann/k", "/users/ann/l", "/users/bob/x/y", "/tasks/1", "none")}
    )
    reply = run(nb, "folders")
    assert reply.text == "3 folders"
    assert list(reply.value["folder"]) == ["/tasks", "/users/ann", "/users/bob/x"]
    assert list(run(nb, "folders /users/ --depth 2").value["folder"]) == [
        "/users/ann",
        "/users/bob",
    ]
    assert run(nb, "folders /users --depth 1").text == "1 folder"
    assert "begins with /none" in run(nb, "folders /none").text


@pytest.mark.parametrize(
    ("value", "role", "text"),
    [
        ({"role": "user", "content": "hi"}, "user", "hi"),
        ({"speaker": "ann", "text": "hi"}, "ann", "hi"),
        ({"role": "", "author": "bot", "content": "", "text": "hi"}, "bot", "hi"),
        ({"role": 7, "utterance": "hi"}, "", "hi"),
        (
            {"role": "user", "content": [{"type": "text", "text": "a"}, {"url": "x"}, "b"]},
            "user",
            "a",
        ),
        (
            {"role": "assistant", "content": None, "n": 1},
            "assistant",
            '{"n":1}',
        ),
        ({"role": "user", "content": ""}, "user", ""),
        ({}, "", ""),
    ],
)
def test_who_says_what(value, role, text):
    assert said(value) == (role, text)


def test_the_commands_run_in_a_shell(tmp_path: Path):
    with new_shell() as shell:
        ran = shell.run_cell("%%memory append ann mon --role user\nIs it raining?")
        assert ran.success
        shown = shell.run_cell("x = %memory history ann mon --json")
        assert shown.success
        assert shell.user_ns["x"] == [{"role": "user", "content": "Is it raining?"}]
