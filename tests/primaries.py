"""Kills primaries together with the process that writes to them, and counts acknowledged writes that are missing.

    cd tests && python -m primaries [ACKNOWLEDGED] [DURABILITY]

In each round a process writes to a namespace, and prints the number of each write that was acknowledged. The replica is frozen
in the middle, as one that is too slow: then the primary has writes that no replica has. Then the process
and the primary are killed at the same time, the replica becomes the primary, and what was acknowledged has to be
there. With the durability ``memory``, some of it is missing.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from itertools import count
from pathlib import Path
from queue import Empty, Queue
from typing import Any

from real_servers import Cluster, Sentinels, Server, until, valkey
from redis.crc import key_slot

from tta_memory_nb import MemoryPrimitive
from tta_memory_nb.stores.redis.keys import keys_of

WRITER = """
import sys
from itertools import count
from tta_memory_nb import MemoryPrimitive, NotDurable, StoreUnavailable

url, namespace, durability = sys.argv[1:]
memory = MemoryPrimitive(
    url, namespace=namespace, durability=durability, on_outage="raise", timeout=5.0
)
for n in count():
    try:
        memory.sync.add(f"k{n}", {"n": n})
    except (NotDurable, StoreUnavailable):
        continue
    print(n, flush=True)
"""

PER_ROUND = 50
"""So many writes are acknowledged in a round before the replica is frozen."""


class Writer:
    """A process that writes one record after another.

    Attributes:
        acknowledged: the numbers of the writes that were acknowledged.
    """

    def __init__(self, url: str, namespace: str, durability: str) -> None:
        self.acknowledged: list[int] = []
        self._said: Queue[str] = Queue()
        self.process = subprocess.Popen(
            [sys.executable, "-c", WRITER, url, namespace, durability],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)},
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self._said.put(line)

    def acknowledges(self, many: int) -> bool:
        """Returns whether so many writes were acknowledged by now."""
        try:
            while True:
                self.acknowledged.append(int(self._said.get_nowait()))
        except Empty:
            assert self.process.poll() is None, "the writer has ended"
            return len(self.acknowledged) >= many

    def end(self) -> None:
        """Takes note of what it has said before it was killed."""
        self.process.wait()
        self._reader.join()
        while not self._said.empty():
            self.acknowledged.append(int(self._said.get()))
        assert self.process.stdout
        self.process.stdout.close()


class SentinelGroup:
    """A primary and a replica that Sentinels watch."""

    def __init__(self) -> None:
        self._sentinels = Sentinels(valkey())
        self.url = self._sentinels.url
        self.stop = self._sentinels.stop

    def roles(self, _: str) -> tuple[Server, Server]:
        """Returns the primary and the replica."""
        return self._sentinels.primary, self._sentinels.replica

    def take_over(self, _: Server) -> None:
        """Waits until the replica is the primary."""
        self._sentinels.wait_for_another()

    def mend(self, killed: Server) -> None:
        """Starts a killed server again, as a replica."""
        killed.restart()
        self._sentinels.settle()


class ClusterGroup:
    """A Cluster, of which a namespace has one primary with its replica."""

    def __init__(self) -> None:
        self._cluster = Cluster(valkey())
        self.url = self._cluster.url
        self.stop = self._cluster.stop

    def roles(self, namespace: str) -> tuple[Server, Server]:
        """Returns the primary of a namespace, and its replica."""
        slot = key_slot(keys_of(namespace).values.encode())
        with self._cluster.nodes[0].client() as client:
            slots: Any = client.execute_command("CLUSTER SLOTS")
        [ports] = [
            [node["port"] if isinstance(node, dict) else node[1] for node in _nodes(row)]
            for row in _rows(slots)
            if row[0] <= slot <= row[1]
        ]
        by_port = {node.port: node for node in self._cluster.nodes}
        primary, replica = (by_port[port] for port in ports)
        return primary, replica

    def take_over(self, replica: Server) -> None:
        """Waits until the replica is the primary."""
        with replica.client() as client:
            until(lambda: client.info("replication")["role"] == "master", "it takes over")

    def mend(self, killed: Server) -> None:
        """Starts a killed server again, as a replica."""
        killed.restart()
        with killed.client() as client:
            until(lambda: client.info("replication")["role"] == "slave", "it is a replica")
            until(lambda: client.info("replication")["master_link_status"] == "up", "it is linked")


def _rows(slots: Any) -> list[Any]:
    if isinstance(slots, dict):
        return [[*span, found] for span, found in slots.items()]
    return list(slots)


def _nodes(row: Any) -> list[Any]:
    if isinstance(row[2], dict):
        return [{"port": row[2]["primary"][1]}, *({"port": port} for _, port in row[2]["replicas"])]
    return list(row[2:])


GROUPS: dict[str, Callable[[], SentinelGroup | ClusterGroup]] = {
    "sentinel": SentinelGroup,
    "cluster": ClusterGroup,
}


def kill_once(
    group: SentinelGroup | ClusterGroup, namespace: str, durability: str, many: int = PER_ROUND
) -> tuple[int, int]:
    """Carries out one round; returns how many writes were acknowledged, and how many of them are missing.

    Afterwards the killed server is down.
    """
    primary, replica = group.roles(namespace)
    with primary.client() as client:
        until(lambda: client.wait(1, 1000) == 1, "the replica answers")
    writer = Writer(group.url, namespace, durability)
    try:
        until(lambda: writer.acknowledges(many), "the writer writes")
        replica.freeze()
        with primary.client() as client:
            client.client_kill_filter(_type="replica")  # what is under way would still reach it
            until(
                lambda: (
                    client.info("clients")["blocked_clients"] or writer.acknowledges(many + 200)
                ),
                "the writer waits for the replica, or does not wait for it",
            )
    finally:
        writer.process.kill()
        primary.kill()
        replica.thaw()
        writer.end()
    group.take_over(replica)
    expected = {f"k{n}": {"n": n} for n in writer.acknowledged}
    with_others = MemoryPrimitive(group.url, namespace=namespace, timeout=60.0)
    until(with_others.sync.reconnect, "the new primary is found")
    found = with_others.sync.get_many(expected)
    with_others.sync.close()
    missing = sum(found.get(key) != value for key, value in expected.items())
    return len(expected), missing


def main(wanted: int = 500, durability: str = "replicas:1") -> int:
    """Kills primaries until so many writes were acknowledged; returns how many of them are missing."""
    lost = 0
    for name, start in GROUPS.items():
        group = start()
        acknowledged = missing = 0
        try:
            for number in count():
                namespace = f"killed-{number}"
                victim, _ = group.roles(namespace)
                some, gone = kill_once(group, namespace, durability)
                acknowledged, missing = acknowledged + some, missing + gone
                if acknowledged >= wanted:
                    break
                group.mend(victim)
        finally:
            group.stop()
        print(
            f"{name}, durability={durability}: {number + 1} primaries killed, "
            f"{missing} of {acknowledged} acknowledged writes lost",
            flush=True,
        )
        lost += missing
    return lost


if __name__ == "__main__":
    arguments = sys.argv[1:]
    sys.exit(min(1, main(int(arguments[0]) if arguments else 500, *arguments[1:2])))
