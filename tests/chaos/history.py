"""What clients asked for and were told, in the order in which it happened."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Literal, TypeAlias

Outcome: TypeAlias = Literal[
    "open",  # not ended yet, or the process has ended in the middle
    "ok",
    "refused",  # a refusal of the server: nothing was changed
    "raised",  # cancelled or interrupted: it may have been carried out, or may still be
]


@dataclass(eq=False)
class Call:
    """One call of a verb.

    Times are numbers of one counter, so that the order of any two is known. Instants are seconds of the
    schedule's clock.

    Attributes:
        client: who called.
        verb: what was called.
        sets: the keys it writes, each with the number in its value and the time to live.
        deletes: the keys it deletes; None for every key.
        written: what an undo takes back: the number in each value.
        removed: what an undo restores: the number in each value.
        touches: the keys whose records are to expire later.
        ttl: seconds until they expire; None to have only records that slide expire later.
        appends: the numbers in the messages that it adds to the end of the session.
        begin: time of the call.
        at: instant of the call.
        end: time of the answer; None without an answer.
        until: instant of the answer.
        outcome: what the caller was told.
        result: the answer, in the form of `clients.perform`.
        was_online: whether the client was connected to the server before the call.
        is_online: the same after the call.
    """

    client: str
    verb: str
    sets: dict[str, tuple[int, float | None]] = field(default_factory=dict)
    deletes: tuple[str, ...] | None = ()
    written: dict[str, int] = field(default_factory=dict)
    removed: dict[str, int] = field(default_factory=dict)
    touches: tuple[str, ...] = ()
    ttl: float | None = None
    appends: tuple[int, ...] = ()
    begin: int = 0
    at: float = 0.0
    end: int | None = None
    until: float = 0.0
    outcome: Outcome = "open"
    result: Any = None
    was_online: bool = True
    is_online: bool = True

    def __str__(self) -> str:
        what = [f"{key}={number}" for key, (number, _) in self.sets.items()]
        what += self.deletes or () if self.deletes is not None else ("everything",)
        where = {(True, True): "", (False, False): " [in an outage]"}.get(
            (self.was_online, self.is_online), " [as an outage began or ended]"
        )
        told = f" -> {self.result}" if self.outcome == "ok" else f" -> {self.outcome}"
        times = f"{self.begin}-{'' if self.end is None else self.end}"
        return f"{times} {self.client}.{self.verb}({', '.join(what)}){where}{told}"


@dataclass(frozen=True)
class Mark:
    """Something that happened to the records of the server.

    Attributes:
        kind: ``"snapshot"`` was taken, ``"rollback"`` to it, or everything was ``"lost"``.
        begin: time before.
        end: time afterwards.
    """

    kind: Literal["snapshot", "rollback", "lost"]
    begin: int
    end: int


@dataclass(eq=False)
class History:
    """All calls of a schedule.

    Attributes:
        calls: in the order of their beginnings.
        marks: what happened to the server.
        seen: for each client when it was seen connected (True) or in an outage (False).
        ended: clients whose process has ended, and when, although writes waited there; these may be lost.
        watched: clients that a thread may connect again at any time.
        durable: clients whose writes are acknowledged when a replica has them, so that they outlive the client.
        evictions: how many records the server says it has evicted.
        truth: number of the value of each record that the server has in the end.
        log: key and number of each message that the server has in the end, in order.
        now: instant of the end.
        slack: seconds by which clients may err about the time. Of two writes that are closer, either
            may be taken for the newer one.
        has_failovers: whether a primary may be replaced by its replica. Then a write may reach the new
            primary later, and a read may come from the old one.
    """

    calls: list[Call] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    seen: dict[str, list[tuple[int, bool]]] = field(default_factory=dict)
    ended: dict[str, int] = field(default_factory=dict)
    watched: frozenset[str] = frozenset()
    durable: set[str] = field(default_factory=set)
    evictions: int = 0
    truth: dict[str, int] = field(default_factory=dict)
    log: list[tuple[str, int]] = field(default_factory=list)
    now: float = 0.0
    slack: float = 0.0
    has_failovers: bool = False

    def __post_init__(self) -> None:
        self._times = count(1)

    def time(self) -> int:
        """Returns the next time."""
        return next(self._times)

    def see(self, client: str, online: bool) -> int:
        """Notes whether a client is connected, and returns the time of that look."""
        time = self.time()
        self.seen.setdefault(client, []).append((time, online))
        return time

    def back_at(self, client: str, time: int) -> float:
        """Returns when a client was next seen connected; infinity for never."""
        if self.has_failovers:
            return float("inf")
        seen = (at for at, online in self.seen.get(client, ()) if online and at >= time)
        return min(seen, default=float("inf"))

    def is_surely_online(self, call: Call) -> bool:
        """Returns whether no outage of its client can have touched a call."""
        if (
            self.has_failovers
            or call.client in self.watched
            or not (call.was_online and call.is_online)
        ):
            return False
        end = float("inf") if call.end is None else call.end
        during = (online for at, online in self.seen[call.client] if call.begin <= at <= end)
        return all(during) and not any(
            other.verb in {"reconnect", "close"} and overlap(call, other)
            for other in self.of(call.client)
        )

    def of(self, client: str) -> Iterable[Call]:
        """Returns the calls of one client."""
        return (call for call in self.calls if call.client == client)


def overlap(one: Call, other: Call) -> bool:
    """Returns whether two calls were under way at the same time."""
    if one is other:
        return False
    ends = (float("inf") if each.end is None else each.end for each in (one, other))
    one_end, other_end = ends
    return one.begin <= other_end and other.begin <= one_end
