"""Writes what lint found: lines for people, plain values for `--json`, SARIF 2.1.0 for code hosts, JUnit XML for CI servers.

SARIF as in the OASIS standard "Static Analysis Results Interchange Format (SARIF) Version 2.1.0"; JUnit in the dialect that pytest
writes. Knows no rule.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote
from xml.etree import ElementTree as ET

from constitution.lint.model import Finding, Rule, Severity
from constitution.lint.run import Report
from tenet.environment import version
from tenet.ids import Json, content_id

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def line(finding: Finding) -> str:
    """One finding for a person: place, rule, reason, and the cure beneath."""
    where = ":".join(str(part) for part in (finding.path, finding.line, finding.column) if part is not None)
    return f"{where}: {finding.rule.id} {finding.severity.value}: {finding.message}\n  {finding.cure}"


def as_json(report: Report) -> dict[str, Json]:
    """What `--json` prints of one file."""
    return {"file": report.file, "findings": [_plain(one) for one in report.findings]}


def _plain(finding: Finding) -> dict[str, Json]:
    return {
        "rule": finding.rule.id,
        "name": finding.rule.name,
        "severity": finding.severity.value,
        "path": str(finding.path),
        "line": finding.line,
        "column": finding.column,
        "principle": finding.principle or None,
        "message": finding.message,
        "cure": finding.cure,
        "silenced": finding.silenced,
    }


def sarif(reports: Sequence[Report], rules: Mapping[str, Rule], root: Path) -> str:
    """One SARIF log; paths under `root` are relative to it. What files silence is in it, as suppressed in the source."""
    order = {id_: index for index, id_ in enumerate(rules)}
    findings = _once(reports)
    log: dict[str, Json] = {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {"name": "tenet", "version": version(), "rules": [_rule(one) for one in rules.values()]}
                },
                "columnKind": "unicodeCodePoints",
                "results": [_result(one, order[one.rule.id], root) for one in findings],
            }
        ],
    }
    return json.dumps(log, indent=2, ensure_ascii=False) + "\n"


def _once(reports: Sequence[Report]) -> list[Finding]:
    """Gather findings; what two files found in one that both include comes once."""
    kept = {
        (one.rule.id, one.path, one.line, one.column, one.message): one for report in reports for one in report.findings
    }
    return list(kept.values())


def _rule(rule: Rule) -> dict[str, Json]:
    return {
        "id": rule.id,
        "name": "".join(word.capitalize() for word in rule.name.split("-")),
        "shortDescription": {"text": rule.summary},
        "help": {"text": rule.cure},
        "defaultConfiguration": {"level": rule.severity.value},
    }


def _result(finding: Finding, index: int, root: Path) -> dict[str, Json]:
    physical: dict[str, Json] = {"artifactLocation": {"uri": _uri(finding.path, root)}}
    if finding.line is not None:
        column: dict[str, Json] = {"startColumn": finding.column} if finding.column is not None else {}
        physical["region"] = {"startLine": finding.line, **column}
    place = finding.principle or finding.message
    result: dict[str, Json] = {
        "ruleId": finding.rule.id,
        "ruleIndex": index,
        "level": finding.severity.value,
        "message": {"text": f"{finding.message}. Cure: {finding.cure}"},
        "locations": [{"physicalLocation": physical}],
        "partialFingerprints": {"rulePlace/v1": content_id("lint", finding.rule.id, _uri(finding.path, root), place)},
    }
    if finding.silenced is not None:
        result["suppressions"] = [{"kind": "inSource", "justification": finding.silenced}]
    return result


def _uri(path: Path | None, root: Path) -> str:
    full = (path or Path()).resolve()
    if full.is_relative_to(root.resolve()):
        return quote(full.relative_to(root.resolve()).as_posix())
    return full.as_uri()


def junit(reports: Sequence[Report], least: Severity | None) -> str:
    """A suite a file and a case a principle; findings of the severity `least` or worse are failures, others are told beside."""
    root = ET.Element("testsuites", name="tenet principles lint")
    for report in reports:
        cases = _cases(report)
        failing = {id_: [one for one in found if _fails(one, least)] for id_, found in cases.items()}
        suite = ET.SubElement(
            root, "testsuite", name=report.file, tests=str(len(cases)), failures=str(sum(map(bool, failing.values()))),
            errors="0", skipped="0",
        )  # fmt: skip
        for id_, found in cases.items():
            case = ET.SubElement(suite, "testcase", classname=report.file, name=id_ or "file", time="0")
            if failing[id_]:
                first = failing[id_][0]
                failure = ET.SubElement(case, "failure", type=first.rule.id, message=first.message)
                failure.text = "\n".join(line(one) for one in failing[id_])
            beside = [one for one in found if one not in failing[id_]]
            if beside:
                ET.SubElement(case, "system-out").text = "\n".join(_told(one) for one in beside)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=False) + "\n"


def _fails(finding: Finding, least: Severity | None) -> bool:
    if least is None or finding.silenced is not None:
        return False
    return least is Severity.WARNING or finding.severity is least


def _told(finding: Finding) -> str:
    return line(finding) + (f"\n  silenced: {finding.silenced}" if finding.silenced is not None else "")


def _cases(report: Report) -> dict[str, list[Finding]]:
    """Sort findings by principle; the empty name is the file itself."""
    cases: dict[str, list[Finding]] = {"": [], **{id_: [] for id_, _, _ in report.principles}}
    for one in report.findings:
        cases.setdefault(one.principle, []).append(one)
    return cases
