"""Searches during writes find what existed at some instant while they ran, and nothing else."""

from __future__ import annotations

import asyncio
import functools
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from json_values import pieces
from search_oracle import NOWHERE, Item, Twin, check, folded, matching

from tta_memory_nb import MemoryPrimitive

if TYPE_CHECKING:
    from backends import Clock

pytestmark = pytest.mark.usefixtures("threads_take_turns_often")


@pytest.fixture
def make(clock: Clock) -> Callable[..., MemoryPrimitive]:
    """Makes in-memory memories, in which each verb is atomic whatever its size."""
    return functools.partial(MemoryPrimitive, namespace="races", clock=clock)


SIZE = 1200
WRITERS = 3
SEARCHERS = 4
FEWEST = 10
"""Each searcher searches at least once more often than that, also where the writers get most of the time."""

# A record's word depends on its version, so that a stale value has the wrong word.
COLOURS = ("Ámbar", "STRASSE", "σίγμα", "violet", "天気", "gr\u0301een", "ıvory", "🙂rose")


def colour_of(number: int, version: int) -> str:
    return COLOURS[(number + version) % len(COLOURS)]


def key_of(number: int) -> str:
    return f"user{number % 7}:n{number}"


def value_of(number: int, version: int) -> dict[str, Any]:
    """Returns a value that shows whether it belongs to its key and is complete."""
    return {
        "key": key_of(number),
        "version": version,
        "colour": colour_of(number, version),
        "text": f"Note {number} in {colour_of(number, version)}, version{version}.",
    }


@functools.cache
def text_of(number: int, version: int) -> str:
    """Returns the texts that a search reads, separated by borders."""
    return NOWHERE.join(folded(text) for text in pieces(value_of(number, version)))


def number_of(key: str) -> int:
    return int(key.partition(":n")[2])


def together(*work: Callable[[], None]) -> list[BaseException]:
    """Runs all jobs at once, each in a thread, and returns their errors."""
    barrier = threading.Barrier(len(work))
    raised: list[BaseException] = []

    def run(job: Callable[[], None]) -> None:
        barrier.wait()
        try:
            job()
        except BaseException as error:  # tests assert that none occurred
            raised.append(error)

    threads = [threading.Thread(target=run, args=(job,)) for job in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return raised


def query_of(chance: random.Random) -> str:
    number = chance.randrange(SIZE)
    return chance.choice(
        (
            *(chance.choice(COLOURS), chance.choice(COLOURS).upper(), chance.choice(COLOURS)),
            *(f"note {number} ", f"n{number}", f"version{chance.randrange(1, 9)}.", "te 77"),
            *(f"{number} IN {chance.choice(COLOURS)}", "none of it", "e 1", "user3:n1"),
        )
    )


def filters_of(chance: random.Random) -> dict[str, Any]:
    return chance.choice(
        (
            *({}, {}, {}, {"user": "user3"}, {"prefix": "user5:n1"}, {"session": "n77"}),
            *({"where": {"colour": COLOURS[0]}}, {"where": {"version": {"$gte": 3}}}),
        )
    )


def assert_quiet(memory: MemoryPrimitive, chance: random.Random) -> None:
    """Checks that searches find the same as a scan once all writers have ended."""
    records = memory.sync.records()
    assert [record.key for record in reversed(records)] == memory.sync.keys()
    assert len({record.key for record in records}) == len(records) == memory.size()
    for waiting in (True, False):
        for query in [*COLOURS, "note", "version1", *(query_of(chance) for _ in range(40))]:
            naive = [
                (record.key, record.value)
                for record in records
                if any(folded(query) in folded(text) for text in pieces(record.value))
            ]
            found = memory.sync.search_records(query, None)
            assert [(hit.key, hit.value) for hit in found] == naive
            assert memory.sync.search(query, 5) == [value for _, value in naive[:5]]
            assert memory.sync.count(query) == len(naive)
            mine = [key for key, _ in naive if key.startswith("user3:")]
            assert [hit.key for hit in memory.sync.search_records(query, 5, user="user3")] == mine[
                :5
            ]
        if waiting:
            getattr(memory.sync, "build_index", lambda _: 0)(5)


# ---- one writer: every answer fits one instant


@dataclass(frozen=True, slots=True)
class Answer:
    """The result of a search, and the states it may have read: from ``first`` to ``last``."""

    verb: str
    query: str | None
    limit: int | None
    filters: dict[str, Any]
    found: Any
    first: int
    last: int


@dataclass
class Log:
    """The states of a memory with one writer, newest record first; published step by step."""

    states: list[tuple[Item, ...]] = field(default_factory=lambda: [()])
    begun: int = 0
    done: int = 0
    over: bool = False
    answers: list[Answer] = field(default_factory=list)


def search_and_note(memory: Any, log: Log, chance: random.Random, most: int) -> None:
    """Searches until the writer has ended, and records when each search began and ended."""
    for _ in range(most):
        if log.over:
            return
        query, filters = query_of(chance), filters_of(chance)
        limit = chance.choice((None, 1, 5, 100))
        verb = chance.choice(("search_records", "search_records", "search", "count"))
        if verb == "search":
            filters = {}
        first = log.done
        if verb == "count":
            found = memory.count(query, **filters)
        elif verb == "search":
            found = [repr(value) for value in memory.search(query, limit)]
        else:
            hits = memory.search_records(query, limit, **filters)
            found = [(hit.key, repr(hit.value)) for hit in hits]
        log.answers.append(Answer(verb, query, limit, filters, found, first, log.begun))


def answer_in(state: tuple[Item, ...], asked: Answer) -> Any:
    items = matching(state, asked.query, asked.filters)
    if asked.verb == "count":
        return len(items)
    items = items[: asked.limit]
    if asked.verb == "search":
        return [item.shown for item in items]
    return [(item.key, item.shown) for item in items]


def unexplained(log: Log) -> list[str]:
    """Returns the answers that fit no instant between their beginning and their end."""
    return [
        f"{asked.verb} {asked.query!r} {asked.filters} limit={asked.limit}, states {asked.first} "
        f"to {asked.last}: {asked.found!r:.300}; first: {answer_in(log.states[asked.first], asked)!r:.300}"
        for asked in log.answers
        if not any(
            answer_in(log.states[number], asked) == asked.found
            for number in range(asked.first, asked.last + 1)
        )
    ]


class Writer:
    """The only writer: each step changes the memory once, and is published in the log."""

    def __init__(self, memory: MemoryPrimitive, clock: Clock, log: Log) -> None:
        self.twin = Twin(memory.sync, clock, memory.max_size)
        self.log = log
        self.version = 0

    def step(self, verb: Callable[..., None], *args: Any) -> None:
        self.log.begun += 1
        verb(*args)
        self.log.states.append(tuple(reversed(self.twin.present())))
        self.log.done += 1

    def pair(self, number: int) -> tuple[str, dict[str, Any]]:
        self.version += 1
        return key_of(number), value_of(number, self.version)

    def fill(self) -> None:
        """Adds records in batches, so that searches read a growing memory."""
        for start in range(0, SIZE, 100):
            self.step(self.twin.add_many, [self.pair(start + n) for n in range(100)])

    def some_step(self, chance: random.Random) -> None:
        twin, number = self.twin, chance.randrange(SIZE + 200)
        start = chance.randrange(SIZE)
        match chance.randrange(20):
            case 0 | 1 | 2 | 3:
                self.step(twin.add, *self.pair(number), chance.choice((None, None, 1, 3)))
            case 4:
                self.step(twin.add_many, [self.pair(start + n) for n in range(30)])
            case 5:
                self.step(twin.put, [self.pair(start + n * 7) for n in range(80)], 2)
            case 6 | 7 | 8:
                self.step(twin.get, key_of(number))
            case 9:
                self.step(twin.get_many, [key_of(start + n) for n in range(40)])
            case 10 | 11:
                self.step(twin.delete, key_of(number))
            case 12:
                self.step(twin.remove, [key_of(start + n) for n in range(100)])
            case 13:
                self.step(twin.remove_matching, {"user": f"user{number % 7}"})
            case 14 | 15 | 16 if twin.changes:
                self.step(twin.undo)
            case 17:
                self.step(twin.clock.tick, 0.5)
            case 18 if chance.random() < 0.3:
                self.step(twin.resize, chance.choice((SIZE - 300, SIZE)))
            case 19 if chance.random() < 0.2:
                self.step(twin.take_all)
                self.step(twin.get, key_of(number))
                self.step(twin.undo)
            case 19 if chance.random() < 0.1:
                self.step(twin.clear)
                self.fill()


@pytest.mark.parametrize("seed", range(3))
def test_with_one_writer_each_answer_is_that_of_one_instant(make, clock, seed):
    memory = make(max_size=SIZE)
    log = Log()
    writer = Writer(memory, clock, log)

    def write() -> None:
        chance = random.Random(seed)
        try:
            writer.fill()
            for _ in range(150):
                writer.some_step(chance)
                if len(writer.twin.oracle.items) < SIZE * 0.85:
                    start = chance.randrange(SIZE)
                    writer.step(writer.twin.add_many, [writer.pair(start + n) for n in range(150)])
                if writer.twin.oracle.max_size < SIZE and chance.random() < 0.2:
                    writer.step(writer.twin.resize, SIZE)
        finally:
            log.over = True

    searchers = [
        lambda number=number: search_and_note(
            memory.sync, log, random.Random(f"{seed}, {number}"), 350
        )
        for number in range(SEARCHERS)
    ]
    assert together(write, *searchers) == []
    assert len(log.answers) > 100
    assert unexplained(log) == []
    writer.twin.same_everything()
    assert_quiet(memory, random.Random(seed))


def test_an_answer_that_fits_no_instant_is_detected(make, clock):
    log = Log()
    memory = make(max_size=SIZE)
    writer = Writer(memory, clock, log)
    writer.fill()
    search_and_note(memory.sync, log, random.Random(0), 100)
    assert unexplained(log) == []
    right = next(
        answer
        for answer in log.answers
        if answer.verb == "search_records" and len(answer.found) > 1
    )
    newest, *others = right.found
    stale = (newest[0], repr(value_of(0, 10**6)))
    for wrong in (others, right.found[::-1], [stale, *others], [newest, newest, *others]):
        log.answers = [Answer("search_records", right.query, None, right.filters, wrong, 12, 12)]
        assert len(unexplained(log)) == 1


# ---- many writers, each with its own keys: every hit is a version of that time


@dataclass
class Histories:
    """The versions of each record, None where it was deleted; each is recorded before its write."""

    versions: list[list[int | None]] = field(default_factory=lambda: [[0] for _ in range(SIZE)])
    done: list[int] = field(default_factory=lambda: [0] * SIZE)
    over: int = 0

    def begin(self, number: int, version: int | None) -> None:
        self.versions[number].append(version)

    def end(self, number: int) -> None:
        self.done[number] = len(self.versions[number]) - 1

    def next_version(self, number: int) -> int:
        return len(self.versions[number])


def write_own(memory: Any, book: Histories, writer: int, steps: int) -> None:
    """Overwrites, deletes, removes and restores the records of this writer."""
    chance = random.Random(writer)
    last: dict[int, int | None] = {}
    try:
        for _ in range(steps):
            number = chance.randrange(SIZE // WRITERS) * WRITERS + writer
            key = key_of(number)
            now = last.get(number, 0)
            memory.get(key_of(chance.randrange(SIZE)))  # a record of any writer
            match chance.randrange(6):
                case 0 | 1 | 2:
                    last[number] = version = book.next_version(number)
                    book.begin(number, version)
                    memory.add(key, value_of(number, version))
                case 3:
                    last[number] = None
                    book.begin(number, None)
                    assert memory.delete(key) is (now is not None)
                case 4 | 5:
                    book.begin(number, None)
                    change = memory.remove([key])
                    book.end(number)
                    book.begin(number, now)
                    memory.undo(change)
            book.end(number)
    finally:
        book.over += 1


def fits(number: int, version: int | None, needle: str, filters: dict[str, Any]) -> bool:
    """Returns whether a version of a record matches."""
    if version is None or needle not in text_of(number, version):
        return False
    key, colour, where = key_of(number), colour_of(number, version), filters.get("where", {})
    user, _, session = key.partition(":")
    return (
        key.startswith(filters.get("prefix", ""))
        and user == filters.get("user", user)
        and session == filters.get("session", session)
        and colour == where.get("colour", colour)
        and ("version" not in where or version >= where["version"]["$gte"])
    )


def search_own(memory: Any, book: Histories, seed: int, counted: list[int]) -> None:
    """Checks that answers have all records that were present all the time, and no others."""
    chance = random.Random(f"searcher {seed}")
    while book.over < WRITERS or counted[seed] <= FEWEST:
        query, filters = query_of(chance), filters_of(chance)
        limit = chance.choice((None, None, 5, 100))
        needle = folded(query)

        before = list(book.done)
        hits = memory.search_records(query, limit, **filters)
        number_of_hits = memory.count(query, **filters) if limit is None else None
        ends = [len(versions) for versions in book.versions]
        found: dict[int, int] = {}
        for hit in hits:
            number, version = number_of(hit.key), hit.value["version"]
            check(hit.value, value_of(number, version), "a value")
            check(number in found, False, f"{hit.key} twice")
            check(
                fits(number, version, needle, filters),
                True,
                f"{hit.key} {version} for {query!r} {filters}",
            )
            window = book.versions[number][before[number] : ends[number]]
            check(version in window, True, f"{hit.key}: version {version}, of {window}")
            found[number] = version
        sure, possible = 0, 0
        for number in range(SIZE):
            window = book.versions[number][before[number] : ends[number]]
            fitting = [fits(number, version, needle, filters) for version in window]
            sure += all(fitting)
            possible += any(fitting)
            if all(fitting) and len(hits) != limit:
                check(number in found, True, f"{key_of(number)} {window} for {query!r} {filters}")
        if limit is not None:
            check(len(hits) >= min(limit, sure), True, f"{len(hits)} hits, {sure} are sure")
        if number_of_hits is not None:
            check(sure <= number_of_hits <= possible, True, f"{sure}, {number_of_hits}, {possible}")
        counted[seed] += 1


def test_with_many_writers_each_hit_is_a_version_of_that_time_and_none_is_missing(make):
    memory = make(max_size=SIZE)
    memory.sync.add_many({key_of(number): value_of(number, 0) for number in range(SIZE)})
    book = Histories()
    counted = [0] * SEARCHERS
    writers = [
        lambda writer=writer: write_own(memory.sync, book, writer, 400) for writer in range(WRITERS)
    ]
    searchers = [
        lambda seed=seed: search_own(memory.sync, book, seed, counted) for seed in range(SEARCHERS)
    ]
    assert together(*writers, *searchers) == []
    assert min(counted) > FEWEST
    present = {
        key_of(number): value_of(number, versions[-1])
        for number, versions in enumerate(book.versions)
        if versions[-1] is not None
    }
    assert {record.key: record.value for record in memory.sync.records()} == present
    assert_quiet(memory, random.Random(0))


# ---- many writers of the same keys: no version older than one known before


@dataclass
class KnownVersions:
    """Lower bounds for each record: the newest version written, and the newest one deleted."""

    written: dict[int, int] = field(default_factory=dict)
    gone: dict[int, int] = field(default_factory=dict)
    finished: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note_deletion(self, versions: dict[int, int]) -> None:
        with self.lock:
            for number, version in versions.items():
                self.gone[number] = max(version, self.gone.get(number, -1))


def write_anything(
    memory: Any, clock: Clock, known: KnownVersions, writer: int, steps: int
) -> None:
    """Writes versions of its own records, and deletes, evicts and reads those of all writers."""
    chance = random.Random(f"writer {writer}")
    version = 0
    many = SIZE + 600  # more than the capacity
    try:
        for step in range(steps):
            number = chance.randrange(many)
            own = number - number % WRITERS + writer
            match chance.randrange(12):
                case 0 | 1 | 2 | 3 | 4:
                    version += 1
                    memory.add(key_of(own), value_of(own, version), chance.choice((None, 2, 5)))
                    known.written[own] = version
                case 5:
                    version += 1
                    several = [own + WRITERS * n for n in range(20)]
                    memory.add_many({key_of(n): value_of(n, version) for n in several})
                    known.written.update(dict.fromkeys(several, version))
                case 6 | 7:
                    memory.get(key_of(number))
                case 8:
                    seen = known.written.get(number, -1)
                    memory.delete(key_of(number))
                    known.note_deletion({number: seen})
                case 9:
                    several = [number + n for n in range(10)]
                    removed = {n: known.written[n] for n in several if n in known.written}
                    memory.remove(map(key_of, several))
                    known.note_deletion(removed)
                case 10:
                    clock.tick(0.05)
                case 11 if step % 40 == 0:
                    memory.resize(max(1, memory.size() - 50))  # evicts, however few there are
                    memory.resize(SIZE)
                case 11 if step % 100 == 1:
                    cleared = dict(known.written)
                    memory.clear()
                    known.note_deletion(cleared)
    finally:
        known.finished += 1


def search_anything(
    memory: Any, clock: Clock, known: KnownVersions, seed: int, counted: list[int]
) -> None:
    chance = random.Random(f"searcher {seed}")
    while known.finished < WRITERS or counted[seed] <= FEWEST:
        query, filters = query_of(chance), filters_of(chance)
        limit = chance.choice((None, None, 1, 5, 100))
        written, gone, now = dict(known.written), dict(known.gone), clock()
        if chance.random() < 0.3:
            values = memory.search(query, limit)
            hits = [(value["key"], value, None) for value in values]
        else:
            records = memory.search_records(query, limit, **filters)
            hits = [(hit.key, hit.value, hit.expires_at) for hit in records]
        assert len({key for key, *_ in hits}) == len(hits) <= (limit or SIZE)
        for key, value, expires_at in hits:
            number, version = number_of(key), value["version"]
            check(value, value_of(number, version), "a value")
            check(folded(query) in text_of(number, version), True, f"{key} {version}: {query!r}")
            check(version >= written.get(number, -1), True, f"{key}: {version} is stale")
            check(version > gone.get(number, -1), True, f"{key}: {version} was deleted")
            check(expires_at is None or expires_at > now, True, f"{key}: expired")
        assert memory.count(query, **filters) <= SIZE
        counted[seed] += 1


def test_no_search_finds_a_value_that_was_overwritten_deleted_or_expired_before(make, clock):
    memory = make(max_size=SIZE)
    known = KnownVersions()
    counted = [0] * SEARCHERS
    writers = [
        lambda writer=writer: write_anything(memory.sync, clock, known, writer, 1500)
        for writer in range(WRITERS)
    ]
    searchers = [
        lambda seed=seed: search_anything(memory.sync, clock, known, seed, counted)
        for seed in range(SEARCHERS)
    ]
    assert together(*writers, *searchers) == []
    assert min(counted) > FEWEST
    assert memory.evictions > 0
    assert_quiet(memory, random.Random(0))


# ---- hits one by one: `async for record in memory.stream_records(...)`


@pytest.fixture
def full(make) -> MemoryPrimitive:
    """A memory whose records have a word in common; every third one expires."""
    memory = make(max_size=SIZE)
    for number in range(SIZE):
        memory.sync.add(key_of(number), value_of(number, 0), 5 if number % 3 == 0 else None)
    return memory


async def test_a_stream_gives_the_records_that_awaiting_gives(full):
    for number in range(0, SIZE, 7):
        await full.get(key_of(number))
    for query in [*COLOURS, "note", "note 77", "none of it", ""]:
        for limit in (None, 1, 5, 100):
            for filters in ({}, {"user": "user3"}, {"where": {"colour": COLOURS[0]}}):
                awaited = await full.search_records(query, limit, **filters)
                one_by_one = [hit async for hit in full.stream_records(query, limit, **filters)]
                assert one_by_one == awaited
    everything = [hit async for hit in full.stream_records("note")]
    assert everything == await full.search_records("note", None)


@pytest.mark.parametrize("reached", [1, 300])
@pytest.mark.parametrize(
    "how", ["delete", "remove", "filter", "expire", "overwrite", "evict", "clear", "come and go"]
)
async def test_a_stream_skips_records_that_are_lost_before_they_are_reached(
    full, clock, how, reached
):
    sync = full.sync
    stream = aiter(full.stream_records("note"))
    before = [(await anext(stream)).key for _ in range(reached)]
    assert before == [key_of(SIZE - 1 - number) for number in range(reached)]
    gone = [key_of(number) for number in range(SIZE - reached) if number % 2]
    match how:
        case "delete":
            for key in gone:
                sync.delete(key)
        case "remove":
            sync.remove(gone)
        case "filter":
            gone = sync.keys(user="user4")
            sync.remove(user="user4")
        case "expire":
            gone = [key_of(number) for number in range(0, SIZE, 3)]
            clock.tick(5)
        case "overwrite":
            sync.add_many({key: {"other": "words"} for key in gone})
        case "evict":
            gone = sync.keys()[:500]
            sync.resize(SIZE - 500)
        case "clear":
            gone = sync.keys()
            sync.clear()
        case "come and go":
            sync.add_many({key: value_of(number_of(key), 1) for key in gone})
            sync.remove(gone)
    after = [record.key async for record in stream]
    assert set(after).isdisjoint(gone)
    rest = [key_of(number) for number in reversed(range(SIZE - reached))]
    assert after == [key for key in rest if key not in set(gone)]


async def test_a_stream_gives_each_record_once_even_if_it_is_touched_in_between(full):
    chance = random.Random(0)
    found = []
    async for record in full.stream_records("note"):
        found.append(record.key)
        for _ in range(3):
            await full.get(key_of(chance.randrange(SIZE)))
        await full.search("note", 1)
    assert sorted(found) == sorted(map(key_of, range(SIZE)))


async def test_a_stream_never_gives_an_overwritten_value_and_no_key_twice(full):
    chance = random.Random(0)
    versions = [0] * SIZE
    found = []
    async for record in full.stream_records("note"):
        number = number_of(record.key)
        assert record.value == value_of(number, versions[number])
        found.append(number)
        number = chance.randrange(SIZE)
        versions[number] += 1
        await full.add(key_of(number), value_of(number, versions[number]))
        if len(found) > SIZE:
            break
    assert len(found) == len(set(found))
    assert set(found) >= {number for number in range(SIZE) if versions[number] == 0}


async def test_a_stream_that_is_left_early_holds_no_lock(full):
    async for record in full.stream_records("note"):
        assert record.key == key_of(SIZE - 1)
        break
    waiting = aiter(full.stream_records("note"))
    await anext(waiting)
    # From another thread, which would block if the lock were still held.
    work = asyncio.to_thread(full.sync.add, "last", value_of(5000, 0))
    async with asyncio.timeout(60):
        await work
    assert [hit.key async for hit in full.stream_records("note", 1)] == ["last"]


async def test_streams_among_writers_give_each_lasting_record_once_and_nothing_stale(make, clock):
    memory = make(max_size=SIZE)
    stays = set(range(0, SIZE, 2))
    await memory.add_many({key_of(number): value_of(number, 0) for number in range(SIZE)})
    written = dict.fromkeys(range(SIZE), 0)
    over = threading.Event()

    def write(writer: int) -> None:
        chance = random.Random(writer)
        version = 0
        while not over.is_set():
            number = chance.randrange(SIZE // 4) * 4 + 1 + 2 * writer  # only even numbers stay
            version += 1
            memory.sync.add(key_of(number), value_of(number, version))
            written[number] = version
            memory.sync.get(key_of(chance.randrange(SIZE)))
            if chance.random() < 0.2:
                memory.sync.delete(key_of(number))

    async def read() -> None:
        before = dict(written)
        found = []
        async for record in memory.stream_records("note"):
            number, version = number_of(record.key), record.value["version"]
            assert record.value == value_of(number, version)
            assert version >= before[number]
            found.append(number)
            if len(found) % 50 == 0:
                await asyncio.sleep(0)
        assert len(found) == len(set(found))
        assert stays <= set(found)

    async def read_all() -> None:
        try:
            for _ in range(3):
                await asyncio.gather(read(), read())
        finally:
            over.set()

    raised, _ = await asyncio.gather(
        asyncio.to_thread(together, lambda: write(0), lambda: write(1)), read_all()
    )
    assert raised == []
    assert_quiet(memory, random.Random(0))
