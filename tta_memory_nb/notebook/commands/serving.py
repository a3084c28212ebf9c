"""The command that gives agents the memory on screen: serve."""

from __future__ import annotations

import json
import sys
from typing import Any

from ...errors import InvalidArgument, harmless
from ...integrations.mcp import Rights, memory_server, serve_http
from .base import Notebook, Reply, shown

_WHAT = {
    "read": "agents can read it",
    "propose": "agents can read it and propose changes, see %memory proposals",
    "write": "agents can read, write and delete",
}
_VARIABLE = "TTA_MEMORY_URL"


def serve(
    nb: Notebook,
    *,
    user: str | None = None,
    propose: bool = False,
    write: bool = False,
    port: int | None = None,
    stop: bool = False,
) -> Reply:
    """Give agents the memory on screen, as tools of an MCP server on this machine.

    Agents can only search and read, unless a flag allows more. The server runs in the kernel until it is stopped. The command shows
    what an MCP client has to be told; no password is in it. It needs the extra mcp.

      %memory serve
      %memory serve --propose --user alice
      %memory serve --stop

    Flags:
        user: the user whose records alone there are for agents
        propose: agents can propose to write and to delete; you decide
        write: agents can write and delete
        port: port on this machine; a free one if left out
        stop: end the server
    """
    given = user is not None or propose or write or port is not None
    if stop:
        if given:
            raise InvalidArgument("--stop: it takes no other flag")
        return _stop(nb)
    if propose and write:
        raise InvalidArgument("--propose --write: give one of the two")
    if nb.served is not None and nb.served.is_running:
        if given:
            raise InvalidArgument(
                f"serve: there is a server already, at {nb.served.url}; end it first with %memory serve --stop"
            )
        return Reply(f"serving at {nb.served.url}; %memory serve --stop ends it")
    rights: Rights = "write" if write else "propose" if propose else "read"
    server = memory_server(nb.memory, user=user, rights=rights)
    nb.served = serve_http(server, 0 if port is None else port)
    whose = "" if user is None else f", of the user {shown(user)} alone"
    lines = [
        f"serving the namespace {shown(nb.memory.namespace)}{whose}: {_WHAT[rights]}",
        "An MCP client on this machine takes this, until %memory serve --stop:",
        _configuration({"type": "http", "url": nb.served.url}),
    ]
    if (place := _place(nb)) is not None:
        lines += [
            "Or the client starts a server of its own, which needs no notebook:",
            _configuration(_command(nb, place, user, rights)),
        ]
    return Reply("\n".join(lines))


def _stop(nb: Notebook) -> Reply:
    if nb.served is None:
        raise InvalidArgument("--stop: there is no server to end; %memory serve starts one")
    url, served = nb.served.url, nb.served
    nb.served = None
    served.stop()
    return Reply(f"no longer serving at {url}")


def _place(nb: Notebook) -> str | None:
    """Returns the address of the memory, without any password; None for one that other processes cannot reach."""
    about = nb.memory.get_backend_info()
    if "path" in about:
        return f"file:{about['path']}"
    url: str | None = about.get("redis_url")
    return url


def _command(nb: Notebook, place: str, user: str | None, rights: Rights) -> dict[str, Any]:
    arguments = ["-m", "tta_memory_nb.mcp"]
    is_masked = "***" in place
    if not is_masked:
        arguments += ["--memory", place]
    arguments += ["--namespace", nb.memory.namespace]
    if user is not None:
        arguments += ["--user", user]
    if rights != "read":
        arguments.append(f"--{rights}")
    told: dict[str, Any] = {"command": sys.executable, "args": arguments}
    if is_masked:
        told["env"] = {_VARIABLE: f"{place}  <- with the password in place of ***"}
    return told


def _configuration(server: dict[str, Any]) -> str:
    return harmless(json.dumps({"mcpServers": {"memory": server}}, ensure_ascii=True))
