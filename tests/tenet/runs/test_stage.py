"""Rows survive: first success wins, shards publish and reopen, and a stop at any step loses nothing."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tenet.errors import MissingInput, StorageFailed, UsageError
from tenet.records import Finish, Ranking, Sample
from tenet.runs import Failure, Row, Stage
from tenet.runs.manifest import FILE, ManifestFile, StageEntry
from tenet.runs.published import ShardEntry
from tenet.runs.row import Counts


def sample(number: int, text: str = "hello", finish: Finish = Finish.STOP) -> Sample:
    return Sample(f"s{number}", f"p{number}", 0, text, "policy", finish)


def row(number: int, text: str = "hello", *, ok: bool = True, reason: str = "") -> Row[Sample]:
    finish = Finish.STOP if ok else Finish.ERROR
    return Row(f"k{number:04d}", sample(number, text, finish), ok, reason=reason)


@contextmanager
def stage_in(folder: Path, said: list[str] | None = None, *, read_only: bool = False) -> Iterator[Stage[Sample]]:
    lines = said if said is not None else []
    stage = Stage("samples", Sample, ManifestFile(folder), read_only=read_only, say=lines.append, resume="tenet go")
    try:
        yield stage
    finally:
        stage.close()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "samples").iterdir())


def test_rows_are_there_after_put_without_a_close(tmp_path: Path) -> None:
    with stage_in(tmp_path) as stage:
        stage.put(0, [row(1), row(2, ok=False, reason="boom")])
        with stage_in(tmp_path, read_only=True) as reader:
            assert reader.keys(0) == {"k0001": True, "k0002": False}
            assert reader.failures(0) == {"k0002": Failure(1, "boom")}
            assert [item.key for item in reader.rows(0)] == ["k0001", "k0002"]
            assert list(reader.records()) == [sample(1)]
            assert reader.counts().outcomes == {"error": 1, "stop": 1}
            with pytest.raises(ValueError, match="opened for reading"):
                reader.put(0, [row(3)])


def test_the_first_success_stands_and_success_beats_failure(tmp_path: Path) -> None:
    with stage_in(tmp_path) as stage:
        stage.put(0, [row(1, ok=False, reason="a")])
        stage.put(0, [row(1, ok=False, reason="b")])
        assert stage.failures(0) == {"k0001": Failure(2, "b")}
        stage.put(0, [row(1, "right"), row(1, "late")])
        stage.put(0, [row(1, "later"), row(1, ok=False)])
        (only,) = stage.rows(0)
        assert only == replace(row(1, "right"), attempts=3)
        assert (stage.counts().ok, stage.counts().failed) == (1, 0)


def test_rows_come_in_the_order_of_shards_then_keys(tmp_path: Path) -> None:
    with stage_in(tmp_path) as stage:
        stage.put(1, [row(3), row(2)])
        stage.put(0, [row(9), row(8), row(10)])
        stage.publish(0)
        assert [item.key for item in stage.rows()] == ["k0008", "k0009", "k0010", "k0002", "k0003"]
        assert stage.shards() == [0, 1]
        assert stage.published(0)
        assert not stage.published(1)


def test_an_unstorable_row_leaves_the_group_unrecorded(tmp_path: Path) -> None:
    with stage_in(tmp_path) as stage:
        with pytest.raises(ValueError, match=r"text: .*surrogates"):
            stage.put(0, [row(1), row(2, "\ud800")])
        assert stage.keys(0) == {}


def test_publish_and_reopen_keep_every_row(tmp_path: Path) -> None:
    rows = [row(number, ok=number % 3 > 0, reason="no") for number in range(50)]
    with stage_in(tmp_path) as stage:
        stage.put(0, rows)
        stage.publish(0)
        assert names(tmp_path) == ["00000.parquet"]
        assert list(stage.rows(0)) == rows
        assert stage.counts().ok == 33
        with pytest.raises(ValueError, match="published; reopen"):
            stage.put(0, [row(99)])
        stage.reopen(0)
        assert names(tmp_path)[0] == "00000.db"
        stage.put(0, [row(99), row(0)])
        stage.publish(0)
        stage.publish(0)
        assert [item.key for item in stage.rows(0) if item.ok] == sorted(
            [item.key for item in rows if item.ok] + ["k0000", "k0099"]
        )
        assert next(stage.rows(0)).attempts == 2


def test_equal_rows_publish_to_equal_bytes_whatever_their_order(tmp_path: Path) -> None:
    files = []
    for name, order in (("a", 1), ("b", -1)):
        with stage_in(tmp_path / name) as stage:
            for number in list(range(20))[::order]:
                stage.put(0, [row(number)])
            stage.publish(0)
            files.append((tmp_path / name / "samples" / "00000.parquet").read_bytes())
    assert files[0] == files[1]


class Killed(BaseException):
    """Stands for the process's end; no `except Exception` may swallow it."""


def killing(monkeypatch: pytest.MonkeyPatch, step: int) -> Callable[[], int]:
    """Make the step-th call that changes the disk (replace, unlink, fsync) the last. Gives a counter of calls."""
    calls = 0

    def wrap(target: object, name: str) -> None:
        original = getattr(target, name)

        def wrapped(*args: object, **kwargs: object) -> object:
            nonlocal calls
            calls += 1
            if calls == step:
                raise Killed
            return original(*args, **kwargs)

        monkeypatch.setattr(target, name, wrapped)

    for target, name in ((os, "replace"), (os, "fsync"), (Path, "unlink")):
        wrap(target, name)
    return lambda: calls


def run_until_killed(
    folder: Path, action: Callable[[Stage[Sample]], None], step: int, monkeypatch: pytest.MonkeyPatch
) -> bool:
    """Do the action up to its step-th touch of the disk; True when it was stopped there."""
    with stage_in(folder) as stage, monkeypatch.context() as patch:
        killing(patch, step)
        try:
            action(stage)
        except Killed:
            return True
    return False


@pytest.mark.parametrize("action", ["publish", "reopen"])
def test_a_stop_at_any_step_of_publishing_or_reopening_loses_nothing(
    action: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [row(number) for number in range(5)]
    step = 0
    stopped = True
    while stopped:
        step += 1
        folder = tmp_path / str(step)
        with stage_in(folder) as stage:
            stage.put(0, rows)
            if action == "reopen":
                stage.publish(0)
        stopped = run_until_killed(folder, lambda stage: getattr(stage, action)(0), step, monkeypatch)
        said: list[str] = []
        with stage_in(folder, said) as stage:
            assert list(stage.rows()) == rows, f"after step {step}"
            assert len([name for name in names(folder) if name.endswith((".db", ".parquet"))]) == 1, names(folder)
            stage.reopen(0)
            stage.put(0, [row(7)])
            stage.publish(0)
            assert list(stage.rows()) == [*rows, row(7)]
        assert names(folder) == ["00000.parquet"]
        assert said == []
    assert step > 5


def test_a_stop_while_the_mending_itself_is_at_work_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [row(number) for number in range(5)]
    with stage_in(tmp_path) as stage:
        stage.put(0, rows)
    run_until_killed(tmp_path, lambda stage: stage.publish(0), 6, monkeypatch)
    for step in range(1, 12):
        with monkeypatch.context() as patch:
            killing(patch, step)
            try:
                with stage_in(tmp_path):
                    pass
            except Killed:
                pass
    with stage_in(tmp_path) as stage:
        assert list(stage.rows()) == rows


def flip(path: Path, offset: int) -> None:
    data = bytearray(path.read_bytes())
    data[offset] ^= 0x10
    path.write_bytes(bytes(data))


def test_a_published_shard_that_does_not_match_its_checksum_is_set_aside_and_owed(tmp_path: Path) -> None:
    with stage_in(tmp_path) as stage:
        stage.put(0, [row(1)])
        stage.publish(0)
    flip(tmp_path / "samples" / "00000.parquet", 40)
    with stage_in(tmp_path, read_only=True) as reader, pytest.raises(MissingInput, match="tenet go"):
        list(reader.rows())
    said: list[str] = []
    with stage_in(tmp_path, said) as stage:
        assert stage.keys(0) == {}
        assert not stage.published(0)
        assert "set aside as 00000.parquet.corrupt-1" in said[0]
        stage.put(0, [row(2)])
        stage.publish(0)
        flip(tmp_path / "samples" / "00000.parquet", 40)
    with stage_in(tmp_path) as stage:
        assert stage.keys(0) == {}
    assert names(tmp_path) == ["00000.parquet.corrupt-1", "00000.parquet.corrupt-2"]


def test_a_published_shard_that_is_gone_is_owed(tmp_path: Path) -> None:
    with stage_in(tmp_path) as stage:
        stage.put(0, [row(1)])
        stage.publish(0)
    (tmp_path / "samples" / "00000.parquet").unlink()
    said: list[str] = []
    with stage_in(tmp_path, said) as stage:
        assert stage.shards() == []
    assert "is gone; its 1 rows" in said[0]


def test_published_shards_are_found_again_without_the_manifest(tmp_path: Path) -> None:
    with stage_in(tmp_path) as stage:
        stage.put(0, [row(1)])
        stage.publish(0)
        entry = stage.entry
    (tmp_path / FILE).unlink()
    with stage_in(tmp_path) as stage:
        assert stage.entry == entry
        assert list(stage.rows()) == [row(1)]


def test_what_another_process_writes_into_the_manifest_is_kept(tmp_path: Path) -> None:
    one, other = ManifestFile(tmp_path), ManifestFile(tmp_path)
    one.update(lambda held: held.with_stage("samples", StageEntry("Sample", 3, settled='a "plan"')))
    for number, manifest in enumerate((other, one, other)):
        entry = ShardEntry(number, "0" * 64, Counts(2, 1, {"stop": 2, "failed": 1}))
        manifest.update(lambda held, number=number, entry=entry: held.with_shard("samples", number, entry))  # type: ignore[misc]
        assert ManifestFile(tmp_path).read() == one.read() == other.read()
    assert list(one.read().stages["samples"].shards) == [0, 1, 2]
    (tmp_path / FILE).unlink()
    assert one.read() == ManifestFile(tmp_path).read()
    one.update(lambda held: held.with_stage("prompts", StageEntry("Prompt")))
    assert list(other.read().stages) == ["prompts"]


def test_a_torn_manifest_says_how_to_go_on(tmp_path: Path) -> None:
    with stage_in(tmp_path) as stage:
        stage.put(0, [row(1)])
    (tmp_path / FILE).write_text('{"format": 1, "sta')
    with pytest.raises(UsageError, match="Move it away"), stage_in(tmp_path):
        pass


def test_a_damaged_open_shard_never_gives_a_wrong_row(tmp_path: Path) -> None:
    """Flip a byte all over the file: what comes back is right, and what does not is owed."""
    rows = [row(number, "text " * 60) for number in range(40)]
    with stage_in(tmp_path) as stage:
        stage.put(0, rows)
    path = tmp_path / "samples" / "00000.db"
    sound = path.read_bytes()
    lost = 0
    for offset in range(0, len(sound), 397):
        path.write_bytes(sound)
        flip(path, offset)
        with stage_in(tmp_path) as stage:
            back = list(stage.rows())
            assert all(item in rows for item in back), f"byte {offset}"
            lost += len(back) < len(rows)
            stage.put(0, rows)
            assert list(stage.rows()) == rows
        for extra in (tmp_path / "samples").glob("*.corrupt*"):
            extra.unlink()
    assert lost > 0


@pytest.mark.parametrize("size", [0, 1, 99, 4096, 5000])
def test_a_cut_open_shard_is_set_aside(tmp_path: Path, size: int) -> None:
    with stage_in(tmp_path) as stage:
        stage.put(0, [row(number) for number in range(100)])
    path = tmp_path / "samples" / "00000.db"
    path.write_bytes(path.read_bytes()[:size])
    said: list[str] = []
    with stage_in(tmp_path, said) as stage:
        assert stage.keys(0) == {}
        stage.put(0, [row(1)])
        assert list(stage.rows()) == [row(1)]
    assert said == [] if size < 2 else "set aside" in said[0]


def test_another_record_type_under_the_same_name_is_refused(tmp_path: Path) -> None:
    with stage_in(tmp_path):
        pass
    with pytest.raises(UsageError, match="records of type Sample"):
        Stage("samples", Ranking, ManifestFile(tmp_path))


def test_an_open_shard_of_other_columns_is_set_aside(tmp_path: Path) -> None:
    (tmp_path / "samples").mkdir()
    connection = sqlite3.connect(tmp_path / "samples" / "00000.db")
    connection.execute("CREATE TABLE rows (_key TEXT)")
    connection.close()
    said: list[str] = []
    with stage_in(tmp_path, said) as stage:
        assert stage.keys(0) == {}
    assert "this version expects" in said[0]


def test_few_files_stay_open_over_many_shards(tmp_path: Path) -> None:
    with stage_in(tmp_path) as stage:
        for number in range(20):
            stage.put(number, [row(number)])
        assert len(stage._open) == 8
        assert len(list(stage.rows())) == 20


def test_a_full_disk_is_one_clear_error_and_what_was_recorded_stays(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with stage_in(tmp_path) as stage:
        stage.put(0, [row(1)])
        import signal

        earlier = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, limits[1]))
        try:
            with pytest.raises(StorageFailed, match="Everything recorded before this is kept"):
                stage.put(0, [row(number, "x" * 10_000) for number in range(2, 60)])
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
            signal.signal(signal.SIGXFSZ, earlier)
        assert list(stage.rows()) == [row(1)]
        stage.put(0, [row(2)])
        assert len(stage.keys(0)) == 2


def test_a_disk_that_fills_up_while_publishing_leaves_the_open_shard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with stage_in(tmp_path) as stage:
        stage.put(0, [row(1)])
        with monkeypatch.context() as patch:

            def full(descriptor: int) -> None:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

            patch.setattr(os, "fsync", full)
            with pytest.raises(StorageFailed, match="the disk is full") as caught:
                stage.publish(0)
        assert caught.value.exit_code == 3
        assert not [name for name in names(tmp_path) if name.endswith((".tmp", ".parquet"))]
        assert list(stage.rows()) == [row(1)]
        stage.publish(0)
        assert names(tmp_path) == ["00000.parquet"]


def test_replace_puts_new_rows_in_the_place_of_all(tmp_path: Path) -> None:
    path = tmp_path / "samples" / "00000.parquet"
    with stage_in(tmp_path) as stage:
        stage.put(0, [row(1)])
        stage.replace(0, [row(3), row(2)])
        assert names(tmp_path) == ["00000.parquet"]
        assert list(stage.rows()) == [row(2), row(3)]
        before = path.stat().st_ino
        stage.replace(0, [row(2), row(3)])
        assert path.stat().st_ino == before
        stage.replace(0, [])
        assert list(stage.rows()) == []
        assert stage.published(0)
        with pytest.raises(ValueError, match="one key"):
            stage.replace(0, [row(1), row(1)])


def test_a_stop_at_any_step_of_replacing_leaves_the_old_rows_or_the_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step, stopped = 0, True
    seen = set()
    while stopped:
        step += 1
        folder = tmp_path / str(step)
        with stage_in(folder) as stage:
            stage.replace(0, [row(1)])
        stopped = run_until_killed(folder, lambda stage: stage.replace(0, [row(2)]), step, monkeypatch)
        said: list[str] = []
        with stage_in(folder, said) as stage:
            found = list(stage.rows())
            assert found in ([row(1)], [row(2)])
            seen.add(found[0].key)
            stage.replace(0, [row(2)])
            assert list(stage.rows()) == [row(2)]
        assert said == []
        assert names(folder) == ["00000.parquet"]
    assert seen == {"k0001", "k0002"}
