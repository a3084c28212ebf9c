"""`%memory search` in all modes, what it says about a query, and what `%memory suggest` offers."""

from __future__ import annotations

import re

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
    question = "%memory search where did Ana move"
    assert run(question).text.startswith("0 records matching 'where did Ana move'")
    ran = run(f"{question} --mode ranked")
    assert re.fullmatch(
        r"\d of 4 records for 'where did Ana move', best first, in [\d.]+ m?s",
        ran.text.split("\n")[0],
    )
    assert ran.result.index[0] == "chat:march:00000000"
    assert list(ran.result["score"]) == sorted(ran.result["score"], reverse=True)
    assert run("%memory use --mode ranked;").success
    assert run(question).result.equals(ran.result)
    assert run("memory.sync.search('where did Ana move', 1)").result[0]["text"].startswith("I have")
    assert run("%memory info").result.loc["search mode", "value"] == "ranked"
    run("%memory use --namespace other;")
    assert run("memory = %memory use").success
    assert run("memory.default_mode").result == "ranked"


@pytest.mark.parametrize("line", ["search --mode fuzzy moved", "use --mode fuzzy"])
def test_a_mode_that_does_not_exist_is_refused_by_the_flag(run, line):
    error = str(run(f"%memory {line}").error)
    assert error.startswith("--mode 'fuzzy': this version searches by 'keyword', 'ranked'")


def test_an_explained_search_shows_the_parts_of_each_score(run):
    ran = run("%memory search --mode ranked --explain where did Ana move")
    table = ran.result
    signals = list(table.columns[2:-1])
    assert table[signals].sum(axis=1).tolist() == pytest.approx(table["score"].tolist())
    assert table["why"].iloc[0].startswith("words: moved (for move); who: Ana")
    assert "\n  words: move; who: ana; left out: where, did\n" in ran.text
    keyword = run("%memory search --explain moved").result
    assert list(keyword.columns) == ["text", "score", "words", "why"]


def test_words_that_were_corrected_or_are_unknown_are_said(run):
    ran = run("%memory search --mode ranked balcon zzzzzz")
    assert "searched for: balcony instead of balcon" in ran.text
    assert "in no record: zzzzzz" in ran.text


def test_suggestions_have_been_tried(run):
    ran = run("%memory suggest the rivver")
    assert ran.text.startswith("0 records matching 'the rivver' as exact text\n  ")
    assert "did you mean: %memory search the river" in ran.text
    assert "finds chat:march:00000002: %memory search --mode ranked the rivver" in ran.text
    assert "nothing else finds more" in run("%memory suggest zzzzz qqqqq").text
    assert run("%memory search --mode ranked the rivver").result.index[0] == "chat:march:00000002"


def test_a_search_that_finds_nothing_suggests_another_mode(run):
    text = run("%memory search where did Ana move").text
    assert "--mode ranked finds chat:march:00000000: %memory search --mode ranked where did" in text


def test_tab_offers_the_modes():
    nb = Notebook(MemoryPrimitive())
    for line in ("%memory search --mode ", "%memory use --mode "):
        assert complete(line, nb) == ("", list(INDEXES))
    assert complete("%memory evaluate --modes key", nb) == ("key", ["keyword"])
    assert complete("%memory evaluate --modes keyword,ra", nb) == ("keyword,ra", ["keyword,ranked"])


def test_why_says_the_rank_what_keeps_a_record_out_and_what_finds_it(run):
    ran = run('%memory why "where did Ana move" chat:march:00000000 --mode ranked')
    assert ran.text.startswith(
        "chat:march:00000000 is number 1 of 4 for 'where did Ana move' in the mode ranked\n"
    )
    assert list(ran.result.columns) == ["record", "best", "words"]
    assert ran.result.loc["words", "words"] == "moved (for move)"
    ran = run('%memory why "where did Ana move" chat:march:00000003 --mode ranked --limit 2')
    assert "because 3 records are better, and the limit is 2" in ran.text
    assert "to find it: limit=4" in ran.text
    ran = run('%memory why "where did Ana move" chat:march:00000000 --mode ranked --user ann')
    assert "chat:march:00000000 does not answer for" in ran.text
    assert "because the filter user='ann' refuses it" in ran.text
    assert "to find it: leave out user" in ran.text
    text = run('reasons = %memory why "rain" nowhere').text
    shown = run("get_ipython().display_formatter.format(reasons)[0]").result
    assert "Empty DataFrame" not in "".join(shown.values())
    assert shown["text/plain"] == "There are no scores to compare."
    assert "no record has this key" in text
    assert "%memory use --history 7d" in text  # the way out, at the end of a long line


def test_keys_of_another_form_than_a_filter_takes_are_named(run):
    assert run("%memory add ben:may:note rain on the river").success
    for line, prefix in (
        ("list --user ben", "ben:"),
        ("search rain --user ben --session may", "ben:may:"),
    ):
        text = run(f"%memory {line}").text
        assert text.startswith("0 records")
        assert f"--prefix {prefix} in place of --user" in text
        assert (
            "finds 1 record: these keys are not of the form user:session or user:session:hash"
            in text
        )
        assert run(f"%memory list --prefix {prefix}").text.startswith("1 record")
    assert "--prefix" not in run("%memory list --user nobody").text
    text = run("%memory why rain ben:may:note --user ben").text
    assert (
        "because the filter user='ben' refuses it: it takes keys of the form user:session" in text
    )
    assert "prefix='ben:' takes this one" in text


def test_a_search_says_why_an_expected_record_is_not_found(run):
    ran = run("%memory search where did Ana move --mode ranked --expect chat:march:00000003")
    assert "chat:march:00000003 is number 4 of 4" in ran.text
    ran = run("%memory search moved --expect chat:march:00000003")
    assert "because no field of it contains this text" in ran.text


def test_a_hybrid_search_without_its_embedder_says_that_it_is_ranked(run):
    run("from tta_memory_nb import MemoryPrimitive\ndef broken(texts): raise OSError('no model')")
    run("lame = MemoryPrimitive(embedder=broken)\nlame.sync.add('a:b', {'text': 'moved to Lyon'})")
    assert run("%memory use $lame;").success
    ran = run("%memory search --mode hybrid where did Ana move")
    assert "ranked search: searched as 'ranked'" in ran.text
    assert "no model" in ran.result.attrs["note"]
    assert "no model" in str(run("%memory search --mode semantic where did Ana move").error)
