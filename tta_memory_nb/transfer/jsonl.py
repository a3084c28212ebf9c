"""JSON Lines: one record per line, without any loss.

A line without a key may hold a conversation, as in files for fine-tuning models.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from ..codec import to_json
from ..errors import InvalidArgument, brief
from ..record import MemoryRecord
from ..table import instants_of, is_utf8
from .chat import NumberedConversations, messages_of
from .files import open_for_reading
from .items import DEFAULT_KEY, RAW, Item, Options, attempt, parsed_json, record_from_object


def read_jsonl(path: Path, options: Options) -> Iterator[Item]:
    """Yields the records of a file. An empty file, such as the export of an empty memory, has none."""
    name = options.session or path.name.removesuffix(".gz").rpartition(".")[0] or path.name
    numbered = NumberedConversations(name, options, set())
    with open_for_reading(path) as file:
        for number, line in enumerate(file, start=1):
            # Stripped, because the parser would report a mistake at the line end as on the next line.
            if line := line.strip():
                yield from _from_line(line, f"line {number}", options, numbered)


def _from_line(
    line: bytes, place: str, options: Options, numbered: NumberedConversations
) -> Iterator[Item]:
    try:
        row = parsed_json(line)
    except InvalidArgument as error:
        yield place, error
        return
    if not isinstance(row, dict):
        yield place, InvalidArgument(f"found {brief(row)}; expected an object")
        return
    messages = messages_of(row) if options.key == DEFAULT_KEY and DEFAULT_KEY not in row else None
    if messages is None:
        yield place, attempt(record_from_object, row, options.key)
    else:
        yield from numbered.items(row, messages, place)


def write_jsonl(file: BinaryIO, records: Iterable[MemoryRecord]) -> int:
    """Writes records one by one, and returns their number."""
    count = 0
    for record in records:
        count += 1
        created, updated, expires = instants_of(record)
        row: dict[str, Any] = {
            "key": record.key,
            "value": record.value,
            "namespace": record.namespace,
            "created_at": created,
            "updated_at": updated,
            "expires_at": expires,
        }
        if record.sliding is not None:
            row["sliding"] = record.sliding
        if record.unreadable is not None:
            row[RAW] = b64encode(record.raw).decode()
        line = json_text(row)
        file.write(line.encode() + b"\n")
    return count


def json_text(content: Any) -> str:
    """Returns compact JSON that UTF-8 can encode; unpaired surrogates are escaped."""
    text = to_json(content)
    return text if is_utf8(text) else json.dumps(content, separators=(",", ":"))
