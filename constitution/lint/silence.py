"""Rules about silences, and the silencing itself: `lint: {TP104: "why"}` on a principle or at the top of a file.

A silence holds for what is found at its principle, or anywhere in its file. One that gives no reason silences nothing; one that silences
nothing is a finding, unless its rule did not run. What keeps a file from being loaded cannot be silenced.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from constitution.lint.model import Finding, Hit, Rule, Severity, Subject
from constitution.merge import Place
from constitution.model import Silence
from tenet.yamlfile import suggest

UNUSED: Final = "TP901"
UNEXPLAINED: Final = "TP902"
UNKNOWN: Final = "TP903"

RULES: Final = (
    Rule(UNUSED, "unused-silence", Severity.WARNING, "A rule is silenced that finds nothing there.", "remove the silence"),
    Rule(
        UNEXPLAINED, "unexplained-silence", Severity.WARNING, "A rule is silenced without a reason.",
        'say why, as in: lint: {TP104: "The law words it so."}',
    ),
    Rule(
        UNKNOWN, "unknown-silence", Severity.WARNING, "A rule is silenced that does not exist, or that cannot be silenced.",
        "see the rules with: tenet principles lint --rules",
    ),
)  # fmt: skip
_BY_ID: Final = {rule.id: rule for rule in RULES}


@dataclass(frozen=True)
class _Scope:
    """A silence with its place; `principle` is empty where it holds for a file.

    `own` is False in an included file, of which only a part may be left under the overrides.
    """

    silence: Silence
    place: Place
    principle: str
    own: bool

    def covers(self, finding: Finding) -> bool:
        if finding.rule.id != self.silence.rule:
            return False
        return finding.principle == self.principle if self.principle else finding.path == self.place.document.path


def apply(
    subject: Subject, findings: Sequence[Finding], rules: Mapping[str, Rule], ran: frozenset[str]
) -> tuple[list[Finding], list[tuple[Rule, Hit]]]:
    """Mark what a file silences, and tell what is wrong with the silences; `ran` are the ids of the rules that looked."""
    scopes = list(_scopes(subject))
    wrong = [told for scope in scopes for told in _wrong(scope, findings, rules, ran)]
    explained = [scope for scope in scopes if scope.silence.reason]
    return [_marked(finding, explained) for finding in findings], wrong


def _marked(finding: Finding, scopes: Sequence[_Scope]) -> Finding:
    reason = next((scope.silence.reason for scope in scopes if scope.covers(finding)), None)
    return finding if reason is None else replace(finding, silenced=reason)


def _wrong(
    scope: _Scope, findings: Sequence[Finding], rules: Mapping[str, Rule], ran: frozenset[str]
) -> Iterator[tuple[Rule, Hit]]:
    id_ = scope.silence.rule
    rule = rules.get(id_)
    if rule is None:
        hint = suggest(id_, rules)
        yield _BY_ID[UNKNOWN], Hit(scope.place, f'there is no rule "{id_}"', scope.principle, hint)
    elif rule.check is None:
        yield _BY_ID[UNKNOWN], Hit(scope.place, f"{id_} cannot be silenced", scope.principle, "mend what it finds")
    elif not scope.silence.reason:
        yield _BY_ID[UNEXPLAINED], Hit(scope.place, f"{id_} is silenced without a reason", scope.principle)
    elif id_ in ran and scope.own and not any(scope.covers(finding) for finding in findings):
        where = "this principle" if scope.principle else "this file"
        yield _BY_ID[UNUSED], Hit(scope.place, f"{id_} is silenced, and finds nothing in {where}", scope.principle)


def _scopes(subject: Subject) -> Iterator[_Scope]:
    own = subject.loaded.constitution.path
    for document in subject.loaded.documents:
        given = document.data.get("lint") if isinstance(document.data, dict) else None
        for rule, reason in given.items() if isinstance(given, dict) else ():
            silence = Silence(rule, str(reason or "").strip())
            yield _Scope(silence, Place(document, ("lint", rule)), "", document.path == own)
    for principle in subject.principles:
        for silence in principle.lint:
            place = subject.place(principle, "lint")
            here = Place(place.document, (*place.pointer, silence.rule))
            yield _Scope(silence, here, principle.id, place.document.path == own)
