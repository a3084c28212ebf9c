"""Folders of keys: the contract on every backend, and a naive model."""

from __future__ import annotations

from typing import Any

import pytest
from backends import EVERY_BACKEND, ONE_SERVER, WITH_A_STAND_IN, Clock, examples
from hypothesis import given, settings
from hypothesis import strategies as st

from tta_memory_nb import InvalidArgument


def naive(keys: list[str], prefix: str, depth: int | None) -> list[str]:
    """Returns what `folders` should, part by part."""
    found = set()
    for key in keys:
        *parts, _ = key.split("/")
        if not key.startswith(prefix) or parts in ([], [""]):
            continue
        lead = 1 if parts[0] == "" else 0
        found.add("/".join(parts if depth is None else parts[: lead + depth]))
    return sorted(found)


@pytest.mark.backends(*EVERY_BACKEND)
def test_each_folder_is_named_once(backend, clock, request):
    memory = WITH_A_STAND_IN[backend](namespace=request.node.name, clock=clock).sync
    memory.add_many({f"/users/{name}/{n}": {} for name in ("al", "alice") for n in range(3)})
    memory.add_many(
        {"/users/alice/notes/1": {}, "/docs/1": {}, "loose": {}, "/root": {}, "a/ü/1": {}}
    )
    memory.add("/gone/1", {}, ttl=5)
    clock.tick(5)
    every = ["/docs", "/users/al", "/users/alice", "/users/alice/notes", "a/ü"]
    assert memory.folders() == every
    assert memory.folders(depth=1) == ["/docs", "/users", "a"]
    assert memory.folders("/users/al/") == ["/users/al"]
    assert memory.folders("/users/alice", 2) == ["/users/alice"]
    assert memory.folders("nothing") == []
    before = memory.keys()
    memory.build_index()  # on a server, the replica has all of them now
    memory.remove(prefix="/docs")
    assert memory.folders() == every[1:]
    assert memory.keys() == [key for key in before if not key.startswith("/docs")]
    memory.clear()
    memory.close()


keys = st.lists(st.text("/ab%.", min_size=1, max_size=6), max_size=8, unique=True)


@pytest.mark.backends("in-memory", ONE_SERVER)
def test_folders_are_those_of_a_naive_model(backend):
    memory = WITH_A_STAND_IN[backend](namespace="folders", clock=Clock()).sync

    @settings(max_examples=examples(backend, 300))
    @given(keys, st.text("/ab", max_size=2), st.none() | st.integers(1, 3))
    def check(some: list[str], prefix: str, depth: int | None) -> None:
        memory.clear()
        memory.add_many({key: {} for key in some})
        assert memory.folders(prefix, depth) == naive(some, prefix, depth)

    check()
    memory.close()


@pytest.mark.backends("in-memory")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((7,), "prefix=7"),
        (("", 0), "depth=0"),
        (("", True), "depth=True"),
        (("", "1"), "depth='1'"),
    ],
)
def test_bad_arguments_are_refused(backend, arguments: Any, message: str):
    with pytest.raises(InvalidArgument, match=message):
        WITH_A_STAND_IN[backend]().sync.folders(*arguments)
