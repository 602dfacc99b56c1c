"""Rounds of critique and revision: which principle a round asks, when a response is done, and what is never taken for its text."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from constitution.load import load
from generate.cli import report, revise
from generate.context import Step
from generate.pipeline import Order, dry_run, generate, read_stats
from generate.prompt_shards import PromptShards
from generate.revision_chain import Chain, chain_of, chains_of, follow, recorded
from tenet.errors import MissingInput, UsageError
from tenet.ids import Json
from tenet.records import Critique, Finish, Judgement, PreferencePair, Prompt, Revision, Sample, Verdict
from tenet.runs import Run
from tests.generate.runs_example import make_order, quiet, write_rows

Make = Callable[..., Order]
REVISING = frozenset({Step.SAMPLES, Step.REVISIONS, Step.EXPORT})


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """An order for a run that only revises, by two principles; keywords override keys of run.yaml."""

    def order(prompts: int = 24, samples: int = 1, revised: Json = None, **keys: Json) -> Order:
        rows = ({"prompt": f"Question {number}: what should I do about it?"} for number in range(prompts))
        values: dict[str, Json] = {
            "prompts": {"path": write_rows(tmp_path / "prompts.jsonl", rows)},
            "policy": {"engine": "scripted", "model": "hash", "samples": samples},
            "judge": {"engine": "scripted", "model": "longer", "options": {"noise": 0.5}},
            "critique": "none",
            "revise": revised or {"rounds": 2},
            "export": ["sft", "trl-preference", "trl-unpaired"],
            **keys,
        }
        return make_order(tmp_path, "run", values, steps=REVISING)

    return order


def chains(run: Run) -> list[Chain]:
    shards = PromptShards(run.stage(Step.PROMPTS, Prompt))
    return [chain for number, prompts in enumerate(shards) for _, chain in chains_of(run, prompts, number)]


def table(run: Run, name: str) -> dict[str, list[object]]:
    return dict(pq.read_table(run.path / "dataset" / name).to_pydict())


def test_no_principle_is_asked_twice_of_one_text_and_a_response_that_follows_all_is_done(make: Make) -> None:
    with generate(make(revised={"rounds": 4}), quiet()) as run:
        found = chains(run)
        asked = [run.stage(f"revision-critiques-{number}", Critique).counts().rows for number in (1, 2, 3, 4)]
    assert len(found) == 24
    rewritten = [chain for chain in found if chain.kept]
    assert 0 < len(rewritten) < 24, "some texts were good as they were"
    for chain in found:
        told = [(link.critique.sample_id, link.critique.principle) for link in chain.links]
        assert len(told) == len(set(told))
        assert chain.asked == {"thorough", "tidy"}, "done: all that apply were asked of the text as it is now"
        assert {link.critique.verdict for link in chain.links if link.critique.sample_id == chain.current.id} == {
            Verdict.YES
        }
        assert len(chain.links) == 2 + len(chain.kept)
    assert asked == [24, 24, len(rewritten), 0]


def test_one_principle_is_asked_again_only_of_a_text_that_has_changed(make: Make, tmp_path: Path) -> None:
    (tmp_path / "principles.yaml").write_text(
        "schema_version: 1\nname: one\nprinciples:\n  - id: thorough\n    text: The response says more.\n"
    )
    with generate(make(), quiet()) as run:
        found = chains(run)
    assert {len(chain.links) for chain in found if not chain.kept} == {1}
    assert {len(chain.links) for chain in found if chain.kept} == {2}


def test_a_revision_that_is_cut_off_is_counted_and_never_used(make: Make) -> None:
    with generate(make(revised={"rounds": 2, "max_tokens": 3}), quiet()) as run:
        found = chains(run)
        cut = [link for chain in found for link in chain.links if link.revision is not None]
        assert cut
        assert {link.revision.finish for link in cut if link.revision} == {Finish.LENGTH}
        assert all(link.revision.reason == "cut off at 3 tokens" for link in cut if link.revision)
        assert not any(chain.kept for chain in found)
        assert all(link.critique.sample_id == chain.original.id for chain in found for link in chain.links)
        assert not list(run.stage("revision-pairs", PreferencePair).records())
        assert not (run.path / "dataset" / "sft").exists() or not table(run, "sft")["prompt_id"]
        said = (run.path / "dataset" / "README.md").read_text()
    assert "samples whose revisions were cut off at the token limit" in said


def test_all_samples_are_revised_where_asked_and_each_is_paired_with_its_own_original(make: Make) -> None:
    with generate(make(samples=3, revised={"samples": "all"}), quiet()) as run:
        found = chains(run)
        texts = {(one.prompt_id, one.text) for one in run.stage(Step.SAMPLES, Sample).records() if one.usable}
        pairs = list(run.stage("revision-pairs", PreferencePair).records())
        rows = table(run, "sft")
    assert len(found) == len(texts) > 24
    ends = {frozenset((chain.original.id, chain.current.id)) for chain in found if chain.kept}
    assert {frozenset((pair.chosen_id, pair.rejected_id)) for pair in pairs} <= ends
    weights: dict[str, float] = {}
    for pair in pairs:
        weights[pair.prompt_id] = weights.get(pair.prompt_id, 0.0) + pair.weight
    assert all(weight == pytest.approx(1.0) for weight in weights.values())
    assert len(pairs) > len(weights), "some prompt has several"
    assert len(rows["prompt_id"]) > len(set(rows["prompt_id"]))


def test_the_check_asks_about_what_was_revised_under_and_can_be_left_out(make: Make) -> None:
    with generate(make(revised={"rounds": 2}), quiet()) as run:
        under = {chain.original.id: set(chain.principles) for chain in chains(run)}
        judged = list(run.stage("revision-judgements", Judgement).records())
        assert judged
        for one in judged:
            original = one.first_id if one.first_id in under else one.second_id
            assert one.principle in under[original]
        checked = set(table(run, "sft")["sample_id"])
    with generate(make(revised={"rounds": 2, "check": False}), quiet()) as run:
        assert not list(run.stage("revision-judgements", Judgement).records())
        assert not list(run.stage("revision-pairs", PreferencePair).records())
        unchecked = set(table(run, "sft")["sample_id"])
        assert unchecked == {chain.current.id for chain in chains(run) if chain.kept}
    assert checked <= unchecked


def test_fewer_rounds_move_later_ones_aside_and_more_bring_them_back(make: Make) -> None:
    generate(make(revised={"rounds": 3}), quiet()).close()
    spent = read_stats(make().folder)["usage"]
    with generate(make(revised={"rounds": 1}), quiet()) as run:
        assert {len(chain.links) for chain in chains(run)} == {1}
    with generate(make(revised={"rounds": 3}), quiet()) as run:
        assert max(len(chain.links) for chain in chains(run)) == 3
    assert read_stats(make().folder)["usage"] == spent, "nothing was asked again"


def test_critiques_revisions_and_rows_name_the_wording(make: Make, tmp_path: Path) -> None:
    order = make()
    with generate(order, quiet()) as run:
        file = {one.id: one for one in load(str(tmp_path / "principles.yaml")).principles}
        links = [link for chain in chains(run) for link in chain.links]
        assert all(link.critique.principle_digest == file[link.critique.principle].critique_digest for link in links)
        made = [link.revision for link in links if link.revision is not None]
        assert all(one.version == f"{one.principle}@{file[one.principle].revise_digest}" for one in made)
        sft, kto = table(run, "sft"), table(run, "trl-unpaired")
    assert {name for row in sft["principle_versions"] for name in row} == {one.version for one in made}  # type: ignore[attr-defined]
    compared = {f"{one.id}@{one.compare_digest}" for one in file.values()}
    assert {name for row in kto["principle_versions"] for name in row} == compared  # type: ignore[attr-defined]


def test_an_edited_instruction_that_was_not_revised_by_again_is_named_on_the_card(make: Make, tmp_path: Path) -> None:
    generate(make(), quiet()).close()
    principles = tmp_path / "principles.yaml"
    old = load(str(principles)).get("tidy").revise_digest
    principles.write_text(principles.read_text() + "    revise: Put the response in order.\n")
    order = make()
    later = Order(order.config, order.folder, order.command, frozenset({Step.EXPORT}))
    with generate(later, quiet()) as run:
        said = (run.path / "dataset" / "README.md").read_text()
    assert f"| `tidy` | `{old}` | revise |" in said
    assert "Judged by an earlier version of 1 principle" in said
    with generate(order, quiet()) as run:
        said = (run.path / "dataset" / "README.md").read_text()
    assert "Judged by an earlier version" not in said


@pytest.mark.parametrize(
    "revised",
    [{"rounds": 3}, {"rounds": 2, "samples": "all"}, {"rounds": 2, "check": False}, {"rounds": 1, "max_tokens": 3}],
    ids=str,
)
@pytest.mark.parametrize("principles", ["sampled", "each", "whole"])
def test_planned_calls_and_tokens_bound_the_real_ones(make: Make, revised: Json, principles: str) -> None:
    judge = {"engine": "scripted", "model": "longer", "principles": principles}
    keys: dict[str, Json] = {"samples": 2, "revised": revised, "judge": judge}

    def planned() -> object:
        return next(line for line in dry_run(make(**keys)).lines if line.stage == Step.REVISIONS)

    before = planned()
    order = make(**keys)
    generate(Order(order.config, order.folder, order.command, frozenset({Step.SAMPLES})), quiet()).close()
    drawn = planned()
    generate(make(**keys), quiet()).close()
    usage = read_stats(order.folder)["usage"]["revisions"]  # type: ignore[index,call-overload]
    for told in (before, drawn):
        assert told.owed.holds(usage["calls"])  # type: ignore[attr-defined]
        assert told.prompt_tokens.holds(usage["prompt_tokens"])  # type: ignore[attr-defined]
        assert told.completion_tokens.holds(usage["completion_tokens"])  # type: ignore[attr-defined]
    after = planned()
    assert after.owed.high == 0  # type: ignore[attr-defined]
    assert after.calls.low == after.calls.high == usage["calls"]  # type: ignore[attr-defined]


def test_failed_and_unchanged_revisions_leave_the_text_as_it_was() -> None:
    original = Sample("s", "p", 0, "Go away.", "policy", Finish.STOP)
    start = Chain(original)
    told = Critique("c", "p", "s", "judge", "kind", "It is not kind.", Verdict.NO)

    def revised(text: str, finish: Finish, critique: str = "c") -> Revision:
        return Revision("r", "p", "s", critique, "kind", 1, text, "judge", finish)

    for text, finish in (("", Finish.ERROR), ("Good d", Finish.LENGTH), (" Go away. ", Finish.STOP)):
        chain = follow(start, 1, told, revised(text, finish))
        assert chain.current is original
        assert chain.asked == {"kind"}
    assert follow(start, 1, told, revised("Good day.", Finish.STOP, "of another")).current is original
    chain = follow(start, 1, told, revised("Good day.", Finish.STOP))
    assert chain.shown.text == "Good day."
    assert (chain.asked, chain.principles) == (frozenset(), ("kind",))


def test_the_rounds_are_shown_step_by_step(make: Make) -> None:
    order = make()
    with generate(order, quiet()) as run:
        revised = [chain for chain in chains(run) if chain.kept]
        assert chain_of(revised[0].original, recorded(run, 0, [1])).links == revised[0].links[:1]
    told = CliRunner().invoke(revise, [str(order.folder), "--show", "2"], catch_exceptions=False).output
    assert f"24 responses looked at, {len(revised)} have another text now" in told
    assert told.count("original (") == 2
    assert "    rewritten: " in told
    said = json.loads(CliRunner().invoke(revise, [str(order.folder), "--show", "1", "--json"]).stdout)
    assert [row["asked"] for row in said["rounds"]] == [24, 24]
    (one,) = said["chains"]
    assert one["original"] in {chain.original.text for chain in revised}
    assert CliRunner().invoke(report, [str(order.folder)], catch_exceptions=False).exit_code == 0
    page = (order.folder / "report.html").read_text()
    assert 'id="revisions"' in page
    assert "No preference pairs" not in page
    assert f"{len(revised)} responses revised, from 24 prompts." in page
    assert one["steps"][0]["critique"] in page


def test_what_cannot_be_shown_or_revised_is_said(make: Make, tmp_path: Path) -> None:
    order = make(samples=2, revise=None)
    generate(Order(order.config, order.folder, order.command, frozenset({Step.SAMPLES})), quiet()).close()
    shown = CliRunner().invoke(revise, [str(order.folder), "--show", "1"])
    assert isinstance(shown.exception, MissingInput)
    assert "has no revisions" in str(shown.exception)
    (tmp_path / "run.yaml").write_text((order.folder / "run.yaml").read_text())
    silent = CliRunner().invoke(revise, [str(tmp_path / "run.yaml"), "--runs", str(tmp_path / "runs")])
    assert isinstance(silent.exception, UsageError)
    assert "how often to revise" in str(silent.exception)
