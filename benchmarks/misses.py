"""The slowest searches for exact text: made-up texts that no record contains, although all of their n-grams are frequent.

    python benchmarks/misses.py [--size 1000000] [--needles 300]

Such a text is a walk over frequent 4-grams of the records: each step adds a byte so that the last four bytes are one of
them. Of many walks, those are searched whose 4-grams occur together in the largest share of a sample of records, and
which are in none of these. Each is searched the first time, with nothing remembered. The figures are
percentiles of processor time in milliseconds, beside those of SQLite FTS5 with trigrams for the same texts, and of a
scan of all folded texts.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable, Sequence
from random import Random
from time import process_time

from corpus import SEED, Zipf
from peers import Peer, SqliteFts5

from tta_memory_nb import MemoryPrimitive
from tta_memory_nb.text import BORDER, searchable

_SAMPLE = 3000
_LEAST = 0.01  # share of the sample that has a frequent 4-gram
_LENGTHS = (5, 6, 7, 8, 9, 10, 12)
_WALKS = 200_000
_SCANNED = 5
LIMIT = 5


def _grams(text: str) -> set[str]:
    pieces = text.split(BORDER)
    return {piece[at : at + 4] for piece in pieces for at in range(len(piece) - 3)}


def needles(sample: Sequence[str], count: int) -> list[str]:
    """Returns made-up texts that are in no text of a sample, those first of which most texts have all 4-grams."""
    random = Random(SEED)
    # Bit n of a number says whether text n has the 4-gram.
    having: Counter[str] = Counter()
    for number, text in enumerate(sample):
        for gram in _grams(text):
            having[gram] |= 1 << number
    frequent = {g: b for g, b in having.items() if b.bit_count() >= _LEAST * len(sample)}
    after: dict[str, list[str]] = {}
    for gram in sorted(frequent):
        after.setdefault(gram[:3], []).append(gram)
    starts, joined = sorted(frequent), "\n".join(sample)
    found: dict[str, int] = {}
    for _ in range(_WALKS):
        walk = random.choice(starts)
        together, length = frequent[walk], random.choice(_LENGTHS)
        while len(walk) < length and walk[-3:] in after and together:
            step = random.choice(after[walk[-3:]])
            walk, together = walk + step[3], together & frequent[step]
        shares = together.bit_count()
        if len(walk) >= _LENGTHS[0] and shares >= _LEAST * len(sample) and walk not in joined:
            found[walk] = shares
    return sorted(found, key=lambda walk: -found[walk])[:count]


def _times(asked: Sequence[str], search: Callable[[str], object]) -> list[float]:
    times = []
    for needle in asked:
        started = process_time()
        search(needle)
        times.append(1000 * (process_time() - started))
    return times


def main() -> None:
    """Prints percentiles of the times, and the slowest texts."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--size", type=int, default=1_000_000)
    parser.add_argument("--needles", type=int, default=300)
    arguments = parser.parse_args()
    memory = MemoryPrimitive(max_size=arguments.size).sync
    peer: Peer = SqliteFts5(arguments.size)
    texts: list[str] = []
    for chunk in Zipf(arguments.size).chunks():
        memory.add_many(dict(chunk))
        peer.load(list(chunk))
        texts += [searchable(value) for _, value in chunk]
    sample = Random(SEED).sample(texts, min(_SAMPLE, len(texts)))
    memory.build_index()
    asked = needles(sample, arguments.needles)
    memory.search("warm up")
    peer.search("warm up", LIMIT)
    ours = _times(asked, lambda needle: memory.search(needle, limit=LIMIT))
    theirs = _times(asked, lambda needle: peer.search(needle, LIMIT))
    scans = _times(asked[:_SCANNED], lambda needle: sum(needle in text for text in texts))
    print(f"{len(asked)} texts among {arguments.size:,} records, milliseconds the first time:")
    print(f"         {'this package':>12}  {'FTS5':>8}")
    for share in (0.5, 0.9, 0.95, 0.99, 1.0):
        both = (
            sorted(times)[min(len(asked) - 1, int(share * len(asked)))] for times in (ours, theirs)
        )
        print(f"  {share:5.0%}  {next(both):12.2f}  {next(both):8.2f}")
    print(f"  a scan {sum(scans) / len(scans):12.2f}")
    print("The slowest of this package:")
    for spent, peers, needle in sorted(zip(ours, theirs, asked, strict=True), reverse=True)[:5]:
        found = memory.count(needle)
        print(f"  {spent:12.2f}  {peers:8.2f}  {needle!r}, in {found:,} records")


if __name__ == "__main__":
    main()
