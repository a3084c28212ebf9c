"""A progress bar that becomes one plain line when it is done, also in a saved notebook."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from IPython.display import DisplayHandle, display

_DELAY = 0.5  # seconds; shorter work needs no bar


class _Line:
    """One line of text, displayed without quotes."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


def display_bar(items: Iterable[Any], total: int | None, what: str) -> Iterable[Any]:
    """Wraps an iterable in a bar drawn by tqdm in the cell's own output.

    tqdm's own widget would be dead in the saved notebook, and its text bar would be saved as a line of
    carriage returns. This display is updated in place and ends as ``what: done``.

    Args:
        items: the items to work on.
        total: the number of items, or None if it is unknown.
        what: name of the work, shown before the bar.

    Returns:
        The same items; taking them moves the bar.
    """
    from tqdm.std import tqdm

    handle: DisplayHandle | None = None

    class Bar(tqdm):  # type: ignore[type-arg]
        # The thread in which tqdm looks after bars that stand still would never end. It is of no use to a bar
        # that looks at the clock at each item (`miniters`).
        monitor_interval = 0

        # tqdm draws through this method alone. It returns None, so tqdm writes nothing itself.
        def display(self, msg: str | None = None, pos: int | None = None) -> None:  # noqa: ARG002
            nonlocal handle
            text = str(self) if msg is None else msg
            if handle is not None:
                handle.update(_Line(text))  # type: ignore[no-untyped-call]
            elif text:
                handle = display(_Line(text), display_id=True)  # type: ignore[no-untyped-call]

    def counted() -> Iterator[Any]:
        with Bar(
            *(items, what, total), leave=False, unit=" records", delay=_DELAY, miniters=1
        ) as bar:
            yield from bar
        if handle is not None:
            handle.update(  # type: ignore[no-untyped-call]
                _Line(f"{what}: done")
            )

    return counted()
