"""What the two faces make of a verb: a method that looks like it and carries its plan out."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from typing import Any, TypeVar, Unpack

from ...filters import FilterArgs
from ...record import MemoryRecord
from ...search.request import SearchMode
from ...stores.base import Store
from ...stores.plan import Plan
from ..verbs import Verbs

Method = TypeVar("Method", bound=Callable[..., Any])


def shown_as(verb: Callable[..., Any], method: Method, returns: str) -> Method:
    """Gives a method the name, signature and help of the verb it carries out."""
    functools.update_wrapper(method, verb, ("__name__", "__doc__"))
    method.__annotations__ = {**verb.__annotations__, "return": returns}
    shown = inspect.signature(verb).replace(return_annotation=returns)
    method.__signature__ = shown  # type: ignore[attr-defined]
    return method


def documented_by(verb: Callable[..., Any]) -> Callable[[Method], Method]:
    """Decorates a method that carries a verb out in a way of its own."""
    return lambda method: shown_as(verb, method, method.__annotations__["return"])


def result_of(verb: Callable[..., Plan[Any]]) -> str:
    """Returns what a plan results in, as it is written in the source."""
    planned: str = verb.__annotations__["return"]
    return planned.removeprefix("Plan[").removesuffix("]")


def given(**flags: bool) -> dict[str, Any]:
    """Returns the flags that are set: a watch sees a verb as its caller has written it."""
    return {name: True for name, is_set in flags.items() if is_set}


def shortcut(store: Store, name: str) -> Any:
    """Returns the method of a store that carries a verb out without a plan; None if it has none.

    The class is asked and not the object: a wrapper that passes unknown attributes on to the store
    it wraps must not pass verbs on unseen.
    """
    return None if getattr(type(store), name, None) is None else getattr(store, name)


def watched_batches(
    verbs: Verbs,
    query: str | None,
    limit: int | None,
    mode: SearchMode | None,
    **filters: Unpack[FilterArgs],
) -> Iterator[Plan[list[MemoryRecord]]]:
    """Returns the plans of `Verbs.stream_records`, each as the watch wants it."""
    batches = verbs.stream_records(query, limit, mode, **filters)
    watch = verbs.watch
    if watch is None:
        return batches
    return (watch("stream_records", batch, query, limit, mode, **filters) for batch in batches)
