"""Takes a run from prompts to a dataset, step by step; each step asks only what is not recorded.

Knows the order of the steps and what each one needs; the work itself is in `intake`, `sampling`, `judging`, `revising`, `deriving` and
`exporting`. One model is held at a time: its weights are loaded when a step first asks it, and freed when the step ends; only where
policy and judge run on different devices do they work side by side (`overlap`).
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path

from constitution.load import load
from constitution.model import Constitution
from generate.bill import PLAN_FILE, PLANS, USAGE, Bill, bill, by_step, compare, read_usage
from generate.calibrated import LABELLING
from generate.context import Context, Step
from generate.deriving import derive
from generate.exporting import DATASET, export_run
from generate.hubids import hub_ids
from generate.identity import PRINCIPLES, fingerprint
from generate.intake import Input, read_input, take_on
from generate.judged_by import asks_the_same, is_judged, judged_by, keep, writes_the_same
from generate.judging import PREFLIGHT, criticise_pairs, judge_all, judge_pairs
from generate.models import judge_engine, make_policies
from generate.others import Others, lending
from generate.overlap import draw_and_judge, overlaps
from generate.panel import Member, hear, seat, weighing
from generate.plan import Plan, plan
from generate.planned import sum_of
from generate.probing import draw_some
from generate.reuse import Library
from generate.revising import make_reviser, revise_samples
from generate.revision_pairs import pair_revisions
from generate.sampling import Policy, sample_all
from generate.spending import make_meter
from generate.staff import staffed
from judges.critique import CritiqueJudge
from judges.pairwise import PairwiseJudge
from judges.registry import AnyJudge, create_judge, make_judge
from tenet.budget import Spent
from tenet.config import as_json
from tenet.console import Console
from tenet.errors import BudgetReached, UsageError
from tenet.hub import require
from tenet.ids import Json
from tenet.runconfig import RunConfig
from tenet.runs import Run
from tenet.workers.local import StageReport

ALL = frozenset(Step)
ASKING = frozenset({Step.SAMPLES, Step.JUDGEMENTS, Step.CRITIQUES, Step.REVISIONS})
LABELLING_STEPS = frozenset({Step.JUDGEMENTS, Step.PAIRS})
"""The steps that go by the principles that the run was judged by: those that ask comparisons, and those that weigh them."""
STATS = "stats.json"
PLANNED = "plan"
PLANNED_PROMPTS = 512
"""Most prompts that the plan at the beginning of a run looks at; a dry run looks at all."""


@dataclass(frozen=True)
class Order:
    """What a command asks for: which steps of which run, and how to treat what changed or failed before.

    `command` goes on with the run when it is stopped. `relabel` allows judging anew what an edited principles file touches;
    `retry_failed` asks once more for what was given up. `max_tokens` and `max_cost` are limits for all commands of the run together.
    `lenders` are folders to take answers from beside those that the configuration names in `reuse`.
    """

    config: RunConfig
    folder: Path
    command: str
    steps: Collection[Step] = ALL
    relabel: bool = False
    retry_failed: bool = False
    max_tokens: int | None = None
    max_cost: float | None = None
    lenders: tuple[Path, ...] = ()

    def lending(self) -> AbstractContextManager[Others | None]:
        """Open the runs that this one may take answers from. Raises as `generate.others.lending`."""
        return lending((*self.config.reuse, *self.lenders), self.folder)


@dataclass(frozen=True)
class Cast:
    """Who takes part in a run: the principles, the policies that are sampled, and the judge. Their weights are loaded on first use.

    A panel has `members`; the first of them is `judge`, which also writes critiques and revisions and checks these.
    """

    constitution: Constitution
    policies: Sequence[Policy]
    judge: AnyJudge
    members: tuple[Member, ...] = ()

    def close(self) -> None:
        """Free all models."""
        for policy in self.policies:
            policy.engine.close()
        for judge in self.judges:
            judge.engine.close()

    @property
    def judges(self) -> Sequence[AnyJudge]:
        """All that are asked to judge."""
        return [one.judge for one in self.members] or [self.judge]


def assemble(config: RunConfig) -> Cast:
    """Read the principles and find the models, without loading weights.

    Raises:
        InvalidInput, MissingInput, UsageError, JudgeUnfit: a file, model, template or label that will not do.
    """
    constitution = load(config.principles)
    if not constitution.active:
        raise UsageError(f"{config.principles} has no active principle", hint="set `status: active` on one at least")
    if config.judge.kind != "panel":
        judge = make_judge(judge_engine(config.judge), constitution, config.judge, seed=config.seed)
        return Cast(constitution, make_policies(config), judge)
    judges = [create_judge(judge_engine(one), constitution, one, seed=config.seed) for one in config.judge.asked]
    return Cast(constitution, make_policies(config), judges[0], seat(judges))


def generate(order: Order, console: Console) -> Run:
    """Carry an order out, saying on `console` what is done; gives the run, closed, to be read.

    Raises:
        FingerprintMismatch, UsageError: the folder belongs to another run, or its principles changed and `relabel` was not given.
        Interrupted, BudgetReached: stopped, by Ctrl-C or at the order's limit; what was answered is recorded.
        TooManyFailures, EngineError, MissingInput: as the step that raises them says; what was answered is recorded.
    """
    with ExitStack() as stack:
        found = stack.enter_context(closing(_input(order.config)))
        for line in found.lines:
            console.say(line)
        cast = stack.enter_context(closing(assemble(order.config)))
        run = stack.enter_context(open_run(order, cast, found, console))
        others = stack.enter_context(order.lending())
        context = _begin(order, cast, run, found, console)
        planned = _planned(order, cast, found, others)
        if planned.plan.owes or planned.plan.reuses:
            run.write_json(PLAN_FILE, planned.as_json())
        if planned.plan.owes or order.retry_failed:
            _check(cast, planned.plan, everyone=order.retry_failed)
        try:
            with staffed(context, others):
                _carry_out(context, cast, order.steps)
        except BudgetReached:
            run.go_on_with(context.meter.limits.resume)
            raise
        finally:
            _write_stats(context, found, planned)
        if Step.EXPORT in order.steps:
            export_run(run, order.config.export, run.path / DATASET)
            run.finish()
    return Run.read(order.folder)


def _input(config: RunConfig) -> Input:
    require(hub_ids(config))
    return read_input(config)


def dry_run(order: Order) -> Bill:
    """Count what an order would cost from where its run stands. Changes nothing, loads no weights."""
    with ExitStack() as stack:
        found = stack.enter_context(closing(_input(order.config)))
        cast = stack.enter_context(closing(assemble(order.config)))
        others = stack.enter_context(order.lending())
        whole = plan(order.config, order.folder, cast.policies, cast.judge, found, cast.members, others=others)
        return bill(whole, order.config, read_stats(order.folder))


def probe(order: Order, prompts: int, console: Console) -> None:
    """Draw all samples of some prompts, chosen at random, for a plan to rest on. They stay in the run like any others.

    Raises:
        UsageError: the responses are given; there is nothing to draw.
        BudgetReached, Interrupted, TooManyFailures, EngineError: as `generate`.
    """
    with ExitStack() as stack:
        found = stack.enter_context(closing(_input(order.config)))
        cast = stack.enter_context(closing(assemble(order.config)))
        if not cast.policies:
            raise UsageError("the responses are given: there is nothing to probe", hint="leave --probe out")
        run = stack.enter_context(open_run(order, cast, found, console))
        others = stack.enter_context(order.lending())
        context = _begin(order, cast, run, found, console)
        context.library = None if others is None else Library(run, others)
        for policy in cast.policies:
            policy.engine.check()
        try:
            draw_some(context, cast.policies, prompts)
        except BudgetReached:
            run.go_on_with(context.meter.limits.resume)
            raise
        finally:
            _write_stats(context, found, None)


def open_run(order: Order, cast: Cast, found: Input, console: Console) -> Run:
    """Open the order's run folder; growth by prompts is taken on.

    An edit of the principles is taken on by a step that goes by them: with `relabel` where judgements would be asked anew, and without
    where the run asks its judge the same as before. Other steps use the edited file for what they ask themselves, and the run
    stays one of the principles that it was judged by.

    Raises:
        FingerprintMismatch, RunLocked, UsageError: see `Run.open`; the edit has to be taken on, and may not be.
    """
    known = fingerprint(order.config, cast.policies, cast.judge, found, cast.members)
    run = Run.open(order.folder, as_json(order.config), known, command=order.command, say=console.say)
    try:
        edited = any(change.field == PRINCIPLES for change in run.changes.growth)
        if edited and not _goes_by(order, cast, found):
            run.accept(keeping=[PRINCIPLES])
        else:
            keep(run, cast.constitution)
            run.accept()
    except BaseException:
        run.close()
        raise
    return run


def _goes_by(order: Order, cast: Cast, found: Input) -> bool:
    """Whether an order makes its edited principles the run's.

    Raises:
        UsageError: it cannot do without, and something would be asked anew that it does not allow, or does not ask at all.
    """
    with Run.read(order.folder, say=lambda _: None) as run:
        if not is_judged(run):
            return True
        if not LABELLING_STEPS.intersection(order.steps):
            return False
        if order.relabel and Step.JUDGEMENTS in order.steps:
            return True
        held = judged_by(run)
        if held is not None:
            before = make_judge(cast.judge.engine, held, order.config.judge.asked[0], seed=order.config.seed)
            written = order.relabel or writes_the_same(order.config, held, cast.constitution)
            if written and asks_the_same(run, before, cast.judge):
                return True
    with order.lending() as others:
        costs = plan(order.config, order.folder, cast.policies, cast.judge, found, cast.members, others=others)
    raise _unasked_relabel(order, costs)


def _begin(order: Order, cast: Cast, run: Run, found: Input, console: Console) -> Context:
    """Take the input on; count from here on what is spent."""
    shards = take_on(run, found)
    _say_kept(shards.total - len(found.spool), console)
    _require_prices(order, cast)
    resume = larger_limits(order.command, order.max_tokens, order.max_cost)
    meter = make_meter(
        run, order.config, max_tokens=order.max_tokens, max_cost=order.max_cost, resume=resume,
        unrecorded=read_usage(read_stats(run.path)).get(PREFLIGHT, Spent()),
    )  # fmt: skip
    return Context(run, order.config, cast.constitution, shards, console, order.retry_failed, meter)


def _require_prices(order: Order, cast: Cast) -> None:
    prices = order.config.prices
    missing = [
        role
        for role, asked, price in (
            ("policy", bool(cast.policies), prices and prices.policy), ("judge", True, prices and prices.judge),
        )
        if asked and not price
    ]  # fmt: skip
    if order.max_cost is not None and missing:
        raise UsageError(
            f"--max-cost needs the price of the {' and the '.join(missing)}",
            hint="add to run.yaml, per million tokens: prices: {policy: {prompt: X, completion: Y}, judge: {prompt: X, completion: Y}}",
        )


def larger_limits(command: str, max_tokens: int | None, max_cost: float | None) -> str:
    """A command with its limits doubled, for a person to take up."""
    words = shlex.split(command)
    for flag, value in (("--max-tokens", max_tokens), ("--max-cost", max_cost)):
        if value is None:
            continue
        places = [place for place, word in enumerate(words) if word == flag or word.startswith(f"{flag}=")]
        for place in reversed(places):
            del words[place : place + (1 if "=" in words[place] else 2)]
        words += [flag, f"{2 * value:g}" if isinstance(value, float) else str(2 * value)]
    return shlex.join(words)


def _planned(order: Order, cast: Cast, found: Input, others: Others | None) -> Bill:
    """The plan that a command begins with, of the steps that it carries out."""
    steps = ASKING.intersection(order.steps)
    if not steps:
        return Bill(Plan(0, ()), ())
    whole = plan(
        order.config, order.folder, cast.policies, cast.judge, found, cast.members, others=others, most=PLANNED_PROMPTS
    )
    kept = replace(whole, lines=tuple(line for line in whole.lines if line.stage in steps))
    return bill(kept, order.config, read_stats(order.folder))


def _check(cast: Cast, planned: Plan, *, everyone: bool) -> None:
    """Make sure, before any work, that the hosts answer whom a step will ask.

    Raises:
        EngineError: one does not.
    """
    owed = {line.stage for line in planned.lines if everyone or line.owed.high > 0}
    if Step.SAMPLES in owed:
        for policy in cast.policies:
            policy.engine.check()
    if Step.JUDGEMENTS in owed:
        for judge in cast.judges:
            judge.engine.check()
    elif owed - {Step.SAMPLES}:
        cast.judge.engine.check()


def _carry_out(context: Context, cast: Cast, steps: Collection[Step]) -> None:
    judge, config = cast.judge, context.config
    first: StageReport | None = None
    both = {Step.SAMPLES, Step.JUDGEMENTS} <= set(steps) and not cast.members
    if both and isinstance(judge, PairwiseJudge) and overlaps(context, cast.policies, judge):
        first = draw_and_judge(context, cast.policies, judge)
    elif Step.SAMPLES in steps:
        sample_all(context, cast.policies)
    if Step.JUDGEMENTS in steps and not cast.members:
        judge_all(context, judge, first)
    for member in cast.members if Step.JUDGEMENTS in steps else ():
        judge_pairs(context, member.judge, name=member.stage)
        member.judge.engine.close()
    if Step.PAIRS in steps:
        if cast.members:
            context.console.say(weighing(hear(context, cast.members)))
        derive(context)
    if Step.CRITIQUES in steps and config.critique != "none":
        criticise_pairs(context, CritiqueJudge(judge.engine))
    if Step.REVISIONS in steps and config.revise is not None:
        revise_samples(context, config.revise, CritiqueJudge(judge.engine), make_reviser(judge.engine, config.revise))
        pair_revisions(context, judge if isinstance(judge, PairwiseJudge) else None, check=config.revise.check)


def _unasked_relabel(order: Order, costs: Plan) -> UsageError:
    judging = sum_of([line for line in costs.lines if line.stage == Step.JUDGEMENTS])
    words = shlex.split(order.command)
    command = order.command if Step.JUDGEMENTS in order.steps else shlex.join([*words[:1], "generate", *words[2:]])
    anew = f"{judging.owed.high:,.0f} of {judging.calls.high:,.0f} judgements would be asked anew; the others stand."
    if judging.owed.high == 0:
        anew = "no judgement would be asked anew, but some would be left out, or critiques and revisions written anew."
    return UsageError(
        f"{order.config.principles} has changed since {order.folder} was judged: {anew}",
        hint=f"go on with: {command} --relabel   (or keep this run as it is: --set name=NEW)",
    )


def _write_stats(context: Context, found: Input, planned: Bill | None) -> None:
    """Keep what no stage records: what the reading left out, why pairs were not made, how long each stage took and what it spent in
    all, and how the plan of this command compared with what happened.
    """
    held = read_stats(context.run.path)
    before = held.get("seconds")
    seconds = dict(before) if isinstance(before, dict) else {}
    for step, report in context.reports.items():
        seconds[step.value] = round(float(seconds.get(step.value, 0.0)) + report.seconds, 3)
    compared = None if planned is None or not context.meter.spent else compare(planned, context.meter)
    plans = held.get(PLANS)
    value: dict[str, Json] = {
        "input": found.counts,
        "left_out": dict(sorted(context.left_out.items())) if context.derived else held.get("left_out", {}),
        "unlinked_prompts": context.unlinked if context.derived else held.get("unlinked_prompts", 0),
        LABELLING: context.labelling.as_json() if context.derived else held.get(LABELLING),
        "seconds": seconds,
        USAGE: _usage(held, context),
        PLANNED: compared,
        PLANS: {**(plans if isinstance(plans, dict) else {}), **by_step(compared or [])},
    }
    context.run.write_json(STATS, value)


def _usage(held: Mapping[str, Json], context: Context) -> dict[str, Json]:
    spent = read_usage(held)
    for step, more in context.meter.spent.items():
        spent[step] = spent[step] + more if step in spent else more
    return {step: one.as_json() for step, one in spent.items()}


def read_stats(folder: Path) -> dict[str, Json]:
    """What `_write_stats` wrote; empty where it did not."""
    path = folder / STATS
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}


def _say_kept(gone: int, console: Console) -> None:
    if gone > 0:
        console.say(
            f"{gone:,} prompts of this run are not in the input any more, or beyond its limit; they stay, and what they lack is asked too "
            "(a run of another name leaves them out)"
        )
