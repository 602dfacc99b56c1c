"""Files are old or new, never half; and the kind of file system is told right."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from tenet.errors import StorageFailed
from tenet.records import Ranking
from tenet.runs import Codec, Row, atomic, opened
from tenet.runs.filesystem import filesystem_type, is_local

MOUNTS = """\
22 1 8:1 / / rw,relatime - ext4 /dev/root rw
30 22 0:26 / /data rw shared:1 - nfs4 server:/export rw
31 30 0:27 / /data/local\\040disk rw - xfs /dev/sdb rw
32 22 0:28 / /mnt rw - ext4 /dev/sdc rw
33 22 0:29 / /mnt rw - fuse.sshfs me@host:/ rw
"""


@pytest.mark.parametrize(
    ("path", "kind", "local"),
    [
        ("/home/me", "ext4", True),
        ("/data", "nfs4", False),
        ("/data/runs", "nfs4", False),
        ("/database", "ext4", True),
        ("/data/local disk/runs", "xfs", True),
        ("/mnt/x", "fuse.sshfs", False),
    ],
)
def test_the_longest_and_latest_mount_names_the_file_system(path: str, kind: str, local: bool) -> None:
    assert filesystem_type(Path(path), MOUNTS) == kind
    assert is_local(Path(path), MOUNTS) is local


def test_an_unknown_file_system_counts_as_a_network(tmp_path: Path) -> None:
    assert filesystem_type(tmp_path, "") == ""
    assert not is_local(tmp_path, "")


def test_an_open_shard_on_a_network_uses_the_rollback_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opened, "is_local", lambda path: False)
    shard = opened.OpenShard(tmp_path / "00000.db", Codec(Ranking))
    assert shard._connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    assert shard._connection.execute("PRAGMA synchronous").fetchone() == (3,)
    row = Row("k", Ranking("p", ("a",), (0.0,)), ok=True)
    shard.put([row])
    assert shard.rows() == [row]
    shard.close()
    monkeypatch.setattr(opened, "is_local", lambda path: True)
    shard = opened.OpenShard(tmp_path / "00000.db", Codec(Ranking))
    assert shard._connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert shard._connection.execute("PRAGMA synchronous").fetchone() == (2,)
    assert shard.rows() == [row]
    shard.close()


def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "f.json"
    atomic.write_text(path, "old\r\n")
    assert path.read_bytes() == b"old\r\n"

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageFailed) as caught:
        atomic.write_text(path, "new")
    assert "the disk is full" in str(caught.value)
    assert "Free some space" in str(caught.value)
    assert str(path) in str(caught.value)
    assert path.read_bytes() == b"old\r\n"
    assert [item.name for item in tmp_path.iterdir()] == ["f.json"]


def test_sweep_takes_only_what_was_left_aside(tmp_path: Path) -> None:
    for name in ("a.json", ".a.json.7.tmp", ".keep", "b.tmp"):
        (tmp_path / name).write_text("x")
    atomic.sweep(tmp_path)
    assert sorted(item.name for item in tmp_path.iterdir()) == [".keep", "a.json", "b.tmp"]


def test_a_reader_finds_no_rows_before_the_writer_has_made_the_table(tmp_path: Path) -> None:
    path = tmp_path / "00000.db"
    opened.connect(path, read_only=False).close()  # as a writer leaves it that is killed at once
    path.touch()
    reader = opened.OpenShard(path, Codec(Ranking), read_only=True)
    assert (reader.keys(), reader.rows(), reader.failures(), reader.counts().rows) == ({}, [], {}, 0)
    writer = opened.OpenShard(path, Codec(Ranking))
    writer.put([Row("a", None, ok=False, reason="no answer")])
    assert reader.keys() == {"a": False}
    assert reader.counts().failed == 1
    assert [row.key for row in reader.rows()] == ["a"]
    reader.close()
    writer.close()
