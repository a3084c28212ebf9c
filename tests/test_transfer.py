"""Import and export: round trips, refused files and records, and undo."""

from __future__ import annotations

import errno
import gzip
import json
import os
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from backends import on_a_stand_in
from hypothesis import given, settings
from importing import imported, new_memory, refused, values_of, written
from record_values import FEW, NOW, facts, records, stored

from tta_memory_nb import (
    CapacityExceeded,
    InvalidArgument,
    MemoryRecord,
    TransferError,
)
from tta_memory_nb.transfer import ImportReport, write_file

FORMATS = ["jsonl", "csv", "parquet"]


# ---------------------------------------------------------------- round trips


@pytest.mark.parametrize("suffix", FORMATS)
def test_an_export_is_imported_again_exactly(suffix, tmp_path):
    path = tmp_path / f"memory.{suffix}"

    @settings(max_examples=FEW)
    @given(records())
    def check(made):
        memory, _ = imported(made)
        assert memory.sync.export(path) == len(made)
        again, report = imported(path)
        assert report.added == len(made)
        assert stored(again) == stored(memory) == facts(made)

    check()


@pytest.mark.parametrize("suffix", FORMATS)
def test_an_export_is_packed_when_its_name_ends_in_gz(suffix, tmp_path):
    made = [MemoryRecord("ann:mon", {"text": "x", "list": [1]}, "n", 1.5, 2.5)]
    path = tmp_path / f"memory.{suffix}.gz"
    write_file(path, None, made)
    assert path.read_bytes().startswith(b"\x1f\x8b")
    assert stored(imported(path)[0]) == facts(made)


def test_jsonl_keeps_instants_that_are_finer_than_a_microsecond(tmp_path):
    record = MemoryRecord("k", {"x": 1}, "n", 0.1 + 0.2, 1 / 3, NOW + 1 / 7)
    memory, _ = imported([record])
    memory.sync.export(tmp_path / "a.jsonl")
    assert stored(imported(tmp_path / "a.jsonl")[0]) == facts([record])


def test_jsonl_names_the_namespace_but_records_go_into_the_importing_one(tmp_path):
    memory = new_memory(namespace="tenant")
    memory.sync.add("k", {"x": 1})
    memory.sync.export(tmp_path / "a.jsonl")
    assert json.loads((tmp_path / "a.jsonl").read_text())["namespace"] == "tenant"
    again, _ = imported(tmp_path / "a.jsonl")
    assert [record.namespace for record in again.sync.records()] == ["default"]


@pytest.mark.parametrize("format", FORMATS)
def test_an_export_of_nothing_imports_as_nothing(format, tmp_path):
    path = tmp_path / f"a.{format}"
    assert new_memory().sync.export(path) == 0
    memory, report = imported(path)
    assert (report.added, report.problems, memory.size()) == (0, (), 0)


@pytest.mark.parametrize("format", FORMATS)
def test_records_that_were_in_no_memory_are_written_without_instants(format, tmp_path):
    path = tmp_path / f"a.{format}"
    assert write_file(path, None, [MemoryRecord("k", {"x": 1})]) == 1
    memory, _ = imported(path)
    assert stored(memory) == facts([MemoryRecord("k", {"x": 1}, "n", NOW, NOW)])


def test_equal_memories_make_equal_files(tmp_path):
    memory, _ = imported([{"role": "user", "content": "hi"}])
    for name in ("a.jsonl.gz", "b.jsonl.gz"):
        memory.sync.export(tmp_path / name)
    assert (tmp_path / "a.jsonl.gz").read_bytes() == (tmp_path / "b.jsonl.gz").read_bytes()


def test_the_order_of_recency_survives(tmp_path):
    memory = new_memory()
    memory.sync.add_many({"a": {}, "b": {}, "c": {}})
    memory.sync.get("a")
    memory.sync.export(tmp_path / "a.jsonl")
    assert imported(tmp_path / "a.jsonl")[0].sync.keys() == ["b", "c", "a"]


# ---------------------------------------------------------------- JSON Lines


def test_any_object_with_a_key_is_a_record(tmp_path):
    lines = '\ufeff{"id": "a", "x": 1, "value": {}}\n\n  {"id": 7, "y": 2}\n'
    assert values_of(written(tmp_path / "a.jsonl", lines), key="id") == {
        "a": {"x": 1, "value": {}},
        "7": {"y": 2},
    }


def test_an_expiry_a_key_or_instants_can_be_left_out_of_a_record(tmp_path):
    lines = (
        '{"key": "a", "value": {}}\n'
        '{"key": "b", "value": {}, "created_at": 1}\n'
        '{"key": "c", "value": {}, "updated_at": "1970-01-01T00:00:02Z"}\n'
        '{"key": "d", "value": {}, "created_at": 0, "updated_at": 0}\n'
    )
    memory, _ = imported(written(tmp_path / "a.ndjson", lines))
    times = {record.key: (record.created_at, record.updated_at) for record in memory.sync.records()}
    assert times == {"a": (NOW, NOW), "b": (1, 1), "c": (2, 2), "d": (0, 0)}


def test_broken_lines_are_reported_by_their_numbers(tmp_path):
    lines = [
        b'{"key": "a", "value": {"x": 1}}',
        b'{"key": "b", "value": {"x": 1}',
        b"",
        b"[1]",
        b'{"x": 1}',
        b'{"key": "", "value": {}}',
        b'{"key": "c", "value": {"x": NaN}}',
        b'{"key": "d", "value": "text"}',
        b'{"key": "e", "value": {}, "updated_at": "soon"}',
        b'{"key": "caf\xe9", "value": {}}',
        b'{"key": ' + b"1" * 5000 + b"}",
        b"[" * 100_000,
        b'{"key": "f", "value": {"x": {"y": 1, "y": 2}}}',
    ]
    error = refused(written(tmp_path / "a.jsonl", b"\n".join(lines)))
    starts = [
        "line 2: not JSON: Expecting ',' delimiter at column 31",
        "line 4: found [1]; expected an object",
        "line 5: the object has no field 'key' for its key; it has 'x'",
        "line 6: key='': a key is a non-empty str",
        "line 7: value['x']: nan is not JSON",
        "line 8: value: <str> is not a JSON object",
        "line 9: updated_at='soon': give a datetime",
        "line 10: not UTF-8 at byte 13",
        "line 11: not JSON that can be read: Exceeds the limit",
        "line 12: not JSON that can be read: maximum recursion depth",
        "line 13: the field 'y' appears twice in one object",
    ]
    assert [p[: len(s)] for p, s in zip(error.problems, starts, strict=True)] == starts
    assert "a.jsonl: 11 of 12 records cannot be read, so nothing was imported" in str(error)
    memory, report = imported(tmp_path / "a.jsonl", on_error="skip")
    assert (report.added, report.problems, memory.sync.keys()) == (1, error.problems, ["a"])


def test_of_many_problems_the_message_shows_the_first_and_the_error_holds_all(tmp_path):
    error = refused(written(tmp_path / "a.jsonl", "x\n" * 1234))
    assert "1,234 of 1,234 records" in str(error)
    assert str(error).count("\n  line ") == 10
    assert "\n  ... and 1,224 more\n" in str(error)
    assert len(error.problems) == 1234


# ---------------------------------------------------------------- files


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "json", "parquet"])
def test_garbage_is_refused_in_every_format(suffix, tmp_path):
    error = refused(written(tmp_path / f"a.{suffix}", bytes(range(255, 0, -1)) * 20))
    assert f"a.{suffix}" in str(error)
    assert "not UTF-8 at byte 1" in str(error) or "Parquet magic bytes not found" in str(error)


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "json", "parquet"])
@pytest.mark.parametrize("damage", ["cut", "spoilt"])
def test_a_damaged_gzip_is_refused_in_every_format(suffix, damage, tmp_path):
    data = bytearray(gzip.compress(os.urandom(5000)))
    if damage == "cut":
        del data[2000:]
    else:
        data[1500:1600] = b"\xff" * 100
    error = refused(written(tmp_path / f"a.{suffix}.gz", bytes(data)))
    assert f"a.{suffix}.gz" in str(error)


def test_a_truncated_gzip_is_reported_as_such(tmp_path):
    lines = b'{"key": "a", "value": {}}\n' * 1000
    error = refused(written(tmp_path / "a.jsonl.gz", gzip.compress(lines)[:-20]), on_error="skip")
    assert "cannot read" in str(error)
    assert "ended before the end-of-stream marker" in str(error)


def test_gzip_is_recognised_by_its_content_and_not_by_its_name(tmp_path):
    line = b'{"key": "a", "value": {}}\n'
    assert values_of(written(tmp_path / "a.jsonl", gzip.compress(line))) == {"a": {}}
    assert values_of(written(tmp_path / "b.jsonl.gz", line)) == {"a": {}}


@pytest.mark.parametrize("suffix", ["json", "parquet", "csv"])
def test_an_empty_file_is_refused_where_it_is_no_file_of_its_format(suffix, tmp_path):
    error = refused(written(tmp_path / f"a.{suffix}", b""))
    assert any(word in str(error) for word in ("is empty", "0 bytes", "no header"))


def test_an_empty_jsonl_file_holds_no_records(tmp_path):
    assert imported(written(tmp_path / "a.jsonl", b""))[1] == ImportReport(0, 0)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            "missing.jsonl",
            "cannot read 'missing.jsonl': there is no such file and no such dataset; give a path, or a dataset: chitchat",
        ),
        ("chitchatt", "give a path, or a dataset: chitchat"),
        ("folder.csv", "cannot read 'folder.csv': it is a directory; give a file"),
        (
            "notes.txt",
            "'notes.txt': the suffix .txt names no known format; give format= (in %memory: --format) one of",
        ),
        ("notes", "'notes' has no suffix that names its format"),
        ("", "'' does not name a file"),
        (".", "'.' does not name a file"),
        ("a\0b.csv", "'a\\x00b.csv' does not name a file"),
        (b"bytes", "cannot import from <bytes>"),
        (5, "cannot import from <int>"),
        ("~nobody-here/a.csv", "'~nobody-here/a.csv': no such user, or no home directory"),
        (None, "cannot import from <NoneType>"),
    ],
)
def test_an_invalid_source_is_refused_by_name(source, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("folder.csv").mkdir()
    written(Path("notes.txt"), "x")
    written(Path("notes"), "x")
    assert message in str(refused(source))


def test_a_format_can_be_named_and_must_be_known(tmp_path):
    path = written(tmp_path / "notes.txt", '{"key": "a", "value": {}}')
    assert values_of(path, "jsonl") == {"a": {}}
    assert "format='xml' is not known; give format= (in %memory: --format) one of 'jsonl'" in str(
        refused(path, "xml")
    )
    for wrong in (5, ["jsonl"], {}, ""):
        assert f"format={wrong!r} is not known" in str(refused(path, wrong))
    with pytest.raises(TransferError, match=r"suffix \.json names no known format"):
        new_memory().sync.export(tmp_path / "a.json")


def test_a_file_of_the_name_of_a_dataset_comes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    written(Path("chitchat"), "key,x\na,1\n")
    assert values_of("chitchat", "csv") == {"a": {"x": 1}}


def test_a_folder_of_the_name_of_a_dataset_does_not_hide_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("chitchat").mkdir()
    with pytest.raises(CapacityExceeded, match="258,145 records do not fit"):
        imported("chitchat")


@pytest.mark.parametrize("path", [None, 5, b"a.jsonl"])
def test_an_object_that_is_no_path_is_refused_by_name(path):
    with pytest.raises(TransferError, match=f"{path!r} does not name a file"):
        new_memory().sync.export(path, "jsonl")


def test_a_home_directory_is_found(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    memory, _ = imported([MemoryRecord("a", {"x": 1})])
    memory.sync.export("~/a.jsonl")
    assert values_of("~/a.jsonl") == {"a": {"x": 1}}


def disk_full(*_: object) -> None:
    raise OSError(28, "disk full")


@pytest.mark.parametrize("format", FORMATS)
def test_an_export_that_fails_leaves_the_old_file_and_nothing_else(format, tmp_path, monkeypatch):
    path = written(tmp_path / f"a.{format}", "old")
    monkeypatch.setattr(Path, "replace", disk_full)
    with pytest.raises(TransferError, match=r"cannot write .*: disk full"):
        write_file(path, None, [MemoryRecord("k", {"x": 1})])
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_value_that_cannot_be_written_leaves_the_old_file_and_nothing_else(tmp_path):
    path = written(tmp_path / "a.jsonl", "old")
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_file(path, None, [MemoryRecord("k", {"x": float("nan")})])
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names")
@pytest.mark.parametrize("name", ["a.jsonl", "a.csv.gz"])
def test_an_export_goes_into_a_pipe_and_leaves_it_in_its_place(name, tmp_path):
    path = tmp_path / name
    os.mkfifo(path)
    # Open for both, so that neither side blocks.
    end = os.open(path, os.O_RDWR)
    try:
        made = [MemoryRecord("a", {"x": 1})]
        assert write_file(path, None, made) == 1
        assert path.is_fifo()
        content = os.read(end, 10_000)
    finally:
        os.close(end)
    assert list(tmp_path.iterdir()) == [path]
    path.unlink()
    assert values_of(written(path, content)) == {"a": {"x": 1}}


def test_a_file_name_may_be_as_long_as_names_can_be(tmp_path):
    path = tmp_path / f"{'a' * 249}.jsonl"
    write_file(path, None, [MemoryRecord("a", {"x": 1})])
    assert values_of(path) == {"a": {"x": 1}}


@pytest.mark.parametrize("target", ["missing/a.jsonl", "file/a.jsonl", "folder.jsonl"])
def test_a_file_that_cannot_be_written_is_refused_by_name(target, tmp_path):
    written(tmp_path / "file", "x")
    (tmp_path / "folder.jsonl").mkdir()
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(TransferError, match=f"cannot write .*{target}"):
        new_memory().sync.export(tmp_path / target)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("target", "way_out"),
    [
        ("missing/a.jsonl", "there is no folder '.*missing': make it, or name another file"),
        ("file/a.jsonl", "is not a folder, or is inside of a file: name another file"),
        ("folder.jsonl", "this is a folder: name a file in it"),
        (f"{'a' * 300}.jsonl", "give it a shorter name"),
    ],
)
def test_the_error_of_a_file_that_cannot_be_written_says_what_to_do(target, way_out, tmp_path):
    written(tmp_path / "file", "x")
    (tmp_path / "folder.jsonl").mkdir()
    with pytest.raises(TransferError, match=way_out):
        new_memory().sync.export(tmp_path / target)


def refusing(number: int) -> Any:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    return refuse


@pytest.mark.parametrize(
    ("number", "way_out"),
    [
        (
            errno.EACCES,
            "let this user write to the folder '.*' .chmod u.w., or name a file in another",
        ),
        (errno.EROFS, "its disk can only be read: name a file on another one"),
        (errno.ENOSPC, "make room on its disk, or name a file on another one"),
    ],
)
def test_what_the_system_does_not_let_be_written_has_a_way_out(
    number, way_out, tmp_path, monkeypatch
):
    monkeypatch.setattr(os, "open", refusing(number))
    with pytest.raises(TransferError, match=f"{os.strerror(number)}; {way_out}"):
        new_memory().sync.export(tmp_path / "a.jsonl")


def test_what_the_system_does_not_let_be_read_has_a_way_out(tmp_path, monkeypatch):
    path = written(tmp_path / "a.jsonl", "")
    monkeypatch.setattr(Path, "open", refusing(errno.EACCES))
    assert "Permission denied; let this user read it (chmod u+r" in str(refused(path))


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.jsonl.gz"])
def test_a_file_that_is_kept_from_being_written_is_not_replaced(name, tmp_path):
    path = written(tmp_path / name, "kept")
    path.chmod(0o444)  # which root could write to all the same
    link = tmp_path / f"link-{name}"
    link.symlink_to(path)
    for target in (path, link):
        with pytest.raises(
            TransferError, match=r"the file is read-only; name another file, or let"
        ):
            new_memory().sync.export(target)
    assert path.read_text() == "kept"
    assert sorted(tmp_path.iterdir()) == sorted([path, link])


def test_an_export_keeps_the_link_and_the_permissions_it_finds(tmp_path):
    real = written(tmp_path / "real.jsonl", "old")
    real.chmod(0o640)
    link = tmp_path / "link.jsonl"
    link.symlink_to(real)
    new_memory().sync.export(link)
    assert link.is_symlink()
    assert (real.read_text(), real.stat().st_mode & 0o777) == ("", 0o640)


# ---------------------------------------------------------------- records and options


def test_records_and_their_own_form_can_be_mixed_in_a_list(tmp_path):
    memory = new_memory()
    memory.sync.add("a", {"text": "x"})
    (hit,) = memory.sync.search_records("x")
    as_object = {name: getattr(hit, name) for name in ("value", "score", "matches", "updated_at")}
    content = [hit, {"key": "b", **as_object}, {"role": "user"}, [{"role": "user"}]]
    again, _ = imported(iter(content))
    assert [(r.key.split(":")[0], r.value) for r in reversed(again.sync.records())] == [
        *(("a", {"text": "x"}), ("b", {"text": "x"})),
        *(("user", {"turn": 0, "role": "user"}), ("user", {"turn": 1, "role": "user"})),
    ]


@pytest.mark.parametrize(
    ("record", "problem"),
    [
        (MemoryRecord("", {}), "record 1: key=''"),
        (MemoryRecord("k", {"x": {1}}), "record 1: value['x']: <set> is not JSON"),
        (MemoryRecord("k", {}, updated_at=float("nan")), "record 1: updated_at=nan"),
        (MemoryRecord("k", {}, expires_at=1e20), "record 1: expires_at=1e+20"),
    ],
)
def test_a_record_that_no_memory_could_hold_is_refused(record, problem):
    assert refused([record]).problems[0].startswith(problem)


def test_the_instants_of_a_record_may_be_written_in_any_way():
    at = datetime(2026, 1, 2, tzinfo=timezone.utc)
    made = MemoryRecord("a", {}, "n", at, "2026-01-02", "2100-01-01")
    memory, _ = imported([made, MemoryRecord("b", {}, "n", None, None)])
    later = datetime(2100, 1, 1, tzinfo=timezone.utc).timestamp()
    assert stored(memory) == facts(
        [
            MemoryRecord("a", {}, "n", at.timestamp(), at.timestamp(), later),
            MemoryRecord("b", {}, "n", NOW, NOW),
        ]
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"on_error": "ignore"}, "on_error='ignore': unknown policy; give 'raise' or 'skip'"),
        ({"key": ""}, "key='': give non-empty text"),
        ({"key": None}, "key=None: give non-empty text"),
        ({"user": 5}, "user=5: give non-empty text"),
        ({"session": ""}, "session='': give non-empty text"),
    ],
)
def test_an_invalid_option_is_refused(options, message):
    with pytest.raises(InvalidArgument) as caught:
        imported([], **options)
    assert str(caught.value) == message


def test_an_import_never_restores_expired_records():
    made = [
        MemoryRecord("over", {}, "n", 1.0, 1.0, NOW),
        MemoryRecord("still", {}, "n", 1.0, 1.0, NOW + 0.001),
        MemoryRecord("replaced, then over", {"x": 1}, "n", 1.0, 1.0),
        MemoryRecord("replaced, then over", {"x": 2}, "n", 1.0, 2.0, 3.0),
    ]
    memory, report = imported(made)
    assert memory.sync.keys() == ["still"]
    assert (report.added, report.expired, report.repeated) == (1, 2, 1)


def test_of_records_with_one_key_the_later_counts():
    made = [MemoryRecord(key, {"n": n}) for n, key in enumerate("aba")]
    memory, report = imported(made)
    assert [(r.key, r.value["n"]) for r in reversed(memory.sync.records())] == [("b", 1), ("a", 2)]
    assert (report.added, report.updated, report.repeated) == (2, 0, 1)


def test_an_update_without_instants_keeps_when_the_record_was_made():
    memory, _ = imported([MemoryRecord("k", {"x": 1}, "n", 5.0, 6.0)])
    memory.sync.import_(pd.DataFrame({"key": ["k"], "x": [2]}))
    assert stored(memory) == facts([MemoryRecord("k", {"x": 2}, "n", 5.0, NOW)])


def test_an_import_that_does_not_fit_is_refused_unless_it_may_grow():
    memory = new_memory(max_size=3)
    memory.sync.add_many({"old": {}, "k1": {}})
    before = stored(memory)
    made = [MemoryRecord(f"k{n}", {}) for n in range(4)]
    with pytest.raises(CapacityExceeded, match="4 records do not fit in max_size=3"):
        memory.sync.import_(made)
    assert (stored(memory), memory.max_size) == (before, 3)
    report = memory.sync.import_(made, grow=True)
    assert (memory.max_size, memory.size()) == (5, 5)
    assert (report.added, report.updated, report.evicted) == (3, 1, 0)


def test_growing_makes_room_for_the_present_records():
    memory = new_memory(max_size=3)
    memory.sync.add_many({"a": {}, "b": {}})
    report = memory.sync.import_([MemoryRecord("c", {}), MemoryRecord("d", {})], grow=True)
    assert (memory.sync.keys(), report.evicted) == (["a", "b", "c", "d"], 0)


@pytest.mark.parametrize("grow", [False, True])
def test_where_there_is_no_limit_nothing_has_to_grow(grow):
    memory = on_a_stand_in(max_size=1)
    memory._store.max_size = None
    assert memory.max_size is memory.sync.max_size is None
    report = memory.sync.import_([MemoryRecord("a", {}), MemoryRecord("b", {})], grow=grow)
    assert report.added == 2
    # A stand-in has no capacity to ask for or to change.
    assert ("called", "put") in memory._runner.log
    assert {name for _, name in memory._runner.log} <= {"put", "tombstones_token"}
    assert report.change.max_size is None


def test_undo_restores_the_capacity_as_well():
    memory = new_memory(max_size=3)
    memory.sync.add_many({"a": {}, "b": {}})
    before = stored(memory)
    report = memory.sync.import_([MemoryRecord("c", {}), MemoryRecord("d", {})], grow=True)
    undone = memory.sync.undo(report.change)
    assert (stored(memory), memory.max_size) == (before, 3)
    memory.sync.undo(undone)
    assert (memory.sync.keys(), memory.max_size) == (["a", "b", "c", "d"], 4)


def test_a_dataset_that_does_not_fit_is_refused_before_it_is_read():
    def bar(items, total, what):
        raise AssertionError("read")

    with pytest.raises(CapacityExceeded, match="258,145 records do not fit in max_size=100"):
        imported("chitchat", progress=bar)


def test_without_growing_the_oldest_make_room():
    memory = new_memory(max_size=3)
    memory.sync.add_many({"a": {}, "b": {}})
    report = memory.sync.import_([MemoryRecord("c", {}), MemoryRecord("d", {})])
    assert (memory.sync.keys(), report.evicted) == (["b", "c", "d"], 1)
    assert (report.added, report.updated) == (2, 0)


def test_undo_restores_values_instants_and_the_order_of_recency():
    memory = new_memory(max_size=4)
    made = [MemoryRecord(key, {"n": n}, "n", n, n + 0.5, NOW + 9) for n, key in enumerate("abcd")]
    memory.sync.import_(made)
    memory.sync.get("a")
    before = stored(memory)
    report = memory.sync.import_([MemoryRecord(key, {"new": 1}) for key in "cxy"])
    assert (report.added, report.updated, report.evicted) == (2, 1, 2)
    assert stored(memory) != before
    memory.sync.undo(report.change)
    assert stored(memory) == before


def test_progress_is_reported_for_every_record():
    calls = []

    def bar(items, total, what):
        calls.append((total, what))
        for item in items:
            calls.append(item[0])
            yield item

    frame = pd.DataFrame({"key": ["a", "b"]})
    assert imported(frame, progress=bar)[1].added == 2
    assert calls == [(2, "import DataFrame"), "row 1", "row 2"]


def test_progress_can_be_shown_by_tqdm(capsys):
    imported([{"role": "user"}], progress=True)
    assert "import list" in capsys.readouterr().err
