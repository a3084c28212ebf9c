"""Notices that a server has come back older than it was, and keeps what it has lost.

A server that was restarted from a snapshot, or a replica that lacked the last writes and has become the
primary, counts on from an older state. On every new connection a client **greets** the server, before it
sends anything else: the first one to do so in a new **incarnation** of the server gives the namespace a new
epoch, and numbers that no earlier write has had (`lua/greet.lua`). Each client then compares what it knows
with what is there. What is missing is reported, and can be written back.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from itertools import chain
from math import inf, nan
from threading import Lock
from typing import Any, NamedTuple, TypeAlias

from ...entry import Entry, Unreadable
from ..plan import Plan
from . import scripts
from .clock import ServerClock, steady
from .keys import encode_key
from .operations import Write, pages
from .partial import Replicas
from .wire import AtSending

logger = logging.getLogger("tta_memory_nb")

Words: TypeAlias = tuple[str | bytes, ...]
"""A command."""

Ask: TypeAlias = Callable[..., Plan[Any]]
"""Runs a script of the server: `Commands.run`."""

Gap: TypeAlias = tuple[int, int]

MOST_DELETIONS = 10_000
"""So many of this process's last deletions are known, in case the server loses them."""

# What lost.lua says of a key.
_NOTHING, _OLD, _OLD_TOMBSTONE, _THERE = 0, 1, 2, 4


class Loss(NamedTuple):
    """A write that the server has lost, as far as this process knows it.

    Attributes:
        found: the entry that was written, or the instant of a deletion in Unix seconds.
        since: the counter that the server has come back with.
        counter: the number of the write, or the counter at the deletion.
    """

    found: Entry | float
    since: int
    counter: int

    @property
    def version(self) -> int:
        """The number of the write; 0 of a deletion."""
        return 0 if isinstance(self.found, float) else self.counter

    @property
    def at(self) -> float:
        """The instant of the write or of the deletion, in Unix seconds."""
        return self.found if isinstance(self.found, float) else self.found.updated_at

    def stays(self, state: int, now: float) -> bool:
        """Returns whether it is still lost.

        Args:
            state: what lost.lua says of its key now.
            now: the instant, in Unix seconds.
        """
        if isinstance(self.found, float):
            return state == _OLD
        expires_at = self.found.expires_at
        is_missing = state in (_NOTHING, _OLD, _OLD_TOMBSTONE)
        return is_missing and (expires_at is None or expires_at > now)


class Incarnation:
    """The server as this process knows it, and what it has lost since.

    Args:
        names: the names of the namespace's keys, in the order of `Keys`.
        clock: the server's, which each greeting sets.
        replicas: what this process knows of the namespace.

    Attributes:
        lost: by key, the write of this namespace that the server has lost. Another client may have written it
            again since; see `look_again`.
        seen: the server's counter, as far as this process has seen it.
        has_writes_waiting: whether writes wait in a journal, which may bring back what is lost; only
            when they have reached the server is it looked for.
        setbacks: how many times the server was found to have come back older.
        must_greet: whether the server has to be greeted again before something is written.
        reused_from: the counter from which on the server has given numbers a second time, since an outage began; infinity if
            it has not. What it has of higher numbers may be newer than what was seen before the outage.
    """

    def __init__(self, names: Sequence[bytes], clock: ServerClock, replicas: Replicas) -> None:
        self.lost: dict[str, Loss] = {}
        self.seen = 0
        self.must_greet = False
        self.has_writes_waiting = False
        self.setbacks = 0
        self.reused_from: float = inf
        self._greeting: Words = ("EVAL", scripts.GREET.source, b"%d" % len(names), *names, b"")
        self._clock = clock
        self._replicas = replicas
        self._lock = Lock()
        # Numbers that the server has skipped: the counter that it has come back with, and the number that
        # its incarnation began with. Of the writes with numbers in between it may have lost any.
        self._gaps: set[Gap] = set()
        self._beginnings: set[int] = set()  # that were heard of
        self._oldest: float = inf  # the first counter that was seen
        # This process's last deletions: the counter at each, and its instant.
        self._deletions: OrderedDict[str, tuple[int, float]] = OrderedDict()

    # ---- greeting

    def greeting(self) -> tuple[Words, Callable[[Any], object]]:
        """Returns a command to send first on a new connection, and what takes its reply."""
        asked = steady()
        return (*self._greeting, b"%d" % self.seen), lambda reply: self._greeted(reply, asked)

    def greet(self) -> Plan[None]:
        """Greets the server on a connection that may be open already."""
        asked = steady()

        def sent() -> int:  # the command may wait for its turn
            nonlocal asked
            asked = steady()
            return 0

        self._greeted((yield (*self._greeting[:-1], AtSending(sent), b"%d" % self.seen)), asked)

    def _greeted(self, reply: Any, asked: float) -> None:
        seconds, micros, may_ask, counter, beginnings, restarts, must_greet, evicted = reply
        self.must_greet = bool(must_greet)
        if evicted:
            logger.warning(
                "the server has evicted keys of a namespace (%s), which a memory cannot work without; set its "
                "maxmemory-policy to noeviction, or give it more memory",
                evicted.decode(),
            )
        server = int(seconds) + int(micros) / 1e6 if seconds else nan
        self._clock.measured(server, asked, may_ask=bool(may_ask))
        heard: dict[int, int] = {}
        for each in beginnings.split(b",")[:-1]:
            began, came_back_with = map(int, each.split(b":"))
            heard[began] = came_back_with
        restarted = set(map(int, restarts.split(b",")[:-1]))
        with self._lock:
            if self._beginnings and self._beginnings.isdisjoint(heard):
                restarted.update(heard)  # another namespace has the name now
            for began, came_back_with in heard.items():
                # Higher numbers than were seen were given in an outage, by this process itself.
                if began not in self._beginnings and came_back_with < self.seen:
                    is_later = began in restarted or (not came_back_with and self._oldest < began)
                    until = self.seen + 1 if is_later else min(began, self.seen + 1)
                    self._missing((came_back_with, until))
                    if began < until:
                        self.reused_from = min(self.reused_from, came_back_with)
                self._beginnings.add(began)
            if not counter and self.seen:
                # There is no namespace any more. So the server has lost all of it.
                self._missing((0, self.seen + 1))
            elif must_greet and self.seen > int(counter):
                # It has come back older, and cannot note it.
                self._missing((int(counter), self.seen + 1))

    def _missing(self, gap: Gap) -> None:
        self._gaps.add(gap)
        # A number that was seen is higher if the namespace has begun since this process greeted the server first.
        self.setbacks += gap[1] > self.seen

    def note(self, counter: int, before: int | None = None) -> int:
        """Notes that the server's counter has come up to a number; returns the highest one that was seen.

        Args:
            counter: the number.
            before: what the counter was before; None if that is not known.
        """
        self.seen = max(self.seen, counter)
        if self._oldest == inf and counter > 0:  # 0 is that of a namespace that has not begun
            self._oldest = counter if before is None else before
        return self.seen

    def deleted(self, keys: Iterable[str], counter: int) -> None:
        """Notes own deletions."""
        at = self._clock()
        for key in keys:
            self._deletions[key] = (counter, at)
            self._deletions.move_to_end(key)
        while len(self._deletions) > MOST_DELETIONS:
            self._deletions.popitem(last=False)

    # ---- what is lost

    @property
    def has_come_back_older(self) -> bool:
        """Whether the server has come back older, and what it has lost was not looked for yet."""
        return bool(self._gaps) and not self.has_writes_waiting

    def look_for_losses(self, ask: Ask) -> Plan[None]:
        """Finds out what the server lacks of what this process knows."""
        if not self.has_come_back_older:
            return
        with self._lock:
            gaps, self._gaps = self._gaps, set()
        lost: dict[str, Loss] = {}
        try:
            for since, until in sorted(gaps):
                lost |= yield from self._lost_in((since, until), ask)
                # What was lost before is not replaced by what the server has come back with now.
                for key, loss in list(self.lost.items()):
                    if since < loss.counter < until:
                        self.lost[key] = loss._replace(since=max(since, loss.since))
        except BaseException:  # an outage, Ctrl-C: the next one looks for it again
            self._gaps |= gaps
            raise
        self.lost |= lost
        if lost:
            logger.warning(
                "the server has come back older than it was: %d of the writes that this process knows are "
                "lost on it now; reconnect(restore_from_here=True) writes back what nobody has written "
                "again by then, in a notebook %%memory info --restore",
                len(lost),
            )

    def look_again(self, ask: Ask) -> Plan[None]:
        """Drops what is not lost any more: other clients may have written it again, or replaced it."""
        lost = dict(self.lost)
        for since in sorted({loss.since for loss in lost.values()}):
            some = {key: loss for key, loss in lost.items() if loss.since == since}
            states = yield from self._states(since, some, ask)
            now = self._clock()
            for key, loss in some.items():
                if self.lost.get(key) is loss and not loss.stays(states[key], now):
                    self.lost.pop(key, None)  # unless another thread has restored it

    def _lost_in(self, gap: Gap, ask: Ask) -> Plan[dict[str, Loss]]:
        now, (since, until) = self._clock(), gap
        written = {
            entry.key: Loss(entry, since, entry._write_seq)
            for entry in self._replicas.known()
            if since < entry._write_seq < until and not isinstance(entry, Unreadable)
        }
        deleted = {
            key: Loss(at, since, counter)
            for key, (counter, at) in list(self._deletions.items())
            if since < counter < until
        }
        states = yield from self._states(since, written, ask)
        outdated = {key: written[key].counter for key, state in states.items() if state != _THERE}
        lost = {key: loss for key, loss in written.items() if loss.stays(states[key], now)}
        deleted = {key: loss for key, loss in deleted.items() if key not in lost}
        states = yield from self._states(since, deleted, ask)
        lost |= {key: loss for key, loss in deleted.items() if loss.stays(states[key], now)}
        self._replicas.forget(outdated, since, until)
        return lost

    def _states(self, since: int, losses: Mapping[str, Loss], ask: Ask) -> Plan[dict[str, int]]:
        """Returns what lost.lua says of each key."""
        states: dict[str, int] = {}
        for keys in pages(list(losses)):
            rows = ((encode_key(key), losses[key].version, losses[key].at) for key in keys)
            found = yield from ask(scripts.LOST, since, *chain.from_iterable(rows))
            states.update(zip(keys, found, strict=True))
        return states

    def to_restore(self) -> tuple[int, list[Write]]:
        """Returns the writes that bring back what is lost, and a counter that is older than they are."""
        now = self._clock()
        writes = [
            Write("delete", found, keys=(key,))
            if isinstance(found, float)
            else Write("set", found.updated_at, entries=(copy(found),), kept=(found,))
            for key, (found, *_) in list(self.lost.items())
            if isinstance(found, float) or found.expires_at is None or found.expires_at > now
        ]
        return min((loss.since for loss in list(self.lost.values())), default=0), writes

    def restored(self) -> None:
        """Notes that the server has all that this process knows."""
        self.lost.clear()
