"""Fields that are not what they should be: of several types, empty, cut off, garbled, or vectors that do not fit."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from ...table import Path, field_name
from .examined import MOST_EVIDENCE, Examined, Record, is_vector
from .finding import Evidence, Finding, Repair, Severity
from .needed import needed

_RARE = 0.2
_LEAST = 4
_EMPTY = re.compile(
    r"(?i)\s*(?:null|none|nan|undefined|n/a|\[object object\]|todo|tbd|-+|\.+|\[\]|\{\}|\"\")?\s*"
)
_MODELS = frozenset(
    [
        "embeddingmodel",
        "embedder",
        "embeddingmodelname",
        "vectormodel",
        "embedmodel",
        "embeddingname",
    ]
)
_MARKED = re.compile(
    r"(?i)(?:\[(?:\.\.\.|…)?\s?(?:truncated|cut off|content omitted|output omitted)[^\]]{0,40}\]|\.\.\.\s?\(truncated\)|<truncated>|\d+ (?:more )?characters? (?:omitted|truncated))\s{0,3}$"
)
_LEAST_CUT = 80
_ENDS = tuple(".!?…\"'»”’)]}>。！？`*|:;")
_LIMITS = frozenset(
    (
        100,
        120,
        128,
        140,
        160,
        200,
        250,
        255,
        256,
        280,
        300,
        400,
        500,
        512,
        750,
        800,
        1000,
        1023,
        1024,
        1500,
        2000,
        2047,
        2048,
        3000,
        4000,
        4095,
        4096,
        5000,
        8000,
        8191,
        8192,
        10000,
        16000,
        16384,
        32000,
        32768,
        65535,
        65536,
    )
)


def unreadable(examined: Examined) -> Iterator[Finding | None]:
    """Finds records that cannot be read at all."""
    for entry in examined.unreadable:
        yield Finding(
            "unreadable",
            "high",
            (entry.key,),
            f"it cannot be read: {entry.reason}"[:200],
            (Evidence(entry.key),),
            Repair("review", (entry.key,), "see what has written it, and write it anew"),
        )


def type_drift(examined: Examined) -> Iterator[Finding | None]:
    """Finds fields that have one type in most records and another one in few, or another one from some time on."""
    seen: dict[Path, set[str]] = defaultdict(set)
    for record in examined.each():
        if record is None:
            yield None
            continue
        for path, leaf in record.leaves:
            seen[path].add(_kind(leaf))
    drifting = {path for path, kinds in seen.items() if path and len(kinds - {""}) > 1}
    if not drifting:
        return
    types: dict[Path, dict[str, list[tuple[Record, Any]]]] = defaultdict(lambda: defaultdict(list))
    for record in examined.each():
        if record is None:
            yield None
            continue
        for path, leaf in record.leaves:
            if path in drifting and (kind := _kind(leaf)):
                types[path][kind].append((record, leaf))
    for path, kinds in types.items():
        total = sum(map(len, kinds.values()))
        usual = max(kinds, key=lambda kind: (len(kinds[kind]), kind))
        for kind, having in kinds.items():
            if kind == usual:
                continue
            drift = _drift(having, kinds[usual])
            if total >= _LEAST and (len(having) <= _RARE * total or drift):
                yield _typed(path, kind, usual, having, total, drift=drift)


def _drift(having: Sequence[tuple[Record, Any]], usual: Sequence[tuple[Record, Any]]) -> bool:
    """Whether one type begins where the other one ends."""
    first, last = min(r.at for r, _ in having), max(r.at for r, _ in having)
    others = [r.at for r, _ in usual]
    return len(having) >= 2 and (first > max(others) or last < min(others))


def _typed(
    path: Path,
    kind: str,
    usual: str,
    having: Sequence[tuple[Record, Any]],
    total: int,
    *,
    drift: bool,
) -> Finding:
    keys = tuple(dict.fromkeys(record.key for record, _ in having))
    name = field_name(path)
    since = ", one type after the other in time" if drift else ""
    numbers = kind == "text" and usual == "number" and all(_is_number(leaf) for _, leaf in having)
    shown = "a number in quotes" if numbers else _A[kind]
    text = f"field {name!r} is {shown} in {len(keys):,} of {total:,} records, and {_A[usual]} in most others{since}"
    evidence = tuple(
        record.evidence(path, leaf if isinstance(leaf, str) else repr(leaf)[:80])
        for record, leaf in having[:MOST_EVIDENCE]
    )
    return Finding(
        "type-drift",
        "medium",
        keys,
        text,
        evidence,
        Repair("edit", keys, f"make each of them {_A[usual]}"),
    )


_A = {
    "text": "text",
    "number": "a number",
    "boolean": "true or false",
    "object": "an empty object",
    "vector": "a list of numbers",
    "list": "an empty list",
}


def _kind(leaf: Any) -> str:
    if isinstance(leaf, str):
        return "text"
    if isinstance(leaf, bool):
        return "boolean"
    if isinstance(leaf, (int, float)):
        return "number"
    if isinstance(leaf, list):
        return "vector" if leaf else ""
    return ""


def _is_number(leaf: Any) -> bool:
    try:
        float(leaf)
    except (TypeError, ValueError):
        return False
    return True


def mixed_embedders(examined: Examined) -> Iterator[Finding | None]:
    """Finds vectors in records that have several sizes or norms, or that name several embedders: they cannot be compared."""
    sizes: dict[Path, dict[str, list[Record]]] = defaultdict(lambda: defaultdict(list))
    for record in examined.each():
        if record is None:
            yield None
            continue
        for path, leaf in record.leaves:
            if is_vector(leaf) and len(leaf) >= 16:
                sizes[path][f"{len(leaf):,} numbers"].append(record)
            elif path and type(leaf) is str and path[-1].lower().replace("_", "") in _MODELS:
                sizes[path][f"'{leaf[:60]}'"].append(record)
    for path, kinds in sizes.items():
        if len(kinds) > 1:
            usual = max(kinds, key=lambda kind: len(kinds[kind]))
            others = [
                record for kind, records in kinds.items() if kind != usual for record in records
            ]
            named = ", ".join(
                f"{kind} in {len(records):,}" for kind, records in list(kinds.items())[:4]
            )
            keys = tuple(record.key for record in others)
            yield Finding(
                "mixed-embedders",
                "medium",
                keys,
                f"field {field_name(path)!r} holds vectors of several embedders: {named} records",
                tuple(record.shown() for record in others[:MOST_EVIDENCE]),
                Repair("edit", keys, "embed them again with one embedder"),
                kinds[usual][0].key,
            )


def empty_texts(examined: Examined) -> Iterator[Finding | None]:
    """Finds records without any content, and texts that are empty or only stand for nothing."""
    empty: dict[Path, list[Record]] = defaultdict(list)
    nothing: list[Record] = []
    for record in examined.each():
        if record is None:
            yield None
            continue
        leaves = [(path, leaf) for path, leaf in record.leaves if leaf not in (None, "", [], {})]
        if not any(path for path, _ in leaves):
            nothing.append(record)
            continue
        for path, leaf in record.leaves:
            if type(leaf) is str and len(leaf) <= 40 and _EMPTY.fullmatch(leaf):
                empty[path].append(record)
    if nothing:
        yield _empty("medium", nothing, "records without any content")
    for path, records in empty.items():
        severity: Severity = (
            "medium" if any(record.main_path == path for record in records) else "low"
        )
        yield _empty(severity, records, f"field {field_name(path)!r} is empty")


def _empty(severity: Severity, records: Sequence[Record], text: str) -> Finding:
    keys = tuple(dict.fromkeys(record.key for record in records))
    count = "1 record" if len(keys) == 1 else f"{len(keys):,} records"
    return Finding(
        "empty-texts",
        severity,
        keys,
        f"{text}, in {count}",
        tuple(Evidence(key) for key in keys[:MOST_EVIDENCE]),
        Repair("delete", keys, "delete them, or see why nothing was written"),
    )


def truncated_texts(examined: Examined) -> Iterator[Finding | None]:
    """Finds texts that were cut off: many of one length in the middle of a sentence, marks of a cut, open code or JSON."""
    lengths: dict[tuple[Path, int], list[tuple[Record, str]]] = defaultdict(list)
    most: Counter[Path] = Counter()
    for record in examined.each():
        if record is None:
            yield None
            continue
        for path, text in record.texts():
            length = len(text)
            if length < _LEAST_CUT:
                continue
            most[path] = max(most[path], length)
            if not text.rstrip().endswith(_ENDS):
                lengths[path, length].append((record, text))
            if what := _cut(text):
                yield _cut_off(((record, path, text),), what)
    for (path, length), having in lengths.items():
        is_limit = length in _LIMITS and length == most[path]
        if (len(having) >= 3 and length == most[path]) or (is_limit and len(having) >= 1):
            places = tuple((record, path, text) for record, text in having)
            yield _cut_off(
                places,
                f"the text ends in the middle of a sentence at exactly {length:,} characters, the longest of this field",
            )


def _cut(text: str) -> str:
    if _MARKED.search(text[-80:]):
        return "the text says itself that it was cut off"
    if text.count("```") % 2:
        return "a block of code is not closed"
    if (
        text.lstrip()[:1] in ("{", "[")
        and text.rstrip()[-1:] not in ("}", "]")
        and text[:200].count('"') >= 2
    ):
        return "JSON is not closed"
    last = text[-1]
    if "\ud800" <= last <= "\udbff":
        return "the text ends within a character"
    return ""


def _cut_off(places: Sequence[tuple[Record, Path, str]], what: str) -> Finding:
    keys = tuple(dict.fromkeys(record.key for record, _, _ in places))
    count = "" if len(keys) == 1 else f", in {len(keys):,} records"
    return Finding(
        "truncated-texts",
        "low",
        keys,
        f"{what}{count}",
        tuple(
            record.evidence(path, text, (max(0, len(text) - 20), len(text)))
            for record, path, text in places[:MOST_EVIDENCE]
        ),
        Repair("review", keys, "write the whole text again if it is still known"),
    )


def broken_encodings(examined: Examined) -> Iterator[Finding | None]:
    """Finds texts that were read in another encoding than they were written in (mojibake), by ftfy."""
    fix_encoding = needed("ftfy", "broken encodings").fix_encoding
    is_bad = needed("ftfy.badness", "broken encodings").is_bad
    for record in examined.each():
        if record is None:
            yield None
            continue
        for path, text in record.texts():
            if text.isascii():
                continue
            at = text.find("\ufffd")
            if at >= 0:
                yield _garbled(
                    record, path, text, (at, at + 1), "characters that could not be read (�)"
                )
            elif is_bad(text):
                right = fix_encoding(text)
                if right != text:
                    span = _difference(text, right)
                    yield _garbled(record, path, text, span, "a text in the wrong encoding")


def _difference(text: str, right: str) -> tuple[int, int]:
    at = next((at for at, (a, b) in enumerate(zip(text, right, strict=False)) if a != b), 0)
    return at, min(len(text), at + max(1, len(text) - len(right) + 1))


def _garbled(record: Record, path: Path, text: str, span: tuple[int, int], what: str) -> Finding:
    return Finding(
        "broken-encodings",
        "low",
        (record.key,),
        what,
        (record.evidence(path, text, span),),
        Repair(
            "edit",
            (record.key,),
            "write it again in the right encoding, for example with ftfy.fix_encoding",
        ),
    )
