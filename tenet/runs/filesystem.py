"""Tells local file systems from network ones, for SQLite's write-ahead log needs shared memory that a network
does not give.

Reads Linux's table of mounts (`/proc/self/mountinfo`): the longest mount point above a path names its file
system. Where there is no such table (macOS, Windows), or the path is under no known mount, the kind is
unknown and counts as a network: the rollback journal that follows from it is slower and right everywhere.
Knows nothing of SQLite itself; `tenet.runs.opened` asks.
"""

from __future__ import annotations

from pathlib import Path

MOUNT_TABLE = Path("/proc/self/mountinfo")

LOCAL = frozenset(
    {"apfs", "bcachefs", "btrfs", "exfat", "ext2", "ext3", "ext4", "f2fs", "jfs", "nilfs2", "ntfs", "ntfs3"}
    | {"overlay", "ramfs", "reiserfs", "tmpfs", "ufs", "vfat", "xfs", "zfs"}
)


def filesystem_type(path: Path, table: str | None = None) -> str:
    """Name the file system that a path lies on, such as `ext4` or `nfs4`; empty where it cannot be told.

    `table` is the text of a mountinfo file, read from the system when None. Fields of a line: the mount point
    is the fifth, the type is the first after the lone hyphen (proc(5)).
    """
    if table is None:
        try:
            table = MOUNT_TABLE.read_text(encoding="utf-8", errors="surrogateescape")
        except OSError:
            return ""
    target = path.resolve()
    best, kind = -1, ""
    for line in table.splitlines():
        left, _, right = line.partition(" - ")
        fields, types = left.split(), right.split()
        if len(fields) < 5 or not types:
            continue
        point = Path(_unescape(fields[4]))
        # A later mount on the same point hides the earlier one, hence >=.
        if len(point.parts) >= best and target.is_relative_to(point):
            best, kind = len(point.parts), types[0]
    return kind


def is_local(path: Path, table: str | None = None) -> bool:
    """True where the path lies on a file system known to be of this machine alone."""
    return filesystem_type(path, table) in LOCAL


def _unescape(field: str) -> str:
    for code, char in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        field = field.replace(code, char)
    return field
