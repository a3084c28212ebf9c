"""The table of vectors: found by text, exact to the bit, and as large as what is needed."""

from __future__ import annotations

from threading import Thread

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tta_memory_nb.search.vectors import Floats, Vectors, digest_of, quantized

SIZES = st.integers(1, 12) | st.sampled_from((384, 1536))


def unit(vectors: np.ndarray) -> Floats:
    norms = np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
    return (vectors / np.maximum(norms, 1e-300)).astype(np.float32)


@st.composite
def tables(draw) -> tuple[Floats, Floats, list[int]]:
    """Unit vectors, a question, and rows to look at, some of them negative, some of them twice."""
    size = draw(SIZES)
    # Few values, so that equal similarities are frequent.
    numbers = st.sampled_from((0.0, 1.0, -1.0, 0.25, 3.0)) | st.floats(-1, 1, width=32)
    count = draw(st.integers(1, 6))
    seed = draw(st.integers(0, 2**32 - 1))
    if size > 12:
        random = np.random.default_rng(seed)
        made = random.normal(size=(count + 1, size))
    else:
        made = draw(arrays(np.float64, (count + 1, size), elements=numbers))
    vectors = unit(made)
    rows = draw(st.lists(st.integers(-2, count - 1), max_size=12))
    return vectors[:-1], vectors[-1], rows


@given(tables())
def test_similarities_are_those_of_a_naive_float64_computation_to_the_bit(table):
    vectors, question, rows = table
    made = Vectors(("test", "", vectors.shape[1]))
    made.put(range(len(vectors)), vectors)
    codes, scales = quantized(vectors)
    integers, scale = made._rounded(question)

    def naive(row: int) -> float:
        if row < 0:
            return 0.0
        terms = zip(codes[row].tolist(), integers.tolist(), strict=True)
        return sum(int(a) * int(b) for a, b in terms) * (float(scales[row]) * scale)

    wanted = [naive(row) for row in rows]
    assert made.similarities(np.array(rows, np.int32), question).tolist() == wanted
    # A scan of all rows and a look at a few take different ways.
    alone = [made.similarities(np.array([row], np.int32), question)[0] for row in rows]
    assert alone == wanted
    exact = vectors.astype(np.float64) @ question.astype(np.float64)
    close = [0.0 if row < 0 else exact[row] for row in rows]
    assert np.allclose(wanted, close, atol=0.02)


def test_the_best_of_many_are_those_of_a_naive_computation():
    random = np.random.default_rng(7)
    vectors = unit(random.normal(size=(5000, 64)))
    made = Vectors(("test", "", 64))
    for start in range(0, 5000, 700):
        made.put(range(start, min(start + 700, 5000)), vectors[start : start + 700])
    codes, scales = made.quantized_rows(np.arange(5000, dtype=np.int32))
    kept = codes.astype(np.float64) * scales[:, None].astype(np.float64)
    for question in unit(random.normal(size=(5, 64))):
        integers, scale = made._rounded(question)
        wanted = np.argsort(-(kept @ (integers * np.float64(scale))), kind="stable")[:10]
        found = made.similarities(np.arange(5000, dtype=np.int32), question)
        assert np.argsort(-found, kind="stable")[:10].tolist() == wanted.tolist()


def test_a_text_keeps_its_first_vector_and_an_unknown_one_has_none():
    table = Vectors(("test", "", 2))
    rain, sun = digest_of("rain"), digest_of("sun")
    table.put([rain, sun, rain], unit(np.array([[1, 0], [0, 1], [1, 1]])))
    table.put([sun], unit(np.array([[1, 0]])))
    assert table.rows([sun, digest_of("snow"), rain]).tolist() == [1, -1, 0]
    assert len(table) == 2
    question = np.array([0, 1], np.float32)
    assert table.similarities(table.rows([rain, sun]), question) == pytest.approx([0, 1], abs=1e-3)


def test_texts_with_lone_surrogates_have_a_digest():
    assert digest_of("\ud800") != digest_of("\ud801")


def test_rows_that_nobody_needs_are_dropped_when_they_are_the_most():
    table = Vectors(("test", "", 3))
    vectors = unit(np.random.default_rng(1).normal(size=(4000, 3)))
    table.put(range(4000), vectors)
    table.sweep(np.arange(2000, dtype=np.uint64))
    assert len(table) == 4000  # only half of them
    before = table.similarities(table.rows([3, 999]), vectors[0])
    # Another index that needs fewer does not decide.
    table.sweep(np.arange(10, dtype=np.uint64))
    assert len(table) == 4000
    assert table.generation == 0
    table.put(range(4000, 8000), vectors)
    table.sweep(np.arange(2500, dtype=np.uint64))
    assert len(table) == 2500
    assert table.generation == 1
    assert table.rows([3000]).tolist() == [-1]
    assert table.similarities(table.rows([3, 999]), vectors[0]).tolist() == before.tolist()
    table.put([9000], vectors[:1])
    assert table.rows([9000]).tolist() == [2500]


def test_threads_that_embed_the_same_texts_get_the_same_rows():
    table = Vectors(("test", "", 4))
    vectors = unit(np.random.default_rng(2).normal(size=(3000, 4)))

    def put(first: int) -> None:
        for start in range(first, 3000, 100):
            table.put(range(start, min(start + 150, 3000)), vectors[start : start + 150])

    threads = [Thread(target=put, args=(0,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rows = table.rows(range(3000))
    assert sorted(rows.tolist()) == list(range(3000))
    codes, _ = table.quantized_rows(rows)
    assert (codes == quantized(vectors)[0]).all()
