"""Names in source code, command lines and settings, which contain the words of an instruction and are none.

``drop_all_tables(conn)`` and ``{"ignore": "all"}`` are ordinary memories of an agent that writes programs.
"""

from __future__ import annotations

import re

# A name of at most four words, as programs, options and settings have them; a longer one is rather a sentence in disguise.
_NAME = re.compile(
    r"(?<![\w-])(?:--?)?[A-Za-z0-9]{1,30}(?:([_-])[A-Za-z0-9]{1,30})(?:\1[A-Za-z0-9]{1,30}){0,2}(?![\w-])"
)
# What sentences have not: a call, an assignment, the beginning of a definition, the end of a statement.
_SYNTAX = re.compile(
    r"\w\((?!s\))[^()\n]{0,200}\)|[\w\])\"'] {0,2}(?::=|[=!]=|=>|->|[+|&]?=) {0,2}[\w\"'(\[{$]|"
    r"(?m:^)\s{0,40}(?:def|class|function|func|fn|const|let|var|import|export|from|return|assert|async def|public|private|static) {1,4}[\w(]|"
    r"[;{}]\s{0,4}(?m:$)|[\"']\s{0,2}:\s{0,2}[\"'\[{\d]"
)
_CALL_WITHIN = re.compile(r"\w\((?!s\))\w")
_SETTING_WITHIN = re.compile(r"[\"']\s{0,2}:\s")
_SETTING = re.compile(r"\s{0,40}[\w.\"'-]{1,80}\s{0,4}(?:[:=]|:=)\s")
_HUMPS = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])")
_MOST_HUMPS = 4


def is_code(text: str, start: int, end: int) -> bool:
    """Returns whether what looks like an instruction consists of names in code, or of what joins them.

    Args:
        text: any text.
        start: where the instruction begins in it.
        end: where it ends.
    """
    found = text[start:end]
    if _CALL_WITHIN.search(found) or _SETTING_WITHIN.search(found):
        return has_syntax(text)
    # A name that the match begins or ends in may go on outside of it.
    for name in _NAME.finditer(text, max(0, start - 64), end + 64):
        if name.start() <= start and end <= name.end():
            # A text that consists of the name says it to whoever reads it.
            return len(text.strip()) > len(name[0])
    # A setting: the name of a field, and a value that is a name.
    setting = _SETTING.match(found)
    return (
        setting is not None
        and "_" in found
        and not text[:start].strip()
        and _NAME.fullmatch(found[setting.end() :].strip()) is not None
    )


def has_syntax(text: str) -> bool:
    """Returns whether a text has what only code, command lines and settings have."""
    return _SYNTAX.search(text) is not None


def is_camel_name(word: str) -> bool:
    """Returns whether a word of several, ``ignorePreviousPrompts``, is as short as names in programs are."""
    return len(_HUMPS.findall(word)) <= _MOST_HUMPS
