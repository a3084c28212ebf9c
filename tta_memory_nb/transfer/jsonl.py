"""JSON Lines: one record a line, and nothing of it is lost.

A line without a key may hold a conversation, as in the files that models are tuned with.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from ..codec import to_json
from ..errors import InvalidArgument, brief
from ..record import MemoryRecord
from ..table import instants_of, is_utf8
from .chat import Unnamed, messages_of
from .files import opened
from .items import DEFAULT_KEY, Item, Options, attempt, parsed_json, record_from_object


def read_jsonl(path: Path, options: Options) -> Iterator[Item]:
    """Records of a file; an empty file holds none, as the export of an empty memory does."""
    name = options.session or path.name.removesuffix(".gz").rpartition(".")[0] or path.name
    unnamed = Unnamed(name, options, set())
    with opened(path) as file:
        for number, line in enumerate(file, start=1):
            if number == 1:
                line = line.removeprefix(b"\xef\xbb\xbf")
            # Without its end, or what is missing there would be missed on the line after it.
            if line := line.strip():
                yield from _from_line(line, f"line {number}", options, unnamed)


def _from_line(line: bytes, place: str, options: Options, unnamed: Unnamed) -> Iterator[Item]:
    try:
        row = parsed_json(line)
    except InvalidArgument as error:
        yield place, error
        return
    if not isinstance(row, dict):
        yield place, InvalidArgument(f"expected an object, found {brief(row)}")
        return
    messages = messages_of(row) if options.key == DEFAULT_KEY and DEFAULT_KEY not in row else None
    if messages is None:
        yield place, attempt(record_from_object, row, options.key)
    else:
        yield from unnamed.items(row, messages, place)


def write_jsonl(file: BinaryIO, records: Iterable[MemoryRecord]) -> int:
    """Writes records in turn; returns how many."""
    count = 0
    for record in records:
        count += 1
        created, updated, expires = instants_of(record)
        line = json_text(
            {
                "key": record.key,
                "value": record.value,
                "namespace": record.namespace,
                "created_at": created,
                "updated_at": updated,
                "expires_at": expires,
            }
        )
        file.write(line.encode() + b"\n")
    return count


def json_text(content: Any) -> str:
    """Compact JSON that UTF-8 can carry: half a surrogate pair needs its escape."""
    text = to_json(content)
    return text if is_utf8(text) else json.dumps(content, separators=(",", ":"))
