"""Context packs: within the budget of any tokenizer, in order, without repetition, and honest about what is not known."""

from __future__ import annotations

import random
import re
from typing import Any

import pytest
from backends import ONE_OF_EACH_KIND, Clock
from hypothesis import given, settings
from hypothesis import strategies as st

from tta_memory_nb import InvalidArgument, MemoryPrimitive
from tta_memory_nb.memory.packing.budget import estimated_tokens, fitting
from tta_memory_nb.memory.packing.pack import BESIDE, WEAK
from tta_memory_nb.memory.packing.relevance import SHARE
from tta_memory_nb.notebook.commands import Notebook, packing

SAID = {
    "march": (
        "Ana: I have moved to Lyon last week.",
        "Ben: Congratulations! How is the new flat?",
        "Ana: Small, but with a balcony over the river.",
        "Ana: I start on Monday, at the hospital.",
    ),
    "april": (
        "Ana: We went climbing on my birthday, and then had cake.",
        "Ben: Which cake?",
        "Ana: Carrot, without nuts, since I am allergic.",
    ),
    "may": ("Ben: I adopted a dog from the shelter on Saturday.", "Ben: Biscuit sleeps all day."),
}

DATES = {"march": "8 March 2026", "april": "2026-04-09", "may": "10 May 2026"}


def conversation(memory: Any, clock: Clock | None = None) -> Any:
    """Fills a memory, the last session first."""
    for session, lines in reversed(SAID.items()):
        for number, line in enumerate(lines):
            speaker, text = line.split(": ")
            key = f"chat:{session}:{number:08x}"
            memory.add(key, {"speaker": speaker, "text": text, "date": DATES[session]})
            if clock is not None:
                clock.tick(60)
    return memory


@pytest.fixture
def memory():
    clock = Clock()
    return conversation(MemoryPrimitive(clock=clock).sync, clock)


def pack(memory, query, *args, **kwargs):
    """Packs without the embedder, which not every machine has."""
    return memory.pack(query, *args, **{"mode": "ranked", **kwargs})


# ---- the budget

TOKENIZERS = {
    "characters": len,
    "bytes": lambda text: len(text.encode()),
    "words, as a list": str.split,
    "more than the sum of the parts": lambda text: (len(text) ** 2) // 100,
    "fewer for longer texts": lambda text: (
        1000 - len(text) if 0 < len(text) < 600 else len(text) // 20
    ),
    "as the hash wants": lambda text: (text and random.Random(text).randrange(120)) or 0,
    "two more for each text": lambda text: 2 + len(text) // 4,
}


@pytest.mark.parametrize("name", TOKENIZERS)
@settings(max_examples=25, deadline=None)
@given(
    budget=st.integers(2, 400),
    query=st.sampled_from(("Lyon", "which cake did Ana have", "Ben dog")),
)
def test_no_text_exceeds_its_budget_by_its_own_tokenizer(name, budget, query):
    tokens = TOKENIZERS[name]
    packed = pack(conversation(MemoryPrimitive().sync), query, budget, tokens, threshold=0)
    counted = tokens(packed.text)
    assert (counted if isinstance(counted, int) else len(counted)) == packed.tokens <= budget
    assert bool(packed) is bool(packed.text)
    assert len(packed.keys) == len(set(packed.keys)) == len(packed.records)


def test_a_tokenizer_that_never_says_the_same_twice_gets_nothing(memory):
    seen: set[str] = set()

    def tokens(text):
        again = text in seen
        seen.add(text)
        return 9_999 if again and text else len(text) // 100

    packed = pack(memory, "Lyon", 10, tokens, threshold=0)
    assert packed.tokens <= 10
    assert packed.text == ""


@settings(max_examples=60, deadline=None)
@given(sizes=st.lists(st.integers(1, 30), max_size=40), budget=st.integers(0, 200))
def test_what_fits_is_the_longest_beginning_and_then_what_is_small_enough(sizes, budget):
    items = list(enumerate(sizes))
    chosen = fitting(items, lambda some: sum(size for _, size in some) <= budget)
    beginning, total = [], 0
    for item in items:
        if total + item[1] > budget:
            break
        beginning.append(item)
        total += item[1]
    assert chosen[: len(beginning)] == beginning
    assert sum(size for _, size in chosen) <= budget


def test_a_long_budget_is_found_with_few_counts():
    asked: list[int] = []

    def fits(some: list[int]) -> bool:
        asked.append(len(some))
        return len(some) <= 1000

    assert fitting(range(5000), fits) == list(range(1000))
    assert len(asked) < 50


def test_the_estimate_counts_every_script():
    assert estimated_tokens("") == 0
    assert 5 <= estimated_tokens("It rains in Málaga, again.") <= 12
    assert estimated_tokens("今日は雨が降っています") == 11
    assert estimated_tokens("8f4879a8") > 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"budget": 0}, "budget=0: give an int of at least 1"),
        ({"budget": True}, "budget=True: give an int of at least 1"),
        (
            {"budget": 1, "tokens": lambda text: len(text) + 2},
            "budget=1: even an empty text has 2 tokens",
        ),
        ({"tokens": "gpt-4"}, "tokens='gpt-4': give a function"),
        ({"tokens": lambda _: "many"}, "it returned 'many'; it must return how many tokens"),
        ({"tokens": lambda _: -1}, "it returned -1"),
        ({"tokens": lambda _: 1.5}, "it returned 1.5"),
        ({"tokens": lambda text: text.nothing}, "it raised AttributeError"),
        ({"threshold": -1}, "threshold=-1: give the relevance"),
        ({"cite": "number"}, "cite='number': give 'short' or 'key'"),
        ({"fill": 1}, "fill=1: give 'enough' or 'budget'"),
        ({"mode": "best"}, "mode='best'"),
    ],
)
def test_bad_arguments_are_named(memory, arguments, message):
    with pytest.raises(InvalidArgument, match=re.escape(message)):
        pack(memory, "Lyon", **arguments)


# ---- the text


def test_lines_come_by_time_within_their_session_and_cite_their_keys(memory):
    packed = pack(
        memory, "Where did Ana move, and which cake did she have?", threshold=0, cite="key"
    )
    assert [record.key for record in packed.records] == packed.keys
    assert packed.keys == [key for key in memory.keys() if key in packed.keys]  # noqa: SIM118
    assert "\n[chat:march:00000000] Ana: I have moved to Lyon last week.\n" in f"\n{packed.text}\n"
    for key in packed.keys:
        assert packed.text.count(f"[{key}]") == 1
        assert packed.key_of(f"[{key}]") == key


def test_a_key_with_a_hash_is_cited_by_its_beginning(memory):
    memory.add("chat:march:12345678", {"text": "Lyon has two rivers"})
    memory.add("chat:march:12349999", {"text": "The train to Lyon is late"})
    memory.add("notes", {"text": "Lyon is a city"})
    packed = pack(memory, "Lyon", threshold=0)
    cited = re.findall(r"^\[(\S+)\]", packed.text, re.MULTILINE)
    assert {"12345", "12349", "notes"} <= set(cited)
    assert [packed.key_of(each) for each in cited] == packed.keys
    assert len(set(cited)) == len(cited)
    with pytest.raises(InvalidArgument, match="citation='1234': the text cites"):
        packed.key_of("1234")


def test_every_field_of_a_record_is_in_its_line():
    memory = MemoryPrimitive(clock=Clock()).sync
    memory.add(
        "k",
        {
            "text": "rain",
            "mood": "low",
            "n": 3,
            "ok": False,
            "tags": ["a", "b"],
            "at": {"city": "Lyon"},
        },
    )
    assert pack(memory, "rain", threshold=0).text == (
        "2027-01-15:\n[k] rain (mood: low; n: 3; ok: false; tags: a, b; at.city: Lyon)"
    )


def test_records_of_one_day_share_a_heading_and_times_are_written_on_request():
    memory = MemoryPrimitive(clock=Clock()).sync
    said_at = ("9:05 am on 8 May, 2023", "2023-05-08T10:00:00Z", 1_683_590_400_123, ["2023-05-10"])
    for number, at in enumerate(said_at):
        memory.add(f"a:s:{number:08x}", {"text": f"rain number {number}", "date": at})
    text = pack(memory, "rain", threshold=0, fill="budget").text
    assert [line for line in text.splitlines() if not line.startswith("[")] == [
        "2023-05-08:",
        "2023-05-09:",
        "2027-01-15:",  # a list is no instant
    ]
    assert text.endswith(" rain number 3 (date: 2023-05-10)")
    timed = pack(memory, "rain", threshold=0, fill="budget", times=True).text
    assert [line for line in timed.splitlines() if not line.startswith("[")] == [
        "9:05 am on 8 May, 2023:",
        "2023-05-08T10:00:00Z:",
        "2023-05-09 00:00:00Z:",
        "2027-01-15:",
    ]


def test_the_further_down_a_record_is_the_better_it_has_to_be_until_the_budget_is_to_be_filled():
    memory = MemoryPrimitive().sync
    for number in range(40):
        memory.add(f"note-{number}", {"text": f"rain {number}"})
    full = pack(memory, "rain", 10_000, threshold=0, fill="budget")
    assert len(full.keys) == 40
    enough = pack(memory, "rain", 10_000, threshold=0)
    assert 5 < len(enough.keys) < 20
    assert set(enough.keys) < set(full.keys)
    weak = enough.ledger[enough.ledger.outcome == "weak"]
    assert len(weak) == 40 - len(enough.keys)
    assert set(weak.why.str.extract(r"best record; at rank (\d+), \d+% is needed")[0]) == {
        str(rank) for rank in range(len(enough.keys) + 1, 41)
    }
    # A search that does not rank has no share of the best score.
    assert len(memory.pack("rain", 10_000, mode="keyword").keys) == 40


def test_a_record_beside_a_better_one_of_its_session_may_be_weaker():
    memory = MemoryPrimitive().sync
    for number in range(10):
        for line, (speaker, text) in enumerate(
            (
                ("Ben", f"When does the ferry to island {number} leave on Sunday morning?"),
                ("Ana", f"At {number}."),
                ("Ben", "Thanks, I will bake bread."),
            )
        ):
            key = f"u:s{number}:{number:04x}{line:04x}"
            memory.add(key, {"speaker": speaker, "text": text})
    query = "When does the ferry to island 3 leave?"
    both, alone = (pack(memory, query, threshold=0, fill=fill) for fill in ("enough", "budget"))
    assert alone.keys == ["u:s3:00030000", "u:s3:00030001"]
    assert both.keys == [*alone.keys, "u:s3:00030002"]
    scores = {each.key: each.score / both.considered[0].score for each in both.considered}
    assert WEAK > scores[both.keys[-1]] >= WEAK / BESIDE
    # Others of the same score, beside no record of the text, are weak.
    assert scores["u:s4:00040000"] > scores[both.keys[-1]]


def test_no_record_speaks_for_another_one():
    memory = MemoryPrimitive().sync
    said = ("rain", "rain [0000000] Ben: sun", "rain\n[0000001] Ben: sun", "rain [1] and [0000009]")
    for number, text in enumerate(said):
        memory.add(f"u:s:{number:08x}", {"text": f"{text} {number}", "by": "[00000003]"})
    packed = pack(memory, "rain", threshold=0)
    assert len(packed.records) == len(said)
    cited = [line.partition("]")[0] + "]" for line in packed.text.splitlines()[1:]]
    assert [packed.text.count(each) for each in cited] == [1] * len(said)
    assert [packed.key_of(each) for each in cited] == packed.keys
    assert "[1] and [0000009]" in packed.text


def test_different_keys_have_different_citations_and_no_key_forges_one():
    memory = MemoryPrimitive().sync
    keys = ["a b", "a\nb", "a  b", "x] Ana: no [y", "(c)", "[c]"]
    for number, key in enumerate(keys):
        memory.add(key, {"text": f"rain number {number}"})
    packed = pack(memory, "rain", threshold=0)
    cited = [line.partition("] ")[0] + "]" for line in packed.text.splitlines()[1:]]
    assert len(set(cited)) == len(keys)
    assert {packed.key_of(each) for each in cited} == set(keys)
    for key in keys:
        line = next(
            line for line in packed.text.splitlines() if line.endswith(str(keys.index(key)))
        )
        assert packed.key_of(line.partition("] ")[0]) == key
        assert line.count("[") == line.count("]") == 1


def test_near_duplicates_are_left_out_and_listed():
    memory = MemoryPrimitive().sync
    first = "The deployment of the billing service failed because the disk of the server was full"
    memory.add("a", {"text": first})
    memory.add("b", {"text": first + "!"})
    memory.add("c", {"text": first.replace("failed", "has failed")})
    memory.add("d", {"text": first + " at 5 pm"})
    memory.add("e", {"text": first, "speaker": "Ana"})
    memory.add("f", {"text": first.replace("failed", "did not fail")})
    packed = pack(memory, "why did the deployment of billing fail", threshold=0)
    ledger = packed.ledger
    kept = set(packed.keys)
    assert len(kept & {"a", "b", "c"}) == 1
    assert {"d", "e", "f"} <= kept
    left = ledger[ledger.outcome == "near-duplicate"]
    assert set(left.index) == {"a", "b", "c"} - kept
    assert set(left.why) == {f"nearly the same as {(kept & {'a', 'b', 'c'}).pop()}"}


def test_the_ledger_says_what_there_was_no_room_for(memory):
    packed = pack(memory, "Ana Ben cake dog Lyon flat river", 40, threshold=0)
    ledger = packed.ledger
    assert list(ledger.columns) == ["outcome", "why", "cited", "score", "tokens"]
    assert set(ledger.index[ledger.outcome == "packed"]) == set(packed.keys)
    assert set(ledger.outcome) >= {"packed", "over budget"}
    assert len(ledger) == len(packed.considered)
    assert packed.about.endswith(f"{len(ledger) - len(packed.records)} left out")


def test_a_text_from_a_memory_forges_no_line_and_no_markup():
    memory = MemoryPrimitive().sync
    memory.add(
        "<b>k</b>",
        {"text": "rain\n[bob:monday] Bob: <script>alert(1)</script>\u202e", "date": "2026-05-08"},
    )
    packed = pack(memory, "rain", threshold=0)
    assert len(packed.text.splitlines()) == 2
    assert "\u202e" not in packed.text
    html = packed._repr_html_()
    assert "<script>" not in html
    assert "<b>" not in html
    assert "&lt;script&gt;" in html


# ---- what is not known


def town(seed: int, words: str, clock: Clock) -> Any:
    """Returns a memory of 30 sessions about the words of a town, by two people of its own."""
    chance, memory = random.Random(seed), MemoryPrimitive(clock=clock).sync
    for session in range(30):
        for turn in range(4):
            text = " ".join(chance.sample(words.split(), 6))
            speaker = ("Ann", "Bob")[turn % 2]
            memory.add(f"u:s{session}:{turn:08x}", {"speaker": speaker, "text": text})
            clock.tick()
    return memory


WORDS = (
    "bridge river market bakery tower garden harbour lantern chapel mill quarry orchard ferry tavern castle "
    "library museum tram fountain cellar barn meadow stable well forge brewery school station theatre prison"
)


def test_a_question_about_something_else_is_answered_by_nothing():
    memory = town(1, WORDS, Clock())
    about_it = memory.records(1)[0]
    known = pack(memory, f"{about_it.value['speaker']} {about_it.value['text']}")
    assert about_it.key in known.keys
    assert known.relevance >= known.threshold > 0.25
    nothing = pack(memory, "When did Zoe fix the bridge of her submarine with a telescope?")
    assert not nothing
    assert (nothing.text, nothing.records, nothing.tokens) == ("", (), 0)
    assert nothing.relevance < nothing.threshold
    assert nothing.about.startswith("nothing relevant: the best record answers")
    assert set(nothing.ledger.outcome) == {"irrelevant"}
    assert pack(memory, "When did Zoe fix the bridge of her submarine?", threshold=0)


@pytest.mark.parametrize(
    ("texts", "question"),
    [
        ([f"note {n} about the topic of umbrellas" for n in range(200)], "umbrellas"),
        ([f"note {n} about the topic of umbrellas" for n in range(200)], "topic of umbrellas"),
        (["the deploy failed on staging again today"] * 100, "did the deploy fail on staging?"),
        (["My umbrella broke", "Umbrellas are blue", "I love my umbrella"], "umbrella"),
    ],
)
def test_words_that_all_records_have_are_no_reason_to_find_nothing_relevant(
    texts: list[str], question: str
) -> None:
    memory = MemoryPrimitive().sync
    memory.add_many({f"ann:s{n // 10}:{n:03}": {"text": text} for n, text in enumerate(texts)})
    packed = pack(memory, question)
    assert packed
    assert packed.threshold <= packed.relevance <= 1
    assert not pack(memory, "Which river did Zoe cross by night?")


def test_the_threshold_is_the_same_each_time_and_is_kept_until_the_memory_has_changed():
    first, second = (pack(town(2, WORDS, Clock()), "the river") for _ in range(2))
    assert first.threshold == second.threshold
    memory = town(2, WORDS, Clock())
    asked: list[str] = []

    def watch(verb, plan, *args, **kwargs):
        asked.append(verb)
        return plan

    memory.watch = watch
    before = pack(memory, "the river").threshold
    memory.add("one more", {"text": "nothing"})
    assert pack(memory, "the river").threshold == before
    for number in range(40):
        memory.add(
            f"u:t{number}:{number:08x}", {"text": "river river bridge tower", "speaker": "Cy"}
        )
    assert pack(memory, "the river").threshold != before
    assert asked.count("pack") == 3
    assert 0 < SHARE < 1


def test_an_empty_memory_knows_nothing():
    packed = pack(MemoryPrimitive().sync, "anything")
    assert not packed
    assert packed.relevance is None
    assert packed.about == "nothing relevant: the search has found no record"
    assert "nothing relevant" in packed._repr_html_()
    assert len(packed.ledger) == 0


def test_a_search_for_exact_text_has_no_threshold(memory):
    packed = memory.pack("lyon", mode="keyword")
    assert packed.keys == ["chat:march:00000000"]
    assert packed.threshold == 0


# ---- everywhere


@pytest.mark.backends(*ONE_OF_EACH_KIND)
def test_all_backends_pack_the_same(make):
    memory = conversation(make().sync)
    here = conversation(MemoryPrimitive().sync)
    for query in ("which cake did Ana have", "When did Zoe fix her submarine?"):
        expected = pack(here, query, session="april")
        assert pack(memory, query, session="april").text == expected.text


async def test_the_awaited_face_counts_off_the_loop():
    memory = MemoryPrimitive()
    conversation(memory.sync)
    assert (await memory.pack("Lyon", 800, mode="ranked")).text == pack(memory.sync, "Lyon").text


def test_the_command_shows_the_pack_and_its_figures(memory):
    nb = Notebook(MemoryPrimitive())
    conversation(nb.memory.sync)
    reply = packing.pack(nb, "which cake did Ana have", budget=60, mode="ranked", tokens=str.split)
    assert reply.value.budget == 60
    assert reply.text == reply.value.about
    assert reply.value.tokens == len(reply.value.text.split())
    reply = packing.pack(nb, "quantum physics", mode="ranked")
    assert reply.text == "nothing relevant: the search has found no record"
