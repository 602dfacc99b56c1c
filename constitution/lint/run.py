"""Runs the rules over principles files. What keeps a file from being loaded becomes findings too, and then no other rule runs.

Knows no output and no model; a model comes in as functions of `Options`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from constitution import codes
from constitution.lint import silence
from constitution.lint.model import Finding, Hit, Options, Rule, Severity, Subject
from constitution.lint.rules import RULES
from constitution.load import load_with_places
from constitution.sources import find
from tenet.errors import InvalidInput, Problem


@dataclass(frozen=True)
class Report:
    """What lint found in one file and all that it includes, by place; silenced findings are among them.

    `principles` are the ids of those that were looked at, with their places; empty where the file could not be loaded.
    """

    file: str
    path: Path
    findings: tuple[Finding, ...]
    principles: tuple[tuple[str, Path | None, int], ...] = ()

    @property
    def open(self) -> tuple[Finding, ...]:
        """The findings that the file does not silence."""
        return tuple(one for one in self.findings if one.silenced is None)

    def at_least(self, severity: Severity) -> tuple[Finding, ...]:
        """The open findings that are as bad as this or worse."""
        return tuple(one for one in self.open if severity is Severity.WARNING or one.severity is severity)


def lint(path_or_name: str | Path, options: Options | None = None) -> Report:
    """Look at a principles file and all that it includes, with every rule for which the options have what it needs.

    Raises:
        MissingInput: there is no such file. What is missing further down is a finding.
    """
    path = find(path_or_name)
    try:
        subject = Subject(load_with_places(path_or_name), options or Options())
    except InvalidInput as error:
        return Report(str(path_or_name), path, tuple(_of_problem(one, path) for one in error.problems))
    given = subject.options.given
    ran = [rule for rule in RULES.values() if rule.check and (not rule.needs or rule.needs in given)]
    found = [_finding(rule, hit) for rule in ran if rule.check for hit in rule.check(subject)]
    marked, wrong = silence.apply(subject, found, RULES, frozenset(rule.id for rule in ran))
    found = [*marked, *(_finding(rule, hit) for rule, hit in wrong)]
    principles = tuple((one.id, one.path, one.line) for one in subject.principles)
    return Report(str(path_or_name), path, _ordered(found, subject), principles)


def _of_problem(problem: Problem, path: Path) -> Finding:
    rule = RULES[problem.code or codes.UNREADABLE]
    cure = problem.hint or rule.cure
    return Finding(rule, problem.message, cure, problem.path or path, problem.line, problem.column)


def _finding(rule: Rule, hit: Hit) -> Finding:
    document = hit.place.document
    line, column = document.position(hit.place.pointer)
    return Finding(rule, hit.message, hit.cure or rule.cure, document.path, line, column, hit.principle)


def _ordered(findings: Sequence[Finding], subject: Subject) -> tuple[Finding, ...]:
    order = {document.path: index for index, document in enumerate(subject.loaded.documents)}
    return tuple(
        sorted(findings, key=lambda one: (order.get(one.path, 0), one.line or 0, one.column or 0, one.rule.id))
    )
