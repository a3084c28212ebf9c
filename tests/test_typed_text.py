"""Text on a ``%memory`` line, or in a ``%%memory`` cell, arrives as it is typed, or fails with a way out."""

import ast
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from IPython.core.inputtransformer2 import TransformerManager
from json_values import json_objects
from shells import Ran, new_shell

SENTENCES = [
    "Is it raining?",
    "really??",
    "¿Qué tal?",
    "color = !important",
    "total = %time is money",
    "a = ?",
    "!ls; echo $HOME $5",
    "it's (open [ and { unclosed",
    'he said """hello',
    "I said -- well, never mind",
    "dashes --",
    "a -- b -- c",
    "text # no comment",
    "ends with a semicolon;",
    "keep {braces} and {{more}} $x",
    "line\u2028separator\u2029and\x85next\x0cpage",
    "C:\\new",
    "12\u00a0000 €",
    "see -o name in the middle",
    "a, b = 1, 2?",
    "`back` ticks @ % ^ & * ~",
]


@pytest.fixture(scope="module")
def loaded():
    with new_shell() as instance:
        yield instance


@pytest.fixture
def shell(loaded):
    Ran(loaded, "m = %memory use\nsync = m.sync\nsync.clear()")
    return loaded


def stored(shell, key):
    return shell.user_ns["sync"].get(key)


@pytest.mark.parametrize(
    "cell",
    [
        "%memory add k {}",
        "said = %memory add k {}",
        "said: str = %memory add k {}",
        "for n in range(1):\n    %memory add k {}",
        "if True:\n    said = %memory add k {}",
        "def f():\n    if True:\n        %memory add k {}\nf()",
        "%time %memory add k {}",
        "%time said = %memory add k {}",
        "said = again = %memory add k {}",
        "said['a'] = %memory add k {}",
        "if True: %memory add k {}",
        "1 + 1; %memory add k {}",
        "def f(): return %memory add k {}\nf()",
        "(lambda: 5 % 3); f = lambda: %memory add k {}\nf()",
        "# a comment above\n%%memory add k\n{}",
        "%%memory add k\n{}",
        "  %%memory add k\n  {}",
        "1 + 1\n%memory add other first?\n%memory add k {}",
    ],
)
def test_a_sentence_is_stored_as_it_is_typed(shell, cell):
    shell.user_ns |= {"said": {}, "x": "the value of x"}
    for text in SENTENCES:
        ran = Ran(shell, cell.replace("{}", text))
        assert ran.success, ran.text
        assert stored(shell, "k") == {"text": text}


@pytest.mark.parametrize("cell", ["found = %memory search {}", "%%memory search -o found\n{}"])
def test_a_sentence_is_searched_for_as_it_is_typed(shell, cell):
    for text in SENTENCES:
        shell.user_ns["sync"].add("k", {"text": f"before {text} after"})
        ran = Ran(shell, cell.replace("{}", text))
        assert ran.success, ran.text
        assert list(shell.user_ns["found"].index) == ["k"], cell


@pytest.mark.parametrize(
    "cell",
    ["!echo 5 | %memory add k x", "?%memory add k x", "x = 5 %memory", "print(%memory list)"],
)
def test_what_is_no_magic_of_this_package_is_left_to_ipython(shell, cell):
    code = shell.transform_cell(cell)
    assert "run_line_magic('memory', 'add" not in code
    assert "run_line_magic('memory', 'list" not in code


def test_a_quoted_session_in_a_cell_keeps_its_prompts(shell):
    body = "    indented\n>>> print(1)\n1\nIn [2]: x?\n%memory list?\n"
    assert Ran(shell, f"\n\n%%memory add k\n{body}").success
    assert stored(shell, "k") == {"text": body.removesuffix("\n")}


def test_a_magic_in_a_text_of_python_is_left_alone(shell):
    Ran(shell, 'text = """\n%memory add k Is it raining?\nx = %memory list\u2028"""')
    assert shell.user_ns["text"] == "\n%memory add k Is it raining?\nx = %memory list\u2028"
    assert stored(shell, "k") is None
    Ran(shell, "%%writefile /dev/null\n%memory add k Is it raining?")
    assert stored(shell, "k") is None


@pytest.mark.parametrize("line", ["%memory search?", "%memory search??", "%%memory search?"])
def test_a_question_mark_behind_a_command_shows_its_help(shell, line):
    assert "%memory search WORDS" in Ran(shell, line).text


@pytest.mark.parametrize("line", ["%memory?", "%%memory?", "?%memory"])
def test_a_question_mark_behind_the_magic_shows_the_overview(shell, monkeypatch, line):
    asked = []
    monkeypatch.setattr(shell, "_inspect", lambda kind, name, *a, **k: asked.append(name))
    assert Ran(shell, line).success
    assert [name.lstrip("%") for name in asked] == ["memory"]


def test_the_terminal_still_waits_for_the_body_of_a_cell(shell):
    check = shell.input_transformer_manager.check_complete
    assert check("%%memory add k\nIs it?")[0] == "incomplete"
    assert check("%memory add k Is it?")[0] == "complete"
    assert check("for n in range(2):\n    %memory add k Is it?")[0] == "incomplete"


def test_the_rewriting_ends_when_the_extension_is_unloaded(shell):
    Ran(shell, "%reload_ext tta_memory_nb")
    Ran(shell, "%unload_ext tta_memory_nb")
    try:
        assert_is_as_new(shell)
    finally:
        Ran(shell, "%load_ext tta_memory_nb")


def assert_is_as_new(shell):
    ours, other = shell.input_transformer_manager, TransformerManager()
    assert len(ours.cleanup_transforms) == len(other.cleanup_transforms)
    assert len(ours.line_transforms) == len(other.line_transforms)
    assert len(ours.token_transformers) == len(other.token_transformers)


def test_an_object_or_a_variable_behind_another_magic_is_stored_as_it_is_typed(shell):
    shell.user_ns["held"] = {"n": [1]}
    value = {"text": "It's {held} or $held"}
    for typed, wanted in (
        (json.dumps(value), value),
        ("$held", {"n": [1]}),
        ("{held}", {"n": [1]}),
    ):
        ran = Ran(shell, f"%time %memory add k {typed}")
        assert ran.success, ran.text
        assert stored(shell, "k") == wanted


# ---- objects of several lines


OBJECT = {
    "text": "Is it raining? It's } {here [ 50 % # certain",
    "tags": ["a", {"deep": None}],
    "!ls": {},
    "%memory": "add k x",
}


@pytest.mark.parametrize(
    "cell",
    [
        "%memory add k OBJECT",
        "%memory add k OBJECT --ttl 1h",
        "%memory add --ttl 1h k OBJECT;",
        "said = %memory add k OBJECT\nafter = said",
        "%time %memory add k OBJECT",
        "1 + 1; %memory add k OBJECT\n1 + 1",
        "for n in range(1):\n    %memory add k OBJECT\n    after = n",
        "def f(name):\n    %memory add {name} OBJECT\n    return 1\nf('k')",
        "try:\n    %memory add k OBJECT\nfinally:\n    after = 1",
        "%memory add first OBJECT\n%memory add k OBJECT",
        "%memory add {'{'.replace('{', 'k')} OBJECT",
        "%memory add it's OBJECT\n%memory add k OBJECT",
    ],
)
@pytest.mark.parametrize("indent", [0, 2, 8, "\t"])
def test_an_object_of_several_lines_is_stored_as_it_is_typed(shell, cell, indent):
    ran = Ran(shell, cell.replace("OBJECT", json.dumps(OBJECT, indent=indent)))
    assert ran.success, ran.text
    assert stored(shell, "k") == OBJECT


@given(
    value=json_objects(st.none() | st.integers() | st.text()).filter(bool),
    indent=st.sampled_from([0, 1, 4]),
)
def test_any_object_of_several_lines_is_stored_as_it_is_typed(loaded, value, indent):
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    code = loaded.transform_cell(f"if True:\n    %memory add k {text}\nafter = 1")
    body, after = ast.parse(code).body
    assert isinstance(body, ast.If)
    call = body.body[0]
    line = next(
        each.value
        for each in ast.walk(call)
        if isinstance(each, ast.Constant) and str(each.value).startswith("add")
    )
    assert json.loads(str(line).removeprefix("add k ")) == value
    assert isinstance(after, ast.Assign)


def test_a_dict_of_python_may_have_several_lines_and_comments(shell):
    cell = "%memory add k {'a': 1,  # {\n    # it's a }\n    'b': (True,\n    None)}\nafter = 2"
    assert Ran(shell, cell).success
    assert stored(shell, "k") == {"a": 1, "b": [True, None]}
    assert shell.user_ns["after"] == 2


def test_a_condition_of_several_lines_is_read(shell):
    shell.user_ns["sync"].add_many([("a", {"n": 1, "m": 2}), ("b", {"n": 1, "m": 3})])
    found = Ran(shell, 'found = %memory list --where {"n": 1,\n  "m": 3} --limit 5')
    assert found.success, found.text
    assert list(shell.user_ns["found"].index) == ["b"]


@pytest.mark.parametrize(
    "cell",
    [
        '%memory add k {"a": 1,',
        '%memory add k {"a": 1,\n  "b": 2\n',
        '%memory add k {\n"a": [1,\n\n  {"b": 2}\n',
        "%memory add k {'a': 1,\nafter = 1",
        'if True:\n    %memory add k {"a": 1,\n    "b": 2',
    ],
)
def test_an_object_that_is_never_closed_is_refused_with_the_way_out(shell, cell):
    ran = Ran(shell, cell)
    assert type(ran.error).__name__ == "MemoryMagicError"
    assert "the object is not closed" in str(ran.error)
    assert "%%memory add KEY" in str(ran.error)
    assert shell.user_ns["sync"].keys() == []
    assert Ran(shell, '%%memory add k\n{"a": 1,\n  "b": 2}').success
    assert stored(shell, "k") == {"a": 1, "b": 2}


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ('%memory add k {"a": 1,\n  "b": two}', "line 2"),
        ('%memory add k {"a": "one\n  two"}', "control character"),
        ('%memory add k {"a": 1,\n  "a": 2}', "duplicate field 'a'"),
        ('%memory add k {"a": 1,\n  "b": 2} and more', "unexpected argument 'and more'"),
    ],
)
def test_an_object_of_several_lines_with_a_fault_is_refused_by_the_command(shell, cell, message):
    ran = Ran(shell, f"{cell}\nafter = 1")
    assert type(ran.error).__name__ == "MemoryMagicError"
    assert message in str(ran.error)
    assert shell.user_ns["sync"].keys() == []


@pytest.mark.parametrize(
    "text",
    ["open {", 'say {"', "it's (open [ and { unclosed", "[1,", '-- {"a": 1,', "a {b: {"],
)
def test_a_bracket_in_a_sentence_leaves_the_next_line_to_python(shell, text):
    for after in ("after = 5", 'after = "}" and 5', "after = (\n5)", "# }\nafter = 5"):
        shell.user_ns["after"] = None
        ran = Ran(shell, f"%memory add k {text}\n{after}")
        assert ran.success, ran.text
        assert stored(shell, "k") == {"text": text.removeprefix("-- ")}
        assert shell.user_ns["after"] == 5


# ---- the way out


@pytest.mark.parametrize(
    ("line", "way_out"),
    [
        ("add k use --ttl for it", "add k -- use --ttl for it"),
        ("add k run it with --help", "add k -- run it with --help"),
        ("add k an --unknown flag", "add k -- an --unknown flag"),
        ("add k remember --ttl 1h the umbrella", "add k -- remember --ttl 1h the umbrella"),
        ("add k $ghost", "add k -- $ghost"),
        ("add k {ghost}", "add k -- {ghost}"),
        ("add k {a: 1}", "add k -- {a: 1}"),
        ('add k {"a": 1} and more', 'add k -- {"a": 1} and more'),
    ],
)
def test_the_advice_of_an_error_works(shell, line, way_out):
    ran = Ran(shell, f"%memory {line}")
    assert not ran.success
    assert "-- in front of the text" in str(ran.error) or "text behind --" in str(ran.error)
    assert Ran(shell, f"%memory {way_out}").success
    assert stored(shell, "k") == {"text": way_out.partition(" -- ")[2]}


def test_the_advice_works_in_a_cell(shell):
    shell.user_ns["context"] = {"n": [1]}
    for body in ("$context", "{context}", "\n {context}\n"):
        shell.user_ns["sync"].clear()
        assert Ran(shell, f"%%memory add k\n{body}").success
        assert stored(shell, "k") == {"n": [1]}
    ran = Ran(shell, "%%memory add k\n$ghost")
    assert "write -- at the end of the first line of the cell" in str(ran.error)
    assert Ran(shell, "%%memory add k --\n$ghost").success
    assert stored(shell, "k") == {"text": "$ghost"}


@pytest.mark.parametrize(
    "line", ["list # all", "get k # mine", "list --limit 3 # few", "plot ttl # x"]
)
def test_a_comment_behind_a_command_is_refused(shell, line):
    shell.user_ns["sync"].add("k", {})
    assert "a magic has no comments" in str(Ran(shell, f"%memory {line}").error)


def test_a_no_break_space_does_not_separate_words(shell):
    assert Ran(shell, "%memory add prix:12\u00a0000 texte").success
    assert stored(shell, "prix:12\u00a0000") == {"text": "texte"}
    assert "no-break space" in str(Ran(shell, "%memory add k\u00a0text").error)


# ---- variables


FIELDS = [
    "{now:%H:%M}",
    "{now:%Y-%m-%dT%H:%M:%S}",
    "{name!r}",
    "{name!s:>5}",
    "{spans['a:b']:.2f}",
    "{spans['}']}",
    "{n:{width}}",
    "{n:>{width}}",
    "{[n, {'a': n}][1]['a']}",
    "{(lambda x: x)(n)}",
    "{n != 5}",
    "{{n}}",
]


@pytest.mark.parametrize("field", FIELDS)
def test_a_field_gives_the_text_that_it_gives_in_an_f_string(shell, field):
    Ran(shell, "from datetime import datetime\nnow = datetime(2026, 3, 4, 5, 6, 7)\nname = 'Zoe'")
    Ran(shell, "spans, n, width = {'a:b': 2.5, '}': 1}, 5, 3")
    wanted = eval(f'f"key-{field}"', shell.user_ns)
    assert Ran(shell, f"%memory add key-{field} text").success
    assert shell.user_ns["sync"].keys() == [wanted]


@pytest.mark.parametrize(
    "cell",
    [
        "def f(n):\n    %memory add key:{sum(1 for _ in range(n) if n)} x\nf(2)",
        "def f(n):\n    %memory add key:{(lambda: n)()} x\nf(2)",
        "def f(n):\n    %memory add key:{max([n for _ in range(1)])} x\nf(2)",
        "def f(n):\n    def g():\n        %memory add key:{n} x\n    g()\nf(2)",
        "def f(n):\n    def g():\n        said = %memory add key:$n x\n        return said\n    g()\nf(2)",
        "def f(n):\n    %memory add key:{n} x\n    yield\nlist(f(2))",
        "class C:\n    n = 2\n    %memory add key:{n} x",
    ],
)
def test_a_name_means_what_it_means_in_the_cell(shell, cell):
    shell.user_ns["n"] = "global"
    ran = Ran(shell, cell)
    assert ran.success, ran.text
    assert shell.user_ns["sync"].keys() == ["key:2"]


def test_an_attribute_that_does_not_exist_is_refused_with_the_way_out(shell, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shell.user_ns |= {"name": "notes"}
    for wrong in ("$name.jsonl", "$name.index.jsonl", "x-$name.title"):
        ran = Ran(shell, f"%memory export {wrong}")
        assert not ran.success
        assert "{name}." in str(ran.error)
    assert Ran(shell, "%memory export {name}.jsonl").success
    assert (tmp_path / "notes.jsonl").exists()


# ---- a semicolon behind the line


@pytest.mark.parametrize(
    "line", ["list;", "list --limit 3;", "list --limit 3 ;", "get k;", "get 'k';", "info ;"]
)
def test_a_semicolon_hides_the_table(shell, line):
    shell.user_ns["sync"].add("k", {"text": "rain"})
    ran = Ran(shell, f"%memory {line}")
    assert ran.success, ran.text
    assert not ran.outputs
    assert "k" not in ran.text
    ran = Ran(shell, f"kept = %memory {line}")
    assert ran.success
    assert len(shell.user_ns["kept"])


def test_a_semicolon_behind_a_value_or_variable_is_no_part_of_it(shell):
    shell.user_ns["held"] = {"n": 1}
    for line in ("add k $held;", "add k {held} ;", 'add k {"n": 1};', "add k {held} --ttl 1h;"):
        shell.user_ns["sync"].clear()
        assert Ran(shell, f"%memory {line}").success, line
        assert stored(shell, "k") == {"n": 1}
    shell.user_ns["words"] = "rain"
    shell.user_ns["sync"].add("r", {"text": "rain"})
    assert list(Ran(shell, "%memory search $words;").result.index) == ["r"]
