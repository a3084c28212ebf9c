"""Records for the benchmarks, the queries over them, and the right answers.

Everything is derived from a seed or from the records themselves, so each process of a benchmark makes the
same data. There are two corpora:

    zipf        generated conversations of any size. Words are pronounceable and drawn from 20,000 by
                Zipf's law. One text in ten contains a rare name, and one in 25 contains words in Spanish,
                German, Greek, Russian, Chinese or emoji. A value is about 534 bytes of JSON.
    chitchat    258,145 real utterances, if chitchat-dataset is installed.
"""

from __future__ import annotations

import json
import marshal
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from hashlib import sha256
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import orjson

from tta_memory_nb.text import fold

Json = dict[str, Any]
Record = tuple[str, Json]

SEED = 534
CHUNK = 10_000
CHITCHAT_SIZE = 258_145
LIMITS = (5, 100)
CHECKED_TURNS = 3  # number of searches after an evicting add whose answers are compared
QUERIES_EACH = 4

CLASSES = {
    "broad": "a word of many records",
    "rare": "a word of 1 to 10 records",
    "miss": "in no record, and neither is one of its trigrams",
    "hard miss": "in no record, though each of its trigrams is common",
    "phrase": "3 or 4 consecutive words of a record",
    "non-ASCII": "a word in another script, or with accents, or an emoji",
    "1 character": "from the rarest to the most common of the records' characters",
    "2 characters": "from the rarest to the most common of the records' pairs",
}
SELECTIVE = ("rare", "miss", "phrase")


# ---------------------------------------------------------------- records


class Zipf:
    """Generated conversations; a smaller corpus is the beginning of a larger one."""

    name = "zipf"

    def __init__(self, size: int) -> None:
        self.size = size

    def chunks(self) -> Iterator[list[Record]]:
        """Yields the records, oldest first, 10,000 at a time."""
        for start in range(0, self.size, CHUNK):
            yield _zipf_chunk(start // CHUNK)[: self.size - start]

    def more(self) -> list[Record]:
        """Returns records that `chunks` does not yield."""
        return _zipf_chunk(1_000_000)


class Chitchat:
    """The real utterances, in the order in which they were sent."""

    name = "chitchat"

    def __init__(self, size: int = CHITCHAT_SIZE) -> None:
        self.size = size

    def chunks(self) -> Iterator[list[Record]]:
        """Yields the records, oldest first, 10,000 at a time."""
        from tta_memory_nb import MemoryRecord
        from tta_memory_nb.transfer.datasets import chitchat

        items = (item for _, item in chitchat().items)
        records = ((item.key, item.value) for item in items if isinstance(item, MemoryRecord))
        while chunk := list(islice(records, CHUNK)):
            yield chunk

    def more(self) -> list[Record]:
        """Returns the first values again, with new keys."""
        return [(f"again:{key}", value) for key, value in next(self.chunks())]


class Stored:
    """Records that `store` has written to files; reading them is faster than making them again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.size: int = json.loads((folder / "size").read_text())

    def chunks(self) -> Iterator[list[Record]]:
        """Yields the records, oldest first, 10,000 at a time."""
        for file in sorted(self.folder.glob("chunk*")):
            yield marshal.loads(file.read_bytes())

    def more(self) -> list[Record]:
        """Returns records that `chunks` does not yield."""
        found: list[Record] = marshal.loads((self.folder / "more").read_bytes())
        return found


def store(records: Zipf | Chitchat, folder: Path) -> Stored:
    """Writes all records to files in a folder."""
    for number, chunk in enumerate(records.chunks()):
        (folder / f"chunk{number:04d}").write_bytes(marshal.dumps(chunk))
    (folder / "more").write_bytes(marshal.dumps(records.more()))
    (folder / "size").write_text(json.dumps(records.size))
    return Stored(folder)


Corpus = Zipf | Chitchat


def corpus(name: str, size: int) -> Corpus:
    """Returns a corpus by name; `chitchat` has only one size."""
    return Zipf(size) if name == "zipf" else Chitchat()


def has_chitchat() -> bool:
    """Returns whether the real utterances are installed."""
    return find_spec("chitchat_dataset") is not None


WORDS = 20_000
ONSETS: list[str] = [*"bcdfghlmnprstvwstmlrndkj", "st", "tr", "pr", "br", "ch", "sh", "th", "qu"]
NUCLEI: list[str] = [*"aeiouaeiouaeo", "ea", "ou"]
CODAS: list[str] = [
    "",
    "",
    "",
    "",
    "",
    "",
    "",
    "n",
    "r",
    "s",
    "t",
    "l",
    "n",
    "r",
    "m",
    "nd",
    "st",
    "ck",
    "y",
]
OTHER_SCRIPTS = {
    "es": "mañana niño corazón también señal canción después aquí país árbol lápiz fácil",
    "de": "straße größe über möglich schön früh müßig äpfel fußgänger lösung grüße weiß",
    "el": "καλημέρα θάλασσα άνθρωπος ευχαριστώ σήμερα αύριο λέξη μνήμη ήλιος φίλος λόγος ώρα",
    "ru": "привет спасибо сегодня завтра память слово человек помощь ошибка заказ время вопрос",
    "zh": "谢谢你 明天见 记忆 你好吗 天气很好 没问题 订单 退款 客户服务 请稍等 今天 朋友",
    "emoji": "🎉 😀 👍🏽 🚀 ❤️ 😂 🙏 🔥 👩‍💻 ☕ 🌧️ 🤔",
}
ROLES = ("user", "assistant")
AGENTS = ("planner", "researcher", "support", "reviewer", "scheduler")
CHANNELS = ("web", "phone", "mail", "chat")
TEXT_WORDS = 52  # on average


@cache
def _vocabulary() -> tuple[list[str], np.ndarray]:
    """Returns the words from the most to the least common, and their cumulative frequencies."""
    random = Random(SEED)
    words: dict[str, None] = {}
    while len(words) < WORDS:
        rank = len(words)
        syllables = 1 + (rank > 250) + (rank > 8_000) + (random.random() < 0.15)
        words["".join(_syllable(random) for _ in range(syllables))] = None
    shares = 1 / (np.arange(WORDS) + 2.7) ** 1.05
    return list(words), np.cumsum(shares / shares.sum())


def _syllable(random: Random) -> str:
    return random.choice(ONSETS) + random.choice(NUCLEI) + random.choice(CODAS)


@cache
def _spellings() -> np.ndarray:
    """Returns all words as they are, then all with a comma, then all with a full stop."""
    words, _ = _vocabulary()
    return np.array([word + mark for mark in ("", ",", ".") for word in words], dtype=object)


@cache
def _names() -> list[str]:
    """Returns names of people and things, most of which occur once or never."""
    random = Random(SEED + 1)
    return ["".join(_syllable(random) for _ in range(3)).capitalize() for _ in range(30_000)]


def _zipf_chunk(number: int) -> list[Record]:
    random = np.random.default_rng([SEED, number])
    words, sums = _vocabulary()
    names = _names()
    scripts = [text.split() for text in OTHER_SCRIPTS.values()]
    lengths = np.clip(random.gamma(4, TEXT_WORDS / 4, CHUNK).astype(int), 3, 250)
    ends = np.cumsum(lengths)
    picked = np.minimum(np.searchsorted(sums, random.random(ends[-1])), WORDS - 1)
    marks = np.searchsorted([0.86, 0.94], random.random(ends[-1]))
    tokens = _spellings()[picked + WORDS * marks].tolist()
    named = random.random(CHUNK) < 0.1
    foreign = random.random(CHUNK) < 0.04
    anything = random.integers(
        0, 2**31, (CHUNK, 8)
    ).tolist()  # random numbers for all choices below
    confidence = np.round(random.random(CHUNK), 3).tolist()
    first = number * CHUNK
    seconds = np.datetime64("2024-01-01T00:00:00") + 37 * np.arange(first, first + CHUNK)
    times = np.datetime_as_string(seconds).tolist()
    records = []
    start = 0
    for n, (end, dice) in enumerate(zip(ends.tolist(), anything, strict=True)):
        said = tokens[start:end]
        start = end
        if named[n]:
            said[dice[0] % len(said)] = names[dice[1] % len(names)]
        if foreign[n]:
            script = scripts[dice[0] % len(scripts)]
            place = dice[1] % len(said)
            said[place : place + 4] = [script[dice[k] % len(script)] for k in range(2, 6)]
        text = " ".join(said)
        conversation, turn = divmod(first + n, 12)
        user = 7919 * conversation % 2003
        value = {
            "role": ROLES[turn % 2],
            "text": text[0].upper() + text[1:],
            "turn": turn,
            "intent": f"{words[200 + dice[6] % 40]}.{words[300 + dice[6] % 7]}",
            "agent": {"name": AGENTS[dice[7] % 5], "channel": CHANNELS[dice[7] % 4]},
            "tags": [words[400 + dice[5] % 150], words[600 + dice[4] % 150]],
            "confidence": confidence[n],
            "session": f"{dice[3]:08x}",
            "timestamp": times[n],
        }
        records.append((f"user{user}:{conversation:x}:{turn:02d}{dice[2]:08x}", value))
    return records


# ---------------------------------------------------------------- what a search compares


def folded(value: Json) -> str:
    """Returns the folded field names and leaves of a value, separated by a border that no query contains.

    This repeats the package's own function, so that the code under test does not produce the answers that it
    is compared with.
    """
    return "Z".join(map(fold, _pieces(value)))


def _pieces(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for name, child in node.items():
            yield name
            yield from _pieces(child)
    elif isinstance(node, list):
        for child in node:
            yield from _pieces(child)
    else:
        yield node if isinstance(node, str) else json.dumps(node)


def packed(value: Json) -> bytes:
    """Returns a value as JSON in memory of exactly its size; orjson's own result occupies a buffer of 4 KB."""
    return bytes(memoryview(orjson.dumps(value)))


def digest(values: Sequence[Json]) -> str:
    """Returns a short text that is equal for equal values in equal order."""
    return sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]


# ---------------------------------------------------------------- queries and right answers


@dataclass
class Questions:
    """The queries for all peers over one corpus, and their right answers.

    Attributes:
        queries: queries by class.
        answers: digests by class, one list for each of `LIMITS`, in the order of the queries.
        counts: number of matching records by class.
        turns: queries for the searches after an evicting add.
        turn_answers: digests for the first `CHECKED_TURNS` of them.
        json_bytes: average bytes of a value as JSON.
    """

    queries: dict[str, list[str]]
    answers: dict[str, list[list[str]]]
    counts: dict[str, list[int]]
    turns: list[str]
    turn_answers: list[str]
    json_bytes: float

    def json(self) -> Json:
        """Returns a JSON object from which ``Questions(**object)`` makes an equal instance."""
        return asdict(self)


def prepare(records: Corpus | Stored) -> Questions:
    """Chooses the queries and finds the right answers by a scan of all folded texts."""
    texts: list[str] = []
    said: list[str] = []
    values: list[bytes] = []
    for chunk in records.chunks():
        for _, value in chunk:
            texts.append(folded(value))
            said.append(value["text"])
            values.append(packed(value))
    queries = _choose(texts, said)
    found = {
        kind: [_containing(texts, fold(query)) for query in chosen]
        for kind, chosen in queries.items()
    }

    def answer(positions: list[int], limit: int) -> str:
        return digest([orjson.loads(values[n]) for n in islice(reversed(positions), limit)])

    turns = [
        query for kinds in zip(*(queries[k] for k in SELECTIVE), strict=True) for query in kinds
    ]
    turn_answers: list[str] = []
    for (_, value), query in zip(records.more()[:CHECKED_TURNS], turns, strict=False):
        # Positions do not change; the text of an evicted record becomes empty.
        texts[len(turn_answers)] = ""
        texts.append(folded(value))
        values.append(packed(value))
        turn_answers.append(answer(_containing(texts, fold(query)), LIMITS[0]))
    return Questions(
        queries=queries,
        answers={
            kind: [[answer(positions, limit) for positions in lists] for limit in LIMITS]
            for kind, lists in found.items()
        },
        counts={kind: [len(positions) for positions in lists] for kind, lists in found.items()},
        turns=turns,
        turn_answers=turn_answers,
        json_bytes=sum(map(len, values)) / len(values),
    )


def _containing(texts: list[str], needle: str) -> list[int]:
    return [n for n, text in enumerate(texts) if needle in text]


def _absent(texts: list[str], needle: str) -> bool:
    return not any(needle in text for text in texts)


def _choose(texts: list[str], said: list[str]) -> dict[str, list[str]]:
    random = Random(SEED)
    sample = [texts[n] for n in sorted(random.sample(range(len(texts)), min(2_000, len(texts))))]
    queries = {
        "broad": _broad(said),
        "rare": _rare(texts, said),
        "miss": _misses(texts),
        "hard miss": _hard_misses(texts, sample, random),
        "phrase": _phrases(said),
        "non-ASCII": _non_ascii(said),
        "1 character": _short(texts, sample, 1),
        "2 characters": _short(texts, sample, 2),
    }
    for kind, chosen in queries.items():
        if len(chosen) < QUERIES_EACH:
            raise ValueError(f"only {len(chosen)} queries of class {kind}: {chosen}")
    return queries


def _spread(items: Sequence[str], count: int = QUERIES_EACH) -> list[str]:
    """Returns the first item, the last one, and some evenly spaced between them."""
    return [items[round(k * (len(items) - 1) / (count - 1))] for k in range(count)]


def _broad(said: list[str]) -> list[str]:
    shares = Counter(
        word
        for text in said[:: max(1, len(said) // 2_000)]
        for word in set(fold(text).split())
        if len(word) >= 3 and word.isascii() and word.isalpha()
    )
    common = [word for word, _ in _ranked(shares)]
    return [common[rank] for rank in (0, 3, 8, 20)]


def _ranked(counts: Counter[str]) -> list[tuple[str, int]]:
    """Returns items by descending frequency; the order of equally frequent items is deterministic."""
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def _rare(texts: list[str], said: list[str]) -> list[str]:
    counts = Counter(word.strip(".,!?\"'") for text in said for word in text.split())
    words = [
        word
        for word, count in _ranked(counts)
        if count <= 8 and len(word) >= 7 and word.isascii() and word.isalpha()
    ]
    Random(SEED).shuffle(words)
    chosen: list[str] = []
    few = False
    for word in words:
        count = len(_containing(texts, fold(word)))
        if count < LIMITS[0] and not few:
            # The very first search uses this query, and must not end before the scan does.
            chosen.insert(0, word)
            few = True
        elif count <= 10 and len(chosen) < QUERIES_EACH - (not few):
            chosen.append(word)
        if len(chosen) == QUERIES_EACH:
            break
    return chosen


def _misses(texts: list[str]) -> list[str]:
    chosen = []
    for words in (
        "zyzzyva",
        "xqjvkz",
        "wyvern vxq",
        "pzazz jqy",
        "kvzhqxw",
        "syzygy",
        "qwxyzzard",
        "fjord bqk",
        "vexqzing jumbo",
        "hdwkqx",
    ):
        parts = [words[n : n + 3] for n in range(len(words) - 2)]
        if any(_absent(texts, part) for part in parts):
            chosen.append(words)
        if len(chosen) == QUERIES_EACH:
            break
    return chosen


def _hard_misses(texts: list[str], sample: list[str], random: Random) -> list[str]:
    """Joins the most common trigrams until they form a text that no record contains."""
    shares = Counter(
        part
        for text in sample
        for part in {text[n : n + 3] for n in range(len(text) - 2)}
        if part.isascii() and "Z" not in part and not any(map(str.isdigit, part))
    )
    common = [part for part, _ in _ranked(shares)[:200]]
    chosen: list[str] = []
    for attempt in range(2_000):
        if len(chosen) == QUERIES_EACH:
            break
        walk = random.choice(common)
        length = 9 + attempt // 100  # the more texts exist, the longer the text has to be
        while len(walk) < length:
            steps = [part[2] for part in common if part[:2] == walk[-2:]]
            if not steps:
                break
            walk += random.choice(steps)
        if len(walk) == length and walk == walk.strip() and _absent(texts, walk):
            chosen.append(walk)
    return chosen


def _phrases(said: list[str]) -> list[str]:
    chosen: list[str] = []
    for part in (0.1, 0.35, 0.6, 0.9):
        length = 3 + len(chosen) % 2
        for n in range(int(part * len(said)), len(said)):
            words = said[n].split(" ")
            middle = len(words) // 2
            phrase = " ".join(words[middle : middle + length]).rstrip(".,")
            if len(words) >= 10 and phrase.isascii() and len(phrase) >= 12:
                chosen.append(phrase)
                break
    return chosen


def _non_ascii(said: list[str]) -> list[str]:
    """Returns words of medium frequency, alternating between the scripts."""
    counts = Counter(
        word.strip(".,!?\"'")
        for text in said
        if not text.isascii()
        for word in text.split()
        if not word.isascii()
    )
    scripts: dict[str, list[str]] = {}
    for word, _ in _ranked(counts):
        first = next((letter for letter in word if not letter.isascii()), None)
        if first is not None:
            scripts.setdefault(unicodedata.name(first, "?").partition(" ")[0], []).append(word)
    largest = sorted(scripts.values(), key=len, reverse=True)
    chosen = [
        words[len(words) // 2 + turn]
        for turn in range(QUERIES_EACH)
        for words in largest
        if len(words) // 2 + turn < len(words)
    ][:QUERIES_EACH]
    # In an ASCII corpus such as chitchat, a word in another script is a miss.
    chosen += [words.split()[0] for words in OTHER_SCRIPTS.values()][: QUERIES_EACH - len(chosen)]
    # Typed in the other case, which matches as well.
    return [chosen[0].upper(), *chosen[1:]]


def _short(texts: list[str], sample: list[str], length: int) -> list[str]:
    shares = Counter(
        part
        for text in sample
        for part in {text[n : n + length] for n in range(len(text) - length + 1)}
        if "Z" not in part
    )
    ranked = [part for part, _ in _ranked(shares)]
    rarest = min(ranked[-8:], key=lambda part: len(_containing(texts, part)))
    return [*_spread(ranked[:-1])[:-1], rarest]


if __name__ == "__main__":
    # Shows samples of the data: python benchmarks/corpus.py
    shown = Zipf(1_000)
    for _, value in islice(next(shown.chunks()), 3):
        print(json.dumps(value, ensure_ascii=False, indent=2))
    print(json.dumps(prepare(shown).json(), ensure_ascii=False, indent=2))
