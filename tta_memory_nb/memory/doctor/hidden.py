"""Characters that nobody sees, and links that carry data away."""

from __future__ import annotations

import re
from collections.abc import Iterator
from unicodedata import bidirectional, category, name
from urllib.parse import parse_qsl, urlsplit

from ...errors import JOINERS
from .credentials import entropy
from .finding import Spot

_SUSPECT = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e01ef]+"
)
_TAGS = re.compile("[\U000e0000-\U000e007f]+")
_FLAG = "\U0001f3f4"
_SELECTORS = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]{2,}")
_OVERRIDES = re.compile("[\u202a\u202b\u202d\u202e\u2066-\u2068]")
_MARKS_OF_DIRECTION = re.compile("[\u200e\u200f\u061c\u202c\u2069]")
_FORMATTING = re.compile("^[\ufe00-\ufe0f\u180b-\u180d\u034f\U000e0100-\U000e01ef]$")


def hidden_in(text: str) -> list[Spot]:
    """Returns the places of characters that show nothing, or that turn the text around them."""
    if text.isascii() and text.isprintable():
        return []
    return [spot for match in _SUSPECT.finditer(text) if (spot := _hidden(text, match)) is not None]


def _hidden(text: str, match: re.Match[str]) -> Spot | None:
    run, span = match[0], match.span()
    before = text[span[0] - 1] if span[0] else ""
    after = text[span[1]] if span[1] < len(text) else ""
    if tags := _TAGS.search(run):
        if before == _FLAG and tags[0].endswith("\U000e007f"):
            return None
        return Spot("tag characters, which spell a hidden text", span, "high")
    if _SELECTORS.search(run):
        return Spot("a run of variation selectors, which can hold hidden data", span, "high")
    if _OVERRIDES.search(run):
        # In a text that is written from right to left, embeddings and isolates are what they are for.
        is_used = "\u202e" not in run and "\u202d" not in run and _is_right_to_left(text)
        return (
            None
            if is_used
            else Spot("characters that turn the direction of the text", span, "high")
        )
    if set(run) <= {*JOINERS} and len(run) == 1 and _joins(before, after):
        return None
    if _FORMATTING.match(run) or (_MARKS_OF_DIRECTION.search(run) and _is_right_to_left(text)):
        return None
    if run == "\ufeff" and span[0] == 0:
        return None
    if any(category(character) == "Cc" for character in run):
        return Spot("control characters", span, "medium")
    shown = name(run[0], f"U+{ord(run[0]):04X}").lower()
    return Spot(f"invisible characters ({shown})", span, "high" if len(run) >= 8 else "medium")


def _joins(before: str, after: str) -> bool:
    """Whether a joiner between two characters is one that a script or an emoji needs."""
    return (
        bool(before and after)
        and not before.isascii()
        and (category(before)[0] in "LMS" or category(before) == "Sk")
    ) or (
        not after.isascii() and bool(after) and category(after)[0] in "LMS" and not before.isascii()
    )


def _is_right_to_left(text: str) -> bool:
    return any(bidirectional(character) in ("R", "AL") for character in text)


# ---- links

_LINK = re.compile(
    r"(!\[[^\]\n]{0,200}\]\(\s{0,3}|<img[^>]{0,200}?src\s{0,2}=\s{0,2}[\"']?)?((?:https?|ftp|wss?)://[^\s<>\"'`|\\^]{3,4000})",
    re.IGNORECASE,
)
_ACTIVE = re.compile(
    r"(?<![a-z])(?:javascript|vbscript):[^\s]{1,200}|data:(?:text/html|application/[\w.+-]{1,40}|image/svg\+xml)[^\s]{1,2000}",
    re.IGNORECASE,
)
_COLLECTORS = re.compile(
    r"(?:^|\.)(?:webhook\.site|requestbin\.(?:com|net)|pipedream\.net|ngrok(?:-free)?\.(?:io|app|dev)|burpcollaborator\.net|interact\.sh|"
    r"oast\.(?:fun|me|pro|live|site|online)|oastify\.com|beeceptor\.com|requestcatcher\.com|hookbin\.com|canarytokens\.com|dnslog\.cn|ceye\.io|trycloudflare\.com|serveo\.net|localhost\.run)$"
)
_PLACEHOLDER = re.compile(
    r"\{\{?[\w .$-]{1,60}\}\}?|%7B[\w%. -]{1,60}%7D|\$\{[\w.]{1,60}\}|\[(?:[A-Z_ ]{3,40}|data|secret|password|token|context|history|conversation)\]|<(?:data|secret|password|token|conversation|history)>",
    re.IGNORECASE,
)
_NAMES_OF_DATA = re.compile(
    r"(?i)^(?:data|d|q|payload|secret|token|key|password|pw|context|history|memory|prompt|msg|message|content|leak|exfil|cookie|info|text|c|p|s|x)$"
)
_LONG = 40
_LABEL = 40


def links_in(text: str) -> list[Spot]:
    """Returns the places of links that carry data away when somebody, or a program that shows them, opens them."""
    found = [
        Spot("a link that runs code when it is opened", match.span(), "high")
        for match in _ACTIVE.finditer(text)
    ]
    if "://" in text:
        found.extend(_carrying(text))
    return sorted(found, key=lambda spot: spot.span)


def _carrying(text: str) -> Iterator[Spot]:
    for match in _LINK.finditer(text):
        link = match[2].rstrip(").,;!?]")
        span = match.start(2), match.start(2) + len(link)
        what = _carries(link, is_image=match[1] is not None)
        if what:
            yield Spot(what, span, "high")


def _carries(link: str, *, is_image: bool) -> str:
    try:
        parts = urlsplit(link)
        host = (parts.hostname or "").lower()
        parameters = parse_qsl(parts.query[:4000], keep_blank_values=True, max_num_fields=100)
    except ValueError:
        return "an address that no browser reads the same way"
    if _PLACEHOLDER.search(link):
        return "a link with a place for data in it"
    if _COLLECTORS.search(host):
        return "a link to a service that collects what it is sent"
    if any(len(label) > _LABEL and _is_coded(label) for label in host.split(".")):
        return "a link whose host name carries data"
    for parameter, value in parameters:
        if len(value) >= _LONG and (_is_coded(value) or " " in value):
            return "a link whose parameter carries data"
        if is_image and (value and (_NAMES_OF_DATA.match(parameter) or len(value) >= 16)):
            return "an image whose address carries data"
    pieces = [*parts.path.split("/"), parts.fragment]
    if any(len(piece) >= 2 * _LONG and "-" not in piece and _is_coded(piece) for piece in pieces):
        return "a link whose path carries data"
    return ""


def _is_coded(text: str) -> bool:
    return (
        entropy(text) >= 3.5 and any(c.isdigit() for c in text) and any(c.isalpha() for c in text)
    )
