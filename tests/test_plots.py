"""Pictures of a memory."""

from __future__ import annotations

import sys
from io import BytesIO

import pytest
from backends import Clock

from tta_memory_nb import MemoryPrimitive
from tta_memory_nb.errors import MissingPackage
from tta_memory_nb.plots import PLOTS, plot_sessions, plot_timeline, plot_ttl, png

HOSTILE = "$\\frac{1}{0}$\x1b[31m\u202e<b>"


@pytest.fixture
def memory():
    clock = Clock()
    memory = MemoryPrimitive(clock=clock).sync
    for number in range(20):
        memory.add(
            f"user{number % 3}:s{number % 5}", {"n": number}, ttl=1_000_000 if number % 2 else None
        )
        memory.add(f"note{number}", {"text": "x" * number})
        clock.tick(3600)
    return memory


@pytest.mark.parametrize("name", PLOTS)
def test_each_picture_can_be_saved(memory, name):
    figure = PLOTS[name](memory.entries(), 0.0)
    file = BytesIO()
    figure.savefig(file, format="png")
    assert file.getvalue().startswith(b"\x89PNG")
    assert len(figure.axes[0].patches) > 0


@pytest.mark.parametrize("name", PLOTS)
def test_an_empty_memory_has_nothing_to_show(name):
    figure = PLOTS[name]([], 0.0)
    assert [text.get_text() for text in figure.axes[0].texts] == ["nothing to show"]
    assert png(figure).startswith(b"\x89PNG")


def test_the_numbers_are_those_of_the_memory(memory):
    entries = memory.entries()
    [steps] = plot_timeline(entries).axes[0].patches
    assert sum(steps.get_data().values) == len(entries)
    bars = plot_sessions(entries).axes[0]
    labels = [label.get_text() for label in bars.get_yticklabels()]
    assert len(labels) == len(bars.patches) == 15
    assert "user1:s4 (1)" in labels


def test_what_never_expires_is_told(memory):
    never = sum(entry.expires_at is None for entry in memory.entries())
    assert f"{never} never expire" in plot_ttl(memory.entries(), 0.0).axes[0].get_title(loc="left")


def test_text_from_a_memory_is_no_formula_and_cannot_be_seen_wrongly():
    memory = MemoryPrimitive().sync
    memory.add(f"{HOSTILE}:session", {})
    figure = plot_sessions(memory.entries())
    [label] = figure.axes[0].get_yticklabels()
    assert label.get_text().isprintable()
    assert r"\$" in label.get_text()
    assert png(figure).startswith(b"\x89PNG")


def test_pyplot_is_left_alone(memory):
    before = "matplotlib.pyplot" in sys.modules
    plot_timeline(memory.entries())
    assert ("matplotlib.pyplot" in sys.modules) == before


def test_without_matplotlib_the_way_out_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingPackage, match="pip install"):
        plot_timeline([])
