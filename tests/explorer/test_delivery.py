"""The code of the explorer's front end reaches a page by messages, and is not in the state of the widget."""

from __future__ import annotations

from typing import Any

import pytest
from front_end import FrontEnd

from tta_memory_nb import MemoryPrimitive
from tta_memory_nb.notebook.explorer import widget
from tta_memory_nb.notebook.explorer.delivery import Delivery


@pytest.fixture
def memory() -> MemoryPrimitive:
    memory = MemoryPrimitive()
    memory.sync.add("ann:mon", {"text": "It rains"})
    memory.sync.add("bob:mon", {"text": "sun"})
    return memory


def test_a_loader_gets_the_code_and_behind_it_the_first_rows(explore):
    explorer = explore()
    front = FrontEnd(explorer)
    explorer._received(None, {"do": "load"}, [])
    front.when(lambda: len(front.messages) == 2)
    code, opening = front.messages
    assert (code["kind"], opening["kind"]) == ("code", "opening")
    assert code["version"] in explorer._esm
    assert [row["key"] for row in opening["state"]["rows"]] == ["bob:mon", "ann:mon"]


def test_a_loader_gets_the_code_of_an_explorer_whose_memory_cannot_be_read(explore, monkeypatch):
    explorer = explore()
    monkeypatch.setattr(explorer._lister, "list_first", lambda: 1 / 0)
    front = FrontEnd(explorer)
    explorer._received(None, {"do": "load"}, [])
    assert front.ask("hello")["kind"] == "error"
    assert [each["kind"] for each in front.messages].count("code") == 1


def test_requests_that_were_held_up_together_are_answered_once():
    sent: list[Any] = []
    now = 0.0
    delivery = Delivery(sent.append, lambda: now)
    assert [delivery.answer({"do": "load"}) for _ in range(5)] == [True, *[False] * 4]
    now = 0.3  # when the loader asks again, which has not received the answer
    assert delivery.answer({"do": "load"})
    assert len(sent) == 2


def test_an_answer_that_could_not_be_sent_is_sent_at_the_next_request():
    def fail(_message: object) -> None:
        raise OSError

    delivery = Delivery(fail, lambda: 0.0)
    for _ in range(2):
        with pytest.raises(OSError):
            delivery.answer({"do": "load"})


def test_what_is_no_request_for_the_code_is_left_to_the_views():
    delivery = Delivery(lambda _message: pytest.fail("sent"))
    for content in (None, [], "load", {}, {"do": "hello"}, {"do": ["load"]}, {"id": 1}):
        assert not delivery.answer(content)


def test_the_code_is_offered_with_fewer_and_fewer_of_the_first_rows():
    sent: list[Any] = []
    delivery, numbers = Delivery(sent.append), []
    for number in range(40):
        before = len(sent)
        delivery.offer(number)
        numbers += [number] * (len(sent) - before)
    assert numbers == [1, 2, 4, 8, 16, 32]


def test_a_displayed_widget_offers_its_code_before_the_rows(explore, monkeypatch):
    monkeypatch.setattr(widget, "_OFFER_PAUSE", 0.0)
    monkeypatch.setattr(widget, "_OFFERS", 4)
    explorer = explore()
    front = FrontEnd(explorer)
    explorer._ipython_display_()
    kinds = lambda: [each["kind"] for each in front.messages]  # noqa: E731
    front.when(lambda: kinds().count("opening") == 4)
    assert kinds() == ["opening", "code", "opening", "code", "opening", "opening"]
