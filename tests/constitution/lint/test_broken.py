"""Files broken on purpose, one or more for each rule: every one is reported at the right place by the right rule, and by no other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from constitution.lint.model import Finding, Options
from constitution.lint.rules import RULES
from constitution.lint.run import lint
from constitution.sources import shipped
from engines.base import LabelRead
from engines.embedding import MeanPooled
from judges.contradiction import ContradictionJudge
from tenet.records import Message, Prompt
from tests.judges.makers import Altered

ROOT = Path(__file__).parents[3]
BROKEN = ROOT / "tests/constitution/broken"
# file: (rule, line, column) of each finding; the number in a name is that of the rule.
EXPECTED: dict[str, list[tuple[str, int, int]]] = {
    "001-key-twice": [("TP001", 7, 5)],
    "001-latin1": [("TP001", 3, 17)],
    "001-tag": [("TP001", 6, 11)],
    "001-utf16": [("TP001", 1, 1)],
    "001-utf16-without-mark": [("TP001", 1, 1)],
    "001-yaml": [("TP001", 7, 1)],
    "002-empty": [("TP002", 1, 1)],
    "002-no-text": [("TP002", 5, 5)],
    "002-unknown-key": [("TP002", 7, 5)],
    "003-cycle": [("TP003", 3, 11)],
    "003-itself": [("TP003", 4, 11)],
    "003-missing": [("TP003", 5, 5)],
    "004-override-of-none": [("TP004", 6, 5)],
    "005-id-twice": [("TP005", 7, 5)],
    "005-id-twice-by-include": [("TP005", 6, 5)],
    "006-all-zero": [("TP006", 5, 43), ("TP006", 6, 51)],
    "006-infinite": [("TP006", 7, 5)],
    "006-nan": [("TP006", 7, 5)],
    "006-negative": [("TP006", 7, 5)],
    "007-does-not-compile": [("TP007", 8, 7)],
    "007-exponential-choice": [("TP007", 8, 7)],
    "007-nested-repeats": [("TP007", 9, 9)],
    "008-yields-in-a-circle": [("TP008", 7, 5)],
    "008-yields-to-none": [("TP008", 7, 17)],
    "009-test-of-nothing": [("TP009", 10, 9)],
    "009-test-out-of-reach": [("TP009", 9, 9)],
    "010-none-active": [("TP010", 1, 1)],
    "101-as-well-as": [("TP101", 6, 5)],
    "101-three-qualities": [("TP101", 6, 5), ("TP102", 6, 5)],
    "101-two-qualities": [("TP101", 6, 5)],
    "101-two-sentences": [("TP101", 6, 5)],
    "102-appropriate": [("TP102", 6, 5)],
    "102-good": [("TP102", 6, 5)],
    "102-if-needed": [("TP102", 6, 5)],
    "103-cares": [("TP103", 6, 5)],
    "103-wants": [("TP103", 6, 5)],
    "104-avoid": [("TP104", 6, 5)],
    "104-does-not": [("TP104", 6, 5)],
    "201-word-for-word": [("TP201", 8, 5)],
    "202-near": [("TP202", 8, 5)],
    "202-near-include": [("TP202", 7, 5)],
    "203-by-meaning": [("TP203", 8, 5)],
    "204-negated": [("TP104", 8, 5), ("TP204", 8, 5)],
    "204-opposites": [("TP204", 8, 5)],
    "205-contradiction": [("TP205", 8, 5)],
    "301-unreached": [("TP301", 7, 5)],
    "302-equal-by-default": [("TP302", 5, 3)],
    "302-equal-weights": [("TP302", 7, 5)],
    "303-tiny-weight": [("TP303", 9, 5)],
    "401-no-tests": [("TP401", 4, 5)],
    "401-one-test": [("TP401", 6, 5)],
    "501-stale-override": [("TP501", 7, 5)],
    "502-undated-override": [("TP502", 7, 5)],
    "901-unused": [("TP901", 7, 12)],
    "901-unused-in-file": [("TP901", 5, 3)],
    "902-no-reason": [("TP104", 6, 5), ("TP902", 7, 12)],
    "903-not-to-be-silenced": [("TP903", 7, 12)],
    "903-unknown-rule": [("TP903", 7, 12)],
}
ELSEWHERE = {"003-cycle": "back.yaml"}


def sure(place: int, read: LabelRead) -> LabelRead:
    """The letter of "no response can follow both", which the four ways of asking give in turn to A and B."""
    low, high = -3.0, -0.1
    return LabelRead((high, low) if place % 2 == 0 else (low, high), read.usage)


def options(name: str) -> Options:
    """What a rule needs beside the file: prompts about other things, the pocket judge as an encoder, a judge that sees a contradiction."""
    if name.startswith("203"):
        return Options(embed=MeanPooled(str(ROOT / "pocket/models/judge")).embed, close_embedding=0.4)
    if name.startswith("205"):
        return Options(judge=ContradictionJudge(Altered(read=sure)).contradict)  # type: ignore[arg-type]
    if name.startswith("301"):
        return Options(prompts=[Prompt.of([Message("user", "How do I boil an egg?")], tags=["kitchen"])])
    return Options()


def places(findings: Sequence[Finding]) -> list[tuple[str, int | None, int | None]]:
    return [(one.rule.id, one.line, one.column) for one in findings]


def test_every_broken_file_and_every_rule_is_here() -> None:
    assert {path.stem for path in BROKEN.glob("*.yaml")} == set(EXPECTED)
    assert {rule for found in EXPECTED.values() for rule, _, _ in found} == set(RULES)
    assert len(EXPECTED) >= 30


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_a_broken_file_is_reported_at_its_place_by_its_rule(name: str) -> None:
    found = lint(BROKEN / f"{name}.yaml", options(name)).open
    assert places(found) == EXPECTED[name]
    for one in found:
        assert one.path is not None
        assert one.path.name == ELSEWHERE.get(name, f"{name}.yaml")
        assert one.message
        assert one.cure


@pytest.mark.parametrize("name", shipped())
def test_shipped_files_have_no_finding_and_silence_none(name: str) -> None:
    assert [(one.rule.id, one.line, one.message) for one in lint(name).findings] == []


def test_the_shipped_general_files_together_have_no_finding(tmp_path: Path) -> None:
    path = tmp_path / "all.yaml"
    names = [name for name in shipped() if "/" not in name]
    path.write_text(f"schema_version: 1\nname: all\ninclude: [{', '.join(names)}]\n")
    assert [(one.rule.id, one.principle, one.message) for one in lint(path).findings] == []
