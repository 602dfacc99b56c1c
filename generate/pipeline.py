"""Takes a run from prompts to a dataset, step by step; each step asks only what is not recorded.

Knows the order of the steps and what each one needs; the work itself is in `intake`, `sampling`, `judging`, `revising`, `deriving` and
`exporting`. One model is held at a time: its weights are loaded when a step first asks it, and freed when the step ends.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

from constitution.load import load
from constitution.model import Constitution
from generate.context import Context, Step
from generate.deriving import derive
from generate.exporting import DATASET, export_run
from generate.identity import PRINCIPLES, fingerprint
from generate.intake import Input, read_input, take_on
from generate.judging import criticise_pairs, judge_all
from generate.models import judge_engine, make_policies
from generate.plan import Plan, plan
from generate.revising import revise_samples
from generate.revision_pairs import pair_revisions
from generate.sampling import Policy, sample_all
from judges.critique import CritiqueJudge
from judges.pairwise import PairwiseJudge
from judges.registry import create_judge
from judges.revise import Reviser
from tenet.config import as_json
from tenet.console import Console
from tenet.errors import UsageError
from tenet.ids import Json
from tenet.runconfig import RunConfig
from tenet.runs import Run

ALL = frozenset(Step)
STATS = "stats.json"


@dataclass(frozen=True)
class Order:
    """What a command asks for: which steps of which run, and how to treat what changed or failed before.

    `command` goes on with the run when it is stopped. `relabel` allows judging anew what an edited principles file touches;
    `retry_failed` asks once more for what was given up.
    """

    config: RunConfig
    folder: Path
    command: str
    steps: Collection[Step] = ALL
    relabel: bool = False
    retry_failed: bool = False


@dataclass(frozen=True)
class Cast:
    """Who takes part in a run: the principles, the policies that are sampled, and the judge. Their weights are loaded on first use."""

    constitution: Constitution
    policies: Sequence[Policy]
    judge: PairwiseJudge

    def close(self) -> None:
        """Free all models."""
        for policy in self.policies:
            policy.engine.close()
        self.judge.engine.close()


def assemble(config: RunConfig) -> Cast:
    """Read the principles and find the models, without loading weights.

    Raises:
        InvalidInput, MissingInput, UsageError, JudgeUnfit: a file, model, template or label that will not do.
    """
    constitution = load(config.principles)
    if not constitution.active:
        raise UsageError(f"{config.principles} has no active principle", hint="set `status: active` on one at least")
    judge = create_judge(judge_engine(config.judge), constitution, config.judge, seed=config.seed)
    return Cast(constitution, make_policies(config), judge)


def generate(order: Order, console: Console) -> Run:
    """Carry an order out, saying on `console` what is done; gives the run, closed, to be read.

    Raises:
        FingerprintMismatch, UsageError: the folder belongs to another run, or its principles changed and `relabel` was not given.
        Interrupted: stopped; what was answered is recorded.
        TooManyFailures, EngineError, MissingInput: as the step that raises them says; what was answered is recorded.
    """
    found = read_input(order.config)
    for line in found.lines:
        console.say(line)
    with ExitStack() as stack:
        cast = stack.enter_context(closing(assemble(order.config)))
        run = stack.enter_context(open_run(order, cast, found, console))
        prompts = take_on(run, found)
        _say_kept(len(prompts) - len(found.prompts), console)
        context = Context(run, order.config, cast.constitution, prompts, console, order.retry_failed)
        _carry_out(context, cast, order.steps)
        _write_stats(context, found)
        if Step.EXPORT in order.steps:
            export_run(run, order.config.export, run.path / DATASET)
            run.finish()
    return Run.read(order.folder)


def dry_run(order: Order) -> Plan:
    """Count the calls and tokens that an order would cost from where its run stands. Changes nothing, loads no weights."""
    found = read_input(order.config)
    with closing(assemble(order.config)) as cast:
        return _plan(order, cast, found)


def open_run(order: Order, cast: Cast, found: Input, console: Console) -> Run:
    """Open the order's run folder; growth by prompts is taken on, growth by edited principles only with `relabel`.

    Raises:
        FingerprintMismatch, RunLocked, UsageError: see `Run.open`; the principles changed and `relabel` is false.
    """
    known = fingerprint(order.config.seed, cast.policies, cast.judge, found)
    run = Run.open(order.folder, as_json(order.config), known, command=order.command, say=console.say)
    try:
        edited = any(change.field == PRINCIPLES for change in run.changes.growth)
        if edited and not order.relabel and Step.JUDGEMENTS in order.steps:
            raise _unasked_relabel(order, _plan(order, cast, found))
        run.accept()
    except BaseException:
        run.close()
        raise
    return run


def _carry_out(context: Context, cast: Cast, steps: Collection[Step]) -> None:
    if Step.SAMPLES in steps:
        sample_all(context, cast.policies)
    judge, config = cast.judge, context.config
    if Step.JUDGEMENTS in steps:
        judge_all(context, judge)
    if Step.PAIRS in steps:
        derive(context)
    if Step.CRITIQUES in steps and config.critique != "none":
        criticise_pairs(context, CritiqueJudge(judge.engine))
    if Step.REVISIONS in steps and config.revise is not None:
        revise_samples(context, CritiqueJudge(judge.engine), Reviser(judge.engine), config.revise.rounds)
        pair_revisions(context, judge)


def _plan(order: Order, cast: Cast, found: Input) -> Plan:
    return plan(order.config, order.folder, cast.policies, cast.judge, found)


def _unasked_relabel(order: Order, costs: Plan) -> UsageError:
    judging = next(line for line in costs.lines if line.stage == Step.JUDGEMENTS)
    return UsageError(
        f"{order.config.principles} has changed since {order.folder} was judged: {judging.owed:,} of {judging.calls:,} judgements "
        "would be asked anew; the others stand.",
        hint=f"go on with: {order.command} --relabel   (or keep this run as it is: --set name=NEW)",
    )


def _write_stats(context: Context, found: Input) -> None:
    """Keep what no stage records: what the reading left out, why pairs were not made, how long each stage took in all."""
    held = read_stats(context.run.path)
    before = held.get("seconds")
    seconds = dict(before) if isinstance(before, dict) else {}
    for step, report in context.reports.items():
        seconds[step.value] = round(float(seconds.get(step.value, 0.0)) + report.seconds, 3)
    value: dict[str, Json] = {
        "input": found.counts,
        "left_out": dict(sorted(context.left_out.items())) if context.derived else held.get("left_out", {}),
        "seconds": seconds,
    }
    context.run.write_json(STATS, value)


def read_stats(folder: Path) -> dict[str, Json]:
    """What `_write_stats` wrote; empty where it did not."""
    import json

    path = folder / STATS
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}


def _say_kept(gone: int, console: Console) -> None:
    if gone > 0:
        console.say(
            f"{gone:,} prompts of this run are not in the input any more; they stay (leave them out with a run of another name)"
        )
