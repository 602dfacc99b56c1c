"""Brings a run folder, its judge and an edit together: the effect of the edit on the run, and the cost of relabelling.

Loads the judge only where something is asked, and frees it at the end. Knows no terminal.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from constitution.diff import Difference
from generate.answers import Answers
from generate.context import Context
from generate.effect import Effect, measure
from generate.intake import PROMPTS
from generate.models import judge_engine
from generate.prompt_shards import PromptShards
from generate.relabel import Relabelling, config_of, relabelling, require_same_judge
from judges.registry import create_judge
from tenet.console import Console
from tenet.records import Prompt
from tenet.runs import Run


@dataclass(frozen=True)
class Measured:
    """What an edit does to a run, and what it would cost to take it on."""

    effect: Effect
    relabelling: Relabelling


def measured(
    folder: Path, difference: Difference, second: str, console: Console, *, size: int, seed: int = 0, command: str = ""
) -> Measured:
    """Measure an edit on a sample of a run's pairs; `second` is the path or the name of the edited file, `command` goes on after a stop.

    Raises:
        MissingInput, InvalidInput: the run, its judge, or what it was configured with cannot be read.
        FingerprintMismatch: the judge is not the one that judged the run.
        UsageError, Interrupted, TooManyFailures, EngineError: as `generate.effect.measure`.
    """
    with Run.read(folder) as run:
        config = config_of(run)
        with judge_engine(config.judge) as engine:
            before = create_judge(engine, difference.first, config.judge, seed=config.seed)
            after = create_judge(engine, difference.second, config.judge, seed=config.seed)
            require_same_judge(run, before)
            context = Context(run, config, difference.first, PromptShards(run.stage(PROMPTS, Prompt)), console)
            answers = Answers(folder, command or run.command, console, config.max_failures)
            effect = measure(context, difference, before, after, answers, size=size, seed=seed)
            cost = relabelling(folder, config_of(run, second), after, answers.cache)
    return Measured(effect, cost)
