"""Golden sets: what a file of judgements says, who may write it, and what is refused."""

from __future__ import annotations

import copy
import gzip
import json
import re
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from json_values import any_text, json_objects

from tta_memory_nb import GoldenSet, InvalidArgument, MemoryPrimitive, TransferError
from tta_memory_nb.evaluation import Question, digest, judge
from tta_memory_nb.evaluation.golden import digest_of


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "golden.jsonl"


@pytest.fixture
def memory():
    memory = MemoryPrimitive().sync
    memory.add("alice:mon", {"text": "It rains"})
    memory.add("alice:tue", {"text": "The sun shines"})
    memory.add("bob:mon", {"text": "Snow, at last"})
    return memory


def test_a_judgement_is_read_back_with_the_digest_of_the_value(path, memory):
    [rain, sun] = memory.peek(["alice:mon", "alice:tue"])
    judge(path, "weather?", right=[rain], wrong=[sun], filters={"user": "alice"})
    golden = GoldenSet.read(path)
    assert golden.questions == (
        Question(
            "weather?",
            {"alice:mon": 1, "alice:tue": 0},
            {
                "alice:mon": digest({"text": "It rains"}),
                "alice:tue": digest({"text": "The sun shines"}),
            },
            {"user": "alice"},
        ),
    )
    assert repr(golden) == "GoldenSet('golden.jsonl', 1 question, 1 right record)"


def test_a_later_judgement_of_a_record_replaces_the_earlier_one(path, memory):
    [rain, sun] = memory.peek(["alice:mon", "alice:tue"])
    judge(path, "weather?", right=[rain, sun])
    judge(path, "umbrella", right=[rain])
    judge(path, "weather?", wrong=[sun])
    assert [(q.query, q.grades) for q in GoldenSet.read(path).questions] == [
        ("weather?", {"alice:mon": 1, "alice:tue": 0}),
        ("umbrella", {"alice:mon": 1}),
    ]
    judge(path, "umbrella", forget=["alice:mon"])
    judge(path, "weather?", forget=["alice:tue"])
    assert [(q.query, q.grades) for q in GoldenSet.read(path).questions] == [
        ("weather?", {"alice:mon": 1})
    ]


def test_the_same_query_with_other_filters_is_another_question(path, memory):
    [rain] = memory.peek(["alice:mon"])
    judge(path, "weather?", right=[rain])
    judge(path, "weather?", right=[rain], filters={"user": "alice"})
    judge(path, "weather?", right=[rain], filters={"user": "alice", "session": None})
    assert [q.filters for q in GoldenSet.read(path).questions] == [{}, {"user": "alice"}]


def test_notebooks_that_judge_at_the_same_time_lose_nothing(path, memory):
    [rain] = memory.peek(["alice:mon"])
    barrier = Barrier(8)

    def work(number: int) -> None:
        barrier.wait()
        for turn in range(10):
            judge(path, f"question {number} {turn}", right=[rain])

    threads = [Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(GoldenSet.read(path).questions) == 80


def test_a_line_that_lacks_its_end_is_kept_apart_from_the_next(path, memory):
    path.write_text('{"query": "typed by hand", "relevant": ["alice:mon"]}')
    judge(path, "weather?", right=memory.peek(["alice:mon"]))
    assert [q.query for q in GoldenSet.read(path).questions] == ["typed by hand", "weather?"]


@given(
    st.lists(
        st.tuples(
            any_text.filter(bool),
            st.dictionaries(any_text.filter(bool), st.integers(0, 3), min_size=1, max_size=4),
        ),
        max_size=5,
    )
)
def test_a_set_that_is_written_is_read_as_it_was(tmp_path_factory, judged):
    path = tmp_path_factory.mktemp("golden") / "set.jsonl"
    golden = GoldenSet.of(dict(judged), "set.jsonl")
    golden.write(path)
    assert GoldenSet.read(path) == golden
    assert {q.query: dict(q.grades) for q in golden.questions} == dict(judged)


@given(json_objects(), json_objects())
def test_values_have_the_same_digest_if_they_are_the_same_json(one, other):
    memory = MemoryPrimitive().sync
    memory.add("a", one)
    memory.add("b", other)
    [a, b] = memory.peek(["a", "b"])
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (digest_of(a) == digest_of(b)) is same
    assert digest_of(a) == digest(dict(reversed(list(one.items()))))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("not json", "not JSON"),
        ("[]", "give an object with a query"),
        ('{"query": ""}', "give an object with a query"),
        ('{"query": "x", "relevnt": []}', "unknown field 'relevnt'"),
        ('{"query": "x", "relevant": "alice:mon"}', "relevant 'alice:mon': give a list of keys"),
        ('{"query": "x", "relevant": [1]}', "give a list of keys"),
        ('{"query": "x", "relevant": {"a": 1}}', "or digests by key"),
        ('{"query": "x", "relevant": ["a"], "wrong": ["a"]}', "'a' is both relevant and wrong"),
        ('{"query": "x", "relevant": ["a"], "grades": {"b": 2}}', "'b' has a grade"),
        ('{"query": "x", "relevant": ["a"], "grades": {"a": 0}}', "whole numbers of at least 1"),
        ('{"query": "x", "filters": {"usr": "a"}}', "with some of user, session, prefix"),
        ('{"query": "x", "filters": {"where": {"a": {"$no": 1}}}}', "\\$no"),
        ('{"query": "x", "filters": {"since": "1h", "until": "2h"}}', "later than until='2h'"),
        ('{"golden_set": 2}', "version 2 of the format is not known"),
    ],
)
def test_a_line_that_is_no_judgement_is_named_and_nothing_is_added(path, memory, line, message):
    path.write_text(f'{{"query": "fine", "relevant": ["a"]}}\n{line}\n')
    before = path.read_bytes()
    with pytest.raises(TransferError, match=message) as caught:
        GoldenSet.read(path)
    assert "line 2: " in str(caught.value)
    with pytest.raises(TransferError, match=message):
        judge(path, "weather?", right=memory.peek(["alice:mon"]))
    assert path.read_bytes() == before


def test_limits_that_only_the_clock_compares_may_be_kept(path):
    filters = [{"since": "2026-11-22", "until": "2h"}, {"since": "7d", "until": "2026-11-22"}]
    path.write_text(
        "".join(
            json.dumps({"query": "x", "relevant": ["a"], "filters": each}) + "\n"
            for each in filters
        )
    )
    assert [each.filters for each in GoldenSet.read(path).questions] == filters


@pytest.mark.parametrize(
    "wrong",
    [
        {"query": ""},
        {"query": "x", "right": []},
        {"query": "x", "filters": {"since": "whenever"}},
        {"query": "x", "filters": {"where": {"a": {1, 2}}}},
    ],
)
def test_a_judgement_without_a_meaning_changes_nothing(path, memory, wrong):
    given_ = {"right": memory.peek(["alice:mon"]), **wrong}
    with pytest.raises(InvalidArgument):
        judge(path, **given_)
    assert not path.exists()


def test_a_file_that_is_kept_from_being_written_gets_no_judgement(path, memory):
    path.write_text('{"query": "x", "relevant": ["a"]}\n')
    path.chmod(0o444)
    with pytest.raises(TransferError, match=r"the file is read-only; name another file, or let"):
        judge(path, "weather?", right=memory.peek(["alice:mon"]))
    assert path.read_text() == '{"query": "x", "relevant": ["a"]}\n'


def test_a_compressed_file_is_read_and_not_added_to(tmp_path, memory):
    path = tmp_path / "golden.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"query": "x", "relevant": ["a"]}\n'))
    assert GoldenSet.read(path).questions[0].query == "x"
    with pytest.raises(TransferError, match="the file is compressed"):
        judge(path, "weather?", right=memory.peek(["alice:mon"]))


# ---- test collections

LOCOMO = [
    {
        "sample_id": "conv:1",
        "conversation": {
            "speaker_a": "Ann",
            "session_1_date_time": "1:56 pm on 8 May, 2023",
            "session_1": [
                {"speaker": "Ann", "dia_id": "D1:1", "text": "I moved to Lyon"},
                {"speaker": "Ben", "dia_id": "D1:2", "text": "Nice", "blip_caption": "a bridge"},
            ],
            "session_10": [{"speaker": "Ann", "dia_id": "D10:1", "text": "The tenth"}],
            "session_2": [{"speaker": "Ann", "dia_id": "D2:1", "text": "The second"}],
        },
        "qa": [
            {"question": "Where does Ann live?", "evidence": ["D1:1; D1:2"], "category": 1},
            {"question": "Nobody knows", "evidence": ["D1:1"], "category": 5},
            {"question": "Without evidence", "evidence": [], "category": 1},
        ],
    }
]


@pytest.mark.parametrize("packed", [False, True])
def test_conversations_with_questions_bring_their_turns_in_order(tmp_path, packed):
    path = tmp_path / ("chats.json.gz" if packed else "chats.json")
    data = json.dumps(LOCOMO).encode()
    path.write_bytes(gzip.compress(data) if packed else data)
    golden = GoldenSet.read(path)
    assert [value["text"] for _, value in golden.records] == [
        *("I moved to Lyon", "Nice", "The second", "The tenth")
    ]
    assert golden.records[1][1] == {
        "speaker": "Ben",
        "text": "Nice",
        "date": "1:56 pm on 8 May, 2023",
        "caption": "a bridge",
    }
    keys = [key for key, _ in golden.records]
    assert keys[0].startswith("conv-1:session_1:")
    assert golden.questions == (
        Question("Where does Ann live?", {keys[0]: 1, keys[1]: 1}, filters={"user": "conv-1"}),
    )


def beir(folder: Path, splits: dict[str, str]) -> Path:
    (folder / "qrels").mkdir(parents=True)
    (folder / "corpus.jsonl").write_text(
        '{"_id": "d1", "title": "Lyon", "text": "A city"}\n{"_id": "d2", "title": "", "text": "No"}\n'
    )
    (folder / "queries.jsonl").write_text('{"_id": "q1", "text": "cities"}\n')
    for name, lines in splits.items():
        (folder / "qrels" / f"{name}.tsv").write_text(lines)
    return folder


def test_a_folder_like_those_of_beir_brings_documents_and_grades(tmp_path):
    header = "query-id\tcorpus-id\tscore\n"
    folder = beir(tmp_path / "tiny", {"test": f"{header}q1\td1\t2\nq1\td2\t0\n", "dev": header})
    golden = GoldenSet.read(folder)
    assert golden.name == "tiny"
    assert golden.records == (("d1", {"title": "Lyon", "text": "A city"}), ("d2", {"text": "No"}))
    assert golden.questions == (Question("cities", {"d1": 2, "d2": 0}),)
    assert GoldenSet.read(folder, split="dev").questions == ()


@pytest.mark.parametrize(
    ("splits", "message"),
    [
        ({}, "no file qrels/test.tsv; a folder like those of BEIR has queries.jsonl"),
        ({"dev": "", "train": ""}, "give split= one of 'dev', 'train'"),
        ({"test": "q1\td1\n"}, "line 1: expected query, document and a whole number"),
        ({"test": "q1\td1\tx\n"}, "line 1: expected query, document and a whole number"),
        ({"test": "q7\td1\t1\n"}, "lacks the query 'q7'"),
    ],
)
def test_a_folder_that_lacks_something_is_refused_by_name(tmp_path, splits, message):
    with pytest.raises(TransferError, match=message):
        GoldenSet.read(beir(tmp_path / "tiny", splits))


@pytest.mark.parametrize("content", ["[]x", "{}", "[1]", '[{"qa": []}]', "7"])
def test_a_json_file_that_is_another_one_is_refused(tmp_path, content):
    path = tmp_path / "other.json"
    path.write_text(content)
    with pytest.raises(TransferError, match=r"other\.json"):
        GoldenSet.read(path)


@pytest.mark.parametrize("keys", ["ann:mon", 7, ["ann:mon", 7], [""]])
def test_what_are_no_keys_is_not_taken_apart(keys):
    with pytest.raises(InvalidArgument, match=r"judged\['rain'\]=|key=7|key=''"):
        GoldenSet.of({"rain": keys})


@pytest.mark.parametrize("content", ["{}", "[]"])
def test_a_file_without_conversations_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "talks.json"
    path.write_text(content)
    with pytest.raises(TransferError, match="expected a list of objects"):
        GoldenSet.read(path)


def _first(content: list[dict[str, Any]]) -> dict[str, Any]:
    return content[0]["conversation"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda all_: all_[0]["qa"][0].update(question=None), "question None: expected text"),
        (lambda all_: all_[0]["qa"][0].update(question=""), "question '': expected text"),
        (lambda all_: all_.append(all_[0]), "two conversations have the sample_id 'conv-1'"),
        (
            lambda all_: all_.append({**all_[0], "sample_id": "conv-1"}),
            "have the sample_id 'conv-1'",
        ),
        (
            lambda all_: _first(all_)["session_2"].append(_first(all_)["session_1"][0]),
            "two turns of 'conv:1' have the dia_id 'D1:1'",
        ),
        (lambda all_: _first(all_).update({f"session_{'9' * 5000}": []}), "expected a list of"),
    ],
)
def test_conversations_whose_questions_could_mean_anything_are_refused(tmp_path, change, message):
    content = copy.deepcopy(LOCOMO)
    change(content)
    path = tmp_path / "chats.json"
    path.write_text(json.dumps(content))
    with pytest.raises(TransferError, match=re.escape(message)) as error:
        GoldenSet.read(path)
    assert "chats.json" in str(error.value)


def test_evidence_may_stand_without_a_list_and_the_number_of_a_session_begin_with_a_zero(tmp_path):
    content = copy.deepcopy(LOCOMO)
    content[0]["qa"][0]["evidence"] = "D1:1; D3:1"
    _first(content)["session_03"] = [{"speaker": "Ann", "dia_id": "D3:1", "text": "The third"}]
    path = tmp_path / "chats.json"
    path.write_text(json.dumps(content))
    golden = GoldenSet.read(path)
    texts = {key: value["text"] for key, value in golden.records}
    assert list(texts.values())[2:] == ["The second", "The third", "The tenth"]
    [question] = golden.questions
    assert [texts[key] for key in question.relevant] == ["I moved to Lyon", "The third"]


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("ends", [b"\n", b"\r\n"])
def test_files_that_an_editor_on_windows_has_saved_are_read_as_before(tmp_path, packed, ends):
    chats = tmp_path / "chats.json"
    chats.write_text(json.dumps(LOCOMO, indent=1))
    folder = beir(tmp_path / "tiny", {"test": "q1\td1\t2\nq1\td2\t0\n"})
    before = GoldenSet.read(chats), GoldenSet.read(folder)
    for path in (chats, *folder.glob("*.jsonl"), *folder.glob("qrels/*")):
        data = b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", ends)
        path.write_bytes(gzip.compress(data) if packed else data)
    assert (GoldenSet.read(chats), GoldenSet.read(folder)) == before


def test_a_document_without_a_name_is_refused_with_its_line(tmp_path):
    folder = beir(tmp_path / "tiny", {"test": "q1\td1\t2\n"})
    with (folder / "corpus.jsonl").open("a") as file:
        file.write('{"_id": "", "text": "nameless"}\n')
    with pytest.raises(TransferError, match=r"corpus\.jsonl', line 3: expected an object"):
        GoldenSet.read(folder)


def test_what_is_no_golden_set_says_the_way_out(tmp_path: Path) -> None:
    path = tmp_path / "golden.jsonl"
    with pytest.raises(
        TransferError, match="No such file or directory; name another file, or judge"
    ):
        GoldenSet.read(path)
    with pytest.raises(InvalidArgument, match=r"judged=\['rain'\]: give a dict"):
        GoldenSet.of(["rain"])
    with pytest.raises(InvalidArgument, match="query='': give the text"):
        judge(path, "", forget=["alice:mon"])
    with pytest.raises(InvalidArgument, match="forget='alice:mon': give a list of keys"):
        judge(path, "rain", forget="alice:mon")
    assert not path.exists()


@pytest.mark.parametrize("keys", [5, None, "alice:mon"])
@pytest.mark.parametrize("verb", ["get_many", "peek", "release"])
def test_what_holds_no_keys_is_refused(verb: str, keys: object) -> None:
    with pytest.raises(InvalidArgument, match="give a list of keys"):
        getattr(MemoryPrimitive().sync, verb)(keys)
