"""An MCP server over a shared memory whose server is away."""

from __future__ import annotations

import pytest
from outages import everything
from test_mcp import agent

from tta_memory_nb.integrations.mcp import memory_server

pytestmark = pytest.mark.usefixtures("no_automatic_reconnect")


def test_tools_work_on_what_is_known_and_say_so(memory, other, proxy):
    memory.sync.add("alice:monday", {"text": "It rains"})
    with agent(memory_server(memory, user="alice", rights="write")) as client:
        assert client.call("search", query="rains")["note"] is None
        proxy.refuse()
        found = client.call("search", query="rains")
        assert [each["key"] for each in found["records"]] == ["alice:monday"]
        assert "is away since" in found["note"]
        assert "1 written record waits" in client.call("add", key="alice:x", value={"n": 1})["note"]
        proxy.heal()
        assert memory.sync.reconnect()
        assert client.call("get", key="alice:x")["note"] is None
    assert everything(other)["alice:x"] == {"n": 1}
