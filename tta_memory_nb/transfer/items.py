"""The items that a reader of a source yields, and the conversion of objects to records."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeAlias, TypeVar

from ..errors import InvalidArgument, brief
from ..keys import key_text
from ..record import NOT_YET, MemoryRecord
from ..times import duration, instant

P = ParamSpec("P")
D = TypeVar("D")

Item: TypeAlias = tuple[str, MemoryRecord | InvalidArgument]
"""The place in the source, and the record or the error that says why there is none."""


DEFAULT_KEY = "key"


@dataclass(frozen=True, slots=True)
class Options:
    """How to interpret a source; see `SyncMemory.import_`."""

    key: str = DEFAULT_KEY
    user: str | None = None
    session: str | None = None

    def __post_init__(self) -> None:
        for name in ("key", "user", "session"):
            text = getattr(self, name)
            if (text is not None or name == "key") and not (isinstance(text, str) and text):
                raise InvalidArgument.about(name, text, "give non-empty text")


@dataclass(frozen=True, slots=True)
class Source:
    """A source to import from.

    Attributes:
        name: what messages call the source.
        items: its items, made lazily.
        total: the number of items, or None if it is not known in advance.
        distinct: whether all keys are different, so that ``total`` is the number of records.
    """

    name: str
    items: Iterable[Item]
    total: int | None = None
    distinct: bool = False


def attempt(
    make: Callable[P, MemoryRecord], *args: P.args, **kwargs: P.kwargs
) -> MemoryRecord | InvalidArgument:
    """Returns the record, or the error that says why there is none."""
    try:
        return make(*args, **kwargs)
    except InvalidArgument as error:
        return error


class _Twice(Exception):
    """One object of a JSON text has two values under one name, of which Python would keep the last."""


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = Counter(name for name, _ in pairs)
        raise _Twice(next(name for name, times in names.items() if times > 1))
    return found


# Made once: a call of `json.loads` with a hook makes a decoder each time.
_decode = json.JSONDecoder(object_pairs_hook=_once_each).decode


def parsed_json(data: bytes) -> Any:
    """Returns the content of a JSON text.

    Raises:
        InvalidArgument: the text is not JSON; the message says what is wrong, and where.
    """
    try:
        return _decode(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise InvalidArgument(f"not UTF-8 at byte {error.start + 1}") from None
    except _Twice as error:
        raise InvalidArgument(
            f"the field {brief(error.args[0])} appears twice in one object, so one value would be lost"
        ) from None
    except json.JSONDecodeError as error:
        place = f"column {error.colno}" if error.lineno == 1 else f"line {error.lineno}"
        raise InvalidArgument(f"not JSON: {error.msg} at {place}") from None
    except (
        ValueError,
        RecursionError,
    ) as error:  # an integer that is too long, nesting that is too deep
        raise InvalidArgument(f"not JSON that can be read: {error}") from None


RAW = "raw"
"""The field of an export that holds the bytes, in base64, of a record that could not be read."""

_LOSSLESS = {
    *("key", "value", "namespace", "created_at", "updated_at", "expires_at", "sliding"),
    *("score", "matches"),  # of a search hit
}


def is_lossless(row: Mapping[str, Any]) -> bool:
    """Returns whether an object is a complete record, as in a .jsonl export."""
    return {"key", "value"} <= row.keys() <= _LOSSLESS


def record_from_object(row: Mapping[str, Any], key: str) -> MemoryRecord:
    """Makes a record from its complete form, or from any object that has a field with the key.

    Raises:
        InvalidArgument: the object has no key, or an instant in it is invalid.
    """
    if RAW in row and is_lossless({name: row[name] for name in row if name != RAW}):
        raise InvalidArgument(
            f"the record {brief(row['key'])} could not be read when it was exported: "
            f"{brief(row['value'])}; its bytes are in the field {RAW!r}"
        )
    if not is_lossless(row):
        if key not in row:
            names = ", ".join(map(repr, row)) or "nothing"
            raise InvalidArgument(f"the object has no field {key!r} for its key; it has {names}")
        found = row[key]
        # Ids are often integers. Other types are refused later, when the key is checked.
        name = key_text(found) if type(found) is int else found
        return MemoryRecord(name, {field: row[field] for field in row if field != key})
    return MemoryRecord(
        row["key"],
        row["value"],
        created_at=_instant(row, "created_at", NOT_YET),
        updated_at=_instant(row, "updated_at", NOT_YET),
        expires_at=_instant(row, "expires_at", None),
        sliding=None if row.get("sliding") is None else duration(row["sliding"], "sliding"),
    )


def _instant(row: Mapping[str, Any], name: str, otherwise: D) -> float | D:
    written = row.get(name)
    return otherwise if written is None else instant(written, 0.0, name)
