"""Runs the code in Markdown pages, and compares its output with the output that the pages show.

Every fenced block of ``python`` or ``ipython`` is run, from the first to the last, in one kernel
that works in an empty directory, as if a reader pasted them into a notebook. Each must succeed. A
``text`` block that follows one, with nothing but blank lines between, is its output: the value of
the last line as plain text, or, when it has none, what is printed. Spaces at the ends of lines do
not count.

Of a ``sh`` block only the lines that export a variable count: the kernel is started with it.
Blocks of other languages are not run.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import mistune
from jupyter import ROOT, Reply, running_kernel

RUN = ("python", "ipython")

# A busy machine is no outage: the timeout of memories on pages that set none.
_PATIENT = (
    "import tta_memory_nb as _tta\n_tta.MemoryPrimitive.__init__.__kwdefaults__['timeout'] = 60.0"
)

_EXPORT = re.compile(r"export (\w+)=(.*)")


@dataclass(frozen=True)
class Example:
    """A block of code and, if the page shows it, its output."""

    code: str
    output: str | None = None


@dataclass
class Shown:
    """The contents of a page: the variables it exports, and the blocks to run, in order."""

    examples: list[Example] = field(default_factory=list)
    exports: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, markdown: str) -> Shown:
        """Reads a page. Blocks inside lists, quotes and directives with colons count, too."""
        shown = cls()
        shown._collect(mistune.create_markdown(renderer=None)(markdown))
        return shown

    def _collect(self, tokens: list[dict[str, Any]]) -> None:
        may_show_output = False
        for token in tokens:
            if token["type"] == "blank_line":
                continue
            is_code = token["type"] == "block_code"
            language = token.get("attrs", {}).get("info", "") if is_code else ""
            if language in RUN:
                self.examples.append(Example(token["raw"]))
            elif language == "text" and may_show_output:
                self.examples[-1] = Example(self.examples[-1].code, token["raw"])
            elif language == "sh":
                for name, value in _EXPORT.findall(token["raw"]):
                    self.exports[name] = shlex.split(value)[0]
            may_show_output = language in RUN
            self._collect(token.get("children", []))


def run(page: Path, folder: Path, places: Mapping[str, str] | None = None) -> Shown:
    """Runs the code of a page, checks its output, and returns its contents.

    Args:
        page: the Markdown file.
        folder: an empty one, the kernel's working directory and home.
        places: host and port that the page names -> those of the server to use instead, in the code
            and in its output.

    Raises:
        AssertionError: a block fails, or its output differs from the page.
    """
    name = page.relative_to(ROOT)
    shown = Shown.of(page.read_text(encoding="utf-8"))
    exports = {each: _placed(value, places) for each, value in shown.exports.items()}
    work = folder / "work"
    work.mkdir()
    with running_kernel(work, folder / "home") as kernel:
        kernel.run(f"import os as _os\n_os.environ.update({json.dumps(exports)})")
        kernel.run(_PATIENT)
        for example in shown.examples:
            reply = kernel.run(_placed(example.code, places))
            assert reply.status == "ok", f"{name}: {example.code}\n{reply.printed}"
            if example.output is not None:
                wanted = _placed(example.output, places)
                assert trimmed(given(reply)) == trimmed(wanted), f"{name}: {example.code}"
    return shown


def _placed(text: str, places: Mapping[str, str] | None) -> str:
    for written, real in (places or {}).items():
        text = text.replace(written, real)
    return text


def given(reply: Reply) -> str:
    """Returns the output of a cell as a reader sees it."""
    values = [content for kind, content in reply.outputs if kind == "execute_result"]
    if values:
        return values[0]["data"]["text/plain"]
    return "".join(content["text"] for kind, content in reply.outputs if kind == "stream")


def trimmed(text: str) -> list[str]:
    """Returns the lines without the spaces at their ends."""
    return [line.rstrip() for line in text.strip("\n").splitlines()]
