"""An MCP server over a memory, through the SDK's own client: what its tools do, and what they never do."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from backends import DEEP
from hypothesis import given, settings
from hypothesis import strategies as st
from mcp import Client

from tta_memory_nb import InvalidArgument, MemoryPrimitive, MissingPackage
from tta_memory_nb.integrations.mcp import memory_server, run_http, serve_http
from tta_memory_nb.integrations.mcp.scope import Scope
from tta_memory_nb.notebook.commands import COMMANDS, Notebook
from tta_memory_nb.notebook.commands.base import Reply

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning:starlette", "ignore::DeprecationWarning:uvicorn"
)

SECRET = "bobsecret"
"""A word that only records of others contain."""

PACKAGE = Path(__file__).parent.parent


class Agent:
    """A client of a server, called from a test."""

    def __init__(self, portal: BlockingPortal, client: Client) -> None:
        self._portal = portal
        self._client = client

    def tools(self) -> dict[str, Any]:
        return {tool.name: tool for tool in self._portal.call(self._client.list_tools).tools}

    def call(self, name: str, **arguments: Any) -> Any:
        """Returns the structured answer of a tool; of a refusal, its text."""
        answer = self._portal.call(self._client.call_tool, name, arguments)
        [text] = answer.content
        if not answer.is_error:
            assert json.loads(text.text) == answer.structured_content
            return answer.structured_content
        assert answer.structured_content is None
        assert len(text.text.splitlines()) == 1
        assert len(text.text) < 700
        assert text.text.isprintable()
        return text.text


@contextmanager
def agent(server: Any) -> Iterator[Agent]:
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(Client(server)) as client,
    ):
        yield Agent(portal, client)


@pytest.fixture
def memory(clock) -> MemoryPrimitive:
    memory = MemoryPrimitive(clock=clock)
    memory.sync.add("alice:monday", {"text": "It rains in Lyon"})
    memory.sync.add("bob:monday", {"text": f"It rains, says {SECRET}"})
    memory.sync.add("plain", {"text": f"It rains on {SECRET}"})
    return memory


@pytest.fixture
def open_agent(memory) -> Iterator[Callable[..., Agent]]:
    """Opens clients of servers over the memory."""
    open_ = []

    def open_one(**options: Any) -> Agent:
        it = agent(memory_server(memory, **options))
        open_.append(it)
        return it.__enter__()

    yield open_one
    for it in reversed(open_):
        it.__exit__(None, None, None)


def contents(memory: MemoryPrimitive) -> dict[str, Any]:
    return {record.key: record.value for record in memory.sync.records()}


# ---- what the tools do


def test_tools_are_those_of_the_rights_and_say_what_they_do(open_agent):
    reading = {"search", "get", "list"}
    for rights, more in (("read", set()), ("propose", {"propose"}), ("write", {"add", "delete"})):
        tools = open_agent(rights=rights).tools()
        assert tools.keys() == reading | more
        for name, tool in tools.items():
            assert tool.annotations.read_only_hint == (name in reading)
            assert tool.annotations.open_world_hint is False
            assert tool.output_schema["type"] == "object"
            assert not {"namespace", "user", "memory"} & tool.input_schema["properties"].keys()
    assert tools["delete"].annotations.destructive_hint is True


def test_reading_changes_nothing_not_even_the_order_of_use(open_agent, memory):
    client, before = open_agent(user="alice"), memory.sync.change_token()
    [found] = client.call("search", query="rains")["records"]
    assert (found["key"], found["value"]) == ("alice:monday", {"text": "It rains in Lyon"})
    assert found["score"] > 0
    assert client.call("get", key="alice:monday")["record"]["value"] == found["value"]
    page = client.call("list", limit=1)
    assert ([each["key"] for each in page["records"]], page["total"]) == (["alice:monday"], 1)
    assert page["next_offset"] is None
    assert memory.sync.change_token() == before


def test_a_writing_agent_adds_replaces_and_deletes(open_agent, memory, clock):
    client = open_agent(user="alice", rights="write")
    made = client.call("add", value={"text": "hi"}, ttl="1h")
    assert made["what"] == "added"
    assert made["key"].startswith("alice:notes:")
    assert memory.sync.ttl(made["key"]) == 3600
    assert client.call("add", value={"text": "hi"})["what"] == "replaced"
    assert client.call("add", key="alice:x", value={"n": 1})["key"] == "alice:x"
    assert client.call("delete", key="alice:x")["what"] == "deleted"
    assert "no such record" in client.call("delete", key="alice:x")
    for _ in range(3):
        clock.tick()
        client.call("add", value={"at": clock()}, session="log")
    first = client.call("list", session="log", limit=2)
    rest = client.call("list", session="log", limit=2, offset=first["next_offset"])
    assert [r["value"]["at"] for r in first["records"] + rest["records"]] == [
        clock() - n for n in range(3)
    ]
    client.call("get", key="alice:monday")
    assert memory.sync.keys()[-1] == "alice:monday"


def test_what_is_proposed_waits_for_a_person(open_agent, memory):
    client = open_agent(user="alice", rights="propose")
    before = contents(memory)
    made = client.call("propose", key="alice:monday", value={"text": "It snows"}, reason="cold")
    gone = client.call("propose", action="delete", key="alice:monday")
    assert contents(memory) == before
    moved, deleted = memory.sync.proposals()
    assert (moved.id, deleted.id) == (made["id"], gone["id"])
    assert (moved.reason, deleted.action) == ("cold", "delete")
    assert moved.proposed_by
    assert "no such tool" in client.call("delete", key="alice:monday")
    assert "give what to remember" in client.call("propose", key="alice:monday")
    assert "give the key" in client.call("propose", action="delete")
    memory.sync.approve(moved)
    assert client.call("get", key="alice:monday")["record"]["value"] == {"text": "It snows"}


def test_a_long_value_is_cut_in_lists_and_whole_by_its_key(open_agent, memory):
    memory.sync.add("alice:long", {"text": "rain " * 10_000})
    client = open_agent(user="alice")
    [found] = client.call("search", query="rain", limit=1, mode="keyword")["records"]
    assert found["value"] == {}
    assert found["cut"].startswith('{"text": "rain rain')
    assert len(found["cut"]) == 2000
    assert len(client.call("get", key="alice:long")["record"]["value"]["text"]) == 50_000


def test_values_come_back_as_json_has_them(open_agent, memory):
    deep: dict[str, Any] = {"n": 1}
    for _ in range(190):
        deep = {"d": deep}
    odd = {"big": 2**80, "x": 1.0, "t": True, "none": None, "deep": deep, "snow": "☃\u2028\ud83d"}
    memory.sync.add("alice:odd\ud83d", odd)
    client = open_agent(user="alice", rights="write")
    [found] = client.call("list", prefix="alice:odd")["records"]
    assert found["value"]["big"] == 2**80
    assert json.loads(found["value"]["snow"]) == odd["snow"]  # what UTF-8 lacks is given as JSON
    assert client.call("get", key=found["key"])["record"]["value"]["deep"] == deep
    assert client.call("delete", key=found["key"])["what"] == "deleted"


# ---- what they never do


def test_other_users_do_not_exist_for_the_tools(open_agent, memory):
    client, before = open_agent(user="alice", rights="write"), contents(memory)
    for key in ("bob:monday", "plain", "nobody", "bob:nobody"):
        refusals = {
            client.call("get", key=key).replace(key, "K"),
            client.call("delete", key=key).replace(key, "K"),
        }
        assert refusals == {"key='K': there is no such record; search or list shows keys"}
        # Whether there is one makes no difference.
        assert client.call("add", key=key, value={}).replace(key, "K") == client.call(
            "add", key="carol:x", value={}
        ).replace("carol:x", "K")
    assert client.call("search", query=SECRET)["records"] == []
    assert client.call("list", prefix="bob")["records"] == []
    assert contents(memory) == before


TEXTS = st.one_of(
    st.sampled_from(
        [
            "bob:monday",
            "plain",
            "alice:monday",
            "bob",
            "*",
            "' OR 1=1 --",
            "../default",
            "user:bob",
            "",
            "alice:",
            ":",
        ]
    ),
    st.text(max_size=20),
    st.text(st.characters(categories=["Cc", "Cf", "Lo"]), max_size=5),
)
JSON = st.recursive(
    st.one_of(TEXTS, st.integers(), st.floats(), st.booleans(), st.none()),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(TEXTS, children, max_size=3),
    max_leaves=6,
)
NAMES = (
    *(
        "query",
        "key",
        "limit",
        "mode",
        "session",
        "since",
        "until",
        "prefix",
        "offset",
        "value",
        "ttl",
    ),
    *("action", "reason", "user", "namespace", "where", "memory"),
)
ARGUMENTS = st.dictionaries(st.sampled_from(NAMES), JSON, max_size=5)
TOOLS = st.sampled_from(["search", "get", "list", "add", "delete", "propose", "clear"])


@pytest.mark.parametrize("rights", ["read", "propose", "write"])
def test_no_argument_reaches_beyond_the_scope(rights):
    memory, other = MemoryPrimitive(namespace="a"), MemoryPrimitive(namespace="b")
    strangers = {
        "bob:monday": {"text": SECRET},
        "plain": {"text": SECRET},
        "bob": {"user": "alice"},
    }
    memory.sync.add_many({**strangers, "alice:monday": {"text": "rain"}})
    other.sync.add_many(strangers)

    with agent(memory_server(memory, user="alice", rights=rights)) as client:

        @settings(max_examples=40 * DEEP, deadline=None)
        @given(TOOLS, ARGUMENTS)
        def hostile(name, arguments):
            answer = client.call(name, **arguments)
            if SECRET not in json.dumps(arguments):
                assert SECRET not in json.dumps(answer)
            if not isinstance(answer, str) and "records" in answer:
                assert all(each["key"].startswith("alice:") for each in answer["records"])
            there = contents(memory)
            assert {key: there[key] for key in strangers} == strangers
            assert all(key.startswith("alice:") for key in there.keys() - strangers.keys())
            assert rights == "write" or there == {**strangers, "alice:monday": {"text": "rain"}}
            assert all(each.key.startswith("alice:") for each in memory.sync.proposals())

        hostile()
    assert contents(other) == strangers


def test_a_scope_sees_what_the_filter_by_user_accepts():
    @given(st.text(":ab0\n", min_size=1, max_size=8))
    def same(key):
        memory = MemoryPrimitive()
        memory.sync.add(key, {})
        assert Scope.of(memory, "a").sees(key) == bool(memory.sync.count(user="a"))

    same()


@pytest.mark.parametrize("user", ["", "a:b", 3])
def test_a_user_without_keys_is_refused(memory, user):
    with pytest.raises(InvalidArgument, match="user="):
        memory_server(memory, user=user)
    with pytest.raises(InvalidArgument, match="rights='all'"):
        memory_server(memory, rights="all")


def test_a_tool_that_breaks_says_so_in_one_line(open_agent, memory, monkeypatch, caplog):
    client = open_agent()

    def broken(*_args: Any, **_filters: Any) -> Any:
        raise RuntimeError("inside\nof the server")

    monkeypatch.setattr(type(memory.sync), "hits", broken)
    with caplog.at_level(logging.ERROR):
        assert client.call("search", query="rain").startswith("search has failed")
    assert "inside" in caplog.text


def test_a_server_leaves_the_logging_of_a_notebook_as_it_is(memory):
    root = logging.getLogger()
    before = root.handlers.copy(), root.level
    memory_server(memory)
    assert (root.handlers, root.level) == before


def test_without_the_sdk_the_error_says_what_to_install(memory, monkeypatch):
    monkeypatch.delitem(sys.modules, "tta_memory_nb.integrations.mcp.server")
    monkeypatch.setitem(sys.modules, "mcp.server.mcpserver", None)
    with pytest.raises(MissingPackage, match=r"pip install 'tta-memory-nb\[mcp\]'"):
        memory_server(memory)


# ---- as a process

NOISE = """
import importlib, os, sys
print("noise")
os.write(1, b"more noise\\n")
sys.path.remove(os.path.dirname(os.path.dirname(__file__)))
del sys.modules[__name__]
importlib.import_module(__name__)
"""


def process(*arguments: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tta_memory_nb.mcp", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=PACKAGE,
        env={**os.environ, **environment},
    )


def request(number: int, method: str, **params: Any) -> str:
    return json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params}) + "\n"


def test_standard_output_carries_the_protocol_alone(tmp_path):
    # The SDK imports the first one, a search the second one.
    noisy = {name: tmp_path / f"with {name}" for name in ("sse_starlette", "snowballstemmer")}
    for name, folder in noisy.items():
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").write_text(NOISE)
    notes = MemoryPrimitive(f"file:{tmp_path / 'notes.db'}")
    notes.sync.add("alice:monday", {"text": "It rains"})
    server = process(
        "--memory",
        str(tmp_path / "notes.db"),
        "--user",
        "alice",
        "--propose",
        PYTHONPATH=os.pathsep.join(map(str, noisy.values())),
    )
    about = {"name": "test", "version": "1"}
    initialize = request(
        1, "initialize", protocolVersion="2025-06-18", capabilities={}, clientInfo=about
    )
    assert server.stdin
    assert server.stdout
    assert server.stderr
    server.stdin.write(initialize)
    server.stdin.flush()
    lines = [server.stdout.readline()]
    server.stdin.write('{"jsonrpc": "2.0", "method": "notifications/initialized"}\n')
    for number, name, arguments in (
        (2, "search", {"query": "rains"}),
        (3, "propose", {"value": {"text": "hi"}}),
        (4, "get", {"key": "nobody"}),
    ):
        server.stdin.write(request(number, "tools/call", name=name, arguments=arguments))
        server.stdin.flush()
        lines.append(server.stdout.readline())
    server.stdin.close()
    rest, said = server.stdout.read(), server.stderr.read()
    assert server.wait() == 0
    for stream in (server.stdout, server.stderr):
        stream.close()
    answers = {answer["id"]: answer["result"] for answer in map(json.loads, lines)}
    assert answers.keys() == {1, 2, 3, 4}
    assert rest == ""
    assert said.count("more noise") == 2
    assert answers[2]["structuredContent"]["records"][0]["key"] == "alice:monday"
    assert answers[4]["isError"]
    # What was proposed there is seen here.
    [proposal] = notes.sync.proposals()
    assert (proposal.value, proposal.proposed_by) == ({"text": "hi"}, "test 1")
    notes.sync.close()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--memory", "nonsense"], "--memory"),
        (["--user", "a:b"], "user='a:b'"),
        (["--namespace", ""], "namespace=''"),
    ],
)
def test_a_start_that_fails_says_why_in_one_line(arguments, message):
    server = process(*arguments, TTA_MEMORY_URL="")
    out, said = server.communicate()
    assert (server.returncode, out) == (1, "")
    said = said.splitlines()[-1]
    assert said.startswith("tta_memory_nb.mcp: ")
    assert message in said
    assert "Traceback" not in said


def test_an_address_with_a_password_comes_from_the_environment_and_is_not_shown():
    server = process(TTA_MEMORY_URL="nosuch://:hunter2@example.org")
    out, said = server.communicate()
    assert (server.returncode, out) == (1, "")
    assert "hunter2" not in said


# ---- by HTTP, from a notebook


@pytest.fixture
def nb(memory) -> Iterator[Notebook]:
    nb = Notebook(memory)
    yield nb
    if nb.served is not None:
        nb.served.stop()


def serve(nb: Notebook, **flags: Any) -> Reply:
    return COMMANDS["serve"](nb, **flags)


def test_the_memory_on_screen_is_served_until_it_is_stopped(nb, memory):
    text = serve(nb, user="alice", propose=True).text
    told = json.loads(text.splitlines()[-1])
    url = told["mcpServers"]["memory"]["url"]
    assert url.startswith("http://127.0.0.1:")
    with agent(url) as client:
        assert client.tools().keys() == {"search", "get", "list", "propose"}
        assert client.call("get", key="alice:monday")["record"]["value"] == {
            "text": "It rains in Lyon"
        }
        client.call("propose", value={"text": "hi"})
    assert len(memory.sync.proposals()) == 1
    assert serve(nb).text.startswith(f"serving at {url}")
    with pytest.raises(InvalidArgument, match="already"):
        serve(nb, write=True)
    assert url in serve(nb, stop=True).text
    with pytest.raises(OSError, match="refused"):
        urlopen(url)
    with pytest.raises(InvalidArgument, match="no server"):
        serve(nb, stop=True)
    with pytest.raises(InvalidArgument, match="give one of the two"):
        serve(nb, write=True, propose=True)


@pytest.mark.parametrize(
    "headers", [{"Host": "evil.example"}, {"Origin": "http://evil.example"}], ids=["host", "origin"]
)
def test_a_web_page_cannot_reach_the_server(memory, headers):
    served = serve_http(memory_server(memory))
    body = request(1, "tools/list").encode()
    asked = Request(served.url, body, {"Content-Type": "application/json", **headers})
    with pytest.raises(OSError, match=r"HTTP Error 4(03|21)"):
        urlopen(asked)
    served.stop()


def test_a_port_that_is_taken_is_refused(memory):
    served = serve_http(memory_server(memory))
    port = int(served.url.split(":")[2].split("/")[0])
    for wrong in (port, 70_000):
        with pytest.raises(InvalidArgument, match=f"port={wrong}"):
            run_http(memory_server(memory), wrong, print)
    served.stop()


def test_the_command_of_a_server_holds_no_password(monkeypatch, nb):
    about = {**nb.memory.get_backend_info(), "redis_url": "redis://ann:***@example.org:6379"}
    monkeypatch.setattr(type(nb.memory), "get_backend_info", lambda _: about)
    told = json.loads(serve(nb, write=True).text.splitlines()[-1])["mcpServers"]["memory"]
    assert told["args"][:2] == ["-m", "tta_memory_nb.mcp"]
    assert "--memory" not in told["args"]
    assert "--write" in told["args"]
    assert "***" in told["env"]["TTA_MEMORY_URL"]
