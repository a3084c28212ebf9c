"""A TCP proxy between a client and a server that injects the faults of networks at chosen commands."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal, Self, TypeAlias

Kind: TypeAlias = Literal[
    "reset",  # before the server has seen the command
    "lose reply",  # after the server has carried it out
    "half request",  # the server receives half of the command
    "half reply",  # the client receives half of the reply
    "stall",  # likewise, and the rest when `let_go` is called
    "hold",  # the client receives the reply when `let_go` is called
    "hang",  # no reply ever comes
    "delay",  # likewise, but the server receives the command when `release` is called
    "trickle",  # the reply comes byte by byte
    "error",  # the reply is `error`
]

# Commands that a client sends when it connects.
_HANDSHAKE = {b"CLIENT", b"HELLO", b"AUTH", b"SELECT", b"PING"}


def _is_greeting(command: Sequence[bytes]) -> bool:
    """Returns whether a client says with a command only that it is there."""
    return command[0].upper() == b"EVAL" and b"sends first on every new connection" in command[1]


@dataclass
class Fault:
    """A fault that a proxy injects.

    Attributes:
        kind: what happens.
        on: whether the fault is for a command, whose arguments it is given.
        times: number of commands to inject the fault into; None for all.
        error: error line that the proxy sends in place of the server's reply.
        count: number of commands that the fault was injected into so far.
        happened: set once the fault was injected.
    """

    kind: Kind
    on: Callable[[Sequence[bytes]], bool]
    times: int | None = 1
    error: bytes = b""
    count: int = 0
    happened: threading.Event = field(default_factory=threading.Event)


class Proxy:
    """Forwards connections from a port of its own to a server on this machine.

    Args:
        port: port of the server.
    """

    def __init__(self, port: int) -> None:
        self._server_port = port
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        self._sockets: set[socket.socket] = set()
        self._held: list[bytes] = []
        self._go_on = threading.Event()
        self._forgotten: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._listener: socket.socket | None = None
        self.commands = 0
        """How many commands have come, without those of handshakes."""
        self.connections = self.most_connections = 0
        """How many connections were made, and how many there were at once."""
        self.swallowed = 0
        """How many commands have come on forgotten connections."""
        self._open_connections = 0
        self._held_replies: list[tuple[socket.socket, bytes]] | None = None
        self.port = 0
        self._listen()

    @property
    def url(self) -> str:
        """Address that the proxy listens on."""
        return f"redis://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.refuse()
        self.let_go()
        for thread in self._threads:
            thread.join(5)

    # ---- for tests

    def fault(
        self,
        kind: Kind,
        on: Callable[[Sequence[bytes]], bool] = lambda _: True,
        times: int | None = 1,
        error: bytes = b"",
    ) -> Fault:
        """Injects a fault into the next matching commands, and returns it."""
        fault = Fault(kind, on, times, error)
        with self._lock:
            self._faults.append(fault)
        return fault

    def refuse(self) -> None:
        """Closes all connections and accepts no new ones, as a server that is down."""
        with self._lock:
            listener, self._listener = self._listener, None
        if listener is not None:
            with suppress(OSError):  # wakes the thread that waits for connections
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        self.cut()

    def cut(self) -> None:
        """Closes all connections, and accepts new ones."""
        with self._lock:
            sockets, self._sockets = self._sockets, set()
        for each in sockets:
            _reset(each)

    def forget(self) -> None:
        """Passes nothing on any more over the connections there are, and closes none of them.

        A NAT gateway forgets idle connections in this way.
        """
        with self._lock:
            self._forgotten |= self._sockets

    def heal(self) -> None:
        """Removes all faults, sends all replies, and listens on the same port again."""
        with self._lock:
            self._faults.clear()
        self.let_go()
        if self._listener is None:
            self._listen()

    def let_go(self) -> None:
        """Sends the replies that were held back to their clients."""
        with self._lock:
            waiting, self._go_on = self._go_on, threading.Event()
        waiting.set()

    def release(self) -> None:
        """Sends the delayed commands to the server, and drops the replies."""
        held, self._held = self._held, []
        for request in held:
            with socket.create_connection(("127.0.0.1", self._server_port)) as line:
                line.sendall(request)
                line.recv(1 << 16)

    def hold_replies(self) -> None:
        """Holds all replies back from now on; commands still reach the server."""
        with self._lock:
            self._held_replies = self._held_replies or []

    def pass_replies(self) -> None:
        """Lets replies pass again, with those that were held back."""
        with self._lock:
            held, self._held_replies = self._held_replies or [], None
            for client, reply in held:
                with suppress(OSError):
                    client.sendall(reply)

    def _reply(self, client: socket.socket, reply: bytes) -> None:
        with self._lock:
            if self._held_replies is not None:
                self._held_replies.append((client, reply))
                return
        client.sendall(reply)

    # ---- connections

    def _listen(self) -> None:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        listener.listen(128)
        self.port = listener.getsockname()[1]
        self._listener = listener
        self._run(self._accept, listener)

    def _run(self, work: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads = [each for each in self._threads if each.is_alive()]
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self._server_port))
            except OSError:
                _reset(client)
                continue
            with self._lock:
                gone = self._listener is not listener
                if not gone:
                    self._sockets |= {client, server}
            if gone:
                _reset(client)
                _reset(server)
                return
            self._run(self._serve, client, server)

    def _serve(self, client: socket.socket, server: socket.socket) -> None:
        with self._lock:
            self.connections += 1
            self._open_connections += 1
            self.most_connections = max(self.most_connections, self._open_connections)
        try:
            requests, replies = _Reader(client), _Reader(server)
            while True:
                request, command = requests.command()
                if client in self._forgotten:
                    self.swallowed += 1
                    continue  # until the client gives up
                fault = self._fault_for(command)
                if not self._pass_on(fault, request, client, server, replies):
                    return
        except OSError:
            pass
        finally:
            with self._lock:
                self._open_connections -= 1
                self._sockets -= {client, server}
                self._forgotten -= {client, server}
            _reset(client)
            _reset(server)

    def _fault_for(self, command: Sequence[bytes]) -> Fault | None:
        if command[0].upper() in _HANDSHAKE or _is_greeting(command):
            return None
        with self._lock:
            self.commands += 1
            for fault in self._faults:
                if (fault.times is None or fault.count < fault.times) and fault.on(command):
                    fault.count += 1
                    return fault
        return None

    def _pass_on(
        self,
        fault: Fault | None,
        request: bytes,
        client: socket.socket,
        server: socket.socket,
        replies: _Reader,
    ) -> bool:
        """Passes a request on with its fault; returns whether the connection stays open."""
        kind = fault.kind if fault else None
        if kind == "reset":
            pass
        elif kind == "half request":
            server.sendall(request[: len(request) // 2])
        elif kind == "error" and fault:
            client.sendall(b"-" + fault.error + b"\r\n")
        elif kind in ("hang", "delay"):
            if kind == "delay":
                self._held.append(request)
        else:
            server.sendall(request)
            reply = replies.reply()
            if kind in ("stall", "hold"):
                self._send_later(reply, client, 0 if kind == "hold" else max(1, len(reply) // 2))
            elif kind == "half reply":
                client.sendall(reply[: max(1, len(reply) // 2)])
            elif kind == "trickle":
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                for at in range(len(reply)):
                    client.sendall(reply[at : at + 1])
            elif kind != "lose reply":
                self._reply(client, reply)
        if fault:
            fault.happened.set()
        if kind in ("hang", "delay"):
            client.recv(1)  # until the client gives up
            return False
        return kind in (None, "error", "trickle", "stall", "hold")

    def _send_later(self, reply: bytes, client: socket.socket, at_once: int) -> None:
        with self._lock:
            go_on = self._go_on
        client.sendall(reply[:at_once])
        go_on.wait()
        client.sendall(reply[at_once:])


class _Reader:
    """Splits the bytes from a socket into commands or replies."""

    def __init__(self, source: socket.socket) -> None:
        self._source = source
        self._buffer = b""
        self._at = 0

    def command(self) -> tuple[bytes, list[bytes]]:
        """Reads one command; returns its bytes, and its arguments."""
        parts: list[bytes] = []
        raw = self._whole(parts)
        return raw, parts

    def reply(self) -> bytes:
        """Reads one reply; returns its bytes."""
        return self._whole([])

    def _whole(self, parts: list[bytes]) -> bytes:
        self._at = 0
        self._value(parts)
        raw, self._buffer = self._buffer[: self._at], self._buffer[self._at :]
        return raw

    def _value(self, parts: list[bytes]) -> None:
        line = self._line()
        kind, rest = line[:1], line[1:]
        if kind in b"*~>%":
            count = int(rest) * (2 if kind == b"%" else 1)
            for _ in range(count):
                self._value(parts)
        elif kind in b"$=!":
            if int(rest) >= 0:
                parts.append(self._bytes(int(rest) + 2)[:-2])
        else:
            parts.append(rest)

    def _line(self) -> bytes:
        while (end := self._buffer.find(b"\r\n", self._at)) < 0:
            self._more()
        line = self._buffer[self._at : end]
        self._at = end + 2
        return line

    def _bytes(self, count: int) -> bytes:
        while len(self._buffer) < self._at + count:
            self._more()
        self._at += count
        return self._buffer[self._at - count : self._at]

    def _more(self) -> None:
        data = self._source.recv(1 << 16)
        if not data:
            raise ConnectionError("the other end has closed")
        self._buffer += data


def _reset(line: socket.socket) -> None:
    """Closes a connection with a TCP reset, as a crash does."""
    with suppress(OSError):
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    with suppress(OSError):  # wakes a thread that reads from it
        line.shutdown(socket.SHUT_RD)
    with suppress(OSError):  # another thread closes it at the same time
        line.close()
