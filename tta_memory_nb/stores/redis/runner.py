"""Carries out plans on a server: `RedisRunner.run` blocks the thread, `RedisRunner.arun` awaits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from threading import BoundedSemaphore, Lock
from typing import Any, TypeVar

from redis.exceptions import MovedError

from ...errors import ServerError, StoreUnavailable
from ..plan import Plan, aanswer, adrive, answer, drive
from .addresses import Address
from .connections import MOST, ClientFactory, LoopClient, SharedClient, Work
from .faults import ERRORS, is_outage, timed_out, translated
from .wire import Command, Meanwhile

T = TypeVar("T")


class RedisRunner:
    """The runner of plans on one server.

    Args:
        address: of the server.
        timeout: seconds that one command may take.

    Raises:
        InvalidArgument: the address has an option that redis-py does not know.
    """

    def __init__(self, address: Address, timeout: float) -> None:
        self._address = address
        self._is_cluster = address.kind == "cluster"
        self._timeout = timeout
        self._factory = ClientFactory(address, timeout)
        self._lock = Lock()
        self._shared: SharedClient | None = None
        self._slots = BoundedSemaphore(MOST)
        self._loops: dict[asyncio.AbstractEventLoop, LoopClient] = {}
        self._opening: dict[asyncio.AbstractEventLoop, asyncio.Lock] = {}

    @property
    def client(self) -> Any:
        """The client of redis-py that threads share; None before the first command."""
        shared = self._shared
        return None if shared is None else shared.client

    # ---- called

    def run(self, plan: Plan[T]) -> T:
        """Carries a plan out in the calling thread, and returns its result."""
        try:
            request = plan.send(None)
        except StopIteration as done:
            result: T = done.value
            return result
        return drive(plan, request, self._answer)

    def _answer(self, request: object) -> Any:
        if type(request) is tuple:
            return self._ask(request, None)
        if isinstance(request, Meanwhile):
            return self._ask(*request)
        return answer(request)

    def _ask(self, command: Command, work: Work | None) -> Any:
        if not self._slots.acquire(timeout=self._timeout):
            raise timed_out(self._address.shown, self._timeout)
        try:
            return (self._shared or self._open()).ask(command, work)
        except ERRORS as error:
            if self._may_have_moved(error):
                self._drop()
            raise self._translated(error) from None
        finally:
            self._slots.release()

    def _open(self) -> SharedClient:
        with self._lock:
            if self._shared is None:
                client = self._factory.make(awaited=False)
                self._shared = SharedClient(client, is_cluster=self._is_cluster)
            return self._shared

    def _drop(self) -> None:
        """Closes the shared client; the next command makes another one."""
        with self._lock:
            shared, self._shared = self._shared, None
        if shared is not None:
            shared.close()

    # ---- awaited

    async def arun(self, plan: Plan[T]) -> T:
        """Carries a plan out in the calling task, and returns its result."""
        try:
            request = plan.send(None)
        except StopIteration as done:
            result: T = done.value
            return result
        return await adrive(plan, request, self._aanswer)

    async def _aanswer(self, request: object) -> Any:
        if type(request) is tuple:
            return await self._aask(request, None)
        if isinstance(request, Meanwhile):
            return await self._aask(*request)
        return await aanswer(request)

    async def _aask(self, command: Command, work: Work | None) -> Any:
        try:
            return await self._ask_on_loop(command, work)
        except MovedError:
            # Another node has these keys now; a new client knows which.
            pass
        try:
            return await self._ask_on_loop(command, work)
        except MovedError as error:
            raise self._translated(error) from None

    async def _ask_on_loop(self, command: Command, work: Work | None) -> Any:
        """The reply to a command that was sent with the client of the running loop.

        Raises:
            MovedError: another node of the Cluster has these keys; this client is not used again.
        """
        loop = asyncio.get_running_loop()
        here = self._loops.get(loop) or await self._open_on_loop()
        here.busy += 1
        try:
            async with asyncio.timeout(self._timeout), here.slots:
                return await here.ask(command, work)
        except ERRORS as error:
            if self._may_have_moved(error) and self._loops.get(loop) is here:
                del self._loops[loop], self._opening[loop]
            if isinstance(error, MovedError):
                raise
            raise self._translated(error) from None
        finally:
            here.busy -= 1
            # The last task that uses a discarded client closes it.
            if not here.busy and self._loops.get(loop) is not here:
                await here.closing.aclose()

    async def _open_on_loop(self) -> LoopClient:
        loop = asyncio.get_running_loop()
        for other in [other for other in self._loops if other.is_closed()]:
            del self._loops[other], self._opening[other]
        # One task opens the client for all: a client of a Cluster that several tasks open at once loses
        # connections.
        async with self._opening.setdefault(loop, asyncio.Lock()):
            if loop in self._loops:
                return self._loops[loop]
            try:
                async with asyncio.timeout(self._timeout):
                    client = self._factory.make(awaited=True)
                    here = LoopClient(client, is_cluster=self._is_cluster)
                    await here.open()
            except ERRORS as error:
                raise self._translated(error) from None
            self._loops[loop] = here
            # `asyncio.run` closes the asynchronous generators of its loop at the end, and so the client.
            here.closing = self._closed_with_its_loop(loop, here)
            await anext(here.closing)
            return here

    async def _closed_with_its_loop(
        self, loop: asyncio.AbstractEventLoop, here: LoopClient
    ) -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            if self._loops.get(loop) is here:
                del self._loops[loop], self._opening[loop]
            await here.aclose()

    # ---- both

    def close(self) -> None:
        """Closes all connections of threads; a later plan opens new ones."""
        self._drop()
        with self._lock:
            self._factory.release()

    async def aclose(self) -> None:
        """As `close`, including the connections of the running loop."""
        here = self._loops.get(asyncio.get_running_loop())
        if here is not None:
            await here.closing.aclose()
        self.close()

    def _may_have_moved(self, error: BaseException) -> bool:
        """Whether a new client may find another server, or has to start one."""
        return self._address.kind != "single" and is_outage(error)

    def _translated(self, error: BaseException) -> StoreUnavailable | ServerError:
        return translated(error, self._address.shown, self._timeout)
