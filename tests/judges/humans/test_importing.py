"""Files as people send them: spreadsheets, duplicates, contradictions, one-sided people, mixed files; and the recorded sets' own counts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from benchmarks.label_import import measure, write
from benchmarks.recorded_data import DATA
from judges.formats.base import Columns
from judges.formats.pairs import NO_SHARED_PREFIX
from judges.formats.registry import read_file
from judges.humans.cli import labels as command
from judges.humans.counts import LabelCounts
from judges.humans.importer import Labels
from judges.humans.store import add_labels, read_store
from tenet.errors import InvalidInput, UsageError
from tenet.records import Choice

ROW: dict[str, Any] = {"prompt": "Why?", "response_a": "yes", "response_b": "no", "preference": "a", "annotator": "ann"}


def counted(folder: Path, *rows: dict[str, Any], **options: Any) -> LabelCounts:
    path = folder / "l.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = Labels(path, **options)
    list(found)
    return found.counts


def test_a_spreadsheet_with_a_mark_semicolons_and_other_line_ends(tmp_path: Path) -> None:
    lines = [
        "prompt;response_a;response_b;preference;annotator",
        'Why?;"yes; so\r\nsaid";no;A;ann',
        "Why?;yes;no;tie;bob",
        "",
    ]
    (tmp_path / "l.csv").write_bytes(b"\xef\xbb\xbf" + "\r\n".join(lines).encode())
    first, second = Labels(tmp_path / "l.csv")
    assert (first.response_a, first.preference, second.preference) == ("yes; so\r\nsaid", Choice.A, Choice.TIE)
    assert second.source == "l.csv:4", "the line, not the row"


def test_contradictions_and_duplicates_are_told_with_their_lines(tmp_path: Path) -> None:
    turned = {**ROW, "response_a": "no", "response_b": "yes"}
    counts = counted(
        tmp_path,
        ROW,
        ROW,
        {**ROW, "preference": "b"},
        turned,
        {**turned, "preference": "b"},
        {**ROW, "annotator": "bob"},
    )
    assert (counts.labels, counts.duplicates, counts.repeated, counts.contradictions) == (5, 1, 3, 2)
    assert counts.places["duplicates"] == [2]
    assert counts.places["contradictions"] == [3, 4], "the last says with other sides what the first said"
    told = "\n".join(counts.lines())
    assert "1 labels that stand twice, left out (line 2)" in told
    assert "2 of these name the other response than the same person's first label of the pair (lines 3, 4)" in told


def test_people_who_always_choose_one_side_are_named(tmp_path: Path) -> None:
    def row(n: int, who: str, choice: str, **more: str) -> dict[str, Any]:
        return {**ROW, "prompt": f"Question {n}?", "annotator": who, "preference": choice, **more}

    rows = [row(n, "left", "ab"[n % 2], shown_first="ab"[n % 2]) for n in range(30)]
    rows += [row(n, "fair", "ab"[n % 3 == 0]) for n in range(30)]
    rows += [row(n, "b-side", "b") for n in range(30)] + [row(n, "few", "a") for n in range(10)]
    counts = counted(tmp_path, *rows)
    assert [(one.annotator, one.side, one.share, one.count) for one in counts.one_sided] == [
        ("b-side", "b", 1.0, 30), ("left", "first", 1.0, 30),
    ]  # fmt: skip
    assert "Warning: left chose the response shown first in 100% of 30 choices" in counts.lines()


def test_mixed_formats_in_one_file_are_told_by_line(tmp_path: Path) -> None:
    chosen = {"prompt": "Why?", "chosen": "yes", "rejected": "no"}
    with pytest.raises(InvalidInput) as caught:
        counted(tmp_path, ROW, chosen)
    assert "l.jsonl:2" in str(caught.value)
    assert "this row has the columns of trl: give each format a file of its own" in str(caught.value)
    counts = counted(tmp_path, ROW, chosen, chosen, strict=False)
    assert (counts.rows, counts.labels, counts.skipped) == (3, 1, 2)
    assert any("2 rows that cannot be read, left out" in line for line in counts.lines())


def test_rows_that_nobody_has_labelled_are_no_mistake(tmp_path: Path) -> None:
    counts = counted(tmp_path, ROW, {**ROW, "preference": "", "annotator": None})
    assert dict(counts.left_out) == {"not labelled yet": [2]}
    with pytest.raises(InvalidInput, match="annotator"):
        counted(tmp_path, ROW, {**ROW, "annotator": None})


def test_words_and_names_from_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "l.csv").write_text("prompt,response_a,response_b,preference\nWhy?,yes,no,1\nElse?,yes,no,Draw\n")
    words = Columns(choices={"1": Choice.A, "draw": Choice.TIE}, annotator="ann")
    assert [(one.preference, one.annotator) for one in Labels(tmp_path / "l.csv", columns=words)] == [
        (Choice.A, "ann"), (Choice.TIE, "ann"),
    ]  # fmt: skip
    line = [
        "import",
        str(tmp_path / "l.csv"),
        "--to",
        str(tmp_path / "s.jsonl"),
        "--choice",
        "1=a",
        "--choice",
        "Draw=tie",
    ]
    with pytest.raises(InvalidInput, match="say whose labels they are: --annotator NAME"):
        CliRunner().invoke(command, line, catch_exceptions=False)
    CliRunner().invoke(command, [*line, "--annotator", "ann"], catch_exceptions=False)
    assert len(read_store(tmp_path / "s.jsonl")) == 2
    for bad in ("1", "=a", "1=c", "1=a --choice 1=b"):
        result = CliRunner().invoke(command, ["import", "x", "--to", ".", *f"--choice {bad}".split()])
        assert isinstance(result.exception, UsageError)


def test_a_file_that_breaks_half_way_changes_nothing(tmp_path: Path) -> None:
    store = tmp_path / "labels.jsonl"
    add_labels(store, list(Labels(_file(tmp_path, ROW))))
    before = store.read_bytes()
    with pytest.raises(InvalidInput, match=r"l\.jsonl:2"):
        add_labels(store, Labels(_file(tmp_path, {**ROW, "annotator": "bob"}, {**ROW, "preference": "?"})))
    assert store.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def _file(folder: Path, *rows: dict[str, Any]) -> Path:
    path = folder / "l.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.mark.skipif(not DATA.is_dir(), reason="the recorded sets (../shared/data) are not here")
def test_the_recorded_sets_have_their_known_counts() -> None:
    hh = Labels(DATA / "hh-rlhf/harmless-base.test.jsonl.gz")
    labels = list(hh)
    assert (hh.counts.rows, hh.counts.several_turns) == (2312, 1650)
    assert {reason: len(places) for reason, places in hh.counts.left_out.items()} == {NO_SHARED_PREFIX: 5}
    assert len(labels) + 5 + hh.counts.empty + hh.counts.identical + hh.counts.duplicates == 2312
    pandalm = Labels(DATA / "pandalm/testset-v1.json.gz")
    list(pandalm)
    assert (pandalm.counts.rows, pandalm.counts.annotators) == (999, 3)
    assert pandalm.counts.labels + pandalm.counts.empty + pandalm.counts.identical == 3 * 999
    sets = sorted((DATA / "llmbar").rglob("dataset.json.gz"))
    assert sum(read_file(path).total for path in sets) == 419
    rbr = [read_file(DATA / f"safety-rbr/rbr_gold_{part}.jsonl.gz") for part in ("train", "test")]
    assert [(one.total, len(one.items)) for one in rbr] == [(351, 351), (167, 167)]


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_the_benchmark_imports_what_it_wrote(form: str, tmp_path: Path) -> None:
    path = tmp_path / f"l.{form}"
    write(path, 20)
    for again in (False, True):
        result = measure(path, tmp_path / "store.jsonl", 20, again=again)
        assert (result.rows, result.form, result.again) == (20, form, again)
        assert result.peak_mb > 1
