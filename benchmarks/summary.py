"""How much of what will be asked for survives a summary without a model, beside what is as long.

    python benchmarks/summary.py --data FILE [--shares 0.2,0.33] [--folds 4]

FILE has conversations like those of LoCoMo (see recall.py). Each session of a conversation is summarized by itself. The turns that
the questions of categories 1 to 4 give as their evidence are what should survive.

    words   mean share of the content words of such a turn that are in the summary (stems, without stop words)
    turns   share of these turns of which at least half of the content words are in the summary

Peers of the same length in words take whole turns: the first (lead), the last, or random ones. ``folded`` is the same
summarizer that gets a session in several parts and continues its summary with each.
"""

from __future__ import annotations

import argparse
import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from recall import read

from tta_memory_nb import MemoryPrimitive, MemoryRecord
from tta_memory_nb.search.ranked.words import Words
from tta_memory_nb.summarizers.extractive import Extractive

Session = list[MemoryRecord]

FINDER = Words("english")


def content(text: str) -> frozenset[str]:
    """Returns the stems of the content words of a text."""
    return frozenset(
        term
        for word in FINDER.of(text)
        if not word.whole and word.text not in FINDER.stop_words
        for term in word.terms
    )


def words_in(text: str) -> int:
    """Returns how many words a text has."""
    return sum(not word.whole for word in FINDER.of(text))


def sessions_of(path: Path) -> list[tuple[Session, set[str]]]:
    """Returns each session with the keys of its turns that are evidence."""
    found = []
    for corpus in read(path):
        evidence = {key for asked in corpus.asked for key in asked.relevant}
        sessions: dict[str, Session] = defaultdict(list)
        for number, (key, value) in enumerate(corpus.records.items()):
            record = MemoryRecord(key, value, created_at=number, updated_at=number)
            sessions[key.rpartition(":")[0]].append(record)
        found += [
            (session, evidence & {each.key for each in session}) for session in sessions.values()
        ]
    return [(session, evidence) for session, evidence in found if evidence]


def turns(order: Callable[[list[int]], list[int]]) -> Callable[[Session, int], str]:
    """Returns a summarizer that takes whole turns in some order, until no more fit."""

    def summarize(session: Session, room: int) -> str:
        texts = [f"{each.value['speaker']}: {each.value['text']}" for each in session]
        chosen = []
        for number in order(list(range(len(texts)))):
            size = words_in(texts[number])
            if size <= room:
                room -= size
                chosen.append(number)
        return "\n".join(texts[number] for number in sorted(chosen))

    return summarize


def folded(share: float, folds: int) -> Callable[[Session, int], str]:
    """Returns a summarizer that gets a session in parts."""

    def summarize(session: Session, _room: int) -> str:
        memory = MemoryPrimitive(max_size=len(session) + 1).sync
        extract = Extractive(share)
        text = ""
        for fold in range(folds):
            part = session[len(session) * fold // folds : len(session) * (fold + 1) // folds]
            memory.add_many({each.key: each.value for each in part})
            text = memory.summarize(0, into="summary", summarizer=extract).text or text
        return text

    return summarize


def main() -> None:
    """Prints a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="a file of conversations")
    parser.add_argument("--shares", default="0.2,0.33", help="of the words that are kept")
    parser.add_argument("--folds", type=int, default=4, help="parts of a session")
    given = parser.parse_args()
    sessions = sessions_of(given.data)
    evidence = sum(len(keys) for _, keys in sessions)
    print(f"{given.data.name}: {len(sessions)} sessions, {evidence} turns that are evidence")
    print("share summarizer   words   turns   words in the summaries")
    chance = random.Random(1)
    for share in map(float, given.shares.split(",")):
        extract = Extractive(share, most_words=1_000_000)
        ways: dict[str, Callable[[Session, int], str]] = {
            "lead": turns(lambda order: order),
            "last": turns(lambda order: order[::-1]),
            "random": turns(lambda order: chance.sample(order, len(order))),
            "extractive": lambda session, _room, extract=extract: extract(session),  # type: ignore[misc]
            "folded": folded(share, given.folds),
        }
        for name, way in ways.items():
            report(name, share, way, sessions, extract)


def report(
    name: str,
    share: float,
    way: Callable[[Session, int], str],
    sessions: Sequence[Any],
    extract: Extractive,
) -> None:
    """Prints a line of the table."""
    kept: list[float] = []
    length = 0
    for session, evidence in sessions:
        # As long as the summary of sentences is, with its headings and speakers.
        text = way(session, words_in(extract(session)))
        length += words_in(text)
        there = content(text)
        for each in session:
            wanted = content(str(each.value["text"]))
            if each.key in evidence and wanted:
                kept.append(len(wanted & there) / len(wanted))
    half = fmean(share >= 0.5 for share in kept)
    print(f"{share:<5} {name:<12} {fmean(kept):>6.3f}  {half:>6.3f}  {length:>8,}", flush=True)


if __name__ == "__main__":
    main()
