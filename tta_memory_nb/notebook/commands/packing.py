"""The command that shows what goes into a prompt: pack."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack, cast

from ...filters import FilterArgs
from ...search.request import SearchMode
from ..arguments import Text
from .base import Notebook, Reply, shown, text_of

if TYPE_CHECKING:
    from ...memory.packing.pack import Fill


def pack(
    nb: Notebook,
    words: Text,
    *,
    budget: int | None = None,
    tokens: str | None = None,
    mode: str | None = None,
    anything: bool = False,
    full_keys: bool = False,
    fill: str | None = None,
    times: bool = False,
    **filters: Unpack[FilterArgs],
) -> Reply:
    """Show what to put into a prompt for a question, within a budget of tokens.

    The best records without near-duplicates, by time within their session, each in one line that cites its key.
    Where not even the best one is relevant, the text is empty. The ledger of the result says what was left out,
    and why.

      %memory pack when did Ana move
      %memory pack --budget 300 --user alice what is she allergic to
      pack = %memory pack --tokens $encoding.encode when did Ana move

    Flags:
        budget: how many tokens the text may have; 800 if left out
        tokens: a variable that counts the tokens of a text, or encodes it; if left out, they are estimated
        mode: keyword, ranked, semantic or hybrid; hybrid if left out
        anything: answer also if no record is relevant
        full_keys: cite whole keys, and not only the beginning of their hash
        fill: enough stops where further records would cost more than they are worth; budget fills the budget; enough if left out
        times: head lines by whole instants, and not by days alone
    """
    counted: Any = tokens
    pack = nb.memory.sync.pack(
        text_of(words, "WORDS"),
        800 if budget is None else budget,
        counted,
        cast("SearchMode | None", mode),
        0.0 if anything else None,
        "key" if full_keys else "short",
        cast("Fill", fill or "enough"),
        times,
        **nb.fixed(filters),
    )
    lines = [pack.about]
    if pack.reading is not None and pack.reading.note is not None:
        lines.append(f"{pack.reading.mode} search: {shown(pack.reading.note)}")
    return Reply("\n  ".join(lines), pack)
