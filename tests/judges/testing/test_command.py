"""`tenet principles test` with scripted judges, the pocket judge and records of verdicts."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner, Result

from constitution.load import load
from constitution.model import Principle, PrincipleTest
from constitution.sources import shipped
from constitution.testrecord import judged_tests, read_record, recorded_judges, shipped_records
from engines.loading import find_model
from judges.asks import load_template
from judges.testing.run import Case, check_with_record
from judges.testing.run import Result as Outcome
from pocket import JUDGE_PATH
from principles import GROUPS
from tenet.cli import cli

POCKET = [name for name in shipped() if name.startswith("pocket/")]
RECORD = Path(__file__).parents[3] / "principles/recorded/pocket-judge.json"
FILE = """schema_version: 1
name: mine
principles:
  - id: full
    text: The response says much.
    applies_when: {pattern: "egg"}
    tests:
      - {prompt: How do I boil an egg?, better: Put it into hot water and wait for six minutes., worse: Boil it.}
      - {prompt: How do I fry an egg?, better: In a pan., worse: In a pan with a little oil until the white is firm.}
      - {prompt: How do I boil rice?, applies: false}
  - id: old
    text: The response is in Latin.
    status: retired
    tests:
      - {prompt: Hello?, better: Salve., worse: Hello there my friend.}
  - id: bare
    text: The response greets.
"""


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["principles", "test", *map(str, arguments)])


def scripted(*arguments: object) -> Result:
    return run(*arguments, "--engine", "scripted")


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    path = tmp_path / "mine.yaml"
    path.write_text(FILE)
    return path


def test_each_test_passes_or_fails_with_its_probability(mine: Path, tmp_path: Path) -> None:
    out = tmp_path / "out" / "tests.xml"
    result = scripted(mine, "--judge", "longer", "--junit", out, "--json")
    assert result.exit_code == 2
    first, second, third = json.loads(result.stdout)
    assert (first["result"], second["result"], third["result"]) == ("passed", "failed", "passed")
    assert first["p_better"] == pytest.approx(121 / (121 + 9))  # (words + 1) squared: 10 words against 2
    assert first["p_better_first"] == pytest.approx(first["p_worse_first"])
    assert second["p_better"] < 0.5
    assert (third["applies"], third["p_better"]) == (False, None)
    assert "mine.yaml: no tests in bare" in result.stderr
    assert (
        "3 tests, judged by longer: 2 passed, 1 failed; 0 with orders that disagree; 1 needed no judge" in result.stderr
    )
    (suite,) = ET.parse(out).getroot()
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("3", "1", "0")
    failure = suite[1].find("failure")
    assert failure is not None
    assert f'{mine}:4: full, test 2 ("How do I fry an egg?")' in (failure.text or "")


def test_the_least_probability_can_be_raised(mine: Path) -> None:
    wanted = json.loads(scripted(mine, "--judge", "longer", "--min-p", "0.95", "--json").stdout)
    assert [one["result"] for one in wanted] == ["failed", "failed", "passed"]
    assert wanted[0]["reason"] == "P(better) is 0.931; at least 0.95 is needed"


def test_orders_that_disagree_are_named_and_a_tie_never_passes(mine: Path) -> None:
    text = scripted(mine, "--judge", "longer", "--set", "options.position_bias=4").stdout
    assert "the orders disagree: P(better) is 0.999 shown first and 0.198 shown second" in text
    level = scripted(mine, "--judge", "longer", "--set", "options.gain=0", "--json")
    assert level.exit_code == 2
    assert [(one["result"], one["p_better"]) for one in json.loads(level.stdout)[:2]] == [("failed", 0.5)] * 2


@pytest.mark.parametrize(("fault", "reason"), [("errors", "a fault on order"), ("low_mass", "label mass 0.1 is below")])
def test_what_cannot_be_read_is_a_failure_with_its_reason(mine: Path, tmp_path: Path, fault: str, reason: str) -> None:
    out = tmp_path / "tests.xml"
    result = scripted(mine, "--judge", "longer", "--set", f"options.{fault}=1", "--junit", out)
    assert result.exit_code == 2
    assert result.stdout.count(reason) == 2
    assert "1 passed, 2 unreadable" in result.stderr
    (suite,) = ET.parse(out).getroot()
    assert (suite.get("failures"), suite.get("errors")) == ("0", "2")


def test_a_record_stands_in_for_the_judge_until_a_test_changes(mine: Path, tmp_path: Path) -> None:
    record = tmp_path / "verdicts.json"
    asked = scripted(mine, "--judge", "longer", "--record", record, "--judge-name", "the longer one", "--json")
    held = run(mine, "--recorded", record, "--json")
    assert held.exit_code == asked.exit_code == 2
    before, after = (json.loads(one.stdout) for one in (asked, held))
    assert [one["result"] for one in before] == [one["result"] for one in after]
    assert after[0]["p_better"] == pytest.approx(before[0]["p_better"], abs=1e-4)
    assert "judged by the longer one" in held.stderr
    mine.write_text(FILE.replace("In a pan.,", "In a hot pan.,"))
    stale = run(mine, "--recorded", record)
    assert stale.exit_code == 2
    assert "1 stale" in stale.stderr
    assert 'full, test 2 ("How do I fry an egg?"): stale: no recorded verdict' in stale.stdout
    mine.write_text(FILE.replace("says much", "says a lot"))
    assert "2 stale" in run(mine, "--recorded", record).stderr


def test_a_record_of_another_template_is_refused(mine: Path, tmp_path: Path) -> None:
    record = tmp_path / "verdicts.json"
    scripted(mine, "--judge", "longer", "--record", record)
    record.write_text(record.read_text().replace(load_template("pairwise").digest, "0" * 64))
    result = run(mine, "--recorded", record)
    assert result.exit_code == 2
    assert "another template of questions" in result.stderr


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema_version": 9}', FILE])
def test_what_is_no_record_is_told(mine: Path, tmp_path: Path, text: str) -> None:
    record = tmp_path / "verdicts.json"
    record.write_text(text)
    result = run(mine, "--recorded", record)
    assert result.exit_code == 2
    assert "it is no record of version 1" in result.stderr
    assert run(mine, "--recorded", tmp_path / "nowhere.json").exit_code == 3


def test_a_probability_in_a_record_is_one(mine: Path, tmp_path: Path) -> None:
    record = tmp_path / "verdicts.json"
    scripted(mine, "--judge", "longer", "--record", record)
    data = json.loads(record.read_text())
    data["verdicts"][0]["better_first"] = 1.5
    record.write_text(json.dumps(data))
    assert "1.5 is no probability" in run(mine, "--recorded", record).stderr


def test_a_prompt_that_should_be_left_alone_and_is_not_fails_without_a_judge() -> None:
    """Loading a file refuses this already; records made in code are checked all the same."""
    everywhere = Principle("a", "The response is kind.", tests=(PrincipleTest("Hello?", applies=False),))
    (found,) = check_with_record(read_record(RECORD), [Case("mine", everywhere, 1, everywhere.tests[0])])
    assert (found.result, found.p) == (Outcome.FAILED, None)
    assert found.reason == "the principle applies to a prompt that it should leave alone"


def test_one_principle_can_be_tested(mine: Path) -> None:
    courteous = run("pocket/courteous", "pocket/blunt", "--recorded", RECORD, "--principle", "blunt", "--json")
    assert {one["principle"] for one in json.loads(courteous.stdout)} == {"blunt"}
    wrong = scripted(mine, "--judge", "longer", "--principle", "ful")
    assert wrong.exit_code == 2
    assert 'no file has a principle "ful"' in wrong.stderr
    nothing = scripted(mine, "--judge", "longer", "--principle", "bare")
    assert "there is no test to run" in nothing.stderr


def test_a_judge_or_a_record_is_needed_and_not_both(mine: Path) -> None:
    assert run(mine).exit_code == 2
    assert run(mine, "--judge", "longer", "--recorded", RECORD).exit_code == 2
    assert run(mine, "--recorded", RECORD, "--record", "more.json").exit_code == 2


@pytest.mark.parametrize("name", POCKET)
def test_the_pocket_files_pass_by_the_recorded_pocket_judge(name: str) -> None:
    result = run(name, "--recorded", RECORD)
    assert result.exit_code == 0, result.output


def test_the_record_is_up_to_date() -> None:
    record = read_record(RECORD)
    assert record.judge == "pocket/judge"
    assert record.model["revision"] == find_model(str(JUDGE_PATH)).revision
    assert record.template == load_template("pairwise").digest
    assert len(record.verdicts) == sum(1 for name in POCKET for _ in judged_tests(load(name)))


def test_the_pocket_judge_says_now_what_is_recorded(tmp_path: Path) -> None:
    fresh = tmp_path / "fresh.json"
    files = ["pocket/courteous", "pocket/honest"]
    result = run(*files, "--judge", JUDGE_PATH, "--record", fresh)
    assert result.exit_code == 0, result.output
    now, then = read_record(fresh), read_record(RECORD)
    assert now.model == then.model
    assert len(now.verdicts) == 6
    for name, verdict in now.verdicts.items():
        assert verdict.better_first == pytest.approx(then.verdicts[name].better_first, abs=0.01)
        assert verdict.worse_first == pytest.approx(then.verdicts[name].worse_first, abs=0.01)


def test_check_says_whose_verdicts_are_recorded() -> None:
    said = CliRunner().invoke(cli, ["principles", "check", "honesty", "pocket/blunt"]).stderr
    assert "honesty: verdicts on its tests are recorded of no judge yet" in said
    assert "pocket/blunt: verdicts on its tests are recorded of pocket/judge" in said
    records = shipped_records()
    assert [name for names in GROUPS.values() for name in names if recorded_judges(load(name), records)] == []
