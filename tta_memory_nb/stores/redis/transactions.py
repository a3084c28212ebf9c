"""The scripts on a server that refuses to run any: here, each as a transaction.

A script runs in this process (`interpreter.py`), between a WATCH of the namespace's keys and an EXEC. What it
reads is asked for at once, over the same connection; what it writes waits (`overlay.py`) and is sent in
one go, from MULTI to EXEC. The server carries out all of it, if nobody has written to these keys since
the WATCH, and else nothing: then the script starts over, and sees what others wrote. So what it has
read was true at the instant at which it writes, as if the server had run it. A script that has read more
than once and writes nothing ends with an empty MULTI and EXEC, which say whether all of that was true at once.

There are no deadlines, as scripts on the server have them. An EXEC that arrives late, when its client has
given it up and written to its journal, does nothing if anybody has written meanwhile; if nobody has, it
overtakes no one, and what is replayed from the journal bears the same number and is not done again.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from time import monotonic
from typing import Any

from ...errors import ServerError, StoreUnavailable
from ..plan import Pause, Plan, Prepared, Steps, Transaction
from ..turns import Turns
from . import scripts
from .interpreter import Interpreter
from .overlay import Command, Overlay

# How long to wait before starting over, and at most: seconds, which double.
_FIRST_DELAY, _LONGEST_DELAY = 0.001, 0.064

_MULTI, _EXEC = (b"MULTI",), (b"EXEC",)

_CHANGED = object()
"""Stands for a result when somebody else has written meanwhile."""


class Transactions:
    """Runs the scripts of one namespace.

    Args:
        keys: of the namespace.
        timeout: seconds after which a script is not started over any more.

    Raises:
        MissingPackage: there is no Lua.
    """

    def __init__(self, keys: Sequence[bytes], timeout: float) -> None:
        self._keys = keys
        self._timeout = timeout
        # Of its own: whoever has seeded the common one wants the same numbers each time.
        self._chance = random.Random()  # noqa: S311
        self._begin()

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._interpreter = Interpreter()
        self._turns = Turns()

    def run(
        self,
        script: scripts.Script,
        arguments: Callable[[], Iterable[Any]],
        work: Callable[[], None] | None = None,
    ) -> Plan[Any]:
        """What a script returns.

        Args:
            script: which one.
            arguments: gives them, as they would be sent to the server, when its turn has come.
            work: what to do while the server is at it.
        """
        if self._pid != os.getpid():
            self._begin()  # whose turn it was in the process that forked, never ends here
        turns = self._turns
        turn = yield from turns.wait(self._timeout)
        try:
            return (yield from self._run(script, list(_bytes(arguments())), work))
        except StoreUnavailable as error:
            turns.fail(turn, error)
            raise
        finally:
            turns.leave(turn)

    def _run(
        self, script: scripts.Script, argv: list[bytes], work: Callable[[], None] | None
    ) -> Plan[Any]:
        ahead: Sequence[Command] = _likely(script, self._keys, argv)
        deadline = monotonic() + self._timeout
        delay = _FIRST_DELAY
        while True:
            attempt = _Attempt(self._interpreter, self._keys, script, argv, ahead)
            result = yield Transaction(self._keys[0], attempt.steps, work)
            if result is not _CHANGED:
                return result
            if monotonic() > deadline:
                raise StoreUnavailable(
                    f"others write to this namespace all the time, for {self._timeout:g} s"
                )
            yield Pause(self._chance.uniform(0, delay))
            delay = min(2 * delay, _LONGEST_DELAY)
            # All at once, which is quicker and so more likely to be done before others write.
            ahead, work = list(dict.fromkeys((*ahead, *attempt.asked))), None


# What a script is going to read is asked for at once, together with the WATCH, where its arguments tell.
# This is about round trips alone: what it reads besides is asked for when it does, and what it does
# not read was asked in vain.


def _likely(script: scripts.Script, keys: Sequence[bytes], argv: Sequence[bytes]) -> list[Command]:
    """Commands that a script is likely to ask."""
    values, order, expiries, meta, log = keys
    now = argv[0] if argv else b""
    likely: list[Command] = []

    def fields(key: bytes, names: Iterable[bytes]) -> None:
        if names := tuple(dict.fromkeys(names)):
            likely.append((b"HMGET", key, *names))

    def places(members: Sequence[bytes], *keys: bytes) -> None:
        for key in keys:
            likely.append((b"ZCARD", key))
            likely.extend((b"ZSCORE", key, each) for each in members)

    if script in _WITH_COUNTERS:
        fields(meta, (b"seq", b"evicted", b"max", b"client:" + argv[3]))
    if script in (scripts.PUT, scripts.REPLAY, scripts.ABOUT):
        most = argv[1] if script is scripts.ABOUT else b"100"
        likely.append((b"ZRANGEBYSCORE", expiries, b"-inf", now, b"LIMIT", b"0", most))
    if script is scripts.SET:
        fields(meta, (b"seq", b"max", b"client:" + argv[3]))
        fields(values, argv[5:6])
    elif script is scripts.GET:
        fields(meta, (b"seq",))
        fields(values, argv[1:])
    elif script is scripts.PUT:
        fields(values, argv[6::3])
        if argv[5] == b"1":
            places(argv[6::3], order)
    elif script is scripts.REMOVE:
        names = argv[6::2] if argv[5] == b"1" else argv[6:]
        fields(values, names)
        places(names, order, log)
    elif script is scripts.REVERT:
        end = 7 + 2 * int(argv[6])
        fields(values, (*argv[7:end:2], *argv[end::4]))
        places(argv[7:end:2], order, log)
    elif script is scripts.REPLAY:
        fields(meta, (b"cleared", b"cleared_seq"))
        fields(values, _replayed(argv))
    elif script is scripts.ABOUT:
        likely.append((b"EXISTS", meta))
        likely.append((b"ZCOUNT", expiries, b"-inf", now))
        likely += ((b"ZCARD", order), (b"ZCARD", expiries))
    elif script is scripts.KEYS:
        likely.append((b"ZRANGE", order, b"0", b"-1"))
        likely.append((b"ZRANGEBYSCORE", expiries, b"-inf", now))
    elif script is scripts.SYNC:
        fields(meta, (b"seq", b"epoch", b"trimmed"))
        limit = (b"+inf", b"WITHSCORES", b"LIMIT", b"0", b"1000")
        for key, since in ((order, argv[2]), (log, argv[3])):
            if since != b"0":  # else it knows nothing, and starts from the other end
                likely.append((b"ZRANGEBYSCORE", key, b"(" + since, *limit))
    return likely


_WITH_COUNTERS = {
    *(scripts.PUT, scripts.REMOVE, scripts.CLEAR, scripts.RESIZE, scripts.REVERT, scripts.REPLAY),
    *(scripts.PURGE, scripts.ABOUT),
}


def _replayed(argv: Sequence[bytes]) -> Iterator[bytes]:
    """The keys of the writes that are replayed."""
    at = 6
    while at < len(argv):
        kind, count = argv[at + 1], int(argv[at + 3])
        width = 3 if kind == b"set" else 1
        yield from argv[at + 4 : at + 4 + count * width : width]
        at += 4 + count * width


class _Attempt:
    """One attempt at a script.

    Args:
        interpreter: runs it.
        keys: of the namespace.
        script: which one.
        argv: its arguments.
        ahead: commands that it is likely to ask.
    """

    def __init__(
        self,
        interpreter: Interpreter,
        keys: Sequence[bytes],
        script: scripts.Script,
        argv: Sequence[bytes],
        ahead: Sequence[Command],
    ) -> None:
        self._interpreter = interpreter
        self._keys = keys
        self._script = script
        self._argv = argv
        self._ahead = ahead
        self.asked: dict[Command, None] = {}
        """The commands that it has asked, in their order."""
        self._known: dict[Command, Any] = {}
        self._overlay = Overlay()
        self._calls = 0
        self._opening: Sequence[Command] = ()

    def steps(self) -> Steps:
        """What the script returns, or `_CHANGED`."""
        # The first two show that transactions are not refused, before anything depends on it; and the
        # EXEC lets go of what has been watched before over this connection.
        self._opening = (_MULTI, _EXEC, (b"WATCH", *self._keys))
        self.asked, self._known, self._calls = {}, {}, 0
        overlay = self._overlay = Overlay()
        failure: ServerError | None = None
        result: Any = None
        try:
            if self._ahead:
                yield from self._look(self._ahead)
            result = yield from self._run()
        except ServerError as error:
            failure = error
        writes = overlay.writes if failure is None else ()
        if not writes and self._calls < 2:
            # It has looked once, if at all, so there is nothing that may not have been true at once.
            if failure is not None:
                raise failure
            return result
        replies = yield [*self._opening, _MULTI, *writes, _EXEC]
        for reply in replies:
            _raise(reply)
        if replies[-1] is None:
            return _CHANGED
        if failure is not None:
            raise failure
        for reply in replies[-1]:
            _raise(reply)
        return result

    def _run(self) -> Steps:
        running = self._interpreter.run(self._script, self._keys, self._argv)
        try:
            call = next(running)
            while True:
                self._calls += 1
                look = self._overlay.carry_out(*call)
                try:
                    commands = next(look)
                    while True:
                        commands = look.send((yield from self._ask(commands)))
                except StopIteration as done:
                    call = running.send(done.value)
                except ServerError as error:
                    call = running.throw(error)
        except StopIteration as done:
            return done.value

    def _ask(self, commands: Sequence[Command]) -> Steps:
        """What the server says, in the words of its older protocol, which scripts understand."""
        self.asked.update(dict.fromkeys(commands))
        unknown = [each for each in commands if each not in self._known]
        if unknown:
            follow: list[Command] = []
            if self._script is scripts.SYNC:
                # Of those that have come back it asks the places next, one by one.
                values, order, *_ = self._keys
                follow = [
                    (b"ZSCORE", order, field)
                    for command in unknown
                    if command[:2] == (b"HMGET", values)
                    for field in command[2:]
                    if not self._overlay.knows_score(order, field)
                ]
            yield from self._look([*unknown, *follow])
        found = [self._known[each] for each in commands]
        for each in found:
            _raise(each)
        return found

    def _look(self, commands: Sequence[Command]) -> Steps:
        opening, self._opening = self._opening, ()
        replies = yield [*opening, *commands]
        for reply in replies[: len(opening)]:
            _raise(reply)
        for command, reply in zip(commands, replies[len(opening) :], strict=True):
            self._known[command] = reply = _in_resp2(reply)
            if not isinstance(reply, Exception):
                self._overlay.learn(command, reply)


def _bytes(arguments: Iterable[Any]) -> Iterable[bytes]:
    return chain.from_iterable(
        each.arguments
        if isinstance(each, Prepared)
        else (each if type(each) is bytes else str(each).encode(),)
        for each in arguments
    )


def _raise(reply: Any) -> None:
    if isinstance(reply, Exception):
        raise reply


def _in_resp2(reply: Any) -> Any:
    """A reply as scripts get it, whichever protocol the connection speaks."""
    if type(reply) is dict:
        return list(chain.from_iterable(reply.items()))
    if type(reply) is float:
        return repr(reply).encode() if not reply.is_integer() else b"%d" % reply
    if type(reply) is list and reply and type(reply[0]) is list:
        return [part for member, score in reply for part in (member, _in_resp2(score))]
    return reply
