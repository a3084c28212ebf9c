"""Builds what Binder would build, without the container: ``make binder-check``.

repo2docker, the program by which Binder builds images, prints the steps it would take. They are
then done in an environment that begins with the versions that Binder begins with, and every
tutorial is run there in a browser. This takes minutes, and so is no part of ``make test``.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import venv
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from importlib import metadata
from pathlib import Path

import nbformat
import pytest
from browsing import ERRORS, all_traffic, one_page, open_notebook, run_all, take_picture
from jupyter import NOTEBOOKS, ROOT, LabServer, private_environment, running_lab
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version
from programs import output_of
from run_notebooks import without_outputs
from test_binder import BINDER, listed

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
FROZEN = Path(
    str(metadata.distribution("jupyter-repo2docker").locate_file("repo2docker/buildpacks/conda"))
)
# Packages that have another name on conda-forge than on PyPI.
CONDA_NAMES = {
    "jupyterhub-base": "jupyterhub",
    "jupyterhub-singleuser": "jupyterhub",
    "nbconvert-core": "nbconvert",
    "python-fastjsonschema": "fastjsonschema",
}
MEGABYTE = 1_000_000
TRACKER = "@jupyterlab/notebook-extension:tracker"

# Before each of these steps Binder looks for an image that it already has.
REQUIREMENTS_COPIED = (
    "COPY --chown=... src/binder/requirements.txt ${REPO_DIR}/binder/requirements.txt"
)
REPOSITORY_COPIED = "COPY --chown=... src/ ${REPO_DIR}/"


# ---------------------------------------------------------------- what Binder would do


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the files that git would commit, as they are now."""
    listing = subprocess.check_output(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, text=True
    )
    copy = tmp_path_factory.mktemp("checkout")
    for name in filter(None, listing.split("\0")):
        if (ROOT / name).is_file():  # and has not been deleted since
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy / name)
    return copy


@pytest.fixture(scope="module")
def dockerfile(checkout: Path) -> list[str]:
    """The lines of the Dockerfile that repo2docker would build; continued lines are joined."""
    command = [sys.executable, "-m", "repo2docker", "--no-build", "--debug", str(checkout)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    text = re.sub(r"\\\n\s*", "", done.stdout)
    return re.sub(r"--chown=\S+", "--chown=...", text).splitlines()


def steps(dockerfile: list[str]) -> list[str]:
    """The steps after those that build the base image."""
    return dockerfile[dockerfile.index(REQUIREMENTS_COPIED) :]


def commands(steps: list[str]) -> list[str]:
    return [step.removeprefix("RUN ") for step in steps if step.startswith("RUN ")]


def test_binder_uses_the_python_version_of_runtime_txt(dockerfile):
    version = (BINDER / "runtime.txt").read_text(encoding="utf-8").strip().removeprefix("python-")
    escaped = version.replace(".", "-2e")
    bases = [line for line in dockerfile if line.endswith(" /tmp/env/environment.lock")]
    assert len(bases) == 1
    assert f"environment-2epy-2d{escaped}-2d" in bases[0]


def test_the_requirements_are_installed_before_the_repository_is_there_and_then_kept(dockerfile):
    after = steps(dockerfile)
    copied = after.index(REPOSITORY_COPIED)
    assert commands(after[:copied]) == [
        '${KERNEL_PYTHON_PREFIX}/bin/pip install --no-cache-dir -r "binder/requirements.txt"'
    ]
    assert commands(after[copied:]) == ["chmod +x binder/postBuild", "./binder/postBuild"]


# ---------------------------------------------------------------- the built environment


@dataclass
class Image:
    """The environment that Binder would have built.

    Attributes:
        frozen: versions that repo2docker pins for its base image, by canonical name.
        base: those of them that were installed first.
        sizes: of the environment, in bytes, by the step after which it was measured.
        times: of the steps, in seconds.
        outside: a socket that receives every connection to the internet.
    """

    prefix: Path
    repository: Path
    home: Path
    frozen: dict[str, str]
    outside: socket.socket
    base: dict[str, str] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    times: dict[str, float] = field(default_factory=dict)

    @property
    def python(self) -> Path:
        return self.prefix / "bin" / "python"

    def environment(self) -> dict[str, str]:
        env = private_environment(self.home)
        # Imports must find only packages of this environment.
        for name in ("PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "VIRTUAL_ENV"):
            env.pop(name, None)
        env["KERNEL_PYTHON_PREFIX"] = str(self.prefix)
        env["PATH"] = os.pathsep.join([str(self.prefix / "bin"), env["PATH"]])
        return env

    def environment_without_network(self) -> dict[str, str]:
        env = self.environment()
        host, port = self.outside.getsockname()
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            env[name] = env[name.upper()] = f"http://{host}:{port}"
        env["no_proxy"] = env["NO_PROXY"] = "127.0.0.1,localhost"
        return env

    def run(self, what: str, command: list[str], env: dict[str, str]) -> None:
        started = time.monotonic()
        output_of(command, self.repository, env)
        self.times[what] = time.monotonic() - started
        self.sizes[what] = sum(
            path.lstat().st_blocks * 512 for path in self.prefix.rglob("*") if not path.is_dir()
        )

    def installed(self) -> dict[str, str]:
        found = metadata.distributions(path=[str(path) for path in self._site_packages()])
        return {canonicalize_name(each.name): each.version for each in found}

    def bytecode(self) -> set[Path]:
        return {path for folder in self._site_packages() for path in folder.rglob("*.pyc")}

    def _site_packages(self) -> list[Path]:
        return list(self.prefix.glob("lib/python*/site-packages"))


def frozen_versions() -> dict[str, str]:
    """Returns the versions of the packages in Binder's base image, by their names on PyPI."""
    lock = (FROZEN / f"environment.py-{PYTHON}-linux-64.lock").read_text(encoding="utf-8")
    versions = {}
    for name, version in re.findall(r"/([^/]+)-([^-/]+)-[^-/]+\.(?:conda|tar\.bz2)#", lock):
        try:
            Version(version)
        except InvalidVersion:  # the line names no Python package
            continue
        versions[canonicalize_name(CONDA_NAMES.get(name, name))] = version
    # pip cannot read a library's name that begins with an underscore.
    return {name: version for name, version in versions.items() if name[0].isalnum()}


def base_packages() -> list[str]:
    """Returns the packages of Binder's base image, except Python and node."""
    text = (FROZEN / f"environment.py-{PYTHON}.yml").read_text(encoding="utf-8")
    names = re.findall(r"^- ([\w-]+)", text.partition("dependencies:")[2], re.MULTILINE)
    assert "jupyterlab" in names, text
    return [CONDA_NAMES.get(name, name) for name in names if name not in ("python", "nodejs")]


@pytest.fixture(scope="module")
def image(
    dockerfile: list[str], checkout: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Image]:
    """Runs the steps of the Dockerfile, and removes the environment at the end."""
    folder = tmp_path_factory.mktemp("binder")
    outside = socket.create_server(("127.0.0.1", 0))
    image = Image(
        folder / "env", folder / "repository", folder / "home", frozen_versions(), outside
    )
    try:
        image.repository.mkdir()
        constraints = folder / "frozen.txt"
        constraints.write_text(
            "".join(f"{name}=={version}\n" for name, version in image.frozen.items())
        )
        venv.create(image.prefix, symlinks=True)
        pip = [sys.executable, "-m", "pip", "--python", str(image.python), "install"]
        image.run(
            "base",
            [*pip, "--constraint", str(constraints), "pip", *base_packages()],
            image.environment(),
        )
        image.base = image.installed()

        after = steps(dockerfile)
        copied = after.index(REPOSITORY_COPIED)
        (image.repository / "binder").mkdir()
        shutil.copy2(checkout / "binder" / "requirements.txt", image.repository / "binder")
        for command in commands(after[:copied]):
            image.run("requirements", ["bash", "-c", command], image.environment())
        shutil.copytree(checkout, image.repository, dirs_exist_ok=True)
        for command in commands(after[copied:]):
            image.run("package", ["bash", "-c", command], image.environment_without_network())
        yield image
    finally:
        outside.close()
        shutil.rmtree(folder)


class Launched(LabServer):
    """JupyterLab as Binder starts it: in the repository, with no settings but what tests need."""

    settings = {TRACKER: LabServer.settings[TRACKER]}  # noqa: RUF012 - as above, it is constant

    def __init__(self, root: Path, home: Path, python: str, env: dict[str, str]) -> None:
        super().__init__(root, home)
        self.python = python
        self._env = env

    def _environment(self) -> dict[str, str]:
        return self._env

    def _command(self, settings: Path) -> list[str]:
        return [
            *(self.python, "-m", "jupyterlab", "--no-browser"),
            *self._options(),
            f"--LabApp.app_settings_dir={settings}",
        ]


@pytest.fixture(scope="module")
def launched(image: Image) -> Iterator[LabServer]:
    for path in image.repository.glob("notebooks/*.ipynb"):
        # Without outputs, a cell that shows a number was run by this test.
        nbformat.write(without_outputs(path), path)
    make = partial(Launched, python=str(image.python), env=image.environment_without_network())
    with running_lab(image.repository, image.home, make) as server:
        yield server


page = pytest.fixture(scope="module")(one_page)
traffic = pytest.fixture(scope="module")(all_traffic)


def test_preinstalled_packages_are_kept_unless_they_are_too_old(image, capsys):
    assert image.base.items() <= image.frozen.items()
    installed = image.installed()
    for requirement in listed():
        name = canonicalize_name(requirement.name)
        assert installed[name] in requirement.specifier
        if name in image.base and image.base[name] in requirement.specifier:
            assert installed[name] == image.base[name]

    with capsys.disabled():
        print(f"\nOn Binder with Python {PYTHON}, where its base has another version in brackets:")
        for name in map(
            canonicalize_name,
            ("jupyterlab", "ipykernel", "ipywidgets", "ipython", "notebook", "pandas"),
        ):
            before = image.base.get(name, "none")
            note = "" if before == installed[name] else f" ({before})"
            print(f"  {name} {installed[name]}{note}")


def test_replaced_packages_break_no_dependency(image):
    image.run("pip check", [str(image.python), "-m", "pip", "check"], image.environment())


def test_the_environment_is_small(image, capsys):
    with capsys.disabled():
        print("\nThe environment on disk, and the seconds it took:")
        for step in ("base", "requirements", "package"):
            size, seconds = image.sizes[step] / MEGABYTE, image.times[step]
            print(f"  {size:,.0f} MB after {step}, {seconds:.0f} s")
    # The vectors and the tokenizer of the tutorial on finding take 45 MB of it, the packages of the doctor 40 MB, and LangChain
    # and LangGraph 80 MB.
    assert image.sizes["package"] < 1_200 * MEGABYTE
    assert not [name for name in image.installed() if name.startswith(("torch", "nvidia", "cuda"))]


def test_the_font_cache_is_built_with_the_image(image):
    assert list(image.home.glob("**/matplotlib/fontlist-*.json"))


@pytest.mark.parametrize("name", [path.name for path in sorted(NOTEBOOKS.glob("*.ipynb"))])
def test_a_tutorial_runs_to_its_end_and_contacts_no_other_host(
    name, page, launched, image, traffic
):
    compiled = image.bytecode()

    panel = open_notebook(page, launched, f"notebooks/{name}")
    run_all(page, panel, ERRORS)
    # JupyterLab must not even ask whether it may fetch news. It would have asked by now.
    assert page.locator(".Toastify__toast").all_inner_texts() == []
    take_picture(page, panel, f"binder-{Path(name).stem}.png")

    assert traffic.hosts() == {"127.0.0.1"}
    image.outside.setblocking(False)
    with pytest.raises(BlockingIOError):
        image.outside.accept()
    # The installed packages were compiled when the image was built.
    assert image.bytecode() == compiled
