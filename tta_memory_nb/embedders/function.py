"""Any callable as an embedder."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from .checking import takes_query


class Function:
    """An `Embedder` of a function from a list of texts to vectors; may be async.

    Args:
        function: gives one vector for each text. If it has a parameter ``query``, it is told
            whether the texts are questions.
        name: identifies the function; None: its module and name.
        version: of the model that the function uses. Give another one when the model changes.

    Attributes:
        is_async: whether a call only makes a coroutine, so that it takes no time.
    """

    dim = None

    def __init__(
        self,
        function: Callable[..., Any],
        name: str | None = None,
        version: str = "",
    ) -> None:
        where = getattr(function, "__module__", None) or type(function).__module__
        what = getattr(function, "__qualname__", None) or type(function).__qualname__
        self.name = name or f"{where}.{what}"
        self.version = version
        self.is_async = inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
            getattr(type(function), "__call__", None)  # noqa: B004  not asked whether it can be called
        )
        self._function = function
        self._takes_query = takes_query(function)

    def __repr__(self) -> str:
        return f"Function({self.name!r})"

    def embed(self, texts: Sequence[str], *, query: bool = False) -> Any:
        """Returns what the function gives for the texts; an awaitable if it is async."""
        if self._takes_query:
            return self._function(list(texts), query=query)
        return self._function(list(texts))
