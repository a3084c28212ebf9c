"""Each part of an address means what it says or is refused by its name, and no part of a password is shown."""

from __future__ import annotations

import copy
import dataclasses
import logging
import pickle
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st
from real_servers import need
from redis.sentinel import MasterNotFoundError

from tta_memory_nb import (
    InvalidArgument,
    MemoryPrimitive,
    ServerError,
    StoreUnavailable,
    TTAMemoryError,
)
from tta_memory_nb.notebook.commands.base import IN_MEMORY
from tta_memory_nb.stores.redis.addresses import parse_address
from tta_memory_nb.stores.redis.faults import translated
from tta_memory_nb.stores.redis.options import DECIDED, read_options
from tta_memory_nb.stores.schemes import SCHEMES, is_address, scheme_of


def read(url: str) -> dict[str, Any]:
    """Returns the settings of a connection that redis-py makes of an address."""
    settings: dict[str, Any] = redis.connection.parse_url(parse_address(url).url)
    settings.pop("connection_class", None)
    return settings


def outcome(make: Callable[[], Any]) -> tuple[Any, TTAMemoryError | None]:
    """Returns what a function has returned, or the error that it has raised."""
    try:
        return make(), None
    except TTAMemoryError as error:
        return None, error


# ---- addresses


@pytest.mark.parametrize(
    ("url", "settings"),
    [
        ("redis://", {"host": "localhost", "port": 6379}),
        ("REDIS://Host:1", {"host": "host", "port": 1}),
        (" redis://h:1/2\n", {"host": "h", "port": 1, "db": 2}),
        ("redis:///3", {"host": "localhost", "port": 6379, "db": 3}),
        ("redis://h/3/", {"host": "h", "port": 6379, "db": 3}),
        ("redis://h/3?db=3", {"host": "h", "port": 6379, "db": 3}),
        ("redis://ann@h", {"host": "h", "port": 6379, "username": "ann"}),
        ("redis://:p@ss w@h", {"host": "h", "port": 6379, "password": "p@ss w"}),
        ("redis://:p%40%2F%23%25@h", {"host": "h", "port": 6379, "password": "p@/#%"}),
        ("redis://h?password=p%40%23%2541", {"host": "h", "port": 6379, "password": "p@#%41"}),
        ("redis://:p@h?password=p", {"host": "h", "port": 6379, "password": "p"}),
        ("redis://h?client_name=a%40b", {"host": "h", "port": 6379, "client_name": "a@b"}),
        ("redis://[::1]:7", {"host": "::1", "port": 7}),
        ("unix:///run/a@b c.sock?db=2", {"path": "/run/a@b c.sock", "db": 2}),
        ("unix://ann:p@/run/r.sock", {"path": "/run/r.sock", "username": "ann", "password": "p"}),
        (
            "redis+cluster://ann:p@a:1,b",
            {"host": "a", "port": 1, "username": "ann", "password": "p"},
        ),
        ("redis+sentinel://a,b:2/main/3", {"host": "a", "port": 26379, "db": 3}),
    ],
)
def test_an_address_means_what_it_says(url, settings):
    assert read(url) == settings


@pytest.mark.parametrize(
    ("url", "rule"),
    [
        ("redis://h/agents", "a database is a number.*namespace="),
        ("redis://h/²", "a database is a number"),
        ("redis://h/-1", "a database is a number"),
        ("redis://h/1?db=2", "two databases"),
        ("redis://h?db=agents", "the option db: give the number of a database"),
        ("redis://h?db=1&db=2", "the option db is given twice"),
        ("redis://ann:a@h?password=b", "two different passwords"),
        ("redis://h:port", "write the port as a number"),
        ("redis://h:", "write the port as a number"),
        ("redis://h:0", "write the port as a number"),
        ("redis://h:65536", "write the port as a number"),
        ("redis://h:" + "9" * 10_000, "write the port as a number"),
        ("redis://a:1,b:2", r"redis\+cluster://"),
        ("redis://h#1", "write # as %23"),
        ("redis+cluster://h/0", "a Cluster has one database"),
        ("redis+cluster://h?db=0", "a Cluster has one database"),
        ("redis+cluster://a:1,:2", "host:port,host:port"),
        ("redis+sentinel://h", "name the service"),
        ("unix://run/redis.sock", "write the path of the socket"),
        ("unix://", "write the path of the socket"),
        ("http://h", "begins with redis://"),
    ],
)
def test_an_address_that_means_nothing_is_refused_with_the_way_out(url, rule):
    with pytest.raises(InvalidArgument, match=f"^redis_url=.*{rule}"):
        MemoryPrimitive(url)


def test_there_is_one_table_of_schemes():
    assert {scheme_of(f"{scheme}://h") for scheme in SCHEMES} == set(SCHEMES)
    assert all(is_address(f"{scheme}://h") for scheme in SCHEMES)
    assert not is_address(IN_MEMORY)
    with pytest.raises(InvalidArgument) as refused:
        MemoryPrimitive("mysql://h")
    assert all(f"{scheme}:" in str(refused.value) for scheme in SCHEMES if "rediss+" not in scheme)


# ---- passwords

PLACES = [
    "redis://:{}@host.invalid:1",
    "rediss://ann:{}@host.invalid:1/0",
    "redis+cluster://:{}@host.invalid:1",
    "redis+sentinel://ann:{}@host.invalid:1/main",
    "unix://:{}@/run/host.invalid.sock",
]
SECRET = "S3KUMQUAT"
badly_quoted = st.text(st.sampled_from("x@/?#:&=%[], "), max_size=6)


@given(st.sampled_from(PLACES), badly_quoted, badly_quoted)
def test_no_host_is_taken_from_a_password_and_no_part_of_one_is_shown(place, before, behind):
    url = place.format(before + SECRET + behind)
    address, told = outcome(lambda: parse_address(url))
    assert SECRET not in f"{address!r} {told}"
    if address is None:
        return
    settings = redis.connection.parse_url(address.url)
    assert SECRET in settings["password"]
    where = settings.get("path") or settings["host"]
    assert where in ("host.invalid", "/run/host.invalid.sock")
    assert {host for host, _ in address.hosts} <= {"host.invalid"}


@given(
    st.sampled_from(PLACES),
    st.text(min_size=1, max_size=12).filter(lambda text: text.isprintable()),
)
def test_a_quoted_password_is_read_as_it_is(place, password):
    settings = redis.connection.parse_url(parse_address(place.format(quote(password, safe=""))).url)
    assert settings["password"] == password


@pytest.mark.parametrize(
    "option", [f"password={SECRET}#x", f"x{SECRET}", f"db={SECRET}", f"foo={SECRET}"]
)
def test_an_option_that_is_refused_shows_no_secret(option):
    with pytest.raises(InvalidArgument) as refused:
        parse_address(f"redis://:p@h?{option}")
    assert SECRET not in str(refused.value)


def test_no_message_repeats_what_redis_py_tells_of_its_own_objects():
    error = MasterNotFoundError(
        f"No master found for 'main' : Redis<password={SECRET}>" + "x" * 2000
    )
    told = translated(error, "redis+sentinel://h/main", 1.0)
    assert isinstance(told, StoreUnavailable)
    assert str(told) == "redis+sentinel://h/main cannot be reached: no Sentinel names a primary"
    long = translated(redis.ConnectionError("x" * 2000), "redis://h", 1.0)
    assert len(str(long)) < 400


# ---- options


@pytest.mark.parametrize(
    "option",
    [
        "db=3",
        "protocol=3",
        "client_name=agent",
        "socket_timeout=20",
        "socket_connect_timeout=20.5",
        "socket_keepalive=true",
        "health_check_interval=30",
        "max_connections=1",
        "client_name=a%20b%3D1&protocol=2",
    ],
)
async def test_an_option_that_is_accepted_works_on_both_faces(request, option):
    # A client's name has no spaces on the server, which refuses it.
    option = option.replace("a%20b%3D1", "a%3D1")
    memory = MemoryPrimitive(
        f"{need('valkey').url}?{option}", namespace=request.node.name, timeout=60
    )
    try:
        await memory.add("ann:1", {"text": "rain"}, ttl=60)
        assert memory.is_using_redis()
        assert await memory.get("ann:1") == memory.sync.get("ann:1") == {"text": "rain"}
        assert await memory.keys() == memory.sync.keys() == ["ann:1"]
        assert len(await memory.search("RAIN")) == len(memory.sync.search("RAIN")) == 1
        if "db=" in option:
            other = MemoryPrimitive(need("valkey").url, namespace=request.node.name, timeout=60)
            assert other.sync.keys() == []
            other.sync.close()
    finally:
        await memory.clear()
        await memory.aclose()


@pytest.mark.parametrize(
    ("option", "way_out"),
    [
        *((f"{name}=true", way_out) for name, way_out in DECIDED.items()),
        ("foo=bar", "a memory does not know it; there are db, username, password"),
        ("ssl_cert_reqs=none", "rediss://"),
        ("sentinel_password=x", "redis+sentinel://"),
        ("protocol=4", "give 2 or 3"),
        ("socket_keepalive=perhaps", "give true or false"),
        ("socket_timeout=0", "positive number of seconds"),
        ("socket_timeout=nan", "positive number of seconds"),
        ("max_connections=0", "at least 1"),
        ("max_connections=" + "9" * 10_000, "at least 1"),
        ("health_check_interval=x", "whole number of seconds"),
        ("client_name=", "give some text"),
    ],
)
def test_an_option_that_is_refused_is_named_with_the_way_out(option, way_out):
    with pytest.raises(InvalidArgument) as refused:
        MemoryPrimitive(f"redis://localhost:1?{option}")
    assert f"the option {option.partition('=')[0]}" in str(refused.value).replace("'", "")
    assert way_out in str(refused.value)


def test_options_of_tls_have_the_types_that_redis_py_expects():
    query = "ssl_cert_reqs=none&ssl_check_hostname=no&ssl_ca_certs=%2Fa%20b.pem"
    assert read_options(query, "single", "rediss") == {
        "ssl_cert_reqs": "none",
        "ssl_check_hostname": False,
        "ssl_ca_certs": "/a b.pem",
    }
    for wrong in ("ssl_cert_reqs=maybe", "ssl_check_hostname=2", "ssl_ca_certs="):
        with pytest.raises(InvalidArgument, match=f"the option {wrong.partition('=')[0]}: give"):
            read_options(wrong, "single", "rediss")


# ---- one node of a Cluster


def test_the_address_of_one_node_of_a_cluster_is_refused_where_it_cannot_work(caplog):
    cluster = need("cluster")
    host, port = parse_address(cluster.url).hosts[0]
    refused = 0
    with caplog.at_level(logging.WARNING, "tta_memory_nb"):
        for number in range(12):

            def write(number: int = number) -> MemoryPrimitive:
                memory = MemoryPrimitive(
                    f"redis://{host}:{port}", namespace=f"node-{number}", timeout=60
                )
                memory.sync.add("ann:1", {"text": "rain"})
                return memory

            memory, error = outcome(write)
            if memory is None:
                assert isinstance(error, ServerError)
                assert error.code == "MOVED"
                assert "begin the address with redis+cluster://" in str(error)
                refused += 1
            else:
                assert memory.is_using_redis()
                memory.sync.clear()
                memory.sync.close()
    assert 0 < refused < 12
    assert caplog.text == ""


# ---- copies


@dataclasses.dataclass
class Agent:
    memory: Any


COPIES: dict[str, Callable[[Any], Any]] = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": pickle.dumps,
    "asdict": lambda held: dataclasses.asdict(Agent(held)),
}


@pytest.mark.backends("in-memory", "valkey")
@pytest.mark.parametrize("make_copy", COPIES.values(), ids=COPIES)
def test_a_memory_that_is_copied_says_what_to_do_instead(make, make_copy):
    memory = make()
    change = memory.sync.remove(["nobody:1"])
    for held in (memory, memory.sync, memory.store):
        with pytest.raises(TypeError, match=r"a memory cannot be copied.*memory\.sync\.records"):
            make_copy(held)
    if make_copy is not copy.copy:
        with pytest.raises(TypeError, match="a change that it may undo"):
            make_copy(change)
    memory.sync.add("ann:1", {"text": "rain"})
    assert pickle.loads(pickle.dumps(memory.sync.records())) == memory.sync.records()
