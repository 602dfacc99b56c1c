"""Judges by name."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from judges.pairwise import Mode
from judges.registry import create_judge
from tenet.errors import UsageError
from tenet.runconfig import JudgeConfig
from tests.judges.makers import constitution_of, principle, scripted

FILE = constitution_of(principle("kind"))
CONFIG = JudgeConfig(model="longer", engine="scripted", principles="each", min_label_mass=0.7)


def test_a_judge_is_made_as_configured() -> None:
    judge = create_judge(scripted(), FILE, CONFIG, seed=5)
    assert (judge.mode, judge.min_label_mass, judge.seed) == (Mode.EACH, 0.7, 5)


def test_an_unknown_kind_names_the_known_ones() -> None:
    wrong: Any = replace(CONFIG, kind="pairwise")
    object.__setattr__(wrong, "kind", "oracle")
    with pytest.raises(UsageError, match=r"judge\.kind: 'oracle' is none of pairwise"):
        create_judge(scripted(), FILE, wrong, seed=0)
