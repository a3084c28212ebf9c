"""The magic in a real shell: results, output and errors of cells."""

import ast
import json
import re
from types import SimpleNamespace

import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.error import TryNext
from IPython.utils.capture import capture_output
from pandas import DataFrame, concat, option_context
from shells import Ran, new_shell

from tta_memory_nb import times
from tta_memory_nb.notebook import ipython_completion
from tta_memory_nb.notebook.commands import COMMANDS, syntax
from tta_memory_nb.notebook.magics import notebook_of


@pytest.fixture
def shell():
    """A new shell with the extension loaded."""
    with new_shell() as instance:
        yield instance


def test_a_search_is_a_real_dataframe(shell):
    Ran(shell, '%memory add alice:mon {"text": "It\'s \\"raining\\" in Málaga"}')
    ran = Ran(shell, "df = %memory search málaga\nlen(df), type(df).__name__, df.index.name")
    assert ran.result == (1, "DataFrame", "key")
    assert shell.user_ns["df"]["text"].iloc[0] == 'It\'s "raining" in Málaga'
    assert isinstance(Ran(shell, "%memory list").result, DataFrame)


def test_a_cell_magic_takes_its_body_and_keeps_its_result(shell):
    assert Ran(shell, "%%memory add k --ttl 3600\nplain text\n  second line").success
    ran = Ran(shell, "%%memory search -o found\nsecond line")
    assert (ran.success, ran.result) == (True, None)
    assert list(shell.user_ns["found"].index) == ["k"]
    assert Ran(shell, "%memory get k --json").result == {"text": "plain text\n  second line"}


def test_python_variables_are_stored_as_objects(shell):
    Ran(shell, "ctx = {'n': (1, 2), 'text': '$ctx {ctx}'}\n%memory add a $ctx\n%memory add b {ctx}")
    assert Ran(shell, "%memory get a b --json").result == {
        "a": {"n": [1, 2], "text": "$ctx {ctx}"},
        "b": {"n": [1, 2], "text": "$ctx {ctx}"},
    }


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("%memory serch rain", "no subcommand 'serch' (did you mean 'search'?)"),
        ("%memory add k {'a': object()}", "the value is not JSON"),
        ("%memory search x --limit 0", "--limit '0': give a whole number of at least 1 or all"),
        ("%memory get ghost", "no record under 'ghost'"),
        ("%memory add k $ghost", "cannot take '$ghost' from the notebook"),
        ("%memory import missing.jsonl", "cannot read 'missing.jsonl'"),
        ("%%memory list\nbody", "list takes no cell body"),
    ],
)
def test_a_mistake_fails_the_cell_in_one_line(shell, cell, message):
    ran = Ran(shell, cell)
    assert not ran.success
    assert message in str(ran.error)
    assert message in ran.text
    assert "Traceback" not in ran.text
    assert len(ran.text.strip().splitlines()) == 1


def test_hostile_text_in_an_error_is_harmless(shell):
    ran = Ran(shell, "%memory get $key")
    shell.user_ns["key"] = "\x1b]0;title\x07<script>"
    ran = Ran(shell, "%memory get $key")
    assert "\x1b]" not in ran.text
    assert r"\x1b]0;title\x07<script>" in ran.text


OPERANDS = {
    "add": "k text",
    "get": "k",
    "log": "k",
    "search": "rain",
    "delete": "k",
    "plot": "ttl",
    "import": "notes.jsonl",
    "export": "out.jsonl",
    "why": "rain k",
    "suggest": "rain",
    "judge": "rain k",
    "pack": "rain",
    "forget": "--keep-per-session 5",
    "summarize": "--into summary",
    "touch": "k",
    "append": "ann monday text",
    "history": "ann monday",
    "proposals": "x --reject",
}
"""What makes a line of a command valid, apart from the flag that is tested."""

FLAGS = [(name, flag) for name in COMMANDS for flag in syntax(name).flags if not flag.is_switch]


class Bad:
    """A value that no flag can take."""

    def __repr__(self):
        return "<bad>"


def refusal(shell, line):
    ran = Ran(shell, line)
    assert not ran.success, f"{line} was not refused"
    return str(ran.error)


@pytest.mark.parametrize(
    ("command", "flag"), FLAGS, ids=[f"{name} {flag.written}" for name, flag in FLAGS]
)
def test_an_error_names_the_flag_that_was_typed(shell, tmp_path, monkeypatch, command, flag):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes.jsonl").write_text("")
    for prepared in ("%memory add k rain", "%memory judge rain k"):
        assert Ran(shell, prepared).success
    shell.user_ns["bad"] = Bad()
    operand = OPERANDS.get(command, "")
    if operand.startswith("--") and flag.name in {
        operand[2:].split()[0].replace("-", "_"),
        "policy",
    }:
        operand = ""  # the flag that is tested takes its place
    line = f"%memory {command} {operand} {flag.written} $bad"
    message = refusal(shell, line)
    assert message.startswith(f"{flag.written} <bad>")
    assert f"{flag.name}=" not in message
    assert "%memory:" not in message


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("list --since whenever", "--since 'whenever': give a datetime"),
        ("clear --until 99999999", "--until '99999999': give a datetime"),
        (
            "list --since 2h --until 3d",
            "--since '2h' is later than --until '3d', so that no record",
        ),
        ('list --where {"turn": {"$like": 1}}', "--where['turn']['$like']=1: unknown operator"),
        ("list --where $unstorable", "--where['turn']: <object> is not JSON"),
        ("use --namespace ''", "--namespace '': a namespace is a non-empty str"),
        ("use --max-size -1", "--max-size -1: give an int of at least 0 (records"),
        ("pack --budget -1 rain", "--budget -1: give an int of at least 1 (tokens)"),
        ("folders --depth -1", "--depth -1: give an int of at least 1"),
        ("history --last -1 alice monday", "--last -1: give an int of at least 0"),
        ("list --limit $fraction", "--limit 2.5: give a whole number of at least 1 or all"),
        ("add k text --ttl 0s", "--ttl '0s': give a positive number of seconds"),
        ("add '' text", "KEY '': a key is a non-empty str"),
        ("get ''", "KEYS: '' is not a key"),
        ("import notes.jsonl --user ''", "--user '': give non-empty text"),
        ("import notes.jsonl --format xml", "--format 'xml' is not known; give --format one of"),
        ("import notes.txt", "the suffix .txt names no known format; give --format one of"),
        ("import broken.jsonl", "or import the other records with --on-error skip."),
        ("import $table", "name the one that holds the keys with --key"),
        ("import $many", "import with --grow, or make"),
        # Typed text is never mistaken for the name of an argument.
        ("get since=1", "no record under 'since=1'"),
    ],
)
def test_an_error_in_a_magic_speaks_of_flags(shell, tmp_path, monkeypatch, line, message):
    monkeypatch.chdir(tmp_path)
    for name, text in (("notes.jsonl", ""), ("notes.txt", ""), ("broken.jsonl", "x")):
        (tmp_path / name).write_text(text)
    messages = [{"role": "user", "content": f"{n}"} for n in range(1001)]
    shell.user_ns |= {
        "unstorable": {"turn": object()},
        "fraction": 2.5,
        "table": DataFrame({"a": [1]}),
        "many": messages,
    }
    text = refusal(shell, f"%memory {line}")
    assert message in text
    assert "%memory:" not in text


BOUNDED = [
    name for name in COMMANDS if {"since", "until"} <= {each.name for each in syntax(name).flags}
]


@pytest.mark.parametrize("command", BOUNDED)
def test_no_command_takes_limits_between_which_no_time_is(shell, tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    for prepared in ("%memory add k rain", "%memory judge rain k"):
        assert Ran(shell, prepared).success
    line = f"%memory {command} {OPERANDS.get(command, '')} --since 2h --until 3d"
    assert "--since '2h' is later than --until '3d'" in refusal(shell, line)
    assert [each.name for each in tmp_path.iterdir()] == ["golden.jsonl"]


# ---- each text is parsed once

DURATIONS = ("older_than", "expire_in", "unused_for", "unread", "stale")
PARSED = {"ttl", "since", "until", "as_of", "where", *DURATIONS}
"""Flags whose text is parsed further than to a word or a whole number."""

LIVE = {("explore", "since"), ("explore", "until")}
"""Parsed again by each listing: the table is live, so "the last 2 hours" follow the clock."""

KEPT = {("judge", "where")}
"""Parsed again when the golden set is read, since its file keeps them."""

TYPED = {
    "VALUE": ['{"marker": {"n": [1]}}', "{'marker': (1,)}", "marker", "[marker", "$held"],
    "ttl": ["1h7m", "4027", '"1h7m"'],
    "since": ["7h", "2018-11-22T15:00Z"],
    "as_of": ["0.0001s"],
    "until": ["7s", "2026-11-22T15:00Z"],
    "where": ['{"marker": {"$exists": true}}', "{'marker': 1}"],
    **{name: ["7h"] for name in DURATIONS},
}


@pytest.fixture
def parses(monkeypatch):
    """Records the calls of all functions that parse JSON, durations and instants."""
    calls = []

    def count(owner, name, position):
        parser = getattr(owner, name)

        def counted(*args, **kwargs):
            if isinstance(args[position], str):  # other packages parse trees of their own
                calls.append((name, args[position]))
            return parser(*args, **kwargs)

        monkeypatch.setattr(owner, name, counted)

    count(json.JSONDecoder, "raw_decode", 1)
    count(ast, "literal_eval", 0)
    count(times, "_duration_in_text", 0)
    count(times, "_instant_in_text", 0)
    return calls


def test_every_flag_that_is_parsed_is_tested():
    kinds = {flag.kind for _, flag in FLAGS if flag.name not in PARSED}
    assert kinds <= {"str", "str | None", "int | None", "Limit", "Words", "Word | None", "Where"}
    assert set(TYPED) - {"VALUE"} == PARSED


@pytest.mark.parametrize(
    ("command", "flag", "typed"),
    [
        (command, flag.name, typed)
        for command, flag in FLAGS
        if flag.name in PARSED and (command, flag.name) not in LIVE | KEPT
        for typed in TYPED[flag.name]
    ],
)
def test_the_text_of_a_flag_is_parsed_once(
    shell, tmp_path, monkeypatch, parses, command, flag, typed
):
    monkeypatch.chdir(tmp_path)
    Ran(shell, "%memory use --history 9")
    for key in ("k", "l"):
        Ran(shell, f"%memory add {key} {{'marker': 1, 'text': 'rain'}}")
    # With a limit, the command requests the total in a second call.
    limit = "--limit 1" if command in ("search", "list") else ""
    parses.clear()
    ran = Ran(
        shell,
        f"%memory {command} {OPERANDS.get(command, '')} --{flag.replace('_', '-')} {typed} {limit}",
    )
    assert ran.success, ran.text
    parsed = [name for name, text in parses if typed.strip('"') in text]
    assert parsed
    assert len(parsed) == len(set(parsed)), parsed


@pytest.mark.parametrize("typed", TYPED["VALUE"])
@pytest.mark.parametrize(
    "cell", ["%memory add k {}", "%memory add k {} --ttl 5", "%%memory add k\n{}"]
)
def test_the_text_of_a_value_is_parsed_at_most_once(shell, parses, typed, cell):
    shell.user_ns["held"] = '{"marker": 1}'
    parses.clear()
    assert Ran(shell, cell.replace("{}", typed, 1)).success
    parsed = [name for name, text in parses if "marker" in text]
    assert len(parsed) == len(set(parsed)), parsed


def test_a_bug_in_the_package_keeps_its_traceback(shell, monkeypatch):
    from tta_memory_nb.notebook import commands

    def broken(nb):
        raise RuntimeError("a bug")

    monkeypatch.setitem(commands.COMMANDS, "info", broken)
    ran = Ran(shell, "%memory info")
    assert isinstance(ran.error, RuntimeError)
    assert "Traceback" in ran.text


def test_help_comes_from_the_code(shell):
    assert "%memory search WORDS" in Ran(shell, "%memory help").text
    assert "--limit N" in Ran(shell, "%memory search -h").text
    assert Ran(shell, "%memory --help").text == Ran(shell, "%memory help").text
    with capture_output():
        documentation = shell.object_inspect("%memory")["docstring"]
    assert "%memory search WORDS" in documentation


def test_code_and_magic_share_a_memory(shell):
    Ran(shell, "memory = %memory use\nmemory.sync.add('k', {'from': 'code'})")
    assert Ran(shell, "%memory get k --json").result == {"from": "code"}
    Ran(shell, "from tta_memory_nb import MemoryPrimitive\nmine = MemoryPrimitive(namespace='m')")
    assert Ran(shell, "%memory use mine").result is shell.user_ns["mine"]
    Ran(shell, "%memory add x by magic")
    assert shell.user_ns["mine"].size() == 1


def html(shell, table):
    data, _ = shell.display_formatter.format(table, include=["text/html"])
    return data["text/html"]


def has_our_style(shell, table):
    return "tta-memory" in html(shell, table)


def test_hostile_text_in_a_table_is_harmless(shell):
    hostile = {"text": "<script>alert(1)</script> $5 and $10", "<img onerror=x>": 1}
    shell.user_ns["hostile"] = hostile
    Ran(shell, "%memory add <b>k</b> $hostile --ttl 60")
    shown = html(shell, Ran(shell, "%memory list").result)
    assert "&lt;script&gt;alert(1)&lt;/script&gt; $5 and $10" in shown
    assert ">&lt;b&gt;k&lt;/b&gt;</td>" in shown
    assert ">&lt;img onerror=x&gt;</th>" in shown
    assert "mathjax_ignore" in shown
    # Instants are shown as distances, with the instant on hover; the table keeps the exact ones.
    assert re.search(r'title="\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ">just now</td>', shown)


def test_tables_of_the_user_keep_their_style(shell):
    frame = DataFrame({"a": [1]})
    assert html(shell, frame) == frame._repr_html_()
    assert has_our_style(shell, Ran(shell, "df = %memory list\ndf[['user']].head(3)").result)


def test_unloading_removes_everything_and_reloading_forgets_nothing(shell):
    def added():
        return (
            "memory" in shell.magics_manager.magics["line"],
            "memory" in shell.magics_manager.magics["cell"],
            "MemoryMagics" in shell.magics_manager.registry,
            len(shell.Completer.custom_matchers),
            has_our_style(shell, table),
        )

    Ran(shell, "%memory add k v")
    table = Ran(shell, "%memory list").result
    assert added() == (True, True, True, 1, True)
    for _ in range(2):
        assert Ran(shell, "%reload_ext tta_memory_nb").success
    assert added() == (True, True, True, 1, True)
    assert Ran(shell, "%memory get k --json").result == {"text": "v"}
    Ran(shell, "%unload_ext tta_memory_nb")
    assert added() == (False, False, False, 0, False)
    assert not Ran(shell, "%memory").success


@pytest.mark.parametrize(
    ("text", "offered"),
    [
        ("%memory se", ["search", "serve"]),
        ("x = %memory se", ["search", "serve"]),
        ("%memory get al", ["alice:mon"]),
        ("%%memory ad", ["add"]),
        ("a = 1\nb = %memory list --us", ["--user"]),
    ],
)
def test_tab_completes(shell, text, offered):
    Ran(shell, "%memory add alice:mon x")
    with provisionalcompleter():
        found = [each.text for each in shell.Completer.completions(text, len(text))]
    assert found == offered


def test_an_older_ipython_completes_after_the_last_delimiter_of_a_key(shell):
    Ran(shell, "%memory add alice:mon x")
    offer = ipython_completion.hook(shell, notebook_of)
    event = SimpleNamespace(text_until_cursor="%memory get alice:m", symbol="m")
    assert offer(shell.Completer, event) == ["mon"]
    with pytest.raises(TryNext):
        offer(shell.Completer, SimpleNamespace(text_until_cursor="%time m", symbol="m"))


def test_a_function_s_own_variables_come_before_the_notebook_s(shell):
    Ran(shell, "n = 'global'\ndef f(n):\n    %memory add key:{n} by $n\nf('local')")
    assert Ran(shell, "%memory get key:local --json").result == {"text": "by $n"}
    Ran(shell, "value = 1\ndef g(value):\n    %memory add held $value\ng({'is': 'local'})")
    assert Ran(shell, "%memory get held --json").result == {"is": "local"}


def test_tasks_in_one_cell_see_each_its_own_variables(shell):
    ran = Ran(
        shell,
        "import asyncio\nasync def work(i):\n    %memory add task:{i} hi\n"
        "await asyncio.gather(*map(work, range(3)))\nm = %memory use\nm.sync.keys()",
    )
    assert ran.result == ["task:0", "task:1", "task:2"]


def test_a_command_without_a_table_leaves_its_message_in_the_variable(shell):
    Ran(shell, "%%memory add k -o said\ntext")
    assert shell.user_ns["said"] == "stored k"


def test_a_cell_without_a_command_is_explained(shell):
    assert "a cell magic needs a command" in Ran(shell, "%%memory\ntext").text


def test_instants_in_another_zone_are_shown_with_it(shell):
    Ran(shell, "%memory add k x\ndf = %memory list")
    Ran(shell, "df['created'] = df['created'].dt.tz_convert('Asia/Tokyo')")
    shown = html(shell, shell.user_ns["df"])
    assert re.search(r"<td[^>]*>[-\d]+ [:\d]+\+0900</td>\n *<td[^>]*>[-\d]+ [:\d]+Z</td>", shown)


def test_the_notebooks_own_display_settings_are_respected(shell):
    Ran(shell, "%memory add k x\ndf = %memory list")
    frame, other = shell.user_ns["df"], DataFrame({"a": [1]})
    with option_context("display.notebook_repr_html", False):
        assert "text/html" not in shell.display_formatter.format(frame)[0]
        assert "text/html" not in shell.display_formatter.format(other)[0]
    long = concat([frame] * 100)
    with option_context("display.max_rows", 10, "display.min_rows", None):
        # The row of headings, ten rows, and one in place of the others.
        assert html(shell, long).count("<tr>") == 1 + 10 + 1
        assert "100 rows" in html(shell, long)


def test_a_key_cannot_steer_the_terminal(shell):
    shell.user_ns["key"] = "\x1b[31mred"
    Ran(shell, "%memory add $key x")
    shown = shell.display_formatter.format(Ran(shell, "%memory list").result)[0]["text/plain"]
    assert "\x1b" not in shown
    assert r"\x1b[31mred" in shown
