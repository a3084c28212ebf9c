"""Completion with Tab."""

import pytest

from tta_memory_nb.notebook.commands import COMMANDS, Notebook, syntax
from tta_memory_nb.notebook.commands.views import snapshot
from tta_memory_nb.notebook.completion import complete
from tta_memory_nb.notebook.parsing import parse


@pytest.fixture
def nb():
    notebook = Notebook()
    for key in ("alice:mon", "bob:tue", "with space:x", "loose"):
        notebook.memory.sync.add(key, {})
    for name in ("before", "my own"):
        snapshot(notebook, name)
    return notebook


@pytest.mark.parametrize(
    ("line", "fragment", "offered"),
    [
        ("%memory se", "se", ["search", "serve"]),
        ("x = %memory se", "se", ["search", "serve"]),
        ("x, y = %memory li", "li", ["list"]),
        ("  %%memory ad", "ad", ["add"]),
        ("%memory ", "", list(COMMANDS)),
        ("%memory get al", "al", ["alice:mon"]),
        ("df = %memory delete alice:mon b", "b", ["bob:tue"]),
        ("%memory get ", "", ["loose", "'with space:x'", "bob:tue", "alice:mon"]),
        ("%memory search rain --us", "--us", ["--user"]),
        ("%memory search rain --user ", "", ["'with space'", "bob", "alice"]),
        ("%memory history al", "al", ["alice"]),
        ("%memory append alice ", "", ["mon"]),
        ("%memory touch bo", "bo", ["bob:tue"]),
        ("%memory list --session t", "t", ["tue"]),
        ("%memory clear --prefix lo", "lo", ["loose"]),
        ("%memory import x.csv --on-error ", "", ["raise", "skip"]),
        ("%memory use --namespace ", "", ["default"]),
        ("%memory use in", "in", ["in-memory"]),
        ("%memory use e", "e", ["embedded"]),
        ("%memory help inf", "inf", ["info"]),
        ("%memory plot ", "", ["timeline", "sessions", "ttl", "sizes"]),
        ("%memory plot ttl --us", "--us", ["--user"]),
        ("%memory diff ", "", ["'my own'", "before"]),
        ("%memory snapshot be", "be", ["before"]),
        ("%memory add bob", "bob", ["bob:tue"]),
        ("%memory get wi", "wi", ["'with space:x'"]),
        ("%memory get 'with sp", "'with sp", ["'with space:x'"]),
        ('%memory list --user "with s', '"with s', ["'with space'"]),
        ("x: int = %memory li", "li", ["list"]),
        ("x += %memory li", "li", ["list"]),
        ("%memory export x --format ", "", ["jsonl", "csv", "parquet"]),
        (
            "%memory list -",
            "-",
            [
                "--limit",
                "--offset",
                "--order",
                "--as-of",
                "--user",
                "--session",
                "--prefix",
                "--since",
                "--until",
                "--where",
                "-o",
                "-h",
            ],
        ),
    ],
)
def test_all_that_fits_is_offered(nb, line, fragment, offered):
    assert complete(line, nb) == (fragment, offered)


@pytest.mark.parametrize(
    "line",
    ["memory se", "%memory", "print(%memory", "%memory get $na", "%memory import ./no", "%time x",
     "%memory nonsense x", "%memory add k val", "%memory search -- --li",
     "%memory plot ttl x"],
)  # fmt: skip
def test_lines_without_a_word_to_complete_are_left_to_ipython(nb, line):
    assert complete(line, nb) is None


def test_a_large_memory_offers_only_as_much_as_is_read(nb):
    nb.memory.sync.resize(5000)
    nb.memory.sync.add_many({f"user{n}:s": {} for n in range(3000)})
    _, offered = complete("%memory list --user user", nb) or (None, [])
    assert len(offered) == 200
    assert offered[0] == "user2999"


def test_keys_that_cannot_be_typed_are_offered_in_the_form_that_can(nb):
    for key in ("{v}", "$v", "--yes", "'q'", "new\nline"):
        nb.memory.sync.add(key, {})
    _, offered = complete("%memory get ", nb) or (None, [])
    assert offered[:5] == ["{'new\\nline'}", "\"'q'\"", "'--yes'", "'$v'", "'{v}'"]
    for typed in offered:
        parsed = parse(syntax("get"), typed, None, lookup=eval)
        assert nb.memory.sync.get(parsed.operands[0][0]) is not None
