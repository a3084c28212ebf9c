"""Context packs in notebooks: the text, and the ledger of what was left out."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from ..errors import harmless
from ..table import PATHS_ATTR, portable
from .render import CLASSES, frame_html

if TYPE_CHECKING:
    import pandas as pd

    from ..memory.packing.pack import Considered, Pack

_DIGITS = 3


def ledger_frame(considered: Sequence[Considered]) -> pd.DataFrame:
    """Returns a table with a row for each record that was looked at, the best first.

    The index is ``key``. The columns are ``outcome``, ``why``, ``cited`` (what stands for the key in the text),
    ``score``, rounded to 3 digits, and ``tokens``.
    """
    import pandas as pd

    index = pd.Index([portable(each.key) for each in considered], dtype=object, name="key")
    frame = pd.DataFrame(
        {
            "outcome": pd.Series([each.outcome for each in considered], index, dtype=object),
            "why": pd.Series([portable(each.why) for each in considered], index, dtype=object),
            "cited": pd.Series([portable(each.cited) for each in considered], index, dtype=object),
            "score": pd.Series([round(each.score, _DIGITS) for each in considered], index, float),
            "tokens": pd.Series([each.tokens for each in considered], index, int),
        },
        index,
    )
    frame.attrs[PATHS_ATTR] = None  # displayed like the tables of records, without being one
    return frame


def pack_html(pack: Pack) -> str:
    """Returns a pack as HTML: its text as it goes into the prompt, then its figures, with the ledger folded behind."""
    ledger = pack.ledger if pack.considered else None
    return folded_html(escape(pack.text), escape(harmless(pack.about)), ledger)


def folded_html(text: str, about: str, table: pd.DataFrame | None) -> str:
    """Returns a text as HTML with a line about it, behind which a table is folded; without a text it is unfolded.

    Args:
        text: escaped; empty for none.
        about: one line, escaped.
        table: None for none.
    """
    parts = [f'<div class="{" ".join(CLASSES)}">']
    if text:
        parts.append(
            '<pre style="white-space: pre-wrap; overflow-wrap: anywhere; text-align: start">'
            f"{text}</pre>"
        )
    if table is not None:
        opened = "" if text else " open"
        rows = frame_html(table) or ""
        parts.append(f"<details{opened}><summary>{about}</summary>{rows}</details>")
    else:
        parts.append(f"<p>{about}</p>")
    return "".join([*parts, "</div>"])
