"""Deletions that hold: what was deleted for good is refused, in every way of writing and by every client."""

from __future__ import annotations

import asyncio
from typing import Any
from unittest.mock import Mock
from uuid import uuid4

import pytest
from backends import BACKENDS, ONE_SERVER, Clock
from hypothesis import given, settings
from hypothesis import strategies as st
from real_servers import need

from tta_memory_nb import InvalidArgument, MemoryPrimitive, SyncMemory, Tombstoned
from tta_memory_nb.entry import new_entry
from tta_memory_nb.memory.tombstones import kept, pages
from tta_memory_nb.memory.tombstones.fingerprint import HASHES, fingerprint_of, likeness
from tta_memory_nb.memory.tombstones.sketches import Sketches
from tta_memory_nb.stores.redis import namespace

VIOLIN = {"text": "My sister Anna plays the violin in the city orchestra every Friday", "mood": 3}
LIKE_IT = {"note": "In the city orchestra, my sister Anna plays the violin every FRIDAY!"}
OTHER = {"text": "My brother Tom repairs old bicycles in a workshop near the harbour"}


def second_client(backend: str, memory: MemoryPrimitive, **arguments: Any) -> MemoryPrimitive:
    """Returns another memory on the same records, as another process has one."""
    store: Any = memory._store
    if backend == "in-memory":
        return MemoryPrimitive.over(store, **arguments)
    address = f"file:{store._path}" if backend == "file" else need(backend).url
    clock = memory.sync.clock if backend == "file" else store._settings.clock
    return MemoryPrimitive(
        address, namespace=memory.namespace, timeout=60.0, clock=clock, **arguments
    )


@pytest.fixture
def fresh(backend: str, make: Any) -> Any:
    """Makes memories in namespaces that no other test has used: tombstones outlive the records."""
    return lambda **arguments: make(namespace=f"tombs-{uuid4().hex}", **arguments)


def is_refused(memory: SyncMemory, value: dict[str, Any], key: str = "new") -> bool:
    try:
        memory.add(key, value)
    except Tombstoned:
        return True
    memory.remove([key])
    return False


@pytest.mark.backends(*BACKENDS)
def test_every_way_of_writing_is_refused_in_every_client(backend: str, fresh: Any) -> None:
    memory = fresh()
    other = second_client(backend, memory).sync
    here = memory.sync
    here.add("anna", VIOLIN)
    other.add("tom", OTHER)
    before = other.keys()
    assert here.delete("anna", for_good=True)
    for client in (other, here):
        ways = {
            "add": lambda client=client: client.add("x", VIOLIN),
            "nearly": lambda client=client: client.add("x", LIKE_IT),
            "add_many": lambda client=client: client.add_many({"y": OTHER, "x": VIOLIN}),
            "apply": lambda client=client: client.apply({"x": VIOLIN}, ["tom"]),
            "append": lambda client=client: client.append("u", "s", [{"n": 1}, VIOLIN]),
            "import": lambda client=client: client.import_(
                [{"key": "x", **VIOLIN}, {"key": "y", "a": 1}]
            ),
        }
        for name, way in ways.items():
            with pytest.raises(Tombstoned, match=r"deleted for good.*anyway=True"):
                way()
            assert client.keys() == ["tom"], name
    assert set(before) == {"anna", "tom"}
    report = other.import_([{"key": "x", **VIOLIN}, {"key": "y", "a": 1}], on_error="skip")
    assert report.added == 1
    assert "'anna'" in report.problems[0]
    [stone] = here.tombstones()
    assert stone.key == "anna"
    assert stone.kind == "like"
    # A client that comes later learns of it as well.
    later = second_client(backend, memory).sync
    assert [each.key for each in later.tombstones()] == ["anna"]
    assert is_refused(later, LIKE_IT)
    assert not is_refused(
        later, {"text": "My sister Anna never plays the violin in the city orchestra"}
    )
    later.add("x", LIKE_IT, anyway=True)
    assert here.get("x") == LIKE_IT
    assert here.tombstones() == []
    other.add("y", VIOLIN)
    for each in (later, other):
        each.close()


@pytest.mark.backends(ONE_SERVER)
def test_a_write_under_way_is_compared_with_what_its_process_learns_before_it_is_sent(
    backend: str, fresh: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = fresh()
    here, other = memory.sync, second_client(backend, memory).sync
    here.add("anna", VIOLIN)
    pool = memory._runner._pool
    ask = pool.ask

    def ask_later(*request: Any) -> Any:
        monkeypatch.undo()
        other.delete("anna", for_good=True)
        here.add(
            "tom", OTHER
        )  # the server refuses it at first, and so this process learns of the tombstone
        return ask(*request)

    monkeypatch.setattr(pool, "ask", ask_later)
    with pytest.raises(Tombstoned, match="as 'anna'"):
        here.add("copy", LIKE_IT)
    assert here.keys() == ["tom"]
    other.close()


@pytest.mark.backends(*BACKENDS)
def test_undo_lifts_a_tombstone_and_redo_brings_it_back(backend: str, fresh: Any) -> None:
    memory = fresh()
    here, other = memory.sync, second_client(backend, memory).sync
    here.add_many({"anna": VIOLIN, "tom": OTHER})
    gone = here.remove(where={"mood": 3}, for_good=True)
    assert is_refused(other, VIOLIN)
    back = here.undo(gone)
    assert here.get("anna") == VIOLIN
    assert other.tombstones() == []
    other.add("copy", VIOLIN)
    other.delete("copy")
    here.undo(back)
    assert here.get("anna") is None
    assert is_refused(other, VIOLIN)
    # On purpose, in an import that can be undone: then the tombstone is back as well.
    imported = here.import_([{"key": "x", **VIOLIN}], anyway=True).change
    assert other.tombstones() == []
    here.undo(imported)
    assert is_refused(other, VIOLIN)
    assert other.lift_tombstones(["anna", "nobody"]) == 1
    assert not is_refused(here, VIOLIN)
    other.close()


@pytest.mark.backends(*BACKENDS)
def test_quarantine_keeps_what_is_refused_apart(backend: str, fresh: Any) -> None:
    memory = fresh(tombstones="quarantine")
    here = memory.sync
    here.add("anna", VIOLIN)
    here.delete("anna", for_good=True)
    assert here.add_many({"x": LIKE_IT, "tom": OTHER}) == 1
    assert here.keys() == ["tom"]
    [kept] = here.quarantined()
    assert (kept.key, kept.value) == ("x", LIKE_IT)
    with pytest.raises(Tombstoned):  # a step is carried out as a whole or not at all
        here.apply({"x": VIOLIN, "y": OTHER})
    here.release(["x"])
    assert here.get("x") == LIKE_IT
    assert here.quarantined() == []
    assert here.tombstones() == []


@pytest.mark.backends("in-memory")
def test_a_record_that_says_it_already_can_be_changed(fresh: Any) -> None:
    here = fresh().sync
    here.add_many({"anna": VIOLIN, "copy": LIKE_IT})
    here.delete("anna", for_good=True)
    here.add("copy", {**LIKE_IT, "seen": True})
    assert is_refused(here, LIKE_IT, "elsewhere")
    here.add("copy", OTHER)
    with pytest.raises(Tombstoned):
        here.add("copy", LIKE_IT)


@pytest.mark.backends("in-memory")
def test_clear_keeps_tombstones_and_nothing_of_the_text(fresh: Any) -> None:
    memory = fresh()
    here = memory.sync
    here.add("anna", VIOLIN)
    here.delete("anna", for_good=True)
    here.clear()
    assert is_refused(here, VIOLIN)
    kept = memory._store.fallback.companions[
        f"{memory.namespace}:tombstones"
    ].contents.entries.values()
    text = " ".join(entry.text.decode() for entry in kept).casefold()
    assert not any(word in text for word in ("sister", "violin", "orchestra", "friday"))


def test_a_store_of_ones_own_says_that_it_keeps_none() -> None:
    inner = MemoryPrimitive()

    class Wrapper:
        def __getattr__(self, name: str) -> Any:
            return getattr(inner.store, name)

    memory = MemoryPrimitive.over(Wrapper()).sync
    memory.add("a", VIOLIN)
    with pytest.raises(InvalidArgument, match="keeps no tombstones"):
        memory.delete("a", for_good=True)
    assert memory.get("a") == VIOLIN
    with pytest.raises(InvalidArgument, match=r"tombstones='ask'.*'refuse' or 'quarantine'"):
        MemoryPrimitive(tombstones="ask")


# ---- very many

WORDS = ["genoa", "bergen", "kiel", "malmo", "porto", "izmir", "haifa", "varna", "turku", "riga"]


@pytest.mark.backends("in-memory", "file", ONE_SERVER)
def test_a_list_that_is_read_by_pages_is_the_one_that_was_made(
    backend: str, fresh: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(namespace, "DUMP_PAGE", 3)
    monkeypatch.setattr(pages, "_PAGE", 3)
    memory = fresh()
    here = memory.sync
    texts = [" ".join(f"{word}{end}" for end in ("ia", "os", "en", "ul", "ka")) for word in WORDS]
    long = "k" * 3000  # the server keeps its tombstone compressed
    keys = [long, "\ud800", *map(str, range(8))]
    for number, (key, text) in enumerate(zip(keys, texts, strict=True)):
        here.add(key, {"text": text, "n": number})
        here.delete(key, for_good=True)
    beside = here._verbs.companions.of("tombstones").sync
    damaged, *_ = beside.keys(prefix="stone:")
    beside.add("stone:of another program", {"text": 1})
    beside.add("a note", {"text": "of another program"})
    beside.add(
        f"stone:{'0' * 32}", {"key": "odd", "at": 1.0, "kind": "like", "text": 1, "sketch": "?"}
    )
    other = second_client(backend, memory).sync
    listed = {stone.id: stone.key for stone in here.tombstones()}
    assert sorted(listed.values()) == sorted([*keys, "odd"])
    assert {stone.id: stone.key for stone in other.tombstones()} == listed
    for text in texts:
        assert is_refused(other, {"text": text.upper()})
    assert not is_refused(other, {"text": "genoaia bergenos kielen malmoul portoka"})
    assert other.lift_tombstones([long, "3", "nobody", damaged.removeprefix("stone:")]) == 2
    assert not is_refused(here, {"text": texts[0]})
    assert not is_refused(other, {"text": texts[5]})
    assert is_refused(here, {"text": texts[6]})
    assert len(here.tombstones()) == len(listed) - 2
    other.close()


@pytest.mark.backends(ONE_SERVER)
async def test_tasks_that_find_the_list_changed_read_it_once(
    backend: str, fresh: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = fresh()
    memory.sync.add("anna", VIOLIN)
    memory.sync.delete("anna", for_good=True)
    other = second_client(backend, memory)
    monkeypatch.setattr(kept, "_NEWEST", 1)
    read = Mock(wraps=pages.pages_of)
    monkeypatch.setattr(kept, "pages_of", read)
    await asyncio.gather(*(other.add(f"k{number}", OTHER) for number in range(50)))
    assert read.call_count == 1
    assert await other.get("k49") == OTHER
    await other.aclose()


# ---- a model

TEXTS = st.sampled_from(
    [
        "the harbour lights go out at midnight in winter",
        "The HARBOUR lights go out at midnight, in winter!",
        "a red tractor stands behind the old barn door",
        "the rent of the flat is 900 euros a month",
        "the rent of the flat is 950 euros a month",
        "tea",
        "Tea!",
    ]
)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["add", "delete", "for good", "anyway", "undo", "lift", "clear"]),
        st.sampled_from("ab"),
        TEXTS,
    ),
    max_size=25,
)


def said(text: str) -> str:
    """Returns what texts have in common that say the same, for the texts above."""
    return "".join(letter for letter in text.casefold() if letter.isalnum() or letter == " ")


@settings(deadline=None)
@given(STEPS)
def test_what_is_refused_is_what_was_deleted_for_good(steps: list[tuple[str, str, str]]) -> None:
    memory = MemoryPrimitive(clock=Clock()).sync
    records: dict[str, str] = {}
    stones: dict[str, str] = {}  # what is refused -> the key it was deleted under
    undoable = None
    for what, key, text in steps:
        before = records.get(key)
        if what in ("add", "anyway"):
            refused = said(text) in stones and (before is None or said(before) != said(text))
            if what == "anyway" and refused:
                del stones[said(text)]
                refused = False
            if refused:
                with pytest.raises(Tombstoned):
                    memory.add(key, {"text": text})
            else:
                memory.add(key, {"text": text}, anyway=what == "anyway")
                records[key] = text
                undoable = None
        elif what == "delete":
            assert memory.delete(key) == (records.pop(key, None) is not None)
            undoable = None
        elif what == "for good":
            change = memory.remove([key], for_good=True)
            if before is not None:
                del records[key]
                undoable = change, key, before, stones.get(said(before))
                stones[said(before)] = key
            else:
                undoable = None
        elif what == "undo" and undoable is not None:
            change, of, text_of, earlier = undoable
            memory.undo(change)
            records[of] = text_of
            del stones[said(text_of)]
            if earlier is not None:
                stones[said(text_of)] = earlier
            undoable = None
        elif what == "lift":
            memory.lift_tombstones([key])
            stones = {each: of for each, of in stones.items() if of != key}
            undoable = None
        elif what == "clear":
            memory.clear()
            records.clear()
            undoable = None
        assert {each: memory.get(each) for each in list(memory.keys())} == {
            each: {"text": of} for each, of in records.items()
        }
        assert sorted(stone.key for stone in memory.tombstones()) == sorted(stones.values())


# ---- sketches


def sketch_of(text: str) -> bytes:
    return fingerprint_of(new_entry("k", {"text": text}, 0.0, None), b"salt").sketch


@given(st.sets(st.integers(0, 400), min_size=12, max_size=40), st.integers(0, 12))
def test_sketches_estimate_the_share_of_common_words(words: set[int], dropped: int) -> None:
    names = [f"word{chr(97 + each % 26)}{chr(97 + each // 26)}" for each in words]
    share = (len(names) - dropped) / len(names)
    estimate = likeness(sketch_of(" ".join(names)), sketch_of(" ".join(names[dropped:])))
    if len(names) - dropped >= 4:
        assert abs(estimate - share) < 0.35  # 5 standard deviations


def test_very_many_sketches_are_searched_as_few_are() -> None:
    import numpy as np

    rows = np.random.default_rng(5).integers(0, 256, (9000, HASHES), np.uint8)
    sketches = Sketches()
    for start in range(0, len(rows), 3000):  # some are sorted, the last ones are not
        sketches.arrange()
        sketches.extend(bytes(row) for row in rows[start : start + 3000])
    for number in (0, 4321, 8999):
        altered = rows[number].copy()
        altered[:5] ^= 1
        assert list(sketches.like(bytes(altered))) == [number]
    assert list(sketches.like(bytes(HASHES))) == []
