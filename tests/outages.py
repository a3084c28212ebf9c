"""Fixtures and helpers of the tests of outages: a server, a proxy before it, and memories that use them.

No test measures time. Memories have a timeout that no busy machine reaches (`PATIENT`). Only if the
server sends no reply at all does a memory have a short one (`HASTY`), which must run out: nothing
else could end the call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import pytest
from network import Proxy
from real_servers import Server, need, valkey

from tta_memory_nb import MemoryPrimitive
from tta_memory_nb.stores.redis import outage

if TYPE_CHECKING:
    from backends import Clock

PATIENT = 60.0
HASTY = 1.0
"""Timeouts in seconds. A busy machine may take some tenths of a second for a round trip."""


@pytest.fixture(scope="module")
def database() -> Iterator[Server]:
    """A server that these tests may freeze and kill; it keeps all acknowledged writes."""
    need("valkey")
    it = Server(valkey(), durable=True)
    yield it
    it.stop()


@pytest.fixture
def proxy(database: Server) -> Iterator[Proxy]:
    with Proxy(database.port) as it:
        yield it


@pytest.fixture
def no_automatic_reconnect(request: pytest.FixtureRequest) -> Iterator[None]:
    """Lets only the tests that are marked `watched` reconnect by a thread; the others do it themselves."""
    if "watched" in request.keywords:
        yield
    else:
        with patch.object(outage.Outages, "_watch", lambda _: None):
            yield


@pytest.fixture
def open_memory(
    request: pytest.FixtureRequest, database: Server, clock: Clock
) -> Iterator[Callable[..., MemoryPrimitive]]:
    """Opens memories in a namespace of the test, by the address of the proxy or the server."""
    opened: list[MemoryPrimitive] = []
    namespace = request.node.name

    def open_one(url: str, **arguments: Any) -> MemoryPrimitive:
        arguments = {"timeout": PATIENT, "namespace": namespace, "clock": clock, **arguments}
        opened.append(MemoryPrimitive(url, **arguments))
        return opened[-1]

    yield open_one
    for memory in opened:
        store: Any = memory._store
        store.outages.current = None  # pending writes of a test must not reach the next one
        memory.sync.close()


@pytest.fixture
def memory(open_memory: Callable[..., MemoryPrimitive], proxy: Proxy) -> MemoryPrimitive:
    """A memory that is connected through the proxy."""
    return open_memory(proxy.url)


@pytest.fixture
def other(open_memory: Callable[..., MemoryPrimitive], database: Server) -> MemoryPrimitive:
    """Another client, which is always connected."""
    return open_memory(database.url)


def everything(memory: MemoryPrimitive) -> dict[str, Any]:
    return {record.key: record.value for record in memory.sync.records()}
