"""What a server promises of the records it has: persistence, replicas, evictions; and what of it is dangerous.

The server says so in its replies to ``INFO`` and ``CONFIG GET``. What a user of the server may not ask, or a server
does not say, is unknown: None, and never guessed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count, takewhile
from typing import Any

from ...errors import harmless
from ..durability import Durability
from .clock import MOST_SKEW
from .rows import name_of
from .wire import Command

QUESTIONS: tuple[Command, ...] = (
    ("INFO",),
    ("CONFIG", "GET", "appendfsync"),
    ("CONFIG", "GET", "save"),
)
"""What a server is asked. One pattern a command, since older servers know no more."""

# Seconds without a word after which a replica is called late. They report every second.
_MOST_LAG = 10


@dataclass(frozen=True, slots=True)
class Promises:
    """What a server has said of itself.

    Attributes:
        server: its name and version; empty if it did not say.
        about: the facts, as `SyncMemory.get_backend_info` names them.
        role: ``"master"`` or ``"slave"``, in the words of the server; None if it did not say.
    """

    server: str
    about: Mapping[str, Any]
    role: str | None = None

    def synced_by_its_supervisor(self) -> Promises:
        """Returns the promises of an embedded server, whose supervisor syncs its file every second."""
        persistence = self.about["persistence"]
        if persistence["fsync"] != "no":
            return self
        return replace(
            self, about={**self.about, "persistence": {**persistence, "fsync": "everysec"}}
        )


UNKNOWN = Promises(
    "",
    {
        "persistence": dict.fromkeys(
            ("aof", "fsync", "aof_status", "snapshots", "last_save", "last_save_status")
        ),
        "replicas": None,
        "eviction_policy": None,
        "max_memory": None,
    },
)
"""What is known of a server that has said nothing."""


def read_promises(replies: Sequence[Any]) -> Promises:
    """Returns what the replies to `QUESTIONS` say; an error among them says nothing."""
    info, fsync, save = replies
    facts = _facts(info)
    aof = {"0": False, "1": True}.get(facts.get("aof_enabled", ""))
    # Right after its start, a server gives the time of the start as that of the last save.
    has_saved = facts.get("rdb_saves") != "0"
    persistence = {
        "aof": aof,
        "fsync": _setting(fsync, "appendfsync") if aof is not False else None,
        "aof_status": _aof_status(facts) if aof else None,
        "snapshots": _setting(save, "save"),
        "last_save": (_number(facts.get("rdb_last_save_time")) or None) if has_saved else None,
        "last_save_status": facts.get("rdb_last_bgsave_status"),
    }
    about = {
        "persistence": persistence,
        "replicas": _replicas(facts) if "connected_slaves" in facts else None,
        "eviction_policy": facts.get("maxmemory_policy"),
        "max_memory": _number(facts.get("maxmemory")),
    }
    return Promises(name_of(info) if isinstance(info, bytes) else "", about, facts.get("role"))


def _facts(info: Any) -> dict[str, str]:
    """Returns the lines of a reply to INFO by their names; none for an error."""
    if not isinstance(info, bytes):
        return {}
    lines = info.decode("utf-8", "replace").splitlines()
    return dict(harmless(line).split(":", 1) for line in lines if ":" in line)


def _setting(reply: Any, name: str) -> str | None:
    """Returns a setting of the server; None for an error, and for a server that hides it."""
    pairs = reply if isinstance(reply, dict) else {}
    if isinstance(reply, list):
        pairs = dict(zip(reply[::2], reply[1::2], strict=False))
    value = pairs.get(name.encode())
    return harmless(value.decode("utf-8", "replace")) if isinstance(value, bytes) else None


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdecimal() else None


def _aof_status(facts: Mapping[str, str]) -> str | None:
    states = [facts.get("aof_last_write_status"), facts.get("aof_last_bgrewrite_status")]
    bad = [state for state in states if state not in (None, "ok")]
    return bad[0] if bad else states[0]


def _replicas(facts: Mapping[str, str]) -> list[dict[str, Any]]:
    """Returns of each connected replica its address, its state, and how far it is behind."""
    end = _number(facts.get("master_repl_offset"))
    replicas = []
    lines = takewhile(bool, (facts.get(f"slave{number}") for number in count()))
    for line in filter(None, lines):
        parts = dict(part.split("=", 1) for part in line.split(",") if "=" in part)
        offset = _number(parts.get("offset"))
        replicas.append(
            {
                "address": f"{parts['ip']}:{parts['port']}"
                if {"ip", "port"} <= set(parts)
                else None,
                "state": parts.get("state"),
                "lag": _number(parts.get("lag")),
                "behind": None if end is None or offset is None else max(0, end - offset),
            }
        )
    return replicas


def dangers(promises: Promises, durability: Durability, skew: float | None) -> list[str]:
    """Returns what is dangerous in what a server promises now, a sentence each, the worst first.

    Args:
        promises: what the server has said.
        durability: what the memory was asked to promise.
        skew: seconds by which the clock of this machine is ahead of the server's, or None.
    """
    return [
        *_of_persistence(promises.about["persistence"], durability),
        *_of_evictions(promises.about),
        *_of_replicas(promises, durability),
        *_of_the_clock(skew),
    ]


def _of_persistence(state: Mapping[str, Any], durability: Durability) -> list[str]:
    found = []
    if state["aof"] is False and state["snapshots"] == "":
        found.append(
            "the server saves nothing, so a restart loses every record; set appendonly to yes"
        )
    elif state["aof"] is False and durability.kind == "disk":
        found.append(
            "durability='disk' cannot hold: the server has no append-only file; set appendonly to yes"
        )
    if state["aof_status"] not in (None, "ok"):
        found.append("the server fails to write its append-only file; look at its disk and its log")
    if state["last_save_status"] not in (None, "ok"):
        found.append("the server's last snapshot has failed; look at its disk and its log")
    if state["aof"] and state["fsync"] == "no":
        found.append(
            "the server leaves it to its operating system when writes reach the disk (appendfsync no), so a power "
            "failure can lose the last half minute; set appendfsync to everysec"
        )
    return found


def _of_evictions(about: Mapping[str, Any]) -> list[str]:
    policy = about["eviction_policy"]
    # No key that holds records has a time to live, so the policies volatile-... leave them alone.
    if policy is None or not policy.startswith("allkeys"):
        return []
    now = ", which cannot happen before it has a maxmemory" if about["max_memory"] == 0 else ""
    loss = f"the server may evict whole memories when it is full ({policy}){now}"
    return [f"{loss}; set its maxmemory-policy to noeviction"]


def _of_replicas(promises: Promises, durability: Durability) -> list[str]:
    found, replicas = [], promises.about["replicas"]
    if promises.role == "slave":
        found.append("the address is that of a replica, which takes no writes; give its primary's")
    if replicas is None:
        return found
    online = [each for each in replicas if each["state"] == "online"]
    if len(online) < durability.replicas:
        has = "no replica" if not online else f"only {len(online)} of them"
        found.append(f"durability='{durability}' cannot hold: {has} is connected")
    late = [each for each in online if (each["lag"] or 0) > _MOST_LAG]
    found += (
        f"the replica {each['address']} has been silent for {each['lag']} s and is "
        f"{each['behind'] or 0:,} bytes behind"
        for each in late
    )
    return found


def _of_the_clock(skew: float | None) -> list[str]:
    if skew is None or abs(skew) <= MOST_SKEW:
        return []
    where = "ahead of" if skew > 0 else "behind"
    return [
        f"the clock of this machine is {abs(skew):,.0f} s {where} the server's, which decides when records expire"
    ]
