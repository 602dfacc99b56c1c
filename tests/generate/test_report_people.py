"""What a report says of people: labels beside the judge worked out by hand, calibration and blends as their commands wrote them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from generate.blend.config import BlendConfig
from generate.blend.write import blend_run
from generate.report.data import gather
from generate.report.model import Level, ReportData
from generate.report.people import blends_of, fit_of
from generate.report.render import render
from judges.card.build import make_card, write_card
from judges.humans.labels import with_id
from judges.humans.store import add_labels
from tenet.records import Choice, Label, Message
from tests.generate.report_run import make_run

LONG, SHORT = "A kind and long answer.", "A short one."


def label(number: int, choice: Choice, who: str, **more: str) -> Label:
    """What somebody said of the long and the short answer to one question."""
    return with_id(Label("", (Message("user", f"Question {number}?"),), LONG, SHORT, choice, who, **more))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose judge prefers the long answer, but for every fourth prompt, where its two orders cancel out."""
    path = make_run(tmp_path_factory.mktemp("people"))
    told = [label(number, Choice.A if number != 7 else Choice.B, "ann") for number in range(12)]
    told += [label(1, Choice.TIE, "bob"), label(2, Choice.SKIP, "bob"), label(3, Choice.A, "bob")]
    told += [label(99, Choice.A, "bob"), label(5, Choice.A, "bob", principle="kind")]
    add_labels(path / "labels.jsonl", told)
    return path


@pytest.fixture(scope="module")
def data(labelled: Path) -> ReportData:
    return gather(labelled)


def test_labels_are_held_against_the_judge(data: ReportData) -> None:
    assert data.people is not None
    told = data.people.labels
    assert told is not None
    ann, bob = told.rows
    assert (told.labels, told.pairs) == (17, 12)
    assert dict(told.unused) == {"about responses that the run does not have": 1, "about one principle": 1}
    # Of ann's twelve pairs those of prompts 0, 4 and 8 are even for the judge; of the other nine one goes the other way.
    assert (ann.name, ann.labels, ann.ties) == ("ann", 12, 0)
    assert ann.with_judge is not None
    assert (ann.with_judge.value, ann.with_judge.count) == (pytest.approx(8 / 9), 9)
    assert (bob.labels, bob.ties, bob.skips) == (5, 1, 1)
    assert bob.with_judge is not None
    assert (bob.with_judge.value, bob.with_judge.count) == (1.0, 1)
    # With bob's tie the majority of prompt 1 is no winner any more.
    assert told.with_judge is not None
    assert told.with_judge.count == 8
    assert told.with_judge.value == pytest.approx(7 / 8)


def test_labels_that_nobody_used_are_a_finding_until_a_card_uses_them(labelled: Path) -> None:
    title = "People's labels are not used yet"
    before = {one.title: one for one in gather(labelled).notices}
    assert before[title].command.startswith("tenet card ")
    assert "This judge has not been checked against people" not in before
    write_card(labelled, make_card(labelled, replicates=50))
    try:
        after = gather(labelled)
        assert title not in {one.title for one in after.notices}
        few = next(one for one in after.notices if one.title == "Checked against few labels of people")
        assert (few.level, few.command) == (Level.CAUTION, f"tenet labels page {labelled}")
        assert "12 labelled pairs" in few.body
        assert after.principles[0].people is not None
        assert 'data-label="people"' in render(after)
    finally:
        (labelled / "card.json").unlink()


def test_labels_about_other_pairs_leave_the_judge_unchecked(tmp_path: Path) -> None:
    path = make_run(tmp_path)
    add_labels(path / "labels.jsonl", [label(number, Choice.A, "ann") for number in range(50, 53)])
    data = gather(path)
    assert data.people is not None
    assert data.people.labels is not None
    assert (data.people.labels.pairs, data.people.labels.with_judge) == (0, None)
    assert "This judge has not been checked against people" in {one.title for one in data.notices}
    assert "There is no pair yet of which both name a winner." in render(data)


def test_blends_say_whose_label_each_row_carries(labelled: Path) -> None:
    blend_run(labelled, BlendConfig(strategy="human-first"))
    (blend,) = blends_of(labelled)
    assert (blend.name, blend.strategy, blend.labelled) == ("blends/human-first", "human-first", 12)
    assert blend.rows == sum(rows for _, rows, _ in blend.sources)
    assert {name for name, _, _ in blend.sources} == {"the judge", "people"}
    manifest = json.loads((labelled / "blends/human-first/blend.json").read_text())
    assert blend.conflicts == manifest["conflicts"]
    assert blend.files[0][0].startswith("trl-preference/")
    page = render(gather(labelled))
    assert "blends/human-first" in page
    assert "by people" in page
    assert blend.files[0][2] in page


def test_a_calibration_has_its_curve_and_the_numbers_of_it(labelled: Path) -> None:
    bins = [{"said": 0.1, "found": 0.3, "share": 0.5}, {"said": 0.9, "found": 0.7, "share": 0.5}]
    report = {
        "anchors": 1200, "prompts": 900, "scored_anchors": 300, "scored": "held out", "map": "slope", "agreement": 0.93,
        "before": {"log_loss": 0.9, "brier": 0.1, "ece": 0.2}, "after": {"log_loss": 0.5, "brier": 0.1, "ece": 0.1},
        "slope_interval": {"value": 0.4, "low": 0.2, "high": None}, "curve_before": bins, "curve_after": bins,
    }  # fmt: skip
    (labelled / "other").mkdir()
    (labelled / "other" / "calibration.json").write_text(json.dumps({"report": report}))
    fit = fit_of(labelled / "other")
    assert fit is not None
    assert dict(fit.facts)["Fitted on"] == "1,200 labelled pairs of 900 prompts"
    assert dict(fit.facts)["Slope of the log-odds"] == "0.40 (95 %: 0.20 to no bound)"
    assert fit.points[0][:3] == ("as the judge gave it", "0.10", "0.30")
    assert len(fit.points) == 4
    assert [one.label for one in fit.curve.series] == ["as the judge gave it", "calibrated", "as it should be"]
    assert fit_of(labelled) is None
