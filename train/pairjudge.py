"""Makes the judge of pairs that an evaluation or a training names, on an engine in this process. Knows no measure and no trainer."""

from __future__ import annotations

from constitution.load import load
from engines.registry import create_engine
from judges.pairwise import PairwiseJudge
from train.judged import JudgedBy


def judge_of(asked: JudgedBy, seed: int) -> PairwiseJudge:
    """Make a judge; whoever asks for it closes its engine.

    Raises:
        MissingInput, InvalidInput, UsageError: the model or the principles cannot be used.
        JudgeUnfit: the judge does not answer by label.
    """
    constitution = load(asked.principles)
    engine = create_engine(
        asked.engine, asked.model, chat_template_kwargs=asked.chat_template_kwargs, prefill=asked.prefill,
        options=asked.options,
    )  # fmt: skip
    try:
        return PairwiseJudge(engine, constitution, asked.mode, seed=seed, min_label_mass=asked.min_label_mass)
    except BaseException:
        engine.close()
        raise
