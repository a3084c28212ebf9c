"""Readers of test collections, which bring their records: LoCoMo-like files and BEIR-like folders."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ..errors import InvalidArgument, TransferError, brief
from ..filters import FilterArgs
from ..keys import create_memory_key
from ..transfer.files import open_for_reading
from ..transfer.items import parsed_json
from .golden import GoldenSet, Question

Record = tuple[str, dict[str, Any]]

_SESSION = re.compile(r"session_([0-9]+)")
_LIKE_LOCOMO = (
    "a list of objects with 'sample_id', 'conversation' (session_1, session_1_date_time, ...; turns with "
    "speaker, dia_id and text) and 'qa' (question, evidence)"
)
# Questions of this category have no answer in the conversation.
_UNANSWERABLE = 5


def read_conversations(path: Path) -> GoldenSet:
    """Reads a file of conversations with questions and the turns that answer them.

    A turn becomes a record under ``conversation:session:hash8``, with the fields ``speaker``, ``text``,
    ``date`` of its session and, of an image, ``caption``. A question is asked of its own conversation
    only. Questions without evidence, and those that the file calls unanswerable (category 5), are left out.

    Source: Maharana et al., Evaluating very long-term conversational memory of LLM agents, ACL 2024.

    Raises:
        TransferError: the file cannot be read, or is another one.
    """
    with open_for_reading(path) as file:
        data = file.read()
    records: list[Record] = []
    questions: list[Question] = []
    try:
        for sample in _samples(parsed_json(data)):
            turns = _turns(sample)
            records += turns.values()
            keys = {turn: key for turn, (key, _) in turns.items()}
            questions += _questions(sample, keys)
    except InvalidArgument as error:
        raise TransferError(f"{str(path)!r}: {error}") from None
    # Parts that are missing or of other types, or the number of a session that has thousands of digits.
    except (KeyError, TypeError, AttributeError, ValueError):
        raise TransferError(f"{str(path)!r}: expected {_LIKE_LOCOMO}") from None
    return GoldenSet(tuple(questions), path.name, tuple(records))


def _samples(data: Any) -> list[Any]:
    """Returns the conversations of a file.

    Raises:
        InvalidArgument: there are none.
    """
    if not isinstance(data, list) or not data:
        raise InvalidArgument(f"expected {_LIKE_LOCOMO}")
    counts = Counter(_part(sample["sample_id"]) for sample in data)
    if twice := [name for name, count in counts.items() if count > 1]:
        raise InvalidArgument(
            f"two conversations have the sample_id {brief(twice[0])}, and their turns would be taken for each "
            "other's; give each another one"
        )
    return data


def _turns(sample: dict[str, Any]) -> dict[str, Record]:
    """Returns the record of each turn by the turn's id, in the order in which they were said.

    Raises:
        InvalidArgument: two turns have one id.
    """
    conversation = sample["conversation"]
    sessions = [found[0] for name in conversation if (found := _SESSION.fullmatch(name))]
    user = _part(sample["sample_id"])
    turns: dict[str, Record] = {}
    for session in sorted(sessions, key=lambda name: (int(name.removeprefix("session_")), name)):
        date = conversation.get(f"{session}_date_time")
        for turn in conversation[session]:
            value = {"speaker": turn["speaker"], "text": turn["text"]}
            if date is not None:
                value["date"] = date
            if turn.get("blip_caption"):
                value["caption"] = turn["blip_caption"]
            name = turn["dia_id"]
            if name in turns:
                raise InvalidArgument(
                    f"two turns of {brief(sample['sample_id'])} have the dia_id {brief(name)}; give each another one"
                )
            turns[name] = create_memory_key(user, session, {"turn": name}), value
    return turns


def _part(name: str) -> str:
    """Returns a name as a part of a key."""
    return name.replace(":", "-")


def _questions(sample: dict[str, Any], keys: dict[str, str]) -> Iterator[Question]:
    for asked in sample["qa"]:
        question, given = asked["question"], asked.get("evidence") or ()
        if not isinstance(question, str) or not question:
            raise InvalidArgument(f"question {brief(question)}: expected text")
        right = {
            keys[turn]: 1
            # A single piece of evidence may stand there without a list.
            for evidence in ((given,) if isinstance(given, str) else given)
            for turn in re.split(r"[;,\s]+", evidence)
            if turn in keys
        }
        if right and asked.get("category") != _UNANSWERABLE:
            filters = FilterArgs(user=_part(sample["sample_id"]))
            yield Question(question, right, filters=filters)


def read_folder(path: Path, split: str | None) -> GoldenSet:
    """Reads a folder of ``corpus.jsonl``, ``queries.jsonl`` and judgements in ``qrels/*.tsv``.

    A document becomes a record under its id, with the fields ``title`` (unless it is empty) and ``text``.

    Source: Thakur et al., BEIR: A heterogeneous benchmark for zero-shot evaluation of information
    retrieval models, NeurIPS Datasets and Benchmarks 2021.

    Args:
        path: the folder.
        split: name of the file in ``qrels``; None: ``test``, or the only one.

    Raises:
        TransferError: a file is missing or cannot be read; the message names the line.
    """
    grades: dict[str, dict[str, int]] = {}
    for query, document, grade in _qrels(_qrels_file(path, split)):
        grades.setdefault(query, {})[document] = grade
    texts = {each["_id"]: each["text"] for each in _rows(path, "queries.jsonl")}
    records = []
    for each in _rows(path, "corpus.jsonl"):
        title = {"title": each["title"]} if each.get("title") else {}
        records.append((each["_id"], {**title, "text": each["text"]}))
    if missing := [query for query in grades if query not in texts]:
        raise TransferError(
            f"{str(path)!r}: queries.jsonl lacks the query {brief(missing[0])} of qrels"
        )
    judged = {query: found for query, found in grades.items() if any(map(bool, found.values()))}
    questions = tuple(Question(texts[query], found) for query, found in judged.items())
    return GoldenSet(questions, path.name, tuple(records))


def _qrels_file(path: Path, split: str | None) -> Path:
    files = {file.stem: file for file in sorted((path / "qrels").glob("*.tsv"))}
    if split is None:
        split = "test" if "test" in files or len(files) != 1 else next(iter(files))
    if split in files:
        return files[split]
    if not files:
        raise TransferError(
            f"{str(path)!r}: no file qrels/{split}.tsv; a folder like those of BEIR has queries.jsonl, "
            "corpus.jsonl and judgements in qrels/*.tsv"
        )
    raise TransferError(
        f"{str(path)!r}: no file qrels/{split}.tsv; give split= one of {', '.join(map(repr, files))}"
    )


def _qrels(path: Path) -> Iterator[tuple[str, str, int]]:
    """Yields query, document and grade of each line; the first line may name the columns."""
    with open_for_reading(path) as file:
        for number, line in enumerate(file, start=1):
            columns = line.decode("utf-8", "replace").strip().split("\t")
            if columns == [""] or (number == 1 and columns[-1] == "score"):
                continue
            try:
                query, document, grade = columns
                yield query, document, max(0, int(grade))
            except ValueError:
                raise TransferError(
                    f"{str(path)!r}, line {number}: expected query, document and a whole number, separated "
                    "by tabs"
                ) from None


def _rows(folder: Path, name: str) -> Iterable[dict[str, Any]]:
    """Yields the objects of a file of the folder, each with the texts ``_id`` and ``text``."""
    path = folder / name
    if not path.exists() and (folder / f"{name}.gz").exists():
        path = folder / f"{name}.gz"
    with open_for_reading(path) as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                row = parsed_json(line)
            except InvalidArgument as error:
                raise TransferError(f"{str(path)!r}, line {number}: {error}") from None
            if (
                not isinstance(row, dict)
                or not isinstance(row.get("_id"), str)
                or not row["_id"]
                or not isinstance(row.get("text"), str)
            ):
                raise TransferError(
                    f"{str(path)!r}, line {number}: expected an object with the texts '_id', which is not empty, and 'text'"
                )
            yield row
