"""Edited principles: which steps make them the run's, what is refused until it is asked for, and the copy that the run keeps."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from constitution.load import load
from generate.context import PREFERENCES, Step
from generate.judged_by import FOLDER, judged_by
from generate.pipeline import ALL, Order, generate
from generate.report.data import gather
from tenet.errors import UsageError
from tenet.ids import Json
from tenet.records import Judgement, Preference, Revision
from tenet.runs import Run
from tests.generate.runs_example import dataset_digest, make_order, quiet, write_principles, write_rows

PAIRS = frozenset({Step.PAIRS, Step.CRITIQUES, Step.EXPORT})
REVISE = frozenset({Step.REVISIONS, Step.EXPORT})
WORDS = ("kind", "tidy", "brief")
Make = Callable[..., Order]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    write_principles(tmp_path / "principles.yaml", WORDS)

    def order(
        steps: frozenset[Step] = ALL, *, relabel: bool = False, name: str = "run", mode: str = "each", **keys: Json
    ) -> Order:
        values: dict[str, Json] = {
            "prompts": {"path": write_rows(tmp_path / "prompts.jsonl", [{"prompt": f"Question {n}?"} for n in range(10)])},
            "policy": {"engine": "scripted", "model": "hash", "samples": 3},
            "judge": {
                "engine": "scripted", "model": "longer", "principles": mode,
                "options": {"noise": 3.0, "log": str(tmp_path / "asked.log")},
            },
            "critique": "none", **keys,
        }  # fmt: skip
        found = make_order(tmp_path, name, values, steps=steps, relabel=relabel)
        return Order(
            found.config, found.folder, f"tenet {'pairs' if steps is PAIRS else 'generate'} run.yaml", steps, relabel
        )

    return order


def edit(folder: Path, old: str, new: str) -> None:
    path = folder / "principles.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def asked(folder: Path) -> int:
    log = folder / "asked.log"
    return log.read_text().count("\n") if log.exists() else 0


def told(folder: Path) -> str:
    with Run.read(folder) as run:
        return str(run.fingerprint.growth["principles"])


def test_choosing_pairs_does_not_take_a_reworded_principle_on(make: Make, tmp_path: Path) -> None:
    run = make().folder
    generate(make(), quiet()).close()
    held, questions = (run / "run.json").read_text(), asked(tmp_path)
    edit(tmp_path, "is tidy", "is neat")
    for relabel in (False, True):  # it judges nothing, so leave to relabel does not help
        with pytest.raises(UsageError, match=r"60 of 180 judgements would be asked anew") as refused:
            generate(make(PAIRS, relabel=relabel), quiet())
        assert refused.value.hint.startswith("go on with: tenet generate run.yaml --relabel ")
    with pytest.raises(UsageError, match="60 of 180"):
        generate(make(), quiet())
    assert ((run / "run.json").read_text(), asked(tmp_path)) == (held, questions)
    generate(make(relabel=True), quiet()).close()
    assert asked(tmp_path) > questions
    generate(make(PAIRS), quiet()).close()


@pytest.mark.parametrize("steps", [PAIRS, ALL], ids=["pairs", "generate"])
def test_what_asks_nothing_is_taken_on_and_derived_anew(make: Make, tmp_path: Path, steps: frozenset[Step]) -> None:
    with generate(make(), quiet()) as run:
        before = list(run.stage(PREFERENCES, Preference).records())
    questions = asked(tmp_path)
    edit(tmp_path, "is tidy.", "is tidy.\n    weight: 9")
    edit(tmp_path, "is brief.", "is brief.\n    tier: rule")
    with generate(make(steps), quiet()) as run:
        assert run.fingerprint.growth["principles"] == load(str(tmp_path / "principles.yaml")).digest
        assert list(run.stage(PREFERENCES, Preference).records()) != before
    generate(make(), quiet()).close()
    assert asked(tmp_path) == questions
    generate(make(name="fresh"), quiet()).close()
    assert dataset_digest(tmp_path / "runs/run", "*.parquet") == dataset_digest(tmp_path / "runs/fresh", "*.parquet")


@pytest.mark.parametrize(
    ("old", "new", "mode"),
    [
        ("is brief.\n", "is brief.\n  - id: new\n    text: The response is calm.\n", "each"),
        ("  - id: p2\n    text: The response is brief.\n", "", "each"),
        ("is tidy.", "is tidy.\n    weight: 9", "sampled"),
        ("is tidy.", "is tidy.\n    tier: rule", "whole"),
        ("is tidy.", "is tidy.\n    applies_when: {pattern: Question 1}", "each"),
    ],
    ids=["added", "removed", "draws moved", "the judge reads of rules", "condition"],
)
def test_what_moves_a_question_is_refused(make: Make, tmp_path: Path, old: str, new: str, mode: str) -> None:
    generate(make(mode=mode), quiet()).close()
    edit(tmp_path, old, new)
    for steps in (PAIRS, ALL):
        with pytest.raises(UsageError, match="has changed since"):
            generate(make(steps, mode=mode), quiet())


def test_revisions_use_the_new_file_and_leave_the_run_to_the_old_one(make: Make, tmp_path: Path) -> None:
    keys: dict[str, Json] = {"revise": {"rounds": 1}}
    order = make(ALL - {Step.REVISIONS}, **keys)
    generate(order, quiet()).close()
    before = told(order.folder)
    edit(tmp_path, "is tidy", "is neat")
    for steps in (REVISE, frozenset({Step.SAMPLES})):
        generate(make(steps, **keys), quiet()).close()
        assert told(order.folder) == before
    with Run.read(order.folder) as run:
        assert {one.principle for one in run.stage("revisions-1", Revision).records()} <= {"p0", "p1", "p2"}
        assert run.manifest.stages["revisions-1"]
        assert all("principles" not in str(entry["changes"]) for entry in run.history)
    with pytest.raises(UsageError, match="60 of 180 judgements would be asked anew"):
        generate(make(**keys), quiet())
    edit(tmp_path, "is neat", "is tidy")
    generate(make(PAIRS, **keys), quiet()).close()
    assert told(order.folder) == before


def test_before_anything_is_judged_an_edit_is_free(make: Make, tmp_path: Path) -> None:
    order = make(frozenset({Step.SAMPLES}))
    generate(order, quiet()).close()
    edit(tmp_path, "is tidy", "is neat")
    with generate(make(), quiet()) as run:
        assert run.fingerprint.growth["principles"] == load(str(tmp_path / "principles.yaml")).digest


def test_another_critique_is_asked_for_where_there_are_critiques(make: Make, tmp_path: Path) -> None:
    generate(make(), quiet()).close()
    generate(make(name="critical", critique="pairs"), quiet()).close()
    edit(tmp_path, "is tidy.", "is tidy.\n    critique: Is it in order?")
    generate(make(), quiet()).close()
    for steps in (PAIRS, ALL):
        with pytest.raises(UsageError, match=r"no judgement would be asked anew, but .* critiques"):
            generate(make(steps, name="critical", critique="pairs"), quiet())
    generate(make(PAIRS, name="critical", critique="pairs", relabel=True), quiet()).close()
    assert told(tmp_path / "runs/critical") == told(tmp_path / "runs/run")


def test_the_run_keeps_a_copy_of_every_version(make: Make, tmp_path: Path) -> None:
    order = make()
    generate(order, quiet()).close()
    first = load(str(tmp_path / "principles.yaml"))
    edit(tmp_path, "is tidy", "is neat")
    with Run.read(order.folder) as run:
        assert judged_by(run) == first
    assert {row.id: row.text for row in gather(order.folder).principles}["p1"] == "The response is tidy."
    generate(make(relabel=True), quiet()).close()
    assert len(list((order.folder / FOLDER).iterdir())) == 2
    with Run.read(order.folder) as run:
        assert judged_by(run) == load(str(tmp_path / "principles.yaml"))
        assert len({one.version for one in run.stage(Step.JUDGEMENTS, Judgement).records()}) == 3


def test_without_a_copy_any_edit_waits_for_leave(make: Make, tmp_path: Path) -> None:
    order = make()
    generate(order, quiet()).close()
    shutil.rmtree(order.folder / FOLDER)
    edit(tmp_path, "is tidy.", "is tidy.\n    weight: 9")
    with Run.read(order.folder) as run:
        assert judged_by(run) is None
    with pytest.raises(UsageError, match="has changed since"):
        generate(make(PAIRS), quiet())
    generate(make(relabel=True), quiet()).close()
    with Run.read(order.folder) as run:
        assert judged_by(run) is not None
