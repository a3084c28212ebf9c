"""Signatures find every text that may contain a needle, and the ring assigns each a column."""

from __future__ import annotations

import random

import numpy as np
import pytest
from backends import DEEP
from hypothesis import given, settings
from hypothesis import strategies as st

from tta_memory_nb.search.substring import runs, signature
from tta_memory_nb.search.substring.grams import ROWS, Signer, is_exact, owner_rows
from tta_memory_nb.search.substring.signature import SignatureIndex
from tta_memory_nb.text import BORDER, fold, to_utf8

# Few letters, so that they meet often; the others have one to four bytes, and one is a surrogate.
odd_text = st.text("abc .,7'\né߿ж天記🙂\ud83d").map(fold).map(to_utf8)
texts_of_all_kinds = st.lists(odd_text, min_size=1, max_size=64)


def bits_of(signer: Signer, texts: list[bytes], first: int = 0) -> np.ndarray:
    """Returns which text (column) has which row."""
    word, _ = signer.word(texts, [()] * len(texts), first)
    octets = word.view(np.uint8).reshape(ROWS, 8)
    return np.unpackbits(octets, axis=1, bitorder="little")[:, first : first + len(texts)] == 1


def cuts(data: st.DataObject, text: bytes) -> bytes:
    """Returns a piece of a text that does not cross a border, or nothing."""
    start = data.draw(st.integers(0, len(text)))
    part = text[start : start + data.draw(st.sampled_from([1, 2, 3, 4, 5, 9, 200]))]
    part = part.split(BORDER.encode())[0]
    return part if len(part) > 1 or part.isascii() else b""  # a lone surrogate is no needle


@settings(max_examples=100)
@given(st.data())
def test_a_text_has_the_rows_and_runs_of_everything_it_contains(data):
    texts = data.draw(texts_of_all_kinds)
    signer = Signer(texts if data.draw(st.booleans()) else ())
    first = data.draw(st.integers(0, 64 - len(texts)))
    bits = bits_of(signer, texts, first)
    _, runs = signer.word(texts, [()] * len(texts), first)
    for column, text in enumerate(texts):
        needle = cuts(data, text)
        assert set(signer.runs_of(needle)) <= set(runs.tolist())
        if needle:
            assert bits[sorted(signer.rows_of(needle)), column].all()


@given(
    texts_of_all_kinds,
    st.sampled_from(
        [b"a", b"ab", b" a", b"7", b".,", b"b-", b"q", b"zz", b"'", b"\n", b"~", b"\x00"]
    ),
)
def test_one_or_two_common_characters_are_answered_exactly(texts, needle):
    assert is_exact(needle)
    signer = Signer()
    rows = signer.rows_of(needle)
    assert rows is not None
    [row] = rows
    found = bits_of(signer, texts)[row]
    assert found.tolist() == [needle in text for text in texts]


def test_needles_that_share_a_class_are_not_called_exact():
    assert not any(map(is_exact, (b"abc", "é".encode(), b'a"', b"!?")))
    signer = Signer()
    bits = bits_of(signer, [b"what?!", b"what!?", b"~~", b"!!"])
    assert bits[sorted(signer.rows_of(b"?!"))].all(axis=0).tolist() == [True, True, False, False]


@pytest.mark.parametrize("kind", ["one text", "many texts"])
def test_texts_longer_than_a_window_lose_nothing_at_its_edges(kind):
    chance = random.Random(5)
    letters = "".join(chance.choices("abcdefghijklmnopqrstuvwxyz é天", k=3 * Signer.WINDOW // 2))
    text = to_utf8(letters)
    size = len(text) if kind == "one text" else 3001
    texts = [text[at : at + size] for at in range(0, len(text), size)][:64]
    signer = Signer(texts)
    signer._makes_runs[:] = True
    bits = bits_of(signer, texts)
    runs_there = set(signer.word(texts, [()] * len(texts))[1].tolist())
    for column, part in enumerate(texts):
        places = [*range(0, len(part) - 4, 997), *range(Signer.WINDOW - 5, Signer.WINDOW + 5)]
        for at in places:
            assert set(signer.runs_of(part[at : at + 5])) <= runs_there, (column, at)
            if needle := part[at : at + 4]:
                assert bits[sorted(signer.rows_of(needle)), column].all(), (column, at)


def test_no_needle_is_found_across_a_border():
    signer = Signer()
    bits = bits_of(signer, [b"ab" + BORDER.encode() + b"cd", b"xbcx"])
    rows = sorted(signer.rows_of(b"bc"))
    assert bits[rows].all(axis=0).tolist() == [False, True]


def test_rare_n_grams_share_no_rows_with_n_grams_of_every_text():
    chance = random.Random(3)
    sample = [
        b"weather forecast" + BORDER.encode() + bytes(chance.choices(b"abcdefgh", k=12))
        for _ in range(256)
    ]
    signer = Signer(sample)
    bits_of(signer, [*sample[:4], b"umbrella"])
    common = signer.rows_of(b"weather forecast")
    assert len(common) <= 4
    assert not common & signer.rows_of(b"umbrella")


def test_an_n_gram_that_was_never_seen_has_no_rows_until_it_is():
    signer = Signer()
    bits_of(signer, [b"the weather"])
    assert signer.rows_of(b"weather")
    assert signer.rows_of(b"umbrella") is None
    bits_of(signer, [b"an umbrella"])
    assert signer.rows_of(b"umbrella")


def test_users_and_sessions_have_rows_of_their_own():
    [user], [session] = owner_rows("alice", None), owner_rows(None, "alice")
    assert owner_rows("alice", "alice") == (user, session)
    assert owner_rows(None, None) == ()
    bits, _ = Signer().word([b"x", b"y"], [(user, session), ()])
    assert [int(bits[user]), int(bits[session])] == [1, 1]


# ---- the ring


class Ring:
    """An index, and its expected contents: texts by column, the oldest first."""

    def __init__(self, words: int) -> None:
        sample = some_texts(random.Random(words), 30)
        self.index = SignatureIndex(words, sample)
        self.texts: dict[int, bytes] = {}
        self.excluded = 0  # by runs

    def append(self, texts: list[bytes]) -> None:
        while self.index.free() < len(texts):
            for column in self.index.oldest():
                self.texts.pop(column, None)
            self.index.clear_oldest()
        for column, text in zip(self.index.append(texts, [()] * len(texts)), texts, strict=True):
            assert column not in self.texts
            self.texts[column] = text

    def grow(self, words: int) -> None:
        columns = self.index.columns
        back = self.index.grow(words)
        self.texts = {(column - back) % columns: text for column, text in self.texts.items()}

    def check(self, needle: bytes, wanted: int | None) -> None:
        rows = self.index.rarest(self.index.rows_of(needle) or ())
        found = [column for block in self.index.candidates(rows, wanted) for column in block]
        distinct = set(found)
        assert self.index.taken().nonzero()[0].tolist() == sorted(self.texts)
        assert [column for column in reversed(self.texts) if column in distinct] == found
        assert {column for column, text in self.texts.items() if needle in text} <= distinct
        if is_exact(needle):
            assert all(needle in self.texts[column] for column in found)
        if rows:
            blocks = self.index.candidates(rows, wanted, None, needle)
            left = [column for block in blocks for column in block]
            distinct = set(left)
            assert [column for column in reversed(self.texts) if column in distinct] == left
            assert {column for column, text in self.texts.items() if needle in text} <= distinct
            self.excluded += len(found) - len(left)


def some_texts(chance: random.Random, count: int) -> list[bytes]:
    words = [b"rain", b"sun", b"umbrella", b"the", "málaga".encode(), b"q", b""]
    return [b" ".join(chance.choices(words, k=chance.randint(0, 6))) for _ in range(count)]


@pytest.fixture(params=[False, True], ids=["by all words", "by the summary"])
def way(request, monkeypatch):
    """Which of the two ways to find candidates is taken; large matrices take the summary for rare n-grams."""
    monkeypatch.setattr(signature, "_MANY_WORDS", 0 if request.param else 1 << 30)
    monkeypatch.setattr(signature, "_SPARSE", 0)
    monkeypatch.setattr(signature, "_RARE", 1 << 30)
    monkeypatch.setattr(signature, "_MANY_COLUMNS", 100)
    monkeypatch.setattr(runs, "_WORDS", 2)


@pytest.mark.parametrize("seed", range(6 * DEEP))
@pytest.mark.usefixtures("way")
def test_a_ring_returns_all_its_texts_newest_first(seed):
    chance = random.Random(seed)
    ring = Ring(words=chance.randint(2, 12))
    for _ in range(40):
        match chance.randrange(5):
            case 0:
                ring.append(some_texts(chance, 64 * chance.randint(1, 2)))
            case 1 if ring.index.columns < 4000:
                ring.grow(ring.index.columns // 64 + chance.randint(1, 9))
            case _:
                ring.append(some_texts(chance, chance.randint(1, 100)))
        # Not every time, because reading a matrix that has grown copies it.
        if chance.random() < 0.4:
            for needle in (
                b"umbrella",
                b"n",
                b"th",
                b"rain sun",
                "á".encode(),
                b"nowhere",
                b"umbrella sun",
            ):
                ring.check(needle, chance.choice([None, 1, 5, 100]))


@pytest.mark.usefixtures("way")
def test_many_words_are_scanned_range_by_range():
    ring = Ring(words=200)
    chance = random.Random(1)
    for _ in range(24):
        ring.append(some_texts(chance, 640))  # finally overwrites the oldest words
    for needle in (b"umbrella", b"rain", b"q", b"the umbrella rain"):
        for wanted in (1, 5, None):
            ring.check(needle, wanted)


@pytest.mark.usefixtures("way")
def test_a_text_of_frequent_n_grams_that_is_nowhere_leaves_no_candidates():
    ring = Ring(words=20)
    ring.index = SignatureIndex(20, [b"session assistant"] * 9)
    for start in range(0, 1280, 80):
        ring.append([b"session assistant"] * 80 if start != 640 else [b"sessis"] * 80)
    ring.check(b"sessis", 5)
    assert ring.excluded
    ring.excluded = 0
    ring.check(b"sessis", None)
    ring.check(b"assist", None)
    # In every column but those of the blocks that have it.
    rows = ring.index.rarest(ring.index.rows_of(b"sessis"))
    assert sum(map(len, ring.index.candidates(rows, None))) == 1280
    assert 1280 - 3 * 128 <= ring.excluded <= 1280 - 80
