"""The servers of the tests behave as the tests assume."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import real_servers
import redis
from real_servers import Missing, Sentinels, Server, need, secured, tls, until, valkey
from redis.cluster import RedisCluster
from redis.sentinel import Sentinel

TESTS = Path(__file__).parent
PATIENCE = 60.0  # seconds, more than any machine needs


@pytest.fixture
def durable() -> Iterator[Server]:
    need("valkey")
    it = Server(valkey(), durable=True)
    yield it
    it.stop()


# ---- kinds of servers


@pytest.mark.parametrize(
    ("name", "kind", "version"),
    [
        ("redis", "redis_version", "8.2"),
        ("redis-stack", "redis_version", "8.2"),
        ("valkey", "valkey_version", "9.1"),
    ],
)
def test_a_server_has_its_version_and_is_started_once(name, kind, version):
    server = need(name)
    assert need(name) is server
    with redis.Redis.from_url(server.url, decode_responses=True) as client:
        assert client.ping()
        info = client.info("server")
        assert info[kind].startswith(version)
        assert info["process_id"] == server.pid
        assert client.config_get("save") == {"save": ""}
        assert client.config_get("bind") == {"bind": "127.0.0.1"}


def test_a_stack_has_documents_and_an_index():
    with need("redis-stack").client(decode_responses=True) as client:
        assert client.json().set("servers:k", "$", {"n": 1})
        assert client.json().get("servers:k") == {"n": 1}
        assert isinstance(client.execute_command("FT._LIST"), (list, set))
        client.delete("servers:k")


def test_a_cluster_has_three_primaries_with_a_replica_each():
    cluster = need("cluster")
    with RedisCluster(host="127.0.0.1", port=cluster.nodes[0].port) as client:
        assert client.ping(target_nodes=RedisCluster.ALL_NODES)
        primaries, replicas = client.get_primaries(), client.get_replicas()
        assert (len(primaries), len(replicas)) == (3, 3)
        assert {each.port for each in primaries} == {each.port for each in cluster.nodes[:3]}
        for n in range(20):
            assert client.set(f"servers:{n}", n)
            assert client.delete(f"servers:{n}")
    for node in cluster.nodes:
        with node.client(decode_responses=True) as client:
            assert client.cluster("info")["cluster_state"] == "ok"
    for node in cluster.nodes[3:]:
        with node.client(decode_responses=True) as client:
            assert client.info("replication")["master_link_status"] == "up"


def test_sentinels_name_the_other_server_after_the_primary_was_killed():
    need("valkey")
    sentinels = Sentinels(valkey())
    before = sentinels.primary
    addresses = [("127.0.0.1", each.port) for each in sentinels.sentinels]
    finder = Sentinel(addresses, socket_timeout=PATIENCE)
    try:
        assert finder.discover_master("mymaster") == ("127.0.0.1", before.port)
        with finder.master_for("mymaster") as client:
            assert client.set("k", "v")
            assert client.wait(1, int(PATIENCE * 1000 / 2)) == 1
        sentinels.fail_over()
        assert sentinels.replica is before
        assert not before.is_running
        assert finder.discover_master("mymaster") == ("127.0.0.1", sentinels.primary.port)
        with finder.master_for("mymaster") as client:
            assert client.get("k") == b"v"
        # On a busy machine, Sentinels may replace a primary that lives.
        sentinels.settle()
        with sentinels.sentinels[0].client() as client:
            assert client.execute_command("SENTINEL FAILOVER", "mymaster")
        until(lambda: finder.discover_master("mymaster")[1] == before.port, "another primary")
        sentinels.settle()
        assert sentinels.primary is before
    finally:
        for client in finder.sentinels:
            client.close()
        sentinels.stop()


def test_the_server_of_the_environment_exists_only_if_it_is_named(monkeypatch):
    assert ("env" in real_servers.SERVERS) == bool(os.environ.get("TTA_TEST_REDIS_URL"))
    monkeypatch.setenv("TTA_TEST_REDIS_URL", "redis://somewhere:1")
    assert real_servers._Elsewhere().url == "redis://somewhere:1"
    monkeypatch.delenv("TTA_TEST_REDIS_URL")
    with pytest.raises(Missing, match="TTA_TEST_REDIS_URL"):
        real_servers._Elsewhere()


# ---- passwords, rights, TLS


def test_a_secured_server_requires_a_password():
    server = secured()
    with (
        server.client(password=None, retry=None) as client,
        pytest.raises(redis.AuthenticationError),
    ):
        client.ping()
    with redis.Redis.from_url(server.url) as client:
        assert client.acl_whoami() == "default"
    with server.client() as client:
        assert client.ping()


def test_a_limited_user_may_use_no_other_keys_and_no_dangerous_commands():
    with redis.Redis.from_url(secured().limited_url) as client:
        assert client.set("tta:servers", 1)
        assert client.eval("return redis.call('GET', KEYS[1])", 1, "tta:servers") == b"1"
        assert client.delete("tta:servers") == 1
        for refused in (
            lambda: client.set("other", 1),
            lambda: client.config_get("save"),
            client.flushall,
            client.info,
        ):
            with pytest.raises(redis.exceptions.NoPermissionError):
                refused()


def test_tls_connections_need_a_client_that_trusts_the_certificate():
    server = tls()
    assert server.url.startswith("rediss://")
    with (
        redis.Redis.from_url(server.url, retry=None) as client,
        pytest.raises(redis.ConnectionError, match=r"(?i)certificate verify failed"),
    ):
        client.ping()
    with (
        redis.Redis(port=server.port, socket_timeout=PATIENCE, retry=None) as client,
        pytest.raises(redis.RedisError),
    ):
        client.ping()
    with redis.Redis.from_url(server.url, ssl_ca_certs=str(server.ca_file)) as client:
        assert client.ping()
        assert client.set("servers:k", b"x" * 1_000_000)
        # Sends everything before it reads, and more than sockets can buffer.
        with client.pipeline(transaction=False) as pipeline:
            for _ in range(50):
                pipeline.set("servers:k", b"y" * 1_000_000, get=True)
            answers = pipeline.execute()
        assert list(map(len, answers)) == [1_000_000] * 50
        assert client.delete("servers:k") == 1


def test_the_certificate_passes_strict_verification():
    server = tls()
    context = ssl.create_default_context(cafile=str(server.ca_file))
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    for name in ("localhost", "127.0.0.1"):
        with (
            socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as plain,
            context.wrap_socket(plain, server_hostname=name) as line,
        ):
            line.sendall(b"PING\r\n")
            assert line.recv(64) == b"+PONG\r\n"


# ---- outages


def test_a_frozen_server_makes_its_clients_time_out(durable):
    with (
        durable.client(socket_timeout=0.1, retry=None) as hasty,
        durable.client(socket_timeout=PATIENCE, retry=None) as patient,
    ):
        assert patient.ping()
        durable.freeze()
        with pytest.raises(redis.TimeoutError):
            hasty.ping()
        durable.thaw()
        assert patient.ping()


def test_a_durable_server_keeps_acknowledged_writes(durable):
    port, pid = durable.port, durable.pid
    with durable.client() as client:
        for n in range(100):
            assert client.set(f"k{n}", n)
    durable.kill()
    with durable.client(retry=None) as client, pytest.raises(redis.ConnectionError):
        client.ping()
    durable.restart()
    assert durable.port == port
    assert durable.pid != pid
    with durable.client() as client:
        assert client.dbsize() == 100
    durable.restart()  # of a server that runs
    with durable.client() as client:
        assert client.dbsize() == 100


def test_other_servers_keep_nothing():
    need("redis")
    server = Server(real_servers.redis_8())
    try:
        with server.client() as client:
            assert client.set("k", 1)
        server.kill()
        server.restart()
        with server.client() as client:
            assert client.dbsize() == 0
    finally:
        server.stop()


def test_a_frozen_server_ends_by_itself_when_it_is_stopped_and_leaves_nothing(durable, monkeypatch):
    pid, folder, process = durable.pid, durable.folder, durable._process
    durable.freeze()
    monkeypatch.setattr(real_servers, "_GRACE", PATIENCE)
    durable.stop()
    assert process.returncode == 0  # not killed, so it has handled SIGTERM
    durable.stop()  # again
    assert not psutil.pid_exists(pid)
    assert not folder.exists()


def test_a_server_takes_another_port_if_the_first_is_in_use(monkeypatch):
    taken, free = need("valkey").port, real_servers.free_port()
    ports = iter([taken, free])
    monkeypatch.setattr(real_servers, "free_port", lambda **_: next(ports))
    server = Server(valkey())
    assert server.port == free
    server.stop()


def test_the_error_says_why_a_server_cannot_start():
    need("valkey")
    before = {*real_servers._RUNNING}
    with pytest.raises(AssertionError, match="no-such-option"):
        Server(valkey(), "--no-such-option", "1")
    assert before == {*real_servers._RUNNING}


# ---- end of the tests

STARTS = """
import signal, sys, warnings
warnings.simplefilter("error")
sys.path.insert(0, sys.argv[1])
from real_servers import Server, valkey
server = Server(valkey())
print(server.pid, server.folder, flush=True)
if sys.argv[2] == "stays":
    signal.pause()
"""


@pytest.mark.parametrize("end", ["ends", "stays"])
def test_a_server_does_not_outlive_the_tests(end):
    need("valkey")
    if end == "stays" and sys.platform != "linux":
        pytest.skip("only Linux ends processes with their parent")
    command = [sys.executable, "-X", "dev", "-c", STARTS, str(TESTS), end]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        pid, folder = process.stdout.readline().split()
        server = psutil.Process(int(pid)) if end == "stays" else None
        if server is not None:
            process.send_signal(signal.SIGKILL)
        _, complaints = process.communicate(timeout=PATIENCE)
    assert complaints == ""
    if server is not None:
        until(lambda: not server.is_running() or server.status() == "zombie", "it is killed")
        shutil.rmtree(folder)
    else:
        assert not psutil.pid_exists(int(pid))
        assert not Path(folder).exists()


# ---- missing servers


def missing() -> None:
    raise Missing("its wheel is not installed")


@pytest.mark.parametrize(
    ("ci", "outcome"), [("true", pytest.fail.Exception), ("", pytest.skip.Exception)]
)
def test_without_a_server_a_test_is_skipped_but_fails_in_ci(monkeypatch, ci, outcome):
    monkeypatch.setitem(real_servers.SERVERS, "nothing", missing)
    monkeypatch.setenv("CI", ci)
    with pytest.raises(outcome, match="its wheel is not installed"):
        need("nothing")
