"""Servers of which another one becomes the primary: by Sentinels, or in a Cluster."""

from __future__ import annotations

from typing import Any

from real_servers import Cluster, Sentinels, Server, until
from redis.crc import key_slot

from tta_memory_nb.stores.redis.keys import keys_of

from .history import History
from .world import World


class SentinelFailovers(World):
    """A primary and a replica, of which Sentinels make the replica the primary.

    Args:
        binary: the server.
    """

    def __init__(self, binary: str) -> None:
        super().__init__()
        self._sentinels = Sentinels(binary, down_after=500)
        self.url = self._sentinels.url

    def close(self) -> None:
        """Ends everything."""
        super().close()
        self._sentinels.stop()

    def start_over(self, namespace: str) -> None:
        """Makes the servers empty."""
        self.heal()
        with self._sentinels.primary.client() as client:
            client.flushall()

    def happens(self, what: str, args: tuple[Any, ...], history: History) -> None:
        """Lets something happen; see `World`."""
        it = self._sentinels
        if what == "lose the primary at once":
            it.settle()
        else:
            it.settle(is_replicated)
        if what == "hand over":
            it.hand_over()
        elif what in ("lose the primary", "lose the primary at once"):
            it.fail_over()
        elif what == "slow primary":
            it.primary.freeze()
            it.wait_for_another()
            it.replica.thaw()
        else:
            raise AssertionError(f"unknown: {what}{args}")

    def heal(self) -> None:
        """Makes the server that is not the primary its replica."""
        self._sentinels.settle()


class ClusterFailovers(World):
    """A Cluster, of which another node becomes the owner of the records.

    Args:
        binary: the server.
    """

    def __init__(self, binary: str) -> None:
        super().__init__()
        self._cluster = Cluster(binary)
        self.url = self._cluster.url
        self._slot = 0

    def close(self) -> None:
        """Ends everything."""
        super().close()
        self._cluster.stop()

    def start_over(self, namespace: str) -> None:
        """Makes the nodes empty."""
        self.heal()
        self._slot = key_slot(keys_of(namespace).values.encode())
        for node in self._cluster.nodes:
            with node.client() as client:
                if client.role()[0] == b"master":
                    client.flushall()

    def happens(self, what: str, args: tuple[Any, ...], history: History) -> None:
        """Lets something happen; see `World`."""
        self.heal()
        owner = self._owner()
        if what != "lose the primary at once":
            until(lambda: is_replicated(owner), "the replica has everything")
        if what == "hand over":
            self._ask(self._replica_of(owner), "CLUSTER FAILOVER")
        elif what in ("lose the primary", "lose the primary at once"):
            owner.kill()
        elif what == "slow primary":
            owner.freeze()
        elif what == "move the slot":
            self._move(owner)
        else:
            raise AssertionError(f"unknown: {what}{args}")
        until(
            lambda: self._owner_said_by_others(owner) not in (None, owner),
            "another node is the owner",
        )
        if what == "slow primary":
            owner.thaw()

    def heal(self) -> None:
        """Has all nodes run and agree on who is the owner, which has a replica."""
        for node in self._cluster.nodes:
            if not node.is_running:
                node.restart()
        until(self._is_whole, "the nodes agree")

    def _is_whole(self) -> bool:
        states = [self._ask(node, "CLUSTER INFO") for node in self._cluster.nodes]
        owners = {self._owner_said_by(node) for node in self._cluster.nodes}
        if (
            len(owners) != 1
            or None in owners
            or any(state["cluster_state"] != "ok" for state in states)
        ):
            return False
        [owner] = owners
        assert owner
        info = self._ask(owner, "INFO", "replication")
        return bool(info["role"] == "master" and info["connected_slaves"] >= 1)

    def _owner(self) -> Server:
        owner = self._owner_said_by(self._cluster.nodes[0])
        assert owner
        return owner

    def _owner_said_by_others(self, owner: Server) -> Server | None:
        """Returns the owner that all other nodes agree on; None if they do not."""
        said = {self._owner_said_by(node) for node in self._cluster.nodes if node is not owner}
        return said.pop() if len(said) == 1 else None

    def _owner_said_by(self, node: Server) -> Server | None:
        for first, last, (_, port, *_), *_ in self._ask(node, "CLUSTER SLOTS", raw=True):
            if first <= self._slot <= last:
                return next(each for each in self._cluster.nodes if each.port == port)
        return None

    def _replica_of(self, owner: Server) -> Server:
        def has_it(node: Server) -> bool:
            info = self._ask(node, "INFO", "replication")
            return bool(info["role"] == "slave" and info["master_port"] == owner.port)

        return next(node for node in self._cluster.nodes if has_it(node))

    def _move(self, owner: Server) -> None:
        """Moves the slot with all that is in it to another primary."""
        other = next(
            node
            for node in self._cluster.nodes
            if node is not owner and self._ask(node, "INFO", "replication")["role"] == "master"
        )
        source, target = (self._ask(node, "CLUSTER MYID") for node in (owner, other))
        self._ask(other, "CLUSTER SETSLOT", self._slot, "IMPORTING", source)
        self._ask(owner, "CLUSTER SETSLOT", self._slot, "MIGRATING", target)
        keys = self._ask(owner, "CLUSTER GETKEYSINSLOT", self._slot, 1000)
        if keys:
            self._ask(owner, "MIGRATE", "127.0.0.1", other.port, "", 0, 5000, "KEYS", *keys)
        for node in (other, owner):
            self._ask(node, "CLUSTER SETSLOT", self._slot, "NODE", target)

    def _ask(self, node: Server, *command: Any, raw: bool = False) -> Any:
        with node.client(decode_responses=not raw) as client:
            if raw:
                client.response_callbacks.clear()
            return client.execute_command(*command)


def is_replicated(primary: Server) -> bool:
    """Returns whether the replica of a primary has everything."""
    with primary.client() as client:
        info = client.info("replication")
    return bool(info["slave0"]["offset"] == info["master_repl_offset"])
