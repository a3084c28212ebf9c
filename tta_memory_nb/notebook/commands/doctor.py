"""The command that looks for what is wrong with a memory: doctor."""

from __future__ import annotations

import inspect
from typing import Any

from ...errors import InvalidArgument, brief
from ...memory.doctor.checks import CHECKS, PARAMETERS
from ...memory.doctor.finding import SEVERITIES, Diagnosis
from ..arguments import Word, did_you_mean
from .base import Command, Notebook, Reply, count_records, shown

_MOST_NAMED = 8


def _taking_parameters(command: Command) -> Command:
    """Adds a flag for each parameter of a check to the signature and the help of a command."""
    signature = inspect.signature(command)
    *own, filters = signature.parameters.values()
    added = [
        inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation="str | None"
        )
        for name in PARAMETERS
    ]
    command.__signature__ = signature.replace(parameters=[*own, *added, filters])  # type: ignore[attr-defined]
    lines = [f"    {name}: {parameter.about}" for name, parameter in PARAMETERS.items()]
    command.__doc__ = "\n".join([inspect.getdoc(command) or "", *lines])
    return command


@_taking_parameters
def doctor(nb: Notebook, *, check: Word | None = None, plot: bool = False, **options: Any) -> Reply:
    """Look for what is wrong with the records, and change nothing.

    The result is a table of findings, the most harmful first: what is wrong, where it is seen (secrets are
    masked), which records, and a proposed repair. Ctrl-C stops it.

      %memory doctor
      %memory doctor --check injections,secrets --user alice
      %memory doctor --plot
      findings = %memory doctor --stale 30d

    Flags:
        check: which checks, separated by commas; all if left out
        plot: draw how many findings each check has
    """
    diagnosis = examine(nb, check, options)
    text = summary(diagnosis)
    if plot:
        from ...plots import plot_findings

        return Reply(text, plot_findings(diagnosis))
    from ...frames import findings_frame

    return Reply(text, findings_frame(diagnosis))


def examine(nb: Notebook, check: object, options: dict[str, Any]) -> Diagnosis:
    """Returns what the doctor finds in the memory in use.

    Args:
        nb: the notebook.
        check: names of checks with commas, a list of them, or None for all.
        options: parameters of the checks, and filters.

    Raises:
        InvalidArgument: there is no such check; the message suggests the most similar one.
    """
    names = None if check is None else _names(check)
    for name in names or ():
        if name not in CHECKS:
            similar = did_you_mean(name, list(CHECKS))
            raise InvalidArgument(
                f"--check {brief(name)}{similar}: the checks are {', '.join(CHECKS)}"
            )
    return nb.memory.sync.diagnose(names, nb.progress, **options)


def _names(check: object) -> list[str]:
    if isinstance(check, (list, tuple)):
        return [str(name) for name in check]
    if isinstance(check, str):
        return [name.strip() for name in check.split(",")]
    raise InvalidArgument.about("check", check, f"the checks are {', '.join(CHECKS)}")


def summary(diagnosis: Diagnosis) -> str:
    """Returns in lines what was looked at, how much was found, and what could not be carried out."""
    found = len(diagnosis)
    lines = [
        f"examined {count_records(diagnosis.examined)}: {found:,} finding{'' if found == 1 else 's'}"
    ]
    if found:
        bad = [
            f"{count:,} {severity}"
            for severity in SEVERITIES
            if (count := sum(each.severity == severity for each in diagnosis))
        ]
        counts = list(diagnosis.counts().items())
        named = [f"{check} {count:,}" for check, count in counts[:_MOST_NAMED]]
        more = [f"and {len(counts) - _MOST_NAMED} more checks"] if len(counts) > _MOST_NAMED else []
        lines[0] += f" ({', '.join(bad)})"
        lines.append(f"  {', '.join([*named, *more])}")
    lines += [
        f"  not carried out: {check}: {shown(why)}" for check, why in diagnosis.skipped.items()
    ]
    return "\n".join(lines)
