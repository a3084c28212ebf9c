"""How the scripts of a namespace are called, and how the time is asked for."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

from ...errors import ServerError, StoreUnavailable
from ..history.authors import this_author
from ..history.bounds import History
from ..plan import Plan
from . import scripts
from .clock import ServerClock
from .faults import explained
from .incarnation import Incarnation
from .keys import answers_of, keys_of
from .operations import WriteIds
from .partial import Replicas
from .wire import AtSending, Command, Meanwhile, Prepared

Argument: TypeAlias = bytes | str | float | Prepared | AtSending

# How many times the timeout a write may take to arrive, when it has come too late before.
_ALLOWANCES = (1, 2, 8, 32)


class Calls:
    """Calls of the scripts of one namespace, as plans.

    Args:
        namespace: name of the tenant.
        replicas: what this process knows of the namespace.
        clock: of the server.
        timeout: seconds after which a write that arrives must not be carried out any more.

    Attributes:
        keys: names of the namespace's keys on the server.
        write_ids: of this process's writes.
        clock: the server's.
        incarnation: the run of the server that this process knows.
        tombstones: number of the list of tombstones that writes were compared with; empty for none.
        history: which changes the server keeps, as far as this process knows; None for none.
        asked_history: which changes it is to keep, by the wish of this memory; None if it has no wish.
        owes_history: whether the server was not told of that wish yet.
    """

    def __init__(
        self, namespace: str, replicas: Replicas, clock: ServerClock, timeout: float
    ) -> None:
        self.keys = tuple(key.encode() for key in keys_of(namespace))
        self.write_ids = WriteIds()
        self.clock = clock
        self.incarnation = Incarnation(self.keys, clock, replicas)
        self.tombstones = ""
        self.history: History | None = None
        self.asked_history: History | None = None
        self.owes_history = False
        self._namespace = namespace
        self._timeout = timeout
        self._answers = answers_of(namespace).encode()
        # How each script is called, but for its arguments.
        self._calls: dict[bytes, Prepared] = {}
        # How many times the source of each script was sent.
        self._loads: dict[bytes, int] = {}
        self._is_greeting = False
        # Arguments of nearly all writes.
        self._settled_below = AtSending(self.write_ids.settled_below)
        self._in_time = AtSending(partial(self._deadline, timeout, b"", ""))

    def run(
        self,
        script: scripts.Script,
        *args: Argument,
        work: Callable[[], None] | None = None,
        client: bytes = b"",
    ) -> Plan[Any]:
        """Returns the reply of a script.

        Args:
            script: what the server carries out in one step.
            *args: its arguments, but for the first one, which is the instant.
            work: what to do while the server is at it.
            client: whose answers the server remembers; empty for this one.

        Raises:
            ServerError: the server refuses; the message names the right that is missing.
        """
        # While one asks, the others go on with what was measured before.
        if self.clock.needs_measuring and not (self._is_greeting and self.clock.is_known):
            yield from self.greet()
        command = self.call(script, *args, client=client)
        loads = self._loads.get(script.sha, 0)
        try:
            reply = yield Meanwhile(command, work) if work else command
        except ServerError as error:
            reply = yield from self._load(error, script, command, loads, work, client)
        if self.incarnation.has_come_back_older:  # a connection was opened for this command
            yield from self.incarnation.look_for_losses(self.run)
        return reply

    def call(self, script: scripts.Script, *args: Argument, client: bytes = b"") -> Command:
        """Returns the command that calls a script, which the server may have forgotten."""
        name = script.sha
        if script.remembers:
            name += client or self.write_ids.client
        call = self._calls.get(name)
        if call is None:
            keys = self._keys_for(script, client)
            call = self._calls[name] = Prepared((b"EVALSHA", script.sha, *keys))
        return call, self.clock.argument(), *args

    def _load(
        self,
        error: ServerError,
        script: scripts.Script,
        command: Command,
        loads: int,
        work: Callable[[], None] | None,
        client: bytes,
    ) -> Plan[Any]:
        """Returns the reply of a script that the server does not know; raises any other error.

        Args:
            error: what the server has said.
            script: the script.
            command: which calls it.
            loads: how many times its source had been sent before.
            work: what to do while the server is at it.
            client: whose answers the server remembers.
        """
        # Of many calls that are under way together, one brings the source.
        while error.code == "NOSCRIPT" and loads != self._loads.get(script.sha, 0):
            loads = self._loads.get(script.sha, 0)
            try:
                return (yield Meanwhile(command, work) if work else command)
            except ServerError as again:
                error = again
        if error.code != "NOSCRIPT":
            raise explained(error, self._namespace) from None
        self._loads[script.sha] = loads + 1
        # Loads it as well. Not every user may call SCRIPT LOAD.
        try:
            return (yield ("EVAL", script.source, *self._keys_for(script, client), *command[1:]))
        except ServerError as refused:
            raise explained(refused, self._namespace) from None

    def _keys_for(self, script: scripts.Script, client: bytes) -> tuple[bytes, ...]:
        if script.remembers:
            return (b"6", *self.keys, self._answers + (client or self.write_ids.client))
        return (b"5", *self.keys)

    def write(
        self,
        script: scripts.Script,
        write_id: int,
        *args: Argument,
        work: Callable[[], None] | None = None,
        client: bytes = b"",
        compared: str = "",
    ) -> Plan[Any]:
        """Returns the reply to a write.

        A write whose reply was lost is sent again, and gets the same reply; None when the server has
        not kept it. A write of another client, which has ended, is sent under the name and the id that it had.

        Args:
            script: what the server carries out in one step.
            write_id: of the write.
            *args: more arguments of the script.
            work: what to do while the server is at it.
            client: that has begun the write, if it was another one.
            compared: number of the list of tombstones that the write was compared with; empty for none.
        """
        ids = self.write_ids
        author = b"" if self.history is None else this_author()
        late = 0  # how often it has come too late
        while True:
            if self.incarnation.must_greet:
                yield from self.greet()
            deadline = self._in_time
            if author or compared or late:
                timeout = self._timeout * _ALLOWANCES[late]
                deadline = AtSending(partial(self._deadline, timeout, author, compared))
            try:
                return (
                    yield from self.run(
                        script,
                        write_id,
                        # Nobody knows which others of a client that has ended are settled.
                        0 if client else self._settled_below,
                        client or ids.client,
                        deadline,
                        *args,
                        work=work,
                        client=client,
                    )
                )
            except ServerError as error:
                if error.code == "STONES":
                    self.tombstones = str(error).rpartition("number ")[2].partition(" ")[0]
                if error.code == "HISTORY":
                    yield from self._follow_history(str(error).rpartition(" ")[2])
                    author = b"" if self.history is None else this_author()
                    continue
                if error.code != "LATE":
                    raise
                late += 1
                if late == len(_ALLOWANCES):
                    raise StoreUnavailable(f"the server is too slow: {error}") from None
            yield from self.greet()  # the server's clock may have been set

    def _deadline(self, timeout: float, author: bytes, compared: str) -> int | str:
        """Returns until when a write may be carried out, with which list of tombstones it was compared, and who makes it."""
        deadline = self.clock.deadline(timeout)
        if author:
            return f"{deadline}:{compared}:{author.decode()}"
        return f"{deadline}:{compared}" if compared else deadline

    # ---- changes that are kept

    def note_history(self, bounds: str) -> None:
        """Takes in which changes the server keeps.

        Args:
            bounds: their number and for how many seconds, as the scripts have them; any other text if it keeps none.
        """
        changes, separator, seconds = bounds.partition(":")
        self.history = (
            History(int(changes), float(seconds) if seconds else None) if separator else None
        )

    def keep_history(self, history: History | None) -> Plan[None]:
        """Has the server keep changes, more or fewer of them, or none."""
        bounds = ""
        if history is not None:
            bounds = f"{history.changes}:{'' if history.seconds is None else repr(history.seconds)}"
        yield from self.run(scripts.KEEP, bounds, b"", b"", 0)
        self.history = self.asked_history = history
        self.owes_history = False

    def keep_asked(self) -> Plan[None]:
        """Has the server keep the changes that this memory is to keep, if it was not told so yet."""
        if self.owes_history:
            if self.asked_history != self.history:
                yield from self.keep_history(self.asked_history)
            self.owes_history = False

    def _follow_history(self, bounds: str) -> Plan[None]:
        """Takes in that the server keeps other changes than this process knows.

        Where the namespace has begun anew, the server is told once more. Where another client has ended it, that counts.
        """
        self.note_history(bounds)
        if bounds == "none":
            self.owes_history = self.asked_history is not None
            yield from self.keep_asked()
        elif bounds == "off":
            self.asked_history = None

    def note_tombstones(self) -> Plan[None]:
        """Counts a change of the list of tombstones, so that the server refuses writes that were compared with another."""
        number = yield "HINCRBY", self.keys[3], "tombstones", 1
        self.tombstones = str(number)

    @property
    def seen(self) -> int:
        """The server's counter, as far as this process has seen it."""
        return self.incarnation.seen

    def greet(self) -> Plan[None]:
        """Asks for the server's time, and whether it is the one that this process knows."""
        self._is_greeting = True
        try:
            yield from self.incarnation.greet()
        except ServerError as error:
            raise explained(error, self._namespace) from None
        finally:
            self._is_greeting = False
        yield from self.incarnation.look_for_losses(self.run)

    def look_for_lost(self) -> Plan[None]:
        """Finds out which of the writes that the server had lost are still missing."""
        yield from self.incarnation.look_again(self.run)
