"""`%memory search` in all modes, what it says about a query, and what `%memory suggest` offers."""

from __future__ import annotations

import pytest
from shells import Ran, new_shell

from tta_memory_nb import MemoryPrimitive
from tta_memory_nb.notebook.commands import Notebook
from tta_memory_nb.notebook.completion import complete
from tta_memory_nb.search.indexes import INDEXES


@pytest.fixture
def run():
    """Runs cells in a shell, over a memory with a short conversation."""
    with new_shell() as shell:
        Ran(shell, "memory = %memory use")
        for number, (speaker, text) in enumerate(
            (
                ("Ana", "I have moved to Lyon"),
                ("Ben", "How is the new flat?"),
                ("Ana", "Small, with a balcony over the river"),
                ("Ben", "My sister lives there, too"),
            )
        ):
            key = f"chat:march:0000000{number}"
            shell.user_ns["memory"].sync.add(key, {"speaker": speaker, "text": text})
        yield lambda cell: Ran(shell, cell)


def test_a_mode_is_chosen_for_a_search_or_for_the_notebook(run):
    assert run("%memory search --mode keyword moved").text.startswith("1 record matching 'moved'")
    assert run("%memory use --mode keyword;").success
    for line in ("search --mode fuzzy moved", "use --mode fuzzy"):
        assert "'fuzzy': this version searches by 'keyword'" in str(run(f"%memory {line}").error)


def test_an_explained_search_shows_where_the_match_is(run):
    table = run("%memory search --explain moved").result
    assert list(table.columns) == ["text", "score", "words", "why"]
    assert list(table["text"]) == ["I have moved to Lyon"]


def test_suggestions_have_been_tried(run):
    ran = run("%memory suggest the rivver")
    assert ran.text.startswith("0 records matching 'the rivver' as exact text\n  ")
    assert "river" in ran.text
    assert "nothing else finds more" in run("%memory suggest zzzzz qqqqq").text


def test_tab_offers_the_modes():
    nb = Notebook(MemoryPrimitive())
    for line in ("%memory search --mode ", "%memory use --mode "):
        assert complete(line, nb) == ("", list(INDEXES))
    assert complete("%memory evaluate --modes key", nb) == ("key", ["keyword"])
