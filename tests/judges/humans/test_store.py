"""The store of labels: appends are safe, nothing is deleted, what was taken back counts nowhere."""

from __future__ import annotations

import json
import multiprocessing
import resource
import signal
import threading
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
from click.testing import CliRunner

from judges.humans.cli import labels as command
from judges.humans.importer import Labels, read_labels
from judges.humans.labels import label_to_json, parse_label
from judges.humans.store import add_labels, append_label, read_all, read_store, stored_labels, withdraw_label
from tenet.errors import InvalidInput, StorageFailed
from tenet.records import Label


def label(number: int, annotator: str = "ann", text: str = "x") -> Label:
    row = {
        "prompt": f"Question {number}?",
        "response_a": f"this {text}",
        "response_b": f"that {text}",
        "preference": "a",
        "annotator": annotator,
    }
    parsed = parse_label(row, source="here")
    assert parsed.label is not None
    return parsed.label


def test_a_label_that_was_taken_back_stays_in_the_file_and_counts_nowhere(tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    first, second = label(1), label(2)
    add_labels(path, [first, second])
    before = path.read_bytes()
    withdraw_label(path, first.id, "ann", "2026-01-31T12:00:00+00:00")
    assert path.read_bytes().startswith(before)
    assert read_store(path) == (second,)
    assert read_labels(path).labels == (second,), "as a file of anchors too"
    assert read_labels(path).counts.withdrawn == 1
    assert add_labels(path, [first]).new == 0, "importing the file again brings it not back"
    assert read_store(path) == (second,)


def test_a_withdrawal_says_whose_label_it_takes_back(tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    add_labels(path, [label(1)])
    with path.open("a") as file:
        file.write('{"withdraws": 3}\n')
    with pytest.raises(InvalidInput, match=r"labels\.jsonl:2"):
        read_store(path)


def test_a_comment_is_kept_and_changes_no_id_of_labels_without_one() -> None:
    plain = label(1)
    parsed = parse_label({**label_to_json(plain), "comment": "both are fine"}).label
    assert parsed is not None
    assert parsed.comment == "both are fine"
    assert parsed.id != plain.id
    assert parse_label(label_to_json(plain), source="here").label == plain
    assert "comment" not in label_to_json(plain)


@pytest.mark.parametrize("cut", [1, 20, 4096, 5000])
def test_a_line_that_a_killed_writer_left_is_moved_aside(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "labels.jsonl"
    add_labels(path, [label(1)])
    whole = path.read_bytes()
    torn = (json.dumps(label_to_json(label(2, text="é" * 6000)), ensure_ascii=False)).encode()[:cut]
    path.write_bytes(whole + torn)
    assert read_store(path) == (label(1),)
    assert path.read_bytes() == whole
    assert (tmp_path / "labels.jsonl.torn").read_bytes() == torn + b"\n"
    append_label(path, label(3))
    assert read_store(path) == (label(1), label(3))


def test_a_last_line_without_an_end_is_given_one(tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    add_labels(path, [label(1)])
    path.write_bytes(path.read_bytes().rstrip(b"\n"))
    append_label(path, label(2))
    assert read_store(path) == (label(1), label(2))
    assert not (tmp_path / "labels.jsonl.torn").exists()


def test_a_full_disk_leaves_the_store_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    add_labels(path, [label(1)])
    before = path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 100, limits[1]))
    try:
        with pytest.raises(StorageFailed, match="largest size"):
            append_label(path, label(2))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert path.read_bytes() == before


def _write(path: Path, name: str, count: int) -> None:
    for number in range(count):
        if number % 5:
            append_label(path, label(number, name, "y" * 3000))
        else:
            add_labels(path, [label(number, name, "y" * 3000), label(0, name, "y" * 3000)])


def test_several_writers_at_once_lose_nothing_and_write_nothing_twice(tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    start = multiprocessing.get_context("fork")
    people = [f"person {number}" for number in range(4)]
    writers = [start.Process(target=_write, args=(path, name, 25)) for name in people]
    for one in writers:
        one.start()
    for one in writers:
        one.join()
    assert [one.exitcode for one in writers] == [0] * 4
    found = read_all(path)
    assert len(found.labels) == 100
    assert found.counts.duplicates == 0
    assert {(one.annotator, one.prompt[0].content) for one in found.labels} == {
        (name, f"Question {number}?") for name in people for number in range(25)
    }


def _sheet(path: Path, count: int) -> Path:
    """A file of labels of one person, larger than several blocks of the store."""
    path.write_text("".join(json.dumps(label_to_json(label(n, "sheet", "z" * 4000))) + "\n" for n in range(count)))
    return path


def _append_slowly(path: Path, name: str, count: int) -> None:
    for number in range(count):
        append_label(path, label(number, name))


def test_an_import_while_people_label_loses_nothing_and_readers_see_whole_labels(tmp_path: Path) -> None:
    path, sheet = tmp_path / "labels.jsonl", _sheet(tmp_path / "sheet.jsonl", 600)
    start = multiprocessing.get_context("fork")
    people = [start.Process(target=_append_slowly, args=(path, f"person {number}", 60)) for number in range(2)]
    imports = [start.Process(target=lambda: add_labels(path, Labels(sheet))) for _ in range(2)]
    workers = [people[0], *imports, people[1]]
    for one in workers:
        one.start()
    seen = 0
    while any(one.is_alive() for one in workers):
        now = sum(1 for _ in stored_labels(path))
        assert now >= seen, "what was there once does not vanish"
        seen = now
    for one in workers:
        one.join()
    assert [one.exitcode for one in workers] == [0] * 4
    found = read_all(path)
    assert (len(found.labels), found.counts.duplicates) == (600 + 2 * 60, 0)
    assert not (tmp_path / "labels.jsonl.torn").exists()


def _breaking(count: int) -> Iterator[Label]:
    for number in range(count):
        yield label(number, "late", "w" * 4000)
    raise InvalidInput("the source breaks", [])


def test_an_import_that_breaks_after_some_blocks_is_cut_off_again(tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    with pytest.raises(InvalidInput, match="breaks"):
        add_labels(path, _breaking(400))
    assert not path.exists(), "a store that never held a label"
    add_labels(path, [label(1)])
    before = path.read_bytes()
    with pytest.raises(InvalidInput, match="breaks"):
        add_labels(path, _breaking(400))
    assert path.read_bytes() == before
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, limits[1]))
    try:
        with pytest.raises(StorageFailed, match="largest size"):
            add_labels(path, (label(number, "late", "w" * 4000) for number in range(400)))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert path.read_bytes() == before


def _opened(path: Path) -> int:
    """How often this process has the file open."""
    found = 0
    for entry in Path("/proc/self/fd").iterdir():
        try:
            found += entry.readlink() == path
        except FileNotFoundError:
            continue
    return found


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="open files are counted under /proc")
def test_whoever_waits_for_an_import_that_breaks_loses_nothing(tmp_path: Path) -> None:
    path = (tmp_path / "labels.jsonl").resolve()
    waiting = threading.Thread(target=append_label, args=(path, label(1)))

    def source() -> Iterator[Label]:
        yield label(2)
        waiting.start()
        while _opened(path) < 2:
            pass
        raise InvalidInput("the source breaks", [])

    with pytest.raises(InvalidInput, match="breaks"):
        add_labels(path, source())
    waiting.join()
    assert read_store(path) == (label(1),)


@pytest.mark.parametrize("suffix", [".jsonl", ".json"])
@pytest.mark.parametrize("first", [True, False])
def test_a_file_that_takes_labels_back_is_read_without_them(tmp_path: Path, suffix: str, first: bool) -> None:
    kept, gone = label(1), label(1, text="withdraws")
    again = {**label_to_json(gone), "id": None, "preference": "b"}
    rows = [label_to_json(kept), label_to_json(gone), again]
    rows.insert(0 if first else 3, {"withdraws": gone.id, "annotator": "ann"})
    path = tmp_path / f"sheet{suffix}"
    path.write_text(json.dumps(rows) if suffix == ".json" else "".join(json.dumps(row) + "\n" for row in rows))
    found = Labels(path)
    assert [one.preference for one in found] == ["a", "b"]
    counts = found.counts
    assert (counts.rows, counts.labels, counts.withdrawn, counts.repeated) == (4, 2, 1, 0)
    line = 3 if first else 2
    where = "line" if suffix == ".jsonl" else "row"
    assert f"1 labels that were taken back, left out ({where} {line})" in counts.lines()
    assert counts.as_json()["withdrawn"] == 1


def test_a_file_takes_back_what_the_store_holds(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "labels.jsonl", tmp_path / "theirs.jsonl"
    add_labels(theirs, [label(1), label(2)])
    add_labels(ours, Labels(theirs))
    withdraw_label(theirs, label(1).id, "ann", "2026-01-31T12:00:00+00:00")
    before = ours.read_bytes()
    for taken_back in (1, 0):
        found = Labels(theirs)
        merged = add_labels(ours, found, withdrawn=found.withdrawn)
        assert (merged.total, merged.new, merged.taken_back) == (1, 0, taken_back)
        assert read_store(ours) == (label(2),)
    assert ours.read_bytes().startswith(before)
    withdraw_label(theirs, label(2).id, "ann", "2026-01-31T12:00:00+00:00")
    words = ["import", str(theirs), "--to", str(ours), "--json"]
    result = CliRunner().invoke(command, words, catch_exceptions=False)
    told = json.loads(result.stdout)
    assert (told["withdrawn"], told["total"], told["new"], told["taken_back"]) == (2, 0, 0, 1)
    assert "1 labels that were there are taken back by theirs.jsonl" in result.stderr
    assert read_store(ours) == ()


def _held_up(path: Path, sheet: Path, reached: Connection) -> None:
    def source() -> Iterator[Label]:
        for number, one in enumerate(Labels(sheet)):
            yield one
            if number == 400:
                reached.send("some blocks are written")
                signal.pause()

    add_labels(path, source())


def test_an_import_that_was_killed_is_completed_by_the_same_import(tmp_path: Path) -> None:
    path, sheet = tmp_path / "labels.jsonl", _sheet(tmp_path / "sheet.jsonl", 500)
    append_label(path, label(1))
    here, there = multiprocessing.Pipe()
    child = multiprocessing.get_context("fork").Process(target=_held_up, args=(path, sheet, there))
    child.start()
    here.recv()
    child.kill()
    child.join()
    held = read_store(path)
    assert 1 < len(held) < 501
    assert add_labels(path, Labels(sheet)).new == 501 - len(held)
    found = read_all(path)
    assert (len(found.labels), found.counts.duplicates) == (501, 0)
