"""The explorer: a widget that shows a memory as a table, to search it and to repair its records.

Importing this package costs nothing: the widget and the packages it needs are imported when
`MemoryExplorer` is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .widget import MemoryExplorer

__all__ = ["MemoryExplorer"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import widget

    return getattr(widget, name)
