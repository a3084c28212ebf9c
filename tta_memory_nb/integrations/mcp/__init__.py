"""A memory as tools for agents, by the Model Context Protocol (extra ``mcp``)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ...errors import MissingPackage
from .scope import Rights, Scope, check_rights

if TYPE_CHECKING:
    from mcp.server.mcpserver import MCPServer

    from ...memory.faces import MemoryPrimitive, SyncMemory
    from .http import Served

__all__ = ["Rights", "Scope", "memory_server", "run_http", "serve_http"]


def memory_server(
    memory: MemoryPrimitive | SyncMemory, *, user: str | None = None, rights: Rights = "read"
) -> MCPServer[Any]:
    """Returns an MCP server over a memory, which its ``run`` starts.

    Its tools search, get and list; with more rights they propose changes, or add and delete. The memory and the user are
    fixed: no argument of any tool reaches beyond them.

    Args:
        memory: what the tools work on.
        user: whose records alone there are for the tools; None for all.
        rights: ``"read"``; ``"propose"``, where what an agent wants to write or delete waits for a person, see
            `SyncMemory.proposals`; or ``"write"``.

    Raises:
        InvalidArgument: no key can have this user, or there are no such rights.
        MissingPackage: the SDK is not installed.
    """
    scope = Scope.of(memory, user)
    check_rights(rights)
    try:
        from .server import made
    except ImportError as error:
        raise MissingPackage(
            "an MCP server needs the package mcp: pip install 'tta-memory-nb[mcp]'"
        ) from error
    return made(scope, rights)


def serve_http(server: MCPServer[Any], port: int = 0) -> Served:
    """Serves on this machine, in a thread of this process; see `http.Served`."""
    from .http import Served

    return Served(server, port)


def run_http(server: MCPServer[Any], port: int, tell: Callable[[str], object]) -> None:
    """Serves on this machine, in the calling thread; see `http.run_http`."""
    from .http import run_http

    run_http(server, port, tell)
