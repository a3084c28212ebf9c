"""Waits until what a server has acknowledged is on its disk, or on its replicas.

A **barrier** is a tiny write, followed by ``WAIT`` or ``WAITAOF`` on the same connection. A server writes its
append-only file, and what its replicas receive, in the order of its writes. So a barrier covers every write
that the server had acknowledged before the barrier was sent, on whatever connection that was: many writes
share one barrier (group commit), and the connections of other commands never wait. The tiny write is needed
because both commands wait for the last write of their own connection only.
"""

from __future__ import annotations

from threading import Lock
from time import monotonic
from typing import Any, NamedTuple

from ...errors import NotDurable, ServerError, StoreUnavailable
from ..durability import Durability
from ..forks import guarded
from ..locks import AdvisoryLock, Ticket
from ..plan import Plan
from .wire import Command, Pipelined

# Seconds more than the timeout that a disk may take: by default, servers bring their file there once a second, and a
# busy disk may put that off once.
_DISK_EXTRA = 2.0

# A server is asked to wait for such a part of the timeout at most, and is then asked again. So a
# connection that has been silent for the timeout is dead, as all others.
_SLICES = 4

# A full server allows a script to write that has begun with a command that frees.
_MARK = b"redis.call('HDEL',KEYS[1],'') return redis.call('HSET',KEYS[1],'durable','1')"


class Held(NamedTuple):
    """What a barrier has found.

    Attributes:
        number: of the barrier.
        asked: when it was sent, in seconds of the monotonic clock. It covers what was acknowledged before.
        on_disk: whether the server has the writes on its disk; None if it was not asked.
        replicas: how many replicas have them; None if nobody was asked.
        reason: why it does not hold; empty if it does.
    """

    number: int
    asked: float
    on_disk: bool | None
    replicas: int | None
    reason: str = ""


class Barrier:
    """The barriers of one store.

    Args:
        durability: what must hold.
        meta: a key of the namespace, a hash.
        shown: the server's address, without any password.
        timeout: seconds that the server may take for an answer.

    Attributes:
        durability: as given.
        seconds: how long to wait until it holds.
    """

    def __init__(self, durability: Durability, meta: bytes, shown: str, timeout: float) -> None:
        self.durability = durability
        self.seconds = timeout + (_DISK_EXTRA if durability.kind == "disk" else 0.0)
        self._mark: Command = ("EVAL", _MARK, b"1", meta)
        self._shown = shown
        self._slice = timeout / _SLICES
        self._turn = AdvisoryLock()
        self._lock = guarded(Lock(), 3)
        self._begun = 0
        self._latest: Held | None = None

    def check(self) -> Plan[None]:
        """Finds out whether the server can promise it at all; writes nothing.

        Raises:
            ServerError: it cannot; the message says what to do.
            StoreUnavailable: the server is away.
        """
        [reply] = yield Pipelined((self._wait_for(0.001),), may_block=True)
        if isinstance(reply, ServerError):
            raise ServerError(self._why(reply), reply.code)
        if isinstance(reply, StoreUnavailable):
            raise reply

    def hold(self) -> Plan[Held]:
        """Waits until everything holds that the server has acknowledged so far, for a limited time.

        Raises:
            StoreUnavailable: the server is away.
        """
        with self._lock:
            needed = self._begun + 1  # one that has begun already may be too early
        ticket = Ticket()
        try:
            yield from self._turn.acquire(ticket, self.seconds)
            latest = self._latest
            if latest is None or latest.number < needed:
                latest = yield from self._hold()
            return latest
        finally:
            self._turn.held.discard(ticket)
            self._turn.release(ticket)

    def _hold(self) -> Plan[Held]:
        with self._lock:
            self._begun += 1
            number = self._begun
        asked = monotonic()
        until = asked + self.seconds
        while True:
            left = max(0.001, min(self._slice, until - monotonic()))
            replies = yield Pipelined((self._mark, self._wait_for(left)), may_block=True)
            for reply in replies:
                if isinstance(reply, StoreUnavailable):
                    raise reply
            held = self._read(number, asked, *replies)
            if held.reason == "" or monotonic() >= until or isinstance(replies[1], ServerError):
                break
            self._turn.progress()
        with self._lock:
            if self._latest is None or self._latest.number < number:
                self._latest = held
        return held

    def _wait_for(self, seconds: float) -> Command:
        millis = max(1, round(1000 * seconds))
        if self.durability.kind == "disk":
            return "WAITAOF", 1, 0, millis
        return "WAIT", self.durability.replicas, millis

    def _read(self, number: int, asked: float, marked: Any, waited: Any) -> Held:
        on_disk, replicas = None, None
        if isinstance(marked, ServerError):
            return Held(number, asked, on_disk, replicas, str(marked))
        if isinstance(waited, ServerError):
            return Held(number, asked, on_disk, replicas, self._why(waited))
        if self.durability.kind == "disk":
            on_disk, replicas = waited[0] >= 1, waited[1]
        else:
            replicas = waited
        holds = on_disk or (on_disk is None and replicas >= self.durability.replicas)
        where = "not on its disk" if on_disk is not None else f"on {_counted(replicas)}"
        reason = "" if holds else f"it is {where} after {self.seconds:g} s"
        return Held(number, asked, on_disk, replicas, reason)

    def _why(self, error: ServerError) -> str:
        """Returns why a server cannot promise what is asked, and the way out."""
        asked, message = f"durability='{self.durability}'", str(error)
        command = "waitaof" if self.durability.kind == "disk" else "wait"
        if error.code == "NOPERM":
            return f"{asked}: {message}; a user of the server needs the right +{command} for it"
        if "appendonly" in message:
            return (
                f"{asked}: {self._shown} has no append-only file; set appendonly to yes on the server, or "
                "give durability='replicas:1' or 'memory'"
            )
        if "unknown command" in message.lower():
            return (
                f"{asked}: {self._shown} does not know the command {command.upper()}; use Redis 7.2, Valkey 7.2 "
                "or later, or give durability='replicas:1' or 'memory'"
            )
        return f"{asked}: {message}; give durability='memory' to do without it"

    def error(self, held: Held) -> NotDurable:
        """Returns the error that says that a write does not hold as asked."""
        rule = f"durability='{self.durability}'"
        reason = held.reason.removeprefix(f"{rule}: ")
        return NotDurable(
            f"{rule}: the write is on {self._shown}, but {reason}; it stays there and needs not be "
            "written again: look at get_backend_info(), or ask for less",
            durability=str(self.durability),
            on_disk=held.on_disk,
            replicas=held.replicas,
        )


def _counted(replicas: int) -> str:
    return (
        "no replica" if replicas == 0 else f"{replicas} replica{'s' if replicas > 1 else ''} only"
    )
