"""Modules that the program has imported, for code that knows their types and does not import them itself."""

from __future__ import annotations

import sys
from typing import Any


def imported(name: str) -> Any:
    """Returns a module if the program has imported it, else None.

    A module that another thread is importing at this moment is in `sys.modules` already, but has not all of its names
    yet; nothing in this thread can come from it, so that it counts as not imported.

    Args:
        name: full name of the module.
    """
    module = sys.modules.get(name)
    # The import system of CPython marks such a module in this way, for its own messages as well.
    if module is None or getattr(getattr(module, "__spec__", None), "_initializing", False):
        return None
    return module
