"""Asks a judge a few questions before thousands, and stops with the cure where it does not answer by label.

A model that opens its answer with "<think>" or "The better response" puts next to no probability on A or B;
what is left of it, renormalised, looks like a verdict and is noise. Knows no run folder.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from statistics import median
from typing import Final

from engines.base import SamplingParams
from judges.pairwise import LABELS, PairAsk, PairwiseJudge
from tenet.errors import JudgeUnfit
from tenet.records import Finish, Judgement, Outcome, Prompt, Sample

PROMPTS_ASKED: Final = 20
_LOOK: Final = SamplingParams(max_tokens=12, temperature=0.0)
_MOST_FAILURES: Final = 0.5
_FAILED: Final = (Outcome.ERROR, Outcome.UNPARSED)
_LEAD: Final = re.compile(r"(.{1,40}?)(?<![A-Za-z])[AB](?![A-Za-z])", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Preflight:
    """What a pre-flight measured. Masses are P(A) + P(B); None where no question was answered.

    `low` counts the answers below the judge's `min_label_mass`, `failed` the questions that got no answer or one that could not be read,
    `votes` the answers that were only a letter, `cut` those before which the text ended at its limit.
    `judgements` are good ones: record them and they need not be asked again.
    """

    prompts: int
    asked: int
    median_mass: float | None
    least_mass: float | None
    low: int
    failed: int
    judgements: tuple[Judgement, ...]
    votes: int = 0
    cut: int = 0

    @property
    def summary(self) -> str:
        """One line for people."""
        if not self.asked:
            return "pre-flight: there was nothing to ask"
        text = f"pre-flight: {self.asked} questions on {self.prompts} prompts, none answered"
        if self.votes:
            text = f"pre-flight: {self.votes} of {self.asked} questions answered by text votes, without a probability"
        if self.median_mass is not None and self.least_mass is not None:
            mass = f"{self.median_mass:.3f} (median), {self.least_mass:.3f} (least)"
            text = f"pre-flight: label mass {mass} over {self.asked} questions"
        told = {"low": self.low, "failed": self.failed, "after a text that was cut off": self.cut}
        troubles = [f"{count} {name}" for name, count in told.items() if count]
        return "; ".join([text, *troubles])


def preflight(
    judge: PairwiseJudge, cases: Iterable[tuple[Prompt, Sample, Sample]], *, limit: int = PROMPTS_ASKED
) -> Preflight:
    """Ask about one pair of each of the first `limit` prompts, in both orders, and measure the label mass.

    Prompts to which no principle applies are passed over. Nothing to ask is no failure.

    Raises:
        JudgeUnfit: half of the questions or more failed, or the median label mass is below the judge's
            `min_label_mass`; the text says what the model began to write instead, and what to change.
        EngineError: the engine itself has failed.
    """
    chosen = first_asks(judge, cases, limit=limit)
    asks = [ask for group in chosen for ask in group]
    judgements = tuple(judge.judge(asks))
    report = _report(len(chosen), judgements)
    if asks and report.failed >= _MOST_FAILURES * len(asks):
        raise _failing(judgements, report)
    if report.median_mass is not None and report.median_mass < judge.min_label_mass:
        raise _unfit(judge, asks, report)
    return report


def first_asks(
    judge: PairwiseJudge, cases: Iterable[tuple[Prompt, Sample, Sample]], *, limit: int = PROMPTS_ASKED
) -> list[list[PairAsk]]:
    """What a pre-flight asks, prompt by prompt."""
    pairs = (
        [*judge.asks(prompt, first, second), *judge.asks(prompt, second, first)] for prompt, first, second in cases
    )
    return list(islice((asks for asks in pairs if asks), limit))


def _report(prompts: int, judgements: tuple[Judgement, ...]) -> Preflight:
    masses = [judgement.label_mass for judgement in judgements if judgement.label_mass is not None]
    return Preflight(
        prompts=prompts,
        asked=len(judgements),
        median_mass=median(masses) if masses else None,
        least_mass=min(masses, default=None),
        low=sum(judgement.outcome is Outcome.LOW_MASS for judgement in judgements),
        failed=sum(judgement.outcome in _FAILED for judgement in judgements),
        judgements=judgements,
        votes=sum(judgement.is_vote for judgement in judgements),
        cut=sum(judgement.cut for judgement in judgements),
    )


def _failing(judgements: Sequence[Judgement], report: Preflight) -> JudgeUnfit:
    reasons = [judgement.reason for judgement in judgements if judgement.outcome in _FAILED]
    commonest = max(sorted(set(reasons)), key=reasons.count)
    return JudgeUnfit(
        f"the judge failed on {report.failed} of {report.asked} questions; most often: {commonest}",
        hint="use a judge with a longer context, or shorter responses (policy.max_tokens)"
        if "tokens" in commonest
        else "mend what the reason names, then run the same command",
    )


def _unfit(judge: PairwiseJudge, asks: Sequence[PairAsk], report: Preflight) -> JudgeUnfit:
    opening = _opening(judge, asks)
    says = f"; it began its answer with {opening!r}" if opening else ""
    return JudgeUnfit(
        f"{judge.name} does not answer with {LABELS[0]} or {LABELS[1]}: their probabilities sum to "
        f"{report.median_mass:.3g} (median of {report.asked} questions); {judge.min_label_mass:g} is needed"
        f"{says}",
        hint=cure(opening),
    )


def _opening(judge: PairwiseJudge, asks: Sequence[PairAsk]) -> str:
    """Let the model write freely and return how it begins; empty where the engine cannot tell."""
    sendable = [ask for ask in asks if not ask.problem][:1]
    if not sendable or not judge.engine.capabilities.generates:
        return ""
    answer = judge.engine.generate([judge.before_verdict(sendable[0])], _LOOK)[0]
    if answer.finish is Finish.ERROR:
        return ""
    return (judge.engine.tokenizer.decode(answer.tokens, skip_special=False) or answer.text).strip()


def cure(opening: str) -> str:
    """Advise by how the model began its answer."""
    if "<think" in opening or "thought" in opening.lower()[:12]:
        return (
            "it thinks first: set judge.chat_template_kwargs: {enable_thinking: false}; "
            'if its template has no such switch, judge.prefill: "<think>\\n\\n</think>\\n\\n"'
        )
    lead = _LEAD.match(opening)
    if lead and lead[1]:
        return f"it puts something before the letter: set judge.prefill: {lead[1]!r}"
    return (
        'set judge.prefill: "Answer: " or another opening after which a letter must follow, or use a model '
        "tuned to follow instructions; judge.min_label_mass lowers the bar, and lets noise in"
    )
