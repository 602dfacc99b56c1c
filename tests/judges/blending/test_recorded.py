"""PandaLM's recorded judges and people: the reference values, and routing against the rule of agreeing judges at the same human share."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.blend_pandalm import measure, scored
from benchmarks.recorded_data import DATA, pandalm_choices

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the recorded verdicts are not here")


def test_the_reference_values_are_those_of_these_files() -> None:
    judges, people = pandalm_choices()
    agree = (judges[:, 0] == judges[:, 1]) & (judges[:, 0] >= 0)
    assert agree.mean() == pytest.approx(0.6847, abs=5e-5)
    assert scored(judges[agree, 0], people[agree])["vs majority"] == pytest.approx(0.8070, abs=5e-5)
    rule = scored(np.where(agree, judges[:, 0], people[:, 0]), people)
    assert rule["vs majority"] == pytest.approx(0.8519, abs=5e-5)
    assert rule["vs both"] == pytest.approx(0.864, abs=5e-4)
    assert (rule["vs 2"] + rule["vs 3"]) / 2 == pytest.approx(0.832, abs=5e-4)


def test_routing_is_at_least_as_good_as_the_rule_at_the_same_human_share() -> None:
    rows = {(row["way"], row["share"]): row for row in measure(*pandalm_choices(), splits=40)}
    rule, routed = rows["agree", 0.315], rows["routed", 0.315]
    assert routed["human"] == pytest.approx(rule["human"], abs=0.01)
    assert routed["vs both"] >= rule["vs both"]
    for share in (0.1, 0.2, 0.315, 0.5):
        assert rows["routed", share]["vs both"] > rows["naive mix", share]["vs both"]
