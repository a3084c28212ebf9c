"""Which function has asked: the nearest one on the stack that its user has written."""

from __future__ import annotations

import sysconfig
from pathlib import Path
from types import CodeType, FrameType
from typing import TypeAlias

_PACKAGE = str(Path(__file__).parents[2])
_COMMANDS = str(Path(_PACKAGE, "notebook", "commands"))
_EXPLORER = str(Path(_PACKAGE, "notebook", "explorer"))
_FACES = (str(Path(_PACKAGE, "memory")), str(Path(_PACKAGE, "stores")))
_LIBRARIES = tuple(
    {
        path
        for name in ("stdlib", "platstdlib", "purelib", "platlib")
        if (path := sysconfig.get_path(name))
    }
)
# A function of a user is nearly always within a few frames; an agent's framework takes some dozens.
_MOST_FRAMES = 200

_OURS, _LIBRARY, _USERS = range(3)
_kinds: dict[str, int] = {}


Caller: TypeAlias = tuple[CodeType, int]
"""A function and the line in its file: what can be noted at once, and read later by `name_of`."""


def name_of(caller: Caller) -> str:
    """Returns the function, as ``Agent.recall``; ``%memory search`` for a command; ``cell`` for code outside of functions."""
    code, _ = caller
    file, name = code.co_filename, code.co_qualname
    if file.startswith(_COMMANDS):
        return f"%memory {name.rstrip('_')}"
    if file.startswith(_EXPLORER):
        return "%memory explore"
    if name == "<module>" or name.startswith("<cell line"):
        return "cell" if _is_cell(file) else Path(file).name
    if _kind_of(file) != _USERS:
        return f"{Path(file).stem}.{name}"
    return name.replace(".<locals>", "")


def caller_of(frame: FrameType | None) -> Caller | None:
    """Returns who has asked for what runs in a frame; None if there is nobody above this package.

    This is the nearest function that belongs neither to this package nor to the installed ones: of an agent, its tool and
    not the framework that has called it. A command of ``%memory`` counts as well. Without any of them, it is the function of this
    package that was called from outside, such as an adapter's.
    """
    ours: FrameType | None = None
    is_inside, left = True, _MOST_FRAMES
    while frame is not None and left:
        file = frame.f_code.co_filename
        kind = _kinds.get(file)
        if kind is None:
            kind = _kind_of(file)
        if kind == _USERS:
            return frame.f_code, frame.f_lineno
        if is_inside:
            if kind == _OURS:
                ours = frame if not file.startswith(_FACES) else ours
                if file.startswith(_COMMANDS) and not _is_command(frame.f_back):
                    return frame.f_code, frame.f_lineno
            else:
                is_inside = False
        frame, left = frame.f_back, left - 1
    return None if ours is None else (ours.f_code, ours.f_lineno)


def _is_command(frame: FrameType | None) -> bool:
    return frame is not None and frame.f_code.co_filename.startswith(_COMMANDS)


def _kind_of(file: str) -> int:
    if file.startswith(_PACKAGE):
        kind = _OURS
    elif file.startswith(_LIBRARIES) or file.startswith("<frozen"):
        kind = _LIBRARY
    else:
        kind = _USERS
    if len(_kinds) < 10_000:  # each cell is a file of its own
        _kinds[file] = kind
    return kind


def _is_cell(file: str) -> bool:
    return file.startswith(("<ipython-input", "<stdin>", "<python-input")) or "ipykernel_" in file
