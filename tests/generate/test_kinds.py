"""Runs judged by ratings, rankings and propositions, from the plan to the dataset, the report and what refuses to work with them."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from generate.calibrating import calibrate
from generate.context import PREFERENCES, Step
from generate.pipeline import Order, dry_run, generate
from generate.report.data import gather
from generate.supersede import attic_of
from generate.weighing import weigh
from judges.humans.labels import with_id
from judges.humans.store import add_labels
from tenet.cli import cli
from tenet.config import make_config
from tenet.errors import InvalidInput, TooManyFailures, UsageError
from tenet.ids import Json
from tenet.records import Choice, Judgement, Label, Listing, Preference, PreferencePair, Prompt, Rating, Sample
from tenet.runconfig import RunConfig
from tenet.runs import Run
from tests.generate.runs_example import TWO_PRINCIPLES, make_order, quiet, write_rows

KINDS = ("rating", "listwise", "propositions")
ANSWERS = {"rating": ("ratings", Rating), "listwise": ("listings", Listing), "propositions": ("ratings", Rating)}
Make = Callable[..., Order]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def order(
        kind: str, prompts: int = 12, relabel: bool = False, judge: dict[str, Json] | None = None, **keys: Json
    ) -> Order:
        rows = ({"prompt": f"Question {number}: what now?"} for number in range(prompts))
        own: dict[str, Json] = {"engine": "scripted", "model": "longer", "kind": kind, "principles": "each"}
        own |= {"letters": True} if kind == "propositions" else {}
        values: dict[str, Json] = {
            "prompts": {"path": write_rows(tmp_path / "prompts.jsonl", rows)},
            "policy": {"engine": "scripted", "model": "hash", "samples": 4},
            "judge": {**own, **(judge or {})},
            "critique": "none",
        }
        return make_order(tmp_path, "run", {**values, **keys}, relabel=relabel)

    return order


def told(run: Run, name: str, kind: type) -> list:
    return list(run.stage(name, kind).records(ok=None))


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_goes_from_prompts_to_pairs_and_is_asked_nothing_twice(kind: str, make: Make):
    order = make(kind)
    ahead = next(line for line in dry_run(order).plan.lines if line.stage == Step.JUDGEMENTS)
    with generate(order, quiet()) as run:
        texts = {one.id: one.text for one in told(run, Step.SAMPLES, Sample)}
        answers, pairs = told(run, *ANSWERS[kind]), told(run, Step.PAIRS, PreferencePair)
        assert len({one.id for one in answers}) == len(answers)
        assert ahead.calls.low <= len(answers) <= ahead.calls.high
        assert sum(one.prompt_tokens for one in answers) <= ahead.prompt_tokens.high
        assert pairs
        assert all(len(texts[one.chosen_id].split()) > len(texts[one.rejected_id].split()) for one in pairs)
        assert all(set(one.principles) == {"thorough", "tidy"} and len(one.principle_versions) == 2 for one in pairs)
        exact = next(line for line in dry_run(order).plan.lines if line.stage == Step.JUDGEMENTS)
        assert (exact.calls.expected, exact.owed.expected) == (len(answers), 0)
        state = run.stage(*ANSWERS[kind]).state
        preferences = told(run, PREFERENCES, Preference)
    with generate(order, quiet()) as again:
        assert again.stage(*ANSWERS[kind]).state == state
        assert told(again, PREFERENCES, Preference) == preferences


@pytest.mark.parametrize("kind", ["rating", "propositions"])
def test_ratings_take_n_calls_and_claim_nothing_of_order(kind: str, make: Make):
    with generate(make(kind), quiet()) as run:
        samples, ratings = told(run, Step.SAMPLES, Sample), told(run, "ratings", Rating)
        different = {(one.prompt_id, one.text.strip()) for one in samples}
        assert len(ratings) == 2 * len(different)  # two principles
        assert Step.JUDGEMENTS not in run.manifest.stages
        assert all(one.p_a == one.p_shown_a == one.p_shown_b for one in told(run, PREFERENCES, Preference))
        data = gather(run.path)
    assert data.positions is None
    assert data.alone
    assert data.outcomes == {"a rating": len(ratings)}
    assert "alone, in no order" in data.standfirst
    page = CliRunner().invoke(cli, ["report", str(run.path)])
    assert page.exit_code == 0, page.output
    assert "Rated alone: no order" in (run.path / "report.html").read_text()
    assert "Rated alone" in (run.path / "dataset" / "README.md").read_text()


def test_rankings_become_votes_in_both_orders(make: Make):
    with generate(make("listwise"), quiet()) as run:
        listings, judgements = told(run, "listings", Listing), told(run, Step.JUDGEMENTS, Judgement)
        assert len(judgements) == sum(len(one.shown) * (len(one.shown) - 1) // 2 for one in listings)
        assert all(one.is_vote for one in judgements)
        assert {one.p_a for one in told(run, PREFERENCES, Preference)} <= {0.25, 0.5, 0.75}
        data = gather(run.path)
    assert data.positions is not None
    assert next(row for row in data.costs if row.stage == "Judging").calls == len(listings)


@pytest.mark.parametrize("kind", KINDS)
def test_an_edit_asks_anew_what_it_touches_and_keeps_the_rest(kind: str, make: Make, tmp_path: Path):
    with generate(make(kind), quiet()) as run:
        before = {one.id: one.principle for one in told(run, *ANSWERS[kind])}
    (tmp_path / "principles.yaml").write_text(TWO_PRINCIPLES.replace("is tidy", "is neat"))
    with pytest.raises(UsageError, match=r"has changed since[\s\S]*--relabel"):
        generate(make(kind), quiet())
    with generate(make(kind, relabel=True), quiet()) as run:
        after = {one.id: one.principle for one in told(run, *ANSWERS[kind])}
        name, record = ANSWERS[kind]
        aside = {one.id for one in told(run, attic_of(name), record)}
    assert {one for one, principle in after.items() if principle == "thorough"} == before.keys() & after.keys()
    assert aside == before.keys() - after.keys() == {one for one, principle in before.items() if principle == "tidy"}


def test_answers_of_another_run_are_taken(make: Make, tmp_path: Path):
    order = make("rating")
    generate(order, quiet()).close()
    config = make("rating", reuse=[str(order.folder)]).config
    other = Order(config, tmp_path / "runs" / "other", "tenet generate other.yaml")
    with generate(other, quiet()) as run:
        assert json.loads((run.path / "reused.json").read_text())["ratings"] == {
            str(order.folder): len(told(run, "ratings", Rating))
        }


def test_rankings_that_cannot_be_read_are_counted_and_too_many_stop_the_run(make: Make):
    few: dict[str, Json] = {"options": {"unparsed": 0.2}}
    with pytest.raises(TooManyFailures, match="listings are no opinion \\(unparsed"):
        generate(make("listwise", judge=few), quiet())
    with generate(make("listwise", judge=few, max_failures=0.6), quiet()) as run:
        bad = [one for one in told(run, "listings", Listing) if not one.outcome.is_opinion]
        assert bad
        assert all(one.reason.startswith("the answer is no JSON") and not one.ranking for one in bad)
        assert gather(run.path).outcomes["unreadable answer"] == len(bad)


def test_weights_are_fitted_on_labels_and_change_the_pairs(make: Make):
    with generate(make("propositions", prompts=40), quiet()) as run:
        with pytest.raises(UsageError, match="holds no label"):
            weigh(run.path)
        rng, labels = random.Random(1), []
        prompts = {one.id: one for one in told(run, Step.PROMPTS, Prompt)}
        texts = {one.id: one.text for one in told(run, Step.SAMPLES, Sample)}
        for one in told(run, PREFERENCES, Preference)[:120]:
            longer = len(texts[one.a_id].split()) > len(texts[one.b_id].split())
            label = Label(
                "", prompts[one.prompt_id].messages, texts[one.a_id], texts[one.b_id],
                Choice.A if longer == (rng.random() < 0.9) else Choice.B, "ann",
            )  # fmt: skip
            labels.append(with_id(label))
        before = {one.id: one.p_chosen for one in told(run, Step.PAIRS, PreferencePair)}
    add_labels(run.path / "labels.jsonl", labels)
    done = CliRunner().invoke(cli, ["weigh", str(run.path), "--json"])
    assert done.exit_code == 0, done.output
    found = weigh(run.path)
    assert set(found.weights.values) == {"thorough"}  # tidy is a rule, and vetoes
    assert found.weights.values["thorough"] > 2
    assert found.fitted.log_loss < found.fitted.unfitted_log_loss
    order = make("propositions", prompts=40, judge={"weights": str(found.path)})
    with generate(order, quiet()) as run:
        after = {one.id: one.p_chosen for one in told(run, Step.PAIRS, PreferencePair)}
    assert any(after[name] != p for name, p in before.items() if name in after)
    calibrated = calibrate(run.path)
    assert calibrated.fitted.anchors == found.fitted.pairs + found.left_out
    assert calibrated.stored.subject.way == "propositions"


def test_weights_are_for_propositions_only(make: Make):
    run = generate(make("rating"), quiet())
    labels = run.path / "labels.jsonl"
    label = Label("", told(run, Step.PROMPTS, Prompt)[0].messages, "x", "y", Choice.A, "ann")
    add_labels(labels, [with_id(label)])
    with pytest.raises(UsageError, match="kind rating, which has no weights"):
        weigh(run.path)


@pytest.mark.parametrize("kind", KINDS)
def test_commands_about_pairs_refuse_by_name(kind: str, make: Make, tmp_path: Path):
    run = generate(make(kind), quiet())
    schedule = CliRunner().invoke(cli, ["schedule", str(run.path)])
    assert schedule.exit_code == 2
    assert f"kind {kind} is not asked about pairs" in schedule.output
    other = tmp_path / "other.yaml"
    other.write_text(TWO_PRINCIPLES.replace("is tidy", "is neat"))
    words = ["principles", "diff", str(tmp_path / "principles.yaml"), str(other), "--run", str(run.path)]
    diff = CliRunner().invoke(cli, words)
    assert diff.exit_code == 2
    assert f"kind {kind} is not asked about pairs" in diff.output
    coverage = CliRunner().invoke(cli, ["principles", "coverage", str(run.path)])
    if kind == "listwise":
        assert coverage.exit_code == 0, coverage.output
    else:
        assert coverage.exit_code == 2
        assert f"kind {kind}" in coverage.output
    for words in (["status", str(run.path)], ["card", str(run.path)]):
        done = CliRunner().invoke(cli, words)
        assert done.exit_code == 0, done.output


@pytest.mark.parametrize(
    ("judge", "more", "said"),
    [
        ({"kind": "rating", "principles": "whole"}, {}, "one principle at a time"),
        ({"kind": "propositions"}, {}, "asked about every principle"),
        ({"kind": "listwise"}, {"schedule": "knockout"}, "nothing to schedule"),
        ({"kind": "rating"}, {"revise": {}}, "does not compare a revision"),
        ({"letters": True}, {}, "kind pairwise has no letters"),
        ({"kind": "rating", "orders": 3}, {}, "kind rating has no orders"),
        ({"kind": "rating", "scale": {"low": 5, "high": 5}}, {}, "2 to 26 scores"),
        ({"kind": "rating", "scale": {"rubric": {"9": "good"}}}, {}, "9 is no score"),
        ({"kind": "rating", "scale": {"rubric": {"1": ""}}}, {}, "must be a text"),
        ({"kind": "pointwise"}, {}, "is none of pairwise, critique-first, reasoning, rating"),
    ],
)
def test_configurations_that_contradict_themselves_are_told(judge: dict[str, Json], more: dict[str, Json], said: str):
    values: dict[str, Json] = {
        "name": "run", "principles": "helpfulness", "policy": {"engine": "scripted", "model": "hash"},
        "prompts": {"path": __file__}, "judge": {"engine": "scripted", "model": "longer", **judge}, **more,
    }  # fmt: skip
    with pytest.raises(InvalidInput, match=said):
        make_config(values, RunConfig)
