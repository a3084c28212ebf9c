"""The magic on a server: addresses, outages and errors, as they appear in a notebook."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

import pytest
from network import Proxy
from real_servers import Server, need, valkey
from shells import Ran
from test_magics import shell  # noqa: F401  a fixture

from tta_memory_nb import MemoryPrimitive
from tta_memory_nb.notebook.magics import notebook_of
from tta_memory_nb.stores.redis import outage

pytestmark = pytest.mark.usefixtures("patient")

SECRET = "s3cret"


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    """A proxy that injects faults, before a server with a password."""
    need("valkey")
    server = Server(valkey(), "--requirepass", SECRET)
    with Proxy(server.port) as it, patch.object(outage.Outages, "_watch", lambda _: None):
        yield it
    server.stop()


@pytest.fixture
def run(shell, proxy, monkeypatch):  # noqa: F811
    """Runs cells on the server, whose address is in the environment."""
    monkeypatch.setenv("TEAM_MEMORY", f"redis://:{SECRET}@127.0.0.1:{proxy.port}")
    outputs = []

    def run_cell(cell: str) -> Ran:
        ran = Ran(shell, cell)
        outputs.append(f"{ran.text} {ran.result!r} {ran.error}")
        return ran

    assert run_cell("memory = %memory use $TEAM_MEMORY").success
    yield run_cell
    store: Any = notebook_of(shell).memory._store
    store.outages.current = None
    notebook_of(shell).memory.sync.close()
    assert not [text for text in outputs if SECRET in text]


def test_an_address_comes_from_the_environment_and_its_password_is_never_shown(run):
    ran = run("memory")
    assert isinstance(ran.result, MemoryPrimitive)
    assert "redis://:***@127.0.0.1" in repr(ran.result)
    facts = run("%memory info").result["value"]
    assert facts["backend"] == "redis"
    assert facts["state"] == "connected"
    assert facts["server"].startswith("redis://:***@127.0.0.1")
    assert facts["version"].startswith("valkey 9")
    assert facts["capacity"] == "no limit"
    assert run("%memory use $NOWHERE").success is False


def test_a_variable_takes_precedence_over_the_environment(run, proxy):
    url = f"redis://:{SECRET}@localhost:{proxy.port}"
    assert (
        run(f"TEAM_MEMORY = {url!r}\nsame = %memory use $TEAM_MEMORY\nsame is memory").result
        is False
    )


def test_every_command_reports_the_outage_until_info_reconnects(run, proxy):
    assert run("%memory add a {'text': 'rain'}").text == "stored a\n"
    proxy.refuse()
    ran = run("%memory add b more rain")
    stored, state = ran.text.splitlines()
    assert stored == "stored b"
    assert state.startswith("degraded since ")
    assert "1 pending write;" in state
    ran = run("%memory search rain")
    assert "degraded since" in ran.text
    assert list(ran.result.index) == ["b", "a"]
    assert "2 pending writes;" in run("%memory delete a").text
    facts = run("%memory info").result["value"]
    assert facts["state"] == "degraded: working in memory"
    assert facts["pending writes"] == 2
    assert "127.0.0.1" in facts["degraded because"]
    proxy.heal()
    ran = run("%memory info")
    assert "degraded" not in ran.text
    assert ran.result["value"]["state"] == "connected"
    assert list(run("%memory list").result.index) == ["b"]
    assert run("%memory undo").success
    assert sorted(run("%memory list").result.index) == ["a", "b"]


def test_an_error_of_the_server_is_printed_in_one_line_and_fails_the_cell(run, proxy):
    proxy.fault("error", error=b"OOM command not allowed when used memory > 'maxmemory'.")
    ran = run("%memory add k text")
    assert not ran.success
    assert "OOM command not allowed" in str(ran.error)
    assert "Traceback" not in ran.text
    assert run("%memory add k text").text == "stored k\n"


@pytest.mark.parametrize("command", ["list", "search x", "info", "", "clear", "export x.jsonl"])
def test_hostile_names_of_namespaces_are_only_text(run, command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run("%memory use --namespace '<img src=x onerror=alert(1)>*{'").success
    assert run("%memory add k <b>x</b>").success
    ran = run(f"%memory {command}")
    assert ran.success
    if ran.result is not None:
        assert "<img" not in ran.result.to_html()
