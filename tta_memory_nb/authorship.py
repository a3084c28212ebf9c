"""Who makes a change: the cell, the function and the action it comes from, for memories that keep versions."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from pathlib import PurePath
from types import CodeType, FrameType
from typing import Any, NamedTuple, ParamSpec, TypeAlias, TypeVar

from .code_origin import LIBRARY, MOST_FRAMES, USERS, is_cell, known, origin_of

P = ParamSpec("P")
T = TypeVar("T")

# What the present context is about: the number of its cell, and the action. One variable, since each look costs.
_now: ContextVar[tuple[int | None, str | None]] = ContextVar(
    "tta_memory_nb.now", default=(None, None)
)


class Author(NamedTuple):
    """Who made a change; each part is None where it is unknown.

    Attributes:
        cell: number of the notebook's cell, as in ``In [3]``.
        action: what was done: a command such as ``"%memory delete"``, or ``"undo"``, ``"import"``, ``"summarize"``,
            ``"forget"``, ``"explorer"``.
        function: name of the function that called the memory; None for code outside of functions.
        file: name of the file of that code, without its folder; None for a cell.
    """

    cell: int | None = None
    action: str | None = None
    function: str | None = None
    file: str | None = None

    def __str__(self) -> str:
        """Returns the parts that are known: ``remember() in agent.py, cell 3``."""
        code = "" if self.function is None else f"{self.function}()"
        if self.file is not None:
            code = f"{code} in {self.file}" if code else self.file
        cell = "" if self.cell is None else f"cell {self.cell}"
        return ", ".join(filter(None, (self.action, code, cell)))


Context: TypeAlias = tuple[int | None, str | None]
"""Number of a cell, and an action."""


def author_of(code: CodeType | None, context: Context) -> Author:
    """Returns who made a change.

    Args:
        code: as `calling` returns it.
        context: as `context` returns it.
    """
    cell, action = context
    if code is None:
        return Author(cell, action)
    function = None if code.co_name.startswith("<") else code.co_name
    file = code.co_filename
    is_file = not is_cell(file) and not file.startswith("<")
    return Author(cell, action, function, PurePath(file).name if is_file else None)


context = _now.get
"""Returns the `Context` of the code that runs."""


def calling(depth: int = 1) -> CodeType | None:
    """Returns the code of the innermost function of the user's that has led to this call: an agent's tool and not its framework.

    Where there is none, it is the innermost function outside of this package.

    Args:
        depth: so many callers are known to be of this package, which saves a look at each.
    """
    frame: FrameType | None = sys._getframe(depth)  # noqa: SLF001  inspect.currentframe takes longer
    nearest: CodeType | None = None
    left = MOST_FRAMES
    while frame is not None and left:
        code = frame.f_code
        origin = known.get(code.co_filename)
        if origin is None:
            origin = origin_of(code.co_filename)
        if origin == USERS:
            return code
        if nearest is None and origin == LIBRARY:
            nearest = code
        frame, left = frame.f_back, left - 1
    return nearest


def begin_cell(number: int | None) -> None:
    """Says that the present context carries out a cell; tasks that it starts inherit that."""
    _now.set((number, None))


@contextmanager
def acting(action: str) -> Iterator[None]:
    """Says that what the block changes is changed by an action, unless it is part of another one."""
    cell, outer = _now.get()
    token = _now.set((cell, outer or action))
    try:
        yield
    finally:
        _now.reset(token)


def by_action(
    action: str,
) -> Callable[[Callable[P, Generator[Any, Any, T]]], Callable[P, Generator[Any, Any, T]]]:
    """Decorates a function that makes a plan: what the plan changes is changed by an action."""

    def decorate(verb: Callable[P, Generator[Any, Any, T]]) -> Callable[P, Generator[Any, Any, T]]:
        @wraps(verb)
        def method(*args: P.args, **kwargs: P.kwargs) -> Generator[Any, Any, T]:
            return _acting_plan(action, verb(*args, **kwargs))

        return method

    return decorate


def _acting_plan(action: str, plan: Generator[Any, Any, T]) -> Generator[Any, Any, T]:
    """Carries a plan out, each of its steps as part of an action; nothing of that is seen between the steps."""
    reply: Any = None
    error: Exception | None = None
    try:
        while True:
            try:
                with acting(action):
                    request = plan.send(reply) if error is None else plan.throw(error)
            except StopIteration as done:
                result: T = done.value
                return result
            reply = error = None
            try:
                reply = yield request
            except Exception as failure:  # the plan decides what it means
                error = failure
    finally:
        plan.close()
