"""Steps of a workflow: what a step is given is remembered, and it goes on with what the memory knows about it.

A step is anything with ``async execute(input_data, context)``, as in ``tta_dev_primitives``, which this module does not
import. A context may have any of ``session_id``, ``workflow_id``, ``player_id``, ``metadata``, ``trace_id``,
``checkpoint(name)`` and ``create_child_context()``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeAlias

from ..errors import InvalidArgument, brief
from ..main_field import main_field
from ..memory.faces import MemoryPrimitive
from ..search.indexes import check_mode
from ..search.request import SearchMode, check_limit
from ..table import flatten

Query: TypeAlias = str | Callable[[Any], str]
"""Text to search for, or a function of the input that returns it."""

STEP = "workflow_step"
"""The field of a remembered input that says which step has stored it, in which workflow."""

_NOBODY = "anonymous"


class Step(Protocol):
    """What can be a part of a workflow."""

    async def execute(self, input_data: Any, context: Any) -> Any:
        """Does its work, and returns what the next step is given."""
        ...


class _Composed:
    """What ``>>`` and ``|`` make of steps, ours and those of others."""

    def __rshift__(self, other: Step) -> InSequence:
        """Returns a step that does this one, and then another with its result."""
        return InSequence([self, other]) if _is_step(other) else NotImplemented

    def __rrshift__(self, other: Step) -> InSequence:
        return InSequence([other, self]) if _is_step(other) else NotImplemented

    def __or__(self, other: Step) -> InParallel:
        """Returns a step that does both at the same time, with the same input."""
        return InParallel([self, other]) if _is_step(other) else NotImplemented

    def __ror__(self, other: Step) -> InParallel:
        return InParallel([other, self]) if _is_step(other) else NotImplemented

    async def execute(self, input_data: Any, context: Any = None) -> Any:
        """Does its work, and returns what the next step is given."""
        raise NotImplementedError


class MemoryStep(_Composed):
    """Remembers what it is given, and adds what the memory knows.

        workflow = MemoryStep(memory) >> answer

    Args:
        memory: where inputs are remembered.
        name: of the step, in its records and checkpoints.
        query: what to search for, or a function of the input that returns it; None for the text of the input.
        limit: how many messages of the session, and how many relevant records, at most.
        mode: how to search.

    Raises:
        InvalidArgument: an argument of another kind.
    """

    def __init__(
        self,
        memory: MemoryPrimitive,
        name: str = "memory",
        query: Query | None = None,
        limit: int = 5,
        mode: SearchMode = "hybrid",
    ) -> None:
        if not isinstance(memory, MemoryPrimitive):
            raise InvalidArgument.about("memory", memory, "give a MemoryPrimitive")
        if not (query is None or isinstance(query, str) or callable(query)):
            raise InvalidArgument.about("query", query, "give text, or a function of the input")
        self.memory = memory
        self.name = name
        self.query = query
        self.limit = check_limit(limit)
        self.mode: SearchMode = check_mode(mode)

    def __repr__(self) -> str:
        return f"MemoryStep({self.memory!r}, name={self.name!r})"

    async def execute(self, input_data: Any, context: Any = None) -> dict[str, Any]:
        """Finds what is known, and then remembers the input at the end of the session.

        The user is the ``player_id`` of the context or the ``user_id`` of its metadata, and the session its ``session_id``, or
        else its ``workflow_id``.

        Args:
            input_data: text, a JSON object, or any other value that JSON can hold.
            context: of the workflow; None for none.

        Returns:
            ``input`` (as it was given), ``working_memory`` (values of the last messages of the session, the oldest
            first), ``relevant_memories`` (values of the user's records that answer the query, the best first, without those of the
            working memory) and ``memory_backend`` (its name).

        Raises:
            InvalidArgument: a user or a session with a ``:``, or a query that is no text.
            NotStorable: the input is not JSON.
            StoreUnavailable: the server is away, and the memory was made with ``on_outage="raise"``.
        """
        user, session = _user_of(context), _session_of(context)
        _checkpoint(context, f"{self.name}.start")
        recent = await self.memory.history(user, session, self.limit)
        query = self._query_for(input_data)
        relevant = []
        if query.strip():
            # As many more as may be part of the working memory.
            wanted = None if self.limit is None else self.limit + len(recent)
            found = await self.memory.search_records(query, wanted, mode=self.mode, user=user)
            known = {record.key for record in recent}
            relevant = [record.value for record in found if record.key not in known][: self.limit]
        await self.memory.append(user, session, [self._remembered(input_data, context)])
        _checkpoint(context, f"{self.name}.end")
        return {
            "input": input_data,
            "working_memory": [record.value for record in recent],
            "relevant_memories": relevant,
            "memory_backend": self.memory.backend,
        }

    def _query_for(self, input_data: Any) -> str:
        query = self.query(input_data) if callable(self.query) else self.query
        if query is None:
            query = text_of(input_data)
        if isinstance(query, str):
            return query
        raise InvalidArgument(
            f"query: the function has returned {brief(query)}; it must return text"
        )

    def _remembered(self, input_data: Any, context: Any) -> dict[str, Any]:
        if isinstance(input_data, dict):
            value = dict(input_data)
        else:
            value = {"text" if isinstance(input_data, str) else "input": input_data}
        facts = {"name": self.name, "workflow_id": _named(context, "workflow_id")}
        facts["trace_id"] = _trace_of(context)
        value.setdefault(STEP, {name: fact for name, fact in facts.items() if fact is not None})
        return value


class InSequence(_Composed):
    """Steps one after the other, each with the result of the one before."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self.steps = _flat(steps, InSequence)

    async def execute(self, input_data: Any, context: Any = None) -> Any:
        """Does all steps, and returns the result of the last one."""
        for step in self.steps:
            input_data = await step.execute(input_data, context)
        return input_data


class InParallel(_Composed):
    """Steps at the same time, each with the same input and, if the context can make them, a context of its own."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self.steps = _flat(steps, InParallel)

    async def execute(self, input_data: Any, context: Any = None) -> list[Any]:
        """Does all steps, and returns their results in order; if one fails, the others are cancelled."""
        child = getattr(context, "create_child_context", None)
        contexts = [child() if callable(child) else context for _ in self.steps]
        tasks = [
            asyncio.ensure_future(step.execute(input_data, each))
            for step, each in zip(self.steps, contexts, strict=True)
        ]
        try:
            return list(await asyncio.gather(*tasks))
        finally:
            for task in tasks:
                task.cancel()


def text_of(input_data: Any) -> str:
    """Returns what an input says: itself, or the field of an object that carries the text; empty for none."""
    if isinstance(input_data, str):
        return input_data
    if not isinstance(input_data, dict):
        return ""
    leaves = {path: [leaf] for path, leaf in flatten(input_data).items()}
    path = main_field(leaves)
    leaf = None if path is None else leaves[path][0]
    return leaf if isinstance(leaf, str) else ""


def _is_step(other: object) -> bool:
    return callable(getattr(other, "execute", None))


def _flat(steps: Sequence[Step], kind: type[InSequence | InParallel]) -> list[Step]:
    """Returns steps with those of the same kind taken apart, so that long chains do not nest."""
    flat: list[Step] = []
    for step in steps:
        flat += step.steps if type(step) is kind else [step]
    return flat


def _named(context: Any, name: str) -> str | None:
    """Returns a name that a context may have."""
    found = getattr(context, name, None)
    return None if found in (None, "") else str(found)


def _user_of(context: Any) -> str:
    metadata = getattr(context, "metadata", None)
    named = metadata.get("user_id") if isinstance(metadata, dict) else None
    return _named(context, "player_id") or (str(named) if named else _NOBODY)


def _session_of(context: Any) -> str:
    return _named(context, "session_id") or _named(context, "workflow_id") or "default"


def _trace_of(context: Any) -> str | None:
    trace = getattr(context, "trace_id", None)
    shown = f"{trace:032x}" if isinstance(trace, int) else str(trace or "")
    return shown if shown.strip("0") else None  # all zeros mean that there is no trace


def _checkpoint(context: Any, name: str) -> None:
    checkpoint = getattr(context, "checkpoint", None)
    if callable(checkpoint):
        checkpoint(name)
