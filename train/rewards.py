"""Where rewards come from: a reward model, a judge with principles, or a function of the text; one interface for all.

A source scores responses to prompts in batches, the higher the better, and None where it can say nothing. It is also what TRL calls
a reward function. Knows no trainer and no server.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from judges.aggregate import preferences
from judges.kinds.alone import AloneJudge
from judges.pairwise import PairwiseJudge
from tenet.errors import UsageError
from tenet.ids import Json, content_id
from tenet.records import Finish, Judgement, Message, Prompt, Rating, Sample
from train.rows import Text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from judges.registry import AnyJudge

_BATCH_TOKENS: Final = 8_192
_CHECKED: Final = "the folder that `tenet train reward` wrote"


class RewardSource(ABC):
    """Scores responses. Prompts are conversations (lists of messages with role and content) or plain texts.

    `name` is what logs call it.
    """

    name: str

    @abstractmethod
    def score(
        self, prompts: Sequence[Text], responses: Sequence[str], references: Sequence[str | None] | None = None
    ) -> list[float | None]:
        """Score each response to its prompt, the higher the better; None where nothing can be said.

        `references` are responses to compare with, for sources that compare.

        Raises:
            EngineError: a model behind the source has failed as a whole.
        """

    @property
    @abstractmethod
    def fingerprint(self) -> dict[str, Json]:
        """What identifies the source in a record."""

    @property
    def __name__(self) -> str:
        return self.name  # by which TRL logs a reward function

    def __call__(self, prompts: Sequence[Text], completions: Sequence[Text], **columns: Any) -> list[float | None]:
        """Score as a reward function of TRL; a data set's column `reference` holds the responses to compare with."""
        responses = [one if isinstance(one, str) else str(one[-1]["content"]) for one in completions]
        return self.score(prompts, responses, columns.get("reference"))

    def close(self) -> None:  # noqa: B027 - most hold nothing
        """Free the models."""


class RewardModelSource(RewardSource):
    """A reward model: a sequence classifier with one output, as `tenet train reward` makes it. It scores in its own units.

    A response that with its prompt is longer than the model takes has no score. A conversation is rendered by the model's chat
    template, with the arguments that it was trained with; a plain text is taken as the text in front of the response.

    Raises:
        MissingInput: no model there.
        UsageError: it is no reward model: several outputs, or no trained head.
    """

    def __init__(
        self, model: str, *, device: str | None = None, batch_tokens: int = _BATCH_TOKENS, name: str | None = None
    ) -> None:
        import torch

        from engines.loading import context_length, find_model, load_config, load_tokenizer
        from train.answered import AnsweredEncoder

        source = find_model(model)
        config = load_config(source)
        if config.num_labels != 1:
            raise UsageError(f"{model}: a model with {config.num_labels} outputs is no reward model", hint=f"take {_CHECKED}")  # fmt: skip
        tokenizer: Any = load_tokenizer(source)
        if tokenizer.pad_token is None:
            tokenizer.pad_token = tokenizer.eos_token
        self.name = name or source.name
        self._revision = source.revision
        self._device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self._model = load_scorer(source, pad=tokenizer.pad_token_id).to(self._device).eval()
        self._pad = int(tokenizer.pad_token_id)
        self._longest = context_length(config, None)
        self._batch_tokens = batch_tokens
        self._encoder = AnsweredEncoder(tokenizer, _template_kwargs(Path(model)))

    @property
    def fingerprint(self) -> dict[str, Json]:
        """See `RewardSource.fingerprint`."""
        return {"kind": "reward model", "model": self.name, "revision": self._revision}

    def score(
        self, prompts: Sequence[Text], responses: Sequence[str], references: Sequence[str | None] | None = None  # noqa: ARG002
    ) -> list[float | None]:  # fmt: skip
        """See `RewardSource.score`; references are not looked at."""
        rows = self._encoder.ids(prompts, responses)
        places: dict[tuple[int, ...], list[int]] = {}
        for place, ids in enumerate(rows):
            if 0 < len(ids) <= self._longest:
                places.setdefault(tuple(ids), []).append(place)
        scores: list[float | None] = [None] * len(rows)
        for batch in _batches(sorted(places, key=len), self._batch_tokens):
            for row, value in zip(batch, self._forward(batch), strict=True):
                for place in places[row]:
                    scores[place] = value
        return scores

    def _forward(self, batch: Sequence[tuple[int, ...]]) -> list[float]:
        import torch

        width = max(map(len, batch))
        ids = torch.tensor([[*row, *[self._pad] * (width - len(row))] for row in batch], device=self._device)
        mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in batch], device=self._device)
        with torch.inference_mode():
            found: list[float] = self._model(input_ids=ids, attention_mask=mask).logits[:, 0].float().tolist()
        return found


class JudgeSource(RewardSource):
    """A judge with its principles, straight: scores lie in [0, 1].

    A judge of pairs gives P(the response is better than the reference to the same prompt), asked in both orders; the reference
    comes with the call or is what `reference` says of a prompt. Equal texts are even, an empty response loses. A judge of single
    responses (kind rating or propositions) needs no reference: its expected scores over the prompt's principles are brought to
    [0, 1] and averaged by the principles' weights. None where the judge gave no opinion (of pairs, in either order), where there is
    no reference and where no principle applies.

    Raises:
        UsageError: a judge that ranks all responses at once.
    """

    def __init__(self, judge: AnyJudge, reference: Callable[[Prompt], str | None] | None = None) -> None:
        if not isinstance(judge, PairwiseJudge | AloneJudge):
            raise UsageError(
                f"a judge of kind {judge.kind} gives no reward", hint="set judge.kind: pairwise, rating or propositions"
            )
        self.judge = judge
        self.name = judge.name
        self._reference = reference
        self._weights = {principle.id: principle.weight for principle in judge.constitution.principles}

    @property
    def compares(self) -> bool:
        """Whether scores need a reference."""
        return isinstance(self.judge, PairwiseJudge)

    @property
    def fingerprint(self) -> dict[str, Json]:
        """See `RewardSource.fingerprint`."""
        principles: Json = {"name": self.judge.constitution.name, "digest": self.judge.constitution.digest}
        return {"kind": "judge", "judge": self.judge.fingerprint, "principles": principles}

    def score(
        self, prompts: Sequence[Text], responses: Sequence[str], references: Sequence[str | None] | None = None
    ) -> list[float | None]:
        """See `RewardSource.score`."""
        asked = [prompt_of(prompt) for prompt in prompts]
        answers = [_sample(prompt, response) for prompt, response in zip(asked, responses, strict=True)]
        if isinstance(self.judge, AloneJudge):
            return self._rated(self.judge, asked, answers)
        given = references or [None] * len(asked)
        found = [
            (self._reference(prompt) if self._reference else None) if text is None else text
            for prompt, text in zip(asked, given, strict=True)
        ]
        others = [None if text is None else _sample(prompt, text) for prompt, text in zip(asked, found, strict=True)]
        return self._compared(self.judge, asked, answers, others)

    def close(self) -> None:
        """See `RewardSource.close`."""
        self.judge.engine.close()

    def _compared(
        self, judge: PairwiseJudge, prompts: Sequence[Prompt], answers: Sequence[Sample], others: Sequence[Sample | None]
    ) -> list[float | None]:  # fmt: skip
        cases = list(zip(prompts, answers, others, strict=True))
        asks = {
            ask.record_id: ask
            for prompt, answer, other in cases
            if other is not None and answer.usable and other.usable and answer.id != other.id
            for first, second in ((answer, other), (other, answer))
            for ask in judge.asks(prompt, first, second)
        }
        found: list[Judgement] = list(judge.stream(list(asks.values()))) if asks else []
        p_a = {
            (one.prompt_id, one.a_id, one.b_id): one.p_a
            for one in preferences(found, judge.constitution)
            if one.p_shown_a is not None and one.p_shown_b is not None
        }
        return [_p_better(prompt, answer, other, p_a) for prompt, answer, other in cases]

    def _rated(self, judge: AloneJudge, prompts: Sequence[Prompt], answers: Sequence[Sample]) -> list[float | None]:
        asks = {
            ask.record_id: ask
            for prompt, answer in zip(prompts, answers, strict=True)
            if answer.usable
            for ask in judge.asks(prompt, [answer, answer])
        }
        found: dict[tuple[str, str], list[Rating]] = {}
        for rating in judge.stream(list(asks.values())):
            if rating.score is not None:
                found.setdefault((rating.prompt_id, rating.sample_id), []).append(rating)
        return [
            self._mean(found.get((prompt.id, answer.id), ())) if answer.usable else 0.0
            for prompt, answer in zip(prompts, answers, strict=True)
        ]

    def _mean(self, ratings: Sequence[Rating]) -> float | None:
        weights = [self._weights.get(one.principle or "", 1.0) for one in ratings]
        shares = [((one.score or 0.0) - one.low) / (one.high - one.low) for one in ratings]
        total = sum(weights)
        return sum(w * x for w, x in zip(weights, shares, strict=True)) / total if total else None


class FunctionSource(RewardSource):
    """A function of prompt and response as text, for experiments where the truth can be computed: a number, a truth value, or None.

    Raises:
        UsageError: the function names several values (as an oracle of `tenet evaluate` does) and `attribute` names none of them.
    """

    def __init__(self, function: Callable[[str, str], Any], name: str, attribute: str | None = None) -> None:
        self.name = name
        self._function = function
        self._attribute = attribute

    @property
    def fingerprint(self) -> dict[str, Json]:
        """See `RewardSource.fingerprint`."""
        return {"kind": "function", "name": self.name, "attribute": self._attribute}

    def score(
        self, prompts: Sequence[Text], responses: Sequence[str], references: Sequence[str | None] | None = None  # noqa: ARG002
    ) -> list[float | None]:  # fmt: skip
        """See `RewardSource.score`; references are not looked at."""
        texts = [prompt_of(prompt).text for prompt in prompts]
        values = [self._picked(self._function(*pair)) for pair in zip(texts, responses, strict=True)]
        return [None if value is None else float(value) for value in values]

    def _picked(self, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        if self._attribute not in value:
            known = ", ".join(map(str, value))
            raise UsageError(f"the oracle {self.name} names several values: {known}", hint="say which as `attribute`")
        return value[self._attribute]


def prompt_of(text: Text) -> Prompt:
    """Make the record of a prompt; a plain text is what a user says."""
    turns = [{"role": "user", "content": text}] if isinstance(text, str) else text
    return Prompt.of([Message(turn["role"], turn["content"]) for turn in turns])


def load_scorer(source: Any, *, pad: int, dtype: Any = None) -> Any:
    """Load a sequence classifier with one output: in `dtype`, else in fp32 on a CPU and as it was saved on a GPU.

    Raises:
        MissingInput: it does not load.
        UsageError: its head was never trained.
    """
    import torch
    from transformers import AutoModelForSequenceClassification

    from engines.loading import hub_errors, quiet

    chosen = dtype or ("auto" if torch.cuda.is_available() else torch.float32)
    with quiet(), hub_errors(source.name):
        model, told = AutoModelForSequenceClassification.from_pretrained(
            source.location, num_labels=1, dtype=chosen, use_safetensors=True, output_loading_info=True, **source.loader_kwargs
        )  # fmt: skip
    fresh = sorted(told["missing_keys"])
    if fresh:
        raise UsageError(
            f"{source.name}: no reward model, for its weights lack {', '.join(fresh[:3])}",
            hint=f"take {_CHECKED}; an adapter must have been saved with its head (modules_to_save: [score])",
        )
    model.config.get_text_config().pad_token_id = pad
    return model


def _template_kwargs(folder: Path) -> Mapping[str, Json]:
    from train.folder import read_record

    record = read_record(folder) if folder.is_dir() else None
    return (record or {}).get("config", {}).get("chat_template_kwargs") or {}


def _sample(prompt: Prompt, text: str) -> Sample:
    return Sample(content_id("scored", prompt.id, text.strip()), prompt.id, 0, text.strip(), "policy", Finish.STOP)


def _p_better(
    prompt: Prompt, answer: Sample, other: Sample | None, p_a: Mapping[tuple[str, str, str], float]
) -> float | None:
    """P(the answer is better than the other) by the preferences of sorted pairs, or where no judge is needed."""
    if other is None:
        return None
    if answer.id == other.id:
        return 0.5
    if not (answer.usable and other.usable):
        return float(answer.usable)
    a, b = sorted((answer.id, other.id))
    p = p_a.get((prompt.id, a, b))
    return p if p is None or a == answer.id else 1.0 - p


def _batches(rows: Iterable[tuple[int, ...]], tokens: int) -> Iterable[list[tuple[int, ...]]]:
    """Cut rows, sorted by length, into batches of `tokens` with their padding, one row at least."""
    batch: list[tuple[int, ...]] = []
    for row in rows:
        if batch and len(row) * (len(batch) + 1) > tokens:
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch
