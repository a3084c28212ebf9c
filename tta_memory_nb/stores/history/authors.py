"""Who made a change, as bytes that a file or a server keeps with it."""

from __future__ import annotations

from functools import lru_cache
from types import CodeType
from typing import Any

from ...authorship import Author, Context, author_of, calling, context
from ...codec import from_json, to_json


@lru_cache(512)
def encoded_author(code: CodeType | None, here: Context) -> bytes:
    """Returns who makes a change.

    Args:
        code: as `authorship.calling` returns it.
        here: as `authorship.context` returns it.
    """
    return to_json([*author_of(code, here)]).encode("utf-8", "replace")


def this_author() -> bytes:
    """Returns who has led to this call."""
    return encoded_author(calling(2), context())


def decoded_author(raw: bytes | None) -> Author:
    """Returns the author of a change that was kept; one without any part for none."""
    made_by: Any = from_json(raw) if raw else ()
    return Author(*made_by)
