"""The contract of all backends: bad input is refused by name, and changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from backends import EVERY_BACKEND, ONE_OF_EACH_KIND

from contract.reading import everything, fill
from tta_memory_nb import InvalidArgument, SyncMemory
from tta_memory_nb.errors import brief

# A test with a mark of its own runs on those backends only.
pytestmark = pytest.mark.backends(*EVERY_BACKEND)


BAD_TTLS = [0, -1, -0.0, float("nan"), float("inf"), True, "", "soon", "10x", "-5s", "0s", [1]]
BAD_TTLS += [timedelta(0), timedelta(seconds=-1), 10**400, 1e12, b"10s", timedelta.max]
BAD_KEYS = ["", None, 7, b"k", ("a",), ["k"]]
BAD_LIMITS = [0, -1, 1.5, True, "5"]

REFUSED: list[tuple[str, Callable[[SyncMemory], Any]]] = [
    *((f"ttl={brief(ttl)}", lambda memory, ttl=ttl: memory.add("a", {}, ttl)) for ttl in BAD_TTLS),
    *(
        (f"ttl={brief(ttl)}", lambda memory, ttl=ttl: memory.add_many({"a": {}}, ttl))
        for ttl in BAD_TTLS[:3]
    ),
    *(
        (f"key={key!r}", lambda memory, key=key, verb=verb: verb(memory, key))
        for key in BAD_KEYS
        for verb in (
            lambda memory, key: memory.add(key, {}),
            lambda memory, key: memory.get(key),
            lambda memory, key: memory.delete(key),
            lambda memory, key: memory.ttl(key),
            lambda memory, key: memory.get_many([key]),
            lambda memory, key: memory.get_records([key]),
            lambda memory, key: memory.remove(["a", key]),
            lambda memory, key: memory.delete(key, for_good=True),
            lambda memory, key: memory.remove(["a", key], for_good=True),
            lambda memory, key: memory.touch(["a", key], ttl="1h"),
            lambda memory, key: memory.apply({}, ["a", key]),
            lambda memory, key: memory.log(key),
            lambda memory, key: memory.lift_tombstones([key]),
            lambda memory, key: memory.release([key]),
        )
    ),
    *(
        (f"limit={limit!r}", lambda memory, limit=limit, verb=verb: verb(memory, limit))
        for limit in BAD_LIMITS
        for verb in (
            lambda memory, limit: memory.search("a", limit),
            lambda memory, limit: memory.search("", limit),
            lambda memory, limit: memory.search_records("a", limit),
            lambda memory, limit: memory.search_records("", limit),
            lambda memory, limit: memory.records(limit),
        )
    ),
    *(
        (f"query={query!r}", lambda memory, query=query, verb=verb: verb(memory, query))
        for query in (7, b"a", ["a"])
        for verb in (
            lambda memory, query: memory.search(query),
            lambda memory, query: memory.search_records(query),
            lambda memory, query: memory.count(query),
        )
    ),
    *(
        (f"max_size={size!r}", lambda memory, size=size: memory.resize(size))
        for size in (-1, 1.5, True, None, "7")
    ),
    ("query=None", lambda memory: memory.search(None)),
    ("mode='fuzzy'", lambda memory: memory.search_records("a", mode="fuzzy")),
    ("keys='a'", lambda memory: memory.get_many("a")),
    ("keys='a'", lambda memory: memory.get_records("a")),
    ("keys='a'", lambda memory: memory.remove("a")),
    ("user=7", lambda memory: memory.records(user=7)),
    ("session=b'x'", lambda memory: memory.keys(session=b"x")),
    ("prefix=['a']", lambda memory: memory.count(prefix=["a"])),
    ("since='whenever'", lambda memory: memory.records(since="whenever")),
    ("until=True", lambda memory: memory.remove(until=True)),
    ("where=7", lambda memory: memory.records(where=7)),
    ("'$like'", lambda memory: memory.remove(where={"text": {"$like": "a"}})),
    ("value: <int>", lambda memory: memory.add("a", 7)),
    ("value: <list>", lambda memory: memory.add("a", [{}])),
    ("value: <NoneType>", lambda memory: memory.add("a", None)),
    ("value['x']: <object>", lambda memory: memory.add("a", {"x": object()})),
    ("value['x']: nan", lambda memory: memory.add("a", {"x": float("nan")})),
    # Neither or both. A filter that is None does not count, or an unset variable would delete all.
    ("either keys or filters", lambda memory: memory.remove()),
    ("either keys or filters", lambda memory: memory.remove(user=None, where={})),
    ("either keys or filters", lambda memory: memory.remove(["a"], prefix="b")),
]


@pytest.mark.backends(*ONE_OF_EACH_KIND)
@pytest.mark.parametrize(
    ("named", "call"), REFUSED, ids=[f"{n} {case[0][:40]}" for n, case in enumerate(REFUSED)]
)
def test_bad_input_is_refused_by_name_and_changes_nothing(memory, named, call):
    fill(memory, "a", "b")
    before = everything(memory)
    with pytest.raises(InvalidArgument) as refused:
        call(memory)
    assert isinstance(refused.value, ValueError)
    assert named in str(refused.value)
    assert everything(memory) == before


@pytest.mark.backends(*ONE_OF_EACH_KIND)
@pytest.mark.parametrize("max_size", [-1, 1.5, True])
def test_a_memory_is_not_made_with_a_bad_capacity(make, max_size):
    with pytest.raises(InvalidArgument, match=f"max_size={max_size!r}"):
        make(max_size=max_size)


@pytest.mark.backends(*ONE_OF_EACH_KIND)
@pytest.mark.parametrize("namespace", ["", None, 7])
def test_a_memory_is_not_made_with_a_bad_namespace(make, namespace):
    with pytest.raises(InvalidArgument, match=f"namespace={namespace!r}"):
        make(namespace=namespace)
