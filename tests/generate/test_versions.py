"""Which wording of a principle a label was made under: on each judgement and pair, and on the card where there are several."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pyarrow.parquet as pq

from constitution.load import load
from generate.context import Step
from generate.exporting import export_run
from generate.pipeline import ALL, Order, generate
from generate.supersede import attic_of
from tenet.config import load_config
from tenet.console import Console
from tenet.records import Judgement, PreferencePair
from tenet.runconfig import RunConfig
from tenet.runs import Run
from tests.generate.runs_example import write_run

EACH = "judge.principles=each"
OLD, NEW = ("kind", "tidy"), ("kind", "punctual")
SEVERAL = "Principles that this dataset has in several versions"


def carry_out(file: Path, runs: Path, *overrides: str, steps: frozenset[Step] = ALL, relabel: bool = False) -> Run:
    config = load_config(file, RunConfig, (EACH, *overrides))
    order = Order(config, runs / config.name, "tenet generate run.yaml", steps, relabel)
    return generate(order, Console(out=StringIO(), err=StringIO()))


def wordings(folder: Path) -> set[str]:
    """The versions of the principles file as it is now."""
    return {f"{one.id}@{one.compare_digest}" for one in load(str(folder / "principles.yaml")).principles}


def versions(run: Run, stage: str) -> set[str | None]:
    return {one.version for one in run.stage(stage, Judgement).records()}


def card(run: Run) -> str:
    return (run.path / "dataset" / "README.md").read_text(encoding="utf-8")


def test_relabelling_and_growth_leave_one_version(tmp_path: Path) -> None:
    file, runs = write_run(tmp_path, prompts=6, words=OLD, more="critique: none\n"), tmp_path / "runs"
    with carry_out(file, runs) as run:
        before = wordings(tmp_path)
        assert versions(run, Step.JUDGEMENTS) == before
        assert SEVERAL not in card(run)

    write_run(tmp_path, prompts=12, words=NEW, more="critique: none\n")
    with carry_out(file, runs, relabel=True) as run:
        now = wordings(tmp_path)
        assert len(before & now) == 1
        assert versions(run, Step.JUDGEMENTS) == now
        assert versions(run, attic_of(Step.JUDGEMENTS)) == before - now
        pairs = list(run.stage(Step.PAIRS, PreferencePair).records())
        assert len({pair.prompt_id for pair in pairs}) > 6, "the run has grown"
        assert all(set(pair.principle_versions) == now for pair in pairs)
        rows = pq.read_table(next((run.path / "dataset").rglob("train*.parquet"))).column("principle_versions")
        assert {version for row in rows.to_pylist() for version in row} == now
        assert SEVERAL not in card(run)


def test_a_dataset_of_several_versions_says_so_in_its_card(tmp_path: Path) -> None:
    more = "critique: none\nrevise: {rounds: 1}\n"
    file, runs = write_run(tmp_path, prompts=12, words=OLD, more=more), tmp_path / "runs"
    labelled = frozenset({Step.SAMPLES, Step.JUDGEMENTS, Step.PAIRS, Step.EXPORT})
    carry_out(file, runs, steps=labelled).close()
    old = load(str(tmp_path / "principles.yaml")).get("p1").compare_digest

    write_run(tmp_path, prompts=12, words=NEW, more=more)
    new = load(str(tmp_path / "principles.yaml")).get("p1").compare_digest
    with Run.read(runs / "run") as run:
        export_run(run, ["trl-preference"], run.path / "dataset")
        assert "Judged by an earlier version of 1 principle" in card(run)
        assert f"| `p1` | `{old}` |" in card(run)
        assert f"`{new}`" not in card(run)

    with carry_out(file, runs, steps=frozenset({Step.REVISIONS, Step.EXPORT})) as run:
        assert "Made from several versions of 1 principle" in card(run)
        assert SEVERAL in card(run)
        rows = {line.split("|")[2].strip(): line for line in card(run).splitlines() if line.startswith("| `p1` | `")}
        assert rows[f"`{old}`"].endswith("| no |")
        assert rows[f"`{new}`"].endswith("| yes |")
        assert "| `p0` | `" not in card(run), "what was not edited has one version"


def test_an_edit_of_another_question_is_no_new_version(tmp_path: Path) -> None:
    file, runs = write_run(tmp_path, prompts=4, words=OLD, more="critique: none\n"), tmp_path / "runs"
    carry_out(file, runs).close()
    principles = tmp_path / "principles.yaml"
    principles.write_text(principles.read_text() + "    critique: Is the response tidy?\n    weight: 2\n")
    with carry_out(file, runs, relabel=True) as run:
        assert versions(run, Step.JUDGEMENTS) == wordings(tmp_path)
        assert not list(run.stage(Step.PAIRS, PreferencePair).records()) or SEVERAL not in card(run)
