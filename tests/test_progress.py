"""The progress bar of a notebook."""

from __future__ import annotations

import threading

from tta_memory_nb.notebook.progress import display_bar


def test_a_bar_leaves_no_thread_behind():
    before = threading.enumerate()
    assert list(display_bar(range(3), 3, "import")) == [0, 1, 2]
    assert threading.enumerate() == before
