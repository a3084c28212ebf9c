"""How much of what answers a question a context pack brings into a prompt, and for how many tokens.

    python benchmarks/pack.py --data FILE [--budgets 200,400,800] [--top 5,10,20] [--others 500]

FILE has conversations like those of LoCoMo (see recall.py). Each conversation gets a memory. The peers are what most
programs do: the k best records of a search as lines of JSON, with their keys and without them.

    recall    share of the turns that answer a question, mean over the questions of categories 1 to 4
    tokens    mean of the text, counted with the tokenizer of WordLlama (32,000 tokens of Llama 2)
    per 1,000 recall divided by tokens, times 1,000
    nothing   share of questions that get an empty text: about this conversation, and about another one

The line "right turns alone" is what a perfect choice among the best 60 records would bring in the form of a pack: it tells how much of
the rest is due to the ranking, and how much to the form. The lines "stopped in time" cut each pack off behind its last right turn:
no rule that only says where to stop can do better.

Packs are made as they are by default (``fill="enough"``), and with the budget filled (``fill="budget"``).

A smaller k has a higher recall per token, so the last lines compare twice: with as many of the best records as fit into the
same budget, and at the same recall, with the smallest k that answers as much as the pack.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

from recall import Asked, Corpus, read

from tta_memory_nb import MemoryPrimitive
from tta_memory_nb.entry import entry_of
from tta_memory_nb.memory.packing.lines import citations, line_of, text_of

MOST = 60


class Row(NamedTuple):
    """What one way to fill a prompt brings."""

    recall: float
    tokens: float
    nothing: float

    @property
    def per_1000(self) -> float:
        """Recall divided by tokens, times 1,000."""
        return self.recall / self.tokens * 1000 if self.tokens else 0.0

    def line(self, name: str, other: str = "") -> str:
        """Returns a line of the table."""
        return (
            f"{name:<32} {self.recall:>6.3f} {self.tokens:>7.0f} {self.per_1000:>9.2f} "
            f"{self.nothing:>8.3f} {other}"
        )


def tokenizer() -> Callable[[str], int]:
    """Returns the number of tokens of texts, by the tokenizer of WordLlama."""
    from tta_memory_nb.embedders.wordllama import WordLlama

    encode = WordLlama()._tokenizer.encode  # noqa: SLF001  its vectors are not needed

    def count(text: str) -> int:
        return len(encode(text, add_special_tokens=False).ids) if text else 0

    return count


def memory_of(corpus: Corpus) -> Any:
    """Returns a memory with the records of a conversation."""
    memory = MemoryPrimitive(max_size=len(corpus.records)).sync
    memory.add_many(corpus.records)
    return memory


def as_json(hits: Sequence[Any], *, with_keys: bool) -> str:
    """Returns records as lines of JSON."""
    rows = [hit.entry.value() for hit in hits]
    if with_keys:
        rows = [{"key": hit.entry.key, **row} for hit, row in zip(hits, rows, strict=True)]
    return "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)


def packed(
    memory: Any,
    question: str,
    *,
    budget: int,
    count: Callable[[str], int],
    mode: str,
    threshold: float | None,
    fill: str,
) -> Any:
    """Returns a pack for a question."""
    return memory.pack(question, budget, count, mode, threshold, fill=fill)


def right_alone(hits: Sequence[Any], asked: Asked) -> tuple[list[str], str]:
    """Returns the keys of the right turns among some hits, and the text that a pack makes of these alone."""
    lines = [line_of(hit.entry) for hit in hits if hit.entry.key in asked.relevant]
    keys = [line.key for line in lines]
    return keys, text_of(lines, citations(keys, "short"), times=False)


def in_time(pack: Any, asked: Asked) -> tuple[list[str], str]:
    """Returns the keys and the text of a pack that somebody who knows the answer stops behind its last right turn."""
    best = [each.key for each in pack.considered if each.outcome == "packed"]
    last = max((n for n, key in enumerate(best, 1) if key in asked.relevant), default=0)
    keys = set(best[:last])
    lines = [line_of(entry_of(record)) for record in pack.records if record.key in keys]
    cited = citations([line.key for line in lines], "short")
    return best[:last], text_of(lines, cited, times=False)


def found(keys: Sequence[str], asked: Asked) -> float:
    """Returns the share of the right turns among some."""
    return len(asked.relevant & set(keys)) / len(asked.relevant)


def of_texts(texts: Sequence[tuple[Asked, list[str], str]], count: Callable[[str], int]) -> Row:
    """Returns what texts bring, each given with its question and the keys of its turns."""
    return Row(
        fmean(found(keys, asked) for asked, keys, _ in texts),
        fmean(count(text) for *_, text in texts),
        fmean(not keys for _, keys, _ in texts),
    )


def compare(
    rows: dict[str, Row],
    budgets: dict[str, int],
    filled: Callable[..., Row],
    top: Callable[..., Row],
) -> None:
    """Prints how packs compare with the best records, for the same budget and at the same recall.

    Args:
        rows: what packs bring, by name.
        budgets: their budgets, by name.
        filled: returns what the best records bring that fit into a budget.
        top: returns what the k best records bring.
    """
    print("\nrecall per 1,000 tokens, beside the best records that fit into the same budget:")
    for name, row in rows.items():
        for with_keys in (False, True):
            peer = filled(budgets[name], with_keys=with_keys)
            form = "with keys" if with_keys else "without  "
            print(
                f"{name:<32} {form} {peer.recall:.3f} in {peer.tokens:>4.0f}: "
                f"{row.per_1000 / peer.per_1000:.2f} times as much"
            )
    print("\nat the same recall, tokens of the smallest k that answers as much:")
    for name, row in rows.items():
        for with_keys in (False, True):
            k = next(
                (k for k in range(1, MOST) if top(k, with_keys=with_keys).recall >= row.recall),
                MOST,
            )
            peer = top(k, with_keys=with_keys)
            form = "with keys" if with_keys else "without  "
            print(
                f"{name:<32} {form} top {k:<3} {peer.tokens:>6.0f}: {peer.tokens / row.tokens:.2f} times as many"
            )


def main() -> None:
    """Prints a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="a file of conversations")
    parser.add_argument("--budgets", default="200,400,800", help="of packs, separated by commas")
    parser.add_argument("--top", default="5,10,20", help="k of the peers, separated by commas")
    parser.add_argument(
        "--others", type=int, default=500, help="questions about other conversations"
    )
    parser.add_argument("--mode", default="hybrid", help="of all searches")
    given = parser.parse_args()
    corpora, count = read(given.data), tokenizer()
    memories = [memory_of(corpus) for corpus in corpora]
    own = [
        (memory, asked)
        for memory, corpus in zip(memories, corpora, strict=True)
        for asked in corpus.asked
    ]
    others = [
        (memory, asked.question)
        for memory, mine in zip(memories, corpora, strict=True)
        for corpus in corpora
        if corpus is not mine
        for asked in corpus.asked
    ]
    others = random.Random(1).sample(others, min(given.others, len(others)))
    print(f"{given.data.name}: {len(corpora)} memories, {len(own)} questions, mode {given.mode}")
    print(f"{'':<32} recall  tokens per 1,000  nothing  of {len(others)} about another")
    best: list[tuple[Asked, Sequence[Any]]] = [
        (asked, memory.hits(asked.question, MOST, mode=given.mode)) for memory, asked in own
    ]

    def filled(budget: int, *, with_keys: bool) -> Row:
        """Returns what the best records bring that fit into a budget."""
        rows = []
        for asked, hits in best:
            keys: list[str] = []
            tokens = 0
            for hit in hits:
                # A line break is one token.
                more = count(as_json([hit], with_keys=with_keys)) + bool(keys)
                if tokens + more > budget:
                    break
                keys.append(hit.entry.key)
                tokens += more
            rows.append((found(keys, asked), tokens, not keys))
        return Row(*map(fmean, zip(*rows, strict=True)))

    @cache
    def top(k: int, *, with_keys: bool) -> Row:
        return Row(
            fmean(found([hit.entry.key for hit in hits[:k]], asked) for asked, hits in best),
            fmean(count(as_json(hits[:k], with_keys=with_keys)) for _, hits in best),
            fmean(not hits for _, hits in best),
        )

    for k in map(int, given.top.split(",")):
        print(top(k, with_keys=False).line(f"top {k} as JSON"))
        print(top(k, with_keys=True).line(f"top {k} as JSON with keys"))
    alone = [(asked, *right_alone(hits, asked)) for asked, hits in best]
    print(of_texts(alone, count).line("right turns alone"))
    rows: dict[str, Row] = {}
    budgets: dict[str, int] = {}
    tried = [
        ("", None, "enough"),
        (", filled", None, "budget"),
        (", filled, any relevance", 0, "budget"),
    ]
    for budget in map(int, given.budgets.split(",")):
        for how, threshold, fill in tried:
            pack = partial(
                packed, budget=budget, count=count, mode=given.mode, threshold=threshold, fill=fill
            )
            packs = [(asked, pack(memory, asked.question)) for memory, asked in own]
            assert all(pack.tokens == count(pack.text) <= budget for _, pack in packs)
            row = Row(
                fmean(found(pack.keys, asked) for asked, pack in packs),
                fmean(pack.tokens for _, pack in packs),
                fmean(not pack for _, pack in packs),
            )
            refused = [not pack(memory, question) for memory, question in others]
            name = f"pack {budget}{how}"
            rows[name], budgets[name] = row, budget
            print(row.line(name, f"{fmean(refused):.3f}"), flush=True)
            stopped = [(asked, *in_time(pack, asked)) for asked, pack in packs]
            print(of_texts(stopped, count).line("    stopped in time"), flush=True)
    compare(rows, budgets, filled, top)


if __name__ == "__main__":
    main()
