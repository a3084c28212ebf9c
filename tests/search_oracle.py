"""A naive model of a memory, texts that are hard to search, and a comparison of model and memory.

The model does not use the package's search: a record matches when the folded query occurs in one of
its folded pieces, and every search reads every record.
"""

from __future__ import annotations

import random
import re
from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import inf
from typing import Any
from unicodedata import normalize

from backends import Clock, calls
from json_values import pieces

from tta_memory_nb.entry import new_entry
from tta_memory_nb.stores.base import Change

# A code point that is no character. No text here contains it, so no match crosses it.
NOWHERE = "\U0010fffe"


def folded(text: str) -> str:
    """Folds a text by definition (The Unicode Standard, D145), without the package's fast paths."""
    return normalize("NFC", normalize("NFD", text).casefold())


# ---- texts and values

NASTY = (
    *("Σίσυφος", "ΣΊΣΥΦΟΣ", "σ", "ς", "Σ", "ı", "İ", "i", "I", "ıI", "Iİi", "i\u0307"),
    *("ß", "ẞ", "SS", "Straße", "STRASSE", "strasse", "ﬁ", "fi", "ﬀ", "ff", "ﬁne", "ŉ", "ǰ"),
    *("é", "e\u0301", "e", "\u0301", "É", "Málaga", "Ma\u0301laga", "q\u0323\u0307", "q\u0307\u0323"),
    *("\u0323", "\u0327", "\u0345", "ΐ", "\u1fb7", "\u0391\u0342\u0345", "ᾳ", "\N{KELVIN SIGN}", "ſ"),
    *("가", "\u1100\u1161", "\u1100", "\u1161", "\u11a8", "각", "한국어"),
    *("🙂", "\ud83d\ude42", "\ud83d", "\ude42", "a\udfffb", "👩‍👩‍👧", "👩", "\u200d", "🙂🙃", "🏳️‍🌈"),
    *("天気", "天", "気分がいい", "カ", "ガ", "ｶ", "Погода", "ПОГОДА", "погода", "ё", "е\u0308"),
    *("\x00", "a\x00b", "\n", "line\nbreak", '"', "'", 'say "hi"', "\\", "\\n", "\\u00e1", "\\\\"),
    *("{", "}", "[", "]", ":", ",", '":"', "{}", "},{", "Z", "ZZ", "z", "aZb", "", " ", "  "),
    *("true", "TRUE", "null", "1", "10", "1.5", "1e16", "-0.0", "a", "ab", "ba", "aa", "abab"),
)  # fmt: skip

SYLLABLES = ("ba", "ne", "tor", "rain", "mi", "Sun", "lo", "GA", "ste", "ün", "cha", "ra", "in")
PLAIN = tuple(
    "".join(random.Random(number).choices(SYLLABLES, k=1 + number % 4)) for number in range(120)
)
WORDS = NASTY + PLAIN
GLUE = (" ", " ", " ", " ", "", "", "\n", "-", "\x00", "Z", ", ")
MOODS = ("Straße", "STRASSE", "sun", "Sun", "", "Σ", "σ", "e\u0301", "é", "天", "\ud83d", "a b")
NAMES = ("text", "Text", "mood", "rain", "TEXT", "é", "e\u0301", "tags", "a.b", "ς", "", "n", "Z")

LEAVES = (
    *(None, True, False, 0, 1, 10, -1, 2**64, 2**64 + 1, -(2**70), 10**25),
    *(1e16, 1e-07, 1.5, -0.0, 0.0, 0.1, 1e22, 123456.789, 1e300),
)  # fmt: skip


def sentence(chance: random.Random, most: int = 8) -> str:
    return chance.choice(GLUE).join(chance.choices(WORDS, k=chance.randint(0, most)))


def value_of(chance: random.Random, number: int) -> dict[str, Any]:
    """Returns a value. Nearly all contain their number, so that a stale value is recognised."""
    shape = chance.random()
    if shape < 0.02:
        return {}
    if shape < 0.06:
        return {chance.choice(WORDS): chance.choice(WORDS), chance.choice(NAMES): number}
    value: dict[str, Any] = {"n": number, "text": sentence(chance)}
    if shape < 0.3:
        value["mood"] = chance.choice(MOODS)
    elif shape < 0.5:
        value["id"] = f"{chance.getrandbits(40):x}"
        value["turn"] = chance.randrange(5)
    elif shape < 0.65:
        value["tags"] = [*chance.choices(WORDS, k=3), [chance.choice(LEAVES), {"": []}]]
        value["x"] = chance.choice(LEAVES)
    elif shape < 0.8:
        name = chance.choice(NAMES)
        value["agent"] = {"mood": chance.choice(MOODS), name: {name: chance.choice(LEAVES)}}
    elif shape < 0.85:
        value["agent.mood"] = chance.choice(MOODS)
        value[chance.choice(NAMES)] = chance.choice(LEAVES)
    elif shape > 0.992:
        value["long"] = chance.choice(GLUE).join(chance.choices(WORDS, k=chance.randint(300, 1500)))
    return value


USERS = ("ann", "bob", "An", "é")
SESSIONS = ("s1", "s2", "S1", "\ud83d")


def key_of(chance: random.Random, number: int) -> str:
    """Returns a key of any possible shape, different for each number."""
    user, session = chance.choice(USERS), chance.choice(SESSIONS)
    match chance.randrange(6):
        case 0 | 1 | 2:
            return f"{user}:{session}:{number:08x}"
        case 3:
            return f"{user}:{session}{number}"
        case 4:
            return f"{user}:{session}:{number}"  # not the key of a user: no 8 hex digits
        case _:
            return f"{user}{number}"


# ---- the memory

ABSENT = object()


@dataclass(eq=False, slots=True)
class Item:
    """A record; `shown` distinguishes 1 from 1.0 and true, `used` is the position by recency."""

    key: str
    value: dict[str, Any]
    shown: str
    text: str
    created_at: float
    updated_at: float
    expires_at: float | None
    used: int = 0

    def facts(self) -> tuple[Any, ...]:
        return self.key, self.shown, self.created_at, self.updated_at, self.expires_at


@dataclass(slots=True)
class Taken:
    """The records that a change wrote and removed, and the capacity if it changed, else None."""

    written: list[Item]
    removed: list[Item]
    max_size: int | None = None


class Oracle:
    """A memory that keeps a dict in the order of recency, and reads all of it each time.

    Args:
        max_size: the capacity.
        clock: returns Unix seconds.
        batch: number of keys after which a write evicts records; None: it evicts once, at its end.
    """

    def __init__(self, max_size: int, clock: Clock, batch: int | None = None) -> None:
        self.max_size = max_size
        self.clock = clock
        self._batch = batch
        self.items: OrderedDict[str, Item] = OrderedDict()  # oldest first
        self.past: deque[Item] = deque(maxlen=60)  # some lost records, whose texts are searched for
        self._used = 0
        self._soonest = inf  # no record expires before

    def alive(self, item: Item) -> bool:
        return item.expires_at is None or item.expires_at > self.clock()

    def expire(self) -> None:
        if self.clock() < self._soonest:
            return
        dead = [item for item in self.items.values() if not self.alive(item)]
        for item in dead:
            del self.items[item.key]
        self.past.extend(dead)
        self._soonest = min(
            (item.expires_at for item in self.items.values() if item.expires_at is not None),
            default=inf,
        )

    def write(self, pairs: Iterable[tuple[str, dict[str, Any]]], ttl: float | None) -> Taken:
        self.expire()
        before = self._used
        written: list[Item] = []
        removed: list[Item] = []
        for batch in in_batches(pairs, self._batch):
            self._write_batch(batch, ttl, before, written, removed)
        self.past.extend(removed)
        return Taken(written, removed)

    def _write_batch(
        self,
        pairs: Iterable[tuple[str, dict[str, Any]]],
        ttl: float | None,
        before: int,
        written: list[Item],
        removed: list[Item],
    ) -> None:
        now = self.clock()
        for key, value in pairs:
            old = self.items.pop(key, None)
            if old is not None and old.used <= before:
                removed.append(old)
            item = Item(
                key,
                value,
                repr(value),
                NOWHERE.join(folded(piece) for piece in pieces(value)),
                now if old is None else old.created_at,
                now,
                None if ttl is None else now + ttl,
            )
            self._put(item)
            self._use(item)
            written.append(item)
        removed += [item for item in self._evict() if item.used <= before]

    def get(self, key: str) -> Item | None:
        self.expire()
        item = self.items.get(key)
        if item is not None:
            self._use(item)
        return item

    def take(self, items: Iterable[Item]) -> Taken:
        removed = list(items)
        for item in removed:
            del self.items[item.key]
        self.past.extend(removed)
        return Taken([], removed)

    def take_keys(self, keys: Iterable[str]) -> Taken:
        self.expire()
        return self.take([self.items[key] for key in dict.fromkeys(keys) if key in self.items])

    def resize(self, max_size: int) -> Taken:
        self.expire()
        before = self._set_max_size(max_size)
        return Taken([], self._evict(), before)

    def undo(self, change: Taken) -> Taken:
        self.expire()
        before = self._set_max_size(change.max_size)
        taken = [item for item in change.written if self.items.get(item.key) is item]
        for item in taken:
            del self.items[item.key]
        back = [item for item in change.removed if item.key not in self.items and self.alive(item)]
        for item in back:
            self._put(item)
        self.items = OrderedDict(
            (item.key, item) for item in sorted(self.items.values(), key=lambda item: item.used)
        )
        fell, came = set(self._evict()), set(back)
        pushed_out = [item for item in fell if item not in came]
        return Taken([item for item in back if item not in fell], taken + pushed_out, before)

    def find(self, query: str | None, filters: dict[str, Any]) -> list[Item]:
        """Returns all records that match, newest first."""
        self.expire()
        return matching(reversed(self.items.values()), query, filters)

    def _put(self, item: Item) -> None:
        self.items[item.key] = item
        if item.expires_at is not None:
            self._soonest = min(self._soonest, item.expires_at)

    def _use(self, item: Item) -> None:
        self._used += 1
        item.used = self._used
        self.items.move_to_end(item.key)

    def _evict(self) -> list[Item]:
        too_many = max(0, len(self.items) - self.max_size)
        return [self.items.popitem(last=False)[1] for _ in range(too_many)]

    def _set_max_size(self, max_size: int | None) -> int | None:
        before = self.max_size
        if max_size is None or max_size == before:
            return None
        self.max_size = max_size
        return before


def in_batches(
    pairs: Iterable[tuple[str, dict[str, Any]]], most: int | None
) -> Iterator[list[tuple[str, dict[str, Any]]]]:
    """Yields batches of at most so many keys. A repeated key counts once, at its last position."""
    if most is None:
        yield list(pairs)
        return
    batch: dict[str, dict[str, Any]] = {}
    for key, value in pairs:
        if batch.pop(key, None) is None and len(batch) == most:
            yield list(batch.items())
            batch = {}
        batch[key] = value
    yield list(batch.items())


def matching(items: Iterable[Item], query: str | None, filters: dict[str, Any]) -> list[Item]:
    """Returns the items that a query (None: any) and filters accept, in the order given."""
    if query == "":
        return []
    if query is not None:
        needle = folded(query)
        items = [item for item in items if needle in item.text]
    return [item for item in items if accepts(item, filters)] if filters else list(items)


def accepts(item: Item, filters: dict[str, Any]) -> bool:
    parts = item.key.split(":")
    if "user" in filters or "session" in filters:
        made = all(parts) and (
            len(parts) == 2
            or (
                len(parts) == 3
                and bool(re.fullmatch("[0-9a-f]{8}|[0-9]{16}(-[0-9a-f]{8})?", parts[2]))
            )
        )
        if not made:
            return False
    return (
        ("user" not in filters or parts[0] == filters["user"])
        and ("session" not in filters or parts[1] == filters["session"])
        and item.key.startswith(filters.get("prefix", ""))
        and item.updated_at >= filters.get("since", -inf)
        and item.updated_at <= filters.get("until", inf)
        and all(
            holds(looked_up(item.value, name), wanted)
            for name, wanted in filters.get("where", {}).items()
        )
    )


def looked_up(value: dict[str, Any], name: str) -> Any:
    if name in value:
        return value[name]
    for dot in [place for place, character in enumerate(name) if character == "."]:
        inner = value.get(name[:dot])
        if isinstance(inner, dict):
            found = looked_up(inner, name[dot + 1 :])
            if found is not ABSENT:
                return found
    return ABSENT


def holds(found: Any, wanted: Any) -> bool:
    if not (isinstance(wanted, dict) and any(name.startswith("$") for name in wanted)):
        wanted = {"$eq": wanted}
    return all(OPERATORS[name](found, operand) for name, operand in wanted.items())


def same(one: Any, other: Any) -> bool:
    """Returns whether two values are equal as JSON: true is not 1, but 1 is 1.0."""
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    return isinstance(one, bool) == isinstance(other, bool) and one == other


def ranked(one: Any, other: Any) -> bool:
    number = [
        isinstance(side, (int, float)) and not isinstance(side, bool) for side in (one, other)
    ]
    return all(number) or (isinstance(one, str) and isinstance(other, str))


OPERATORS = {
    "$eq": same,
    "$ne": lambda found, operand: not same(found, operand),
    "$gte": lambda found, operand: ranked(found, operand) and found >= operand,
    "$lt": lambda found, operand: ranked(found, operand) and found < operand,
    "$in": lambda found, operand: any(same(found, one) for one in operand),
    "$exists": lambda found, operand: (found is not ABSENT) is operand,
    "$contains": lambda found, operand: (
        (isinstance(found, str) and isinstance(operand, str) and operand in found)
        or (isinstance(found, list) and any(same(one, operand) for one in found))
    ),
}


# ---- questions

FIXED = (
    *("Z", "z", '"', "\\", "{", "}", ",", ":", '":"', "\\n", "\\u", "\n", "\x00", " ", "true", "NULL"),
    *("e", "1", "e+", "e-0", ".5", "-0", "text", "n", "ss", "ß", "i\u0307", "İ", "\u0301", "\u0345"),
    *("\ud83d", "\ude42", "\ud83d\ude42", "🙂", "\u1161", "가", "none of it", "qqqq", "xyzzy", "", "ΣΣ"),
)  # fmt: skip
TURNS = (
    *(str, str, str, str.upper, str.lower, str.swapcase, str.casefold),
    *(lambda text: normalize("NFD", text), lambda text: normalize("NFC", text)),
)  # fmt: skip


def cut(chance: random.Random, text: str) -> str:
    length = chance.choice((1, 1, 2, 2, 3, 3, 4, 5, 6, 8, 13, 21, 40, 200, len(text)))
    start = chance.randrange(max(1, len(text) - length + 1))
    return text[start : start + length]


def query_about(chance: random.Random, items: list[Item]) -> str:
    """Returns a query that is likely to find, or to barely miss, one of the items."""
    if not items or chance.random() < 0.12:
        return chance.choice(FIXED)
    found = list(pieces(chance.choice(items).value)) or [""]
    place = chance.randrange(len(found))
    text = found[place] or max(found, key=len)
    match chance.randrange(12):
        case 0:  # across two fields: must not match, unless it occurs elsewhere as well
            rest = found[(place + 1) % len(found)]
            return text[-3:] + chance.choice(("", "", "Z", ",", ":", '","')) + rest[:3]
        case 1:  # across the border of two words
            at = text.find(" ", chance.randrange(len(text) + 1))
            return text[max(0, at - 3) : at + 4] if at > 0 else text[:2]
        case 2 | 3:  # the record contains every three letters of it, mostly in another order
            return recombined(chance, "\n".join(found))
        case 4:  # a letter more or less
            part = cut(chance, text)
            return part + part[:1] if chance.random() < 0.5 else part[::2]
        case _:
            return chance.choice(TURNS)(cut(chance, text))


def recombined(chance: random.Random, text: str) -> str:
    """Builds a text in which each three letters occur in a row in the given text."""
    if len(text) < 4:
        return text[::-1]
    text = text[:400]
    start = chance.randrange(len(text) - 2)
    made = text[start : start + 3]
    for _ in range(chance.randint(1, 9)):
        after = [
            found + 2
            for found in range(len(text) - 2)
            if text[found] == made[-2] and text[found + 1] == made[-1]
        ]
        if not after:
            break
        made += text[chance.choice(after)]
    return made


def filters_about(chance: random.Random, items: list[Item], now: float) -> dict[str, Any]:
    """Returns filters that some of the items are likely to pass."""
    if not items:
        return {"user": "ann"}
    item = chance.choice(items)
    match chance.randrange(12):
        case 0:
            return {"user": chance.choice(USERS)}
        case 1:
            return {"session": chance.choice(SESSIONS)}
        case 2:
            return {"user": chance.choice(USERS), "session": chance.choice(SESSIONS)}
        case 3:
            return {"prefix": item.key[: chance.randint(1, 9)]}
        case 4:
            return {"since": item.updated_at}
        case 5:
            return {"until": item.updated_at + chance.choice((0, -0.25))}
        case 6:
            return {"since": now - 1, "where": {"mood": chance.choice(MOODS)}}
        case 7:
            return {"where": {chance.choice(("mood", "agent.mood")): chance.choice(MOODS)}}
        case 8:
            return {"where": {"text": item.value.get("text", "")}}
        case 9:
            least = item.value.get("n")
            least = least if type(least) in (int, float) else 0  # true has no place in the order
            return {"where": {"n": {"$gte": least}, "mood": {"$ne": "sun"}}}
        case _:
            return {"where": dict([condition(chance, item)])}


def condition(chance: random.Random, item: Item) -> tuple[str, Any]:
    names = [name for name in item.value if name] or ["mood"]
    name = chance.choice(names)
    value = item.value.get(name)
    if isinstance(value, str):
        swapped = value.swapcase()
        operands = (
            *(value, value, {"$eq": value}, swapped, {"$in": [value, swapped, None]}),
            *({"$contains": cut(chance, value)}, {"$lt": value}, {"$gte": value}, value[:-1]),
        )  # fmt: skip
        return name, chance.choice(operands)
    if isinstance(value, list):
        return name, chance.choice((value, {"$contains": value[0]}, {"$in": [value]}))
    if isinstance(value, dict):
        inner = next(iter(value))
        return f"{name}.{inner}", chance.choice((value[inner], {"$exists": True}))
    return name, chance.choice((value, {"$in": ["sun", value]}, {"$exists": False}, {"$ne": value}))


# ---- memory and model together


class Twin:
    """Runs every verb on a memory and on the oracle, and compares the results."""

    def __init__(self, memory: Any, clock: Clock, max_size: int, batch: int | None = None) -> None:
        self.memory = memory  # the called face
        self.clock = clock
        self.oracle = Oracle(max_size, clock, batch)
        self.changes: list[tuple[Change, Taken]] = []
        self.number = 0

    # ---- random arguments

    def present(self) -> list[Item]:
        self.oracle.expire()
        return list(self.oracle.items.values())

    def new_pairs(self, chance: random.Random, many: int) -> list[tuple[str, dict[str, Any]]]:
        return [self._pair(chance, None) for _ in range(many)]

    def some_keys(self, chance: random.Random, many: int) -> list[str]:
        """Returns keys of any age, the oldest keys, or the newest keys."""
        present = list(self.oracle.items)
        many = min(many, len(present))
        match chance.randrange(4):
            case 0:
                return present[:many]
            case 1:
                return present[len(present) - many :]
            case _:
                return chance.sample(present, many)

    def other_pairs(self, chance: random.Random, many: int) -> list[tuple[str, dict[str, Any]]]:
        return [self._pair(chance, key) for key in self.some_keys(chance, many)]

    def _pair(self, chance: random.Random, key: str | None) -> tuple[str, dict[str, Any]]:
        self.number += 1
        return key or key_of(chance, self.number), value_of(chance, self.number)

    def some_filters(self, chance: random.Random) -> dict[str, Any]:
        return filters_about(chance, self.present(), self.clock())

    # ---- verbs

    def add(self, key: str, value: dict[str, Any], ttl: float | None = None) -> None:
        self.memory.add(key, value, ttl)
        self.oracle.write([(key, value)], ttl)

    def add_many(self, pairs: list[tuple[str, dict[str, Any]]], ttl: float | None = None) -> None:
        check(self.memory.add_many(pairs, ttl), len(pairs), "add_many")
        self.oracle.write(pairs, ttl)

    def put(self, pairs: list[tuple[str, dict[str, Any]]], ttl: float | None = None) -> None:
        """As `add_many`, but `undo` can revert it."""
        now = self.clock()
        real = calls(self.memory).put([new_entry(key, value, now, ttl) for key, value in pairs])
        self._changed(real, self.oracle.write(pairs, ttl))

    def get(self, key: str) -> None:
        item = self.oracle.get(key)
        check(
            repr(self.memory.get(key)), repr(None) if item is None else item.shown, f"get {key!r}"
        )

    def get_many(self, keys: list[str]) -> None:
        wanted = {key: item.shown for key in keys if (item := self.oracle.get(key)) is not None}
        found = {key: repr(value) for key, value in self.memory.get_many(keys).items()}
        check(found, wanted, "get_many")

    def delete(self, key: str) -> None:
        gone = self.oracle.take_keys([key])
        check(self.memory.delete(key), bool(gone.removed), f"delete {key!r}")

    def remove(self, keys: list[str]) -> None:
        self._changed(self.memory.remove(keys), self.oracle.take_keys(keys))

    def remove_matching(self, filters: dict[str, Any]) -> None:
        real = self.memory.remove(**filters)
        self._changed(real, self.oracle.take(self.oracle.find(None, filters)))

    def take_all(self) -> None:
        self._changed(self.memory.take_all(), self.oracle.take(self.present()))

    def clear(self) -> None:
        self.memory.clear()
        self.oracle.take(self.present())

    def resize(self, max_size: int) -> None:
        self._changed(self.memory.resize(max_size), self.oracle.resize(max_size))

    def undo(self, number: int = -1) -> None:
        if self.changes:
            real, taken = self.changes.pop(number)
            self._changed(self.memory.undo(real), self.oracle.undo(taken))

    def _changed(self, real: Change, taken: Taken) -> None:
        # As sets, because a batch to a server contains each key once.
        found, wanted = (sorted({*keys_of(each.written)}) for each in (real, taken))
        check(found, wanted, "what a change wrote")
        check(keys_of(real.removed), keys_of(taken.removed), "what a change removed")
        check(real.max_size, taken.max_size, "the capacity before a change")
        self.changes.append((real, taken))

    def build(self, seconds: float) -> None:
        """Lets the memory index records, if it has this verb."""
        unindexed = getattr(self.memory, "build_index", lambda _: 0)(seconds)
        check(unindexed >= 0, True, f"build_index({seconds}) gave {unindexed}")

    # ---- questions

    def ask(self, chance: random.Random, times: int = 1) -> None:
        present = self.present()
        for _ in range(times):
            about = [*self.oracle.past] if chance.random() < 0.25 else present
            query = query_about(chance, about or present)
            filters = filters_about(chance, present, self.clock()) if chance.random() < 0.4 else {}
            if chance.random() < 0.9:
                self.same_answers(query, filters, chance.choice((None, 1, 5, 100)))
            else:
                self.same_answers(None, filters, chance.choice((None, 1, 5, 100)))

    def same_answers(self, query: str | None, filters: dict[str, Any], limit: int | None) -> None:
        found = self.oracle.find(query, filters)
        question = f"query={query!r}, filters={filters!r}"
        check(self.memory.count(query, **filters), len(found), f"count, {question}")
        if limit is None and len(found) > 150:  # decoding takes longer than finding
            limit = 149
        wanted = [item.facts() for item in found[:limit]]
        if query is None:
            hits = self.memory.records(limit, **filters)
            check(
                self.memory.keys(**filters), [item.key for item in found[::-1]], f"keys, {question}"
            )
        else:
            hits = self.memory.search_records(query, limit, **filters)
        check(list(map(facts, hits)), wanted, f"limit={limit}, {question}")
        if query is not None and not filters:
            values = self.memory.search(query, limit)
            check(
                list(map(repr, values)),
                [item.shown for item in found[:limit]],
                f"search, {question}",
            )

    def same_everything(self) -> None:
        present = self.present()
        check(self.memory.size(), len(present), "size")
        check(self.memory.keys(), [item.key for item in present], "keys")
        check(
            [facts(record) for record in self.memory.records()],
            [item.facts() for item in reversed(present)],
            "records",
        )


def facts(record: Any) -> tuple[Any, ...]:
    return (
        record.key,
        repr(record.value),
        record.created_at,
        record.updated_at,
        record.expires_at,
    )


def keys_of(things: Iterable[Any]) -> list[str]:
    # The order in a change is undefined: its entries have their recency.
    return sorted(thing.key for thing in things)


def check(found: Any, wanted: Any, what: str) -> None:
    """Asserts equality; the error shows the first difference instead of two long lists."""
    if found == wanted:
        return
    if isinstance(found, list) and isinstance(wanted, list):
        differences = _differences(found, wanted)
        where = next(differences, "nowhere")
        difference = f"{len(found)} found, {len(wanted)} wanted; {where}"
    else:
        difference = f"{found!r:.500} found, {wanted!r:.500} wanted"
    raise AssertionError(f"{what}: {difference}")


def _differences(found: list[Any], wanted: list[Any]) -> Iterator[str]:
    for place in range(max(len(found), len(wanted))):
        one, other = found[place : place + 1], wanted[place : place + 1]
        if one != other:
            yield f"at {place} {one!r:.500} found, {other!r:.500} wanted"
