"""Schedules: what clients do and what fails, as steps that a seed determines."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from random import Random
from typing import Any, Literal, TypeAlias

KEYS = ("u:a", "u:b", "v:a", "w")
"""All keys of a schedule: few, so that steps meet."""

WORLD = "world"
"""Who does what no client does."""

TRAITS = {
    "together": "several verbs at once",
    "aside": "verbs that go on while others begin and end",
    "stopped": "Ctrl-C and cancellation in the middle of verbs",
    "broken": "connections that break in the middle of a command",
    "silent": "commands and answers that never come, or late",
    "refused": "connections that are cut and refused",
    "forgotten": "connections that go silent while they are idle, as behind NAT",
    "slow": "answers that come byte by byte",
    "frozen": "a server that does not get the processor",
    "restarted": "a server that is killed and comes back with its data",
    "older": "a server that comes back as an older snapshot of itself",
    "empty": "a server that comes back without its data",
    "full": "a server without room for writes",
    "disk": "a server that cannot save to its disk, and refuses every write",
    "busy": "a server that answers that it cannot serve for now",
    "process": "a client in a process of its own",
    "killed": "and this process is killed",
    "ended": "and this process is ended by SIGTERM",
    "forked": "and this process forks, and both go on",
    "durable": "and this process waits for a replica before it acknowledges a write",
    "undo": "changes that are taken back",
    "bounded": "a namespace with few records at most",
    "expiring": "records that expire",
    "skewed": "clients whose clocks are ahead or behind; the time is real",
    "watched": "a thread that connects again by itself",
    "closed": "memories that are closed and used again",
    "swapped": "writes on condition that nobody else has written meanwhile",
    "logged": "messages that are appended to one session; nothing deletes them",
}
"""What a schedule may have; each has some of these."""

FAILOVERS = 200
"""Of so many schedules one has failovers of a Cluster, and one those that Sentinels decide on; they have no other
faults, because failovers take seconds."""

Failovers: TypeAlias = Literal["sentinels", "cluster"]
"""What decides which server is the primary."""

IN_FORKS = {"add", "add_many", "delete", "clear", "get", "get_many", "search", "peek", "size"}
"""Verbs that the child of a fork carries out before it ends."""

CLEARS = {"clear", "take_all"}
"""Verbs that delete every record."""

FAULTS_OF_CONNECTIONS = {
    "broken": ("reset", "lose reply", "half request", "half reply"),
    "silent": ("hang", "delay", "hold", "stall"),
    "slow": ("trickle",),
    "busy": ("error",),
}


@dataclass(frozen=True)
class Step:
    """One step of a schedule.

    Attributes:
        who: a client, or `WORLD`.
        what: a verb, or what happens to the world.
        args: its arguments.
        stop_at: where a verb is interrupted; 0 for nowhere.
        aside: whether the next steps begin before this one has ended.
        parts: the steps that this one carries out at once.
    """

    who: str
    what: str
    args: tuple[Any, ...] = ()
    stop_at: int = 0
    aside: bool = False
    parts: tuple[Step, ...] = ()

    def __str__(self) -> str:
        if self.parts:
            return "at once: " + " | ".join(map(str, self.parts))
        said = f"{self.who}: {self.what}({', '.join(map(repr, self.args))})"
        if self.stop_at:
            said += f", interrupted at {self.stop_at}"
        return said + (", without waiting" if self.aside else "")


@dataclass(frozen=True)
class Schedule:
    """What happens, in order.

    Attributes:
        seed: it was made from.
        traits: what it has, of `TRAITS`.
        skews: seconds by which the clock of each client is ahead.
        steps: what happens.
        failovers: what decides on failovers; None without failovers.
    """

    seed: int
    traits: frozenset[str]
    skews: dict[str, float]
    steps: tuple[Step, ...]
    failovers: Failovers | None = None

    def __str__(self) -> str:
        lines = [f"seed {self.seed}: {', '.join(sorted(self.traits)) or 'no trait'}"]
        skews = {who: skew for who, skew in self.skews.items() if skew}
        if skews:
            lines.append(f"  clocks ahead by seconds: {skews}")
        return "\n".join(
            [*lines, *(f"  {number:2} {step}" for number, step in enumerate(self.steps))]
        )

    def with_steps(self, steps: Iterable[Step]) -> Schedule:
        """Returns the schedule with other steps."""
        return replace(self, steps=tuple(steps))


def schedule_of(seed: int, without: Iterable[str] = ()) -> Schedule:
    """Returns the schedule of a seed.

    Args:
        seed: any number.
        without: traits that it must not have, or ``"failovers"``.
    """
    chance = Random(seed)
    failovers = None if "failovers" in without else _failovers_of(seed)
    traits = {trait for trait in TRAITS if chance.random() < 0.3} - set(without)
    if failovers:
        traits &= {"together", "durable"}
        if "durable" in traits:
            traits |= {"process", "killed"}
    else:
        traits.discard("durable")
    if "process" not in traits:
        traits -= {"killed", "ended", "forked"}
    if "skewed" in traits:
        traits.discard("expiring")  # no step lets the time of a real clock pass
    clients = ["called", "awaited", "direct", *(["process"] if "process" in traits else [])]
    skews = dict.fromkeys(clients, 0.0)
    if "skewed" in traits:
        skews = {who: chance.choice([0.0, 3600.0, -3600.0, 7.0, -7.0]) for who in clients}
    maker = _Maker(chance, traits, clients)
    if failovers:
        traits.add(failovers)
    steps = tuple(maker.steps(chance.randint(10, 30)))
    return Schedule(seed, frozenset(traits), skews, steps, failovers)


def _failovers_of(seed: int) -> Failovers | None:
    which: dict[int, Failovers] = {FAILOVERS // 2 - 1: "cluster", FAILOVERS - 1: "sentinels"}
    return which.get(seed % FAILOVERS)


class _Maker:
    """Makes the steps of one schedule."""

    def __init__(self, chance: Random, traits: set[str], clients: list[str]) -> None:
        self._chance = chance
        self._traits = traits
        self._clients = clients
        self._number = 0
        self._failovers = 0
        self._changes: list[tuple[str, int]] = []

    def steps(self, count: int) -> list[Step]:
        return [self._step() for _ in range(count)]

    def _step(self) -> Step:
        chance = self._chance
        kind = chance.random()
        if kind < 0.25 and (fault := self._fault()):
            return fault
        if "together" in self._traits and kind > 0.85:
            parts = tuple(self._verb() for _ in range(chance.randint(2, 4)))
            return Step(WORLD, "together", parts=parts)
        step = self._verb()
        if "forked" in self._traits and step.who == "process" and chance.random() < 0.3:
            return (
                Step("process", "in a fork", (step.what, *step.args))
                if step.what in IN_FORKS
                else step
            )
        if "stopped" in self._traits and chance.random() < 0.25:
            most = 4 if step.who == "awaited" else 1000
            return replace(step, stop_at=int(most ** chance.random()))
        if "aside" in self._traits and chance.random() < 0.2:
            return replace(step, aside=True)
        return step

    # ---- verbs

    def _new(self) -> int:
        self._number += 1
        return self._number

    def _verb(self) -> Step:
        chance, who = self._chance, self._chance.choice(self._clients)
        key, several = chance.choice(KEYS), chance.sample(KEYS, chance.randint(1, 3))
        ttl = chance.choice([None, 5.0, 600.0]) if "expiring" in self._traits else None
        offered: list[tuple[float, Step]] = [
            (6, Step(who, "add", (key, self._new(), ttl))),
            (2, Step(who, "add_many", (tuple((each, self._new()) for each in several), ttl))),
            (4, Step(who, "delete", (key,))),
            (0.7, Step(who, "clear")),
            (4, Step(who, "get", (key,))),
            (2, Step(who, "get_many", tuple(several))),
            (3, Step(who, "search")),
            (1, Step(who, "search", (2,))),
            (2, Step(who, "search_user", (chance.choice("uv"),))),
            (1, Step(who, "records")),
            (1, Step(who, "peek")),
            (1, Step(who, "keys")),
            (0.5, Step(who, "size")),
            (0.3, Step(who, "stats")),
            (0.5, Step(who, "get_backend_info")),
            (2, Step(who, "reconnect")),
        ]
        if "closed" in self._traits:
            offered.append((1, Step(who, "close")))
        if "bounded" in self._traits:
            offered.append((1, Step(who, "resize", (chance.randint(1, 4),))))
        if "expiring" in self._traits:
            ttl = chance.choice([None, 5.0, 600.0])
            offered.append((1, Step(who, "touch", (tuple(several), ttl))))
        if "swapped" in self._traits:
            offered.append((6, Step(who, "swap", (key, self._new()))))
        if "logged" in self._traits:
            numbers = tuple(self._new() for _ in range(chance.randint(1, 3)))
            offered.append((6, Step(who, "append", numbers)))
        if "undo" in self._traits:
            number = self._new()
            offered += [
                (2, Step(who, "put", (number, tuple((each, self._new()) for each in several)))),
                (2, Step(who, "remove", (number, *several))),
                (2, Step(who, "apply", (number, *self._applied(several)))),
                (0.5, Step(who, "take_all", (number,))),
            ]
            if self._changes:
                offered.append((5, Step("", "undo", chance.choice(self._changes[-3:]))))
        if "logged" in self._traits:
            offered = [each for each in offered if each[1].what not in CLEARS]
        step = self._pick(offered)
        if step.what == "undo":
            who, number = step.args
            return Step(who, "undo", (number,))
        if step.what in {"put", "remove", "apply", "take_all"}:
            self._changes.append((step.who, step.args[0]))
        return step

    def _applied(self, keys: list[str]) -> tuple[tuple[tuple[str, int], ...], tuple[str, ...]]:
        """Returns what is written, and which keys are deleted, of some keys."""
        written = self._chance.randint(0, len(keys))
        return tuple((key, self._new()) for key in keys[:written]), tuple(keys[written:])

    def _pick(self, offered: list[tuple[float, Step]]) -> Step:
        [step] = self._chance.choices(
            [step for _, step in offered], [weight for weight, _ in offered]
        )
        return step

    # ---- what happens to the world

    def _fault(self) -> Step | None:
        chance, traits = self._chance, self._traits
        line = chance.choice(["called", "awaited"])
        offered: list[tuple[float, Step]] = []
        if traits & {"sentinels", "cluster"} and self._failovers < 2:
            self._failovers += 1
            changes = ["hand over", "lose the primary", "lose the primary at once", "slow primary"]
            changes += ["move the slot"] if "cluster" in traits else []
            offered += [(1, Step(WORLD, what)) for what in changes]
        for trait, kinds in FAULTS_OF_CONNECTIONS.items():
            if trait in traits:
                # A server that answers some commands and others never is waited for patiently, which
                # takes long.
                times = chance.choice([1, 1, 2, 2 if trait == "silent" else 5])
                offered.append((2, Step(WORLD, "fault", (line, chance.choice(kinds), times))))
        if "silent" in traits:
            offered.append((2, Step(WORLD, "let go", (line,))))
        if "refused" in traits:
            offered += [(1, Step(WORLD, what, (line,))) for what in ("refuse", "cut")]
        if "forgotten" in traits:
            offered.append((1, Step(WORLD, "forget", (line,))))
        if traits & {*FAULTS_OF_CONNECTIONS, "refused"}:
            offered.append((2, Step(WORLD, "heal", (line,))))
        if "frozen" in traits:
            offered += [(1, Step(WORLD, "freeze")), (2, Step(WORLD, "thaw"))]
        if "restarted" in traits:
            offered += [(1, Step(WORLD, what)) for what in ("restart", "down", "up")]
        if "older" in traits:
            offered += [(1, Step(WORLD, what)) for what in ("snapshot", "roll back")]
        if "empty" in traits:
            offered.append((1, Step(WORLD, "lose all")))
        if "full" in traits:
            offered += [(1, Step(WORLD, what)) for what in ("full", "room")]
        if "disk" in traits:
            offered += [(1, Step(WORLD, what)) for what in ("fill the disk", "empty the disk")]
        if "killed" in traits:
            offered.append((1, Step(WORLD, "kill the process")))
        if "ended" in traits:
            offered.append((1, Step(WORLD, "end the process")))
        if "expiring" in traits:
            offered.append((1, Step(WORLD, "tick", (chance.choice([3.0, 10.0, 1000.0]),))))
        if "aside" in traits:
            offered.append((1, Step(WORLD, "join")))
        return self._pick(offered) if offered else None
