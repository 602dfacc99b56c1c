"""Asks a model whether one response can follow two principles at once, and reads one token's log-probabilities.

Each pair is asked in four ways: both orders of the principles, and both letters for each answer. Their log-odds are averaged, so that
a liking for a place or a letter cancels. Knows no file.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Final

from constitution.model import Principle
from engines.base import Engine, LabelRead, Request
from engines.prompting import trusted
from judges.asks import Questionnaire, load_template
from judges.labels import read_verdict
from judges.probability import pool
from tenet.errors import JudgeUnfit

LABELS: Final = ("A", "B")
APART: Final = "No response can follow both principles: what one asks for, the other forbids."
TOGETHER: Final = "A response can follow both principles at once."


class ContradictionJudge:
    """A model as a judge of pairs of principles. `min_label_mass` is the least P(A) + P(B) that counts as an answer.

    Raises:
        JudgeUnfit: the engine reads no log-probabilities of labels, or a label is no single token for it.
    """

    def __init__(self, engine: Engine, *, min_label_mass: float = 0.5) -> None:
        if not engine.capabilities.label_logprobs:
            raise JudgeUnfit(
                f"the engine {engine.info.engine} does not read the log-probabilities of labels",
                hint="judge with --engine vllm or --engine transformers",
            )
        self.engine = engine
        self.min_label_mass = min_label_mass
        self.labels = engine.tokenizer.label_set(LABELS)
        self._questions = Questionnaire(engine, load_template("contradiction"), "contradiction", min_label_mass)
        self.unread = 0

    def contradict(self, pairs: Sequence[tuple[Principle, Principle]]) -> list[float | None]:
        """Return P(no response can follow both) for each pair; None, counted in `unread`, where an answer is missing or no answer.

        Raises:
            EngineError: the engine itself has failed.
        """
        requests: list[Request] = []
        signs: list[bool] = []
        for pair in pairs:
            for (first, second), apart_is_a in product((pair, pair[::-1]), (True, False)):
                a, b = (APART, TOGETHER) if apart_is_a else (TOGETHER, APART)
                tokens = self._questions.tokens(first=first.text, second=second.text, a=[trusted(a)], b=[trusted(b)])
                requests.append(Request(tokens, group=pair[0].id))
                signs.append(apart_is_a)
        answers = iter(zip(self.engine.read_labels(requests, self.labels) if requests else (), signs, strict=True))
        return [self._pooled([next(answers) for _ in range(4)]) for _ in pairs]

    def _pooled(self, answers: Sequence[tuple[LabelRead, bool]]) -> float | None:
        found: list[float] = []
        for read, apart_is_a in answers:
            verdict = None if read.error or read.kind == "text" else read_verdict(read.logprobs, self.min_label_mass)
            if verdict is None or verdict.p_first is None:
                self.unread += 1
                return None
            found.append(verdict.p_first if apart_is_a else 1.0 - verdict.p_first)
        return pool(found, [1.0] * len(found))
