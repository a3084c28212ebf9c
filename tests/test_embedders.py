"""Embedders: one contract over the table, and what happens when one misbehaves."""

from __future__ import annotations

import asyncio
import logging
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from embedding import (
    GROUPS,
    Encoder,
    TextEmbedding,
    Toy,
    embeddings_server,
    meaning_of,
    need_wordllama,
    stand_ins,
)

from tta_memory_nb import EmbedderError, InvalidArgument, MissingPackage
from tta_memory_nb.embedders import minilm
from tta_memory_nb.embedders.base import EMBEDDERS, Embedder, check_embedder, open_embedder
from tta_memory_nb.embedders.checking import Asked
from tta_memory_nb.embedders.endpoint import Endpoint
from tta_memory_nb.embedders.function import Function
from tta_memory_nb.embedders.minilm import MiniLM
from tta_memory_nb.embedders.packages import digest_of
from tta_memory_nb.embedders.wordllama import WordLlama, read_tensor
from tta_memory_nb.stores.plan import Call, aanswer, answer

KEY = "sk-secret-0123456789"

# ---- one contract over the table


def as_wordllama(_: Path) -> Embedder:
    need_wordllama()
    return open_embedder("wordllama")


class Session:
    """Stands in for an onnxruntime.InferenceSession: states that count token ids."""

    def __init__(self, path: str, providers: list[str]) -> None:
        assert Path(path).exists()

    def get_inputs(self) -> list[Any]:
        names = ("input_ids", "attention_mask", "token_type_ids")
        return [SimpleNamespace(name=name) for name in names]

    def get_outputs(self) -> list[Any]:
        return [SimpleNamespace(shape=("batch", "sequence", 8))]

    def run(self, _: None, given: dict[str, np.ndarray]) -> list[np.ndarray]:
        assert set(given) == {"input_ids", "attention_mask", "token_type_ids"}
        # What stands behind the end of a text must not count.
        states = np.full((*given["input_ids"].shape, 8), 1e6, np.float32)
        for row, column in np.argwhere(given["attention_mask"]):
            states[row, column] = np.eye(8)[given["input_ids"][row, column] % 8]
        return [states]


class Tokenizer:
    """Stands in for a tokenizers.Tokenizer: the id of a word is its length."""

    @classmethod
    def from_file(cls, path: str) -> Tokenizer:
        assert Path(path).exists()
        return cls()

    def enable_truncation(self, most: int) -> None:
        self.most = most

    def no_padding(self) -> None:
        pass

    def encode(self, text: str) -> Any:
        return SimpleNamespace(ids=[len(word) for word in text.split()][: self.most])


def as_minilm(folder: Path) -> Embedder:
    (folder / "model.onnx").write_bytes(b"not looked at")
    (folder / "tokenizer.json").write_text("{}")
    return MiniLM(folder, digest_of(folder / "model.onnx"))


MAKERS: dict[str, Callable[[Path], Embedder]] = {
    "wordllama": as_wordllama,
    "minilm": as_minilm,
    "model2vec": lambda _: open_embedder("model2vec:some/model"),
    "sentence-transformers": lambda _: open_embedder("sentence-transformers:some/model"),
    "fastembed": lambda _: open_embedder("fastembed:some/model"),
    "openai": lambda _: open_embedder("openai:some-model"),
    "a function": lambda _: open_embedder(meaning_of),
    "an object": lambda _: open_embedder(Toy()),
    "a loaded encoder": lambda _: open_embedder(Encoder()),
    "a loaded TextEmbedding": lambda _: open_embedder(TextEmbedding()),
}


def test_every_name_of_the_table_is_under_the_contract():
    assert EMBEDDERS.keys() <= MAKERS.keys()


@pytest.fixture
def stood_in(monkeypatch, request) -> Iterator[None]:
    stand_ins(monkeypatch)
    if request.node.callspec.params["maker"] == "minilm":
        for name, attribute, model in (
            ("onnxruntime", "InferenceSession", Session),
            ("tokenizers", "Tokenizer", Tokenizer),
        ):
            module = ModuleType(name)
            setattr(module, attribute, model)
            monkeypatch.setitem(sys.modules, name, module)
    with embeddings_server() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.address)
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        yield


@pytest.mark.parametrize("maker", MAKERS)
@pytest.mark.usefixtures("stood_in")
def test_an_embedder_keeps_its_contract(maker, tmp_path):
    embedder = MAKERS[maker](tmp_path)
    asked = Asked(embedder, 60)
    assert embedder.name
    assert isinstance(embedder.version, str)
    texts = ["It rains and storms", "dog", "", "die Straße \ud800 ß 漢字", "x " * 3000]
    vectors = asked.embed(texts, query=False)
    assert vectors.dtype == np.float32
    assert vectors.shape == (len(texts), asked.dim)
    assert embedder.dim in (None, asked.dim)
    # Each has the length 1, but for the empty text, which says nothing.
    norms = np.linalg.norm(vectors.astype(np.float64), axis=1)
    assert norms == pytest.approx([1, 1, 0, 1, 1], abs=1e-6)
    # A text has one vector, whatever is embedded beside it, and whoever asks.
    alone = asked.embed(texts[:1], query=False)
    assert alone[0] == pytest.approx(vectors[0], abs=1e-6)
    again = Asked(MAKERS[maker](tmp_path), 60)
    assert again.embed(texts[:2], query=False) == pytest.approx(vectors[:2], abs=1e-6)
    assert again.identity == asked.identity
    assert asked.embed(["Does it rain?"], query=True).shape == (1, asked.dim)
    assert KEY not in repr(embedder) + str(vars(asked)) + asked.name


# ---- names


@pytest.mark.parametrize(
    "given", ["word2vec", "", "wordllama:x", "model2vec", "openai:", 3, None, ["wordllama"]]
)
def test_what_is_no_embedder_is_refused_with_all_the_names(given):
    with pytest.raises(InvalidArgument, match=r"^embedder=.*'wordllama', .*'openai:MODEL'"):
        check_embedder(given)


@pytest.mark.parametrize(
    ("name", "package", "line"),
    [
        ("wordllama", "tokenizers", r"pip install 'tta-memory-nb\[semantic\]'"),
        ("minilm", "onnxruntime", "pip install onnxruntime tokenizers"),
        ("model2vec:m", "model2vec", "pip install model2vec"),
        ("sentence-transformers:m", "sentence_transformers", "pip install sentence-transformers"),
        ("fastembed:m", "fastembed", "pip install fastembed"),
    ],
)
def test_a_missing_package_is_named_with_the_line_that_installs_it(
    name, package, line, monkeypatch
):
    monkeypatch.setitem(sys.modules, package, None)
    if name == "wordllama":
        monkeypatch.setattr("tta_memory_nb.embedders.wordllama.folder_of", lambda _: Path())
    with pytest.raises(MissingPackage, match=line):
        open_embedder(name)


def test_an_object_without_the_attributes_of_an_embedder_is_refused():
    class Half:
        name = "half"
        dim = 3

        def embed(self, texts: list[str]) -> None: ...

    with pytest.raises(InvalidArgument, match="'version' is missing"):
        open_embedder(Half())


# ---- WordLlama


def test_wordllama_is_read_without_running_its_package():
    need_wordllama()
    program = (
        "import logging, sys\n"
        "from tta_memory_nb.embedders.base import open_embedder\n"
        "open_embedder('wordllama').embed(['rain'])\n"
        "print('wordllama' in sys.modules, logging.root.handlers)"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "False []\n"
    assert done.stderr == ""


def test_wordllama_weighs_tokens_by_how_rare_they_are():
    need_wordllama()
    embedder = WordLlama()
    text = "the storm of the century"
    ids = embedder._tokenizer.encode(text, add_special_tokens=False).ids
    wanted = sum(np.log1p(token) * embedder._vectors[token].astype(np.float64) for token in ids)
    assert embedder.embed([text])[0] == pytest.approx(wanted, rel=1e-4, abs=1e-3)
    vectors = Asked(embedder, 60).embed(["storm", "rain", "carburettor"], query=False)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] + 0.2


def test_long_texts_are_pooled_in_pieces(monkeypatch):
    need_wordllama()
    embedder = WordLlama()
    texts = ["rain " * n for n in (1, 40, 0, 7, 200, 3)]
    wanted = embedder.embed(texts)
    monkeypatch.setattr("tta_memory_nb.embedders.wordllama._MOST_TOKENS", 50)
    assert embedder.embed(texts) == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff" * 8,
        (9).to_bytes(8, "little") + b'{"a": {}}',
        (2).to_bytes(8, "little") + b"{}",
        (80).to_bytes(8, "little")
        + b'{"m": {"dtype": "F16", "shape": [3, 5], "data_offsets": [0, 28]}}'.ljust(80),
        (80).to_bytes(8, "little")
        + b'{"m": {"dtype": "F16", "shape": [3, 5], "data_offsets": [0, 30]}}'.ljust(80),
    ],
)
def test_a_damaged_file_of_vectors_is_an_error_that_names_it(content, tmp_path):
    path = tmp_path / "m.safetensors"
    path.write_bytes(content)
    with pytest.raises(EmbedderError, match=re.escape(f"{path}: cannot read the matrix 'm'")):
        read_tensor(path, "m")


def test_a_matrix_is_read_where_its_header_says(tmp_path):
    numbers = np.arange(6, dtype="<f4").reshape(2, 3)
    header = b'{"x": {"dtype": "F32", "shape": [1, 1], "data_offsets": [0, 4]}, "m": '
    header += b'{"dtype": "F32", "shape": [2, 3], "data_offsets": [4, 28]}}'
    path = tmp_path / "m.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + b"\0" * 4 + numbers.tobytes())
    assert read_tensor(path, "m").tolist() == numbers.tolist()


# ---- a pinned file


def test_a_model_file_with_another_digest_is_refused(tmp_path, monkeypatch):
    for name in ("onnxruntime", "tokenizers"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setattr(sys.modules["tokenizers"], "Tokenizer", Tokenizer, raising=False)
    (tmp_path / "model.onnx").write_bytes(b"something else")
    with pytest.raises(EmbedderError, match=f"should be {minilm.KNOWN}"):
        MiniLM(tmp_path)


# ---- a server


def test_an_endpoint_is_asked_as_the_protocol_says(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with embeddings_server() as server:
        embedder = Endpoint(
            "m", server.address, KEY, dim=3, text_prefix="passage: ", query_prefix="query: "
        )
        embedder.embed(["rain", "dog"])
        embedder.embed(["rain"], query=True)
        Endpoint("m", server.address).embed(["rain"])
    (headers, body), (_, question), (without, _) = server.requests
    assert headers["Authorization"] == f"Bearer {KEY}"
    assert body == {
        "path": "/v1/embeddings",
        "model": "m",
        "input": ["passage: rain", "passage: dog"],
        "dimensions": 3,
    }
    assert question["input"] == ["query: rain"]
    assert "Authorization" not in without
    assert embedder.name == f"openai:m@127.0.0.1:{server.server_port}"


@pytest.mark.parametrize(
    ("says", "message"),
    [
        (
            (401, {}, f"Incorrect API key: {KEY}\n\x1b[31m".encode()),
            r"HTTP 401 .*key: \*\*\* \\x1b",
        ),
        ((200, {}, b"<html>"), "no JSON in the answer"),
        (
            (200, {}, b'{"data": [{"embedding": "x"}]}'),
            r"no embeddings in the answer \(ValueError\)",
        ),
        ((200, {}, b'{"data": 3}'), r"no embeddings in the answer \(TypeError\)"),
        ((302, {"Location": "http://127.0.0.1:9/elsewhere"}, b""), "HTTP 302"),
    ],
)
def test_an_endpoint_that_refuses_is_quoted_without_the_key(says, message):
    with embeddings_server() as server:
        server.says = says
        with pytest.raises(EmbedderError, match=message) as caught:
            Endpoint("m", server.address, KEY).embed(["rain"])
    assert KEY not in f"{caught.value}{caught.value.__cause__}"
    assert len(server.requests) == 1


def test_an_endpoint_that_is_away_is_an_error():
    with embeddings_server() as server:
        address = server.address
    with pytest.raises(EmbedderError, match="no answer"):
        Endpoint("m", address, KEY).embed(["rain"])


@pytest.mark.parametrize(
    "address", ["ftp://host", "host:80", "http://", f"http://user:{KEY}@host/v1"]
)
def test_an_address_that_is_none_is_refused_without_its_secrets(address):
    with pytest.raises(InvalidArgument, match="base_url=") as caught:
        Endpoint("m", address)
    assert KEY not in str(caught.value)


# ---- embedders that misbehave


def changing(_: object = None) -> Callable[[list[str]], Any]:
    sizes = iter((3, 4))
    return lambda texts: np.ones((len(texts), next(sizes)))


def raising(texts: list[str]) -> None:
    raise RuntimeError("quota\nexceeded")


BAD: dict[str, tuple[Callable[..., Any], str]] = {
    "raises": (raising, "failed: RuntimeError: quota exceeded"),
    "nan": (lambda texts: np.full((len(texts), 3), np.nan), "infinite or NaN"),
    "infinite": (lambda texts: [[1.0, np.inf]] * len(texts), "infinite or NaN"),
    "too few": (lambda texts: np.ones((1, 3)), r"shape \(1, 3\) for 2 texts"),
    "one row": (lambda texts: np.ones(3), r"shape \(3,\) for 2 texts"),
    "no numbers": (lambda texts: np.ones((len(texts), 0)), r"shape \(2, 0\)"),
    "ragged": (
        lambda texts: [[1.0], [1.0, 2.0]],
        r"it gave \[\[1.0\], \[1.0, 2.0\]\], which is no matrix of numbers",
    ),
    "text": (lambda texts: "vectors", "it gave 'vectors', which is no matrix of numbers"),
    "complex": (lambda texts: np.full((len(texts), 3), 1j), "which is no matrix of numbers"),
    "none": (lambda texts: None, "it gave None, which is no matrix of numbers"),
}


@pytest.mark.parametrize("kind", BAD)
@pytest.mark.parametrize("is_async", [False, True])
async def test_a_bad_answer_is_one_clear_error(kind, is_async):
    function, message = BAD[kind]

    async def later(texts: list[str]) -> Any:
        return function(texts)

    asked = Asked(Function(later if is_async else function), 60)
    with pytest.raises(EmbedderError, match=message):
        await aanswer(Call(asked.caller, ["rain", "dog"], False))
    with pytest.raises(EmbedderError, match=message):
        answer(Call(asked.caller, ["rain", "dog"], False))


def test_a_size_that_changes_is_an_error_and_says_what_to_do():
    asked = Asked(Function(changing()), 60)
    assert asked.embed(["rain"], query=False).shape == (1, 3)
    with pytest.raises(EmbedderError, match=r"of 4 numbers, and not of 3; .* another version"):
        asked.embed(["rain"], query=False)


def test_a_version_or_a_size_that_is_another_one_is_another_identity():
    toy = Toy()
    asked = Asked(toy, 60)
    assert asked.identity == ("toy", "1", len(GROUPS) + 1)
    toy.version = "2"
    assert asked.identity == ("toy", "2", len(GROUPS) + 1)
    toy.dim = 3
    assert asked.identity == ("toy", "2", 3)


def test_an_embedder_that_hangs_is_given_up():
    free = Event()
    asked = Asked(Function(lambda texts: free.wait()), 0.01)
    with pytest.raises(EmbedderError, match=r"no answer within 0\.01 s") as caught:
        asked.embed(["rain"], query=False)
    assert caught.value.is_late
    free.set()


async def test_an_async_embedder_that_hangs_is_given_up_and_cancelled():
    cancelled = asyncio.Event()

    async def hang(texts: list[str]) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    asked = Asked(Function(hang), 0.01)
    with pytest.raises(EmbedderError, match=r"no answer within 0\.01 s"):
        await asked.caller(["rain"], False)
    assert cancelled.is_set()


async def test_an_async_embedder_is_awaited_on_the_loop_of_its_caller():
    loops = []

    async def embed(texts: list[str], query: bool) -> np.ndarray:
        loops.append(asyncio.get_running_loop())
        assert query
        return meaning_of(texts)

    vectors = await Asked(Function(embed), 60).caller(["rain"], True)
    assert vectors[0, 0] == 1
    assert loops == [asyncio.get_running_loop()]


def test_huge_and_tiny_numbers_become_vectors_of_length_one():
    numbers = np.array([[1e300, 1e300], [1e-300, 0], [0, 0]])
    vectors = Asked(Function(lambda texts: numbers), 60).embed(["a", "b", "c"], query=False)
    assert vectors == pytest.approx(np.array([[0.70710678, 0.70710678], [1, 0], [0, 0]]))


def test_an_embedder_logs_nothing(caplog):
    with caplog.at_level(logging.DEBUG):
        Asked(Function(meaning_of), 60).embed(["rain"], query=False)
    assert caplog.records == []
