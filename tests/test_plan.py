"""Plans and their requests, answered by the runner of each kind of store."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Generator, Iterator
from contextvars import ContextVar
from functools import partial
from typing import Any

import pytest
from backends import on_a_stand_in
from real_servers import need

from tta_memory_nb import MemoryPrimitive
from tta_memory_nb.stores.plan import (
    Call,
    InProcessRunner,
    Pause,
    Plan,
    Runner,
    Signal,
    WaitFor,
    as_plan,
)
from tta_memory_nb.stores.redis.addresses import parse_address
from tta_memory_nb.stores.redis.runner import RedisRunner

RUNNERS: dict[str, Callable[[], Runner]] = {
    "in-process": InProcessRunner,
    "redis": lambda: RedisRunner(parse_address(need("valkey").url), 10.0, b"any key"),
    "stand-in": lambda: on_a_stand_in()._runner,
}


@pytest.fixture(params=RUNNERS)
def runner(request: pytest.FixtureRequest) -> Iterator[Runner]:
    it = RUNNERS[request.param]()
    yield it
    it.close()


@pytest.fixture(params=["called", "awaited"])
def carry_out(request: pytest.FixtureRequest, runner: Runner) -> Callable[[Plan[Any]], Any]:
    """Runs a plan on one of the two faces."""
    if request.param == "called":
        return runner.run

    async def awaited(plan: Plan[Any]) -> Any:
        result = await runner.arun(plan)
        await runner.aclose()
        return result

    return lambda plan: asyncio.run(awaited(plan))


def plan_of(*requests: object) -> Generator[object, Any, list[Any]]:
    """Returns a plan that makes some requests and returns the replies."""
    replies = []
    for request in requests:
        reply = yield request
        replies.append(reply)
    return replies


async def doubled(number: int) -> int:
    await asyncio.sleep(0)
    return 2 * number


class Doubles:
    async def __call__(self, number: int) -> int:
        return await doubled(number)


def test_a_plan_without_requests_returns_its_result(carry_out):
    assert carry_out(as_plan(lambda: 5)()) == 5


def test_the_result_of_a_called_function_is_the_reply(carry_out):
    calls = (
        Call(lambda a, b: (a, b), 1, "two"),
        Call(dict),
        Call(doubled, 2),
        Call(partial(doubled, 3)),
        Call(Doubles(), 4),
        Call(lambda: doubled(5)),  # not async, but its result can be awaited
    )
    assert carry_out(plan_of(*calls)) == [(1, "two"), {}, 4, 6, 8, 10]


@pytest.mark.parametrize("error", [ValueError("x"), StopIteration(1), StopAsyncIteration()])
@pytest.mark.parametrize("kind", ["plain", "async"])
def test_an_error_of_a_called_function_is_raised_inside_the_plan(carry_out, kind, error):
    def plain() -> None:
        raise error

    async def awaitable() -> None:
        raise error

    def plan() -> Plan[str]:
        try:
            yield Call(plain if kind == "plain" else awaitable)
        except type(error):
            return "the plan goes on"
        except RuntimeError as instead:  # a coroutine cannot raise a StopIteration
            return "the plan goes on" if instead.__cause__ is error else "another error"
        return "nothing was raised"

    assert carry_out(plan()) == "the plan goes on"
    with pytest.raises((type(error), RuntimeError)):
        carry_out(plan_of(Call(plain)))


def test_the_called_face_calls_in_its_own_thread_and_awaits_beside_a_running_loop(runner):
    async def in_a_loop() -> list[Any]:
        async def other() -> tuple[int, int]:
            return threading.get_ident(), id(asyncio.get_running_loop())

        here = (threading.get_ident(), id(asyncio.get_running_loop()))
        thread, (other_thread, other_loop) = runner.run(
            plan_of(Call(threading.get_ident), Call(other))
        )
        return [thread == here[0], other_thread == here[0], other_loop == here[1]]

    assert asyncio.run(in_a_loop()) == [True, False, False]


async def test_the_awaited_face_awaits_on_its_loop_and_calls_in_a_thread(runner):
    async def here() -> tuple[int, int]:
        return threading.get_ident(), id(asyncio.get_running_loop())

    def plain() -> Awaitable[tuple[int, int]]:
        return here()

    on_loop = await here()
    found = await runner.arun(plan_of(Call(here), Call(plain), Call(threading.get_ident)))
    assert found[:2] == [on_loop, on_loop]
    assert found[2] != on_loop[0]
    await runner.aclose()


async def test_a_function_that_blocks_does_not_block_the_loop(runner):
    released = threading.Event()
    task = asyncio.create_task(runner.arun(plan_of(Call(released.wait, 30))))
    await asyncio.sleep(0)  # the task has begun, and the function may be running
    released.set()  # only this task can end the wait
    assert await task == [True]
    await runner.aclose()


def test_context_variables_are_those_of_the_caller(carry_out):
    variable: ContextVar[str] = ContextVar("variable", default="none")

    async def awaited() -> str:
        return variable.get()

    token = variable.set("the caller's")
    try:
        assert carry_out(plan_of(Call(variable.get), Call(awaited))) == ["the caller's"] * 2
    finally:
        variable.reset(token)


def test_a_called_function_may_use_the_memory(request):
    for memory in (
        MemoryPrimitive(),
        MemoryPrimitive(need("valkey").url, namespace=request.node.name),
    ):
        memory.sync.add("k", {"n": 1})

        async def awaited(memory: MemoryPrimitive = memory) -> Any:
            return await memory.get("k")

        found = memory._runner.run(plan_of(Call(memory.sync.get, "k"), Call(awaited)))
        assert found == [{"n": 1}, {"n": 1}]

        async def both(memory: MemoryPrimitive = memory, call: Any = awaited) -> Any:
            found = await memory._runner.arun(plan_of(Call(memory.sync.get, "k"), Call(call)))
            await memory.aclose()
            return found

        assert asyncio.run(both()) == found
        memory.sync.clear()
        memory.sync.close()


async def test_a_cancelled_task_is_cancelled_inside_the_plan(runner):
    seen: list[str] = []
    began = asyncio.Event()

    async def never() -> None:
        began.set()
        await asyncio.Event().wait()

    def plan() -> Plan[None]:
        try:
            yield Call(never)
        except asyncio.CancelledError:
            seen.append("cleaned up")
            raise

    task = asyncio.create_task(runner.arun(plan()))
    await began.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert seen == ["cleaned up"]
    await runner.aclose()


def test_a_plan_may_pause_and_wait(carry_out):
    done, open_one = Signal(), Signal()
    done.set()
    elsewhere = threading.get_ident() + 1
    assert carry_out(
        plan_of(Pause(0), WaitFor(done, 30, elsewhere), WaitFor(open_one, 0, elsewhere))
    ) == [None, None, None]


@pytest.mark.parametrize("face", ["called", "awaited"])
def test_the_in_process_runner_refuses_server_requests(face):
    runner, plan = InProcessRunner(), plan_of(("PING",))
    carry_out = runner.run if face == "called" else lambda plan: asyncio.run(runner.arun(plan))
    with pytest.raises(AssertionError, match=r"needs a server: .* cannot answer <tuple>"):
        carry_out(plan)
