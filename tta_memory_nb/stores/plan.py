"""Verbs without I/O (sans-I/O): each is written once, as a plan, and carried out by a runner.

A **plan** is a generator. It yields requests for what it needs from outside, is sent the reply to
each of them, and returns the result of its verb. An error of a request is raised inside the plan, at
its ``yield``, so the plan itself decides what an outage means.

A **runner** carries plans out. Every runner answers the requests of this module: `Pause`, `WaitFor` and
`Call`. A store may have requests of its own, such as the commands of a server, which only the
runner of that store answers. The plans of records in this process yield nothing, as a rule, so
they are done at their first step.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Awaitable, Callable, Generator
from contextlib import suppress
from functools import wraps
from threading import Lock, get_ident
from typing import Any, NamedTuple, ParamSpec, Protocol, TypeAlias, TypeVar

from ..imported import imported

P = ParamSpec("P")
T = TypeVar("T")

Plan: TypeAlias = Generator[object, Any, T]
"""Yields requests, is sent their replies, returns the result of a verb."""


# ---- requests that every runner answers


class Pause(NamedTuple):
    """Request to wait for some time; the reply is None.

    Attributes:
        seconds: how long to wait.
    """

    seconds: float


class Signal:
    """Is set once, and threads and tasks can wait for that.

    An interrupt in the middle of its methods leaves no lock taken, unlike one in the middle of those of
    `threading.Event` or `concurrent.futures.Future`.

    Attributes:
        is_set: whether it was set.
    """

    __slots__ = ("_gate", "_wakes", "is_set")

    def __init__(self) -> None:
        self.is_set = False
        self._wakes: list[Callable[[], object]] = []
        self._gate = Lock()
        self._gate.acquire()

    def set(self) -> None:
        """Sets it, and wakes those who wait for it."""
        self.is_set = True
        with suppress(RuntimeError):  # the gate is open
            self._gate.release()
        for wake in self._wakes:
            wake()

    def wait(self, seconds: float) -> None:
        """Has the calling thread wait until it is set, at most so many seconds."""
        if not self.is_set and self._gate.acquire(timeout=seconds):
            with suppress(RuntimeError):  # it was set a second time in between
                self._gate.release()  # for others

    def call(self, wake: Callable[[], object]) -> None:
        """Has a function called when it is set, in the thread that sets it; at once if it is set."""
        self._wakes.append(wake)
        if self.is_set:
            wake()


class WaitFor(NamedTuple):
    """Request to wait for a signal, for a limited time; the reply is None either way.

    A thread that runs an event loop does not wait for a signal that a task of this same loop will set:
    that task could not go on meanwhile.

    Attributes:
        done: the signal to wait for.
        seconds: the longest time to wait.
        thread: identifier of the thread that will set the signal.
    """

    done: Signal
    seconds: float
    thread: int


class Call:
    """Request to call a function that may take long, may be async, and may use the memory itself.

    The reply is what the function returns. What it raises is raised inside the plan.

    The called face (``run``) calls the function in the calling thread. If the function returns an
    awaitable, a short-lived thread with an event loop of its own awaits it, because a loop may be
    running in the calling thread.

    The awaited face (``arun``) awaits an async function on the caller's loop. It calls any other
    function in a worker thread, with the caller's context variables, so that the loop is not blocked; if that
    function returns an awaitable, the caller's loop awaits it. So a function that is not async but
    needs a running loop, for example to create a task, has to be made async. When the calling task is
    cancelled, a function in a worker thread still runs to its end, and its result is dropped.

    Args:
        function: what to call; a function, a ``partial`` or any other callable.
        *args: its positional arguments.
    """

    __slots__ = ("args", "function")

    def __init__(self, function: Callable[..., Any], *args: Any) -> None:
        self.function = function
        self.args = args


# ---- runners


class Runner(Protocol):
    """Carries plans out."""

    @property
    def client(self) -> Any:
        """The client library's object for the server; None where there is none."""
        ...

    def run(self, plan: Plan[T]) -> T:
        """Carries a plan out in the calling thread, and returns its result."""
        ...

    async def arun(self, plan: Plan[T]) -> T:
        """Carries a plan out in the calling task, and returns its result."""
        ...

    def close(self) -> None:
        """Closes all connections; a later plan opens new ones."""
        ...

    async def aclose(self) -> None:
        """As `close`, including the connections of the running loop."""
        ...


class InProcessRunner:
    """The runner of stores that keep their records in this process."""

    client = None

    def run(self, plan: Plan[T]) -> T:
        """Carries a plan out in the calling thread, and returns its result.

        Raises:
            AssertionError: the plan has asked for something that only a server can answer.
        """
        try:
            request = plan.send(None)
        except StopIteration as done:
            result: T = done.value
            return result
        return drive(plan, request, answer)

    async def arun(self, plan: Plan[T]) -> T:
        """As `run`, in the calling task."""
        try:
            request = plan.send(None)
        except StopIteration as done:
            result: T = done.value
            return result
        return await adrive(plan, request, aanswer)

    def close(self) -> None:
        """Does nothing: no connection is open."""

    async def aclose(self) -> None:
        """Does nothing: no connection is open."""


def as_plan(verb: Callable[P, T]) -> Callable[P, Plan[T]]:
    """Makes a plan of a function that needs nothing from outside."""

    @wraps(verb)
    def plan(*args: P.args, **kwargs: P.kwargs) -> Plan[T]:
        return verb(*args, **kwargs)
        yield  # makes it a generator

    return plan


# ---- what runners share


def drive(plan: Plan[T], request: object, answer: Callable[[object], Any]) -> T:
    """Carries out the rest of a plan that has begun, and returns its result.

    Args:
        plan: the plan.
        request: what it has yielded first.
        answer: gives the reply to a request, or raises.
    """
    try:
        while True:
            try:
                reply = answer(request)
            except BaseException as error:  # Ctrl-C as well: the plan has to clean up
                request = plan.throw(error)
            else:
                request = plan.send(reply)
    except StopIteration as done:
        result: T = done.value
        return result
    except BaseException:  # Ctrl-C between two steps: the plan has to clean up
        plan.close()
        raise


async def adrive(plan: Plan[T], request: object, answer: Callable[[object], Awaitable[Any]]) -> T:
    """As `drive`, with an ``answer`` that is awaited."""
    try:
        while True:
            try:
                reply = await answer(request)
            except BaseException as error:  # the cancellation of a task as well
                request = plan.throw(error)
            else:
                request = plan.send(reply)
    except StopIteration as done:
        result: T = done.value
        return result
    except BaseException:  # Ctrl-C between two steps: the plan has to clean up
        plan.close()
        raise


def answer(request: object) -> Any:
    """Answers a request of this module; the calling thread waits.

    Raises:
        AssertionError: the request is not one of this module.
    """
    if isinstance(request, Call):
        result = request.function(*request.args)
        return _await_in_thread(result) if inspect.isawaitable(result) else result
    if isinstance(request, Pause):
        time.sleep(request.seconds)
    elif isinstance(request, WaitFor):
        if request.thread != get_ident() or not _is_loop_running():
            request.done.wait(request.seconds)
    else:
        raise _unanswerable(request)
    return None


async def aanswer(request: object) -> Any:
    """As `answer`; the calling task waits."""
    import asyncio

    if isinstance(request, Call):
        return await _call(request)
    if isinstance(request, Pause):
        await asyncio.sleep(request.seconds)
    elif isinstance(request, WaitFor):
        await _wait_for(request)
    else:
        raise _unanswerable(request)
    return None


def _unanswerable(request: object) -> AssertionError:
    return AssertionError(
        f"this plan needs a server: its runner cannot answer <{type(request).__name__}>"
    )


async def _call(request: Call) -> Any:
    import asyncio

    function, args = request.function, request.args
    if _is_async(function):
        return await function(*args)

    def call() -> Any:
        try:
            return function(*args)
        except StopIteration as error:  # a future cannot hold one, so its task would never wake up
            raise RuntimeError("the called function raised StopIteration") from error

    if _is_loop_running():
        result = await asyncio.to_thread(call)
    elif trio := _running_trio():
        result = await trio.to_thread.run_sync(call)
    else:
        result = function(*args)
    return await result if inspect.isawaitable(result) else result


async def let_others_run() -> None:
    """Lets other tasks of asyncio or trio run; does nothing where a coroutine is driven by other means."""
    import asyncio

    if _is_loop_running():
        await asyncio.sleep(0)
    elif trio := _running_trio():
        await trio.lowlevel.checkpoint()


def _running_trio() -> Any:
    """Returns the package trio if it carries out the calling task, else None."""
    trio = imported("trio")
    if trio is None:
        return None
    try:
        trio.lowlevel.current_task()
    except RuntimeError:
        return None
    return trio


def _is_async(function: Callable[..., Any]) -> bool:
    """Whether a call of a function only makes a coroutine, which takes no time."""
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        getattr(type(function), "__call__", None)  # noqa: B004  not asked whether it can be called
    )


def _await_in_thread(awaitable: Awaitable[T]) -> T:
    """Awaits in a short-lived thread with an event loop of its own."""
    import asyncio
    from concurrent.futures import ThreadPoolExecutor
    from contextvars import copy_context

    async def wait() -> T:
        return await awaitable

    with ThreadPoolExecutor(1, "tta-memory-call") as pool:
        return pool.submit(copy_context().run, asyncio.run, wait()).result()


def _is_loop_running() -> bool:
    """Whether an event loop is running in the calling thread."""
    import asyncio

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


async def _wait_for(request: WaitFor) -> None:
    import asyncio

    loop, done = asyncio.get_running_loop(), asyncio.Event()

    def wake() -> None:
        with suppress(RuntimeError):  # the loop has been closed
            loop.call_soon_threadsafe(done.set)

    request.done.call(wake)
    with suppress(TimeoutError):
        async with asyncio.timeout(request.seconds):
            await done.wait()
