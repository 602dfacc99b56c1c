"""Judges samples while others are still drawn, where policy and judge run on different devices.

The policy draws in a thread of its own, as `sampling` has it; each shard whose samples are settled comes through a queue to this thread,
which asks the first wave of its comparisons. Nothing rests on the two being in step: what is left open here, `judging` finds owed. Later
waves follow on answers of the whole run and are not begun here. Knows no engine, and of devices only whether two places have one in common.
"""

from __future__ import annotations

import queue
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from generate.context import Context, Step
from generate.jobs import Job, told
from generate.judging import comparison_job, require_fit
from generate.questions import Comparisons
from generate.sampling import Draw, Policy, plan_samples, sample_all, sample_job
from generate.supersede import attic_of
from judges.pairwise import PairAsk, PairwiseJudge
from tenet.console import Progress
from tenet.errors import Interrupted
from tenet.records import Judgement, Sample
from tenet.workers.interrupt import Interruption
from tenet.workers.local import StageReport, run_stage, survey
from tenet.workers.planned import Tally
from tenet.workers.shard import ShardWorker, Stopped, Watch
from tenet.workers.survey import distinct, given_up_keys, tasks_of

Waiting = queue.SimpleQueue[int | None]
"""The shards that are drawn and not judged; None when there will be no more."""


def overlaps(context: Context, policies: Sequence[Policy], judge: PairwiseJudge) -> bool:
    """Whether samples are to be judged, in pairs, while others are drawn.

    Not where the configuration forbids it or workers elsewhere do the asking; not where there is nothing to gain (no sample is owed, or one
    shard holds all prompts); and not where answers are asked for a second time, or may come back from the attic of an edited principle:
    that wants a look at all that is drawn.
    """
    config = context.config
    if config.overlap == "no" or context.pool is not None or context.retry_failed:
        return False
    attic = context.run.manifest.stages.get(attic_of(Step.JUDGEMENTS))
    if not policies or len(context.shards) < 2 or (attic and attic.shards):
        return False
    if config.overlap == "auto":
        drawing, judging = policies[-1].engine.place, judge.engine.place
        if not drawing or not judging or drawing & judging:
            return False
    if not context.run.stage(Step.SAMPLES, Sample).shards():
        return True
    job = sample_job(context, policies[-1], alone=len(policies) == 1)
    return not job.stage.settled(job.plan) and survey(job.stage, job.shards, retries=job.retries).owed > 0


def draw_and_judge(context: Context, policies: Sequence[Policy], judge: PairwiseJudge) -> StageReport | None:
    """Draw what is owed, and judge what is drawn meanwhile. Several policies are drawn from one after the other, the last one beside the
    judge.

    Gives what became of the first wave of comparisons if all of it was asked here, else None: then `judging.judge_all` finds the rest.

    Raises:
        TooManyFailures, JudgeUnfit, BudgetReached, Interrupted, TenetError: as the two stages; the first of them where both fail. The other
            one has stopped in good order, and what was answered is recorded.
    """
    *earlier, last = policies
    if earlier:
        sample_all(context, earlier)
    job = sample_job(context, last, alone=not earlier)
    if context.library is not None:
        context.library.lend(job, context.console)  # its index belongs to this thread
    # Loading a model changes settings of the whole process for a while (torch's default dtype; vLLM moves stdout): not beside other work.
    last.engine.load()
    judge.engine.load()
    follower = _Follower(context, judge)
    with Interruption(context.console.say, context.run.command) as interruption:
        errors: list[BaseException] = []
        waiting: Waiting = queue.SimpleQueue()

        def stop(error: BaseException) -> None:
            errors.append(error)
            interruption.requested = True

        with ThreadPoolExecutor(1, "tenet-sampling") as pool:
            pool.submit(_draw, context, job, interruption, waiting, stop)
            try:
                follower.follow(waiting, lambda: interruption.requested)
            except BaseException as error:  # whatever it is, the other thread must end before it goes on
                stop(error)
        _raise_first(errors, interruption, context.run.command)
    last.engine.close()
    plan_samples(context, policies)
    return follower.finished()


def _draw(
    context: Context, job: Job[Draw, Sample], interruption: Interruption, waiting: Waiting, stop: Callable[[BaseException], None]
) -> None:  # fmt: skip
    """Carry out a sample job, putting each settled shard into the queue. Failures are asked again early, lest one hold its shard back."""
    try:
        with told(context, job) as progress:
            report = run_stage(
                job.stage, job.shards, job.metered(context.meter), progress=progress, plan=job.plan, retries=job.retries,
                max_failures=context.config.max_failures, interruption=interruption, settled=waiting.put, again_after=1,
            )  # fmt: skip
        context.note(job.step, report)
    except BaseException as error:  # raised again in the thread that waits
        stop(error)
    finally:
        waiting.put(None)


def _raise_first(errors: Sequence[BaseException], interruption: Interruption, resume: str) -> None:
    first = errors[0] if errors else None
    if isinstance(first, Stopped | KeyboardInterrupt) or (first is None and interruption.requested):
        raise Interrupted("Stopped; everything recorded is kept.", resume=resume) from first
    if first is not None:
        raise first


class _Follower:
    """Asks the first wave's questions of shards as they are drawn."""

    def __init__(self, context: Context, judge: PairwiseJudge) -> None:
        self._context = context
        self._judge = judge
        stage = context.run.stage(Step.JUDGEMENTS, Judgement)
        self._fresh = not stage.shards()
        self._job: Job[PairAsk, Judgement] = comparison_job(Comparisons(context, judge, stage), judge, stage, 1)
        self._report = StageReport(0, 0, 0, 0, 0.0)
        self._taken: Counter[str] = Counter()
        self._shards: set[int] = set()
        self._planned = 0
        self._checked = self._ended = False

    def follow(self, waiting: Waiting, stopping: Callable[[], bool]) -> None:
        """Judge what the queue brings until it ends. As long as more is waiting the judge is kept busy; else all answers are recorded.

        Raises:
            Stopped: it was time to stop.
            TenetError: the judge or the disk failed, or too much goes wrong.
        """
        job, context = self._job, self._context
        seconds = 0.0
        with told(context, job) as progress:
            tally = Tally(job.stage, progress, hopeless=context.config.max_failures < 1)
            watch: Watch[Judgement] = Watch(tally.recorded, progress.in_flight, tally.settled, stopping)
            worker = ShardWorker(job.stage, job.metered(context.meter), watch, retries=job.retries)
            progress.expect(0)
            while (number := self._next(waiting, progress)) is not None:
                if stopping():
                    raise Stopped
                began = time.monotonic()
                self._begin(number, progress)
                worker.settle(self._leg(number, waiting, progress), tasks_of(job.shards))
                seconds += time.monotonic() - began
        if context.library is not None:
            context.library.tell(job.stage.name, self._taken, context.console)
        failed = sum(tally.reasons.values())
        self._report = StageReport(
            self._planned, self._planned - failed, failed, tally.asked, seconds, dict(tally.reasons)
        )

    def finished(self) -> StageReport | None:
        """What became of the wave; None where some of it was not asked here, or the stage held rows before."""
        whole = self._fresh and len(self._shards) == len(self._context.shards)
        report = self._report
        self._context.note(self._job.step, report if whole else StageReport(0, 0, 0, report.asked, report.seconds))
        return report if whole else None

    def _leg(self, first: int, waiting: Waiting, progress: Progress) -> Iterator[int]:
        """A shard that is begun, and those that are waiting behind it once the judge has been checked."""
        yield first
        while self._checked and not waiting.empty() and (number := self._next(waiting, progress)) is not None:
            self._begin(number, progress)
            yield number

    def _next(self, waiting: Waiting, progress: Progress) -> int | None:
        """The next shard; None from when there will be no more."""
        number = None if self._ended else waiting.get()
        if number is None and not self._ended:
            self._ended = True
            progress.expect(0, last=True)
        return number

    def _begin(self, number: int, progress: Progress) -> None:
        """Take what other runs have of a shard, see what it owes, and check the judge before it is first asked."""
        context, stage = self._context, self._job.stage
        if context.library is not None:
            self._taken += context.library.take(self._job, [number])
        wanted = distinct(self._job.shards[number]).keys()
        held, tired = stage.keys(number), given_up_keys(stage, number, self._job.retries)
        owed = sum(not held.get(key) and key not in tired for key in wanted)
        self._shards.add(number)
        self._planned += len(wanted)
        progress.expect(len(wanted), len(wanted) - owed)
        if owed and not self._checked:
            self._checked = require_fit(context, self._judge, [number])
