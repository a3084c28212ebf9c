"""Parsing of command lines."""

import pytest

from tta_memory_nb import InvalidArgument
from tta_memory_nb.notebook.arguments import Syntax, UsageProblem
from tta_memory_nb.notebook.commands import COMMANDS, syntax
from tta_memory_nb.notebook.parsing import Parsed, parse

VARIABLES = {"ctx": {"a": 1}, "nothing": None, "keys": ["x", "y"], "name": "alice"}


def lookup(expression: str) -> object:
    return eval(expression, {}, VARIABLES)


def parsed(command: str, line: str, body: str | None = None) -> Parsed:
    return parse(syntax(command), line, body, lookup)


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("""{"text": "it's \\"so\\" 100% {raw}"}""", {"text": """it's "so" 100% {raw}"""}),
        ("it's 5 o'clock -- or is it", {"text": "it's 5 o'clock -- or is it"}),
        ("remember\tthe  spaces", {"text": "remember\tthe  spaces"}),
        ("$5 and {braces", {"text": "$5 and {braces"}),
        (r"C:\new\table", {"text": r"C:\new\table"}),
        ("{'a': True}", {"a": True}),
        ('-- {"a": 1}', {"a": 1}),
        ("-- --ttl 5", {"text": "--ttl 5"}),
    ],
)
def test_a_value_is_an_object_or_raw_text(line, value):
    if " -- " in line:
        line = f"-- {line}"
    assert parsed("add", f"k {line}").operands == ["k", value]


@pytest.mark.parametrize("line", ["$ctx", "{ctx}"])
def test_a_variable_is_the_object_itself(line):
    assert parsed("add", f"k {line}").operands[1] is VARIABLES["ctx"]


def test_a_variable_may_be_an_attribute_or_an_item_and_may_be_none():
    assert parsed("add", "k {ctx['a']}").operands == ["k", 1]
    assert parsed("add", "k $nothing").operands == ["k", None]


def test_an_unknown_variable_is_named():
    with pytest.raises(
        UsageProblem,
        match=r"cannot take '\$ghost' from the notebook: NameError.*write -- in front of the text",
    ):
        parsed("add", "k $ghost")


@pytest.mark.parametrize(
    "line",
    ['k --ttl 60 {"a": 1}', '--ttl 60 k {"a": 1}', 'k {"a": 1} --ttl 60', 'k {"a": 1} --ttl=60'],
)
def test_flags_may_come_before_between_or_after_operands(line):
    result = parsed("add", line)
    assert result.operands == ["k", {"a": 1}]
    assert result.flags == {"ttl": "60"}


def test_a_flag_inside_json_is_text():
    result = parsed("add", """k {"text": "use --ttl 5 and -o x"}""")
    assert result.operands[1] == {"text": "use --ttl 5 and -o x"}
    assert result.flags == {}
    assert result.output is None


def test_words_keep_their_apostrophes_and_lose_their_flags():
    result = parsed("search", "what's --limit 4 the  weather --user alice")
    assert result.operands == ["what's the  weather"]
    assert result.flags == {"limit": 4, "user": "alice"}


def test_two_dashes_end_the_flags():
    assert parsed("search", "-- --limit 3 -o x").operands == ["--limit 3 -o x"]


def test_a_word_that_reads_like_a_variable_is_text_unless_the_variable_exists():
    assert parsed("search", "$name").operands == ["alice"]
    assert parsed("search", "$5").operands == ["$5"]
    assert parsed("search", "{ghost}").operands == ["{ghost}"]


def test_a_quoted_word_may_hold_spaces():
    assert parsed("get", """"alice b:1" 'it is':2 o'neil:3""").operands == [
        ("alice b:1", "'it", "is':2", "o'neil:3")
    ]


def test_keys_may_come_from_a_variable():
    assert parsed("delete", "k $keys").operands == [("k", ["x", "y"])]


def test_a_where_filter_is_json_with_spaces():
    result = parsed("list", """--where {"a b": {"$gt": 3}, "c": "it's"} --limit all""")
    assert result.flags == {"where": {"a b": {"$gt": 3}, "c": "it's"}, "limit": None}


def test_a_cell_body_is_the_last_operand():
    result = parsed("add", "k --ttl 5 -o out", '{"a":\n 1}\n')
    assert result.operands == ["k", {"a": 1}]
    assert result.flags == {"ttl": "5"}
    assert result.output == "out"


@pytest.mark.parametrize(
    ("command", "line", "body", "message"),
    [
        ("add", "", None, "missing argument KEY; usage: %memory add KEY VALUE"),
        ("add", "k", None, "missing argument VALUE"),
        ("info", "more", None, "unexpected argument 'more'"),
        ("search", "", None, "missing argument WORDS"),
        ("search", "x --limt 3", None, r"no flag --limt \(did you mean '--limit'\?\)"),
        ("search", "x --limit", None, "--limit needs a value: --limit N"),
        (
            "search",
            "x --limit many",
            None,
            "--limit 'many': give a whole number of at least 1 or all",
        ),
        ("list", "--where turn=3", None, "--where 'turn=3': give JSON such as"),
        ("list", "--where {turn: 3}", None, "--where '{turn: 3}': not JSON such as"),
        ("clear", "--yes=1", None, "--yes is a switch and takes no value"),
        ("list", "-o 1x", None, "-o '1x': give a variable name"),
        ("info", "", "body", "info takes no cell body"),
        ("delete", "", "ab", "delete takes no cell body"),
        ("info", "x", None, "usage: %memory info$"),
        ("search", "x --user --limit 3", None, "--user needs a value"),
        ("search", "x --limit 1 --limit 2", None, "duplicate flag --limit"),
        ("list", "--user $nothing", None, "--user is None; leave it out"),
        ("list", "-o class", None, "-o 'class': give a variable name"),
        ("list", "-o a -o b", None, "duplicate flag -o"),
        ("list", '--where {"a": 1, "a": 2}', None, "duplicate field 'a'"),
        ("add", "k v", "body", "unexpected argument 'v'"),
    ],
)
def test_a_line_that_does_not_fit_is_explained(command, line, body, message):
    with pytest.raises(InvalidArgument, match=message):
        parsed(command, line, body)


@pytest.mark.parametrize("line", ["-h", "--help", "-h x", "--limit 3 --help"])
def test_the_help_flag_may_come_anywhere(line):
    assert parsed("search", line).wants_help


@pytest.mark.parametrize("name", COMMANDS)
def test_help_lists_every_flag_and_its_purpose(name):
    described = syntax(name)
    text = described.help()
    assert described.summary.endswith(".")
    assert text.startswith(described.usage)
    for flag in described.flags:
        assert flag.about, f"{flag.written} of {name} has no help"
        assert flag.written in text
        assert flag.about in text


def test_a_new_command_is_one_function():
    def shout(nb: object, words: "Text", *, times: "int" = 1, loud: "bool" = False) -> None:  # type: ignore[name-defined]  # noqa: F821
        """Say it louder.

        As loud as you like.

        Flags:
            times: how often, which may take
                two lines to explain
            loud: louder still
        """

    described = Syntax.of("shout", shout)
    assert described.usage == "%memory shout WORDS"
    assert described.help() == (
        "%memory shout WORDS\n\nSay it louder.\nAs loud as you like.\n\nFlags:\n"
        "  --times N  how often, which may take two lines to explain\n"
        "  --loud     louder still"
    )


def test_variables_inside_a_word_are_replaced_by_their_text():
    result = parsed("add", "{name}:$name:s --ttl 60 by {name}: $name")
    assert result.operands == ["alice:alice:s", {"text": "by {name}: $name"}]
    assert parsed("list", '--prefix {name}: --user "the $name"').flags == {
        "prefix": "alice:",
        "user": "the alice",
    }
    assert parsed("add", "n{len(keys) + 1:03d}:{ name } x").operands[0] == "n003:alice"
    # What cannot be a variable stays as it is, as does all in single quotes.
    assert parsed("add", "price$5 x").operands[0] == "price$5"
    assert parsed("add", "'{ghost}:$ghost' x").operands[0] == "{ghost}:$ghost"
    with pytest.raises(
        UsageProblem, match=r"cannot take '{ghost}' .* in single quotes it is plain text"
    ):
        parsed("add", "user:{ghost} x")


def test_what_looks_like_a_flag_in_raw_text_is_text():
    result = parsed("add", "cmd gcc -h main.c -o prog")
    assert (result.operands, result.output) == (["cmd", {"text": "gcc -h main.c -o prog"}], None)
    result = parsed("search", "what is -h or -o out put -o found")
    assert (result.operands, result.output) == (["what is -h or -o out put"], "found")


def test_text_that_begins_with_a_variable_is_text():
    assert parsed("add", "k $ctx and more").operands == ["k", {"text": "$ctx and more"}]
    with pytest.raises(InvalidArgument, match=r"the value is not JSON: .* at column 2"):
        parsed("add", "k {ctx} and more --ttl 5")


def test_a_python_dict_may_be_followed_by_flags():
    result = parsed("add", "k {'a': {'b': 1}} --ttl 5m")
    assert result.operands == ["k", {"a": {"b": 1}}]
    assert result.flags == {"ttl": "5m"}
    assert parsed("list", "--where {'a': 1} --limit 2").flags == {"where": {"a": 1}, "limit": 2}


def test_very_deep_nesting_does_not_crash():
    deep = '{"a":' * 5000
    with pytest.raises(InvalidArgument, match="nested too deeply"):
        parsed("add", f"k {deep}")
    with pytest.raises(UsageProblem, match="not JSON"):
        parsed("list", f"--where {deep}")
