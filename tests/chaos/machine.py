"""Carries schedules out, heals everything, and collects what was wrong."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from itertools import count
from typing import Any
from unittest.mock import patch

from backends import Clock
from real_servers import until

from tta_memory_nb import MemoryPrimitive
from tta_memory_nb.stores.redis import outage

from .clients import (
    PATIENCE,
    Awaited,
    Called,
    Forked,
    Process,
    ProcessEnded,
    ProcessRaised,
    Swapped,
)
from .history import Call, History
from .judge import Judge
from .schedule import KEYS, WORLD, Schedule, Step
from .world import World

TIMEOUT = 0.25
"""Seconds that the server may take for an answer. On a busy machine there are more outages, which is
harmless: the judge does not expect any."""

_names = count(1)


def problems_of(schedule: Schedule, world: World) -> list[str]:
    """Carries a schedule out; returns what was wrong."""
    run = _Run(schedule, world)
    world.start_over(run.namespace)
    with patch.object(outage.Outages, "_watch", _watch):
        return run.problems()


_watch_of_the_package = outage.Outages._watch
_watched: set[int] = set()


def _watch(outages: outage.Outages) -> None:
    """Connects again by itself in schedules that say so; otherwise steps do it."""
    if id(outages) in _watched:
        _watch_of_the_package(outages)


_READS = {
    *("get", "get_many", "search", "search_user", "records", "peek", "keys"),
    *("size", "stats", "get_backend_info", "history"),
}
_FREES = {"delete", "remove", "clear"}


class _Run:
    """One schedule that is carried out.

    Attributes:
        namespace: in which the clients have their records.
    """

    def __init__(self, schedule: Schedule, world: World) -> None:
        self._schedule = schedule
        self._world = world
        self.namespace = f"schedule {schedule.seed}-{next(_names)}"
        # With a simulated time no client asks the server for its own, which a wrong clock needs.
        self._has_real_time = "skewed" in schedule.traits
        self._simulated = Clock()
        self._history = History(slack=TIMEOUT if self._has_real_time else 0.0)
        self._history.has_failovers = schedule.failovers is not None
        if "watched" in schedule.traits:
            self._history.watched = frozenset({"called", "awaited"})
        self._clients: dict[str, Called | Process] = {}
        self._names: dict[str, str] = {}
        self._answers: dict[tuple[str, int], dict[str, Any]] = {}
        self._aside: list[tuple[threading.Thread, Call]] = []
        self._problems: list[str] = []
        self._forks = 0
        self._threads = set(threading.enumerate())

    def problems(self) -> list[str]:
        """Carries all steps out, and returns what was wrong."""
        hooks = threading.excepthook, sys.unraisablehook
        threading.excepthook = lambda args: self._problems.append(
            f"a thread ended with {args.exc_type.__name__}: {args.exc_value}"
        )
        sys.unraisablehook = self._note_unraisable
        try:
            for step in self._schedule.steps:
                self._simulated.tick()
                self._carry_out(step)
                if self._hangs():
                    return self._problems
            self._recover()
            if not self._problems:
                self._compare()
                if not self._hangs():
                    self._close()
        finally:
            if self._problems and not self._hangs():
                self._abandon()
            self._clients.clear()
            gc.collect()  # what was left open says so
            threading.excepthook, sys.unraisablehook = hooks
            _watched.clear()
        self._problems += self._world.loop.problems
        self._world.loop.problems.clear()
        return self._problems

    def _note_unraisable(self, args: Any) -> None:
        # Python drops an interrupt that strikes while a finaliser runs: the verb goes on as if there was none. One that
        # strikes in the middle of `socket.close` leaves the closing to the finaliser.
        is_half_closed = issubclass(args.exc_type, ResourceWarning) and "[closed]" in str(
            args.exc_value
        )
        if not issubclass(args.exc_type, KeyboardInterrupt) and not is_half_closed:
            self._problems.append(f"unraisable: {args.exc_type.__name__}: {args.exc_value}")

    def _abandon(self) -> None:
        """Closes memories that something is wrong with."""
        for client in self._clients.values():
            with suppress(Exception):
                client.close()

    def _hangs(self) -> bool:
        return any("hangs" in each for each in self._problems)

    def _clock(self) -> float:
        """Returns the instant of now; no client has a better clock."""
        return time.time() if self._has_real_time else self._simulated()

    # ---- steps

    def _carry_out(self, step: Step) -> None:
        if step.parts:
            self._wait_for([self._start(part) for part in step.parts])
        elif step.who != WORLD:
            started = self._start(step)
            if not step.aside:
                self._wait_for([started])
            elif started:
                self._aside.append(started)
        elif step.what == "tick":
            self._simulated.tick(*step.args)
        elif step.what == "join":
            self._join()
        elif step.what in ("kill the process", "end the process"):
            self._end(step.what)
        else:
            self._world.happens(step.what, step.args, self._history)

    def _end(self, how: str) -> None:
        client = self._clients.pop("process", None)
        if not isinstance(client, Process):
            return
        name, lost = self._names["process"], 1
        if how == "end the process":
            try:
                lost = client.terminate()
            except subprocess.TimeoutExpired:
                self._problems.append(f"{name} does not end after SIGTERM")
        client.kill()
        if lost:
            self._history.ended[name] = self._history.time()
        else:
            self._history.see(name, True)  # what waited has arrived

    def _client(self, who: str) -> Called | Process:
        """Returns a client, and opens its memory first if it has none."""
        if who not in self._clients:
            self._names[who] = who if who not in self._names else f"{who}'"
            self._clients[who] = self._open(who)
            self._history.see(self._names[who], self._clients[who].is_online())
        return self._clients[who]

    def _open(self, who: str) -> Called | Process:
        skew = self._schedule.skews[who]
        options: dict[str, Any] = {"namespace": self.namespace, "timeout": TIMEOUT}
        url = self._world.url_of(who)

        def clock() -> float:
            return time.time() + skew

        if who == "process":
            process = self._world.process()
            if "durable" in self._schedule.traits:
                options["durability"] = "replicas:1"
                self._history.durable.add(self._names[who])
            process.open(
                self._simulated, skew if self._has_real_time else None, KEYS, url, **options
            )
            return process
        options["clock"] = clock if self._has_real_time else self._simulated
        memory = MemoryPrimitive(url, **options)
        if who in self._history.watched:
            store: Any = memory._store
            _watched.add(id(store.outages))
        return Awaited(memory, KEYS, self._world.loop) if who == "awaited" else Called(memory, KEYS)

    def _start(self, step: Step) -> tuple[threading.Thread, Call] | None:
        """Begins a verb in a thread of its own; None if there is nothing to do."""
        client = self._client(step.who)
        name = self._names[step.who]
        if step.what == "in a fork":
            self._forks += 1
            name = f"{name} fork {self._forks}"
        call = _call_of(name, step)
        if step.what == "undo":
            answer = self._answers.get((name, step.args[0]))
            if answer is None:
                return None
            call.written, call.removed = answer["written"], answer["removed"]
        self._history.calls.append(call)

        def work() -> None:
            self._perform(client, call, step)

        thread = threading.Thread(target=work, daemon=True, name=f"chaos {call.client}.{call.verb}")
        thread.start()
        return thread, call

    def _perform(self, client: Called | Process, call: Call, step: Step) -> None:
        call.was_online = client.is_online()
        call.begin = self._history.see(call.client, call.was_online)
        call.at = self._clock()
        try:
            if step.what == "in a fork":
                assert isinstance(client, Process)
                self._take_over(call, client.in_a_fork(*step.args))
                return
            call.result = client.perform(step.what, step.args, step.stop_at)
        except ProcessEnded:
            return  # it was killed; nothing is known
        except BaseException as error:
            call.outcome = self._outcome_of(error, call, step, client)
        else:
            call.outcome = "ok"
            if "written" in call.result:
                self._answers[call.client, step.args[0]] = call.result
            for key, told in call.result.get("swapped", {}).items():
                swapped = Swapped(*told)
                if not swapped.is_done:
                    del call.sets[key]
                call.was_online &= swapped.was_online
        call.until = self._clock()
        call.is_online = client.is_online()
        call.end = self._history.see(call.client, call.is_online)

    def _take_over(self, call: Call, told: Forked) -> None:
        """Notes what the child of a fork has been told, which has ended."""
        call.result, call.outcome, call.is_online = told.answer, "ok", told.online
        call.until = self._clock()
        call.end = self._history.see(call.client, told.online)
        if told.waiting:
            self._history.ended[call.client] = self._history.time()
        else:
            self._history.see(call.client, True)

    def _outcome_of(
        self, error: BaseException, call: Call, step: Step, client: Called | Process
    ) -> Any:
        """Returns what a caller has to think of an error; one that must not be is a problem."""
        name = error.kind if isinstance(error, ProcessRaised) else type(error).__name__
        if step.stop_at and name in {"KeyboardInterrupt", "CancelledError"}:
            return "raised"
        if name == "NotDurable" and "durable" in self._schedule.traits:
            return "raised"
        if name == "StoreUnavailable" and call.verb == "swap":
            return "refused" if not (call.was_online or client.is_online()) else "raised"
        if "may carry it out yet" in str(error) and "silent" in self._schedule.traits:
            return "raised"
        if name == "ServerError" and call.verb not in _READS:
            if "disk" in self._schedule.traits:
                return "refused"
            if "full" in self._schedule.traits and call.verb not in _FREES:
                return "refused"
        said = "".join(traceback.format_exception(error)[-3:])
        self._problems.append(f"{call} raised {name}: {error}\n{said}")
        return "raised"

    def _wait_for(self, started: list[tuple[threading.Thread, Call] | None]) -> None:
        for each in started:
            if each is None:
                continue
            thread, call = each
            thread.join(PATIENCE)
            if thread.is_alive():
                stack = traceback.format_stack(sys._current_frames()[thread.ident or 0])
                where = "".join(stack[-4:]) + self._world.loop.where()
                self._problems.append(f"{call} hangs:\n{where}")

    def _join(self) -> None:
        aside, self._aside = self._aside, []
        self._world.let_go()
        self._wait_for(list(aside))

    # ---- afterwards

    def _recover(self) -> None:
        """Heals everything, and connects all clients again."""
        self._world.heal()
        self._join()
        self._simulated.tick()
        for who in list(self._clients):
            self._until(partial(self._is_back, who), who)

    def _until(self, holds: Callable[[], bool], who: str) -> None:
        """Waits until a client is connected; a problem if it never is."""
        try:
            until(holds, f"{who} is connected", PATIENCE)
        except AssertionError as error:
            client = self._clients[who]
            info = client.memory.outage() if isinstance(client, Called) else None
            self._problems.append(f"{error}: {info}")

    def _in_time(self, work: Callable[[], Any], what: str) -> Any:
        """Returns what a function does; None, and a problem, if it hangs."""
        result: list[Any] = []
        thread = threading.Thread(target=lambda: result.append(work()), daemon=True)
        thread.start()
        thread.join(PATIENCE)
        if thread.is_alive():
            self._problems.append(f"{what} hangs")
        return result[0] if result else None

    def _is_back(self, who: str) -> bool:
        if self._hangs():
            return True
        before = len(self._problems)
        self._carry_out(Step(who, "reconnect"))
        return self._clients[who].is_online() or len(self._problems) > before

    def _compare(self) -> None:
        """Compares what each client finds with what the server has, and judges the history."""
        history, world = self._history, self._world
        with_patience: dict[str, Any] = {"namespace": self.namespace, "timeout": PATIENCE}
        clock = time.time if self._has_real_time else self._simulated
        memory = MemoryPrimitive(world.url, clock=clock, **with_patience)
        fresh = Called(memory, KEYS)
        truth = fresh.perform("peek", ())["reads"]
        history.truth = {key: number for key, number in truth.items() if number is not None}
        history.log = _pairs(fresh.perform("history", ())["log"])
        history.now = self._clock()
        history.evictions = memory.get_backend_info()["evictions"]
        judge = Judge(history, KEYS)
        self._problems += judge.problems()
        for who, client in self._clients.items():
            for name, args in (
                ("peek", ()),
                ("keys", ()),
                ("search", ()),
                ("search_user", ("u",)),
                ("records", ()),
                ("get_many", KEYS),
                ("history", ()),
            ):
                if not self._hangs():
                    self._agrees(who, client, name, args)
        expected = {key: key in history.truth for key in KEYS}
        if fresh.perform("keys", ())["exists"] != expected:
            self._problems.append("the server has changed while it was only read")
        losses = {
            who: (client, judge.known_losses(self._names[who]))
            for who, client in self._clients.items()
            if isinstance(client, Called)
        }
        for who, (client, lost) in losses.items():
            said = client.memory.get_backend_info()["lost_on_server"]
            if said < len(lost) or (said and not history.marks):
                self._problems.append(f"{who} says that {said} writes are lost: {lost}")
        for who, (client, lost) in losses.items():
            self._restores(who, client, lost, fresh)
        self._in_time(fresh.close, "closing a new client")

    def _restores(self, who: str, client: Called, lost: dict[str, int], fresh: Called) -> None:
        """Looks whether a client writes back what the server has lost when it is asked to."""
        if lost:
            client.memory.sync.reconnect(restore_from_here=True)
            found = fresh.perform("peek", ())["reads"]
            # Another client that has written the same key may have restored it before.
            if any(found[key] is None for key in lost):
                self._problems.append(f"{who} restores {found}, and has to restore {lost}")

    def _agrees(self, who: str, client: Called | Process, name: str, args: tuple[Any, ...]) -> None:
        truth = self._history.truth
        found: list[Any] = []
        expected: Any

        def look() -> bool:
            # One more outage on a busy machine is no fault.
            self._in_time(partial(client.perform, "reconnect", ()), f"{who} reconnects")
            found[:] = [self._in_time(partial(client.perform, name, args), f"{who}.{name}")]
            return self._hangs() or client.is_online()

        self._until(look, who)
        for kind, told in (found[0] or {}).items():
            if kind == "log":
                told, expected = _pairs(told), self._history.log
            else:
                is_there = kind == "exists"
                expected = {key: key in truth if is_there else truth.get(key) for key in told}
            if told != expected:
                self._problems.append(
                    f"in the end {who} finds by {name}{args} {told}, and the server has {expected}"
                )

    def _close(self) -> None:
        """Closes all memories, and looks for what is left."""
        for who, client in self._clients.items():
            if isinstance(client, Called):
                memory = client.memory
                # A thread that has just connected again may not be done.
                with suppress(AssertionError):
                    until(partial(_is_idle, memory), patience=PATIENCE / 2)
                self._problems += _left_in(who, memory)
            self._in_time(client.close, f"closing {who}")

        def ours() -> list[str]:
            new = set(threading.enumerate()) - self._threads
            return [each.name for each in new if "tta" in each.name]

        try:
            until(lambda: not ours(), lambda: f"threads end: {ours()}", PATIENCE / 2)
        except AssertionError as error:
            self._problems.append(str(error))


def _call_of(client: str, step: Step) -> Call:
    """Returns the call of a step, before it begins."""
    what, args = step.what, step.args
    if what == "in a fork":
        what, args = args[0], args[1:]
    call = Call(client, what)
    match what, args:
        case "add", (key, number, ttl):
            call.sets = {key: (number, ttl)}
        case "add_many", (items, ttl):
            call.sets = {key: (number, ttl) for key, number in items}
        case "put", (_, items):
            call.sets = {key: (number, None) for key, number in items}
        case "apply", (_, items, deleted):
            call.sets = {key: (number, None) for key, number in items}
            call.deletes = deleted
        case "swap", (key, number):
            call.sets = {key: (number, None)}
        case "touch", (touched, ttl):
            call.touches, call.ttl = touched, ttl
        case "append", numbers:
            call.appends = numbers
        case "delete", (key,):
            call.deletes = (key,)
        case "remove", (_, *keys):
            call.deletes = tuple(keys)
        case ("clear", _) | ("take_all", _):
            call.deletes = None
    return call


def _pairs(messages: Iterable[Sequence[Any]]) -> list[tuple[str, int]]:
    """Returns messages as they are told in this process and in another one alike."""
    return [(key, number) for key, number in messages]


def _is_idle(memory: MemoryPrimitive) -> bool:
    return not _left_in("", memory)


def _left_in(who: str, memory: MemoryPrimitive) -> list[str]:
    """Returns what a memory that has nothing to do any more still holds."""
    store: Any = memory._store
    found = []
    info = memory.get_backend_info()
    if info["writes_waiting"]:
        found.append(f"{who}: {info['writes_waiting']} writes wait, though nothing is wrong")
    if store.commands.write_ids._open:
        found.append(f"{who}: writes {list(store.commands.write_ids._open)} are never settled")
    return found
