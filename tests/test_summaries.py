"""Summaries: which records become one, that this is one step, and what a bad summarizer may not do."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections.abc import Awaitable, Callable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from backends import EVERY_BACKEND, Clock

from tta_memory_nb import (
    Conflict,
    InvalidArgument,
    MemoryPrimitive,
    MemoryRecord,
    SummarizerError,
    create_memory_key,
)
from tta_memory_nb.memory.summarizing.summary import sources_of
from tta_memory_nb.notebook.commands import Notebook, digesting, writing
from tta_memory_nb.summarizers.endpoint import ChatEndpoint
from tta_memory_nb.summarizers.extractive import Extractive

SUMMARY = create_memory_key("ann", "mon", {"summary": True})


def joined(records: Sequence[MemoryRecord]) -> str:
    return "; ".join(record.value["text"] for record in records)


async def joined_later(records: Sequence[MemoryRecord]) -> str:
    await asyncio.sleep(0)
    return joined(records)


def filled(memory: Any, count: int = 5, session: str = "mon", first: int = 0) -> Any:
    for number in range(first, first + count):
        memory.add(f"ann:{session}:{number:08x}", {"text": f"t{number}"})
        if isinstance(memory.clock, Clock):
            memory.clock.tick(0.001)
    return memory


def texts(memory: Any) -> list[str]:
    return sorted(record.value["text"] for record in memory.records())


@pytest.fixture
def memory():
    return filled(MemoryPrimitive(summarizer=joined, clock=Clock()).sync)


# ---- one step, on every backend


@pytest.mark.backends(*EVERY_BACKEND)
@pytest.mark.parametrize("originals", ["keep", "delete"])
def test_old_records_become_one_and_undo_brings_them_back(make, originals):
    memory = filled(make(summarizer=joined).sync)
    summary = memory.summarize(2, originals=originals, user="ann", session="mon")
    assert (summary.key, summary.text) == (SUMMARY, "t0; t1; t2")
    assert memory.get(SUMMARY)["summary_of"] == list(summary.sources) == summary.folded
    left = ["t3", "t4"] if originals == "delete" else ["t0", "t1", "t2", "t3", "t4"]
    assert texts(memory) == [
        "t0; t1; t2" if text == "s" else text for text in sorted([*left, "t0; t1; t2"])
    ]
    memory.undo(summary.change)
    assert texts(memory) == ["t0", "t1", "t2", "t3", "t4"]


def test_originals_may_expire(memory):
    clock = memory.clock
    memory.add("ann:mon:00000000", {"text": "t0"}, ttl=5)
    summary = memory.summarize(3, originals="expire", expire_in="1h", user="ann")
    assert {key: round(memory.ttl(key)) for key in summary.sources} == {
        "ann:mon:00000000": 5,
        "ann:mon:00000001": 3600,
    }
    assert memory.ttl(summary.key) is None
    clock.tick(3600)
    assert texts(memory) == ["t0; t1", "t2", "t3", "t4"]


def test_a_record_that_changes_meanwhile_refuses_the_summary(memory):
    def slow(records: Sequence[MemoryRecord]) -> str:
        memory.add(records[0].key, {"text": "changed"})
        return "too late"

    with pytest.raises(Conflict) as raised:
        memory.summarize(0, summarizer=slow, originals="delete", user="ann", session="mon")
    assert raised.value.keys == ("ann:mon:00000000",)
    assert texts(memory) == ["changed", "t1", "t2", "t3", "t4"]


def test_what_is_printed_of_a_summary_steers_no_terminal() -> None:
    memory = MemoryPrimitive().sync
    memory.add("a", {"text": "b"})
    done = memory.summarize(keep_last=0, summarizer=lambda _: "one\ntwo \x1b[31m \u202e \ud800")
    assert repr(done).endswith("\none\ntwo \\x1b[31m \\u202e \\ud800")


def test_a_summary_of_nothing_says_why(memory):
    assert memory.summarize(user="ann").about == "nothing to summarize: no record is old enough"
    nobody = memory.summarize(user="nobody")
    assert nobody.about == "nothing to summarize: no record passes the filters"


def test_a_summary_is_continued_without_another_look_at_its_records(memory):
    seen: list[list[str]] = []

    def look(records: Sequence[MemoryRecord]) -> str:
        seen.append([record.key for record in records])
        return f"summary {len(seen)}"

    first = memory.summarize(2, summarizer=look, user="ann", session="mon")
    again = memory.summarize(2, summarizer=look, user="ann", session="mon")
    assert (bool(first), bool(again), again.about) == (
        True,
        False,
        "nothing to summarize: no record is old enough",
    )
    filled(memory, 2, first=5)
    third = memory.summarize(2, summarizer=look, user="ann", session="mon")
    assert third.was_there
    assert seen[1] == [SUMMARY, "ann:mon:00000003", "ann:mon:00000004"]
    assert memory.get(SUMMARY)["summary_of"] == [f"ann:mon:{number:08x}" for number in range(5)]
    memory.undo(third.change)
    assert memory.get(SUMMARY)["text"] == "summary 1"


def test_which_records_are_old(memory):
    clock = memory.clock
    clock.tick(3600)
    filled(memory, 2, "tue", 7)
    dry = memory.summarize(1, "30m", dry_run=True, user="ann")
    assert str(dry) == "t0; t1; t2; t3; t4"
    assert dry.key == "ann:summary"
    assert dry.change is None
    assert "nothing is written yet" in dry.about
    assert list(dry.table.why[-2:]) == ["not old enough", "one of the last 1"]
    assert list(dry.table.outcome[:2]) == ["kept", "kept"]
    assert memory.size() == 7


async def test_a_summary_does_not_refresh_recency_of_what_it_keeps(memory):
    before = memory.keys()
    summary = memory.summarize(1)
    assert memory.keys() == [*before, summary.key]
    assert summary.key == "summary:summary"


def test_a_summary_of_many_records_saves_bytes_and_tokens():
    memory = MemoryPrimitive().sync
    for number in range(40):
        text = f"On day {number} the harvest of field {number * 7} was good, and everybody was happy with it."
        memory.add(f"a:b:{number:08x}", {"text": text})
    summary = memory.summarize(4, originals="delete", user="a", session="b")
    assert summary.tokens_saved > 300
    assert summary.bytes_saved == sum(each.bytes for each in summary.looked[:36]) - memory.stats()[
        "bytes"
    ] + sum(each.bytes for each in summary.looked[36:])
    assert re.fullmatch(
        r"36 records become one summary, about [\d,]+ tokens less in a prompt, [\d,]+ bytes less in the memory",
        summary.about,
    )


# ---- summarizers of all kinds


@pytest.mark.parametrize("summarizer", [joined, joined_later])
@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, "t0; t1; t2; t3; t4"),
        ({"where": {"text": {"$ne": "t1"}}, "into": "s"}, "t0; t2; t3; t4"),
    ],
)
async def test_both_faces_take_both_kinds_of_summarizer(summarizer, arguments, expected):
    memory = filled(MemoryPrimitive(summarizer=summarizer).sync)
    # This test runs on a loop, as every cell of a notebook does, and the called face still works.
    assert str(memory.summarize(0, dry_run=True, **arguments)) == expected
    other = MemoryPrimitive(summarizer=summarizer)
    filled(other.sync)
    assert str(await other.summarize(0, dry_run=True, **arguments)) == expected


async def test_an_async_summarizer_runs_on_the_loop_that_awaits_it():
    seen: list[tuple[asyncio.AbstractEventLoop, threading.Thread]] = []

    async def look(records: Sequence[MemoryRecord]) -> str:
        seen.append((asyncio.get_running_loop(), threading.current_thread()))
        return "seen"

    memory = MemoryPrimitive(summarizer=look)
    filled(memory.sync)
    assert str(await memory.summarize(0, dry_run=True)) == "seen"
    assert str(memory.sync.summarize(0, dry_run=True)) == "seen"
    (own_loop, own_thread), (other_loop, _) = seen
    assert own_loop is asyncio.get_running_loop()
    assert own_thread is threading.current_thread()
    assert other_loop is not own_loop


def failing(error: BaseException) -> Callable[..., Any]:
    def fail(records: Sequence[MemoryRecord]) -> str:
        raise error

    return fail


def later(summarizer: Callable[..., Any]) -> Callable[..., Awaitable[Any]]:
    async def answer(records: Sequence[MemoryRecord]) -> Any:
        return summarizer(records)

    return answer


@pytest.mark.parametrize("wrapped", [lambda summarizer: summarizer, later], ids=["sync", "async"])
@pytest.mark.parametrize(
    ("summarizer", "message"),
    [
        (failing(KeyError("quota")), r"it failed, so nothing was written \(KeyError: 'quota'\)"),
        (lambda _: None, "it gave <NoneType>, so nothing was written; it must turn a list"),
        (lambda _: b"text", "it gave <bytes>"),
        (lambda _: ["text"], "it gave <list>"),
        (lambda _: " \n", "it gave an empty text"),
        (lambda _: "x" * 10_000_000, "it gave 10,000,000 characters, so nothing was written"),
    ],
)
async def test_a_bad_summarizer_changes_nothing(wrapped, summarizer, message):
    memory = MemoryPrimitive(summarizer=wrapped(summarizer))
    filled(memory.sync)
    before = memory.sync.records()
    with pytest.raises(SummarizerError, match=f"^summarizer: {message}"):
        await memory.summarize(0, originals="delete", user="ann")
    with pytest.raises(SummarizerError, match=f"^summarizer: {message}"):
        memory.sync.summarize(0, originals="delete", user="ann")
    assert memory.sync.records() == before


async def test_a_summarizer_that_hangs_is_given_up():
    never = threading.Event()

    def hang(records: Sequence[MemoryRecord]) -> str:
        never.wait()
        return "late"

    async def hang_later(records: Sequence[MemoryRecord]) -> str:
        await asyncio.Event().wait()
        return "late"

    for summarizer in (hang, hang_later):
        memory = MemoryPrimitive(summarizer=summarizer)
        filled(memory.sync)
        with pytest.raises(
            SummarizerError, match=r"no answer within 0.05 s, so nothing was written"
        ):
            await memory.summarize(0, timeout=0.05)
        with pytest.raises(SummarizerError, match=r"no answer within 0.05 s"):
            memory.sync.summarize(0, timeout=0.05)
        assert memory.sync.size() == 5
    never.set()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"keep_last": -1}, "keep_last=-1: give an int of at least 0"),
        ({"older_than": "soon"}, "older_than='soon'"),
        ({"originals": "burn"}, "originals='burn': give 'keep', 'expire' or 'delete'"),
        ({"expire_in": 0}, "expire_in=0"),
        ({"timeout": 0}, "timeout=0"),
        ({"into": ""}, "into=''"),
        (
            {"into": "ann:mon:00000000"},
            "into='ann:mon:00000000': there is a record with this key that is no summary",
        ),
        ({"prefix": "ann"}, "into=None: give the key of the summary"),
        (
            {"summarizer": "short"},
            "summarizer='short': give 'extractive', 'openai:MODEL', or a function",
        ),
        ({"summarizer": "openai"}, "summarizer='openai': give"),
    ],
)
def test_bad_arguments_are_named(memory, arguments, message):
    with pytest.raises(InvalidArgument, match=re.escape(message)):
        memory.summarize(**arguments)
    assert memory.size() == 5


# ---- sentences that were said


def turn(number: int, speaker: str, text: str, day: str = "8 May 2023") -> MemoryRecord:
    return MemoryRecord(
        f"a:b:{number:08x}",
        {"speaker": speaker, "text": text, "date": day},
        created_at=0,
        updated_at=0,
    )


TALK = [
    turn(
        0, "Ana", "Hey Ben! How are you? I adopted a dog called Biscuit from the shelter in Lyon."
    ),
    turn(1, "Ben", "Wow! That is great. That is really great."),
    turn(2, "Ana", "Yes. He sleeps all day. The vet says he is seven years old.", "9 May 2023"),
    turn(3, "Ben", "That is so great! See you. Bye!", "9 May 2023"),
]


def test_an_extract_keeps_what_is_said_with_its_date_and_speaker():
    text = Extractive(share=0.5, least_words=0)(TALK)
    assert text.splitlines() == [
        "8 May 2023:",
        "Ana: I adopted a dog called Biscuit from the shelter in Lyon.",
        "9 May 2023:",
        "Ana: The vet says he is seven years old.",
    ]


def test_an_extract_of_what_another_tool_remembers_says_that_and_no_ids():
    """Memories as mem0 exports them, and a block of Letta."""
    said = ("Ann likes tea in the afternoon.", "Ann lives in Lyon near the museum.")
    memories = [
        {"id": f"m{n}", "memory": text, "hash": "0f" * 16, "user_id": "ann", "metadata": None}
        for n, text in enumerate(said)
    ]
    block = {"label": "human", "value": "Ann is allergic to peanuts.", "templateId": "x"}
    records = [
        MemoryRecord(f"ann:{n}", value, created_at=0, updated_at=0)
        for n, value in enumerate([*memories, block])
    ]
    summary = Extractive(share=1.0)(records)
    assert all(each in summary for each in (*said, block["value"])), summary
    for noise in ("m0", "0f0f", "user_id", "templateId"):
        assert noise not in summary


def test_an_extract_says_what_was_taken_back_only_beside_what_replaced_it():
    pairs = [
        ("The rent is 900 euros.", "The rent is 950 euros."),
        ("I live with Tom, and I don't smoke.", "I live with Tom, and I do smoke!"),
        ("Bob likes green tea.", "Bob does not like green tea any more."),
    ]
    for earlier, later in pairs:
        records = [turn(0, "Ana", earlier), turn(1, "Ana", later)]
        for most in range(5, 20):
            text = Extractive(share=1, most_words=most)(records)
            assert earlier not in text or later in text
        assert later in text
        # Also where the earlier one is in a summary already.
        summary = {"type": "summary", "text": f"Ana: {earlier}", "sources": []}
        before = MemoryRecord("a:summary", summary, created_at=0, updated_at=0)
        assert later in Extractive(share=1, most_words=8)([before, records[1]])
    # Somebody else may think otherwise.
    others = [turn(0, "Ana", "The rent is 900 euros."), turn(1, "Ben", "The rent is 800 euros.")]
    assert "900" in Extractive(share=1, most_words=5)(others)


def test_an_extract_keeps_an_enumeration():
    records = [turn(n, "Ana", f"Parcel {n} went to customer {n}.") for n in range(1, 9)]
    text = Extractive(share=0.5, least_words=0)(records)
    assert len(text.splitlines()[1].split(".")) > 3


def test_an_extract_has_its_share_of_words_and_never_more_than_the_most():
    whole = Extractive(share=1)(TALK)
    assert "Biscuit" in whole
    said = [
        line
        for line in Extractive(share=1, most_words=12, least_words=0)(TALK).splitlines()
        if line[-1] != ":"
    ]
    assert sum(len(line.split()[1:]) for line in said) <= 12
    assert Extractive(share=0.01)([turn(0, "", "!!!")]) == "8 May 2023:\n!!!"
    for bad in ({"share": 0}, {"share": 2}, {"most_words": 0}):
        with pytest.raises(InvalidArgument):
            Extractive(**bad)


def test_an_extract_continues_an_earlier_one():
    memory = MemoryPrimitive().sync
    for record in TALK:
        memory.add(record.key, record.value)
    extract = Extractive(share=0.5, least_words=0)
    memory.summarize(2, summarizer=extract, user="a", session="b")
    before = memory.records(1)[0]
    memory.summarize(0, summarizer=extract, user="a", session="b")
    after = memory.records(1)[0].value
    assert before.value["text"].splitlines()[1] in after["text"]
    assert "seven years old" in after["text"]
    assert after["summarizer"] == "Extractive"
    assert sources_of(memory.peek([before.key])[0]) == tuple(record.key for record in TALK)


def test_a_summary_in_a_pack_shows_no_keys():
    memory = filled(MemoryPrimitive(summarizer=joined).sync)
    memory.summarize(0, user="ann", session="mon")
    text = memory.pack("t0", mode="ranked", threshold=0).text
    assert f"[{SUMMARY.rpartition(':')[2][:4]}] t0; t1; t2; t3; t4" in text.splitlines()


# ---- a model behind an endpoint


@pytest.fixture
def endpoint():
    """A stand-in for a chat server: what it was asked, and what it answers next."""
    asked: list[tuple[str, dict[str, str], dict[str, Any]]] = []
    answers: list[tuple[int, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked.append((self.path, dict(self.headers), body))
            status, text = answers.pop(0)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v1", asked, answers
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_model_is_asked_as_the_protocol_says(endpoint):
    url, asked, answers = endpoint
    answers.append((200, json.dumps({"choices": [{"message": {"content": " Ana has a dog.\n"}}]})))
    memory = MemoryPrimitive().sync
    for record in TALK:
        memory.add(record.key, record.value)
    model = ChatEndpoint("small", url, "s3cret")
    summary = memory.summarize(0, summarizer=model, user="a", session="b")
    assert summary.text == "Ana has a dog."
    assert (
        memory.get(summary.key)["summarizer"] == model.name == f"openai:small@{url.split('/')[2]}"
    )
    [(path, headers, body)] = asked
    assert (path, headers["Authorization"], body["model"]) == (
        "/v1/chat/completions",
        "Bearer s3cret",
        "small",
    )
    system, user = body["messages"]
    assert (system["role"], user["role"]) == ("system", "user")
    assert "8 May 2023:\n[0000000" in user["content"]
    assert "Ana: Hey Ben!" in user["content"]
    answers.append((200, json.dumps({"choices": [{"message": {"content": "More."}}]})))
    memory.add("a:b:00000009", {"text": "a new one"})
    memory.summarize(0, summarizer=model, user="a", session="b")
    assert (
        "Earlier summary:\nAna has a dog.\n\nNew notes:\n" in asked[1][2]["messages"][1]["content"]
    )


@pytest.mark.parametrize(
    ("status", "answer", "message"),
    [
        (401, "wrong key s3cret", r"HTTP 401 .*wrong key \*\*\*; nothing was written"),
        (200, "{}", r"no message in the answer \(KeyError\)"),
        (200, "not json", r"no JSON in the answer"),
        (200, json.dumps({"choices": [{"message": {"content": None}}]}), "it gave an empty text"),
    ],
)
def test_a_model_that_refuses_changes_nothing(endpoint, status, answer, message):
    url, _, answers = endpoint
    answers.append((status, answer))
    memory = filled(MemoryPrimitive(summarizer=ChatEndpoint("small", url, "s3cret")).sync)
    with pytest.raises(SummarizerError, match=message) as raised:
        memory.summarize(0)
    assert "s3cret" not in str(raised.value)
    assert memory.size() == 5


# ---- in a notebook


def test_the_command_shows_first_and_writes_with_yes():
    nb = Notebook(MemoryPrimitive(summarizer=joined))
    filled(nb.memory.sync)
    reply = digesting.summarize(nb, keep_last=2, originals="delete", user="ann", session="mon")
    assert reply.text.startswith("3 records become one summary")
    assert reply.text.endswith("nothing is written yet; add --yes to do it")
    assert nb.memory.sync.size() == 5
    reply = digesting.summarize(
        nb, keep_last=2, originals="delete", yes=True, user="ann", session="mon"
    )
    assert reply.text.startswith(f"stored {SUMMARY}: 3 records become one summary")
    assert nb.memory.sync.size() == 3
    assert writing.undo(nb).text == "summarize undone: 3 records brought back, 1 record taken out"
    assert nb.memory.sync.size() == 5
    reply = digesting.summarize(nb, keep_last=9, yes=True)
    assert reply.text == "nothing to summarize: no record is old enough"


def test_a_hostile_summary_is_escaped():
    memory = filled(MemoryPrimitive(summarizer=lambda _: "<script>\u202e").sync)
    html = memory.summarize(0, dry_run=True)._repr_html_()
    assert "<script>" not in html
    assert "\u202e" not in html
    assert "&lt;script&gt;" in html
