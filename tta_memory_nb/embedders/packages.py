"""Finds the packages of embedders, and files inside them without running any of their code."""

from __future__ import annotations

import hashlib
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from ..errors import EmbedderError, MissingPackage
from .base import EMBEDDERS


def missing(name: str, package: str) -> MissingPackage:
    """Returns the error for an embedder whose package is not installed.

    Args:
        name: of the embedder, as the table has it.
        package: what cannot be imported.
    """
    return MissingPackage(
        f"embedder={name!r}: the package {package} is not installed; "
        f"pip install {EMBEDDERS[name].pip}"
    )


def folder_of(package: str) -> Path | None:
    """Returns the folder of an installed package, which is not imported; None if there is none."""
    try:
        spec = find_spec(package)
    except (ImportError, ValueError):
        return None
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations)))


def version_of(distribution: str) -> str:
    """Returns the version of an installed distribution, empty if nothing knows it."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return ""


def digest_of(path: Path) -> str:
    """Returns the SHA-256 of a file in hexadecimal digits.

    Raises:
        EmbedderError: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise EmbedderError(f"{path}: cannot read this file of the model: {error}") from error
