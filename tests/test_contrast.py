"""Words that have changed places, and so make one statement another."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tta_memory_nb import MemoryPrimitive
from tta_memory_nb.memory.contrast import exchanged

ANOTHER = [
    ("a owes b 5", "b owes a 5", "a b"),
    ("the fee went from 200 to 800", "the fee went from 800 to 200", "200 800"),
    ("ann lee owes bob 5 euros", "bob owes ann lee 5 euros", "ann lee bob"),
    (
        "prices rose from 200 to 800 and from 3 to 5 there",
        "prices rose from 800 to 200 and from 5 to 3 there",
        "200 800 3 5",
    ),
    ("it ended 3 1 for us", "it ended 1 3 for us", "3 1"),
    ("the dog bites the man", "the man bites the dog", "dog man"),
]
THE_SAME = [
    ("yesterday we met in the park", "we met in the park yesterday"),
    ("we bought bread and tea there", "we bought tea and bread there"),
    ("on 3 may we meet at 5", "at 5 we meet on 3 may"),
    ("a big red house by the sea", "a red big house by the sea"),
    ("for all of may we rented a house", "we rented a house for all of may"),
    ("one and the same", "one and the same"),
    ("one word", "another word"),
]


@pytest.mark.parametrize(("text", "other", "moved"), ANOTHER)
def test_words_that_have_changed_places_say_something_else(text, other, moved):
    assert exchanged(text.split(), other.split()) == tuple(moved.split())
    assert sorted(exchanged(other.split(), text.split())) == sorted(moved.split())


def test_what_a_negation_denies_is_not_what_it_denies_elsewhere():
    one, other = (
        ["he", "eats", "nuts", "but", "no", "fish"],
        ["he", "eats", "no", "nuts", "but", "fish"],
    )
    assert exchanged(one, other) == ("no", "fish")
    assert exchanged(other, one) == ("no", "nuts")


@pytest.mark.parametrize(("text", "other"), THE_SAME)
def test_what_was_moved_as_a_whole_says_the_same(text, other):
    assert exchanged(text.split(), other.split()) == ()
    assert exchanged(other.split(), text.split()) == ()


words = st.lists(st.sampled_from(["a", "b", "no", "and", "5", "7"]), max_size=8)


@given(words, st.randoms(use_true_random=False))
def test_any_order_of_words_can_be_compared(one, chance):
    other = one[:]
    chance.shuffle(other)
    moved = exchanged(one, other)
    assert {*moved} <= {*one}
    assert bool(moved) <= (one != other)
    assert exchanged([*one, "more"], other) == ()


def test_a_pack_keeps_two_texts_with_the_same_numbers_in_another_order():
    frame = "The committee has raised the yearly budget of the small workshop by the harbour from {} to {} euros"
    memory = MemoryPrimitive().sync
    memory.add("ann:s:1", {"text": frame.format(200, 800)})
    memory.add("ann:s:2", {"text": frame.format(800, 200)})
    memory.add("ann:s:3", {"text": frame.format(200, 800) + "."})
    packed = memory.pack("the budget of the workshop", 500)
    assert {"ann:s:2"} < {*packed.keys}
    assert len(packed.keys) == 2
