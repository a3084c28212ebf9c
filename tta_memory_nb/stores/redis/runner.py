"""Carries out plans on a server: `RedisRunner.run` blocks the thread, `RedisRunner.arun` awaits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from threading import Lock
from typing import Any, TypeVar

from redis.exceptions import ResponseError

from ...errors import ServerError, StoreUnavailable
from ..forks import after_fork_in_child, guarded
from ..plan import Plan, aanswer, adrive, answer, drive
from .addresses import Address
from .connections import ClientFactory, close_client
from .dialing import Dialer, Greeting
from .faults import ERRORS, AnotherServer, Busy, Slow, has_moved, is_outage, translated
from .lines import Lines
from .pool import Pool, Work
from .wire import Meanwhile, Message, Pipelined

T = TypeVar("T")

# What a forked process has of its parent's connections.
_inherited: list[object] = []


class RedisRunner:
    """The runner of plans on one server.

    Args:
        address: of the server.
        timeout: seconds without a byte after which a connection is taken for dead.
        key: any key of the namespace that the plans are about; a Cluster has it on one node.

    Raises:
        InvalidArgument: the address has an option that redis-py does not know.
    """

    def __init__(self, address: Address, timeout: float, key: bytes) -> None:
        self._address = address
        self._factory = ClientFactory(address, timeout)
        self._dialer = Dialer(self._factory, address, key)
        self._pool = Pool(self._dialer, self._factory.limits)
        self._lock = guarded(Lock(), 4)
        after_fork_in_child(self._begin_in_child)
        self._client: Any = None
        self._has_resent = False
        self._loops: dict[asyncio.AbstractEventLoop, _OnLoop] = {}

    def greet_with(self, greeting: Greeting) -> None:
        """Has a command sent first on every connection, before any other."""
        self._dialer.greeting = greeting

    @property
    def client(self) -> Any:
        """A client of redis-py for the same server, made when it is asked for first."""
        with self._lock:
            if self._client is None:
                self._client = self._factory.client()
            return self._client

    # ---- called

    def run(self, plan: Plan[T]) -> T:
        """Carries a plan out in the calling thread, and returns its result."""
        try:
            request = plan.send(None)
        except StopIteration as done:
            result: T = done.value
            return result
        except BaseException:  # Ctrl-C: the plan has to clean up
            plan.close()
            raise
        return drive(plan, request, self._answer)

    def _answer(self, request: object) -> Any:
        if type(request) is tuple:
            return self._ask(request, None)
        if isinstance(request, Meanwhile):
            return self._ask(*request)
        if isinstance(request, Pipelined):
            return self._each_translated(self._ask(request, None))
        return answer(request)

    def _ask(self, command: Message, work: Work | None) -> Any:
        try:
            try:
                reply = self._pool.ask(command, work)
                return reply if type(command) is tuple else _checked(command, reply)
            except ResponseError as error:
                if not has_moved(error):
                    raise
                self._move(error)
            return _checked(command, self._pool.ask(command, None))
        except (*ERRORS, Slow, Busy) as error:
            self._note(error)
            raise self._translated(error) from None

    # ---- awaited

    async def arun(self, plan: Plan[T]) -> T:
        """Carries a plan out in the calling task, and returns its result."""
        try:
            request = plan.send(None)
        except StopIteration as done:
            result: T = done.value
            return result
        except BaseException:  # Ctrl-C: the plan has to clean up
            plan.close()
            raise
        has_begun = False

        async def answer(request: object) -> Any:
            nonlocal has_begun
            goes_on, has_begun = has_begun, True
            if type(request) is tuple:
                return await self._aask(request, None, goes_on)
            if isinstance(request, Meanwhile):
                return await self._aask(*request, goes_on)
            if isinstance(request, Pipelined):
                return self._each_translated(await self._aask(request, None, goes_on))
            return await aanswer(request)

        return await adrive(plan, request, answer)

    async def _aask(self, command: Message, work: Work | None, goes_on: bool) -> Any:
        here = self._loops.get(asyncio.get_running_loop()) or await self._begin_on_loop()
        lines = here.lines_for(command)
        try:
            try:
                return _checked(command, await lines.ask(command, work, goes_on=goes_on))
            except ResponseError as error:
                if not has_moved(error):
                    raise
                self._move(error)
                await lines.aclose()
            return _checked(command, await lines.ask(command, None, goes_on=True))
        except (*ERRORS, Slow, Busy) as error:
            self._note(error)
            raise self._translated(error) from None

    async def _begin_on_loop(self) -> _OnLoop:
        loop = asyncio.get_running_loop()
        limits = self._factory.limits
        lines = Lines(self._dialer, limits)
        # An address that limits the connections has one kind of them only.
        aside = Lines(self._dialer, limits, 1) if limits.connections is None else lines
        here = _OnLoop(lines, aside)
        with self._lock:
            for other in [other for other in self._loops if other.is_closed()]:
                del self._loops[other]
            self._loops[loop] = here
        # `asyncio.run` closes the asynchronous generators of its loop at the end, and so the connections.
        here.closing = self._closed_with_its_loop(loop, here)
        await anext(here.closing)
        return here

    async def _closed_with_its_loop(
        self, loop: asyncio.AbstractEventLoop, here: _OnLoop
    ) -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            with self._lock:
                self._loops.pop(loop, None)
            await here.lines.aclose()
            await here.aside.aclose()
            self._has_resent |= here.lines.has_resent

    # ---- both

    def _begin_in_child(self) -> None:
        """Leaves the connections to the parent process, after a fork."""
        # Not closed, which would tell the parent's loops; and not collected, which would close them.
        _inherited.append((self._loops, self._client))
        self._loops, self._client = {}, None

    def close(self) -> None:
        """Closes all connections of threads; a later plan opens new ones."""
        self._pool.close()
        with self._lock:
            client, self._client = self._client, None
            self._dialer.forget()
            self._factory.release()
        if client is not None:
            close_client(client)

    async def aclose(self) -> None:
        """As `close`, including the connections of the running loop."""
        here = self._loops.get(asyncio.get_running_loop())
        if here is not None:
            await here.closing.aclose()
        self.close()

    @property
    def may_fail_over(self) -> bool:
        """Whether another server may take the place of the one that is asked."""
        return self._address.kind in ("sentinel", "cluster")

    @property
    def is_embedded(self) -> bool:
        """Whether the server is one of this user's own, see `stores.embedded`."""
        return self._address.kind == "embedded"

    @property
    def has_resent(self) -> bool:
        """Whether a command was sent twice, so that the first one may arrive late."""
        return (
            self._has_resent
            or self._pool.has_resent
            or any(here.lines.has_resent for here in list(self._loops.values()))
        )

    def has_failed_over(self) -> bool:
        """Asks, in the calling thread, whether another server has taken its place.

        Raises:
            StoreUnavailable: nobody says.
        """
        try:
            moved = self._dialer.has_moved()
        except ERRORS as error:
            raise self._translated(error) from None
        if moved:
            self._note(AnotherServer())
        return moved

    def settle(self) -> bool:
        """Allows commands to the server that there is now; returns whether it is another one than before."""
        return self._dialer.settle()

    def _note(self, error: BaseException) -> None:
        """Has the server looked for anew after an error that may mean that it is another one now."""
        if self._address.kind == "single" or not is_outage(error):
            return
        self._dialer.forget()
        self._pool.close()
        with self._lock:
            loops = list(self._loops.items())
        for loop, here in loops:
            with suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(here.close_outdated)

    def _each_translated(self, replies: list[Any]) -> list[Any]:
        """Returns replies with errors of this package in the places of those of redis-py."""
        for at, reply in enumerate(replies):
            if isinstance(reply, ResponseError):
                self._note(reply)
                replies[at] = self._translated(reply)
        return replies

    def _move(self, error: ResponseError) -> None:
        """Looks for the node of a Cluster that has the namespace now."""
        self._dialer.redirect(str(error))
        self._pool.close()

    def _translated(self, error: BaseException) -> StoreUnavailable | ServerError:
        return translated(error, self._address.shown, self._factory.limits.silence)


class _OnLoop:
    """What the runner has on one event loop.

    Attributes:
        lines: the connections.
        aside: the connection for commands that the server may wait with, so that they hold up no others.
        closing: a generator that closes them when the loop shuts down its generators.
    """

    closing: AsyncGenerator[None, None]

    def __init__(self, lines: Lines, aside: Lines) -> None:
        self.lines = lines
        self.aside = aside

    def lines_for(self, command: Message) -> Lines:
        """Returns the connections for a command."""
        may_block = type(command) is Pipelined and command.may_block
        return self.aside if may_block else self.lines

    def close_outdated(self) -> None:
        """Closes connections to a server that does not count any more."""
        self.lines.close_outdated()
        self.aside.close_outdated()


def _checked(command: Message, reply: Any) -> Any:
    """Returns a reply, unless one of several says that another node of a Cluster has the keys.

    Raises:
        ResponseError: it does.
    """
    if type(command) is Pipelined:
        for each in reply:
            if isinstance(each, ResponseError) and has_moved(each):
                raise each
    return reply
