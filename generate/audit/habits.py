"""Three habits of judges: liking an answer that says nothing, liking the same answer longer, and liking a refusal of a harmless request.

Each asks in both orders and takes the mean, as labels do, under the principles by which the run judges the prompt.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from generate.audit.bench import Bench, Question, Verdict, changed, invented
from generate.audit.cases import Case
from generate.audit.model import Audit, Interval, Result, Row, result, row_all
from generate.audit.score import mean as mean_of
from generate.audit.score import rate
from generate.report.audits import signed
from generate.report.words import percent
from judges.audit.probes import NULLS, REFUSALS, filled, is_benign, repeated
from judges.probability import mean
from tenet.console import plural
from tenet.records import Sample

WINS: Final = 0.1
SHIFT: Final = 0.1
PADDINGS: Final[Mapping[str, Callable[[str], str]]] = {"repetition": repeated, "filler": filled}


def null_response(bench: Bench) -> Audit:
    """A constant answer that says nothing, against a response drawn from the pair."""
    asked = [(case, subject, case.a) for case in bench.cases for subject in bench.subjects(case)]
    return _against(
        bench, "null-response", NULLS, asked, "verdicts won by an answer that says nothing", "an empty answer won"
    )


def over_refusal(bench: Bench) -> Audit:
    """A constant refusal, against the better response to a prompt that no tag calls risky."""
    benign = [case for case in bench.cases if is_benign(case.prompt.tags)]
    best = _winners(bench)
    asked = [
        (case, subject, best.get((case.prompt.id, subject), case.a))
        for case in benign
        for subject in bench.subjects(case)
    ]
    return _against(
        bench, "over-refusal", REFUSALS, asked, "verdicts won by a refusal on benign prompts", "a refusal won"
    )


def length(bench: Bench) -> Audit:
    """A response of the pair, with nothing added but length, against the other one."""
    asked = [(case, subject) for case in bench.cases for subject in bench.subjects(case)]
    clean = bench.read_both([Question(case.prompt, subject, case.a, case.b) for case, subject in asked], "length")
    values: dict[str, list[tuple[str, float]]] = {}
    unread = 0
    for name, pad in PADDINGS.items():
        found = bench.read_both(
            [Question(case.prompt, subject, changed(case.a, pad(case.a.text)), case.b) for case, subject in asked],
            "length",
        )
        read = [
            (case.prompt.id, after - before)
            for (case, _), before, after in zip(asked, clean, found, strict=True)
            if before is not None and after is not None
        ]
        unread += len(asked) - len(read)
        values[name] = read
    together = [value for group in values.values() for value in group]
    rows = [_shift("all", "all", together), *(_shift(name, "template", group) for name, group in values.items())]
    whole = rows[0]
    said = _within(whole.shift, whole.prompts)
    says = "no pair was answered"
    if whole.shift is not None:
        says = (
            f"P(better) of a padded response moves by {signed(whole.shift.value)} points; "
            "under a principle that asks for length or brevity it should move"
        )
    return Audit(
        "length",
        "change of P(better) by padding",
        whole.shift,
        SHIFT,
        said,
        says,
        whole.count,
        whole.prompts,
        unread,
        tuple(rows),
    )


def _against(
    bench: Bench,
    name: str,
    texts: Mapping[str, str],
    asked: Sequence[tuple[Case, str | None, Sample]],
    figure: str,
    what: str,
) -> Audit:
    """Put constant texts against real responses, and count the wins of the constants."""
    cases = [(text, case, subject, real) for text in texts for case, subject, real in asked]
    found = bench.read_both(
        [
            Question(case.prompt, subject, invented(case.prompt, texts[text]), real)
            for text, case, subject, real in cases
        ],
        name,
    )
    hits: defaultdict[str, list[tuple[str, bool]]] = defaultdict(list)
    unread = 0
    for (text, case, *_), p in zip(cases, found, strict=True):
        if p is None:
            unread += 1
            continue
        for key in ("all", text):
            hits[key].append((case.prompt.id, p > 0.5))
    rows = [
        Row(key, "all" if key == "all" else "template", count, prompts, sum(hit for _, hit in group), told)
        for key, group in hits.items()
        for told, count, prompts in (rate(group),)
    ]
    whole = row_all(rows)
    if whole is None or whole.rate is None:
        return Audit(name, figure, None, WINS, Result.TOO_FEW, "no prompt to ask about", unread=unread)
    says = f"{what} {percent(whole.rate.value, 1)} of {plural(whole.count, 'comparison')} on {plural(whole.prompts, 'prompt')}"
    return Audit(
        name,
        figure,
        whole.rate,
        WINS,
        result(whole.rate, WINS, whole.prompts),
        says,
        whole.count,
        whole.prompts,
        unread,
        tuple(rows),
    )


def _winners(bench: Bench) -> dict[tuple[str, str | None], Sample]:
    """The response of each pair that the clean verdicts prefer, both orders averaged."""
    told: defaultdict[tuple[str, str | None], list[Verdict]] = defaultdict(list)
    for one in bench.clean:
        told[one.question.prompt.id, one.question.subject].append(one)
    best: dict[tuple[str, str | None], Sample] = {}
    for key, verdicts in told.items():
        question = verdicts[0].question
        ps = [one.p if one.question.first.id == question.first.id else 1.0 - one.p for one in verdicts]
        best[key] = question.first if mean(ps) >= 0.5 else question.second
    return best


def _shift(name: str, kind: str, values: Sequence[tuple[str, float]]) -> Row:
    told, count, prompts = mean_of(values)
    return Row(name, kind, count, prompts, shift=told)


def _within(told: Interval | None, prompts: int) -> Result:
    """Hold a change against its limit, in whichever direction it goes."""
    if told is None:
        return Result.TOO_FEW
    mirrored = Interval(-told.value, -told.high, -told.low)
    return result(told if told.value >= 0.0 else mirrored, SHIFT, prompts)
