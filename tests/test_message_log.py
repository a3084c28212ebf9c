"""The log of messages that adapters share, compared with a list; and names of users and sessions in keys."""

from __future__ import annotations

import importlib
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from backends import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from json_values import json_objects

from tta_memory_nb import InvalidArgument, MemoryPrimitive, MissingPackage, NotStorable
from tta_memory_nb.conversation import Said
from tta_memory_nb.integrations.adapting import called
from tta_memory_nb.integrations.messages import FORMATS, MessageLog, escaped, unescaped


class Lines:
    """A framework whose messages have a speaker and a line, and may have more."""

    name = "llama_index"

    def said(self, message: dict[str, Any]) -> Said:
        return Said(message.get("speaker", ""), message.get("line", "[more]"))

    def plain(self, role: str, content: str) -> dict[str, Any]:
        return {"speaker": role, "line": content}


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
PLAIN = st.builds(lambda line: {"speaker": "user", "line": line}, TEXTS)
MESSAGES = PLAIN | st.builds(lambda more: {"speaker": "agent", "more": more}, json_objects())
SESSIONS = st.sampled_from(["a", "a:b", "a%3Ab"])
STEPS = st.lists(
    st.tuples(st.just("append"), SESSIONS, st.lists(MESSAGES, max_size=3))
    | st.tuples(st.just("replace"), SESSIONS, st.lists(MESSAGES, max_size=3))
    | st.tuples(st.just("take"), SESSIONS, st.integers(-3, 3))
    | st.tuples(st.just("clear"), SESSIONS),
    max_size=12,
)


@settings(max_examples=examples("in-memory", 40))
@given(STEPS)
def test_a_log_does_what_lists_do(steps):
    memory = MemoryPrimitive(max_size=None)
    log = MessageLog.of(memory, Lines(), "ann:x")
    model: dict[str, list[Any]] = {"a": [], "a:b": [], "a%3Ab": []}
    for verb, session, *operands in steps:
        found = called(memory, getattr(log, verb)(session, *operands))
        messages = model[session]
        if verb == "append":
            messages += operands[0]
            assert len(found) == len(operands[0])
        elif verb == "replace":
            messages[:] = operands[0]
        elif verb == "clear":
            assert len(found) == len(messages)
            messages.clear()
        else:
            [place] = operands
            there = -len(messages) <= place < len(messages)
            assert found == (messages.pop(place) if there else None)
        for name, expected in model.items():
            assert called(memory, log.read(name)) == expected
            assert called(memory, log.read(name, 2)) == expected[-2:]


@given(st.text(min_size=1))
def test_a_name_in_a_key_is_one_part_and_comes_back(name):
    assert ":" not in escaped("user", name)
    assert unescaped(escaped("user", name)) == name


@pytest.mark.parametrize(
    ("message", "error", "text"),
    [
        ({"line": "hi"}, InvalidArgument, r"message 1: .* has no role; say who speaks"),
        ("hi", InvalidArgument, "message 1: 'hi' is no message"),
        ({"speaker": "user", "line": "x", "more": {1}}, NotStorable, r"values\[1\]"),
    ],
)
def test_a_message_that_is_refused_changes_nothing(message, error, text):
    memory = MemoryPrimitive(max_size=None)
    log = MessageLog.of(memory, Lines())
    good = {"speaker": "user", "line": "hi"}
    called(memory, log.append("s", [good]))
    for verb in (log.append, log.replace):
        with pytest.raises(error, match=text):
            called(memory, verb("s", [good, message]))
    assert called(memory, log.read("s")) == [good]


def test_a_message_expires():
    memory = MemoryPrimitive(max_size=None)
    log = MessageLog.of(memory, Lines(), ttl="1h")
    [key] = called(memory, log.append("s", [{"speaker": "user", "line": "hi"}]))
    assert 3500 < (memory.sync.ttl(key) or 0) <= 3600


PACKAGES = {"openai_agents": "agents", "google_adk": "google"}
"""What frameworks import, where that is not the name of the adapter."""


@pytest.mark.parametrize("name", FORMATS)
def test_an_adapter_without_its_framework_says_what_to_install(name, monkeypatch):
    package, adapter = PACKAGES.get(name, name), f"tta_memory_nb.integrations.{name}"
    for module in [each for each in sys.modules if each.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(sys.modules, adapter, raising=False)
    extra = name.replace("_", "-")
    with pytest.raises(MissingPackage, match=rf"pip install 'tta-memory-nb\[{extra}\]'"):
        importlib.import_module(adapter)
    project = Path(__file__).parent.parent / "pyproject.toml"
    assert extra in tomllib.loads(project.read_text())["project"]["optional-dependencies"]
