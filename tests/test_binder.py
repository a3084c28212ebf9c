"""The files for Binder agree with the package. `tests/binder_check.py` runs them."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator

from jupyter import ROOT
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

BINDER = ROOT / "binder"
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = PYPROJECT["project"]


def needed_by(requirements: list[str]) -> Iterator[Requirement]:
    """Returns requirements, with extras of the package itself replaced by what they require."""
    for requirement in map(Requirement, requirements):
        if requirement.name == PROJECT["name"]:
            for extra in requirement.extras:
                yield from needed_by(PROJECT["optional-dependencies"][extra])
        else:
            yield requirement


def listed() -> list[Requirement]:
    lines = (BINDER / "requirements.txt").read_text(encoding="utf-8").splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith("#")]


def test_binder_installs_exactly_what_the_package_and_its_tutorials_need():
    tutorials = [f"{PROJECT['name']}[tutorials]", *PROJECT["dependencies"]]
    building = PYPROJECT["build-system"]["requires"]
    wanted = {str(each) for each in needed_by([*tutorials, *building])}

    given = [str(each) for each in listed()]
    assert len(given) == len(set(given))
    # Binder's own kernel is too old for the tutorials; elsewhere pip installs a new one.
    assert set(given) - wanted == {"ipykernel>=7.3"}
    assert wanted - set(given) == set()


def test_binder_uses_a_python_version_that_the_package_and_ci_support():
    runtime = (BINDER / "runtime.txt").read_text(encoding="utf-8").strip()
    version = re.fullmatch(r"python-(3\.\d+)", runtime)
    assert version, runtime
    assert version[1] in SpecifierSet(PROJECT["requires-python"])
    assert f"Programming Language :: Python :: {version[1]}" in PROJECT["classifiers"]


def test_the_last_step_of_the_build_can_be_run_and_stops_at_the_first_mistake():
    script = BINDER / "postBuild"
    assert os.access(script, os.X_OK)
    assert "\nset -euo pipefail\n" in script.read_text(encoding="utf-8")
