"""Verbs without I/O: written once, carried out by whoever may wait, in whichever way.

A **plan** is a verb on its way: a generator that yields what it needs from outside, is sent what
came of it, and returns the result. What can go wrong outside is raised inside the plan, where it
stands, so that a plan can deal with an outage as well. A **runner** carries plans out: one waits
with ``await``, another one just waits. The in-memory backend needs nothing from outside, so its
plans are done at the first step.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future
from functools import wraps
from typing import Any, NamedTuple, ParamSpec, Protocol, TypeAlias, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Prepared:
    """Arguments of a command, already as they go over the wire.

    Args:
        arguments: what it stands for.
    """

    __slots__ = ("arguments", "wire")

    def __init__(self, arguments: Sequence[bytes]) -> None:
        self.arguments = arguments
        self.wire = on_the_wire(arguments)


def on_the_wire(arguments: Iterable[bytes | str | float]) -> bytes:
    """Arguments as bulk strings of the Redis protocol."""
    parts = []
    for argument in arguments:
        data = argument if type(argument) is bytes else str(argument).encode()
        parts.append(b"$%d\r\n%b\r\n" % (len(data), data))
    return b"".join(parts)


Command: TypeAlias = tuple[bytes | str | float | Prepared, ...]
"""A command of the Redis protocol: its name and its arguments."""


class Pause(NamedTuple):
    """Asks for some time to pass."""

    seconds: float


class Meanwhile(NamedTuple):
    """A command, and something to do while the server is at it."""

    command: Command
    work: Callable[[], None]


class Until(NamedTuple):
    """Asks to wait until something is done, but no longer than some seconds.

    Nobody waits for it where that would hold it up: a thread does not wait for what a task of its own
    loop does.

    Attributes:
        done: what to wait for.
        seconds: how long, at most.
        thread: where it is being done.
    """

    done: Future[None]
    seconds: float
    thread: int


Request: TypeAlias = Command | Meanwhile | Pause | Until

Plan: TypeAlias = Generator[Request, Any, T]
"""Yields requests, is sent their replies (for a wait: None), returns the result of a verb."""


class Runner(Protocol):
    """Carries plans out."""

    @property
    def client(self) -> Any:
        """What it asks with: of redis-py, or None."""
        ...

    def run(self, plan: Plan[T]) -> T:
        """The result of a plan; the calling thread waits for it."""
        ...

    async def arun(self, plan: Plan[T]) -> T:
        """The result of a plan; the calling task waits for it."""
        ...

    def close(self) -> None:
        """Lets go of what is open; a plan that comes later opens it again."""
        ...

    async def aclose(self) -> None:
        """As `close`, with what belongs to the running loop."""
        ...


class AtOnce:
    """The runner of plans that need nothing from outside."""

    client = None

    def run(self, plan: Plan[T]) -> T:
        """The result of a plan, which must not yield."""
        try:
            plan.send(None)
        except StopIteration as done:
            result: T = done.value
            return result
        raise AssertionError("this plan needs a server")

    async def arun(self, plan: Plan[T]) -> T:
        """As `run`."""
        return self.run(plan)

    def close(self) -> None:
        """There is nothing open."""

    async def aclose(self) -> None:
        """There is nothing open."""


def at_once(verb: Callable[P, T]) -> Callable[P, Plan[T]]:
    """The plan of a verb that needs nothing from outside."""

    @wraps(verb)
    def plan(*args: P.args, **kwargs: P.kwargs) -> Plan[T]:
        return verb(*args, **kwargs)
        yield  # makes it a generator

    return plan
