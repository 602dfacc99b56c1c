"""What a worker elsewhere needs of a run: its folder, its configuration and its principles; it makes the models, and each job, from these.

A `Crew` is pickled to a worker. There it joins the run that the driver has open, and holds one model at a time, as the driver would.
Knows no scheduler.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from io import StringIO
from pathlib import Path
from typing import Any, Final

from constitution.model import Constitution
from engines.base import Engine
from generate.byprompt import prompt_job
from generate.context import Context, Step
from generate.jobs import Address, Job, Part
from generate.judging import PREFLIGHT, check_judge, comparison_job, critique_job
from generate.models import judge_engine, make_policies
from generate.prompt_shards import PromptShards
from generate.questions import Comparisons
from generate.revising import Round, make_reviser
from generate.revision_pairs import revision_job
from generate.sampling import Policy, sample_job
from generate.spending import prices_of
from judges.critique import CritiqueJudge
from judges.kinds.byprompt import PromptJudge
from judges.registry import AnyJudge, make_judge
from tenet.budget import Meter
from tenet.console import Console
from tenet.records import Judgement, Prompt
from tenet.runconfig import ReviseConfig, RunConfig
from tenet.runs import Run
from tenet.runs.lock import Holder
from tenet.workers.settling import Made, Order

CALLS: Final[dict[str, Callable[[Context, AnyJudge], Any]]] = {PREFLIGHT: check_judge}
"""What can be asked of a crew that needs a model and no shard."""


@dataclass
class Crew:
    """The models of a run in one process, made when they are first needed, and jobs for them."""

    folder: Path
    driver: Holder
    config: RunConfig
    constitution: Constitution

    def make(self, order: Order) -> Made[Any, Any]:
        """Join the run and make a job of it; `order.address` is a `generate.jobs.Address`.

        Raises:
            MissingInput: the run folder is not here.
            RunLocked: the driver does not have it open any more.
        """
        address: Address = order.address
        run = Run.attach(self.folder, self.driver, say=lambda _: None)
        try:
            context = self._context(run, order)
            job = self._job(context, address)
            meter = context.meter
            return Made(job.stage, job.shards, job.metered(meter), lambda: meter.spent, run.close)
        except BaseException:
            run.close()
            raise

    def call(self, name: str) -> Any:
        """The answer to one of `CALLS`."""
        with Run.attach(self.folder, self.driver, say=lambda _: None) as run:
            self._alone(self._judge.engine)
            return CALLS[name](self._context(run, Order(None)), self._judge)

    def close(self) -> None:
        """Free all models."""
        for engine in self._engines():
            engine.close()

    @cached_property
    def _policies(self) -> dict[str, Policy]:
        return {policy.name: policy for policy in make_policies(self.config)}

    @cached_property
    def _judge(self) -> AnyJudge:
        return make_judge(judge_engine(self.config.judge), self.constitution, self.config.judge, seed=self.config.seed)

    def _engines(self) -> list[Engine]:
        """The engines that were made so far."""
        held = self.__dict__
        policies = [policy.engine for policy in self._policies.values()] if "_policies" in held else []
        return [*policies, *([self._judge.engine] if "_judge" in held else [])]

    def _alone(self, engine: Engine) -> Engine:
        """The engine, with the memory of all others freed."""
        for other in self._engines():
            if other is not engine:
                other.close()
        return engine

    def _context(self, run: Run, order: Order) -> Context:
        meter = Meter(prices_of(self.config), order.limits)
        quiet = Console(quiet=True, out=StringIO(), err=StringIO())
        shards = PromptShards(run.stage(Step.PROMPTS, Prompt))
        return Context(run, self.config, self.constitution, shards, quiet, order.retry_failed, meter)

    def _job(self, context: Context, address: Address) -> Job[Any, Any]:
        if address.part is Part.SAMPLES:
            policy = self._policies[address.policy]
            self._alone(policy.engine)
            return sample_job(context, policy, alone=False)
        judge = self._judge
        engine = self._alone(judge.engine)
        if isinstance(judge, PromptJudge):
            if address.part is Part.JUDGEMENTS:
                return prompt_job(context, judge)
        elif address.part is Part.JUDGEMENTS:
            stage = context.run.stage(Step.JUDGEMENTS, Judgement)
            return comparison_job(Comparisons(context, judge, stage, address.bias), judge, stage, address.number)
        elif address.part is Part.REVISION_JUDGEMENTS:
            return revision_job(context, judge)
        if address.part is Part.CRITIQUES:
            return critique_job(context, CritiqueJudge(engine))
        revise = self.config.revise or ReviseConfig()
        one = Round(context, revise, CritiqueJudge(engine), make_reviser(engine, revise), address.number)
        return one.critique_job("") if address.part is Part.ROUND_CRITIQUES else one.revision_job("")


def crew_of(context: Context) -> Crew:
    """The crew of the run that a context has open."""
    return Crew(context.run.path.resolve(), context.run.driver, context.config, context.constitution)
