"""Verbs about the memory as a whole, and what it runs on."""

from __future__ import annotations

from typing import Any

from ...stores.plan import Plan
from .common import CommonVerbs


class AboutVerbs(CommonVerbs):
    """Says how large the memory is and what it promises, and tries its server."""

    def size(self) -> Plan[int]:
        """Returns the number of records."""
        return self._store.size()

    def stats(self) -> Plan[dict[str, int]]:
        """Returns ``bytes`` of all values as JSON, the same as ``stored``, and ``expiring`` records."""
        return self._store.stats()

    def get_backend_info(self) -> Plan[dict[str, Any]]:
        """Returns what the memory runs on and what that promises; no value holds a password.

        ``backend`` ("in-memory", "file" or "redis"), ``fallback_available`` (whether work goes on without a
        server), ``namespace``, ``size`` and ``max_size`` (records; None: no limit), ``evictions``,
        ``durability`` (what holds when a write is acknowledged, as given when the memory was made). With a file
        also ``path``, ``size_on_disk`` (bytes, with the log beside the file) and ``other_processes`` (``pid``,
        ``program`` and ``since``, in Unix seconds, of each other process of this package that has the file
        open; None if that cannot be found out). With a server also ``redis_url``, ``server`` (name and version, as far as it tells),
        ``reads_not_noted`` (records read while the server could not write, which the order of use lacks),
        ``lost_on_server`` (writes that this process knows and that the server has lost, see `reconnect`),
        ``clock_skew`` (seconds by which the clock of this machine is ahead of the server's, or None),
        ``degraded`` (whether it is away), and of an outage ``degraded_since`` (Unix seconds),
        ``degraded_because`` and ``writes_waiting`` (records); size and evictions are then those
        known here. ``journal`` (path of the file that keeps such writes, or None).

        What the server promises now, each None where it does not say or its user may not ask:
        ``persistence`` (a dict: ``aof``, whether it has an append-only file; ``fsync``, how often that reaches the
        disk; ``aof_status`` and ``last_save_status``, ``"ok"`` or how it failed; ``snapshots``, the rules for them, empty
        for none; ``last_save``, Unix seconds), ``replicas`` (a dict each: ``address``, ``state``,
        ``lag`` in seconds since it reported, ``behind`` in bytes), ``eviction_policy`` and
        ``max_memory`` (bytes; 0: no limit), ``promised_at`` (when the server said so, Unix seconds; in an outage
        an earlier instant), ``last_failover`` (when this process went over to another primary last, Unix
        seconds). ``dangers`` says in words what of it is dangerous, the worst first.

        ``writes_refused`` has, by key, the last write of an outage that the server then
        refused for good: an object with ``kind``, ``reason``, ``at`` (Unix seconds) and ``value``.

        ``server_search`` is as given when the memory was made. Unless it is None or ``"off"``, ``index_records`` says how many
        records the index on the server has, ``index_pending`` how many it does not have as they are now,
        ``index_without_vector`` how many wait for a vector, and ``index_bytes`` how large the index is; in an outage these are missing.

        ``history`` says in words which changes of records are kept; None or missing for none.

        ``embedder`` is the name of the embedder, ``embedder_dim`` the size of its vectors (None before the first),
        ``vectors`` how many this process has, and ``embedder_failed`` why the last search by meaning had
        to do without it, or None.
        """
        about = yield from self._store.about()
        return about | self._meanings.about()

    def reconnect(self, restore_from_here: bool = False) -> Plan[bool]:
        """Tries the server now; returns whether the records are on it.

        Args:
            restore_from_here: also write what the server has lost because it came back older than it was,
                as far as this process knows it: ``lost_on_server`` of `get_backend_info` says how much. A
                record that was written since, at a later instant, stays.
        """
        return self._store.reconnect(restore_from_here)
