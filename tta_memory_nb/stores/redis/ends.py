"""The end of the process in an outage: one more try to reach the server, and a word about what is lost."""

from __future__ import annotations

import atexit
import os
import signal
from contextlib import suppress
from threading import Thread, current_thread, main_thread
from typing import Any, Protocol
from weakref import WeakSet

# Seconds that all memories together may take for their last try when a signal ends the process.
_PATIENCE = 5.0

_SIGNALS = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]


class Ending(Protocol):
    """What has writes that would be lost with the process."""

    def at_exit(self) -> None:
        """Tries the server once more, and says how many writes have not reached it."""
        ...

    def say_what_is_lost(self) -> None:
        """Says how many writes have not reached the server, unless `at_exit` has."""
        ...


_open: WeakSet[Ending] = WeakSet()


def watch_over(ending: Ending) -> None:
    """Has `Ending.at_exit` called when the process ends: by itself, by SIGTERM or by SIGHUP.

    A signal is only caught where it would end the process at once: a handler of the user or of a kernel
    stays, and one that is set later takes the place of this one. Only the main thread can set any.
    """
    _open.add(ending)
    if current_thread() is not main_thread():
        return
    for number in _SIGNALS:
        # ValueError: not in the main interpreter.
        with suppress(ValueError):
            if signal.getsignal(number) is signal.SIG_DFL:
                signal.signal(number, _handler(os.getpid()))


def _handler(pid: int) -> Any:
    def end(number: int, _: object) -> None:
        signal.signal(number, signal.SIG_DFL)
        if os.getpid() == pid:  # what a fork has inherited is the business of its parent
            # Not here: this thread may hold a lock in the middle of a verb.
            last_try = Thread(target=_at_exit, name="tta-memory-last-try", daemon=True)
            with suppress(RuntimeError):
                last_try.start()
                last_try.join(_PATIENCE)
            for each in list(_open):
                each.say_what_is_lost()
        os.kill(os.getpid(), number)

    return end


@atexit.register
def _at_exit() -> None:
    for each in list(_open):
        each.at_exit()
