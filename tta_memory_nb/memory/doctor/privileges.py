"""Records that say who may do what: a place where a text should not be able to write.

An agent that reads its own identity, rights or goals from memory obeys whoever wrote them there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise

from ...table import Path
from .examined import Examined, Record
from .finding import Finding, Repair

_NAMES = frozenset(
    [
        "role",
        "roles",
        "permission",
        "permissions",
        "capability",
        "capabilities",
        "privilege",
        "privileges",
        "scope",
        "scopes",
        "clearance",
        "trust",
        "entitlements",
        "acl",
        "isadmin",
        "admin",
        "superuser",
        "sudo",
        "goal",
        "goals",
        "objective",
        "systemprompt",
        "userid",
        "authtoken",
        "trustlevel",
        "accesslevel",
        "securitylevel",
        "rights",
        "grants",
        "authorization",
    ]
)
_LIKELY = (
    "role",
    "permission",
    "capabilit",
    "privileg",
    "scope",
    "clearance",
    "trust",
    "entitlement",
    "acl",
    "admin",
    "superuser",
    "sudo",
    "goal",
    "objective",
    "prompt",
    "user",
    "token",
    "level",
    "right",
    "grant",
    "auth",
)
_PARTS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
_GRANTS = re.compile(
    r"(?i)(?<![a-z])(?:super[_ -]?admin\w*|superuser|admin(?:istrator)?|root|sudo|god|unrestricted|unlimited|full[_ -]?(?:access|control)|all[_ -]?access|"
    r"(?:delete|write|read|execute|grant|modify)[_ -]?all|bypass\w*|code[_ -]?execution|file[_ -]?system[_ -]?access|network[_ -]?unrestricted|shell[_ -]?access|"
    r"owner|elevated|privileged|override|highest|top[_ -]?secret|exfiltrate)(?![a-z])|^\*$"
)
_CLAIMS = frozenset(("isadmin", "admin", "superuser", "sudo", "root"))
_LONGEST, _LONGEST_NAME = 400, 100


def privileges(examined: Examined) -> Iterator[Finding | None]:
    """Finds records whose key or field names a right, an identity or a goal, and whose value grants something."""
    for record in examined.each():
        if record is None:
            yield None
        elif (found := _granting(record)) is not None:
            path, text, span = found
            yield Finding(
                "privileges",
                "medium",
                (record.key,),
                "names a right, an identity or a goal of the agent, and grants much",
                (record.evidence(path, text, span),),
                Repair(
                    "review",
                    (record.key,),
                    "check who wrote it; keep rights where texts cannot write",
                ),
            )


def _granting(record: Record) -> tuple[Path, str, tuple[int, int]] | None:
    key = record.key
    rights = _says_rights(key[len(record.user) :] if record.session else key)
    for path, leaf in record.leaves:
        if leaf is True:
            if path and _names(path[-1]) & _CLAIMS:
                return path, "true", (0, 4)
        elif type(leaf) is str and 0 < len(leaf) <= _LONGEST and (rights or _rights_in(path[-2:])):
            match = _GRANTS.search(leaf)
            if match is not None:
                return path, leaf, match.span()
    return None


@lru_cache(maxsize=4096)
def _rights_in(path: Path) -> bool:
    # A name may be as long as a record, and each of its fields has it in its path.
    return _says_rights("/".join(step[-_LONGEST_NAME:] for step in path))


def _says_rights(name: str) -> bool:
    # Most keys are looked at and have no such word.
    lower = name.lower()
    return any(map(lower.__contains__, _LIKELY)) and bool(_names(name) & _NAMES)


def _names(text: str) -> set[str]:
    """Returns the words of a name, and each two of them as one: ``trust_level`` is ``trustlevel`` as well."""
    words = [word.lower() for word in _PARTS.findall(text[:_LONGEST])]
    return {*words, *(one + other for one, other in pairwise(words))}
