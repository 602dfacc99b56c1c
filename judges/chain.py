"""A judge of pairs that writes before it answers: what `judges.critique_first` and `judges.reasoning` share.

An answer takes two requests: the text is completed, then the labels are read by log-probability right after it. The text came out of a
model that had read untrusted text, so it goes back in as untrusted text. Both requests run as streams, one feeding the other: an engine
that answers whole batches completes a batch and then reads its labels, a server completes many texts while the verdicts on earlier ones
are read. After a text the labels' probabilities run to 0 and 1, and mean less; calibration on people's labels is the remedy, `clamp` a
plain one. Knows no run folder, and not what the text is.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from constitution.model import Constitution
from engines.base import Completion, Engine, LabelRead, Request, SamplingParams, TokenIds, Usage
from judges.asks import Ask, answered
from judges.critique import complete
from judges.labels import LabelVerdict
from judges.pairwise import Mode, PairAsk, PairwiseJudge
from tenet.errors import JudgeUnfit
from tenet.ids import Json
from tenet.records import Finish, Judgement, Outcome


@dataclass(frozen=True, slots=True)
class Text:
    """What a judge wrote before its verdict, as it is kept: a critique, or thinking. `cut` says that it ended at its limit."""

    critique: str = ""
    thinking: str = ""
    cut: bool = False

    @property
    def words(self) -> str:
        """Whichever there is."""
        return self.critique or self.thinking


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictAsk(Ask):
    """The second request of a question, `about` the pair; with a `problem` it is not sent, and `outcome` is what that comes to."""

    about: PairAsk
    text: Text
    spent: Usage | None
    outcome: Outcome = Outcome.ERROR


class ChainJudge(PairwiseJudge, ABC):
    """A model as a judge of pairs that writes first, as `params` say. `clamp` holds p between two numbers that sum to 1.

    Raises:
        JudgeUnfit: see `PairwiseJudge`; also where the engine does not write.
    """

    def __init__(
        self,
        engine: Engine,
        constitution: Constitution,
        mode: Mode | str = Mode.SAMPLED,
        *,
        params: SamplingParams,
        seed: int = 0,
        min_label_mass: float = 0.5,
        clamp: Sequence[float] = (),
    ) -> None:
        if not engine.capabilities.generates:
            raise JudgeUnfit(
                f"the engine {engine.info.engine} does not generate text: it cannot write before it answers",
                hint="set judge.kind: pairwise, or use engine: vllm or engine: transformers",
            )
        self.params = params
        self.clamp = tuple(clamp)
        self.written = params.max_tokens
        super().__init__(engine, constitution, mode, seed=seed, min_label_mass=min_label_mass)

    @abstractmethod
    def text_of(self, answer: Completion) -> Text:
        """What is kept of a completion."""

    @abstractmethod
    def verdict_tokens(self, ask: PairAsk, text: Text) -> TokenIds:
        """The prompt after which the labels are read."""

    def missing(self, text: Text) -> str:  # noqa: ARG002 - a kind may ask for more
        """Say what a text lacks to be judged by; empty if nothing."""
        return ""

    @property
    def requests(self) -> int:
        """See `PairwiseJudge.requests`."""
        return 2

    def most(self, tokens: int, subject: str | None) -> tuple[int, int]:
        """See `PairwiseJudge.most`; both requests are counted."""
        return 2 * tokens + self.written + self.overhead(subject), self.written + 1

    def before_verdict(self, ask: PairAsk) -> Request:
        """See `PairwiseJudge.before_verdict`; asks the engine for the text."""
        (answer,) = complete(self.engine, [ask], self.params)
        return self._after(ask, answer).request

    def judge(self, asks: Sequence[PairAsk]) -> list[Judgement]:
        """See `PairwiseJudge.judge`; two calls to the engine."""
        verdicts = [self._after(*one) for one in zip(asks, complete(self.engine, asks, self.params), strict=True)]
        sent = [one.request for one in verdicts if not one.problem]
        reads = iter(self.engine.read_labels(sent, self.labels) if sent else [])
        return [self._concluded(one, None if one.problem else next(reads)) for one in verdicts]

    def stream(self, asks: Iterable[PairAsk]) -> Iterator[Judgement]:
        """See `PairwiseJudge.stream`; texts that are ready feed the reading of verdicts."""
        texts = answered(asks, partial(self.engine.stream_completions, params=self.params))
        verdicts = (self._after(ask, answer) for ask, answer in texts)
        for one, read in answered(verdicts, partial(self.engine.stream_labels, labels=self.labels)):
            yield self._concluded(one, read)

    def _parameters(self) -> dict[str, Json]:
        clamp: dict[str, Json] = {"clamp": list(self.clamp)} if self.clamp else {}
        return {**super()._parameters(), "written": self.params.as_json(), **clamp}

    def _after(self, ask: PairAsk, answer: Completion | None) -> VerdictAsk:
        """The second request, or why there is none."""
        if answer is None or answer.finish is Finish.ERROR:
            problem = ask.problem if answer is None else answer.error or "the engine failed without a word"
            return self._verdict(ask, Text(), answer, (), problem)
        text = self.text_of(answer)
        if problem := self.missing(text):
            return self._verdict(ask, text, answer, (), problem, Outcome.UNPARSED)
        tokens = self.verdict_tokens(ask, text)
        return self._verdict(ask, text, answer, tokens, self._questions.problem(tokens))

    def _verdict(
        self, ask: PairAsk, text: Text, answer: Completion | None, tokens: TokenIds, problem: str,
        outcome: Outcome = Outcome.ERROR,
    ) -> VerdictAsk:  # fmt: skip
        return VerdictAsk(
            key=ask.key, prompt_id=ask.prompt_id, principle=ask.principle, tokens=tokens, problem=problem, about=ask,
            text=text, spent=answer.usage if answer else None, outcome=outcome,
        )  # fmt: skip

    def _concluded(self, one: VerdictAsk, read: LabelRead | None) -> Judgement:
        if read is None:
            found = self._record(one.about, LabelVerdict(one.outcome, reason=one.problem), None)
        else:
            found = self._judgement(one.about, read)
        spent = [usage for usage in (one.spent, read.usage if read else None) if usage is not None]
        cached = [usage.cached_tokens for usage in spent if usage.cached_tokens is not None]
        return replace(
            found,
            p_first=self._clamped(found.p_first),
            prompt_tokens=sum(usage.prompt_tokens for usage in spent) if spent else None,
            completion_tokens=sum(usage.completion_tokens for usage in spent) if spent else None,
            cached_tokens=sum(cached) if spent and len(cached) == len(spent) else None,
            critique=one.text.critique,
            thinking=one.text.thinking,
            cut=one.text.cut,
        )

    def _clamped(self, p: float | None) -> float | None:
        if p is None or not self.clamp:
            return p
        return min(max(p, self.clamp[0]), self.clamp[1])
