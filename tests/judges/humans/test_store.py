"""The store of labels: appends are safe, nothing is deleted, what was taken back counts nowhere."""

from __future__ import annotations

import json
import multiprocessing
import resource
import signal
from pathlib import Path

import pytest

from judges.humans.importer import read_labels
from judges.humans.labels import label_to_json, parse_label
from judges.humans.store import add_labels, append_label, read_all, read_store, withdraw_label
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
