"""What it costs to relabel a run by an edited principles file, and the relabelling: what the edit touches and is not answered already.

The run keeps its prompts and its responses; nothing is sampled. Knows no sample of pairs and no terminal.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from generate.bill import Bill, bill
from generate.context import Step
from generate.intake import Input
from generate.others import lending
from generate.pipeline import ALL, Order, generate, read_stats
from generate.plan import plan
from generate.planned import Line
from generate.sampling import Policy
from generate.spool import Spool
from judges.pairwise import PairwiseJudge
from tenet.config import make_config
from tenet.console import Console
from tenet.errors import UsageError
from tenet.ids import Json
from tenet.runconfig import RunConfig
from tenet.runs import Fingerprint, Run
from tenet.runs.fingerprint import compare, require_same_identity


@dataclass(frozen=True)
class Relabelling:
    """What relabelling a whole run would cost from where it stands; `steps` holds the comparisons first, then what is written anew."""

    bill: Bill

    @property
    def judging(self) -> Line:
        """The comparisons: all, those that answers are there for, those owed and their tokens."""
        return next(line for line in self.bill.lines if line.stage == Step.JUDGEMENTS)

    def as_json(self) -> Mapping[str, Json]:
        """For `--json`."""
        return self.bill.as_json()


def config_of(run: Run, principles: str | None = None) -> RunConfig:
    """A run's configuration as it was last accepted, with another principles file if one is named.

    Raises:
        InvalidInput: it is not one of this version.
    """
    return make_config(run.config if principles is None else {**run.config, "principles": principles}, RunConfig)


def require_same_judge(run: Run, judge: PairwiseJudge) -> None:
    """Make sure that a judge made now is the one that judged a run: another one's verdicts are no measure of an edit.

    Raises:
        FingerprintMismatch: names what differs.
    """
    told = run.fingerprint
    changes = compare(told, Fingerprint({**told.identity, "judge": judge.fingerprint}, told.growth, told.informational))
    require_same_identity(changes, run.path)


def relabelling(
    folder: Path,
    config: RunConfig,
    judge: PairwiseJudge,
    cache: Path,
    policies: Sequence[Policy],
    *,
    most: int | None = None,
) -> Relabelling:
    """Count what a run would cost by the principles of `judge`. Answers in `cache`, those that
    the run has moved aside and those of the runs that its configuration names are taken.

    Comparisons are counted exactly, by the real tokenizer, where no question depends on an answer; with `most`, on so many prompts, which
    stand for the others. Asks nothing.

    Raises:
        MissingInput, UsageError: a run to take answers from is gone.
    """
    with (
        closing(Input(Spool(), given=False, lines=(), counts={})) as nothing_new,
        lending((*config.reuse, *_there(cache)), folder, own=True) as others,
    ):
        counted = plan(config, folder, policies, judge, nothing_new, others=others, most=most)
    counted = replace(counted, lines=tuple(line for line in counted.lines if line.stage != Step.SAMPLES))
    return Relabelling(bill(counted, config, read_stats(folder)))


def relabel(folder: Path, principles: str, cache: Path, console: Console) -> Run:
    """Make another principles file the run's, and judge anew what that touches; pairs and dataset follow. Gives the run, to be read.

    Raises:
        UsageError: the file is there under a name that the run cannot keep.
        Interrupted, BudgetReached, TooManyFailures, EngineError, MissingInput: as `generate.pipeline.generate`.
    """
    with Run.read(folder) as run:
        config, command = config_of(run, principles), with_principles(run.command, principles)
    steps = ALL - {Step.SAMPLES}
    return generate(Order(config, folder, command, steps, relabel=True, lenders=_there(cache)), console)


def with_principles(command: str, principles: str) -> str:
    """The command that goes on with a run, with another principles file.

    Raises:
        UsageError: the command has no words.
    """
    words = shlex.split(command)
    if not words:
        raise UsageError("the run does not say by which command it was made", hint="relabel it with: tenet generate")
    kept = [
        word
        for place, word in enumerate(words)
        if word != "--principles" and not word.startswith("--principles=") and words[place - 1] != "--principles"
    ]
    return shlex.join([*kept, "--principles", principles])


def _there(cache: Path) -> tuple[Path, ...]:
    return (cache,) if (cache / "run.json").exists() else ()
