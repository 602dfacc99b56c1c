"""The stages that ask a judge: comparisons of samples, critiques of exported ones, and revisions. Knows no model and no file.

Tasks are made in the order of the prompts, all questions of one prompt together, so that a prefix cache holds what they share.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import Any

from constitution.model import Constitution, Principle
from constitution.select import applying
from generate.byprompt import check_prompt_judge, prompt_cases, prompt_job, write_votes
from generate.context import Context, Step
from generate.jobs import Address, Job, Part, carry_out
from generate.questions import RETRIES, Comparisons
from generate.report.source import read_json
from generate.schedule import round_robin
from generate.shards import LazyShards
from generate.spending import JUDGE, need
from generate.supersede import supersede
from judges.critique import CritiqueAsk, CritiqueJudge
from judges.kinds.byprompt import PromptJudge
from judges.pairwise import PairAsk, PairwiseJudge
from judges.preflight import first_asks, preflight
from judges.registry import AnyJudge
from tenet.budget import Spent
from tenet.errors import TooManyFailures
from tenet.ids import digest
from tenet.records import Critique, Judgement, Outcome, PreferencePair, Prompt, Sample, Verdict
from tenet.runs import Row, Stage
from tenet.workers.local import StageReport, Task
from tenet.workers.planned import checked
from tenet.workers.survey import survey

PREFLIGHT = "pre-flight"
PASSED = "preflight.json"
"""Where a run notes what its judges showed that have passed the pre-flight, by the digest of the judge."""


def judge_all(context: Context, judge: AnyJudge, first: StageReport | None = None) -> None:
    """Ask everything of a run's judge that is not recorded; answers that no question asks for any more are moved aside.

    Raises:
        JudgeUnfit, TooManyFailures: as `judge_pairs`.
    """
    if isinstance(judge, PromptJudge):
        _judge_prompts(context, judge)
    else:
        judge_pairs(context, judge, first)


def _judge_prompts(context: Context, judge: PromptJudge[Any, Any]) -> None:
    job = prompt_job(context, judge)
    if not job.stage.settled(job.plan) or context.retry_failed:
        supersede(context.run, job.stage, job.shards)
        _preflight(context, judge, job)
    carry_out(context, job)
    _require_opinions(job.stage, context.config.max_failures)
    write_votes(context.run, len(context.shards))


def judge_pairs(
    context: Context, judge: PairwiseJudge, first: StageReport | None = None, name: str = Step.JUDGEMENTS
) -> None:
    """Ask every comparison that is not recorded; judgements that no question asks for any more are moved aside.

    Where later questions depend on earlier answers (`schedule: knockout`, `second_order: close`) they are asked in
    waves, one after the other over the whole run. `first` is what became of the first wave where it has been asked in full before,
    `name` the stage that the answers are recorded in.

    Raises:
        JudgeUnfit: the first prompts show that the judge does not answer with a label.
        TooManyFailures: more than `max_failures` of the questions got no opinion.
    """
    stage = context.run.stage(name, Judgement)
    asked = Comparisons(context, judge, stage)
    plan = asked.plan
    settled = stage.settled(plan) and not context.retry_failed
    if not settled and first is None:
        supersede(context.run, stage, asked.known(strict=False))
        job = comparison_job(asked, judge, stage, 1)
        _preflight(context, judge, job)
    planned, waves = 0, 1 if settled else asked.waves
    for wave in range(1, waves + 1):
        most = context.config.max_failures if wave == 1 else 1.0
        if wave == 1 and first is not None:
            report = checked(stage, first, most)
        else:
            report = carry_out(context, comparison_job(asked, judge, stage, wave, waves), max_failures=most)
        _require_opinions(stage, context.config.max_failures)  # over all waves: a late one may be a handful
        planned += report.planned
    if waves > 1:
        supersede(context.run, stage, asked.known(strict=True))
    if waves > 1 or first is not None:
        stage.plan(planned)
        stage.settle(plan)


def _preflight(context: Context, judge: AnyJudge, job: Job[Any, Any]) -> None:
    """Take what other runs have of a job, and check the judge where it is still owed something."""
    if context.library is not None:
        context.library.lend(job, context.console)
    if survey(job.stage, job.shards).owed:
        require_fit(context, judge)


def require_fit(context: Context, judge: AnyJudge, shards: Iterable[int] | None = None) -> bool:
    """Check the judge by the first prompts, of these shards where others are not drawn yet, unless the run notes that this judge
    has passed; whether it has. With `retry_failed` it is asked anyway: something has gone wrong before.

    Raises:
        JudgeUnfit: as `check_judge`.
        BudgetReached: its questions might pass a limit; none was asked.
    """
    run, meter, name = context.run, context.meter, digest(judge.fingerprint)
    passed = read_json(run.path / PASSED)
    if name in passed and not context.retry_failed:
        return True
    numbers = range(len(context.shards)) if shards is None else list(shards)
    with meter.holding(PREFLIGHT, JUDGE, _needs(context, judge, numbers)):
        summary, spent = context.pool.call(PREFLIGHT) if context.pool else check_judge(context, judge, numbers)
        meter.add(PREFLIGHT, JUDGE, spent)
    if spent.calls:
        run.write_json(PASSED, {**passed, name: summary})
    if spent.calls or shards is None:
        context.console.say(summary)
    return spent.calls > 0


def _needs(context: Context, judge: AnyJudge, shards: Sequence[int]) -> Iterator[tuple[int, int]]:
    """What the questions of a pre-flight need; made only when they are looked at."""
    if isinstance(judge, PromptJudge):
        asks = chain.from_iterable(judge.first_asks(prompt_cases(context, shards)))
        yield from map(need(judge.params), asks)
    else:
        yield from map(judge.need, chain.from_iterable(first_asks(judge, _cases(context, shards))))


def comparison_job(
    asked: Comparisons, judge: PairwiseJudge, stage: Stage[Judgement], wave: int, waves: int = 1
) -> Job[PairAsk, Judgement]:
    """One wave of a run's comparisons."""
    shards = asked.wave(wave)  # measures the bias where a later wave needs it
    return Job(
        Address(Part.JUDGEMENTS, wave, bias=asked.bias), Step.JUDGEMENTS, JUDGE,
        "judging" if waves == 1 else f"judging, wave {wave} of {waves}", stage, shards,
        partial(judged, judge), judge.need, plan=asked.plan if waves == 1 else "", retries=RETRIES,
        servers=judge.engine.stats,
    )  # fmt: skip


def judged(judge: PairwiseJudge, tasks: Iterable[Task[PairAsk]]) -> Iterator[Row[Judgement]]:
    """Ask a judge about pairs, as it has room for them."""
    for found in judge.stream(task.payload for task in tasks):
        yield Row(found.id, found, ok=found.outcome is not Outcome.ERROR, reason=found.reason)


def check_judge(context: Context, judge: AnyJudge, shards: Iterable[int] | None = None) -> tuple[str, Spent]:
    """Ask the first prompts' questions, of these shards where others are not drawn yet; gives a line for people, and what that took.

    Raises:
        JudgeUnfit: the judge does not answer with a label.
    """
    numbers = range(len(context.shards)) if shards is None else shards
    if isinstance(judge, PromptJudge):
        return check_prompt_judge(context, judge, numbers)
    found = preflight(judge, _cases(context, numbers))
    return found.summary, sum(map(Spent.of, found.judgements), Spent())


def criticise_pairs(context: Context, critic: CritiqueJudge) -> None:
    """Criticise the two responses of each exported pair under the principles that decided it; with `critique: all`, every sample."""
    job = critique_job(context, critic)
    supersede(context.run, job.stage, job.shards)
    carry_out(context, job)


def critique_job(context: Context, critic: CritiqueJudge) -> Job[CritiqueAsk, Critique]:
    """The critiques that a run's pairs call for."""
    pairs = context.run.stage(Step.PAIRS, PreferencePair)

    def make(shard: int) -> list[Task[CritiqueAsk]]:
        samples = context.samples(shard)
        wanted = criticised(
            context.constitution,
            context.shards[shard],
            samples,
            pairs.records(shard),
            whole=context.config.critique == "all",
        )
        return [
            Task(ask.record_id, ask)
            for prompt, sample, principle in wanted
            for ask in critic.asks(prompt, sample, principle)
        ]

    return Job(
        Address(Part.CRITIQUES), Step.CRITIQUES, JUDGE, "criticising", context.run.stage(Step.CRITIQUES, Critique),
        LazyShards(len(context.shards), make), partial(criticise, critic), need(critic.params),
        servers=critic.engine.stats,
    )  # fmt: skip


def criticise(critic: CritiqueJudge, tasks: Iterable[Task[CritiqueAsk]]) -> Iterator[Row[Critique]]:
    """Ask a critic, as it has room for tasks."""
    for found in critic.stream(task.payload for task in tasks):
        yield Row(found.id, found, ok=found.verdict is not Verdict.ERROR, reason=found.reason)


def criticised(
    constitution: Constitution, prompts: Iterable[Prompt], samples: Mapping[str, Sequence[Sample]],
    pairs: Iterable[PreferencePair], *, whole: bool,
) -> Iterator[tuple[Prompt, Sample, Principle]]:  # fmt: skip
    """What is to be criticised of these prompts, in their order, each response once a principle: those in `pairs`, or the `whole`."""
    principles: dict[tuple[str, str], dict[str, None]] = {}
    for pair in pairs:
        for side in (pair.chosen_id, pair.rejected_id):
            principles.setdefault((pair.prompt_id, side), {}).update(dict.fromkeys(pair.principles))
    for prompt in prompts:
        applied = {principle.id: principle for principle in applying(constitution, prompt)}
        for sample in samples.get(prompt.id, ()):
            asked = principles.get((prompt.id, sample.id))
            if not sample.usable or (asked is None and not whole):
                continue
            ids = [name for name in asked or applied if name in applied] or list(applied)
            yield from ((prompt, sample, applied[name]) for name in ids)


def _cases(context: Context, shards: Iterable[int]) -> Iterator[tuple[Prompt, Sample, Sample]]:
    """One pair of each prompt that has one, for the pre-flight."""
    for number in shards:
        samples = context.samples(number)
        for prompt in context.shards[number]:
            for first, second in round_robin(samples.get(prompt.id, ()))[:1]:
                yield prompt, first, second


def _require_opinions(stage: Stage[Any], most: float) -> None:
    """Stop where too many answers were no opinion.

    Raises:
        TooManyFailures: the share of answers without an opinion is over `most`.
    """
    counts = stage.counts()
    without = {name: number for name, number in counts.outcomes.items() if name not in _OPINIONS}
    share = sum(without.values()) / counts.rows if counts.rows else 0.0
    if share > most:
        told = ", ".join(f"{name} {number:,}" for name, number in sorted(without.items()))
        raise TooManyFailures(
            f"{share:.1%} of {counts.rows:,} {stage.name} are no opinion ({told}); at most {most:.1%} may be.",
            hint="look at them with: tenet status; allow more if that is what you expect: --max-failures SHARE",
        )


_OPINIONS = frozenset(outcome.value for outcome in Outcome if outcome.is_opinion)
