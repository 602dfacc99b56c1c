"""The road from prompts to a dataset on the scripted engine: what it makes, what it asks again, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from generate.amounts import Amount
from generate.context import PREFERENCES, Step
from generate.pipeline import Order, dry_run, generate
from tenet.config import make_config
from tenet.errors import FingerprintMismatch, TooManyFailures, UsageError
from tenet.ids import Json
from tenet.records import Critique, Judgement, Preference, PreferencePair, Prompt, Sample
from tenet.runconfig import RunConfig
from tenet.runs import Run
from tests.generate.runs_example import dataset_digest, make_order, quiet, write_rows

Make = Callable[..., Order]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """An order for a run over `prompts` prompts with 3 samples each; keywords override keys of run.yaml."""

    def order(prompts: int = 12, *, name: str = "run", relabel: bool = False, **keys: Json) -> Order:
        rows = ({"prompt": f"Question {number}: what should I do about it?"} for number in range(prompts))
        values: dict[str, Json] = {
            "prompts": {"path": write_rows(tmp_path / "prompts.jsonl", rows)},
            "policy": {"engine": "scripted", "model": "hash", "samples": 3, "options": {"latency": 0}},
            "judge": {"engine": "scripted", "model": "longer", "options": {"noise": 0.5}},
            **keys,
        }
        return make_order(tmp_path, name, values, relabel=relabel)

    return order


def rows(run: Run, stage: str, kind: type) -> list[object]:
    return list(run.stage(stage, kind).records(ok=None))


def test_the_funnel_adds_up(make: Make) -> None:
    with generate(make(), quiet()) as run:
        prompts = rows(run, Step.PROMPTS, Prompt)
        samples = [sample for sample in rows(run, Step.SAMPLES, Sample) if isinstance(sample, Sample)]
        judgements = [one for one in rows(run, Step.JUDGEMENTS, Judgement) if isinstance(one, Judgement)]
        preferences = rows(run, PREFERENCES, Preference)
        pairs = [pair for pair in rows(run, Step.PAIRS, PreferencePair) if isinstance(pair, PreferencePair)]
        critiques = rows(run, Step.CRITIQUES, Critique)
    assert len(prompts) == 12
    assert len(samples) == 36
    by_prompt = {prompt.id: {s.text.strip() for s in samples if s.prompt_id == prompt.id} for prompt in prompts}  # type: ignore[attr-defined]
    expected = sum(len(texts) * (len(texts) - 1) for texts in by_prompt.values())
    assert len(judgements) == expected
    assert len(preferences) == expected // 2
    assert 0 < len(pairs) <= 12
    assert len(critiques) == 2 * len(pairs)
    assert all(pair.p_chosen >= 0.5 and pair.weight == 1.0 for pair in pairs)


def test_each_prompt_is_judged_by_the_one_principle_that_it_draws(make: Make) -> None:
    with generate(make(40), quiet()) as run:
        asked: dict[str, set[str | None]] = {}
        for one in run.stage(Step.JUDGEMENTS, Judgement).records():
            asked.setdefault(one.prompt_id, set()).add(one.principle)
    assert all(len(principles) == 1 for principles in asked.values())
    assert {next(iter(principles)) for principles in asked.values()} == {"thorough", "tidy"}


def test_the_longer_response_wins_where_the_judge_likes_length(make: Make) -> None:
    order = make(30, judge={"engine": "scripted", "model": "longer"})
    with generate(order, quiet()) as run:
        texts = {sample.id: sample.text for sample in run.stage(Step.SAMPLES, Sample).records()}
        pairs = list(run.stage(Step.PAIRS, PreferencePair).records())
    assert pairs
    assert all(len(texts[pair.chosen_id].split()) > len(texts[pair.rejected_id].split()) for pair in pairs)


def test_a_second_go_asks_nothing_and_changes_nothing(make: Make, tmp_path: Path) -> None:
    generate(make(), quiet()).close()
    first = dataset_digest(tmp_path / "runs/run")
    console = quiet()
    generate(make(), console).close()
    assert dataset_digest(tmp_path / "runs/run") == first
    assert [line.owed.high for line in dry_run(make()).lines] == [0, 0, 0]


def test_equal_runs_have_byte_identical_datasets_and_growth_gives_what_a_longer_run_gives(
    make: Make, tmp_path: Path
) -> None:
    generate(make(8), quiet()).close()
    generate(make(20), quiet()).close()
    grown = dataset_digest(tmp_path / "runs/run")
    (tmp_path / "runs/run").rename(tmp_path / "runs/grown")
    generate(make(20), quiet()).close()
    assert dataset_digest(tmp_path / "runs/run") == grown


def test_prompts_that_leave_the_input_stay_in_the_run(make: Make) -> None:
    generate(make(12), quiet()).close()
    console = quiet()
    with generate(make(5), console) as run:
        assert len(rows(run, Step.PROMPTS, Prompt)) == 12
    said = console.err.getvalue()  # type: ignore[attr-defined]
    assert "7 prompts of this run are not in the input any more, or beyond its limit; they stay" in said
    assert "what they lack is asked too" in said


def edit(order: Order, old: str, new: str) -> None:
    path = Path(order.config.principles)
    path.write_text(path.read_text().replace(old, new))


def test_an_edited_principle_is_judged_anew_only_when_asked_and_only_where_it_matters(make: Make) -> None:
    order = make(40)
    with generate(order, quiet()) as run:
        before = {one.id: one for one in run.stage(Step.JUDGEMENTS, Judgement).records()}
    edit(order, "The response is tidy.", "The response is tidy and in order.")
    with pytest.raises(UsageError, match=r"would be asked anew; the others stand.*\n.*--relabel"):
        generate(make(40), quiet())
    with generate(make(40, relabel=True), quiet()) as run:
        after = {one.id: one for one in run.stage(Step.JUDGEMENTS, Judgement).records()}
        aside = {one.id: one for one in run.stage("judgements-superseded", Judgement).records()}
    kept = {name: one for name, one in before.items() if one.principle == "thorough"}
    assert kept
    assert {name: after[name] for name in kept} == kept
    assert {one.principle for name, one in after.items() if name not in before} == {"tidy"}
    assert aside == {name: one for name, one in before.items() if one.principle == "tidy"}
    edit(order, "The response is tidy and in order.", "The response is tidy.")
    with generate(make(40, relabel=True), quiet()) as run:
        assert {one.id: one for one in run.stage(Step.JUDGEMENTS, Judgement).records()} == before


def test_the_refusal_to_relabel_leaves_the_run_as_it_was(make: Make) -> None:
    order = make()
    generate(order, quiet()).close()
    held = (order.folder / "run.json").read_text()
    edit(order, "The response is tidy.", "The response is spotless.")
    with pytest.raises(UsageError):
        generate(make(), quiet())
    assert (order.folder / "run.json").read_text() == held


def test_another_judge_or_seed_is_another_run(make: Make) -> None:
    generate(make(), quiet()).close()
    with pytest.raises(FingerprintMismatch, match=r"seed: 0 -> 1"):
        generate(make(seed=1), quiet())
    with pytest.raises(FingerprintMismatch, match=r"judge\.model\.model: longer -> shorter"):
        generate(make(judge={"engine": "scripted", "model": "shorter", "options": {"noise": 0.5}}), quiet())


def test_other_pairs_of_the_same_judgements_ask_nothing(make: Make) -> None:
    with generate(make(critique="none"), quiet()) as run:
        best = len(rows(run, Step.PAIRS, PreferencePair))
    with generate(make(critique="none", pairs={"select": "all"}), quiet()) as run:
        pairs = [pair for pair in rows(run, Step.PAIRS, PreferencePair) if isinstance(pair, PreferencePair)]
    assert len(pairs) > best
    weights: dict[str, float] = {}
    for pair in pairs:
        weights[pair.prompt_id] = weights.get(pair.prompt_id, 0.0) + pair.weight
    assert all(total == pytest.approx(1.0) for total in weights.values())


def test_failures_are_rows_and_too_many_stop_the_run(make: Make) -> None:
    some = make(40, judge={"engine": "scripted", "model": "longer", "options": {"errors": 0.05}}, max_failures=0.2)
    with generate(some, quiet()) as run:
        counts = run.stage(Step.JUDGEMENTS, Judgement).counts()
    assert counts.outcomes["error"] == counts.failed > 0
    many = make(40, name="many", judge={"engine": "scripted", "model": "longer", "options": {"low_mass": 0.4}})
    with pytest.raises(TooManyFailures, match=r"are no opinion \(low_mass"):
        generate(many, quiet())
    few = make(40, name="few", judge={"engine": "scripted", "model": "longer", "options": {"errors": 0.05}})
    with pytest.raises(TooManyFailures) as stopped:
        generate(few, quiet())
    assert stopped.value.exit_code == 4
    with Run.read(few.folder) as run:
        assert run.stage(Step.JUDGEMENTS, Judgement).counts().ok > 0.9 * 40 * 6


def test_responses_already_drawn_need_no_policy(make: Make, tmp_path: Path) -> None:
    given = [
        json.dumps({"prompt": f"Ask {n}", "responses": ["Short.", "A good deal longer than that.", ""]})
        for n in range(6)
    ]
    (tmp_path / "samples.jsonl").write_text("\n".join(given))
    principles = make().config.principles
    config = make_config(
        {
            "name": "given", "principles": principles, "samples": {"path": str(tmp_path / "samples.jsonl")},
            "judge": {"engine": "scripted", "model": "longer"},
        },
        RunConfig,
    )  # fmt: skip
    with generate(Order(config, tmp_path / "runs/given", "tenet generate"), quiet()) as run:
        pairs = list(run.stage(Step.PAIRS, PreferencePair).records())
        texts = {sample.id: sample.text for sample in run.stage(Step.SAMPLES, Sample).records()}
    assert [texts[pair.chosen_id] for pair in pairs] == ["A good deal longer than that."] * 6


def test_several_policies_are_mixed(make: Make) -> None:
    two = [
        {"engine": "scripted", "model": "hash", "samples": 2, "name": "one"},
        {"engine": "scripted", "model": "hash", "samples": 2, "name": "other"},
    ]
    with generate(make(policy=two), quiet()) as run:
        samples = list(run.stage(Step.SAMPLES, Sample).records())
    assert {(sample.policy, sample.index) for sample in samples} == {("one", 0), ("one", 1), ("other", 0), ("other", 1)}
    assert len(samples) == 48


def test_a_dry_run_counts_what_the_run_then_asks(make: Make, tmp_path: Path) -> None:
    order = make(critique="none")
    generate(Order(order.config, order.folder, order.command, frozenset({Step.PROMPTS, Step.SAMPLES})), quiet()).close()
    judging = next(line for line in dry_run(order).lines if line.stage == Step.JUDGEMENTS)
    with generate(order, quiet()) as run:
        recorded = list(run.stage(Step.JUDGEMENTS, Judgement).records())
    assert judging.owed == judging.calls == Amount.exact(len(recorded))
    assert judging.prompt_tokens == Amount.exact(sum(one.prompt_tokens or 0 for one in recorded))


def test_revisions_become_pairs_and_sft_rows(make: Make, tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    order = make(40, revise={"rounds": 2}, export=["trl-preference", "sft"])
    with generate(order, quiet()) as run:
        pairs = list(run.stage("revision-pairs", PreferencePair).records())
    assert pairs
    assert {pair.source for pair in pairs} == {"revision"}
    table = pq.read_table(tmp_path / "runs/run/dataset/trl-preference")
    assert table.column("source").to_pylist().count("revision") == len(pairs)
    sft = pq.read_table(tmp_path / "runs/run/dataset/sft")
    assert set(sft.column("source").to_pylist()) == {"revision"}
