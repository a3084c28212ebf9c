"""Values: which ones can be stored, how they are encoded, and what reading them returns.

Every backend uses this codec, so a value means the same in all of them. A value is a JSON object.
Types that JSON lacks are encoded by these rules:

    tuple, namedtuple            list
    datetime, date               ISO 8601 text
    UUID, Decimal, Path          text
    Enum                         its value
    bytes, bytearray             base64 text
    dataclass                    object of its fields
    pydantic model               the result of ``model_dump(mode="json")``
    numpy scalar                 the Python number, text or ISO date that it holds
    non-str field name           as JSON writes it (1 -> "1", None -> "null"), or the rules above

Any other value raises `NotStorable`, which names the path: other objects, sets, NaN and
infinities, cycles, nesting deeper than `MAX_DEPTH`, and two field names of one object that become
the same text.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import fields, is_dataclass
from datetime import date
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from .errors import NotStorable, brief
from .imported import imported

if TYPE_CHECKING:
    from decimal import Decimal

Snapshot: TypeAlias = bytes | str
"""A value as compact JSON in UTF-8; a str if an unpaired surrogate makes UTF-8 impossible."""

# Deep enough for any real context, and far below the depth at which JSON parsers fail.
MAX_DEPTH = 200

# Python refuses to parse an integer of more digits than this when the value is read.
_MAX_INT_BITS = 14_000

_TOO_DEEP = f"nested deeper than {MAX_DEPTH} levels"

# Chosen by measurement; see `benchmarks/cache.py`.
_encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder().decode
"""Decodes JSON that is UTF-8; `from_json` takes text as well, which costs a call more."""

_encode_slowly = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


class _NotJson(Exception):
    """Raised at the item that is not JSON; each caller appends its step of the path to ``steps``."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        self.steps: list[str] = []


def to_plain(value: Any, name: str = "value") -> dict[str, Any]:
    """Returns a fresh JSON tree of dict, list, str, int, float, bool and None.

    Args:
        value: the object to encode.
        name: what the error calls the value.

    Returns:
        A dict that shares no mutable object with the value.

    Raises:
        NotStorable: the value is not a JSON object by the rules above.
    """
    try:
        plain = _plain(value, 0)
    except _NotJson as failure:
        steps, reason = failure.steps[::-1], failure.reason
        if len(steps) >= MAX_DEPTH:
            steps, reason = _cycle(value) or ([*steps[:8], "..."], reason)
        raise NotStorable(name + "".join(steps), reason) from None
    if type(plain) is not dict:
        raise NotStorable(
            name,
            f"<{type(value).__name__}> is not a JSON object; store a dict, "
            'for example {"text": ...}',
        )
    return plain


def snapshot(value: Any, name: str = "value") -> Snapshot:
    """Returns the text that a store keeps of a value.

    Args:
        value: the object to encode.
        name: what the error calls the value.

    Returns:
        Immutable text, so that no store shares an object with its callers.

    Raises:
        NotStorable: the value is not a JSON object by the rules above.
    """
    try:
        if type(value) is dict and _is_plain(value.items(), 0):
            return _encode(value)
    except (UnicodeEncodeError, RuntimeError):
        pass  # an unpaired surrogate; a dict that another thread writes to; deep recursion
    plain = to_plain(value, name)
    try:
        return _encode(plain)
    except UnicodeEncodeError:
        return _encode_slowly(plain)


def to_json(plain: Any) -> str:
    """Returns the compact JSON text of a tree from `to_plain`, or of a subtree of one.

    Raises:
        ValueError: the tree contains a NaN or an infinity.
    """
    if _is_plain([("", plain)], -1):
        try:
            return _encode(plain).decode()
        except UnicodeEncodeError:
            pass  # an unpaired surrogate
    return _encode_slowly(plain)


def from_json(text: Snapshot) -> dict[str, Any]:
    """Returns a fresh value, decoded from text that `snapshot` or `to_json` has written."""
    value: dict[str, Any] = decode(text) if type(text) is bytes else json.loads(text)
    return value


def check_json(text: Snapshot) -> None:
    """Checks text that another program may have written.

    Raises:
        ValueError: the text is not a JSON object that `from_json` can decode, or is nested deeper than
            `MAX_DEPTH`; the message says why.
    """
    try:
        value = from_json(text)
    except RecursionError:
        raise ValueError(f"its value is {_TOO_DEEP}") from None
    except (ValueError, msgspec.MsgspecError) as error:
        raise ValueError(f"its value is not JSON: {error}") from None
    if type(value) is not dict:
        raise ValueError("its value is not a JSON object")
    # Every level has a bracket of its own.
    brackets = (b"{", b"[") if isinstance(text, bytes) else ("{", "[")
    if len(text) < 2 * MAX_DEPTH or sum(map(text.count, brackets)) <= MAX_DEPTH:  # type: ignore[arg-type]
        return
    if _depth(value) > MAX_DEPTH:
        raise ValueError(f"its value is {_TOO_DEEP}")


def _depth(value: Any) -> int:
    level, depth = [value], 0
    while level:
        depth += 1
        children = (node.values() if isinstance(node, dict) else node for node in level)
        level = [child for each in children for child in each if isinstance(child, (dict, list))]
    return depth


def _is_plain(items: Any, depth: int) -> bool:
    """Returns whether a dict's items are JSON already, so that the encoder can write them directly.

    The encoder alone is not enough: it silently writes NaN as null and a set as a list.
    """
    if depth >= MAX_DEPTH:
        return False
    for name, item in items:
        if type(name) is not str:
            return False
        kind = type(item)
        if kind is str or kind is bool or item is None:
            continue
        if not _is_plain_item(item, kind, depth):
            return False
    return True


def _is_plain_item(item: Any, kind: type, depth: int) -> bool:
    if kind is int:
        return bool(-0x8000_0000_0000_0000 <= item <= 0xFFFF_FFFF_FFFF_FFFF)
    if kind is float:
        return math.isfinite(item)
    if kind is dict:
        return _is_plain(item.items(), depth + 1)
    if kind is list and depth + 1 < MAX_DEPTH:
        for inner in item:
            kind = type(inner)
            if kind is str or kind is bool or inner is None:
                continue
            if not _is_plain_item(inner, kind, depth + 1):
                return False
        return True
    return False


def _plain(value: Any, depth: int) -> Any:
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return value
    if kind is int:
        return _plain_int(value)
    if kind is float:
        return _plain_float(value)
    if kind is dict or isinstance(value, dict):
        return _plain_dict(value, depth)
    if isinstance(value, (list, tuple)):
        if depth >= MAX_DEPTH:
            raise _NotJson(_TOO_DEEP)
        items = []
        for position, item in enumerate(value):
            try:
                items.append(_plain(item, depth + 1))
            except _NotJson as failure:
                failure.steps.append(f"[{position}]")
                raise
        return items
    return _plain_other(value, depth)


def _plain_dict(value: dict[Any, Any], depth: int) -> dict[str, Any]:
    if depth >= MAX_DEPTH:
        raise _NotJson(_TOO_DEEP)
    plain: dict[str, Any] = {}
    # A copy, because another thread may be writing to the dict.
    items = list(value.items())
    for name, item in items:
        try:
            text = name if type(name) is str else _field_name(name, depth + 1)
            if type(item) is str:
                plain[text] = item
            else:
                plain[text] = _plain(item, depth + 1)
        except _NotJson as failure:
            failure.steps.append(f"[{brief(name)}]")
            raise
    if len(plain) != len(items):
        raise _NotJson("two field names become the same JSON text, so one value would be lost")
    return plain


def _field_name(name: Any, depth: int) -> str:
    """Returns a field name as JSON writes it."""
    plain = _plain(name, depth)
    if isinstance(plain, (dict, list)):
        raise _NotJson(f"<{type(name).__name__}> cannot be a field name; use text")
    return plain if type(plain) is str else json.dumps(plain)


def _plain_int(value: int) -> int:
    if value.bit_length() > _MAX_INT_BITS:
        raise _NotJson(f"an integer of {value.bit_length():,} bits is not JSON; store it as text")
    return value


def _plain_float(value: float) -> float:
    if not math.isfinite(value):
        raise _NotJson(f"{value} is not JSON; leave the field out or store None")
    return value


def _plain_other(value: Any, depth: int) -> Any:
    """Encodes types that JSON lacks, the most likely ones first."""
    if isinstance(value, Enum):
        return _plain(value.value, depth)
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return _plain_int(int(value))
    if isinstance(value, float):
        return _plain_float(float(value))
    if isinstance(value, date):  # a datetime is a date
        text = value.isoformat()
        if text == "NaT":
            raise _NotJson("NaT is not JSON; leave the field out or store None")
        return text
    if isinstance(value, (bytes, bytearray)):
        import base64

        return base64.b64encode(value).decode("ascii")
    if is_dataclass(value) and not isinstance(value, type):
        return _plain_dict(_dataclass_fields(value), depth)
    if hasattr(type(value), "model_dump") and hasattr(type(value), "model_fields"):
        try:
            # The model's JSON form would silently write NaN as null.
            _refuse_infinite(value.model_dump())
            return _plain(value.model_dump(mode="json"), depth)
        except (TypeError, ValueError) as error:  # pydantic's own serialization errors
            raise _NotJson(f"<{type(value).__name__}> cannot be dumped: {error}") from error
    return _plain_foreign(value)


def _refuse_infinite(node: Any) -> None:
    """Raises `_NotJson` if the fields of a model hold a NaN or an infinity, in containers of any kind."""
    children: list[tuple[str, Any]] = []
    if isinstance(node, (str, bytes, bytearray)):
        return
    if isinstance(node, Mapping):
        for name, child in node.items():
            children += [(f"[{brief(name)}]", name), (f"[{brief(name)}]", child)]
    elif isinstance(node, Collection):  # a list, a set, a deque
        children = [(f"[{position}]", child) for position, child in enumerate(node)]
    elif isinstance(node, Iterator):
        raise _NotJson("an iterator is used up when it is read; store a list")
    elif isinstance(node, Enum):
        children = [("", node.value)]
    elif isinstance(node, float):
        _plain_float(node)
    elif _is_decimal(node):
        _plain_decimal(node)
    for step, child in children:
        try:
            _refuse_infinite(child)
        except _NotJson as failure:
            failure.steps.append(step)
            raise


def _is_decimal(value: Any) -> bool:
    decimal = imported("decimal")
    return decimal is not None and isinstance(value, decimal.Decimal)


def _plain_decimal(value: Decimal) -> str:
    if not value.is_finite():
        raise _NotJson(f"{value} is not JSON; leave the field out or store None")
    return str(value)


def _plain_foreign(value: Any) -> Any:
    """Encodes types of modules that the program has imported; this function imports none of them."""
    if (pathlib := imported("pathlib")) and isinstance(value, pathlib.PurePath):
        return str(value)
    if (uuid := imported("uuid")) and isinstance(value, uuid.UUID):
        return str(value)
    if _is_decimal(value):
        return _plain_decimal(value)
    if (numpy := imported("numpy")) and isinstance(value, numpy.generic):
        if isinstance(value, numpy.datetime64) and not numpy.isnat(value):
            return str(value)
        if isinstance(value, numpy.bool_):
            return bool(value)
        # A timedelta64 is a numpy integer whose number has no meaning without its unit.
        if isinstance(value, numpy.integer) and not isinstance(value, numpy.timedelta64):
            return _plain_int(int(value))
        if isinstance(value, numpy.floating):
            return _plain_float(float(value))
    if type(value).__name__ == "NAType":  # of pandas, as its NaN and NaT
        raise _NotJson("NA is not JSON; leave the field out or store None")
    if hasattr(value, "tolist") and hasattr(value, "__len__"):  # an array, a Series, an Index
        raise _NotJson(
            f"<{type(value).__name__}> is not JSON; store the list that its tolist() gives"
        )
    raise _NotJson(
        f"<{type(value).__name__}> is not JSON; store text, numbers, true/false, None, "
        "lists and dicts"
    )


def _dataclass_fields(value: Any) -> dict[str, Any]:
    found = {}
    for field in fields(value):
        try:
            found[field.name] = getattr(value, field.name)
        except AttributeError:
            failure = _NotJson(f"the field of <{type(value).__name__}> has no value; set it")
            failure.steps.append(f"[{field.name!r}]")
            raise failure from None
    return found


def _cycle(value: Any) -> tuple[list[str], str] | None:
    """Returns the shortest path at which a value contains itself and the reason, or None."""
    level: list[tuple[Any, list[str], frozenset[int]]] = [(value, [], frozenset())]
    # A cycle longer than this is reported as too deep.
    for _ in range(MAX_DEPTH):
        deeper = []
        for node, steps, above in level:
            if id(node) in above:
                return steps, "contains itself; store a copy without the reference back"
            if is_dataclass(node) and not isinstance(node, type):
                inner = [
                    (getattr(node, field.name, None), f"[{field.name!r}]") for field in fields(node)
                ]
            elif isinstance(node, dict):
                inner = [(child, f"[{brief(name)}]") for name, child in node.items()]
            elif isinstance(node, (list, tuple)):
                inner = [(child, f"[{position}]") for position, child in enumerate(node)]
            else:
                continue
            inside = above | {id(node)}
            deeper += [(child, [*steps, step], inside) for child, step in inner]
        level = deeper if len(deeper) <= 100_000 else []
    return None
