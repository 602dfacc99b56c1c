"""Calibration of runs that the real pipeline made on the scripted engine: fitted on labels, carried by pairs, refused for another judge."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from generate.calibrate_cli import words
from generate.calibrated import LABELLING
from generate.calibrating import calibrate
from generate.context import FOR_PEOPLE, PREFERENCES, Step
from generate.pipeline import STATS, Order, generate
from generate.report import write_report
from judges.calibration.maps import Slope, map_from_json
from judges.calibration.store import NAME, read_calibration
from judges.humans.labels import with_id
from judges.humans.store import add_labels
from judges.probability import logit, sigmoid
from tenet.cli import cli
from tenet.config import load_config
from tenet.errors import FingerprintMismatch, InvalidInput, MissingInput, UsageError
from tenet.records import Choice, Judgement, Label, Preference, PreferencePair, Prompt, Sample
from tenet.runconfig import RunConfig
from tenet.runs import Run
from tests.generate.runs_example import quiet, write_run

SLOPE = 0.15
"""How much weaker the preference of these people is than the judge's."""
Make = Callable[..., Run]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Carry out a run of 120 prompts with two samples each, without critiques."""

    def carried_out(*overrides: str, name: str = "run") -> Run:
        file = tmp_path / "run.yaml"
        if not file.exists():
            write_run(tmp_path, prompts=120, samples=2, more="critique: none\nexport: [trl-preference]\n")
        config = load_config(file, RunConfig, (*overrides, f"name={name}"))
        return generate(Order(config, tmp_path / "runs" / name, "tenet generate run.yaml"), quiet())

    return carried_out


def label_run(run: Run, *, slope: float = SLOPE, most: int = 10**9) -> None:
    """Have one person label the judged pairs, who prefers by the judge's own log-odds times `slope`, and keep the labels in the run."""
    prompts = {one.id: one for one in run.stage(Step.PROMPTS, Prompt).records()}
    texts = {one.id: one.text for one in run.stage(Step.SAMPLES, Sample).records()}
    rng, labels = random.Random(1), []
    for one in list(run.stage(PREFERENCES, Preference).records())[:most]:
        a = rng.random() < sigmoid(slope * logit(one.p_a))
        labels.append(
            with_id(
                Label(
                    "",
                    prompts[one.prompt_id].messages,
                    texts[one.a_id],
                    texts[one.b_id],
                    Choice.A if a else Choice.B,
                    "ann",
                )
            )
        )
    add_labels(run.path / "labels.jsonl", labels)


def pairs(run: Run, stage: str = Step.PAIRS) -> dict[str, PreferencePair]:
    return {one.id: one for one in run.stage(stage, PreferencePair).records()}


def test_pairs_carry_the_fit_and_nothing_is_asked_anew(make: Make) -> None:
    with make() as run:
        label_run(run)
        before, asked = pairs(run), run.stage(Step.JUDGEMENTS, Judgement).counts().rows
        raw = {(one.a_id, one.b_id): one.p_a for one in run.stage(PREFERENCES, Preference).records()}
    found = calibrate(run.path)
    assert found.fitted.anchors == len(raw)
    assert found.fitted.slope.low < SLOPE < found.fitted.slope.high
    assert found.fitted.after.log_loss < found.fitted.before.log_loss
    with make() as run:
        after = pairs(run)
        assert run.stage(Step.JUDGEMENTS, Judgement).counts().rows == asked
        assert {(one.a_id, one.b_id): one.p_a for one in run.stage(PREFERENCES, Preference).records()} == raw
    assert after.keys() == before.keys()
    for name, pair in after.items():
        a, b = sorted((pair.chosen_id, pair.rejected_id))
        p = raw[a, b] if a == pair.chosen_id else 1 - raw[a, b]
        assert pair.p_chosen == pytest.approx(found.stored.fit(p))
        assert pair.score_chosen == before[name].score_chosen, "scores stay as the judge gave them"
    stats = json.loads((run.path / STATS).read_text())[LABELLING]
    assert stats["fingerprint"] == found.stored.digest
    assert map_from_json(stats["fit"]) == found.stored.fit
    write_report(run.path)
    page = (run.path / "report.html").read_text()
    assert 'id="people"' in page
    assert "as it should be" in page
    card = (run.path / "dataset" / "README.md").read_text()
    assert "Calibrated on people's labels" in card
    assert "Unvalidated" not in card


def test_an_unchecked_judge_is_tempered_to_what_its_flips_allow(make: Make) -> None:
    with make("judge.options={noise: 6.0, batch: 16}") as run:
        told = list(run.stage(PREFERENCES, Preference).records())
        exported = pairs(run)
    flips = sum(one.flipped for one in told) / len(told)
    assert flips > 0.05
    slope = json.loads((run.path / STATS).read_text())[LABELLING]["fit"]["slope"]
    assert 0 < slope <= 1
    fit = Slope(slope)
    assert sum(max(fit(one.p_a), 1 - fit(one.p_a)) for one in told) / len(told) <= 1 - flips / 2 + 1e-6
    by_pair = {frozenset((one.a_id, one.b_id)): max(one.p_a, 1 - one.p_a) for one in told}
    for pair in exported.values():
        raw = by_pair[frozenset((pair.chosen_id, pair.rejected_id))]
        assert pair.p_chosen == pytest.approx(raw if slope == 1.0 else fit(raw))
    assert "Unvalidated" in (run.path / "dataset" / "README.md").read_text()


def test_unsure_pairs_are_left_to_people(make: Make) -> None:
    with make() as run:
        label_run(run, slope=1.5)
        every = pairs(run)
    found = calibrate(run.path)
    rule = found.stored.rule(0.8, 0.9)
    assert rule.threshold is not None
    with make("pairs.min_agreement=0.8") as run:
        kept, waiting = pairs(run), pairs(run, FOR_PEOPLE)
        raw = {frozenset((one.a_id, one.b_id)): one.p_a for one in run.stage(PREFERENCES, Preference).records()}
    assert {**kept, **waiting}.keys() == every.keys()
    assert waiting
    assert all(rule.accepts(raw[frozenset((one.chosen_id, one.rejected_id))]) for one in kept.values())
    assert not any(rule.accepts(raw[frozenset((one.chosen_id, one.rejected_id))]) for one in waiting.values())
    left_out = json.loads((run.path / STATS).read_text())["left_out"]
    assert sum(count for reason, count in left_out.items() if reason.startswith("left to people")) == len(waiting)
    with make() as run:
        assert pairs(run, FOR_PEOPLE) == {}, "without the key the queue is empty again"
        assert pairs(run).keys() == every.keys()


def test_without_anchors_an_agreement_cannot_be_stated_and_all_is_for_people(make: Make) -> None:
    with make("pairs.min_agreement=0.8") as run:
        assert pairs(run) == {}
        assert len(pairs(run, FOR_PEOPLE)) > 50
    assert "no anchors show" in (run.path / "dataset" / "README.md").read_text()


def test_a_fit_of_another_judge_is_refused_by_the_field(make: Make) -> None:
    with make() as run:
        label_run(run)
    calibrate(run.path)
    with make("judge.model=shorter", name="other") as other:
        pass
    (other.path / NAME).write_text((run.path / NAME).read_text())
    with pytest.raises(FingerprintMismatch, match=r"judge\.model\.model: longer -> shorter"):
        make("judge.model=shorter", name="other")


def test_a_fit_changed_by_hand_is_refused(make: Make) -> None:
    with make() as run:
        label_run(run)
    calibrate(run.path)
    held = json.loads((run.path / NAME).read_text())
    held["anchors"][0][-1] = 0.123
    (run.path / NAME).write_text(json.dumps(held))
    with pytest.raises(InvalidInput, match="changed by hand"):
        read_calibration(run.path)
    (run.path / NAME).write_text("{")
    with pytest.raises(InvalidInput, match="cannot be read"):
        read_calibration(run.path)


def test_what_is_missing_says_what_to_do(make: Make, tmp_path: Path) -> None:
    with make() as run:
        pass
    with pytest.raises(UsageError, match=r"holds no label\n.*tenet labels import"):
        calibrate(run.path)
    with pytest.raises(MissingInput):
        calibrate(run.path, tmp_path / "nothing.jsonl")
    with Run.read(run.path) as read:
        label_run(read, most=19)
    with pytest.raises(UsageError, match="19 anchors cannot calibrate") as raised:
        calibrate(run.path)
    assert f"tenet labels page {run.path}; tenet labels import FILE --to {run.path}" in raised.value.hint
    assert read_calibration(run.path) is None


def test_the_command_prints_figures_and_the_way_on(make: Make) -> None:
    with make() as run:
        label_run(run, slope=1.5)
    with make("judge.options={noise: 8.0, batch: 16}", name="noisy") as noisy:
        pass
    words_of = ["calibrate", str(run.path), "--also", str(noisy.path), "--min-agreement", "0.8"]
    told = CliRunner().invoke(cli, words_of, standalone_mode=False)
    assert told.exception is None, told.output
    assert "before" in told.stdout
    assert "run agrees best with people." in told.stderr
    assert "Agreement of 80% at confidence 90%: kept from" in told.stderr
    assert "tenet pairs" in told.stderr
    found = json.loads(CliRunner().invoke(cli, [*words_of, "--json"], standalone_mode=False).stdout)
    assert found["ways"]["way"] == "run"
    assert {one["way"] for one in found["ways"]["candidates"]} == {"run", "noisy"}
    assert found["rule"]["threshold"] is not None
    assert found["slope_interval"]["low"] <= found["slope_interval"]["value"] <= found["slope_interval"]["high"]
    assert found["fingerprint"] == json.loads((run.path / NAME).read_text())["fingerprint"]


def test_a_rule_that_accepts_nothing_is_said_in_words(make: Make) -> None:
    with make() as run:
        label_run(run, slope=0.0)
    stored = calibrate(run.path).stored
    assert "every pair would be left to people" in words(stored.rule(0.95, 0.9))
