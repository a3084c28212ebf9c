"""Source distributions of other packages, whose tests are run against this one."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
from pathlib import Path


def unpacked(package: str, folder: Path) -> Path:
    """Returns the folder of a source distribution, which pip downloads if it is missing.

    Args:
        package: its name on PyPI.
        folder: where it is looked for, and unpacked.

    Raises:
        SystemExit: the distribution has no folder of its own.
    """
    pattern = re.compile(rf"{package.replace('-', '[-_]')}-\d[^/]*")
    for _ in range(2):
        for found in folder.iterdir():
            if found.is_dir() and pattern.fullmatch(found.name):
                return found
        pip = (sys.executable, "-m", "pip", "download", "--no-deps", "--no-binary", package)
        subprocess.run([*pip, "--dest", folder, package], check=True)
        for archive in folder.glob("*.tar.gz"):
            with tarfile.open(archive) as source:
                # Python has an argument for it from 3.11.4 on.
                source.extraction_filter = getattr(tarfile, "data_filter", None)
                source.extractall(folder)
    raise SystemExit(f"{package}: its source distribution has no folder of its own")
