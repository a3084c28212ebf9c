"""The code in the README gives the output that the README shows; see `pages`."""

from __future__ import annotations

import pytest
from jupyter import ROOT
from pages import Example, Shown, run


@pytest.mark.kernel
def test_the_code_of_the_readme_runs_and_gives_the_output_it_shows(tmp_path):
    shown = run(ROOT / "README.md", tmp_path)
    assert len(shown.examples) >= 3
    assert any(example.output for example in shown.examples)


def test_blocks_are_paired_with_the_output_right_below_them():
    markdown = """
```sh
make lab
export REDIS_URL="redis://:a-secret@host:6379"
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
    shown = Shown.of(markdown)
    assert shown.examples == [
        Example("%memory\n"),
        Example("1 + 1\n", "2\n"),
        Example("2 + 2\n"),
    ]
    assert shown.exports == {"REDIS_URL": "redis://:a-secret@host:6379"}
