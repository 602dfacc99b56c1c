"""Writes how tests of principles files went: a row a principle, lines for people, plain values for `--json`, JUnit XML.

JUnit in the dialect that pytest writes. Knows no judge.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from xml.etree import ElementTree as ET

from judges.testing.run import Checked, Result
from tenet.ids import Json

COLUMNS = ("file", "principle", "passed", "of", "least p", "order flips", "failed")


def rows(checked: Sequence[Checked]) -> list[list[Json]]:
    """A row a principle under `COLUMNS`; `least p` is the lowest P(better) of its tests."""
    found: list[list[Json]] = []
    for (file, id_), grouped in groupby(checked, key=lambda one: (one.case.file, one.case.principle.id)):
        group = list(grouped)
        failed = [str(one.case.number) for one in group if one.result is not Result.PASSED]
        least = min((one.p for one in group if one.p is not None), default=None)
        flips = sum(one.flipped for one in group)
        found.append([file, id_, len(group) - len(failed), len(group), least, flips, ", ".join(failed)])
    return found


def line(one: Checked) -> str:
    """A failure or an order flip for a person: place, principle, test, reason."""
    case = one.case
    where = f"{case.principle.path or case.file}:{case.principle.line}"
    told = f"{one.result.value}: {one.reason}" if one.reason else one.result.value
    return "; ".join([f'{where}: {case.principle.id}, test {case.number} ("{case.test.prompt}"): {told}', *_flip(one)])


def as_json(one: Checked) -> dict[str, Json]:
    """What `--json` prints of one test."""
    verdict = one.verdict
    return {
        "file": one.case.file,
        "principle": one.case.principle.id,
        "test": one.case.number,
        "prompt": one.case.test.prompt,
        "applies": one.case.test.applies,
        "result": one.result.value,
        "p_better": one.p,
        "p_better_first": None if verdict is None else verdict.better_first,
        "p_worse_first": None if verdict is None else verdict.worse_first,
        "flipped": one.flipped,
        "reason": one.reason,
    }


def junit(checked: Sequence[Checked]) -> str:
    """A suite a file and a case a test; what the judge did not answer, and what no record holds, are errors."""
    root = ET.Element("testsuites", name="tenet principles test")
    for file, grouped in groupby(checked, key=lambda one: one.case.file):
        group = list(grouped)
        failures = sum(one.result is Result.FAILED for one in group)
        errors = sum(one.result in (Result.UNREADABLE, Result.STALE) for one in group)
        suite = ET.SubElement(
            root, "testsuite", name=file, tests=str(len(group)), failures=str(failures), errors=str(errors), skipped="0"
        )
        for one in group:
            _case(suite, one)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=False) + "\n"


def _case(suite: ET.Element, one: Checked) -> None:
    name = f"{one.case.principle.id}: {one.case.test.prompt}"
    case = ET.SubElement(suite, "testcase", classname=one.case.file, name=name, time="0")
    if one.result is not Result.PASSED:
        kind = "failure" if one.result is Result.FAILED else "error"
        ET.SubElement(case, kind, type=one.result.value, message=one.reason).text = line(one)
    if one.p is not None:
        ET.SubElement(case, "system-out").text = "; ".join([f"P(better) {one.p:.4f}", *_flip(one)])


def _flip(one: Checked) -> list[str]:
    if not one.flipped or one.verdict is None:
        return []
    first, second = one.verdict.better_first, one.verdict.worse_first
    return [f"the orders disagree: P(better) is {first:.3f} shown first and {second:.3f} shown second"]
