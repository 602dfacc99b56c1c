"""Fits and thresholds on recorded verdicts of real judges, scored off the pairs that they were found on."""

from __future__ import annotations

import pytest

from benchmarks.calibration import recorded
from benchmarks.recorded_data import DATA, llmbar, pandalm
from benchmarks.selective import measure

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the recorded verdicts (../shared/data) are not here")


def test_the_readers_count_what_the_sets_hold() -> None:
    judges = {one.name: one for one in llmbar()}
    gpt = judges["llmbar/GPT-4/Vanilla"]
    assert len(judges) == 6
    assert {len(one.wins) for one in judges.values()} == {419}
    agree = sum(abs(wins - 2 * (1 - vote)) for wins, (vote,) in zip(gpt.wins, gpt.people, strict=True)) / (2 * 419)
    assert round(agree, 4) == 0.8449  # the share of single verdicts that are right
    assert {(one.name, len(one.wins), one.orders) for one in pandalm()} == {
        ("pandalm/gpt-3.5-turbo", 999, 1), ("pandalm/pandalm-7b", 999, 1), ("pandalm/both", 999, 2),
    }  # fmt: skip


def test_a_fit_lowers_the_log_loss_of_miscalibrated_judges_and_never_harms() -> None:
    rows = {str(row["judge"]): row for row in (recorded(one, 30) for one in llmbar())}
    change = {name: row["log_loss_after"] - row["log_loss_before"] for name, row in rows.items()}  # type: ignore[operator]
    assert max(change.values()) < 0.001
    assert max(float(row["worst_change"]) for row in rows.values()) < 0.01  # type: ignore[arg-type]
    for name in ("ChatGPT", "Falcon", "LLaMA2"):
        assert change[f"llmbar/{name}/Vanilla"] < -0.01


def test_the_stated_agreement_holds_on_other_halves() -> None:
    both = next(one for one in pandalm() if one.name == "pandalm/both")
    for stated in (0.70, 0.75):
        row = measure(both, stated, 150, 0.9)
        assert row["coverage"] > 0.5  # type: ignore[operator]
        assert row["violated"] <= 0.14  # type: ignore[operator]  # 0.089 over 1,000 splits
