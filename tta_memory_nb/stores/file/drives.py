"""Which folders are on a network drive, where the locks and the shared memory of SQLite do not hold."""

from __future__ import annotations

import re
import sys
from contextlib import suppress
from pathlib import Path, PurePath, PurePosixPath

# File systems of Linux that other machines share.
_OF_NETWORKS = frozenset(
    [
        "afs",
        "beegfs",
        "ceph",
        "cifs",
        "fuse.ceph",
        "fuse.glusterfs",
        "fuse.s3fs",
        "fuse.sshfs",
        "glusterfs",
        "gpfs",
        "lustre",
        "ncpfs",
        "nfs",
        "nfs4",
        "ocfs2",
        "gfs2",
        "smb3",
        "smbfs",
    ]
)

_ESCAPED = re.compile(r"\\([0-7]{3})")

_MOUNTS = Path("/proc/self/mountinfo")


def is_on_network(path: Path) -> bool:
    """Returns whether a path is on a network drive, as far as the system tells: Linux and Windows do."""
    if sys.platform == "win32":
        import ctypes

        remote = 4
        kind: int = ctypes.windll.kernel32.GetDriveTypeW(f"{path.drive}\\")
        return is_share(path) or kind == remote
    with suppress(OSError):
        return (
            file_system(path.resolve(), _MOUNTS.read_text("utf-8", "surrogateescape"))
            in _OF_NETWORKS
        )
    return False


def is_share(path: PurePath) -> bool:
    r"""Returns whether a path of Windows names another machine, as ``\\server\share\notes.db`` does."""
    return path.drive.startswith("\\\\") and not path.drive.startswith(("\\\\?\\", "\\\\.\\"))


def file_system(path: PurePath, mounts: str) -> str:
    """Returns the kind of the file system that a path is on, empty if that is not known.

    Args:
        path: absolute, without links.
        mounts: what Linux has in ``/proc/self/mountinfo``.
    """
    found, depth = "", -1
    for line in mounts.splitlines():
        before, dash, after = line.partition(" - ")
        fields = before.split(" ")
        if not dash or len(fields) < 5:
            continue
        folder = PurePosixPath(_ESCAPED.sub(lambda each: chr(int(each[1], 8)), fields[4]))
        # Of two file systems at the same place, the later one covers the other.
        if path.is_relative_to(folder) and len(folder.parts) >= depth:
            found, depth = after.split(" ")[0], len(folder.parts)
    return found
