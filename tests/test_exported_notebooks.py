"""Notebooks that are converted to other formats: tables and saved explorers are there, and texts are only texts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import mistune
import nbformat
import pytest
from nbconvert.exporters import HTMLExporter, LatexExporter, MarkdownExporter, RSTExporter
from shells import new_shell

from tta_memory_nb import MemoryExplorer, MemoryPrimitive

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell
    from playwright.sync_api import Browser, Page

HOSTILE = [
    "umbrella\n\n[link](http://evil.example) ![image](http://evil.example/x.png)\n\n# heading\n\n",
    "umbrella\r\r[link](http://evil.example)\r\n\r\n![image](http://evil.example/x.png)",
    "umbrella <img src=x onerror=alert(1)><script>alert(1)</script></td></table><a href='x'>y</a>",
    r"umbrella \end{Verbatim}\input{/etc/passwd}\begin{Verbatim} $x^2$ %",
    "umbrella\n\n.. raw:: html\n\n   <script>alert(1)</script>\n\n`link <http://evil.example>`_",
    "umbrella " + "far away " * 50 + "\n\n[link](http://evil.example)",
]


@pytest.fixture(scope="module")
def shell():
    with new_shell() as instance:
        yield instance


@pytest.fixture(scope="module")
def memory() -> MemoryPrimitive:
    memory = MemoryPrimitive(max_size=1000)
    for number, text in enumerate(HOSTILE):
        memory.sync.add(f"k{number}:{text}", {"text": text, text: "a name", "tags": [text]})
    return memory


@pytest.fixture(scope="module")
def notebook(shell: InteractiveShell, memory: MemoryPrimitive) -> Any:
    """A notebook with a search, a list, a selection, and an explorer without a kernel."""
    shell.user_ns["memory"] = memory
    shell.run_line_magic("memory", "use $memory")
    tables = {line: shell.run_line_magic("memory", line) for line in ("search umbrella", "list")}
    tables["selection"] = tables["list"][["user", "text"]]
    explorer = MemoryExplorer(memory, query="umbrella")
    explorer._lister.list_first(whole_if_needed=True)
    tables["explore"] = explorer._static_page()
    explorer.close()
    assert shell.display_formatter is not None
    cells = []
    for name, table in tables.items():
        data, _ = shell.display_formatter.format(table)
        output = nbformat.v4.new_output("execute_result", data, execution_count=1)
        cells.append(nbformat.v4.new_code_cell(f"# {name}", outputs=[output], execution_count=1))
    book = nbformat.v4.new_notebook(cells=cells)
    nbformat.validate(book)
    return book


TABLES = 4


@pytest.fixture(params=["lab", "classic", "webpdf"])
def page(request, browser: Browser, notebook: Any, tmp_path: Path):
    """A page of the notebook as HTML, in a browser that runs no script."""
    html, _ = HTMLExporter(template_name=request.param).from_notebook_node(notebook)
    path = tmp_path / "notebook.html"
    path.write_text(html, "utf-8")
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(path.as_uri())
    yield page
    context.close()


@pytest.mark.browser
def test_exported_html_shows_every_table_without_a_script(page: Page):
    tables = page.locator("table.tta-memory")
    assert tables.count() == TABLES
    for number in range(TABLES):
        assert tables.nth(number).locator("tbody tr").count() == len(HOSTILE)
        assert tables.nth(number).is_visible()
    assert page.locator(".tta-explorer-static").get_by_text("6 records matching").is_visible()
    assert tables.locator("a, script, img, input").count() == 0


@pytest.mark.browser
def test_matches_are_seen_on_paper_without_colours(page: Page):
    marks = page.locator("table.tta-memory mark")
    assert marks.count() >= len(HOSTILE)
    page.emulate_media(media="print")
    assert marks.first.evaluate("mark => getComputedStyle(mark).textDecorationLine") == "underline"
    # Nothing is beyond the edge of the paper.
    assert page.pdf().startswith(b"%PDF")


def test_a_table_in_markdown_is_not_read_as_markdown(notebook: Any):
    text, _ = MarkdownExporter().from_notebook_node(notebook)
    html = mistune.create_markdown(escape=False)(text)
    assert isinstance(html, str)
    assert html.count("<table") == TABLES
    for wrong in ("<a ", "<img", "<h1", "<script"):
        assert wrong not in html
    assert html.count("<mark>umbrella</mark>") >= len(HOSTILE)


def test_a_table_in_latex_has_no_commands_of_its_own(notebook: Any):
    latex, _ = LatexExporter().from_notebook_node(notebook)
    assert "\\input{/etc" not in latex
    assert latex.count("\\begin{Verbatim}") == latex.count("\\end{Verbatim}")
    assert "umbrella" in latex


def test_a_table_in_restructured_text_stays_inside_its_block(notebook: Any):
    text, _ = RSTExporter().from_notebook_node(notebook)
    lines = text.splitlines()
    assert sum(line == ".. raw:: html" for line in lines) == TABLES
    outside = [line for line in lines if line and not line.startswith(" ")]
    assert {line for line in outside if not line.startswith("..")} <= {""}
