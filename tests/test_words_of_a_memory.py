"""Words of a memory where a person sees them or uses them as input: in every script, and never evaluated."""

import csv
import re

import pytest
from pandas import DataFrame
from shells import Ran, new_shell

from tta_memory_nb import MemoryPrimitive
from tta_memory_nb.errors import harmless
from tta_memory_nb.frames import frame_text, records_frame
from tta_memory_nb.notebook.commands import Notebook, syntax
from tta_memory_nb.notebook.commands.reading import get
from tta_memory_nb.notebook.commands.searching import search
from tta_memory_nb.notebook.commands.views import diff, snapshot
from tta_memory_nb.notebook.completion import complete
from tta_memory_nb.notebook.parsing import parse
from tta_memory_nb.notebook.words import as_typed, quoted

LETTERS = [
    "می\u200cخواهم",
    "क्\u200dष",
    "ශ්\u200dරී",
    "ന്\u200d",
    "👨\u200d👩\u200d👧",
    "👩🏽\u200d💻",
    "🏳\ufe0f\u200d🌈",
    "全角\u3000スペース",
    "12\u00a0000\u202f€",
    "שלום",
    "हिन्दी",
]
STEERING = ["\x1b[31m", "\u202eabc", "\u2066x\u2069", "a\u2028b", "\x9b", "\U000e0041", "\u200dstart",
            "ali\u200dce", "a\u200bb", "\ud83d", "\ufeffx", "\u0378"]  # fmt: skip


@pytest.mark.parametrize("text", LETTERS)
def test_what_letters_need_is_printed(text):
    assert harmless(text) == text
    memory = MemoryPrimitive().sync
    memory.add(f"{text}:1", {"text": text})
    shown = frame_text(records_frame(memory.records()))
    assert shown.count(text) >= 2


@pytest.mark.parametrize("text", STEERING)
def test_what_steers_a_terminal_is_escaped(text):
    assert harmless(text) != text
    assert harmless(text).isprintable()


def test_a_cut_leaves_letters_and_emoji_whole():
    memory = MemoryPrimitive().sync
    memory.add("k", {"text": "👨\u200d👩\u200d👧" * 60 + "rain" + "हिन्दी" * 60})
    for query in ("", "rain"):
        shown = frame_text(records_frame(memory.records(), query=query))
        assert "\\u200d" not in shown
        assert "\u200d…" not in shown
        assert not re.search("…[\u200d\u093f\u0940\u094d]", shown)


HOSTILE = [
    "{run()}", "$run", "a{run()}b", "it's {run()} 'now' {run()}", "' {run()}", "\" {run()} ' ", "}{",
    "{{run()}}", "--yes", "-o", "--", "#", "k;", "k?", "';", "'; {run()} \" '", "\x1b[31m{run()}", "a\nb",
    "\\", "\\' {run()}", "plain:key", "two words", "non\u00a0break", "می\u200cخواهم", "\u202eevil", "\ud83d",
    "{'a'}", "!{run()!r}", "a:{run():>3}", "'", '"', "''", "tab\there", " lead", "trail ",
]  # fmt: skip


def explode(expression):
    """Evaluates nothing but Python strings."""
    value = eval(expression, {"__builtins__": {}})
    assert isinstance(value, str)
    assert "(" not in re.sub(r"'.*'", "", expression)
    return value


@pytest.mark.parametrize("key", HOSTILE)
def test_a_key_that_is_completed_and_run_is_that_key_and_executes_nothing(key):
    nb = Notebook()
    nb.memory.sync.add(key, {})
    for before in ("%memory get ", '%memory get "', "%memory get '", "%memory list --prefix "):
        found = complete(before, nb)
        if found is None or not found[1]:
            assert key[:1] not in before  # the quote is a part of another word
            continue
        for typed in found[1]:
            assert harmless(typed) == typed
            operands = parse(syntax("get"), f"{typed} x", None, explode).operands
            assert operands == [(key, "x")]
            assert parse(syntax("get"), typed, None, explode).operands == [(key,)]


@pytest.mark.parametrize("word", HOSTILE)
@pytest.mark.parametrize("form", [as_typed, quoted])
def test_each_form_of_a_word_is_read_as_the_word(form, word):
    for line in (form(word), f"{form(word)} other"):
        assert parse(syntax("get"), line, None, explode).operands[0][0] == word


@pytest.mark.parametrize(
    "key", ["two words:x", "it's {run()} 'x' :x", "\x1bsteer:x", "می\u200cخواهم:x"]
)
def test_did_you_mean_offers_what_can_be_typed(key):
    nb = Notebook()
    nb.memory.sync.add(key, {"n": 1})
    with pytest.raises(Exception, match="did you mean") as error:
        get(nb, (key + "y",))
    typed = re.search(r"did you mean (.*)\?\)", str(error.value))[1]
    assert parse(syntax("get"), typed, None, explode).operands == [(key,)]


@pytest.mark.parametrize("name", [*HOSTILE[:8], "two words"])
def test_a_printed_command_can_be_typed(name):
    nb = Notebook()
    said = snapshot(nb, name).text
    typed = re.search(r"%memory diff (.*) shows what", said)[1]
    (read,) = parse(syntax("diff"), typed, None, explode).operands
    assert read == name
    assert "nothing has changed" in diff(nb, read).text


@pytest.mark.parametrize(
    ("stored", "query"),
    [
        ("the rain in spain", "{raim}"),
        ("the rain in spain", "$raim"),
        ("the rain", "--raim"),
        ("हिन्दी में", "हिन्ती"),
        ("می\u200cخواهم بروم", "می\u200cخواهد"),
    ],
)
def test_a_suggested_search_searches_for_its_text(stored, query):
    nb = Notebook()
    corrected = {"raim": "rain", "हिन्ती": "हिन्दी", "می\u200cخواهد": "می\u200cخواهم"}
    for wrong, right in corrected.items():
        if wrong in query:
            nb.memory.sync.add("k", {"text": query.replace(wrong, right) + " " + stored})
    said = search(nb, query).text
    typed = re.search(r"did you mean: %memory search (.*)", said)[1]
    (words,) = parse(syntax("search"), typed, None, explode).operands
    assert nb.memory.sync.search(words)


# ---- other tools


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1+1", "@a", "\t=1", "\r=1", "\n=1", "＝1+1", "＋1", "－1", "＠a"]
)
def test_a_formula_is_no_formula_in_a_file_and_comes_back(tmp_path, text):
    memory, path = MemoryPrimitive().sync, tmp_path / "x.csv"
    memory.add(text, {"text": text, text: 1, "created": text, "key": "k"})
    memory.export(path)
    with path.open(encoding="utf-8", newline="") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert not [cell for cell in cells if cell.startswith(tuple("=+-@\t\r\n＝＋－＠"))]
    other = MemoryPrimitive().sync
    other.import_(path)
    assert other.get(text) == memory.get(text)


def test_another_extension_keeps_its_frames_and_ours_stay_tables():
    frame = DataFrame({"a": [1]})
    with new_shell() as shell:

        def shown(table):
            return shell.display_formatter.format(table)[0]

        Ran(shell, "%memory add k x")
        table = Ran(shell, "%memory list").result
        Ran(shell, "%unload_ext tta_memory_nb")
        html = shell.display_formatter.formatters["text/html"]
        plain = shell.display_formatter.formatters["text/plain"]
        html.for_type(DataFrame, lambda frame: "<p>theirs</p>")
        plain.for_type(DataFrame, lambda frame, printer, cycle: printer.text("theirs"))
        for _ in range(2):
            Ran(shell, "%reload_ext tta_memory_nb")
            assert shown(frame) == {"text/html": "<p>theirs</p>", "text/plain": "theirs"}
            assert "tta-memory" in shown(table)["text/html"]
            assert "theirs" not in shown(table)["text/plain"]
        Ran(shell, "%unload_ext tta_memory_nb")
        assert shown(table) == {"text/html": "<p>theirs</p>", "text/plain": "theirs"}
