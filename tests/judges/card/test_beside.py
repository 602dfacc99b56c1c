"""What a card takes from the files of other commands: what is there, by name; nothing is made up and nothing unknown is an error."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from judges.card.beside import beside
from tenet.errors import InvalidInput


def write(folder: Path, name: str, value: object) -> None:
    (folder / name).write_text(json.dumps(value))


def test_an_empty_folder_has_nothing(tmp_path: Path) -> None:
    assert beside(tmp_path) == {}


def test_a_calibration_before_and_after(tmp_path: Path) -> None:
    report = {
        "anchors": 210, "scored": "cross-validated", "before": {"log_loss": 0.7, "ece": 0.1}, "after": {"log_loss": 0.6},
        "curve_before": [{"said": 0.5}],
    }  # fmt: skip
    write(tmp_path, "calibration.json", {"fit": {"map": "slope", "slope": 0.5}, "report": report, "anchors": [[1]]})
    assert beside(tmp_path)["calibration"] == {
        "map": "slope", "slope": 0.5, "anchors": 210, "scored": "cross-validated", "log_loss_before": 0.7, "ece_before": 0.1,
        "log_loss_after": 0.6,
    }  # fmt: skip


def test_a_panels_weights_and_whatever_an_audit_says(tmp_path: Path) -> None:
    write(
        tmp_path,
        "panel.json",
        {"learnt_from": "anchors", "anchors": 40.0, "accuracies": {"one": 0.8}, "members": {"k": "one"}},
    )
    write(
        tmp_path,
        "audit.json",
        {
            "steerability": 0.95,
            "injection": {"flip_rate": 0.02, "worst": {"name": "grade", "flips": 3}},
            "rows": [1, 2],
            "note": "x" * 200,
        },
    )
    found = beside(tmp_path)
    assert found["panel"] == {"learnt_from": "anchors", "anchors": 40.0, "right in one order: one": 0.8}
    assert found["audit"] == {
        "steerability": 0.95, "injection.flip_rate": 0.02, "injection.worst.name": "grade", "injection.worst.flips": 3,
    }  # fmt: skip


@pytest.mark.parametrize("text", ["{", "[1]", '"x"'])
def test_a_file_that_is_no_object_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "audit.json").write_text(text)
    with pytest.raises(InvalidInput, match=r"audit\.json"):
        beside(tmp_path)
