"""The forms in which findings leave: SARIF by the structure that the standard demands, JUnit, JSON, text, and exit codes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner, Result
from jsonschema import Draft202012Validator

from constitution.lint.rules import RULES
from tenet.cli import cli

ROOT = Path(__file__).parents[3]
BODY = """schema_version: 1
name: mine
lint: {TP401: "Tests come next week: \\"soon\\" & <surely>."}
principles:
  - {id: a, text: Avoid jargon.}
  - {id: b, text: The title is short.}
  - {id: c, text: The title is short.}
"""


def _table(required: str, **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "required": required.split(),
        "properties": properties,
        "additionalProperties": False,
    }


def _list(item: Any, **more: Any) -> dict[str, Any]:
    return {"type": "array", "items": item, **more}


# The parts of SARIF 2.1.0 that we write, by the clauses of the standard that define them: 3.13 sarifLog, 3.14 run, 3.19 toolComponent,
# 3.49 reportingDescriptor, 3.27 result, 3.28 location, 3.29 physicalLocation, 3.4 artifactLocation, 3.30 region, 3.35 suppression.
TEXT = {"type": "string"}
MESSAGE = _table("text", text=TEXT)
LEVEL = {"enum": ["none", "note", "warning", "error"]}
COUNT = {"type": "integer", "minimum": 1}
RULE = _table(
    "id", id=TEXT, name=TEXT, shortDescription=MESSAGE, help=MESSAGE, defaultConfiguration=_table("", level=LEVEL)
)
PHYSICAL = _table(
    "artifactLocation",
    artifactLocation=_table("uri", uri={"type": "string", "pattern": r"^[\w!#$%&'()*+,./:;=?@~\[\]-]+$"}),
    region=_table("startLine", startLine=COUNT, startColumn=COUNT),
)
RESULT = _table(
    "message",
    ruleId=TEXT,
    ruleIndex={"type": "integer", "minimum": 0},
    level=LEVEL,
    message=MESSAGE,
    locations=_list(_table("", physicalLocation=PHYSICAL)),
    partialFingerprints={"type": "object", "additionalProperties": TEXT},
    suppressions=_list(_table("kind", kind={"enum": ["inSource", "external"]}, justification=TEXT), uniqueItems=True),
)
RUN = _table(
    "tool",
    tool=_table("driver", driver=_table("name", name=TEXT, version=TEXT, rules=_list(RULE, uniqueItems=True))),
    columnKind={"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
    results=_list(RESULT),
)
SARIF = _table(
    "version runs", **{"$schema": {"type": "string", "format": "uri"}}, version={"const": "2.1.0"}, runs=_list(RUN)
)


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, ["principles", "lint", *map(str, arguments)])


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "my principles é.yaml"
    path.write_text(BODY, encoding="utf-8")
    return path


def test_text_goes_to_stdout_with_the_counts_on_stderr(mine: Path) -> None:
    result = run(mine)
    assert result.exit_code == 2
    assert result.stdout.splitlines() == [
        f'{mine}:5:13: TP104 warning: "Avoid" says what to leave out, not what to do',
        "  name the behaviour to prefer; judges agree better with people on positive wording",
        f'{mine}:7:13: TP201 error: "c" says word for word what "b" ({mine.name}:6) says',
        "  keep one of the two",
    ]
    assert result.stderr == "1 file: 1 error, 1 warning, 3 silenced\n"


def test_exit_codes_follow_the_severity_that_fails(mine: Path, tmp_path: Path) -> None:
    mild = tmp_path / "mild.yaml"
    mild.write_text(BODY[: BODY.index("  - {id: b")])
    assert run(mild).exit_code == 2
    assert run(mild, "--fail-on", "error").exit_code == 0
    assert run(mine, "--fail-on", "error").exit_code == 2
    assert run(mine, "--fail-on", "never").exit_code == 0
    assert run("honesty", "pocket/courteous").exit_code == 0
    assert run("nowhere.yaml").exit_code == 3
    assert run().exit_code == 2


def test_json_has_every_finding_and_what_is_silenced(mine: Path) -> None:
    (file,) = json.loads(run(mine, "--json").stdout)
    assert file["file"] == str(mine)
    assert [one["rule"] for one in file["findings"]] == ["TP401", "TP104", "TP401", "TP401", "TP201"]
    assert file["findings"][1] == {
        "rule": "TP104",
        "name": "negated",
        "severity": "warning",
        "path": str(mine),
        "line": 5,
        "column": 13,
        "principle": "a",
        "message": '"Avoid" says what to leave out, not what to do',
        "cure": "name the behaviour to prefer; judges agree better with people on positive wording",
        "silenced": None,
    }
    assert file["findings"][0]["silenced"] == 'Tests come next week: "soon" & <surely>.'


def test_sarif_has_the_structure_of_the_standard(mine: Path, tmp_path: Path) -> None:
    out = tmp_path / "out" / "lint.sarif"
    broken = sorted((ROOT / "tests/constitution/broken").glob("*.yaml"))
    assert run(mine, *broken, "--sarif", out).exit_code == 2
    log = json.loads(out.read_text("utf-8"))
    assert [error.message for error in Draft202012Validator(SARIF).iter_errors(log)] == []
    (one,) = log["runs"]
    rules = one["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == list(RULES)
    assert all(rules[result["ruleIndex"]]["id"] == result["ruleId"] for result in one["results"])
    prints = [json.dumps(result["partialFingerprints"]) for result in one["results"]]
    assert len(set(prints)) == len(prints)
    ours = [
        result for result in one["results"] if result["locations"][0]["physicalLocation"]["region"]["startLine"] == 7
    ]
    found = next(result for result in ours if result["ruleId"] == "TP201")
    assert found["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "my%20principles%20%C3%A9.yaml"},
        "region": {"startLine": 7, "startColumn": 13},
    }
    assert found["level"] == "error"
    silenced = [result for result in one["results"] if result["locations"] == found["locations"] and result != found]
    assert silenced == []
    (kept,) = {json.dumps(result["suppressions"]) for result in one["results"][:5] if "suppressions" in result}
    assert json.loads(kept) == [{"kind": "inSource", "justification": 'Tests come next week: "soon" & <surely>.'}]


def test_the_structure_refuses_what_the_standard_does() -> None:
    bad = {"version": "2.1.0", "runs": [{"tool": {"driver": {}}, "results": [{"level": "fatal"}]}]}
    messages = {error.message for error in Draft202012Validator(SARIF).iter_errors(bad)}
    assert {"'name' is a required property", "'message' is a required property"} <= messages
    assert any("'fatal' is not one of" in message for message in messages)


def test_junit_counts_principles_and_fails_those_with_findings(mine: Path, tmp_path: Path) -> None:
    out = tmp_path / "lint.xml"
    run(mine, "honesty", "--junit", out, "--fail-on", "error")
    suites = list(ET.parse(out).getroot())
    assert [(suite.get("name"), suite.get("tests"), suite.get("failures")) for suite in suites] == [
        (str(mine), "4", "1"),
        ("honesty", str(len(suites[1])), "0"),
    ]
    cases = {case.get("name"): case for case in suites[0]}
    assert list(cases) == ["file", "a", "b", "c"]
    failure = cases["c"].find("failure")
    assert failure is not None
    assert failure.get("type") == "TP201"
    assert f"{mine}:7:13: TP201 error" in (failure.text or "")
    assert cases["a"].find("failure") is None
    beside = cases["a"].findtext("system-out", "")
    assert "TP104 warning" in beside
    assert 'silenced: Tests come next week: "soon" & <surely>.' in beside


def test_an_output_that_cannot_be_written_is_told(mine: Path) -> None:
    result = run(mine, "--sarif", mine / "below.sarif")
    assert result.exit_code == 3
    assert "cannot write" in result.stderr


def test_rules_lists_every_rule() -> None:
    rows = json.loads(run("--rules", "--json").stdout)
    assert [row["rule"] for row in rows] == list(RULES)
    assert {row["rule"]: row["needs"] for row in rows if row["needs"]} == {
        "TP203": "--embeddings",
        "TP205": "--judge",
        "TP301": "--prompts",
    }
    text = run("--rules").stdout
    assert all(rule.id in text and rule.name in text for rule in RULES.values())


def test_prompts_are_read_from_a_file(tmp_path: Path) -> None:
    prompts = tmp_path / "prompts.jsonl"
    prompts.write_text('{"prompt": "How do I boil an egg?"}\n')
    result = run("pocket/honest", "pocket/courteous", "--prompts", prompts)
    assert result.exit_code == 2
    assert "TP301 warning: none of the 1 prompts has what" in result.stdout
    prompts.write_text('{"prompt": "What will a tablet cost in ten years?"}\n')
    assert run("pocket/honest", "--prompts", prompts).exit_code == 0


def test_a_real_judge_and_a_real_encoder_take_part(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(BODY + "  - {id: d, text: The body of the answer is long.}\n")
    model = ROOT / "pocket/models/judge"
    result = run(path, "--judge", model, "--embeddings", model, "--close-embedding", 0.5, "--json")
    assert result.exit_code == 2, result.stderr
    (file,) = json.loads(result.stdout)
    assert {"TP104", "TP201"} <= {one["rule"] for one in file["findings"]}
    assert run(path, "--judge", model, "--set", "sampling=1").exit_code == 2
    assert run(path, "--judge", tmp_path / "nowhere").exit_code == 3


def test_stamp_says_what_it_did(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(BODY + "  - {id: d, text: The date is named., compare: Which date?}\n")
    arguments = ["principles", "stamp", str(path)]
    assert CliRunner().invoke(cli, arguments).stderr == f"{path}: stamped d\n"
    assert CliRunner().invoke(cli, arguments).stderr == f"{path}: nothing to stamp\n"
    assert json.loads(CliRunner().invoke(cli, [*arguments, "--json"]).stdout) == {"file": str(path), "stamped": []}


def test_the_page_names_every_rule_with_what_it_finds() -> None:
    page = (ROOT / "docs/lint.md").read_text("utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| TP")]
    assert rows == [
        f"| {rule.id} | {rule.name} | {rule.severity.value} | {rule.summary}"
        f"{f' Needs `{rule.needs}`.' if rule.needs else ''} |"
        for rule in RULES.values()
    ]


def test_the_hook_runs_a_command_that_there_is() -> None:
    from tenet.yamlfile import load_yaml

    (hook,) = load_yaml(ROOT / ".pre-commit-hooks.yaml").data  # type: ignore[misc]
    assert isinstance(hook, dict)
    assert {"id", "name", "entry", "language", "files"} <= set(hook)
    program, *words = str(hook["entry"]).split()
    assert program == "tenet"
    assert CliRunner().invoke(cli, [*words, "honesty"]).exit_code == 0
