"""Blends of runs that the real pipeline made on the scripted engine: rows, manifests, nested shares, and what is refused."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from generate.blend.config import BlendConfig
from generate.blend.write import MANIFEST, blend_run, sweep_run
from generate.context import PREFERENCES, Step
from generate.pipeline import Order, generate
from judges.blending.people import PRIOR
from judges.humans.labels import with_id
from judges.humans.store import add_labels, read_store
from tenet.cli import cli
from tenet.config import load_config, make_config
from tenet.errors import InvalidInput, MissingInput, UsageError
from tenet.records import Choice, Label, Preference, PreferencePair, Prompt, Sample
from tenet.runconfig import RunConfig
from tenet.runs import Run
from tests.generate.labelling_run import make_run
from tests.generate.runs_example import quiet, write_run

PROMPTS = 80
LABELLED = 60


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 80 judged pairs without labels."""
    return make_run(tmp_path_factory.mktemp("blend"), PROMPTS)


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with labels of two people on 60 of the pairs, who agree with the judge in seven of ten; drawn with a chance of 3/4."""
    path = make_run(tmp_path_factory.mktemp("labelled"), PROMPTS)
    with Run.read(path) as run:
        prompts = {one.id: one for one in run.stage(Step.PROMPTS, Prompt).records()}
        texts = {one.id: one.text for one in run.stage(Step.SAMPLES, Sample).records()}
        told = list(run.stage(PREFERENCES, Preference).records())[:LABELLED]
    rng, labels = random.Random(5), []
    for one in told:
        for name in ("ann", "bob"):
            a = (one.p_a > 0.5) is (rng.random() < 0.7)
            said = Choice.A if a else Choice.B
            prompt = prompts[one.prompt_id].messages
            labels.append(
                with_id(Label("", prompt, texts[one.a_id], texts[one.b_id], said, name, inclusion_probability=0.75))
            )
    add_labels(path / "labels.jsonl", labels)
    return path


def config(**values: Any) -> BlendConfig:
    return make_config(values, BlendConfig)


def rows(folder: Path) -> dict[str, Mapping[str, Any]]:
    """All rows of a dataset by pair."""
    found = [row for file in sorted(folder.rglob("*.parquet")) for row in pq.read_table(file).to_pylist()]
    return {row["pair_id"]: row for row in found}


def test_without_labels_a_blend_is_the_runs_own_dataset(made: Path, tmp_path: Path) -> None:
    found = blend_run(made, config(strategy="human-first"), tmp_path / "out")
    assert rows(tmp_path / "out") == rows(made / "dataset")
    assert "no labels" in " ".join(found.warnings)


def test_human_first_keeps_the_judge_where_nobody_has_labelled(labelled: Path, tmp_path: Path) -> None:
    blend_run(labelled, config(strategy="human-first", keep_ties=True), tmp_path / "out")
    before, after = rows(labelled / "dataset"), rows(tmp_path / "out")
    assert before.keys() == after.keys()
    sources = [row["source"] for row in after.values()]
    assert (sources.count("human"), sources.count("ai")) == (LABELLED, PROMPTS - LABELLED)
    for name, row in after.items():
        assert row["p_chosen"] >= 0.5
        assert row["weight"] == 1.0, "reliability moves p and only p"
        if row["source"] == "ai":
            assert row == before[name]
        if row["chosen_id"] != before[name]["chosen_id"]:
            assert row["chosen"] == before[name]["rejected"]
            assert row["score_chosen"] == before[name]["score_rejected"]
            assert row["judge_margin"] == pytest.approx(-before[name]["judge_margin"])


def test_shares_are_nested_and_their_ends_are_the_pure_sources(labelled: Path, tmp_path: Path) -> None:
    sweep_run(labelled, config(strategy="fraction", share=0.5, seed=3), tmp_path)
    names = [f"human-{share:03d}" for share in (0, 25, 50, 75, 100)]
    made = {name: rows(tmp_path / name) for name in names}
    people = [{one for one, row in made[name].items() if row["source"] == "human"} for name in names]
    assert all(made[name].keys() == made[names[0]].keys() for name in names), "the same pairs in all"
    for smaller, larger in pairwise(people):
        assert smaller < larger
    total = len(made[names[0]])
    assert [len(one) for one in people] == [round(share * total) for share in (0, 0.25, 0.5, 0.75, 1)]
    own = rows(labelled / "dataset")
    assert all(own[name] == row for name, row in made["human-000"].items())
    blend_run(labelled, config(strategy="human-first"), tmp_path / "first")
    first = rows(tmp_path / "first")
    assert all(first[name] == row for name, row in made["human-100"].items())
    for name, row in made["human-050"].items():
        assert row == made["human-100" if name in people[2] else "human-000"][name]


def test_the_same_inputs_give_the_same_bytes_and_another_seed_another_draw(labelled: Path, tmp_path: Path) -> None:
    for name, seed in (("one", 0), ("two", 0), ("other", 1)):
        blend_run(labelled, config(strategy="fraction", share=0.5, seed=seed), tmp_path / name)
    one, two, other = ((tmp_path / name / MANIFEST).read_bytes() for name in ("one", "two", "other"))
    assert one == two != other
    for file in (tmp_path / "one").rglob("*"):
        if file.is_file():
            assert file.read_bytes() == (tmp_path / "two" / file.relative_to(tmp_path / "one")).read_bytes()


@pytest.mark.parametrize(
    "values",
    [
        {"strategy": "weighted"},
        {"strategy": "routed", "min_agreement": 0.5},
        {"strategy": "human-first", "conflicts": "drop"},
        {"strategy": "by-axis", "axes": [{"tags": ["harmful"], "source": "ai"}], "otherwise": "human"},
    ],
)
def test_every_pair_is_a_row_or_counted_as_left_out(labelled: Path, tmp_path: Path, values: dict[str, Any]) -> None:
    found = blend_run(labelled, config(**values), tmp_path / "out")
    held = json.loads((tmp_path / "out" / MANIFEST).read_text())
    assert held["rows"] == len(rows(tmp_path / "out")) == sum(one["rows"] for one in held["sources"].values())
    assert held["rows"] + sum(held["dropped"].values()) == held["pairs"] == PROMPTS
    assert held["labels"]["read"] == 2 * LABELLED
    assert set(held["people"]) == {"ann", "bob"}
    assert held == found.manifest


def test_axes_send_each_pair_where_its_tag_says(labelled: Path, tmp_path: Path) -> None:
    values = {"strategy": "by-axis", "axes": [{"tags": ["harmful"], "source": "ai"}], "otherwise": "human"}
    blend_run(labelled, config(**values), tmp_path / "out")
    with Run.read(labelled) as run:
        harmful = {one.id for one in run.stage(Step.PROMPTS, Prompt).records() if "harmful" in one.tags}
    found = rows(tmp_path / "out").values()
    assert {row["source"] for row in found} == {"ai", "human"}
    for row in found:
        assert row["source"] == ("ai" if row["prompt_id"] in harmful else "human")
        assert row["weight"] == pytest.approx(1.0 if row["source"] == "ai" else 4 / 3), "they stand for the unlabelled"


def test_the_labelled_pairs_of_a_prompt_stand_for_all_of_them(tmp_path: Path) -> None:
    """Of the three pairs of each prompt one is drawn and labelled: it weighs what the three together would, which is 1."""
    file = write_run(tmp_path, prompts=12, more="critique: none\npairs: {select: all}\n")
    with generate(
        Order(load_config(file, RunConfig), tmp_path / "runs/run", "tenet generate run.yaml"), quiet()
    ) as run:
        prompts = {one.id: one for one in run.stage(Step.PROMPTS, Prompt).records()}
        texts = {one.id: one.text for one in run.stage(Step.SAMPLES, Sample).records()}
        pairs = list(run.stage(Step.PAIRS, PreferencePair).records())
    first = {pair.prompt_id: pair for pair in pairs}
    counts = Counter(pair.prompt_id for pair in pairs)
    assert max(counts.values()) == 3
    labels = [
        Label("", prompts[one.prompt_id].messages, texts[one.chosen_id], texts[one.rejected_id], Choice.A, "ann")
        for one in first.values()
    ]
    chance = 1 / 3
    add_labels(run.path / "labels.jsonl", [with_id(replace(one, inclusion_probability=chance)) for one in labels])
    axes = [{"principles": ["p0", "p1"], "source": "human"}]
    blend_run(run.path, config(strategy="by-axis", axes=axes), tmp_path / "out")
    found = rows(tmp_path / "out")
    assert found.keys() == {pair.id for pair in first.values()}
    for row in found.values():
        assert row["weight"] == pytest.approx(3 / counts[row["prompt_id"]])
        assert row["p_chosen"] == pytest.approx(PRIOR, abs=1e-4)


def test_a_folder_of_something_else_is_left_alone(labelled: Path, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("mine")
    with pytest.raises(UsageError, match="something else"):
        blend_run(labelled, config(strategy="weighted"), tmp_path)
    assert (tmp_path / "README.md").read_text() == "mine"
    for strategy in ("weighted", "human-first"):
        blend_run(labelled, config(strategy=strategy), tmp_path / "out")
    assert json.loads((tmp_path / "out" / MANIFEST).read_text())["config"]["strategy"] == "human-first"


def test_labels_of_a_file_and_duplicates_count_once(labelled: Path, tmp_path: Path) -> None:
    twice = [*read_store(labelled / "labels.jsonl")]
    add_labels(tmp_path / "labels.jsonl", twice)
    for name, labels in (("own", None), ("file", str(tmp_path / "labels.jsonl"))):
        blend_run(labelled, config(strategy="weighted", labels=labels), tmp_path / name)
    assert (tmp_path / "own" / MANIFEST).read_bytes() == (tmp_path / "file" / MANIFEST).read_bytes()


def run_command(*words: str) -> Result:
    return CliRunner().invoke(cli, ["blend", *words])


def test_the_command_prints_sources_and_json(labelled: Path, tmp_path: Path) -> None:
    file = tmp_path / "blend.yaml"
    file.write_text("strategy: routed\nmin_agreement: 0.5\nconflicts: pool\n")
    out = str(tmp_path / "out")
    done = run_command(str(labelled), "--config", str(file), "--out", out)
    assert done.exit_code == 0, done.output
    assert "conflicts" in done.stdout
    told = run_command(str(labelled), "--config", str(file), "--out", out, "--json")
    assert json.loads(told.stdout)["config"]["conflicts"] == "pool"
    swept = run_command(str(labelled), "--sweep", "--out", str(tmp_path / "sweep"), "--json")
    assert [one["config"]["share"] for one in json.loads(swept.stdout)] == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert (tmp_path / "sweep" / "sweep.json").is_file()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("strategy: routed\n", "min_agreement"),
        ("strategy: weighted\nmin_agreement: 0.8\n", "blend.yaml:2"),
        ("strategy: by-axis\naxes: [{source: human}]\n", "holds no pair"),
        ("strategy: rooted\n", "routed"),
        ("strategy: fraction\nshare: 1.5\n", "blend.yaml:2"),
        ("strategy: weighted\nconflicts: drop\n", "no conflicts"),
        ("strategy: weighted\nlabel: x\n", "labels"),
        ("strategy: weighted\nlabels: gone.jsonl\n", "gone.jsonl"),
    ],
)
def test_a_configuration_that_contradicts_itself_is_refused_with_its_line(
    labelled: Path, tmp_path: Path, text: str, says: str
) -> None:
    file = tmp_path / "blend.yaml"
    file.write_text(text)
    done = run_command(str(labelled), "--config", str(file))
    assert done.exit_code in (2, 3)
    assert says in done.output


def test_what_cannot_be_blended_is_said(made: Path, labelled: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="needs labels"):
        blend_run(made, config(strategy="weighted"), tmp_path / "out")
    with pytest.raises(UsageError, match="leaves no pair"):
        blend_run(labelled, config(strategy="by-axis", axes=[{"tags": ["no-such"], "source": "ai"}]), tmp_path / "out")
    with pytest.raises(MissingInput):
        blend_run(tmp_path / "nowhere", config(strategy="weighted"))
    strange = with_id(Label("", next(iter(read_store(labelled / "labels.jsonl"))).prompt, "x", "y", Choice.A, "ann"))
    add_labels(tmp_path / "strange.jsonl", [strange])
    with pytest.raises(UsageError, match="none of 1 labels"):
        blend_run(labelled, config(strategy="weighted", labels=str(tmp_path / "strange.jsonl")), tmp_path / "out")
    (tmp_path / "broken.jsonl").write_text('{"prompt": "x"}\n')
    with pytest.raises(InvalidInput, match=r"broken\.jsonl"):
        blend_run(labelled, config(strategy="weighted", labels=str(tmp_path / "broken.jsonl")), tmp_path / "out")
    assert not (tmp_path / "out").exists(), "nothing is written before all is known"
