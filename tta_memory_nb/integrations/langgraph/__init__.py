"""A memory as the store and the checkpointer of LangGraph (extra ``langgraph``), and so of LangChain's agents."""

from __future__ import annotations

from ...errors import MissingPackage

try:
    import langgraph.store.base  # noqa: F401  what both classes inherit from
except ImportError:
    raise MissingPackage(
        "langgraph-checkpoint is not installed; run: pip install 'tta-memory-nb[langgraph]'"
    ) from None

from .saver import TTASaver
from .store import TTAStore

__all__ = ["TTASaver", "TTAStore"]
