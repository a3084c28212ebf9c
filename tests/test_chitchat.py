"""The sample conversations are imported completely and unchanged."""

from __future__ import annotations

import json
import sys
from datetime import datetime
from importlib.resources import files
from typing import Any

import pytest
from importing import imported
from json_values import pieces

from tta_memory_nb import (
    MemoryPrimitive,
    MissingPackage,
    create_memory_key,
    parse_memory_key,
)
from tta_memory_nb.text import fold
from tta_memory_nb.transfer import ImportReport


@pytest.fixture(scope="module")
def chitchat() -> list[tuple[str, dict[str, Any]]]:
    """Key and value of each utterance, oldest first, read without the importer."""
    text = files("chitchat_dataset").joinpath("dataset.json").read_text(encoding="utf-8")
    utterances = [
        (utterance["timestamp"], name, turn, utterance)
        for name, conversation in json.loads(text).items()
        for turn, utterance in enumerate(s for part in conversation["messages"] for s in part)
    ]
    utterances.sort(key=lambda utterance: utterance[0])
    return [
        (
            create_memory_key(utterance["sender"], name, {"turn": turn}),
            {"turn": turn, "text": utterance["text"], "timestamp": at},
        )
        for at, name, turn, utterance in utterances
    ]


@pytest.fixture(scope="module")
def folded(chitchat) -> list[str]:
    """The folded text that a search reads, for each utterance."""
    return ["\n".join(map(fold, pieces(value))) for _, value in chitchat]


@pytest.fixture(scope="module")
def loaded() -> tuple[MemoryPrimitive, ImportReport]:
    memory = MemoryPrimitive(max_size=300_000)
    return memory, memory.sync.import_("chitchat")


def test_no_utterance_is_lost(loaded, chitchat):
    memory, report = loaded
    assert (memory.size(), report.added, report.problems) == (258_145, 258_145, ())
    keys = [key for key, _ in chitchat]
    assert memory.sync.keys() == keys
    parts = [parse_memory_key(key) for key in keys]
    assert len({part.user for part in parts}) == 1_315
    assert len({part.session for part in parts}) == 7_168


def test_every_utterance_keeps_its_words_and_its_instant(loaded, chitchat):
    found = loaded[0].sync.records()
    assert [record.value for record in found] == [value for _, value in reversed(chitchat)]
    sent = [datetime.fromisoformat(record.value["timestamp"]).timestamp() for record in found]
    assert [record.created_at for record in found] == sent
    assert [record.updated_at for record in found] == sent


@pytest.mark.parametrize(
    "query", ["the", "Umbrella", "what's your name", "ß", "2018-05-02T19:38:15", "no such words"]
)
def test_searches_of_real_conversations_agree_with_a_plain_scan(query, loaded, chitchat, folded):
    search = loaded[0].sync.search
    needle = fold(query)
    matching = [
        value
        for (_, value), text in zip(reversed(chitchat), reversed(folded), strict=True)
        if needle in text
    ]
    assert search(query, limit=5) == matching[:5]
    assert search(query, limit=None) == matching
    assert loaded[0].sync.count(query) == len(matching)


def test_the_import_of_the_dataset_can_be_undone_and_redone(loaded):
    memory, report = loaded
    before = memory.sync.keys()
    undone = memory.sync.undo(report.change)
    assert memory.size() == 0
    memory.sync.undo(undone)
    assert memory.sync.keys() == before


def test_the_error_for_a_missing_dataset_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "chitchat_dataset", None)
    with pytest.raises(MissingPackage, match=r"pip install 'tta-memory-nb\[tutorials\]'"):
        imported("chitchat")


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "parquet"])
def test_an_export_uses_the_progress_bar_that_is_passed_to_it(tmp_path, suffix):
    seen = []

    def bar(items, total, what):
        seen.append((total, what))
        for item in items:
            seen.append(item.key)
            yield item

    memory = MemoryPrimitive()
    memory.sync.add_many({"a": {"x": 1}, "b": {"x": 2}})
    assert memory.sync.export(tmp_path / f"all.{suffix}", progress=bar) == 2
    assert seen == [(2, f"export all.{suffix}"), "a", "b"]
