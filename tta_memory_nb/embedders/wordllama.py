"""WordLlama: static vectors of tokens, read from the files inside its wheel.

The package itself is not imported. Its import sets up logging for the whole process, and its loader
looks for the tokenizer in a folder that the wheel does not have, and then downloads it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import EmbedderError
from .packages import folder_of, missing, version_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

_WEIGHTS = "weights/l2_supercat_256.safetensors"
_TOKENIZERS = ("tokenizers", "tokenizer")
_TOKENIZER = "l2_supercat_tokenizer_config.json"

# Types of numbers in a file of the format safetensors.
_KINDS: dict[str, np.dtype[Any]] = {"F16": np.dtype("<f2"), "F32": np.dtype("<f4")}

# A header is cut off here, since the length of a damaged file may be anything.
_LONGEST_HEADER = 1 << 20

# So many tokens are pooled at a time: 16 MB of vectors.
_MOST_TOKENS = 16_384


class WordLlama:
    """An `Embedder` with 256 numbers a text, for English, without a neural network.

    The vector of a text is the sum of the vectors of its tokens, each weighted by ``ln(1 + id)``. The ids of
    this tokenizer go by frequency, so a rare word counts more than a frequent one, by Zipf's law.

    Source: D. Lee Miller, WordLlama (2024), https://github.com/dleemiller/WordLlama.

    Args:
        folder: of the package with the two files; None: where it is installed.

    Raises:
        MissingPackage: wordllama or tokenizers is not installed.
        EmbedderError: a file is missing, or is not what it has to be.
    """

    name = "wordllama"
    is_quick = True
    has_words = True
    weight = 1.0

    def __init__(self, folder: str | Path | None = None) -> None:
        found = folder_of("wordllama") if folder is None else Path(folder)
        if found is None:
            raise missing(self.name, "wordllama")
        try:
            from tokenizers import Tokenizer
        except ImportError:
            raise missing(self.name, "tokenizers") from None
        self._vectors = read_tensor(found / _WEIGHTS, "embedding.weight")
        self.dim: int = self._vectors.shape[1]
        self.version = version_of("wordllama") if folder is None else ""
        tokenizer = next(
            (path for name in _TOKENIZERS if (path := found / name / _TOKENIZER).exists()), None
        )
        if tokenizer is None:
            raise EmbedderError(f"embedder='wordllama': {found} has no {_TOKENIZER}")
        self._tokenizer = Tokenizer.from_file(str(tokenizer))
        self._weights = np.log1p(np.arange(len(self._vectors), dtype=np.float32))

    def embed(self, texts: Sequence[str], *, query: bool = False) -> NDArray[np.float32]:  # noqa: ARG002
        """Returns the vectors of texts; a text without a token has zeros only."""
        # One by one: a batch would start threads, which do not survive a fork.
        encode = self._tokenizer.encode
        ids = [encode(text, add_special_tokens=False).ids for text in texts]
        pooled = np.zeros((len(ids), self.dim), np.float32)
        first = 0
        while first < len(ids):
            last, total = first, 0
            while last < len(ids) and (last == first or total + len(ids[last]) <= _MOST_TOKENS):
                total += len(ids[last])
                last += 1
            self._pool(ids[first:last], pooled[first:last])
            first = last
        return pooled

    def _pool(self, ids: Sequence[Sequence[int]], pooled: NDArray[np.float32]) -> None:
        """Writes the weighted sums of the vectors of tokens, a row for each text."""
        lengths = np.array([len(each) for each in ids])
        tokens = np.fromiter((token for each in ids for token in each), np.intp, lengths.sum())
        if not len(tokens):
            return
        rows = self._vectors[tokens].astype(np.float32)
        rows *= self._weights[tokens][:, None]
        # reduceat gives a row of its own to a text without tokens, so these are left out.
        some = lengths > 0
        starts = (np.cumsum(lengths) - lengths)[some]
        pooled[some] = np.add.reduceat(rows, starts, axis=0)


def read_tensor(path: Path, name: str) -> NDArray[Any]:
    """Returns a matrix of a file in the format safetensors, mapped into memory.

    The format: 8 bytes, the length of a JSON header; the header, which has type, shape and place of each
    tensor; the tensors. See https://github.com/huggingface/safetensors.

    Args:
        path: of the file.
        name: of the tensor in it, a matrix of float16 or float32.

    Raises:
        EmbedderError: the file cannot be read, or has no such matrix.
    """
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            about = json.loads(file.read(min(length, _LONGEST_HEADER)))[name]
        rows, columns = about["shape"]
        start, end = about["data_offsets"]
        matrix: NDArray[Any] = np.memmap(
            path, _KINDS[about["dtype"]], "r", 8 + length + start, (rows, columns)
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EmbedderError(f"{path}: cannot read the matrix {name!r}: {error!r}") from error
    if matrix.nbytes != end - start:
        raise EmbedderError(
            f"{path}: cannot read the matrix {name!r}: it has {end - start} bytes, and a shape of "
            f"{matrix.nbytes}"
        )
    return matrix
