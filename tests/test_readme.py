"""The code in the README does what the README says.

Every fenced block of ``python`` or ``ipython`` is run, from the first to the last, in one
kernel that works in an empty directory, as somebody does who pastes them into a notebook. Each
must succeed. A ``text`` block that follows one, with nothing but blank lines between, is what it
gives: the value of the last line as plain text, or, when it has none, what is printed. Spaces at
the ends of lines do not count. Blocks of other languages (``sh``) are not run.
"""

from __future__ import annotations

from dataclasses import dataclass

import mistune
import pytest
from jupyter import ROOT, Reply, running_kernel

RUN = ("python", "ipython")


@dataclass(frozen=True)
class Example:
    """A block of code and, if the text shows it, what it gives."""

    code: str
    gives: str | None


def examples(markdown: str) -> list[Example]:
    """The blocks to run, in order. Blocks inside lists and quotes count, too."""
    found: list[Example] = []
    _collect(mistune.create_markdown(renderer=None)(markdown), found)
    return found


def _collect(tokens: list[dict], found: list[Example]) -> None:
    may_show_output = False
    for token in tokens:
        if token["type"] == "blank_line":
            continue
        language = token.get("attrs", {}).get("info", "") if token["type"] == "block_code" else ""
        if language in RUN:
            found.append(Example(token["raw"], None))
        elif language == "text" and may_show_output:
            found[-1] = Example(found[-1].code, token["raw"])
        may_show_output = language in RUN
        _collect(token.get("children", []), found)


def given(reply: Reply) -> str:
    """What a reader takes for the output of a cell."""
    values = [content for kind, content in reply.outputs if kind == "execute_result"]
    return values[0]["data"]["text/plain"] if values else reply.printed


def trimmed(text: str) -> list[str]:
    return [line.rstrip() for line in text.strip("\n").splitlines()]


@pytest.mark.kernel
def test_the_readmes_code_runs_and_gives_what_it_shows(tmp_path):
    (tmp_path / "work").mkdir()
    shown = examples((ROOT / "README.md").read_text(encoding="utf-8"))
    assert len(shown) >= 3
    assert any(example.gives for example in shown)
    with running_kernel(tmp_path / "work", tmp_path / "home") as kernel:
        for example in shown:
            reply = kernel.run(example.code)
            assert reply.status == "ok", f"{example.code}\n{reply.printed}"
            if example.gives is not None:
                assert trimmed(given(reply)) == trimmed(example.gives), example.code


def test_blocks_are_paired_with_the_output_right_below_them():
    markdown = """
```sh
make lab
```

```ipython
%memory
```

```python
1 + 1
```

```text
2
```

```text
no output: it stands alone
```

- ```python
  2 + 2
  ```
  prose
  ```text
  no output: prose stands between
  ```
"""
    assert examples(markdown) == [
        Example("%memory\n", None),
        Example("1 + 1\n", "2\n"),
        Example("2 + 2\n", None),
    ]
