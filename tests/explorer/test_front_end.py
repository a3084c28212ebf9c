"""The front end of the explorer: its modules, and the module that joins them."""

from __future__ import annotations

import re
from pathlib import Path

import anywidget
import pytest

from tta_memory_nb import MemoryExplorer
from tta_memory_nb.notebook.explorer import esm
from tta_memory_nb.notebook.explorer.delivery import LOADER, MODULE, STYLE
from tta_memory_nb.notebook.explorer.esm import CannotJoin, join

FRONTEND = Path(esm.__file__).parent / "frontend"
ENTRY = 'import { shown } from "./part.js";\nexport default { render: shown };\n'


@pytest.fixture
def join_files(tmp_path):
    """Joins modules that are given as their texts, by the names of their files."""

    def join_texts(entry: str = ENTRY, /, **texts: str) -> str:
        for name, text in {"entry": entry, **texts}.items():
            (tmp_path / f"{name}.js").write_text(text, "utf-8")
        return join(tmp_path, "entry.js")

    return join_texts


# ---- joining


def test_a_module_comes_after_those_that_it_imports_and_each_comes_once(join_files):
    joined = join_files(
        'import { a } from "./a.js";\nimport { b } from "./b.js";\nexport default a + b;\n',
        a='import { c } from "./c.js";\nexport const a = c;\n',
        b='import { c } from "./c.js";\nimport { a } from "./a.js";\nexport const b = a + c;\n',
        c="export const c = 1;\n",
    )
    assert joined.splitlines() == [
        *("// ---- c.js", "const c = 1;"),
        *("// ---- a.js", "", "const a = c;"),
        *("// ---- b.js", "", "", "const b = a + c;"),
        *("// ---- entry.js", "", "", "export default a + b;"),
    ]


def test_a_line_of_a_file_is_found_below_the_line_that_names_the_file(join_files):
    part = (
        '// What it is.\n\nimport {\n  a,\n  b,\n} from "./letters.js";\n\n'
        "/**\n * Says so.\n *\n * @param {string} text\n */\n"
        "export function shown(text) {\n  return a + b + text; // here\n}\n"
    )
    joined = join_files(part=part, letters='export const a = "";\nexport const b = "";\n')
    lines = joined.splitlines()
    start = lines.index("// ---- part.js")
    assert lines[start + 1] == "// What it is."
    for number, line in enumerate(part.splitlines(), 1):
        if not line.startswith(("import", "  a,", "  b,", "}", "/**", " *")):
            assert lines[start + number] == line.removeprefix("export ")


@pytest.mark.parametrize(
    "definition",
    [
        "export function shown() {}",
        "export async function shown() {}",
        "export function* shown() {}",
        "export class shown {}",
        "export const shown = 1;",
        "export let shown = 1;",
    ],
)
def test_every_kind_of_definition_can_be_exported(join_files, definition):
    assert definition.removeprefix("export ") in join_files(part=definition + "\n")


def test_words_in_comments_and_texts_are_no_statements(join_files):
    part = (
        "/**\n * import { x } from it;\n * @type {import('./y.js').Y}\n */\n"
        'export const shown = "export import";\n// import { z } from "./z.js";\n'
    )
    assert "// import { z }" in join_files(part=part)


# ---- refused modules


@pytest.mark.parametrize(
    ("part", "problem"),
    [
        ('import { a as b } from "./a.js";\n', "line 1: 'a as b': a name is imported as it is"),
        ('import a from "./a.js";\n', r"line 1: write import \{ name \} from"),
        ('import * as a from "./a.js";\n', r"write import \{ name \} from"),
        ('import "./a.js";\n', r"write import \{ name \} from"),
        ('import {} from "./a.js";\n', "'': a name is imported as it is exported"),
        ('import { a } from "a";\n', r"write import \{ name \} from"),
        ('import { a } from "https://example.org/a.js";\n', r"write import \{ name \} from"),
        ('import { a } from "../a.js";\n', r"write import \{ name \} from"),
        ('import { a } from "./missing.js";\n', "line 1: there is no file missing.js"),
        ('import { b } from "./a.js";\n', "line 1: a.js does not export 'b'"),
        ("const a = 1;\nexport { a };\n", r"line 2: write .* or export before one definition"),
        ('export * from "./a.js";\n', "export before one definition"),
        ("export const { a } = {};\n", "line 1: define one name by each statement"),
        ("const [a, b] = [1, 2];\n", "line 1: define one name by each statement"),
        ("\nexport default 1;\n", "line 2: only entry.js has a default export; name this one"),
        ("if (true) {\n  export const b = 1;\n}\n", "line 2: write import"),
        ('const a = () => import("./a.js");\n', r"line 1: import\(\) and import.meta"),
        ("const a = import.meta.url;\n", r"line 1: import\(\) and import.meta"),
        ("const a = `\nexport const b = 1;`;\n", "line 1: a text between backticks ends"),
    ],
)
def test_code_that_joining_would_change_is_refused(join_files, part, problem):
    with pytest.raises(CannotJoin, match=rf"^part\.js, .*{problem}"):
        join_files(part=f"{part}export const shown = 1;\n", a="export const a = 1;\n")


def test_two_modules_cannot_define_the_same_name(join_files):
    with pytest.raises(
        CannotJoin,
        match=r"^part\.js, line 2: 'size' is defined in other\.js as well; rename one of the two$",
    ):
        join_files(
            part='import { other } from "./other.js";\nconst size = other;\nexport const shown = size;\n',
            other="function size() {}\nexport const other = 1;\n",
        )


def test_modules_cannot_import_each_other_in_a_cycle(join_files):
    with pytest.raises(
        CannotJoin, match=r"^b\.js, line 1: imports form a cycle: part\.js -> b\.js -> part\.js$"
    ):
        join_files(
            part='import { b } from "./b.js";\nexport const shown = b;\n',
            b='import { shown } from "./part.js";\nexport const b = shown;\n',
        )


def test_an_entry_needs_a_default_export(join_files):
    with pytest.raises(CannotJoin, match=r"^entry\.js, line 1: the entry needs a default export$"):
        join_files("export const a = 1;\n")


# ---- the front end itself


def test_every_module_of_the_front_end_but_the_loader_is_in_the_joined_one():
    joined = re.findall(r"^// ---- (\S+)$", MODULE, re.MULTILINE)
    assert sorted([*joined, "loader.js"]) == sorted(path.name for path in FRONTEND.glob("*.js"))
    assert joined[-1] == "widget.js"


def test_the_loader_is_small_and_has_no_comments():
    assert len(LOADER) < 2000
    assert not re.search(r"//|/\*|^\s*\n|version of the code", LOADER, re.MULTILINE)


def test_the_joined_module_has_one_export_and_no_import():
    statements = re.findall(r"^[ \t]*(?:import|export)\b.*", MODULE, re.MULTILINE)
    assert statements == ["export default function show(model, el, opening) {"]


def test_the_front_end_knows_no_address_but_the_name_of_svg():
    texts = [path.read_text("utf-8") for path in FRONTEND.iterdir()]
    assert set(re.findall(r"\w+://[^\s\"'`)]+", "".join(texts))) == {"http://www.w3.org/2000/svg"}


def test_modules_that_work_without_a_page_use_none():
    pure = {"channel", "chart-layout", "columns", "filters", "format", "json", "keyboard"}
    for name in pure | {"scrolling", "text"}:
        text = (FRONTEND / f"{name}.js").read_text("utf-8")
        assert re.findall(r"\b(?:document|window|navigator|Node|HTMLElement)\b\.", text) == []
        assert '"./dom.js"' not in text


# ---- front ends that are not tested


def test_colours_and_fonts_of_a_front_end_have_a_fallback():
    foreign = re.findall(r"var\(\s*(--(?!tta-)[\w-]+)\s*([,)])", STYLE + MODULE)
    assert any(name.startswith("--vscode-") for name, _ in foreign)
    assert [name for name, end in foreign if end == ")"] == []
    own = set(re.findall(r"var\(\s*(--tta-[\w-]+)\s*\)", STYLE))
    assert [name for name in own if f"{name}:" not in STYLE and f'"{name}"' not in MODULE] == []


def test_the_front_end_needs_no_loader_of_modules_and_no_address_of_its_page():
    # VS Code has no RequireJS, and shows a widget in a page of another address.
    code = f"{LOADER}{MODULE}"
    lines = [line for line in code.splitlines() if not line.lstrip().startswith("//")]
    for wrong in ("require(", "define(", "importScripts(", "new Worker(", "location.", "fetch("):
        assert [line for line in lines if wrong in line] == []


def test_the_state_of_the_widget_is_that_of_any_widget():
    explorer = MemoryExplorer(query="rain")
    assert set(explorer.get_state()) == set(anywidget.AnyWidget().get_state())
    assert explorer.get_state()["_esm"] == LOADER
    explorer.close()
