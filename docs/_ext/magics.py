"""Directives for the reference of ``%memory``, built from the source of ``%memory help``.

memory-commands    a section for each command: its usage, its help, its flags
memory-filters     a table of the filters that several commands take
"""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Any

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from tta_memory_nb.notebook.arguments import FILTERS, Flag, Syntax, metavar
from tta_memory_nb.notebook.commands import COMMANDS, syntax

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sphinx.application import Sphinx

# A line of an example, with or without an assignment of the result.
_EXAMPLE = re.compile(r"\s*(\w+ = )?%memory\b")


class MemoryCommands(SphinxDirective):
    """The directive ``memory-commands``: every command, in the order of ``%memory help``."""

    def run(self) -> list[nodes.Node]:
        """The sections, one for each command."""
        return [self._section(syntax(name)) for name in COMMANDS]

    def _section(self, described: Syntax) -> nodes.section:
        name = f"memory-{described.name}"
        section = nodes.section(ids=[name], names=[name])
        self.state.document.note_explicit_target(section)
        section += nodes.title("", "", nodes.literal("", f"%memory {described.name}"))
        section += _code(described.usage)
        section += _prose(described.summary)
        section += _paragraphs(inspect.cleandoc(described.details))
        own = [flag for flag in described.flags if flag not in FILTERS]
        if own:
            section += _flags(own)
        if len(own) < len(described.flags):
            section += self._filters_apart()
        return section

    def _filters_apart(self) -> nodes.paragraph:
        """One sentence in place of six rows: the command also takes the filters."""
        text = " ".join(f.written for f in FILTERS)
        parsed, _ = self.parse_inline(f"Also takes the [filters](#magic-filters): `{text}`.")
        return nodes.paragraph("", "", *parsed)


class MemoryFilters(SphinxDirective):
    """The directive ``memory-filters``: the filters as a table of flags."""

    def run(self) -> list[nodes.Node]:
        """The table, with a row for each filter."""
        return [_flags(FILTERS)]


def _paragraphs(text: str) -> Iterable[nodes.Element]:
    for block in filter(None, re.split(r"\n\s*\n", text)):
        lines = block.split("\n")
        if all(map(_EXAMPLE.match, lines)):
            yield _code(inspect.cleandoc("\n" + block))
        else:
            yield _prose(" ".join(line.strip() for line in lines))


def _prose(text: str) -> nodes.paragraph:
    # Help contains code without markup, so its quotes and dashes must stay as they are typed.
    return nodes.paragraph("", text, support_smartquotes=False)


def _code(text: str) -> nodes.literal_block:
    return nodes.literal_block(text, text, language="text")


def _flags(flags: Sequence[Flag]) -> nodes.table:
    rows: list[tuple[nodes.Node, str]] = []
    for flag in flags:
        written = flag.written if flag.is_switch else f"{flag.written} {metavar(flag)}"
        rows.append((nodes.literal("", written), flag.about))
    return _table(("flag", "meaning"), rows)


def _table(heads: tuple[str, str], rows: Sequence[tuple[nodes.Node, str]]) -> nodes.table:
    def entry(*content: nodes.Node) -> nodes.entry:
        return nodes.entry("", nodes.paragraph("", "", *content, support_smartquotes=False))

    group = nodes.tgroup("", nodes.colspec(colwidth=30), nodes.colspec(colwidth=70), cols=2)
    group += nodes.thead("", nodes.row("", *(entry(nodes.Text(head)) for head in heads)))
    group += nodes.tbody(
        "", *(nodes.row("", entry(left), entry(nodes.Text(right))) for left, right in rows)
    )
    return nodes.table("", group, classes=["memory-flags"])


def setup(app: Sphinx) -> dict[str, Any]:
    """Registers the directives with Sphinx."""
    app.add_directive("memory-commands", MemoryCommands)
    app.add_directive("memory-filters", MemoryFilters)
    return {"parallel_read_safe": True}
