"""What to try after a search that has found nothing: other spellings, words, modes, namespaces."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from functools import cache
from itertools import islice
from unicodedata import category

from ..errors import JOINERS
from ..filters import FilterArgs
from ..memory.faces import SyncMemory
from ..search.request import SearchMode
from ..table import flatten
from ..text import fold, leaf_text
from .commands.base import Notebook, count_records, is_quoted, shown

# So many of the newest records are read for words that are spelled alike, which takes a fraction of a second.
_READ = 5_000
_MOST_CHARACTERS = 10_000
_MOST_WORDS, _MOST_NAMESPACES, _LONGEST_WORD = 5, 20, 40
# Records whose index is built in less than half a second, just to see whether another mode finds something.
_MOST_INDEXED = 20_000
_MISSPELLED = "did you mean"
_OTHER_MODES: tuple[SearchMode, ...] = ("keyword", "ranked", "hybrid")
_BY_WORDS = ("words", "soft words", "around")
# A word is no misspelling of one that is longer or shorter by more than this.
_FARTHEST = 2
_LAST_MARK = 0x1F000  # the marks behind it only choose among variants of a letter
# What a search would take for a flag or a variable.
_NOT_PLAIN = re.compile(r"(?:^|\s)-|[${]")
# A name that needs no quotes in a command, whatever shell or magic reads it.
_PLAIN_NAME = re.compile(r"[\w.-]+")


@cache
def _word() -> re.Pattern[str]:
    """Returns the pattern of a word: letters, digits, the marks on them, and joiners between them.

    Python's own classes do not count vowel signs of Indic scripts and other marks to a word.
    """
    marks = "".join(
        re.escape(chr(at)) for at in range(0x300, _LAST_MARK) if category(chr(at))[0] == "M"
    )
    return re.compile(rf"\w[\w{marks}{JOINERS}]+")


def next_steps(
    nb: Notebook,
    query: str,
    filters: FilterArgs,
    mode: SearchMode = "keyword",
    *,
    thorough: bool = False,
) -> list[str]:
    """Returns lines that say what could be typed next; none if nothing would find more.

    Text of the memory is offered as part of a command only if it consists of letters and digits.

    Args:
        nb: the notebook, whose memory has no record that matches.
        query: what was searched for.
        filters: what limited the search.
        mode: how it was searched for.
        thorough: try other modes in a large memory, too, whose index may have to be built first.
    """
    memory = nb.memory.sync
    lines: list[str] = []
    if filters and (total := memory.count(query, mode)):
        lines.append(f"without the filters, {count_records(total)} would match")
    lines += other_keys(memory, filters, query, mode)
    words = list(dict.fromkeys(_word().findall(query)))[:_MOST_WORDS]
    if not lines and words and mode == "keyword":
        lines += _by_words(memory, query, words, filters)
    is_misspelled = any(line.startswith(_MISSPELLED) for line in lines)
    if thorough or (not is_misspelled and memory.size() <= _MOST_INDEXED):
        modes = _OTHER_MODES if thorough else _OTHER_MODES[:2]
        others = [*_by_modes(memory, query, filters, [each for each in modes if each != mode])]
        if is_quoted(query) and not others:
            without = _by_modes(memory, query[1:-1], filters, list(dict.fromkeys((mode, *modes))))
            others = [f"without the quotes, {line}" for line in without]
        lines += others
    lines += _elsewhere(nb, query, mode)
    return lines


def other_keys(
    memory: SyncMemory, filters: FilterArgs, query: str = "", mode: SearchMode = "keyword"
) -> list[str]:
    """Returns a line about records whose keys begin with the user, and the session, of filters, but are of another form.

    Args:
        memory: has no record that passes the filters and matches.
        filters: what limited the search.
        query: what was searched for; empty for any record.
        mode: how it was searched for.
    """
    user, session = filters.get("user"), filters.get("session")
    if user is None or filters.get("prefix") is not None:
        return []
    prefix = f"{user}:" if session is None else f"{user}:{session}:"
    others: FilterArgs = {**filters, "user": None, "session": None, "prefix": prefix}
    total = memory.count(query, mode, **others) if query else memory.count(**others)
    if not total:
        return []
    what = "--user" if session is None else "--user and --session"
    found = f"--prefix {shown(prefix)} in place of {what} finds {count_records(total)}"
    return [f"{found}: these keys are not of the form user:session or user:session:hash"]


def _by_modes(
    memory: SyncMemory, query: str, filters: FilterArgs, modes: Sequence[SearchMode]
) -> Iterable[str]:
    """Yields the first mode that finds a record by its words; the nearest meaning may be far off."""
    for mode in modes if query else ():
        best = memory.hits(query, 1, mode, **filters)
        if best and any(part.signal in _BY_WORDS for part in best[0].explanation):
            line = f"--mode {mode} finds {shown(best[0].entry.key)}"
            if _NOT_PLAIN.search(query) is None and shown(query) == query:
                line += f": %memory search --mode {mode} {query}"
            yield line
            return


def _by_words(
    memory: SyncMemory, query: str, words: list[str], filters: FilterArgs
) -> Iterable[str]:
    counts = {word: memory.count(word, "keyword", **filters) for word in words}
    nearest = _nearest(memory, words, filters)
    corrected = _word().sub(lambda found: nearest.get(found[0], found[0]), query)
    if nearest and memory.count(corrected, "keyword", **filters):
        as_text = "-- " if _NOT_PLAIN.search(corrected) else ""
        if shown(corrected) == corrected:
            yield f"{_MISSPELLED}: %memory search {as_text}{corrected}"
            return
    alike = [word for missing, word in nearest.items() if not counts[missing]]
    if alike:
        yield "spelled alike here: " + ", ".join(dict.fromkeys(alike))
    present = [f"'{word}' is in {count_records(counts[word])}" for word in words if counts[word]]
    if present and words != [query]:
        yield "all of it is searched for as one text; alone, " + ", ".join(present)


def _nearest(memory: SyncMemory, words: list[str], filters: FilterArgs) -> dict[str, str]:
    """Returns for words that the newest records lack the word in them that is spelled most alike."""
    known: set[str] = set()
    word_in = _word()
    for entry in memory.entries(limit=_READ, **filters):
        if len(entry.text) > _MOST_CHARACTERS:
            continue
        for leaf in flatten(entry.value()).values():
            if not isinstance(leaf, (list, dict)):
                known.update(word_in.findall(fold(leaf_text(leaf))))
    nearest: dict[str, str] = {}
    for word in words:
        folded = fold(word)
        if folded in known or len(folded) > _LONGEST_WORD:
            continue
        similar = sorted(each for each in known if abs(len(each) - len(folded)) <= _FARTHEST)
        if found := get_close_matches(folded, similar, n=1, cutoff=0.7):
            nearest[word] = found[0]
    return nearest


def _elsewhere(nb: Notebook, query: str, mode: SearchMode) -> Iterable[str]:
    others = (
        (namespace, memory)
        for (backend, namespace), memory in nb.memories.items()
        if backend == nb.backend and memory is not nb.memory
    )
    for namespace, memory in islice(others, _MOST_NAMESPACES):
        if total := memory.sync.count(query, mode):
            line = f"namespace '{shown(namespace)}' has {count_records(total)}"
            if _PLAIN_NAME.fullmatch(namespace):
                line += f": %memory use --namespace {namespace}"
            yield line
