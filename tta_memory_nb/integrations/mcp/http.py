"""An MCP server by streamable HTTP, on this machine alone."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import closing
from threading import Thread
from typing import TYPE_CHECKING, Any

from ...errors import InvalidArgument

if TYPE_CHECKING:
    import uvicorn
    from mcp.server.mcpserver import MCPServer

_HOST = "127.0.0.1"
_PATH = "/mcp"

# Seconds that requests which are under way have when the server is stopped.
_GRACE = 1


class Served:
    """A server that runs in a thread of this process, until it is stopped or the process ends.

    Args:
        server: what is served.
        port: 0 for one that is free.

    Attributes:
        url: where a client reaches it.

    Raises:
        InvalidArgument: the port is taken, or is none.
    """

    def __init__(self, server: MCPServer[Any], port: int = 0) -> None:
        self._socket = _listening(port)
        self.url = _url(self._socket)
        self._server = _uvicorn(server)
        self._thread = Thread(
            target=self._server.run, args=([self._socket],), name="tta-memory-mcp", daemon=True
        )
        self._thread.start()

    @property
    def is_running(self) -> bool:
        """Whether clients are served."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """Ends the server, and waits until its thread has ended."""
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()


def run_http(server: MCPServer[Any], port: int, tell: Callable[[str], object]) -> None:
    """Serves in the calling thread until Ctrl-C or a signal ends it.

    Args:
        server: what is served.
        port: 0 for one that is free.
        tell: called with the URL as soon as clients can connect.

    Raises:
        InvalidArgument: the port is taken, or is none.
    """
    with closing(_listening(port)) as listening:
        tell(_url(listening))
        _uvicorn(server).run([listening])


def _listening(port: int) -> socket.socket:
    if not isinstance(port, int) or not 0 <= port < 2**16:
        raise InvalidArgument.about(
            "port", port, "give a port below 65,536, or 0 for one that is free"
        )
    try:
        return socket.create_server((_HOST, port))
    except OSError as error:
        raise InvalidArgument.about(
            "port",
            port,
            f"cannot listen there ({error}); give another port, or 0 for one that is free",
        ) from None


def _url(listening: socket.socket) -> str:
    return f"http://{_HOST}:{listening.getsockname()[1]}{_PATH}"


def _uvicorn(server: MCPServer[Any]) -> uvicorn.Server:
    import uvicorn

    # The SDK refuses requests whose Host or Origin is not this machine, so no web page gets through by a name of its own.
    app = server.streamable_http_app(streamable_http_path=_PATH, host=_HOST)
    config = uvicorn.Config(
        app,
        log_config=None,  # the logging of a notebook stays as it is
        access_log=False,
        ws="none",
        timeout_graceful_shutdown=_GRACE,
    )
    return uvicorn.Server(config)
