"""Embedders for tests: small ones, bad ones, and stand-ins for packages that are not installed."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tta_memory_nb.embedders.packages import folder_of

GROUPS = (
    "rain rained raining storm shower wet umbrella weather",
    "dog puppy hound pet cat animal",
    "car truck engine drive road",
    "cake bread bake oven dinner food",
)
"""Words of each line mean the same to `meaning_of`."""

PLACE = {word: place for place, group in enumerate(GROUPS) for word in group.split()}


def meaning_of(texts: Sequence[str]) -> np.ndarray:
    """Returns vectors that count the words of each group; the last number stands for all others."""
    vectors = np.zeros((len(texts), len(GROUPS) + 1), np.float32)
    for row, text in enumerate(texts):
        for word in text.lower().replace("?", " ").replace(".", " ").split():
            vectors[row, PLACE.get(word, len(GROUPS))] += 1 if word in PLACE else 0.1
    return vectors


class Toy:
    """An embedder that knows the words of `GROUPS`, and counts what it is asked.

    Attributes:
        asked: every text that was embedded, in order.
        questions: those that were embedded as questions.
    """

    name = "toy"
    dim = len(GROUPS) + 1

    def __init__(self, version: str = "1", has_words: bool = False, is_quick: bool = False) -> None:
        self.version = version
        self.has_words = has_words
        self.is_quick = is_quick
        self.asked: list[str] = []
        self.questions: list[str] = []

    def embed(self, texts: Sequence[str], *, query: bool = False) -> np.ndarray:
        self.asked += texts
        if query:
            self.questions += texts
        return meaning_of(texts)


class Encoder:
    """Has the methods of a model of Sentence Transformers or of Model2Vec."""

    dim = len(GROUPS) + 1

    def __init__(self, name: str = "") -> None:
        self.name = name

    @classmethod
    def from_pretrained(cls, name: str) -> Encoder:
        return cls(name)

    def get_sentence_embedding_dimension(self) -> int:
        return self.dim

    def encode(self, texts: list[str]) -> np.ndarray:
        return meaning_of(texts)


class TextEmbedding:
    """Has the methods of a model of FastEmbed."""

    def __init__(self, model_name: str = "some") -> None:
        self.model_name = model_name

    def embed(self, texts: list[str]) -> Iterator[np.ndarray]:
        yield from meaning_of(texts)

    query_embed = passage_embed = embed


def stand_ins(patch: pytest.MonkeyPatch) -> None:
    """Puts modules in the place of packages whose models would have to be downloaded."""
    for name, attribute, model in (
        ("model2vec", "StaticModel", Encoder),
        ("sentence_transformers", "SentenceTransformer", Encoder),
        ("fastembed", "TextEmbedding", TextEmbedding),
    ):
        module = ModuleType(name)
        setattr(module, attribute, model)
        patch.setitem(__import__("sys").modules, name, module)


def need_wordllama() -> None:
    """Skips a test where the extra is not installed; fails in CI."""
    if folder_of("wordllama") is None or folder_of("tokenizers") is None:
        reason = "needs wordllama and tokenizers: pip install 'tta-memory-nb[semantic]'"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)


class EmbeddingsServer(ThreadingHTTPServer):
    """Answers ``POST /v1/embeddings`` as OpenAI does.

    Attributes:
        requests: what it was asked: headers, and the body as JSON.
        says: an answer to give in place of embeddings: status, headers and body.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.requests: list[tuple[dict[str, str], Any]] = []
        self.says: tuple[int, dict[str, str], bytes] | None = None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"


class _Handler(BaseHTTPRequestHandler):
    server: EmbeddingsServer

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.requests.append((dict(self.headers), {"path": self.path, **body}))
        vectors = meaning_of(body["input"])[:, : body.get("dimensions")]
        rows = [
            {"object": "embedding", "index": index, "embedding": row}
            for index, row in enumerate(vectors.tolist())
        ]
        answer = json.dumps({"object": "list", "data": rows[::-1], "model": body["model"]})
        status, headers, content = self.server.says or (200, {}, answer.encode())
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def embeddings_server() -> Iterator[EmbeddingsServer]:
    """Runs the server for a test."""
    with EmbeddingsServer() as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
