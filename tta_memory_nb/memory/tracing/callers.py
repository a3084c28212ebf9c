"""Which function has asked: the nearest one on the stack that its user has written."""

from __future__ import annotations

from pathlib import Path
from types import CodeType, FrameType
from typing import TypeAlias

from ...code_origin import MOST_FRAMES, OURS, PACKAGE, USERS, is_cell, known, origin_of

_COMMANDS = str(Path(PACKAGE, "notebook", "commands"))
_EXPLORER = str(Path(PACKAGE, "notebook", "explorer"))
_FACES = (str(Path(PACKAGE, "memory")), str(Path(PACKAGE, "stores")))

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
        return "cell" if is_cell(file) else Path(file).name
    if origin_of(file) != USERS:
        return f"{Path(file).stem}.{name}"
    return name.replace(".<locals>", "")


def caller_of(frame: FrameType | None) -> Caller | None:
    """Returns who has asked for what runs in a frame; None if there is nobody above this package.

    This is the nearest function that belongs neither to this package nor to the installed ones: of an agent, its tool and
    not the framework that has called it. A command of ``%memory`` counts as well. Without any of them, it is the function of this
    package that was called from outside, such as an adapter's.
    """
    ours: FrameType | None = None
    is_inside, left = True, MOST_FRAMES
    while frame is not None and left:
        file = frame.f_code.co_filename
        origin = known.get(file)
        if origin is None:
            origin = origin_of(file)
        if origin == USERS:
            return frame.f_code, frame.f_lineno
        if is_inside:
            if origin == OURS:
                ours = frame if not file.startswith(_FACES) else ours
                if file.startswith(_COMMANDS) and not _is_command(frame.f_back):
                    return frame.f_code, frame.f_lineno
            else:
                is_inside = False
        frame, left = frame.f_back, left - 1
    return None if ours is None else (ours.f_code, ours.f_lineno)


def _is_command(frame: FrameType | None) -> bool:
    return frame is not None and frame.f_code.co_filename.startswith(_COMMANDS)
