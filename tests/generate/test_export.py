"""What the exporters write: rows, columns, splits, bytes; and that `datasets` opens it."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from generate.export import EXPORTERS, ExportSource, PairRow, as_sample, export_dataset, split_of
from generate.export.columns import FORBIDDEN, Column, Kind
from generate.export.exporter import Exporter
from generate.export.nemo import EVEN
from generate.export.preference import IDENTICAL
from generate.export.sft import FAILED, NO_WINNER
from generate.export.unpaired import UNDECIDED
from tenet.errors import StorageFailed, UsageError
from tenet.records import Finish
from tests.generate.export_example import critique, pair, prompt, revision, revisions, rows, sample, source

DESIGN = [
    "prompt", "chosen", "rejected", "p_chosen", "weight", "score_chosen", "score_rejected", "judge_margin", "source",
    "prompt_id", "pair_id", "chosen_id", "rejected_id", "principles", "principle_versions", "flipped", "policy_chosen", "policy_rejected",
]  # fmt: skip


def written(name: str, data: ExportSource) -> tuple[list[Any], Counter[str]]:
    left_out: Counter[str] = Counter()
    return list(EXPORTERS[name].rows(data, left_out)), left_out


def columns(name: str, data: ExportSource) -> list[str]:
    return [column.name for column in EXPORTERS[name].columns(data)]


def test_a_preference_row_says_all_that_the_design_asks_for() -> None:
    (row,), left_out = written("trl-preference", source(rows(1)))
    assert list(row) == columns("trl-preference", source(rows(1))) == DESIGN
    assert row["prompt"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Tell me about the kite, part 0."},
    ]
    assert row["chosen"] == [{"role": "assistant", "content": "Gladly! The kite is fine, and so is number 0."}]
    assert row["rejected"] == [{"role": "assistant", "content": "No. Ask someone else about 0."}]
    assert (row["p_chosen"], row["weight"], row["judge_margin"]) == (0.55, 1.0, 0.2)
    assert (row["policy_chosen"], row["policy_rejected"], row["flipped"], row["principles"]) == (
        "policy",
        "other",
        True,
        ["kind"],
    )
    assert not left_out


def test_critiques_have_columns_only_where_there_are_critiques() -> None:
    data = source(rows(1, critiques=True), critiques=True)
    (row,), _ = written("trl-preference", data)
    assert columns("trl-preference", data)[-2:] == ["critique_chosen", "critique_rejected"]
    assert (row["critique_chosen"], row["critique_rejected"]) == ("It is kind.", "It is not kind.")


def test_several_critiques_of_one_response_name_their_principles() -> None:
    (one,) = rows(1, critiques=True)
    more = replace(one, critiques=(*one.critiques, critique(one.prompt, one.chosen, "It is short.", "brief")))
    assert more.critique_of(one.chosen.id) == "kind: It is kind.\n\nbrief: It is short."
    assert more.critique_of("nobody") is None


def test_reward_rows_are_whole_conversations_without_a_prompt_column() -> None:
    (row,), _ = written("reward", source(rows(1)))
    assert "prompt" not in row
    assert [turn["role"] for turn in row["chosen"]] == ["system", "user", "assistant"]
    assert row["chosen"][:2] == row["rejected"][:2]


def test_equal_texts_are_never_exported() -> None:
    (one,) = rows(1)
    same = replace(one, rejected=replace(one.rejected, text=one.chosen.text))
    for name in EXPORTERS:
        made, left_out = written(name, source([same]))
        assert made == []
        assert left_out[IDENTICAL] == 1


def test_unpaired_rows_by_hand() -> None:
    one = prompt(1)
    a, b, c = (sample(one, index, text) for index, text in enumerate("abc"))
    told = [
        PairRow(one, pair(one, a, b, 0.9, 1.0, 0.5), a, b),
        PairRow(one, pair(one, b, c, 0.8, 0.0, 1.0), b, c),
        PairRow(one, pair(one, a, c, 0.8, 1.0, 0.5), a, c),
    ]
    made, _ = written("trl-unpaired", source(told))
    by_text = {row["completion"][0]["content"]: row for row in made}
    assert by_text["a"]["p_good"] == pytest.approx((0.9 * 0.5 + 0.8 * 0.5) / 1.0)
    assert by_text["b"]["p_good"] == pytest.approx((0.1 * 0.5 + 0.8 * 1.0) / 1.5)
    assert by_text["c"]["p_good"] == pytest.approx((0.2 * 1.0 + 0.2 * 0.5) / 1.5)
    assert [by_text[text]["label"] for text in "abc"] == [True, True, False]
    assert by_text["b"]["weight"] == pytest.approx(1.5)
    assert [row["completion"][0]["content"] for row in made] == ["a", "b", "c"], "the better ones first"


def test_nemo_rl_rows_rank_the_better_response_0() -> None:
    """The shape that NeMo-RL's `PreferenceDataset` reads, and no even pairs: it refuses ties."""
    first, second = rows(2)
    even = replace(second, pair=replace(second.pair, p_chosen=0.5))
    (row,), left_out = written("nemo-rl", source([first, even]))
    assert row["context"] == [{"role": one.role, "content": one.content} for one in first.prompt.messages]
    assert row["completions"] == [
        {"rank": 0, "completion": [{"role": "assistant", "content": first.chosen.text}]},
        {"rank": 1, "completion": [{"role": "assistant", "content": first.rejected.text}]},
    ]
    assert row["p_chosen"] == first.pair.p_chosen
    assert left_out == {EVEN: 1}


def test_nemo_rl_reads_what_is_written(tmp_path: Path) -> None:
    """As it opens a folder: by `load_dataset(path)` and a split."""
    from datasets import load_dataset

    export_dataset(source(rows(20), share=0.2), ["nemo-rl"], tmp_path)
    found = load_dataset(str(tmp_path / "nemo-rl"), cache_dir=str(tmp_path / "cache"))["train"]
    for row in found:
        chosen, rejected = sorted(row["completions"], key=lambda one: one["rank"])
        assert (chosen["rank"], rejected["rank"]) == (0, 1)
        assert [turn["role"] for turn in row["context"] + chosen["completion"]][-2:] == ["user", "assistant"]


def test_ties_have_no_thumb() -> None:
    (one,) = rows(1)
    made, left_out = written("trl-unpaired", source([replace(one, pair=replace(one.pair, p_chosen=0.5))]))
    assert made == []
    assert left_out[UNDECIDED] == 2


def test_sft_takes_the_best_winner_of_a_prompt() -> None:
    one = prompt(1)
    a, b, c = (sample(one, index, text) for index, text in enumerate("abc"))
    told = [PairRow(one, pair(one, b, c, 0.9, 0.5), b, c), PairRow(one, pair(one, a, c, 0.7, 0.8), a, c)]
    tied = prompt(2)
    d, e = sample(tied, 0, "d"), sample(tied, 1, "e")
    made, left_out = written("sft", source([*told, PairRow(tied, pair(tied, d, e, 0.5, 0.0), d, e)]))
    assert [(row["completion"][0]["content"], row["source"]) for row in made] == [("a", "winner")]
    assert left_out[NO_WINNER] == 1


def test_sft_leaves_out_revisions_that_are_cut_off_unchanged_or_worse() -> None:
    one, row = prompt(3), type(revisions(1)[0])
    original = sample(one, 1, "No.")
    good = revision(one, original.id, 1, "Yes.")
    cut = revision(one, original.id, 1, "Ye", Finish.LENGTH)
    for told, reason in (
        (row(one, original, cut, kept=False), "samples whose revisions were cut off at the token limit"),
        (row(one, original, good, kept=False), "samples whose revisions say what the original says"),
        (row(one, original, good, 0.4), "samples whose revision the judge finds worse than the original"),
    ):
        made, left_out = written("sft", source([], [told]))
        assert (made, left_out) == ([], {reason: 1})
    made, left_out = written("sft", source([], [row(one, original, good, 0.5)]))
    assert len(made) == 1
    assert not left_out


def test_sft_takes_the_last_good_round_of_a_revision() -> None:
    made, _ = written("sft", source(rows(2), revisions(2)))
    assert [row["completion"][0]["content"] for row in made] == [
        f"Yes, gladly, in round 2 of number {i}." for i in (0, 1)
    ]
    assert {row["source"] for row in made} == {"revision"}
    one, original = prompt(1), sample(prompt(1), 1, "No.")
    good = revision(one, original.id, 1, "Yes.")
    failed = revision(one, good.id, 2, "", Finish.ERROR)
    told = [type(revisions(1)[0])(one, original, each) for each in (good, failed)]
    made, _ = written("sft", source(rows(1), told))
    assert [row["completion"][0]["content"] for row in made] == ["Yes."]
    made, left_out = written("sft", source(rows(1), told[1:]))
    assert (made, left_out[FAILED]) == ([], 1)
    assert as_sample(failed).usable is False
    assert as_sample(good).policy == "reviser"


def test_the_split_follows_from_the_prompt_alone() -> None:
    ids = [prompt(number).id for number in range(2000)]
    share = sum(split_of(one) == "test" for one in ids) / len(ids)
    assert 0.03 < share < 0.07
    wider = {one for one in ids if split_of(one, 0.2) == "test"}
    assert {one for one in ids if split_of(one, 0.05) == "test"} <= wider
    assert {split_of(one, 0.0) for one in ids} == {"train"}
    assert {split_of(one, 1.0) for one in ids} == {"test"}


@pytest.mark.parametrize("name", list(EXPORTERS))
def test_datasets_opens_every_format(tmp_path: Path, name: str) -> None:
    from datasets import load_dataset

    data = source(rows(60, critiques=True), revisions(60), critiques=True, share=0.2)
    (report,) = export_dataset(data, [name], tmp_path)
    found = load_dataset(str(tmp_path / name), cache_dir=str(tmp_path / "cache"))
    assert {split: len(found[split]) for split in found} == dict(report.splits)
    assert set(report.splits) == {"train", "test"}
    assert found["train"].column_names == [column.name for column in report.columns]
    assert found["train"].column_names[-1] == "split"
    assert set(found["train"]["split"]) == {"train"}
    assert not set(found["train"]["prompt_id"]) & set(found["test"]["prompt_id"])
    assert not set(found["train"].column_names) & FORBIDDEN
    direct = load_dataset(
        "parquet", data_files=str(tmp_path / name / "train-*.parquet"), cache_dir=str(tmp_path / "cache")
    )
    assert len(direct["train"]) == report.splits["train"]


def test_equal_sources_give_equal_bytes(tmp_path: Path) -> None:
    names = list(EXPORTERS)
    first, second = (export_dataset(source(rows(40)), names, tmp_path / side) for side in "ab")
    assert [file for report in first for file in report.files] == [file for report in second for file in report.files]
    entry = first[0].files[0]
    assert hashlib.sha256((tmp_path / "a" / entry.name).read_bytes()).hexdigest() == entry.sha256


def test_order_and_values_survive_many_groups(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    export_dataset(source(rows(3000), share=0.0), ["trl-preference"], tmp_path)
    table = pq.read_table(tmp_path / "trl-preference" / "train-00000.parquet")
    assert table["pair_id"].to_pylist() == [row.pair.id for row in rows(3000)]
    assert table["p_chosen"].to_pylist() == [row.pair.p_chosen for row in rows(3000)]
    assert json.loads(table.schema.metadata[b"tenet"])["principles"]["name"] == "kind"


def test_large_exports_are_several_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("generate.export.writer.GROUP", 10)
    monkeypatch.setattr("generate.export.writer.PER_FILE", 20)
    (report,) = export_dataset(source(rows(50), share=0.0), ["sft"], tmp_path)
    assert [(file.name, file.rows) for file in report.files] == [
        ("sft/train-00000.parquet", 20),
        ("sft/train-00001.parquet", 20),
        ("sft/train-00002.parquet", 10),
    ]


def test_an_empty_dataset_loads_and_is_empty(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    (report,) = export_dataset(source([]), ["trl-preference"], tmp_path)
    assert report.rows == 0
    table = pq.read_table(tmp_path / "trl-preference" / "train-00000.parquet")
    assert (table.num_rows, table.column_names) == (0, [*DESIGN, "split"])


def test_a_new_export_replaces_the_old_one_as_a_whole(tmp_path: Path) -> None:
    export_dataset(source(rows(60), share=0.5), ["sft"], tmp_path)
    assert (tmp_path / "sft" / "test-00000.parquet").exists()
    (tmp_path / ".sft.999.new").mkdir()
    export_dataset(source(rows(5), share=0.0), ["sft"], tmp_path)
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")) == [
        "sft",
        "sft/train-00000.parquet",
    ]


def test_an_export_that_fails_leaves_the_old_one(tmp_path: Path) -> None:
    export_dataset(source(rows(5), share=0.0), ["sft"], tmp_path)
    before = (tmp_path / "sft" / "train-00000.parquet").read_bytes()
    (bad,) = rows(1)
    broken = [*rows(5), replace(bad, prompt=replace(bad.prompt, messages=(3,)))]  # type: ignore[arg-type]
    with pytest.raises(AttributeError):
        export_dataset(source(broken), ["sft"], tmp_path)
    assert (tmp_path / "sft" / "train-00000.parquet").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["sft"]


def test_a_disk_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "dataset").write_text("a file where the folder should be")
    with pytest.raises(StorageFailed, match="dataset"):
        export_dataset(source(rows(1)), ["sft"], tmp_path / "dataset")


def test_unknown_formats_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match='did you mean "trl-preference"') as caught:
        export_dataset(source(rows(1)), ["sft", "trl-preferences"], tmp_path)
    assert "the formats are trl-preference, trl-unpaired, reward, sft, nemo-rl" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_no_column_may_change_what_trainers_do() -> None:
    with pytest.raises(ValueError, match="margin"):
        Column("margin", Kind.NUMBER, "")


def test_the_registry_holds_exporters_under_their_names() -> None:
    def is_exporter(exporter: Exporter) -> str:
        return exporter.name

    assert {name: is_exporter(exporter) for name, exporter in EXPORTERS.items()} == {name: name for name in EXPORTERS}
