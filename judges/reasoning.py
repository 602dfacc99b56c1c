"""A thinking model as a judge of pairs: it thinks under a budget of tokens, and the verdict is read right after the thinking.

The question is that of `judges.pairwise`. The thinking is opened by us, between the markers of the model's template, and where it
reaches its budget it is closed by force (`cut`), so that every question has its verdict (Muennighoff et al. 2025, "s1", force the end
of thinking likewise). It is kept with the judgement, apart from any critique: it is how a model gets to its answer, not a reason given to a
reader. Servers that take messages only have the model begin its turn anew; there the letter is taken from what it writes after its
thinking: a vote without a probability. Knows no run folder.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar, Final

from constitution.model import Constitution
from engines.base import Completion, Engine, LabelRead, SamplingParams, TokenIds
from engines.letters import letter_of
from engines.prompting import Span, trusted, untrusted
from judges.asks import answered
from judges.chain import ChainJudge, Text
from judges.critique import complete
from judges.pairwise import LABELS, Mode, PairAsk, Question
from tenet.errors import JudgeUnfit
from tenet.ids import Json
from tenet.records import Finish, Judgement, Outcome

LETTER_TOKENS: Final = 16
"""Room for the answer after the thinking, where that is one text."""
THINKING_PARAMS: Final = SamplingParams(max_tokens=1024, temperature=0.6, top_p=0.95)
"""What the makers of Qwen3 and DeepSeek-R1 advise for thinking; both warn of greedy decoding, which repeats itself."""


@dataclass(frozen=True, slots=True)
class Markers:
    """What stands around the thinking in a model's turn."""

    open: str = "<think>"
    close: str = "</think>"


class ReasoningJudge(ChainJudge):
    """A thinking model as a judge of pairs; `params.max_tokens` is the budget of its thinking. See `judges.chain`.

    Raises:
        JudgeUnfit: see `ChainJudge`; also where the chat template, as it is used, closes the thinking before it begins.
    """

    kind: ClassVar[str] = "reasoning"

    def __init__(
        self,
        engine: Engine,
        constitution: Constitution,
        mode: Mode | str = Mode.SAMPLED,
        *,
        params: SamplingParams = THINKING_PARAMS,
        markers: Markers = Markers(),
        seed: int = 0,
        min_label_mass: float = 0.5,
        clamp: Sequence[float] = (),
    ) -> None:
        self.markers = markers
        self.continues = engine.capabilities.continues
        self._opener = self._closer = ""
        if self.continues:
            self._opener, self._closer = _opener(engine, markers), f"\n{markers.close}\n\n"
            params = replace(params, stop=tuple(dict.fromkeys((*params.stop, markers.close))))
        super().__init__(
            engine, constitution, mode, params=params, seed=seed, min_label_mass=min_label_mass, clamp=clamp
        )
        if not self.continues:
            self.params = replace(params, max_tokens=params.max_tokens + LETTER_TOKENS)
            self.written = self.params.max_tokens

    def under(self, constitution: Constitution) -> ReasoningJudge:
        """See `PairwiseJudge.under`."""
        budget = self.written if self.continues else self.written - LETTER_TOKENS
        return ReasoningJudge(
            self.engine, constitution, self.mode, params=replace(self.params, max_tokens=budget), markers=self.markers,
            seed=self.seed, min_label_mass=self.min_label_mass, clamp=self.clamp,
        )  # fmt: skip

    def overhead(self, subject: str | None) -> int:  # noqa: ARG002 - the same of all
        """See `PairwiseJudge.overhead`: the end of the thinking."""
        return len(self.engine.tokenizer.encode([trusted(self._closer)])) if self.continues else 0

    @property
    def requests(self) -> int:
        """See `PairwiseJudge.requests`; one where the letter is part of the text."""
        return 2 if self.continues else 1

    def most(self, tokens: int, subject: str | None) -> tuple[int, int]:
        """See `PairwiseJudge.most`."""
        return super().most(tokens, subject) if self.continues else (tokens, self.written)

    def text_of(self, answer: Completion) -> Text:
        """The thinking up to its end marker, which is a control token of some models and so no part of `answer.text`."""
        raw = self.engine.tokenizer.decode(answer.tokens, skip_special=False) if answer.tokens else answer.text
        thinking, closed, _ = raw.partition(self.markers.close)
        cut = not closed and answer.finish is Finish.LENGTH
        return Text(thinking=(thinking if closed else answer.text).strip(), cut=cut)

    def verdict_tokens(self, ask: PairAsk, text: Text) -> TokenIds:
        """The model's own turn with its thinking closed."""
        ending = [untrusted(text.thinking), trusted(self._closer)]
        return ask.tokens + self.engine.tokenizer.encode(ending)

    def judge(self, asks: Sequence[PairAsk]) -> list[Judgement]:
        """See `PairwiseJudge.judge`."""
        if self.continues:
            return super().judge(asks)
        answers = complete(self.engine, asks, self.params)
        return [self._voted(ask, answer) for ask, answer in zip(asks, answers, strict=True)]

    def stream(self, asks: Iterable[PairAsk]) -> Iterator[Judgement]:
        """See `PairwiseJudge.stream`."""
        if self.continues:
            yield from super().stream(asks)
            return
        for ask, answer in answered(asks, partial(self.engine.stream_completions, params=self.params)):
            yield self._voted(ask, answer)

    def _label_tokens(self) -> tuple[TokenIds, ...]:
        return self.engine.tokenizer.label_set(LABELS, after=self._closer)

    def _parameters(self) -> dict[str, Json]:
        return {**super()._parameters(), "markers": [self.markers.open, self.markers.close]}

    def _made(self, ask: PairAsk, shown: Sequence[Span], question: Question) -> PairAsk:  # noqa: ARG002 - the tokens are enough
        tokens = ask.tokens + (self.engine.tokenizer.encode([trusted(self._opener)]) if self._opener else ())
        return replace(
            ask, tokens=tokens, problem=self._questions.problem(tokens, self.written + self.overhead(ask.principle))
        )

    def _voted(self, ask: PairAsk, answer: Completion | None) -> Judgement:
        """What one text says that holds thinking and letter."""
        if answer is None or answer.finish is Finish.ERROR:
            return self._concluded(self._after(ask, answer), None)
        head, closed, rest = answer.text.partition(self.markers.close)
        opened = self.markers.open in head
        thinking = head.replace(self.markers.open, "", 1).strip() if closed or opened else ""
        letter = letter_of(rest if closed else "" if opened else answer.text, LABELS)
        text = Text(thinking=thinking, cut=letter is None and answer.finish is Finish.LENGTH)
        reason = "" if letter else f"no {LABELS[0]} or {LABELS[1]} after the thinking"
        if text.cut:
            reason = f"cut off at {answer.usage.completion_tokens:,} tokens before a verdict"
        one = self._verdict(ask, text, answer, (), reason, Outcome.UNPARSED)
        if letter is None:
            return self._concluded(one, None)
        found = LabelRead(tuple(float(label == letter) for label in LABELS), replace(answer.usage), kind="text")
        return self._concluded(replace(one, spent=None), found)


def _opener(engine: Engine, markers: Markers) -> str:
    """What begins the thinking; empty where the chat template has begun it.

    Raises:
        JudgeUnfit: the template ends it at once.
    """
    tail = engine.tokenizer.tail
    if markers.close in tail:
        raise JudgeUnfit(
            f"the prompts of {engine.info.model} end in {tail[-40:]!r}: the thinking is closed before it begins",
            hint="set judge.chat_template_kwargs: {enable_thinking: true}, take out judge.prefill, or set judge.kind: pairwise",
        )
    return "" if tail.rstrip().endswith(markers.open) else f"{markers.open}\n"
