"""A progress bar that leaves one plain line behind, also in a saved notebook."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from IPython.display import DisplayHandle, display

_PATIENCE = 0.5  # seconds; what is done sooner needs no bar


class _Line:
    """A line of text that is plain in every front end."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


def display_bar(items: Iterable[Any], total: int | None, what: str) -> Iterable[Any]:
    """Wraps an iterable in a bar drawn by tqdm in the cell's own output.

    tqdm's widget would leave a dead widget in the saved notebook, and its text bar a line of
    carriage returns; this display is updated in place and ends as ``what: done``.

    Args:
        items: what is worked on.
        total: how many there are, or None.
        what: the work, shown before the bar.
    """
    from tqdm.std import tqdm

    handle: DisplayHandle | None = None

    class Bar(tqdm):  # type: ignore[type-arg]
        # All that tqdm draws goes through here; as it gets None back, it writes nothing itself.
        def display(self, msg: str | None = None, pos: int | None = None) -> None:  # noqa: ARG002
            nonlocal handle
            text = str(self) if msg is None else msg
            if handle is not None:
                handle.update(_Line(text))  # type: ignore[no-untyped-call]
            elif text:
                handle = display(_Line(text), display_id=True)  # type: ignore[no-untyped-call]

    def counted() -> Iterator[Any]:
        with Bar(items, what, total, leave=False, unit=" records", delay=_PATIENCE) as bar:
            yield from bar
        if handle is not None:
            handle.update(  # type: ignore[no-untyped-call]
                _Line(f"{what}: done")
            )

    return counted()
