"""What the numbers say of each principle: rules with every threshold in one place. Knows no run and no page.

A finding is made from the end of a 95 % interval that speaks against it, so that a few pairs give none.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Final

from generate.coverage.model import Agreement, Coverage, Finding, Kind, PrincipleCoverage
from generate.report.model import Level, Notice
from tenet.console import plural

REDUNDANT_SHARE: Final = 0.05
"""Without a redundant principle fewer winners than this change, at the upper end of the interval."""
REDUNDANT_MOVE: Final = 0.25
"""Without a redundant principle log-odds move by no more than this, on average."""
REPEATS: Final = 0.9
"""Two principles that name the same winner more often than this, at the lower end, say the same ..."""
REPEATS_GAP: Final = 1.0
"""... if their log-odds are no farther apart than this, on average."""
OPPOSES: Final = 0.5
"""Two principles that name the same winner less often than this, at the upper end, are at odds."""


def found(row: PrincipleCoverage, agreements: Sequence[Agreement], prompts: int) -> tuple[Finding, ...]:
    """What can be said of a principle by its numbers and its agreements with others.

    `prompts` are those whose responses were judged by one principle at a time; 0 where none were.
    """
    return tuple(_found(row, agreements, prompts))


def _found(row: PrincipleCoverage, agreements: Sequence[Agreement], prompts: int) -> Iterator[Finding]:
    if row.prompts == 0 and prompts:
        yield Finding(Kind.UNREACHED if row.applies == 0 else Kind.NEVER_ASKED)
    elif row.pairs and row.decides is not None and row.decides.value == 0:
        yield Finding(Kind.NEVER_DECIDES)
    unmoved = row.changed is not None and row.changed.high < REDUNDANT_SHARE and (row.moved or 0.0) <= REDUNDANT_MOVE
    if unmoved and not row.alone:
        yield Finding(Kind.REDUNDANT)
    for one in agreements:
        other = one.second if one.first == row.id else one.first
        if row.id not in (one.first, one.second):
            continue
        if one.agreement.low > REPEATS and one.gap <= REPEATS_GAP:
            yield Finding(Kind.REPEATS, other)
        elif one.agreement.high < OPPOSES:
            yield Finding(Kind.OPPOSES, other)


def notices(coverage: Coverage, lost: str, wordings: Sequence[Notice]) -> tuple[Notice, ...]:
    """What the reader has to know before the figures: what this run cannot show, and what its findings call for.

    `lost` says why the principles file cannot be used, if it cannot; `wordings` are the report's notices of versions.
    """
    return (*wordings, *_limits(coverage, lost), *_calls(coverage))


def _limits(coverage: Coverage, lost: str) -> Iterator[Notice]:
    if lost:
        body = f"{lost} So which prompts a principle applies to, and what changes without it, cannot be known."
        mend = "Put the file back as it was, or judge anew with --relabel."
        yield Notice(Level.CAUTION, "The principles file is not the one that was asked about", body, mend)
    if not coverage.pairs:
        yield Notice(Level.CAUTION, "Nothing is judged", "This run has no pair with an opinion yet.")
    other_run = (
        "Judge the same responses with judge.principles=each in a run of another name, with --reuse of this one."
    )
    if coverage.mode == "sampled":
        body = (
            "Each prompt drew one principle, so no pair was judged under two. How principles agree, and what leaving one"
            " out changes, cannot be measured here; what can be said is how many labels rest on each alone."
        )
        yield Notice(Level.NOTE, "One principle a prompt", body, other_run)
    if coverage.mode == "whole":
        body = "All principles were asked about at once, so none of them has figures of its own."
        yield Notice(Level.NOTE, "The whole file was asked at once", body, other_run)
    if not coverage.labels:
        body = "There are no labels of people in this run, so agreement with them is not known."
        yield Notice(
            Level.NOTE, "Not checked against people", body, "Bring some in with: tenet labels import FILE --to RUN"
        )
    elif not coverage.matched:
        body = f"None of the {plural(coverage.labels, 'label')} is about a pair of this run: prompt and texts must be the same."
        yield Notice(Level.CAUTION, "The labels are of other pairs", body)


def _calls(coverage: Coverage) -> Iterator[Notice]:
    of: defaultdict[Kind, list[str]] = defaultdict(list)
    for row in coverage.principles:
        for kind in dict.fromkeys(finding.kind for finding in row.findings):
            of[kind].append(row.id)
    silent = [*of[Kind.UNREACHED], *of[Kind.NEVER_ASKED], *of[Kind.NEVER_DECIDES]]
    if silent:
        body = f"{', '.join(silent)}: no prompt reaches it, it was never asked, or it decided no pair."
        mend = "Widen applies_when, reword it as a behaviour that can be seen, or retire it."
        yield Notice(Level.CAUTION, f"{plural(len(silent), 'principle')} without effect", body, mend)
    if of[Kind.REDUNDANT]:
        body = f"{', '.join(of[Kind.REDUNDANT])}: without any one of them nearly all winners stay, and their log-odds hardly move."
        mend = "Each is measured with all others in place: take out one, and look again before the next."
        yield Notice(
            Level.CAUTION, f"{plural(len(of[Kind.REDUNDANT]), 'principle')} that could be left out", body, mend
        )
    if of[Kind.OPPOSES]:
        body = f"{', '.join(of[Kind.OPPOSES])}: two principles name different winners more often than the same one."
        mend = "Say in the file which yields to which (yields_to), or when each applies."
        yield Notice(Level.CAUTION, "Principles at odds", body, mend)
