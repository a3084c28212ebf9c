"""Checks that look for places in texts: instructions, hidden characters, links, secrets, personal data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial

from .credentials import secrets_in
from .examined import MOST_EVIDENCE, Examined, Record
from .finding import SEVERITIES, Action, Evidence, Finding, Repair, Spot
from .hidden import hidden_in, links_in
from .injections import injections_in
from .needed import needed
from .personal import personal_in

Find = Callable[[str], list[Spot]]

_MOST_SPOTS = 5


def injections(examined: Examined) -> Iterator[Finding | None]:
    """Finds texts that instruct the agent in place of telling it something, also in a disguise."""
    return _spotted(
        examined,
        "injections",
        injections_in,
        "a text that instructs the agent",
        "review",
        "read it; delete it unless you wrote it",
        with_names=True,
    )


def hidden_characters(examined: Examined) -> Iterator[Finding | None]:
    """Finds characters that nobody sees: tags, bidirectional controls, zero-width and control characters."""
    return _spotted(
        examined,
        "hidden-characters",
        hidden_in,
        "characters that nobody sees",
        "edit",
        "remove the characters",
        with_names=True,
    )


def data_links(examined: Examined) -> Iterator[Finding | None]:
    """Finds links that carry data away, or run code, when they are opened."""
    return _spotted(
        examined, "data-links", links_in, "a link that carries data away", "edit", "remove the link"
    )


def secrets(examined: Examined) -> Iterator[Finding | None]:
    """Finds keys, tokens and passwords; they are shown masked."""
    return _spotted(
        examined,
        "secrets",
        secrets_in,
        "a secret",
        "edit",
        "revoke the secret where it was issued, then remove it here",
    )


def personal_data(examined: Examined, *, region: str | None) -> Iterator[Finding | None]:
    """Finds addresses of e-mail, phone numbers, cards, bank accounts and numbers of social security."""
    needed("stdnum", "card and account numbers")
    needed("phonenumbers", "phone numbers")
    return _spotted(
        examined,
        "personal-data",
        partial(personal_in, region=region),
        "personal data",
        "edit",
        "remove it, or note why it may be kept",
    )


def _spotted(
    examined: Examined,
    check: str,
    find: Find,
    what: str,
    action: Action,
    advice: str,
    *,
    with_names: bool = False,
) -> Iterator[Finding | None]:
    """Yields a finding for each record with such places, and None now and then."""
    known: dict[str, list[Spot]] = {}  # spots in names of fields, which many records share
    for record in examined.each():
        if record is None:
            yield None
            continue
        places: list[tuple[Evidence, Spot]] = []
        for path, text in record.texts():
            places += _places(record, path, text, find(text))
        if with_names:
            for name in {step for path, _ in record.leaves for step in path}:
                if name not in known:
                    known[name] = find(name)
                places += _places(record, (), name, known[name])
            if " " in record.key or not record.key.isascii():
                places += _places(record, (), record.key, find(record.key))
        if places:
            yield _finding(check, record, places, what, action, advice)
        if sum(len(text) for _, text in record.texts()) > 10_000:
            yield None


def _places(
    record: Record, path: tuple[str, ...], text: str, spots: list[Spot]
) -> list[tuple[Evidence, Spot]]:
    hidden = [spot.span for spot in spots if spot.is_private]
    return [
        (record.evidence(path, text, spot.span, hidden=hidden), spot)
        for spot in spots[:_MOST_SPOTS]
    ]


def _finding(
    check: str,
    record: Record,
    places: list[tuple[Evidence, Spot]],
    what: str,
    action: Action,
    advice: str,
) -> Finding:
    spots = [spot for _, spot in places]
    severity = min((spot.severity for spot in spots), key=SEVERITIES.index)
    counted = Counter(spot.what for spot in spots)
    named = ", ".join(
        each if count == 1 else f"{each} ({count} times)" for each, count in counted.most_common(4)
    )
    return Finding(
        check,
        severity,
        (record.key,),
        f"{what}: {named}",
        tuple(evidence for evidence, _ in places[:MOST_EVIDENCE]),
        Repair(action, (record.key,), advice),
        score=max(spot.score for spot in spots),
    )
