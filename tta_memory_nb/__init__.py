"""See, search, compare and repair what AI agents remember, in any notebook.

    from tta_memory_nb import MemoryPrimitive, create_memory_key
    memory = MemoryPrimitive()

In a notebook: ``%load_ext tta_memory_nb``, then ``%memory?``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from .errors import (
        AmbiguousKeyWarning,
        CapacityExceeded,
        Conflict,
        EmbedderError,
        InvalidArgument,
        MissingPackage,
        NotDurable,
        NotStorable,
        QualityTooLow,
        ServerError,
        StoreUnavailable,
        SummarizerError,
        Tombstoned,
        TransferError,
        TTAMemoryError,
    )
    from .evaluation import GoldenSet, evaluate, tune
    from .integrations.workflow import MemoryStep
    from .keys import MemoryKey, create_memory_key, parse_memory_key
    from .memory.faces import MemoryPrimitive, SyncMemory
    from .memory.forgetting.policy import ForgetPolicy
    from .memory.summarizing.policy import SummaryPolicy
    from .memory.tombstones.tombstone import Tombstone
    from .nesting import allow_nested_asyncio
    from .notebook.explorer import MemoryExplorer
    from .record import MemoryRecord
    from .search.options import SearchWeights
    from .stores.memory import InMemoryStore

__version__ = "0.1.0"

__all__ = [
    "AmbiguousKeyWarning",
    "CapacityExceeded",
    "Conflict",
    "EmbedderError",
    "ForgetPolicy",
    "GoldenSet",
    "InMemoryStore",
    "InvalidArgument",
    "MemoryExplorer",
    "MemoryKey",
    "MemoryPrimitive",
    "MemoryRecord",
    "MemoryStep",
    "MissingPackage",
    "NotDurable",
    "NotStorable",
    "QualityTooLow",
    "SearchWeights",
    "ServerError",
    "StoreUnavailable",
    "SummarizerError",
    "SummaryPolicy",
    "SyncMemory",
    "TTAMemoryError",
    "Tombstone",
    "Tombstoned",
    "TransferError",
    "allow_nested_asyncio",
    "create_memory_key",
    "evaluate",
    "parse_memory_key",
    "tune",
]

_MODULE_OF = {
    "MemoryKey": "keys",
    "create_memory_key": "keys",
    "parse_memory_key": "keys",
    "allow_nested_asyncio": "nesting",
    "MemoryPrimitive": "memory.faces",
    "SyncMemory": "memory.faces",
    "MemoryRecord": "record",
    "MemoryStep": "integrations.workflow",
    "InMemoryStore": "stores.memory",
    "MemoryExplorer": "notebook.explorer",
    "Tombstone": "memory.tombstones.tombstone",
    "ForgetPolicy": "memory.forgetting.policy",
    "SummaryPolicy": "memory.summarizing.policy",
    "GoldenSet": "evaluation",
    "SearchWeights": "search.options",
    "evaluate": "evaluation",
    "tune": "evaluation",
}


def __getattr__(name: str) -> object:
    # A name is imported on first use (PEP 562), so that `%load_ext` and a script that needs one
    # name do not import the rest of the package.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_MODULE_OF.get(name, 'errors')}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def load_ipython_extension(ipython: InteractiveShell) -> None:
    """Adds ``%memory`` and ``%%memory``; called by ``%load_ext tta_memory_nb``."""
    from .notebook.magics import load

    load(ipython)


def unload_ipython_extension(ipython: InteractiveShell) -> None:
    """Removes everything that loading has added; called by ``%unload_ext tta_memory_nb``."""
    from .notebook.magics import unload

    unload(ipython)
