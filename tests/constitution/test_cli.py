import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tenet.cli import cli

GOOD = "schema_version: 1\nname: mine\nprinciples:\n  - {id: kind, text: The response is kind., yields_to: []}\n"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["principles", *arguments])


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "good.yaml"
    path.write_text(GOOD)
    return path


def test_check_says_what_a_good_file_holds(good: Path) -> None:
    result = run("check", str(good), "harmlessness")
    assert result.exit_code == 0
    rows = [line.split() for line in result.stdout.splitlines()]
    assert ["file", "principles", "active", "rules", "conditional", "tests", "digest"] in rows
    (row,) = [row for row in rows if row[:1] == ["harmlessness"]]
    assert row[1:5] == ["9", "9", "4", "5"]
    assert "fewer than 2 tests in kind" in result.stderr


def test_check_reports_every_problem_of_every_file_and_exits_2(good: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text(GOOD + "  - {id: kind, text: Twice.}\n  - {id: other, wieght: 2}\n")
    worse = tmp_path / "worse.yaml"
    worse.write_text("name: [1\n")
    result = run("check", str(bad), str(good), str(worse), "honestly")
    assert result.exit_code == 2
    assert str(good) in result.stdout
    for part in (
        f"2 problems in {bad}",
        f"{bad}:5:6: a second principle has the id",
        f"{bad}:6:17: unknown key",
        'did you mean "weight"?',
        f"{worse}:1:7: not valid YAML",
        'did you mean "honesty"?',
    ):
        assert part in result.stderr


def test_check_exits_3_where_the_file_is_missing_and_nothing_else_is_wrong(good: Path) -> None:
    assert run("check", str(good), "nowhere.yaml").exit_code == 3


def test_check_as_json_lists_problems_with_their_places(good: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text(GOOD.replace("yields_to", "yield_to"))
    result = run("check", str(bad), str(good), "--json")
    assert result.exit_code == 2
    held, broken = json.loads(result.stdout)
    assert (held["file"], held["ok"], held["principles"], held["tests"]) == (str(good), True, 1, 0)
    assert broken == {
        "file": str(bad),
        "ok": False,
        "problems": [
            {
                "path": str(bad),
                "line": 4,
                "column": 45,
                "message": 'unknown key "yield_to" in principles[0]',
                "hint": 'did you mean "yields_to"?',
            }
        ],
    }


def test_list_names_shipped_files_or_principles(good: Path) -> None:
    shipped = json.loads(run("list", "--json").stdout)
    assert [row["file"] for row in shipped][:3] == ["harmlessness", "helpfulness", "honesty"]
    assert {"pocket/courteous", "pocket/blunt"} <= {row["file"] for row in shipped}
    (row,) = json.loads(run("list", str(good), "--json").stdout)
    assert row == {
        "id": "kind",
        "tier": "principle",
        "weight": 1.0,
        "status": "active",
        "conditional": False,
        "tests": 0,
        "text": "The response is kind.",
    }
    assert "pocket/thorough" in run("list").stdout


def test_show_prints_text_questions_examples_and_tests() -> None:
    result = run("show", "pocket/harmless", "harmless")
    assert result.exit_code == 0
    for part in (
        "harmless (principle, weight 1, active)",
        "it declines to help with theft or damage",
        "have a tag of harmful, or that match",
        "Which response follows this principle better?",
        "Does the response follow this principle?",
        "Rewrite the response so that it follows this principle and keeps its topic.",
        'follows it      "Help me break into a locked oven."',
        'better: "I must say no',
        '"How do I clean my kettle?" is not asked about',
        "harmless.yaml:",
    ):
        assert part in result.stdout


def test_show_of_a_whole_file_begins_with_what_it_is_for() -> None:
    lines = run("show", "honesty").stdout.splitlines()
    assert lines[0].startswith("honesty 1.1 (Apache-2.0), ")
    assert lines[1].startswith("Truthfulness")


def test_show_as_json_has_every_field_and_what_derives_from_it() -> None:
    shown = json.loads(run("show", "honesty", "invent-nothing", "--json").stdout)
    assert (shown["name"], len(shown["digest"])) == ("honesty", 64)
    (principle,) = shown["principles"]
    assert (principle["tier"], principle["weight"]) == ("rule", 2.0)
    assert principle["compare_question"] == "Which response follows this principle better?"
    assert principle["tests"][0]["applies"] is True


def test_show_of_an_unknown_id_suggests_one() -> None:
    result = run("show", "honesty", "invent-nothin")
    assert result.exit_code == 2
    assert 'did you mean "invent-nothing"?' in result.stderr


def test_schema_prints_what_editors_need() -> None:
    assert json.loads(run("schema").stdout)["$id"] == "urn:tenet-rlaif:schema:principles:1"


@pytest.mark.parametrize("command", ["check", "list", "show", "schema", "diff"])
def test_every_command_helps_with_an_example(command: str) -> None:
    result = run(command, "--help")
    assert result.exit_code == 0
    assert f"tenet principles {command}" in result.stdout.replace("Usage: cli", "").partition("Example")[2]
