"""The server and the network of schedules, with what can happen to them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import Any, Literal

from network import Proxy
from real_servers import Server, until

from .clients import Loop, Process
from .history import History, Mark

_BUSY = b"LOADING Redis is loading the dataset in memory"


class World:
    """What clients run on, used by one schedule after another; there is no server yet.

    Attributes:
        loop: the loop of clients that await.
        url: the address at which the records are found whatever the network does.
    """

    url: str

    def __init__(self) -> None:
        self.loop = Loop()
        self._process: Process | None = None

    def close(self) -> None:
        """Ends everything."""
        if self._process:
            self._process.kill()
        self.loop.stop()

    def process(self) -> Process:
        """Returns the process of a client, and starts it if there is none."""
        if self._process is None or not self._process.is_running:
            self._process = Process()
        return self._process

    def url_of(self, client: str) -> str:
        """Returns the address by which a client reaches the server."""
        return self.url

    def start_over(self, namespace: str) -> None:
        """Makes the server empty and the network whole for another schedule.

        Args:
            namespace: in which the clients of that schedule have their records.
        """
        raise NotImplementedError

    def happens(self, what: str, args: tuple[Any, ...], history: History) -> None:
        """Lets something happen.

        Args:
            what: a name from a step.
            args: its arguments.
            history: where it is kept if it changes records.
        """
        raise NotImplementedError

    def heal(self) -> None:
        """Makes everything work again."""
        raise NotImplementedError

    def let_go(self) -> None:
        """Has all answers arrive that were held back."""


class OneServer(World):
    """One server, and a proxy for each of two clients.

    Args:
        binary: the server.
    """

    def __init__(self, binary: str) -> None:
        super().__init__()
        self.server = Server(binary)
        self.url = self.server.url
        self._proxies = {name: Proxy(self.server.port) for name in ("called", "awaited")}
        self._snapshot = self.server.folder / "snapshot.rdb"
        self._dump = self.server.folder / "dump.rdb"
        self._is_frozen = self._is_down = self._disk_is_full = False

    def close(self) -> None:
        """Ends everything."""
        super().close()
        for proxy in self._proxies.values():
            proxy.__exit__()
        self.server.stop()

    def start_over(self, namespace: str) -> None:
        """Makes the server empty and the network whole for another schedule."""
        self.heal()
        with self.server.client() as client:
            client.flushall()
        for file in (self._snapshot, self._dump):
            file.unlink(missing_ok=True)

    def url_of(self, client: str) -> str:
        """Returns the address by which a client reaches the server."""
        return self._proxies[client].url if client in self._proxies else self.url

    def let_go(self) -> None:
        """Has all answers arrive that were held back."""
        for proxy in self._proxies.values():
            proxy.let_go()

    # ---- what happens

    def happens(self, what: str, args: tuple[Any, ...], history: History) -> None:
        """Lets something happen; see `World`."""
        match what, args:
            case "fault", (line, kind, times):
                self._proxies[line].fault(
                    kind, lambda command: command[0] in {b"EVALSHA", b"EVAL"}, times, _BUSY
                )
            case (("refuse" | "cut" | "forget" | "heal" | "let go"), (line,)):
                getattr(self._proxies[line], what.replace(" ", "_"))()
            case (("freeze" | "thaw" | "down" | "up" | "restart" | "full" | "room"), ()):
                getattr(self, f"_{what}")()
            case (("fill the disk" | "empty the disk"), ()):
                getattr(self, f"_{what.replace(' ', '_')}")()
            case "snapshot", ():
                self._while_paused(history, "snapshot", self._take_snapshot)
            case "roll back", ():
                self._comes_back(history, "rollback")
            case "lose all", ():
                self._comes_back(history, "lost")
            case _:
                raise AssertionError(f"unknown: {what}{args}")

    def heal(self) -> None:
        """Makes everything work again."""
        self._thaw()
        self._up()
        self._room()
        self._empty_the_disk()
        for proxy in self._proxies.values():
            proxy.heal()
            proxy.release()

    def _freeze(self) -> None:
        if not self._is_down:
            self.server.freeze()
            self._is_frozen = True

    def _thaw(self) -> None:
        if self._is_frozen:
            self.server.thaw()
            self._is_frozen = False

    def _down(self) -> None:
        """Kills the server, which keeps its data."""
        self._thaw()
        self._empty_the_disk()
        if not self._is_down:
            # Writes wait from before the data is saved until the server is killed.
            with self.server.client() as client:
                client.client_pause(60_000, all=False)
                client.save()
            self.server.kill()
            self._is_down = True

    def _up(self) -> None:
        if self._is_down:
            self.server.restart()
            self._is_down = False

    def _restart(self) -> None:
        self._down()
        self._up()

    def _full(self) -> None:
        self._set_room(1)

    def _room(self) -> None:
        self._set_room(0)

    def _set_room(self, most: int) -> None:
        if not (self._is_down or self._is_frozen):
            with self.server.client() as client:
                client.config_set("maxmemory", most)

    def _fill_the_disk(self) -> None:
        """Has the server fail to save, after which it refuses every write."""
        if not (self._is_down or self._is_frozen or self._disk_is_full):
            self._dump.unlink(missing_ok=True)
            self._dump.mkdir()  # which no file can take the place of
            self._disk_is_full = True
            self._save("3600 1000000", "err")

    def _empty_the_disk(self) -> None:
        if self._disk_is_full and not self._is_down:
            self._thaw()
            self._dump.rmdir()
            self._save("", "ok")
            self._disk_is_full = False

    def _save(self, policy: str, expected: str) -> None:
        """Has the server save in the background, and waits for the result."""

        def ended() -> bool:
            info = client.info("persistence")
            return not info["rdb_bgsave_in_progress"] and info["rdb_last_bgsave_status"] == expected

        with self.server.client() as client:
            client.config_set("save", policy)
            client.bgsave()
            until(ended, f"saving ends with {expected}")

    def _while_paused(
        self, history: History, kind: Literal["snapshot"], work: Callable[[], None]
    ) -> None:
        if self._is_down or self._is_frozen or self._disk_is_full:
            return
        begin = history.time()
        with self.server.client() as client:
            client.client_pause(60_000, all=False)
            work()
            client.client_unpause()
        history.marks.append(Mark(kind, begin, history.time()))

    def _take_snapshot(self) -> None:
        with self.server.client() as client:
            client.save()
        shutil.copy(self._dump, self._snapshot)

    def _comes_back(self, history: History, kind: Literal["rollback", "lost"]) -> None:
        """Kills the server, which comes back older or empty."""
        if kind == "rollback" and not self._snapshot.exists():
            return
        self._thaw()
        self._empty_the_disk()
        begin = history.time()
        if not self._is_down:
            self.server.kill()
        self._dump.unlink(missing_ok=True)
        if kind == "rollback":
            shutil.copy(self._snapshot, self._dump)
        history.marks.append(Mark(kind, begin, history.time()))
        self.server.restart()
        self._is_down = False
