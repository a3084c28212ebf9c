"""The packages of the extra ``doctor``, imported when a check needs them."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from ...errors import MissingPackage


def needed(module: str, what: str) -> Any:
    """Returns a module of an optional package.

    Args:
        module: the full name of the module.
        what: what needs it, as the beginning of a sentence.

    Raises:
        MissingPackage: it is not installed.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError:
        package = {"stdnum": "python-stdnum"}.get(name := module.partition(".")[0], name)
        raise MissingPackage(
            f"{what} need the package {package}: pip install 'tta-memory-nb[doctor]'"
        ) from None
