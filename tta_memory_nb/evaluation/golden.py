"""Golden sets: questions, the records that answer them, and the file that keeps both.

The file has one JSON object a line. A judgement is one line that is appended, so two notebooks that judge at
the same time lose nothing, and what is read is what remains of all lines:

    {"golden_set": 1}
    {"query": "when does it rain", "relevant": {"alice:mon": "0f3a..."}, "wrong": {"alice:tue": "77c1..."}}
    {"query": "umbrella", "filters": {"user": "alice"}, "relevant": ["alice:wed"]}
    {"query": "when does it rain", "forget": ["alice:tue"]}

The first line says the version of the format. The text beside a key is the `digest` of the value that was
judged; a list of keys, which is easier to type, has none. ``grades`` names keys that answer better than
others: ``{"alice:mon": 2}``. Lines of the same query and filters belong to one question.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from ..codec import from_json, to_plain
from ..entry import Entry
from ..errors import InvalidArgument, TransferError, brief
from ..filters import FilterArgs, Filters
from ..keys import checked_keys
from ..times import counted_back
from ..transfer.files import (
    atomic_writer,
    check_not_read_only,
    open_for_reading,
    path_of,
    unwritable,
)
from ..transfer.items import parsed_json

VERSION = 1
"""Version of the file format that this version writes."""

_FIELDS = ("query", "filters", "relevant", "wrong", "grades", "forget")


@dataclass(frozen=True, slots=True)
class Question:
    """One judged search.

    Attributes:
        query: what is searched for.
        grades: key of a judged record -> how well it answers: 1 or more for a right one, 0 for a wrong one.
        digests: key -> `digest` of the value that was judged; a key may have none.
        filters: which records may answer, as the arguments of a search.
    """

    query: str
    grades: Mapping[str, int]
    digests: Mapping[str, str] = field(default_factory=dict)
    filters: FilterArgs = field(default_factory=FilterArgs)

    @property
    def relevant(self) -> list[str]:
        """The keys of the right records."""
        return [key for key, grade in self.grades.items() if grade > 0]

    @property
    def identity(self) -> str:
        """Text that only questions with the same query and filters share."""
        return _canonical([self.query, self.filters])


@dataclass(frozen=True, slots=True)
class GoldenSet:
    """Judged searches, which `evaluate` asks a memory.

        >>> GoldenSet.of({"when does it rain": ["alice:mon"]})
        GoldenSet('golden set', 1 question, 1 right record)

    Attributes:
        questions: the questions.
        name: what messages call the set.
        records: keys and values of the records that the set brings along, as test collections do. An
            evaluation then uses a memory of its own; empty for a set about a memory that exists.
    """

    questions: tuple[Question, ...]
    name: str = "golden set"
    records: tuple[tuple[str, dict[str, Any]], ...] = field(default=(), repr=False)

    def __repr__(self) -> str:
        right = sum(len(question.relevant) for question in self.questions)
        parts = [_counted(len(self.questions), "question"), _counted(right, "right record")]
        if self.records:
            parts.append(f"brings {_counted(len(self.records), 'record')}")
        return f"GoldenSet({self.name!r}, {', '.join(parts)})"

    @classmethod
    def of(
        cls, judged: Mapping[str, Iterable[str] | Mapping[str, int]], name: str = "golden set"
    ) -> GoldenSet:
        """Returns a set of questions without filters.

        Args:
            judged: query -> keys of the right records, or their grades by key.
            name: what messages call the set.

        Raises:
            InvalidArgument: no dict, a query or a key is not text, or a grade is no whole number of at least 0.
        """
        if not isinstance(judged, Mapping):
            raise InvalidArgument.about(
                "judged", judged, "give a dict, such as {'when does it rain': ['alice:mon']}"
            )
        lines = (
            {
                "query": query,
                "relevant": checked_keys(keys, f"judged[{brief(query)}]"),
                **_grades_of(keys),
            }
            for query, keys in judged.items()
        )
        return cls(tuple(_merged(_checked(line) for line in lines)), name)

    @classmethod
    def read(cls, path: str | os.PathLike[str], split: str | None = None) -> GoldenSet:
        """Reads a golden set, a LoCoMo-like file or a BEIR-like folder.

        Args:
            path: a file of this module's format; a ``.json`` file of conversations with questions, as
                LoCoMo's; or a folder with ``queries.jsonl``, ``corpus.jsonl`` and ``qrels/*.tsv``, as
                BEIR's. Files may be compressed with gzip.
            split: of a BEIR-like folder, the name of the file in ``qrels``; None: ``test``, or the only one.

        Returns:
            Its questions and judgements, and the records where the file has them.

        Raises:
            TransferError: the file cannot be read, or a line of it is no judgement; the message names the line.
        """
        from . import corpora

        place = path_of(path)
        if not place.exists():
            raise TransferError(
                f"cannot read {str(place)!r}: No such file or directory; name another file, or judge a "
                "search, which begins a golden set"
            )
        if place.is_dir():
            return corpora.read_folder(place, split)
        if ".json" in place.suffixes[-2:]:
            return corpora.read_conversations(place)
        return cls(tuple(_merged(_lines(place))), place.name)

    def write(self, path: str | os.PathLike[str]) -> None:
        """Writes one line a question, and replaces the file in one step; records are not written.

        Raises:
            TransferError: the file cannot be written.
        """
        with atomic_writer(path_of(path)) as file:
            file.write(_line({"golden_set": VERSION}))
            for question in self.questions:
                file.write(_line(_written(question)))


def digest(value: Mapping[str, Any]) -> str:
    """Returns 16 hex digits that tell values apart: of SHA-256 over JSON with sorted names."""
    text = _canonical(to_plain(cast("dict[str, Any]", value)))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def digest_of(entry: Entry) -> str:
    """Returns the `digest` of the value of an entry."""
    return digest(from_json(entry.text))


def judge(
    path: str | os.PathLike[str],
    query: str,
    *,
    right: Iterable[Entry] = (),
    wrong: Iterable[Entry] = (),
    forget: Iterable[str] = (),
    filters: FilterArgs | None = None,
) -> None:
    """Appends a judgement to the file of a golden set, which is made if there is none.

    A later judgement of the same record for the same query and filters replaces the earlier one.

    Args:
        path: the file.
        query: what was searched for.
        right: the records that answer the query.
        wrong: the records that do not.
        forget: keys of records that are no longer judged for this query.
        filters: which records may answer, as the arguments of a search.

    Raises:
        InvalidArgument: an empty query, no record, a record that is right and wrong, a filter without a meaning.
        TransferError: the file cannot be written, or is no golden set.
    """
    place = path_of(path)
    if not isinstance(query, str) or not query:
        raise InvalidArgument.about("query", query, "give the text that was searched for")
    line = {
        "query": query,
        "filters": filters or {},
        "relevant": {entry.key: digest_of(entry) for entry in right},
        "wrong": {entry.key: digest_of(entry) for entry in wrong},
        "forget": checked_keys(forget, "forget"),
    }
    if not line["relevant"] and not line["wrong"] and not line["forget"]:
        raise InvalidArgument("name at least one record that is right or wrong")
    _checked(line)
    kept = {name: content for name, content in line.items() if content}
    before = _beginning(place)
    try:
        check_not_read_only(place)
        with place.open("ab", buffering=0) as file:
            # One write of the whole, which the system appends without other writers in between.
            file.write(before + _line(kept))
    except OSError as error:
        raise unwritable(place, error) from None


def _beginning(place: Path) -> bytes:
    """Returns what has to be written before a line: the version, or the end of an unfinished line.

    Raises:
        TransferError: the file exists and is no golden set.
    """
    try:
        if not place.stat().st_size:
            return _line({"golden_set": VERSION})
    except OSError:
        return _line({"golden_set": VERSION})
    for _ in _lines(place):
        pass
    with place.open("rb") as file:
        if file.read(2) == b"\x1f\x8b":
            raise TransferError(
                f"cannot add to {str(place)!r}: the file is compressed; unpack it first"
            )
        file.seek(-1, os.SEEK_END)
        return b"" if file.read(1) == b"\n" else b"\n"


# ---- lines


def _lines(place: Path) -> Iterator[dict[str, Any]]:
    """Yields the lines of a file, checked, without those that only say the version."""
    with open_for_reading(place) as file:
        for number, raw in enumerate(file, start=1):
            text = raw.removeprefix(b"\xef\xbb\xbf").strip()
            if not text:
                continue
            try:
                line = parsed_json(text)
                if isinstance(line, dict) and "golden_set" in line:
                    _check_version(line["golden_set"])
                else:
                    yield _checked(line)
            except InvalidArgument as error:
                raise TransferError(f"{str(place)!r}, line {number}: {error}") from None


def _check_version(version: object) -> None:
    if version != VERSION:
        raise InvalidArgument(
            f"version {brief(version)} of the format is not known; this version of tta_memory_nb reads "
            f"version {VERSION}: install a newer one"
        )


def _checked(line: Any) -> dict[str, Any]:
    """Returns a line with ``relevant`` and ``wrong`` as digests by key.

    Raises:
        InvalidArgument: the line is no judgement.
    """
    if not isinstance(line, dict) or not isinstance(line.get("query"), str) or not line["query"]:
        raise InvalidArgument(
            f"{brief(line)}: give an object with a query, which is non-empty text, and the keys of "
            'relevant records: {"query": "rain", "relevant": ["alice:mon"]}'
        )
    if unknown := [name for name in line if name not in _FIELDS]:
        raise InvalidArgument(f"unknown field {brief(unknown[0])}; there are {', '.join(_FIELDS)}")
    checked = {
        "query": line["query"],
        "filters": _filters(line.get("filters") or {}),
        "relevant": _keys(line, "relevant"),
        "wrong": _keys(line, "wrong"),
        "grades": _grades(line.get("grades") or {}),
        "forget": list(_keys(line, "forget")),
    }
    if both := checked["relevant"].keys() & checked["wrong"].keys():
        raise InvalidArgument(
            f"{brief(min(both))} is both relevant and wrong; leave one of them out"
        )
    if strange := checked["grades"].keys() - checked["relevant"].keys():
        raise InvalidArgument(
            f"{brief(min(strange))} has a grade and is not among the relevant keys"
        )
    return checked


def _filters(filters: Any) -> dict[str, Any]:
    if not isinstance(filters, dict) or filters.keys() - FilterArgs.__annotations__.keys():
        known = ", ".join(FilterArgs.__annotations__)
        raise InvalidArgument(f"filters {brief(filters)}: give an object with some of {known}")
    kept = {name: content for name, content in filters.items() if content is not None}
    # A limit that counts back from now may come to lie before or behind one that stays where it is.
    ends = [kept[name] for name in ("since", "until") if name in kept]
    if len({counted_back(end) is None for end in ends}) > 1:
        for name, content in kept.items():
            Filters.build(0.0, **{name: content})
    else:
        Filters.build(0.0, **kept)
    return to_plain(kept, "filters")


def _keys(line: dict[str, Any], name: str) -> dict[str, str | None]:
    """Returns the digest by key, None where the line has none."""
    given = line.get(name) or {}
    kept = dict.fromkeys(given) if isinstance(given, list) and _all_text(given) else given
    if (
        not isinstance(kept, dict)
        or "" in kept
        or not _all_text(kept)
        or not all(found is None or isinstance(found, str) for found in kept.values())
    ):
        raise InvalidArgument(f"{name} {brief(given)}: give a list of keys, or digests by key")
    return kept


def _all_text(keys: Iterable[object]) -> bool:
    return all(isinstance(key, str) for key in keys)


def _grades(grades: Any) -> dict[str, int]:
    if isinstance(grades, dict) and all(
        type(grade) is int and grade >= 1 for grade in grades.values()
    ):
        return grades
    raise InvalidArgument(
        f"grades {brief(grades)}: give whole numbers of at least 1 by key; a record of grade 0 is wrong"
    )


def _grades_of(keys: Iterable[str] | Mapping[str, int]) -> dict[str, Any]:
    """Returns the fields of a line for grades by key."""
    if not isinstance(keys, Mapping):
        return {}
    right = [key for key, grade in keys.items() if grade != 0]
    return {
        "relevant": right,
        "wrong": [key for key, grade in keys.items() if grade == 0],
        "grades": {key: keys[key] for key in right},
    }


def _merged(lines: Iterable[dict[str, Any]]) -> list[Question]:
    """Returns the questions that remain of lines, in the order of their first lines."""
    questions: dict[str, Question] = {}
    for line in lines:
        new = Question(line["query"], {}, {}, line["filters"])
        old = questions.setdefault(new.identity, new)
        grades = {**old.grades, **dict.fromkeys(line["wrong"], 0)}
        grades |= {key: line["grades"].get(key, 1) for key in line["relevant"]}
        judged = {**line["relevant"], **line["wrong"]}
        gone = set(line["forget"]) - judged.keys()
        digests = {key: found for key, found in old.digests.items() if key not in judged}
        digests |= {key: found for key, found in judged.items() if found is not None}
        questions[new.identity] = Question(
            old.query,
            {key: grade for key, grade in grades.items() if key not in gone},
            {key: found for key, found in digests.items() if key not in gone},
            old.filters,
        )
    return [question for question in questions.values() if question.grades]


def _written(question: Question) -> dict[str, Any]:
    """Returns the line of a question, without empty fields."""

    def digests(right: bool) -> dict[str, str | None]:
        return {
            key: question.digests.get(key)
            for key, grade in question.grades.items()
            if (grade > 0) is right
        }

    line = {
        "query": question.query,
        "filters": question.filters,
        "relevant": digests(right=True),
        "wrong": digests(right=False),
        "grades": {key: grade for key, grade in question.grades.items() if grade > 1},
    }
    return {name: content for name, content in line.items() if content}


def _line(content: Mapping[str, Any]) -> bytes:
    # Escaped to ASCII where UTF-8 cannot hold it, which only unpaired surrogates need.
    text = json.dumps(content, ensure_ascii=False)
    try:
        return f"{text}\n".encode()
    except UnicodeEncodeError:
        return f"{json.dumps(content)}\n".encode()


def _canonical(content: Any) -> str:
    return json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"
