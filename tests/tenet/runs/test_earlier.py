"""Shards of another version: what it did not keep is filled in, and what cannot be is one clear error that touches nothing."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import MISSING, field, fields, make_dataclass, replace
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from tenet.errors import UsageError
from tenet.ids import file_digest
from tenet.records import Finish, Sample
from tenet.runs import Row, Stage
from tenet.runs.manifest import ManifestFile

NOW = Sample("s1", "p1", 0, "hello", "policy", Finish.STOP, 7, 3, 4, "why", 2)
LATER = {"cached_tokens", "reason", "seed"}
CURE = r"(.|\n)*go on with the version that made the run \(run.json names it\), or start a run of another name"


def version(*gone: str, more: tuple[str, ...] = ()) -> type[Any]:
    """`Sample` as a version had it that did not know the fields in `gone`, and knew `more`."""
    hints = get_type_hints(Sample)
    kept = [(one.name, hints[one.name], field(default=one.default)) for one in fields(Sample) if one.name not in gone]
    extra = [(name, str, field(default="x")) for name in more]
    bare = [(name, kind) if made.default is MISSING else (name, kind, made) for name, kind, made in [*kept, *extra]]
    return make_dataclass("Sample", bare, frozen=True)


def row_of(kind: type[Any], key: str) -> Row[Any]:
    return Row(key, kind(**{one.name: getattr(NOW, one.name, "x") for one in fields(kind)}), ok=True)


@contextmanager
def stage_in(folder: Path, kind: type[Any], *, read_only: bool = False) -> Iterator[Stage[Any]]:
    with closing(Stage("samples", kind, ManifestFile(folder), read_only=read_only)) as stage:
        yield stage


def write(folder: Path, kind: type[Any], *, publish: bool) -> Path:
    """A shard as that version wrote it: two rows with a record, and a failure without one."""
    with stage_in(folder, kind) as stage:
        stage.put(0, [row_of(kind, "k1"), row_of(kind, "k2"), Row("k3", None, ok=False, reason="no")])
        if publish:
            stage.publish(0)
    return folder / "samples" / ("00000.parquet" if publish else "00000.db")


def columns(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return [name for _, name, *_ in connection.execute("PRAGMA table_info(rows)")]


@pytest.mark.parametrize("publish", [True, False])
def test_a_reader_fills_in_what_is_missing_and_changes_nothing(tmp_path: Path, publish: bool) -> None:
    path = write(tmp_path, version(*LATER), publish=publish)
    before = file_digest(path)
    with stage_in(tmp_path, Sample, read_only=True) as stage:
        first, second, failed = stage.rows()
    assert first.record == second.record == replace(NOW, cached_tokens=None, reason="", seed=0)
    assert (failed.key, failed.record, failed.ok, failed.reason) == ("k3", None, False, "no")
    assert file_digest(path) == before


@pytest.mark.parametrize("publish", [True, False])
def test_a_writer_goes_on_with_the_shard(tmp_path: Path, publish: bool) -> None:
    write(tmp_path, version(*LATER), publish=publish)
    with stage_in(tmp_path, Sample) as stage:
        stage.reopen(0)
        stage.put(0, [Row("k3", NOW, ok=True), Row("k4", NOW, ok=True)])
        assert stage.keys(0) == dict.fromkeys(("k1", "k2", "k3", "k4"), True)
        assert set(columns(tmp_path / "samples" / "00000.db")) >= LATER
        stage.publish(0)
        found = {row.key: row for row in stage.rows()}
    assert found["k1"].record == replace(NOW, cached_tokens=None, reason="", seed=0)
    assert found["k3"].record == found["k4"].record == NOW
    assert found["k3"].attempts == 2


def test_damage_in_an_earlier_open_shard_is_still_noticed(tmp_path: Path) -> None:
    path = write(tmp_path, version(*LATER), publish=False)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE rows SET text = 'hellp' WHERE _key = 'k2'")
    with stage_in(tmp_path, Sample) as stage:
        assert list(stage.keys(0)) == ["k1", "k3"]
    assert not list(path.parent.glob("*.corrupt-*"))


@pytest.mark.parametrize("read_only", [True, False])
@pytest.mark.parametrize("publish", [True, False])
@pytest.mark.parametrize(
    ("kind", "told"),
    [
        (version("policy", "seed"), r"lacks what this version needs: policy"),
        (version(more=("mood",)), r"holds what this version does not know: mood"),
    ],
)
def test_what_cannot_be_filled_in_is_named_with_file_and_cure(
    tmp_path: Path, kind: type[Any], told: str, publish: bool, read_only: bool
) -> None:
    path = write(tmp_path, kind, publish=publish)
    before = file_digest(path)
    with (
        pytest.raises(UsageError, match=rf"{path} was written by another version of Tenet.*{told}{CURE}"),
        stage_in(tmp_path, Sample, read_only=read_only) as stage,
    ):
        list(stage.rows())
    assert not list(path.parent.glob("*.corrupt-*"))
    assert file_digest(path) == before


@pytest.mark.parametrize("gone", ["policy", "cached_tokens"])
def test_a_name_with_a_flipped_bit_is_damage_and_no_version(tmp_path: Path, gone: str) -> None:
    path = write(tmp_path, version(gone, more=(gone.upper(),)), publish=False)
    with stage_in(tmp_path, Sample) as stage:
        assert stage.keys(0) == {}
    assert path.with_name("00000.db.corrupt-1").exists()


def test_a_swallowed_column_is_damage_and_no_version(tmp_path: Path) -> None:
    """A comma of the table's definition that became a letter makes a column part of the type before it."""
    path = write(tmp_path, Sample, publish=False)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")
    content = path.read_bytes()
    assert content.count(b'"text" TEXT, "policy"') == 1
    path.write_bytes(content.replace(b'"text" TEXT, "policy"', b'"text" TEXTl "policy"'))
    with stage_in(tmp_path, Sample) as stage:
        assert stage.keys(0) == {}
    assert path.with_name("00000.db.corrupt-1").exists()


def test_a_published_shard_of_a_lost_manifest_is_not_set_aside_for_its_version(tmp_path: Path) -> None:
    path = write(tmp_path, version("policy"), publish=True)
    (tmp_path / "manifest.json").unlink()
    with pytest.raises(UsageError, match="lacks what this version needs: policy"), stage_in(tmp_path, Sample):
        pass
    assert path.exists()
