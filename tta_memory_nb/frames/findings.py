"""Findings of the doctor as a pandas DataFrame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import harmless
from ..table import PATHS_ATTR, portable
from .layout import EMPTY, Cell, Column, cut

if TYPE_CHECKING:
    import pandas as pd

    from ..memory.doctor.finding import Evidence, Finding

_COLUMNS = ("severity", "what", "evidence", "keys", "repair", "where", "counterpart", "score")
_WIDTH, _NARROW = 160, 40
_MARK = "«", "»"


def findings_frame(findings: Sequence[Finding]) -> pd.DataFrame:
    """Returns a table with a row for each finding of `SyncMemory.diagnose`.

    The index is ``finding``, the name of the check. The columns are ``severity``, ``what`` is wrong, ``evidence`` (texts
    with the places in «», secrets masked, and what nobody sees as escape sequences), ``keys`` (a list; of duplicates the one to keep first), the proposed ``repair``,
    ``where`` the places are (``text[10:24]``, in characters of a field), ``counterpart`` (a key, or None) and
    ``score`` (from 0 to 1, NA where a check only knows yes and no).
    """
    import pandas as pd

    index = pd.Index([finding.check for finding in findings], dtype=object, name="finding")
    cells: dict[str, list[Any]] = {
        "severity": [finding.severity for finding in findings],
        "what": [portable(finding.text) for finding in findings],
        "evidence": [portable(_quoted(finding.evidence)) for finding in findings],
        "keys": [[portable(key) for key in finding.keys] for finding in findings],
        "repair": [f"{finding.repair.action}: {finding.repair.text}" for finding in findings],
        "where": [portable(_places(finding.evidence)) for finding in findings],
        "counterpart": [
            None if finding.counterpart is None else portable(finding.counterpart)
            for finding in findings
        ],
    }
    columns: dict[str, pd.Series[Any]] = {
        name: pd.Series(values, index, dtype=object) for name, values in cells.items()
    }
    columns["score"] = pd.Series([finding.score for finding in findings], index, dtype="Float64")
    frame = pd.DataFrame({name: columns[name] for name in _COLUMNS}, index)
    frame.attrs[PATHS_ATTR] = None  # displayed like the tables of records, without being one
    return frame


def is_findings(frame: pd.DataFrame) -> bool:
    """Returns whether a frame is a table of findings, with all of its columns."""
    return frame.index.name == "finding" and tuple(frame.columns) == _COLUMNS


def lay_out_findings(checks: Sequence[str], columns: Mapping[str, Sequence[Any]]) -> list[Column]:
    """Returns the columns to show of findings: how bad, what, where it is seen, in which records, and what to do."""
    return [
        Column("what", "main", [cut(what, (), _WIDTH) for what in columns["what"]]),
        Column("severity", "number", [Cell(str(severity)) for severity in columns["severity"]]),
        Column("finding", "number", [Cell(check) for check in checks]),
        Column("keys", "key", [_some_keys(keys) for keys in columns["keys"]]),
        Column("evidence", "why", [_marked(text) for text in columns["evidence"]]),
        Column("repair", "why", [cut(repair, (), _WIDTH) for repair in columns["repair"]]),
    ]


def _quoted(evidence: Sequence[Evidence]) -> str:
    return " · ".join(dict.fromkeys(filter(None, map(_excerpt, evidence))))


def _excerpt(evidence: Evidence) -> str:
    pieces, at = [], 0
    for start, end in evidence.marks:
        before, marked = harmless(evidence.excerpt[at:start]), harmless(evidence.excerpt[start:end])
        pieces += [before, _MARK[0], marked, _MARK[1]]
        at = end
    return "".join([*pieces, harmless(evidence.excerpt[at:])])


def _places(evidence: Sequence[Evidence]) -> str:
    return ", ".join(
        dict.fromkeys(
            f"{each.field or 'record'}[{start}:{end}]"
            for each in evidence
            for start, end in each.spans
        )
    )


def _marked(text: str) -> Cell:
    """Returns a cell in which the places in «» are marked."""
    if not text:
        return EMPTY
    spans, at = [], 0
    while (start := text.find(_MARK[0], at)) >= 0 and (end := text.find(_MARK[1], start)) >= 0:
        spans.append((start + 1, end))
        at = end
    return cut(text, spans, _WIDTH)


def _some_keys(keys: Sequence[str]) -> Cell:
    first = cut(keys[0], (), _NARROW).text
    if len(keys) == 1:
        return Cell(first, keys[0] if first != keys[0] else "")
    return Cell(f"{first} and {len(keys) - 1:,} more", "\n".join(keys[:20]))
