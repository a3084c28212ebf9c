"""How often a search finds what answers a question: recall@5, recall@10 and MRR of each mode.

    python benchmarks/recall.py --data FILE [--modes ranked,hybrid] [--language english] [--server]

FILE is one of two kinds, compressed with gzip or not:

- conversations like those of LoCoMo (Maharana et al., "Evaluating very long-term conversational memory of
  LLM agents", 2024). Each conversation gets a memory, each turn a record as an agent would write it; what has to be
  found are the turns that the questions of categories 1 to 4 give as their evidence.
- paragraphs with questions: ``[{"context": text, "questions": [text, ...]}, ...]``. They are the records of one
  memory, and each question has to find its own paragraph.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean
from time import perf_counter
from typing import Any, NamedTuple

from tta_memory_nb import MemoryPrimitive, MissingPackage, create_memory_key

CATEGORIES = {1, 2, 3, 4}
DEPTH = 10


class Asked(NamedTuple):
    """A question, and the keys of the records that answer it."""

    question: str
    relevant: frozenset[str]


class Corpus(NamedTuple):
    """The records of one memory, and what is asked of it."""

    records: dict[str, dict[str, Any]]
    asked: list[Asked]


class Result(NamedTuple):
    """Means over all questions, and the time of the slowest twentieth in milliseconds."""

    recall_at_5: float
    recall_at_10: float
    mrr: float
    p95: float
    overlap: float


def read(path: Path) -> list[Corpus]:
    """Reads a file of conversations or of paragraphs."""
    packed = path.read_bytes()
    data = json.loads(gzip.decompress(packed) if path.suffix == ".gz" else packed)
    if "conversation" in data[0]:
        return [conversation(sample) for sample in data]
    return [paragraphs(data)]


def conversation(sample: dict[str, Any]) -> Corpus:
    """Makes one record of each turn."""
    key_of: dict[str, str] = {}
    records: dict[str, dict[str, Any]] = {}
    sessions = sample["conversation"]
    for number in range(1, len(sessions)):
        for turn in sessions.get(f"session_{number}") or ():
            dialogue = turn["dia_id"]
            key = create_memory_key(
                str(sample["sample_id"]), f"session_{number}", {"turn": dialogue}
            )
            key_of[dialogue] = key
            value = {"speaker": turn["speaker"], "text": turn["text"]}
            if turn.get("blip_caption"):
                value["caption"] = turn["blip_caption"]
            value["date"] = sessions[f"session_{number}_date_time"]
            records[key] = value
    asked = []
    for each in sample["qa"]:
        relevant = frozenset(key_of[turn] for turn in each["evidence"] if turn in key_of)
        if each["category"] in CATEGORIES and relevant:
            asked.append(Asked(each["question"], relevant))
    return Corpus(records, asked)


def paragraphs(data: list[dict[str, Any]]) -> Corpus:
    """Makes one record of each paragraph."""
    records = {f"paragraph-{number}": {"text": each["context"]} for number, each in enumerate(data)}
    asked = [
        Asked(question, frozenset([f"paragraph-{number}"]))
        for number, each in enumerate(data)
        for question in each["questions"]
    ]
    return Corpus(records, asked)


def with_a_typo(question: str, chance: random.Random) -> str:
    """Returns a question with two letters of its longest word exchanged."""
    words = question.split()
    at = max(range(len(words)), key=lambda number: len(words[number]))
    word = words[at]
    place = chance.randrange(1, max(2, len(word) - 2))
    words[at] = word[:place] + word[place : place + 2][::-1] + word[place + 2 :]
    return " ".join(words)


def results(
    memory: Any, mode: str, asked: list[Asked], other: Any = None
) -> Iterator[tuple[float, float, float, float, float]]:
    """Yields for each question recall@5, recall@10, reciprocal rank, milliseconds, and overlap@10 with another memory."""
    for question, relevant in asked:
        started = perf_counter()
        found = [hit.entry.key for hit in memory.hits(question, DEPTH, mode=mode)]
        spent = (perf_counter() - started) * 1000
        ranks = [rank for rank, key in enumerate(found, 1) if key in relevant]
        at_5 = sum(rank <= 5 for rank in ranks) / len(relevant)
        same = 1.0
        if other is not None:
            theirs = {hit.entry.key for hit in other.hits(question, DEPTH, mode=mode)}
            same = len(theirs.intersection(found)) / max(1, len(theirs))
        yield at_5, len(ranks) / len(relevant), 1 / ranks[0] if ranks else 0.0, spent, same


def evaluate(
    corpora: list[Corpus], mode: str, language: str, *, typos: bool, url: str | None = None
) -> Result:
    """Asks all questions in one mode.

    Args:
        corpora: records and questions.
        mode: how to search.
        language: of the words.
        typos: exchange two letters in each question.
        url: of a server that answers by itself; None for a memory in this process.
    """
    chance = random.Random(1)
    all_results: list[tuple[float, float, float, float, float]] = []
    for number, (records, asked) in enumerate(corpora):
        memory = MemoryPrimitive(max_size=len(records), language=language).sync
        memory.add_many(records)
        other = None
        if url is not None:
            other = memory
            namespace = f"corpus {number}"
            memory = MemoryPrimitive(
                url, namespace=namespace, language=language, server_search="redisearch", timeout=60
            ).sync
            memory.clear()
            memory.add_many(records)
        if typos:
            asked = [Asked(with_a_typo(each.question, chance), each.relevant) for each in asked]
        memory.hits("warm", 1, mode=mode)
        all_results += results(memory, mode, asked, other)
    at_5, at_10, mrr, spent, same = zip(*all_results, strict=True)
    p95 = sorted(spent)[len(spent) * 95 // 100]
    return Result(fmean(at_5), fmean(at_10), fmean(mrr), p95, fmean(same))


def main() -> None:
    """Prints a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        "--data", type=Path, required=True, action="append", help="a file; may be repeated"
    )
    parser.add_argument(
        "--modes", default="keyword,ranked,semantic,hybrid", help="separated by commas"
    )
    parser.add_argument("--language", default="english", help="of the words, or 'none'")
    parser.add_argument(
        "--typos", action="store_true", help="exchange two letters in each question"
    )
    parser.add_argument(
        "--server",
        action="store_true",
        help="have Redis with RediSearch answer; overlap@10 is with the same search in memory",
    )
    given = parser.parse_args()
    url = None
    if given.server:
        sys.path.append(str(Path(__file__).parent.parent / "tests"))
        from real_servers import Server, modules, redis_8

        url = Server(redis_8(), *modules()).url
    for path in given.data:
        corpora = read(path)
        questions = sum(len(corpus.asked) for corpus in corpora)
        print(f"{path.name}: {len(corpora)} memories, {questions} questions")
        print(f"mode       recall@5  recall@10    MRR  p95 ms{'  overlap@10' if url else ''}")
        for mode in given.modes.split(","):
            try:
                found = evaluate(corpora, mode, given.language, typos=given.typos, url=url)
            except MissingPackage as error:  # a hybrid search would be a ranked one
                print(f"{mode:<10} {error}")
                break
            print(
                f"{mode:<10} {found.recall_at_5:>8.3f} {found.recall_at_10:>10.3f} "
                f"{found.mrr:>6.3f} {found.p95:>7.2f}{f'{found.overlap:>12.2f}' if url else ''}"
            )


if __name__ == "__main__":
    main()
