"""Mends what a crash left in a stage's folder, and sets aside what does not read back. Run by a stage's one
writer before it works.

What is true when two copies of a shard exist, because a crash fell between two steps of publishing or
reopening it:

- in the manifest, and the Parquet file matches its checksum: that file; a database beside it is a left-over
  and goes;
- a database, and no sound published file: the database; a Parquet file beside it is a left-over and goes;
- a Parquet file alone, not in the manifest: the manifest was lost; the file is read through and entered
  again.

Nothing is ever deleted that is not elsewhere: what does not read back is renamed to `.corrupt-N`, and its
rows are owed again.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

from tenet.runs.atomic import CorruptShard, fsync_folder, remove, storage, sweep
from tenet.runs.codec import Codec, R
from tenet.runs.manifest import ManifestFile
from tenet.runs.opened import remove_database
from tenet.runs.published import ShardEntry, entry_of, verify


def recover(folder: Path, codec: Codec[R], manifest: ManifestFile, say: Callable[[str], None]) -> None:
    """Leave every shard of a stage in one copy.

    A published file is held against its checksum only where a database contests it.
    """
    sweep(folder)
    stage = folder.name
    entries = manifest.read().stages[stage].shards
    databases = {int(path.stem): path for path in folder.glob("[0-9]*.db")}
    files = {int(path.stem): path for path in folder.glob("[0-9]*.parquet")}
    for shard, database in databases.items():
        if shard in entries and _sound(files.get(shard), entries[shard]):
            remove_database(database)
            continue
        if shard in entries:
            _enter(manifest, stage, shard, None)
        if shard in files:
            with storage(files[shard]):
                remove(files[shard])
    for shard in sorted(set(entries) - set(files) - set(databases)):
        say(f"{folder / f'{shard:05d}.parquet'} is gone; its {entries[shard].counts.rows} rows will be asked for again")
        _enter(manifest, stage, shard, None)
    for shard in sorted(set(files) - set(entries) - set(databases)):
        try:
            _enter(manifest, stage, shard, entry_of(files[shard], codec))
        except CorruptShard as error:
            set_aside(files[shard], str(error), say)


def set_aside(path: Path, reason: str, say: Callable[[str], None]) -> Path:
    """Rename a shard's file (and a database's log with it) so that it is out of the way and nothing is lost,
    and say so.
    """
    number = next(n for n in itertools.count(1) if not path.with_name(f"{path.name}.corrupt-{n}").exists())
    target = path.with_name(f"{path.name}.corrupt-{number}")
    with storage(path):
        for suffix in ("", "-wal", "-shm", "-journal"):
            part = path.with_name(path.name + suffix)
            if part.exists():
                part.rename(target.with_name(target.name + suffix))
        fsync_folder(path.parent)
    say(f"{path} does not read back ({reason}); set aside as {target.name}, and its rows will be asked for again")
    return target


def _sound(path: Path | None, entry: ShardEntry) -> bool:
    if path is None:
        return False
    try:
        verify(path, entry)
    except CorruptShard:
        return False
    return True


def _enter(manifest: ManifestFile, stage: str, shard: int, entry: ShardEntry | None) -> None:
    manifest.update(lambda held: held.with_shard(stage, shard, entry))
