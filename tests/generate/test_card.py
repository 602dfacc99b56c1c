"""The dataset card: valid at its head, true in its figures, harmless in its text, and the way by which the data loads."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from generate.export import ExportReport, export_dataset
from generate.export.card import body, write_card
from generate.export.frontmatter import size_category
from generate.export.markdown import code, inline
from tenet.licence import licence_of
from tests.generate.export_example import revisions, rows, source
from tests.generate.report_example import example_data

PROVENANCE = {"judge": {"model": "judge: with a colon"}, "seed": 0}


def exported(folder: Path, count: int = 60) -> tuple[ExportReport, ...]:
    data = source(rows(count), revisions(count), share=0.2)
    return export_dataset(data, ["trl-preference", "sft"], folder)


def test_the_hub_reads_the_head(tmp_path: Path) -> None:
    from huggingface_hub import DatasetCard

    path = write_card(tmp_path, example_data(), exported(tmp_path), PROVENANCE)
    head = DatasetCard(path.read_text()).data.to_dict()
    assert head["pretty_name"] == example_data().name
    assert "license" not in head, "a licence is not ours to choose"
    assert head["size_categories"] == ["n<1K"]
    assert head["tenet"]["judge"]["model"] == "judge: with a colon"
    assert [entry["config_name"] for entry in head["configs"]] == ["trl-preference", "sft"]
    assert head["configs"][0]["default"] is True


def test_datasets_loads_the_folder_by_its_card(tmp_path: Path) -> None:
    from datasets import get_dataset_config_names, load_dataset

    reports = exported(tmp_path)
    write_card(tmp_path, example_data(), reports, PROVENANCE)
    assert get_dataset_config_names(str(tmp_path)) == ["trl-preference", "sft"]
    default = load_dataset(str(tmp_path), cache_dir=str(tmp_path / "cache"))
    assert {split: len(default[split]) for split in default} == dict(reports[0].splits)
    sft = load_dataset(str(tmp_path), "sft", split="train", cache_dir=str(tmp_path / "cache"))
    assert len(sft) == reports[1].splits["train"]


def test_figures_are_those_of_the_run_and_of_the_files(tmp_path: Path) -> None:
    data, reports = example_data(), exported(tmp_path)
    text = body(data, reports)
    assert f"train {reports[0].splits['train']:,}" in text
    for step in data.funnel:
        assert f"{step.count:,} {inline(step.unit)}" in text
    for row in data.principles:
        assert inline(row.text) in text
    for name, count in data.outcomes.items():
        assert f"| `{name}` | {count:,} |" in text
    assert data.margins is not None
    tabled = [line for line in text.splitlines() if re.match(r"\| 0\.\d+ to ", line)]
    assert len(tabled) == 10
    counts = [int(line.split("|")[2].replace(",", "")) for line in tabled]
    assert sum(counts) == data.margins.certainty.total
    assert data.positions is not None
    assert f"{data.positions.flips:,} flipped" in text
    for report in reports:
        for column in report.columns:
            assert f"| `{column.name}` | {column.kind} | {column.meaning} |" in text
        for file in report.files:
            assert file.sha256 in text
    assert "`margin`" in text


def test_unvalidated_unless_people_were_asked(tmp_path: Path) -> None:
    reports = exported(tmp_path)
    assert "**Unvalidated: no human anchors.**" in body(example_data(), reports)
    told = body(example_data(), reports, anchors="Agrees with people on 81 % of 400 anchors.")
    assert "Unvalidated" not in told
    assert "Agrees with people on 81 % of 400 anchors." in told


def test_pocket_models_come_with_a_warning(tmp_path: Path) -> None:
    reports = exported(tmp_path)
    assert "pocket models" not in body(replace(example_data(), notices=()), reports)
    assert "do not train a model for people on it" in body(example_data(), reports, pocket=True)


def test_what_exporters_left_out_is_told(tmp_path: Path) -> None:
    one = rows(1)[0]
    same = replace(one, rejected=replace(one.rejected, text=one.chosen.text))
    reports = export_dataset(source([same, *rows(3)]), ["trl-preference"], tmp_path)
    assert "1 pairs of identical texts" in body(example_data(), reports)


def test_a_chosen_licence_is_kept(tmp_path: Path) -> None:
    reports = exported(tmp_path)
    path = write_card(tmp_path, example_data(), reports, PROVENANCE)
    first = path.read_text()
    head, rest = first.split("\n", 2)[1:]
    assert head.startswith("# license:")
    path.write_text("---\nlicense: cc-by-4.0\n" + rest)
    assert licence_of(path) == "cc-by-4.0"
    again = write_card(tmp_path, example_data(), reports, PROVENANCE).read_text()
    assert again.startswith("---\nlicense: cc-by-4.0\n")
    assert again.split("\n", 2)[2] == rest
    assert licence_of(tmp_path / "none.md") is None


def test_text_from_outside_cannot_become_mark_up(tmp_path: Path) -> None:
    evil = "a | b\n# Title <script>alert(1)</script> [x](javascript:1) `code`"
    assert inline(evil) == "a \\| b \\# Title \\<script\\>alert(1)\\</script\\> \\[x\\](javascript:1) \\`code\\`"
    assert code("a`b|c") == "`a'b¦c`"
    data = replace(example_data(), name=evil, principles_name="x\n---\nlicense: mit")
    text = write_card(tmp_path, data, exported(tmp_path), {"name": evil}).read_text()
    assert "<script>" not in text.split("\n---\n", 1)[1]
    assert licence_of(tmp_path / "README.md") is None


def test_equal_runs_have_equal_cards(tmp_path: Path) -> None:
    reports = exported(tmp_path)
    later = replace(example_data(), created="2031-01-01T00:00:00Z")
    assert body(example_data(), reports) == body(later, reports)


def test_sizes_are_named_as_the_hub_names_them() -> None:
    names = [size_category(rows) for rows in (0, 999, 1000, 99_999, 100_000, 10**7)]
    assert names == ["n<1K", "n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M", "n>1M"]
