"""The checks of the doctor: one table, and the parameters they take."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from importlib import import_module
from math import isfinite, nan
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from ...errors import InvalidArgument, brief
from ...filters import FilterArgs
from ...times import Duration, duration

if TYPE_CHECKING:
    from .finding import Finding

CheckFunction: TypeAlias = "Callable[..., Iterator[Finding | None]]"


class CheckArgs(FilterArgs, total=False):
    """The parameters of the checks, and the filters, as keywords of `SyncMemory.diagnose`.

    ``similar`` is the least share of information that near-duplicates have in common (0.6). ``alike`` is the least cosine
    of texts of similar meaning (0.92). ``repeats`` is how often a text has to be written to count as a loop (3). ``unread`` and ``stale``
    are durations after which a record counts as never read (``"30d"``) and as stale (``"90d"``). ``largest`` is the size
    in bytes of JSON above which a record is oversized (32,768). ``region`` is the country of phone numbers without a
    country code, such as ``"DE"``; without it they are read as numbers of the United States or the United Kingdom.
    """

    similar: float | None
    alike: float | None
    repeats: int | None
    unread: Duration | None
    stale: Duration | None
    largest: int | None
    region: str | None


class Check(NamedTuple):
    """One check.

    Attributes:
        name: as a person types it.
        place: module and name of its function.
        about: what it finds, in a few words.
        parameters: names of the parameters that its function takes.
        cost: its share of the time of a whole run, roughly.
        modules: what its function imports when it begins, of packages that may not be installed.
    """

    name: str
    place: tuple[str, str]
    about: str
    parameters: tuple[str, ...] = ()
    cost: float = 1.0
    modules: tuple[str, ...] = ()

    def function(self) -> CheckFunction:
        """Returns the function, whose module is imported at the first call."""
        module, name = self.place
        found: CheckFunction = getattr(import_module(f".{module}", __package__), name)
        return found

    def get_ready(self) -> None:
        """Imports what the check needs, as far as it is installed. That may take longer than a small memory."""
        self.function()
        for module in self.modules:
            with suppress(ModuleNotFoundError):  # the check says so itself
                import_module(module)


CHECKS: dict[str, Check] = {
    check.name: check
    for check in (
        Check("injections", ("spotting", "injections"), "texts that instruct the agent", cost=7),
        Check(
            "hidden-characters", ("spotting", "hidden_characters"), "characters that nobody sees"
        ),
        Check("data-links", ("spotting", "data_links"), "links that carry data away"),
        Check("secrets", ("spotting", "secrets"), "keys, tokens and passwords", cost=4),
        Check(
            "personal-data",
            ("spotting", "personal_data"),
            "e-mail addresses, phone numbers, cards, bank accounts",
            ("region",),
            2,
            ("stdnum.luhn", "stdnum.iban", "phonenumbers"),
        ),
        Check(
            "privileges",
            ("privileges", "privileges"),
            "records that grant rights to an agent or a user",
        ),
        Check(
            "exact-duplicates",
            ("duplicates", "exact_duplicates"),
            "the same value, or the same text in other fields",
        ),
        Check(
            "near-duplicates",
            ("duplicates", "near_duplicates"),
            "texts that differ in a few words, in order or in a name",
            ("similar",),
            10,
            ("numpy", "rensa", "rapidfuzz.fuzz"),
        ),
        Check(
            "similar-meaning",
            ("duplicates", "similar_meaning"),
            "texts of one user with nearly the same vector",
            ("alike",),
        ),
        Check(
            "contradictions",
            ("contradictions", "contradictions"),
            "several values of one fact",
            cost=6,
        ),
        Check(
            "feedback-loops",
            ("loops", "feedback_loops"),
            "texts that the agent writes again and again",
            ("repeats",),
        ),
        Check(
            "never-read",
            ("upkeep", "never_read"),
            "records that were not read since they were written",
            ("unread",),
        ),
        Check("stale", ("upkeep", "stale"), "records that were not written for long", ("stale",)),
        Check(
            "expiring-copies",
            ("upkeep", "expiring_copies"),
            "texts that expire here and stay elsewhere",
        ),
        Check(
            "orphans",
            ("upkeep", "orphans"),
            "records of users, sessions or records that are not there",
        ),
        Check("oversized", ("upkeep", "oversized"), "large records", ("largest",)),
        Check("type-drift", ("fields", "type_drift"), "a field with several types"),
        Check("mixed-embedders", ("fields", "mixed_embedders"), "vectors that cannot be compared"),
        Check("empty-texts", ("fields", "empty_texts"), "texts that say nothing"),
        Check("truncated-texts", ("fields", "truncated_texts"), "texts that were cut off"),
        Check(
            "broken-encodings",
            ("fields", "broken_encodings"),
            "texts in the wrong encoding",
            modules=("ftfy", "ftfy.badness"),
        ),
        Check("unreadable", ("fields", "unreadable"), "records that cannot be read"),
    )
}
"""Every check by its name, the most urgent first."""


class Parameter(NamedTuple):
    """A parameter of a check.

    Attributes:
        default: what counts where none is given, as a person would type it.
        kind: its type, as it is written in a signature.
        about: what it is, in one line.
        read: turns what was given into what the check takes, given the value and the name of the parameter.
    """

    default: Any
    kind: str
    about: str
    read: Callable[[Any, str], Any]


def _share(given: Any, name: str) -> float:
    number = _number(given, name, "give a number above 0, up to 1")
    if not 0 < number <= 1:
        raise InvalidArgument.about(name, given, "give a number above 0, up to 1")
    return number


def _count(given: Any, name: str) -> int:
    number = _number(given, name, "give a whole number of at least 2")
    if number < 2 or number != int(number):
        raise InvalidArgument.about(name, given, "give a whole number of at least 2")
    return int(number)


def _bytes(given: Any, name: str) -> int:
    number = _number(given, name, "give a number of bytes of at least 1")
    if number < 1 or number != int(number):
        raise InvalidArgument.about(name, given, "give a number of bytes of at least 1")
    return int(number)


def _number(given: Any, name: str, rule: str) -> float:
    try:
        number = nan if isinstance(given, bool) else float(given)
    except (TypeError, ValueError):
        number = nan
    if not isfinite(number):
        raise InvalidArgument.about(name, given, rule)
    return number


def _region(given: Any, name: str) -> str | None:
    if given is None:
        return None
    if isinstance(given, str) and len(given) == 2 and given.isascii() and given.isalpha():
        return given.upper()
    raise InvalidArgument.about(name, given, "give a country as two letters, such as 'DE'")


PARAMETERS: dict[str, Parameter] = {
    "similar": Parameter(
        0.6,
        "float",
        "share of information that near-duplicates have in common at least; 0.6",
        _share,
    ),
    "alike": Parameter(0.92, "float", "cosine of texts of similar meaning, at least; 0.92", _share),
    "repeats": Parameter(
        3, "int", "how often a text is written before it counts as a loop; 3", _count
    ),
    "unread": Parameter("30d", "Duration", "how long a record may stay unread; 30d", duration),
    "stale": Parameter("90d", "Duration", "how long a record may stay as it is; 90d", duration),
    "largest": Parameter(32_768, "int", "bytes that a record may have; 32768", _bytes),
    "region": Parameter(
        None, "str", "country of phone numbers without a country code, such as DE", _region
    ),
}
"""Every parameter of a check by its name. A test compares them with the signatures of the functions."""


class Chosen(NamedTuple):
    """What a run of the doctor carries out.

    Attributes:
        checks: the checks, in the order of the table.
        parameters: the values of all parameters.
        are_named: whether the user has named the checks, who then wants to know what cannot be carried out.
    """

    checks: tuple[Check, ...]
    parameters: dict[str, Any]
    are_named: bool


def chosen(checks: str | Iterable[str] | None, parameters: dict[str, Any]) -> Chosen:
    """Returns the checks that a user has named, and the values of the parameters.

    Args:
        checks: names, as text with commas or one by one; None for every check.
        parameters: the parameters that were given; None for a default.

    Raises:
        InvalidArgument: there is no such check, or a parameter is wrong.
    """
    values = {
        name: parameter.read(
            given if (given := parameters.get(name)) is not None else parameter.default, name
        )
        for name, parameter in PARAMETERS.items()
    }
    if checks is None:
        return Chosen(tuple(CHECKS.values()), values, are_named=False)
    if isinstance(checks, str):
        names = [name.strip() for name in checks.split(",")]
    elif isinstance(checks, Iterable):
        names = list(checks)
    else:
        raise InvalidArgument.about(
            "checks", checks, "give names of checks, or leave it out for all"
        )
    for name in names:
        if not isinstance(name, str) or name not in CHECKS:
            raise InvalidArgument.about("checks", name, f"the checks are {', '.join(CHECKS)}")
    if not names:
        raise InvalidArgument(
            f"checks={brief(checks)}: name at least one check, or leave it out for all"
        )
    return Chosen(
        tuple(check for check in CHECKS.values() if check.name in names), values, are_named=True
    )
