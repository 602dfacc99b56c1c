"""What stands at a path: content counts, not time; hidden files do not."""

from __future__ import annotations

import ntpath
import os
from pathlib import Path, PureWindowsPath
from types import SimpleNamespace

import pytest

from tenet.pipeline.marks import ITSELF, Mark, below, difference, marks_of, same


def test_content_counts_and_time_does_not(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    for name, text in (("a/one", "1"), ("two", "2"), (".lock", "x")):
        (tmp_path / name).write_text(text)
    before = marks_of(str(tmp_path))
    assert sorted(before) == ["a/one", "two"]
    os.utime(tmp_path / "two", ns=(1, 1))
    assert same(before, marks_of(str(tmp_path), before))
    (tmp_path / "two").write_text("3")
    (tmp_path / "more").write_text("4")
    now = marks_of(str(tmp_path), before)
    assert not same(before, now)
    assert difference(before, now) == " (more and 1 more)"
    assert sorted(marks_of(str(tmp_path), before, only=set(before))) == ["a/one", "two"]


def test_a_file_as_noted_is_not_read_again(tmp_path: Path) -> None:
    file = tmp_path / "big"
    file.write_text("aa")
    before = marks_of(str(file))
    times = file.stat()
    file.write_text("bb")
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert marks_of(str(file), before) == before  # size and time are as noted: taken as unchanged, as documented
    assert marks_of(str(file))[ITSELF].digest != before[ITSELF].digest


def test_a_part_of_what_was_made(tmp_path: Path) -> None:
    (tmp_path / "m/x").mkdir(parents=True)
    (tmp_path / "m/x/one").write_text("1")
    (tmp_path / "m/two").write_text("2")
    marks = marks_of(str(tmp_path / "m"))
    assert below(marks, "m", "m") == {"x/one", "two"}
    assert below(marks, "m", "m/x") == {"one"}
    assert below(marks, "m", "m/two") == {ITSELF}
    assert below(marks, "m", "m/none") == set()


def test_nothing_is_there(tmp_path: Path) -> None:
    assert marks_of(str(tmp_path / "none")) == {}


def test_names_below_a_folder_are_the_same_with_the_paths_of_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tenet.pipeline.marks.os", SimpleNamespace(path=ntpath))
    monkeypatch.setattr("tenet.pipeline.marks.Path", PureWindowsPath)
    marks = {"x/y/one": Mark(1, 1, "a"), "two": Mark(1, 1, "b")}
    assert below(marks, "C:\\runs\\m", "C:\\runs\\m\\x\\y") == {"one"}
    assert below(marks, "C:\\runs\\m", "C:\\runs\\m\\x\\y\\one") == {ITSELF}
