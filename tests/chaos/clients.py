"""Clients of a schedule: each carries verbs out in its own way, and can be interrupted in the middle."""

from __future__ import annotations

import asyncio
import dis
import json
import logging
import os
import re
import subprocess
import sys
import threading
import time
import traceback
import types
from collections.abc import Callable, Coroutine, Generator, Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Self, TypeAlias, TypeVar

from backends import Clock

from tta_memory_nb import MemoryPrimitive, MemoryRecord
from tta_memory_nb.entry import new_entry
from tta_memory_nb.errors import Conflict
from tta_memory_nb.stores.base import Change

T = TypeVar("T")

Answer: TypeAlias = dict[str, Any]
"""What a verb said of keys: ``reads`` (number or None), ``exists``, ``deleted``; of a change that can be taken
back ``written`` and ``removed``; of an undo ``restored`` and ``taken``; of a write on condition ``swapped``; the keys of messages that were ``appended``."""

SESSION = ("log", "1")
"""User and session to which messages are appended."""

PATIENCE = 60.0
"""Seconds after which a call hangs for certain."""


def value_of(number: int) -> dict[str, Any]:
    """Returns the value that is written for a number."""
    return {"n": number, "text": "note"}


def _numbers(found: Iterable[Any]) -> dict[str, int]:
    return {each.key: each.value["n"] for each in found}


def _entries(entries: Iterable[Any]) -> dict[str, int]:
    return {entry.key: entry.value()["n"] for entry in entries}


class Swapped(NamedTuple):
    """What a client knows of a write on condition.

    Attributes:
        read: the number that was read; None if there was no record.
        is_done: whether the write was made.
        was_online: whether the client was connected between the read and the write.
    """

    read: int | None
    is_done: bool
    was_online: bool


def call_of(
    memory: MemoryPrimitive,
    keys: Iterable[str],
    changes: dict[int, Change],
    name: str,
    args: tuple[Any, ...],
) -> tuple[Callable[[bool], Any], Callable[[Any], Answer]]:
    """Returns how to carry a verb out, and how to make the answer of its result.

    Args:
        memory: the client's memory.
        keys: all keys that there are.
        changes: of this client that can be taken back, by their number.
        name: of the verb.
        args: its arguments.

    Returns:
        A function that is told whether to await, and returns the result or what is to be awaited; and a
        function of that result.
    """
    keys = list(keys)

    def on(verb: str, *arguments: Any, **options: Any) -> Callable[[bool], Any]:
        return lambda awaited: getattr(memory if awaited else memory.sync, verb)(
            *arguments, **options
        )

    def nothing(_: Any) -> Answer:
        return {}

    def all_of(asked: Iterable[str], found: dict[str, int]) -> Answer:
        return {"reads": {key: found.get(key) for key in asked}}

    def changed(number: int, deleted: Iterable[str] = ()) -> Callable[[Change], Answer]:
        def answer(change: Change) -> Answer:
            changes[number] = change
            removed = _entries(change.removed)
            told: Answer = {"written": _entries(change.written), "removed": removed}
            if name in {"remove", "apply"}:
                told["deleted"] = {key: key in removed for key in deleted}
            elif name == "take_all":
                told["deleted"] = dict.fromkeys(removed, True)
            return told

        return answer

    match name, args:
        case "add", (key, number, ttl):
            return on("add", key, value_of(number), ttl), nothing
        case "add_many", (items, ttl):
            return on("add_many", {key: value_of(number) for key, number in items}, ttl), nothing
        case "put", (number, items):
            entries = [new_entry(key, value_of(n), memory._verbs.clock(), None) for key, n in items]
            plan = memory._store.put
            run, arun = memory._store.runner.run, memory._store.runner.arun
            return lambda awaited: (arun if awaited else run)(plan(entries)), changed(number)
        case "delete", (key,):
            return on("delete", key), lambda existed: {"deleted": {key: existed}}
        case "remove", (number, *asked):
            return on("remove", list(asked)), changed(number, asked)
        case "take_all", (number,):
            return on("take_all"), changed(number)
        case "apply", (number, items, asked):
            puts = {key: value_of(n) for key, n in items}
            return on("apply", puts, asked), changed(number, asked)
        case "touch", (asked, ttl):
            return on("touch", list(asked), ttl), nothing
        case "append", numbers:
            messages = [{"n": number, "said": "line"} for number in numbers]
            return on("append", *SESSION, messages), lambda added: {"appended": added}
        case "history", ():
            return on("history", *SESSION), lambda found: {
                "log": [(record.key, record.value["n"]) for record in found]
            }
        case "swap", (key, number):
            return (
                lambda awaited: (_swap if awaited else _swap_now)(memory, key, number),
                lambda told: {"swapped": {key: told}},
            )
        case "undo", (number,):
            return on("undo", changes[number]), lambda change: {
                "restored": _entries(change.written),
                "taken": [entry.key for entry in change.removed],
            }
        case "get", (key,):
            return on("get", key), lambda value: {"reads": {key: value and value["n"]}}
        case "get_many", asked:
            return on("get_many", list(asked)), lambda found: all_of(
                asked, {key: value["n"] for key, value in found.items()}
            )
        case "search", ():
            return on("search_records", "NOTE", None), lambda hits: all_of(keys, _numbers(hits))
        case "search", (limit,):
            return on("search_records", "note", limit), lambda hits: {"reads": _numbers(hits)}
        case "search_user", (user,):
            here = [key for key in keys if key.startswith(f"{user}:")]
            return on("search_records", "note", None, user=user), lambda hits: all_of(
                here, _numbers(hits)
            )
        case "records", ():
            return on("records"), lambda found: all_of(keys, _numbers(found))
        case "peek", ():
            return on("peek", keys), lambda entries: all_of(keys, _entries(entries))
        case "keys", ():
            return on("keys"), lambda found: {"exists": {key: key in found for key in keys}}
        case "resize", (max_size,):
            return on("resize", max_size), nothing
        case (("clear" | "reconnect" | "build_index" | "stats"), ()):
            return on(name), nothing
        case "close", ():
            return lambda awaited: memory.aclose() if awaited else memory.sync.close(), nothing
        case (("size" | "get_backend_info" | "outage"), ()):  # these are called on either face
            return lambda awaited: _done(getattr(memory, name)(), awaited), nothing
    raise AssertionError(f"no verb {name}{args}")


async def _swap(memory: MemoryPrimitive, key: str, number: int) -> Swapped:
    """Reads a record, and writes it anew if it is still the same."""
    found = await memory.get_records([key])
    was_online = memory.is_using_redis()
    with suppress(Conflict):
        await memory.apply({key: value_of(number)}, expect={key: _version(found)})
        return Swapped(_number(found), True, was_online)
    return Swapped(_number(found), False, was_online)


def _swap_now(memory: MemoryPrimitive, key: str, number: int) -> Swapped:
    found = memory.sync.get_records([key])
    was_online = memory.is_using_redis()
    with suppress(Conflict):
        memory.sync.apply({key: value_of(number)}, expect={key: _version(found)})
        return Swapped(_number(found), True, was_online)
    return Swapped(_number(found), False, was_online)


def _version(found: list[MemoryRecord]) -> Any:
    return found[0].version if found else None


def _number(found: list[MemoryRecord]) -> int | None:
    return found[0].value["n"] if found else None


def _done(result: Any, awaited: bool) -> Any:
    async def give() -> Any:
        return result

    return give() if awaited else result


# ---- in the middle of a call


class Interrupting:
    """Raises `KeyboardInterrupt` in the middle of a call, where Ctrl-C can.

    Python handles signals when a function begins, and after a call of a function that is written in C. These
    are also the events of a profiler, and what a profiler raises is raised there.

    Args:
        event: at which of these events, counted from the beginning of the call.

    Attributes:
        happened: whether there were so many.
    """

    def __init__(self, event: int) -> None:
        self._left = event
        self.happened = False

    def __enter__(self) -> Self:
        sys.setprofile(self._see)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)

    def _see(self, frame: types.FrameType, event: str, _: object) -> None:
        if event == "c_return" or (event == "call" and _begins(frame)):
            self._left -= 1
            if self._left == 0:
                sys.setprofile(None)
                self.happened = True
                raise KeyboardInterrupt


def _begins(frame: types.FrameType) -> bool:
    """Returns whether a signal is handled where a frame is entered: not in a ``yield from``."""
    operation, kind = frame.f_code.co_code[frame.f_lasti : frame.f_lasti + 2]
    return operation == dis.opmap["RESUME"] and kind & 3 < 2


@types.coroutine
def _cancelled_at(work: Coroutine[Any, Any, T], wait: int) -> Generator[Any, Any, T]:
    """Carries a coroutine out, and cancels its task while it waits for a certain time."""
    go_on: Callable[[], Any] = partial(work.send, None)
    while True:
        try:
            waited_for = go_on()
        except StopIteration as done:
            result: T = done.value
            return result
        wait -= 1
        if wait == 0:
            task = asyncio.current_task()
            assert task
            asyncio.get_running_loop().call_soon(task.cancel)
        try:
            go_on = partial(work.send, (yield waited_for))
        except BaseException as error:
            go_on = partial(work.throw, error)


# ---- the clients


class Called:
    """A client that calls verbs in threads.

    Args:
        memory: its memory.
        keys: all keys that there are.
    """

    awaits = False

    def __init__(self, memory: MemoryPrimitive, keys: Iterable[str]) -> None:
        self.memory = memory
        self._keys = list(keys)
        self._changes: dict[int, Change] = {}

    def perform(self, name: str, args: tuple[Any, ...], stop_at: int = 0) -> Answer:
        """Carries a verb out, and returns the answer.

        Args:
            name: of the verb.
            args: its arguments.
            stop_at: the event or the wait at which the call is interrupted; 0 for none.
        """
        call, answer = call_of(self.memory, self._keys, self._changes, name, args)
        if not stop_at:
            return answer(call(False))
        with Interrupting(stop_at) as interrupting:
            try:
                result = call(False)
            except TypeError as error:
                # CPython may put another error in the place of what a profiler raises as a generator begins.
                if interrupting.happened and "'traceback' object" in str(error):
                    raise KeyboardInterrupt from error
                raise
        return answer(result)

    def is_online(self) -> bool:
        """Returns whether the memory is connected."""
        return self.memory.is_using_redis()

    def close(self) -> None:
        """Closes the memory."""
        self.memory.sync.close()


class Awaited(Called):
    """A client that awaits verbs on a loop, which runs in a thread of its own."""

    awaits = True

    def __init__(self, memory: MemoryPrimitive, keys: Iterable[str], loop: Loop) -> None:
        super().__init__(memory, keys)
        self._loop = loop

    def perform(self, name: str, args: tuple[Any, ...], stop_at: int = 0) -> Answer:
        """As `Called.perform`; the calling thread waits for the loop."""
        call, answer = call_of(self.memory, self._keys, self._changes, name, args)

        async def work() -> Any:
            if not stop_at:
                return await call(True)
            return await _cancelled_at(call(True), stop_at)

        return answer(self._loop.run(work()))

    def close(self) -> None:
        """Closes the memory."""
        self._loop.run(self.memory.aclose())
        self.memory.sync.close()


class Loop:
    """An event loop in a thread."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self.problems: list[str] = []
        self._loop.set_exception_handler(
            lambda _, context: self.problems.append(
                f"on the loop: {context['message']}: {context.get('exception')!r}"
            )
        )
        self._thread = threading.Thread(
            target=self._loop.run_forever, daemon=True, name="chaos-loop"
        )
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Carries a coroutine out on the loop; the calling thread waits."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def where(self) -> str:
        """Returns what the thread of the loop does, and where each task waits."""
        frame = sys._current_frames().get(self._thread.ident or 0)
        lines = ["the loop:\n", *traceback.format_stack(frame)[-4:]]
        for task in asyncio.all_tasks(self._loop):
            lines.append(f"{task.get_name()}:\n")
            step: Any = task.get_coro()
            while step is not None:
                awaits = hasattr(step, "cr_frame")
                at = getattr(step, "cr_frame" if awaits else "gi_frame", None)
                if at is not None:
                    lines.append(f"  {at.f_code.co_filename}:{at.f_lineno} {at.f_code.co_name}\n")
                step = getattr(step, "cr_await" if awaits else "gi_yieldfrom", None)
        return "".join(lines)

    def stop(self) -> None:
        """Ends the loop and its thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)
        self._loop.close()


class Forked(NamedTuple):
    """What the child of a fork was told before it has ended.

    Attributes:
        answer: of the verb.
        online: whether its memory was connected after the verb.
        waiting: how many records were pending when it ended.
    """

    answer: Answer
    online: bool
    waiting: int


class Process:
    """A client in a process of its own, which can be killed.

    Args:
        before: code that the process runs first.
    """

    awaits = False

    def __init__(self, before: str = "") -> None:
        self._said, said = os.pipe()
        self._process = subprocess.Popen(
            [sys.executable, "-c", f"{before}\nfrom chaos.clients import serve; serve({said})"],
            cwd=Path(__file__).parent.parent,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=(said,),
            text=True,
        )
        os.close(said)
        self._lock = threading.Lock()
        self._online = True
        self.tell_clock: Callable[[], float] = float

    def _ask(self, *what: Any) -> Any:
        assert self._process.stdin
        assert self._process.stdout
        with self._lock:
            self._process.stdin.write(json.dumps([self.tell_clock(), *what]) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        if not line:
            raise ProcessEnded
        told = json.loads(line)
        self._online = told["online"]
        if told.get("error"):
            raise ProcessRaised(told["error"], told["text"])
        return told["answer"]

    def open(
        self,
        clock: Callable[[], float],
        skew: float | None,
        keys: Iterable[str],
        url: str,
        **options: Any,
    ) -> None:
        """Opens a memory in the process.

        Args:
            clock: gives the simulated time.
            skew: seconds by which the clock of the process is ahead of the real time; None to have it
                use the simulated time.
            keys: all keys that there are.
            url: address of the server.
            **options: further arguments of the memory.
        """
        self.tell_clock = clock
        self._ask("open", skew, list(keys), url, options)

    def perform(self, name: str, args: tuple[Any, ...], stop_at: int = 0) -> Answer:
        """As `Called.perform`."""
        answer: Answer = self._ask("perform", name, args, stop_at)
        return answer

    def is_online(self) -> bool:
        """Returns whether the memory was connected after the last call."""
        return self._online

    def close(self) -> None:
        """Closes the memory; the process goes on."""
        self._ask("close")

    def in_a_fork(self, name: str, *args: Any) -> Forked:
        """Carries a verb out in the child of a fork, which then closes its memory and ends."""
        return Forked(**self._ask("in a fork", name, args, 0))

    def terminate(self) -> int:
        """Ends the process by SIGTERM; returns how many writes it has said to be lost.

        Raises:
            TimeoutExpired: it does not end.
        """
        self._process.terminate()
        self._process.wait(PATIENCE)
        with os.fdopen(self._said, encoding="utf-8", closefd=False) as said:
            return sum(map(int, re.findall(r"(\d+) writes have not reached it", said.read())))

    def kill(self) -> None:
        """Kills the process, if it has not ended."""
        self._process.kill()
        self._process.wait()
        with suppress(OSError):  # a second time
            os.close(self._said)
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe
            with suppress(OSError):  # what was not sent yet
                pipe.close()

    @property
    def is_running(self) -> bool:
        """Whether the process has not ended."""
        return self._process.poll() is None


class ProcessEnded(Exception):
    """The process was killed before it answered."""


class ProcessRaised(Exception):
    """The verb raised in the process.

    Args:
        kind: name of the error's class.
        text: the error's message.
    """

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind


class _Sayings(logging.Handler):
    """Writes what the package warns of to a file."""

    def __init__(self, file: int) -> None:
        super().__init__(logging.WARNING)
        self._file = file

    def emit(self, record: logging.LogRecord) -> None:
        os.write(self._file, f"{record.getMessage()}\n".encode())


def serve(said: int) -> None:
    """Carries out what comes on the standard input; runs in the process of a client.

    Args:
        said: the open file to which the process writes its warnings.
    """
    logger = logging.getLogger("tta_memory_nb")
    logger.addHandler(_Sayings(said))
    logger.propagate = False
    client: Called | None = None
    clock = Clock()
    from unittest.mock import patch

    from tta_memory_nb.stores.redis import outage

    with patch.object(outage.Outages, "_watch", lambda _: None):
        for line in sys.stdin:
            clock.now, what, *args = json.loads(line)
            told: dict[str, Any] = {"answer": None}
            try:
                if what == "open":
                    skew, keys, url, options = args
                    options["clock"] = clock if skew is None else partial(_ahead, skew)
                    client = Called(MemoryPrimitive(url, **options), keys)
                elif client and what == "close":
                    client.close()
                elif client:
                    name, arguments, stop_at = args
                    perform = client.perform if what == "perform" else partial(_in_a_fork, client)
                    told["answer"] = perform(name, _tuples(arguments), stop_at)
            except BaseException as error:  # whatever it is, the other process has to know
                kind = error.kind if isinstance(error, ProcessRaised) else type(error).__name__
                told.update(error=kind, text=str(error))
            told["online"] = client is not None and client.is_online()
            print(json.dumps(told), flush=True)


def _in_a_fork(client: Called, name: str, args: tuple[Any, ...], _: int) -> dict[str, Any]:
    """Returns the fields of `Forked`."""
    there, here = os.pipe()
    child = os.fork()
    if child == 0:
        told: dict[str, Any] = {}
        try:
            told["answer"] = client.perform(name, args)
            told["online"] = client.is_online()
            client.close()
            told["waiting"] = (client.memory.outage() or {}).get("writes_waiting", 0)
        except BaseException as error:  # whatever it is, the parent has to know
            told.update(kind=type(error).__name__, text=str(error))
        finally:
            os.write(here, json.dumps(told).encode())
            os._exit(0)
    os.close(here)
    with os.fdopen(there, encoding="utf-8") as pipe:
        told = json.load(pipe)
    os.waitpid(child, 0)
    if "kind" in told:
        raise ProcessRaised(told["kind"], told["text"])
    return told


def _ahead(seconds: float) -> float:
    return time.time() + seconds


def _tuples(data: Any) -> Any:
    return tuple(map(_tuples, data)) if isinstance(data, list) else data
