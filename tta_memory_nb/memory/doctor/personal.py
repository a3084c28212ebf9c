"""Personal data in texts: addresses of e-mail, phone numbers, cards, bank accounts, numbers of identity.

Numbers count only if their check digits are right, by python-stdnum, or by the metadata of phonenumbers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from importlib import import_module

from .finding import Spot
from .needed import needed

_EMAIL = re.compile(
    r"(?<![\w.+-])[\w.+-]{1,64}@(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.){1,4}[^\W\d_]{2,24}(?![\w-])"
)
# Nine digits with little in between: any of the numbers has so many.
_DIGITS = re.compile(r"\d(?:[^\d\n]{0,6}\d){8}")
_CARD = re.compile(r"(?<![\d.,])(?:\d[ -]?){12,18}\d(?![\d]|[.,]\d)")
# First digits of the cards that are in use, with their lengths (ISO/IEC 7812, as issuers publish them).
_ISSUERS = re.compile(
    r"4\d{12}(?:\d{3}){0,2}|(?:5[1-5]\d\d|222[1-9]|22[3-9]\d|2[3-6]\d\d|27[01]\d|2720)\d{12}|3[47]\d{13}"
    r"|3(?:0[0-5]|[68]\d)\d{11}|(?:6011|65\d\d|64[4-9]\d)\d{12}|35(?:2[89]|[3-8]\d)\d{12}|62\d{14,17}|(?:50|5[6-9]|6\d)\d{10,17}"
)
_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}\d{2}(?: ?[A-Za-z0-9]){11,30}(?![A-Za-z0-9])")
_SSN = re.compile(r"(?<![\d-])(\d{3})[- ](\d{2})[- ](\d{4})(?![\d-])")
_SSN_NAMED = re.compile(
    r"(?i)\b(?:ssn|social security(?: number| no\.?)?)\W{0,3}(?:is\W{1,2}|number\W{1,2})?(\d{3}[- ]?\d{2}[- ]?\d{4})(?!\d)"
)
# Candidates for phone numbers: digits with what people write between them.
_PHONE = re.compile(r"(?<![\w.,/:-])(?:\+|00)?\(?\d(?:[ ()./-]{0,2}\d){6,16}(?![\w/]|[.,:-]\d)")
_PHONE_NAMED = re.compile(
    r"(?i)phone|mobile|cell|call|tel\b|tel\.|whatsapp|text me|reach|contact|number|handy|telefon|móvil|dial|ring|sms|fax"
)
_DATE = re.compile(r"\d{4}[-./]\d{1,2}[-./]\d{1,2}|\d{1,2}[-./]\d{1,2}[-./]\d{2,4}|\d{1,2}:\d{2}")
_REGIONS = ("US", "GB")
_NEAR = 40


def personal_in(text: str, region: str | None = None) -> list[Spot]:
    """Returns the places of personal data in a text.

    Args:
        text: any text.
        region: the country of phone numbers without a country code, as two capital letters; None for the United
            States and the United Kingdom.
    """
    found = numbers_in(text)
    if "@" in text:
        found += [
            Spot("e-mail address", match.span(), "medium", is_private=True)
            for match in _EMAIL.finditer(text)
        ]
    taken = [spot.span for spot in found]
    found += (
        spot
        for spot in _phones(text, region)
        if not any(spot.span[0] < end and start < spot.span[1] for start, end in taken)
    )
    return sorted(found, key=lambda spot: spot.span)


def numbers_in(text: str) -> list[Spot]:
    """Returns the places of cards, bank accounts and numbers of social security: what is masked in any evidence."""
    if len(text) < 9 or _DIGITS.search(text) is None:
        return []
    found = [*_cards(text), *_ibans(text), *_social(text)]
    kept: list[Spot] = []
    for spot in sorted(found, key=lambda each: each.span):
        if not kept or spot.span[0] >= kept[-1].span[1]:
            kept.append(spot)
    return kept


def _cards(text: str) -> Iterator[Spot]:
    is_valid = _validity("luhn")
    for match in _CARD.finditer(text):
        digits = re.sub(r"[ -]", "", match[0])
        if _ISSUERS.fullmatch(digits) and len(set(digits)) > 1 and is_valid(digits):
            yield Spot("card number", match.span())


def _ibans(text: str) -> Iterator[Spot]:
    is_valid = _validity("iban")
    for match in _IBAN.finditer(text):
        # A word behind the number may look like its last group: the longest valid beginning counts.
        candidate = match[0]
        while len(candidate) >= 15:
            if is_valid(candidate.replace(" ", "").upper()):
                yield Spot("bank account (IBAN)", (match.start(), match.start() + len(candidate)))
                break
            candidate = candidate[:-1].rstrip()


def _validity(kind: str) -> Callable[[str], bool]:
    """Returns what checks the check digits of a number; without python-stdnum, whatever looks like one counts."""
    try:
        module = import_module(f"stdnum.{kind}")
    except ModuleNotFoundError:
        return lambda _number: True
    is_valid: Callable[[str], bool] = module.is_valid
    return is_valid


def _social(text: str) -> Iterator[Spot]:
    for match in _SSN_NAMED.finditer(text):
        yield Spot("social security number", match.span(1))
    for match in _SSN.finditer(text):
        area, group, serial = match.groups()
        if area not in ("000", "666") and area < "900" and group != "00" and serial != "0000":
            yield Spot("social security number", match.span())


def _phones(text: str, region: str | None) -> Iterator[Spot]:
    candidates = [match for match in _PHONE.finditer(text) if not _DATE.fullmatch(match[0])]
    if not candidates:
        return
    phonenumbers = needed("phonenumbers", "phone numbers")

    for match in candidates:
        number = match[0]
        is_international = number.startswith(("+", "00"))
        separated = len(re.findall(r"\d+", number)) >= 3
        near = text[max(0, match.start() - _NEAR) : match.start()]
        if not (is_international or separated or region or _PHONE_NAMED.search(near)):
            continue
        written = f"+{number[2:]}" if number.startswith("00") else number
        for country in (None,) if is_international else (region,) if region else _REGIONS:
            try:
                parsed = phonenumbers.parse(written, country)
            except phonenumbers.NumberParseException:
                continue
            if phonenumbers.is_valid_number(parsed):
                yield Spot("phone number", match.span(), "medium", is_private=True)
                break
