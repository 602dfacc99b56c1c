"""Has a model rank several responses at once under one principle, as JSON that a schema checks, and tells each ranking as votes on pairs.

All comparable responses of a prompt are shown together, up to `WINDOW`; of more, windows of that size that overlap by half, so that
they are linked. Each window is shown in several orders: forward, reversed, and from the third on shuffled by seed. Where the engine can
hold a model to a schema it does; the answer is checked all the same. What is not just the ranking asked for is UNPARSED, never a guess.
A ranking holds no probability: each pair in it is one vote, in the order in which its two responses were shown. Knows no run folder.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import combinations, groupby
from string import ascii_uppercase
from typing import Any, ClassVar, Final

from constitution.model import Constitution, Principle
from engines.base import Completion, Engine, SamplingParams
from engines.spans import Span, trusted, untrusted
from judges.asks import Ask, Questionnaire, answered, conversation, load_template
from judges.kinds.byprompt import LISTINGS, PromptJudge, commonest
from judges.pairwise import Mode
from tenet.errors import JudgeUnfit
from tenet.ids import Json, content_id
from tenet.records import Finish, Judgement, Listing, Outcome, Prompt, Sample

WINDOW: Final = 8
"""Most responses in one question."""
PARAMS: Final = SamplingParams(max_tokens=128, temperature=0.0)
_FENCE: Final = re.compile(r"```(?:json)?\n(.*)\n```", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListAsk(Ask):
    """A question about several responses, in the order in which they are shown."""

    shown: tuple[str, ...]
    principle_digest: str


class ListwiseJudge(PromptJudge[ListAsk, Listing]):
    """A model as a judge that ranks; each window is shown in `orders` orders.

    Raises:
        JudgeUnfit: the engine does not write, or the mode is `whole`.
    """

    kind = "listwise"
    stage: ClassVar[str] = LISTINGS
    record_type = Listing
    params = PARAMS

    def __init__(
        self, engine: Engine, constitution: Constitution, mode: Mode | str, *, seed: int = 0, orders: int = 2
    ) -> None:
        super().__init__(engine, constitution, mode, seed=seed)
        if not engine.capabilities.generates:
            raise JudgeUnfit(
                f"the engine {engine.info.engine} does not generate text, which a judge of kind listwise needs",
                hint="use engine: vllm or engine: transformers, or judge.kind: pairwise",
            )
        self.orders = orders
        self._questions = Questionnaire(engine, load_template("listwise"), self.kind, PARAMS.as_json())

    def asks(self, prompt: Prompt, samples: Sequence[Sample]) -> list[ListAsk]:
        """Make one question a window, principle and order; none where there are fewer than two samples."""
        chosen = self._chosen(prompt)
        return [
            self._ask(prompt, shown, principle)
            for window in windows(samples)
            for shown in self._showings(prompt, window)
            for principle in chosen
        ]

    def stream(self, asks: Iterable[ListAsk]) -> Iterator[Listing]:
        """See `PromptJudge.stream`. Questions about equally many responses had best stand together: they share a schema, and a call."""
        for count, group in groupby(asks, key=lambda ask: len(ask.shown)):
            params = replace(PARAMS, schema=json.dumps(schema_for(count), sort_keys=True))
            for ask, answer in answered(group, partial(self.engine.stream_completions, params=params)):
                yield self._record(ask, answer)

    def _showings(self, prompt: Prompt, window: Sequence[Sample]) -> list[list[Sample]]:
        """The orders in which a window is shown."""
        shuffled = [
            sorted(window, key=lambda one: content_id("listwise", self.seed, prompt.id, one.id, place))
            for place in range(2, self.orders)
        ]
        return [list(window), list(reversed(window)), *shuffled][: self.orders]

    def _ask(self, prompt: Prompt, shown: Sequence[Sample], principle: Principle) -> ListAsk:
        letters = ascii_uppercase[: len(shown)]
        responses: list[Span] = []
        for letter, sample in zip(letters, shown, strict=True):
            gap = "\n\n" if responses else ""
            responses += [trusted(f"{gap}### Response {letter}\n"), untrusted(sample.text.strip())]
        tokens = self._questions.tokens(
            prompt=conversation(prompt),
            responses=responses,
            principle=principle.text,
            question=principle.compare_question,
            letters=[trusted(", ".join(f'"{letter}"' for letter in letters))],
        )
        ids = tuple(sample.id for sample in shown)
        return ListAsk(
            key=self._questions.key((prompt.id, *ids, principle.id), tokens),
            prompt_id=prompt.id,
            principle=principle.id,
            tokens=tokens,
            problem=self._questions.problem(tokens),
            shown=ids,
            principle_digest=self._wording(principle),
        )

    def _record(self, ask: ListAsk, answer: Completion | None) -> Listing:
        outcome, reason = Outcome.ERROR, ask.problem
        ranking: tuple[str, ...] = ()
        if answer is not None and answer.finish is Finish.ERROR:
            reason = answer.error
        elif answer is not None:
            places, reason = parse(answer.text, len(ask.shown))
            ranking = tuple(ask.shown[place] for place in places)
            outcome = Outcome.UNPARSED if reason else Outcome.FIRST if places[0] == 0 else Outcome.SECOND
            if reason and answer.finish is Finish.LENGTH:
                reason = f"cut off at {answer.usage.completion_tokens} tokens: {reason}"
        return Listing(
            id=ask.record_id,
            prompt_id=ask.prompt_id,
            judge=self.name,
            outcome=outcome,
            shown=ask.shown,
            ranking=ranking,
            text=answer.text if answer else "",
            principle=ask.principle,
            reason=reason,
            prompt_tokens=answer.usage.prompt_tokens if answer else None,
            completion_tokens=answer.usage.completion_tokens if answer else None,
            cached_tokens=answer.usage.cached_tokens if answer else None,
            principle_digest=ask.principle_digest,
        )

    def _asking(self) -> dict[str, Json]:
        parameters: dict[str, Json] = {"writes": PARAMS.as_json(), "orders": self.orders, "window": WINDOW}
        return {"template": self._questions.template.digest, "parameters": parameters}

    def _wording(self, principle: Principle) -> str:
        return principle.compare_digest

    def _checked(self, found: Sequence[Listing]) -> str:
        bad = [one.reason for one in found if not one.outcome.is_opinion]
        if 2 * len(bad) >= len(found):
            raise JudgeUnfit(
                f"{self.name} does not rank as it is asked to: {len(bad)} of {len(found)} answers cannot be used; "
                f"most often: {commonest(bad)}",
                hint="use a host that holds the model to a schema (engine: vllm; http with options.structured: true), a model tuned to "
                "follow instructions, or judge.kind: pairwise",
            )
        return f"pre-flight: {len(found) - len(bad)} of {len(found)} rankings read"


def windows(samples: Sequence[Sample]) -> list[Sequence[Sample]]:
    """The samples in windows of at most `WINDOW`, each sharing half of it with the one before; none of fewer than two samples."""
    if len(samples) < 2:
        return []
    step = WINDOW // 2
    last = max(0, -(-(len(samples) - WINDOW) // step))
    return [samples[place * step : place * step + WINDOW] for place in range(last + 1)]


def schema_for(count: int) -> dict[str, Json]:
    """The JSON Schema of a ranking of so many responses, in what decoders under a schema know (they do not know `uniqueItems`)."""
    letters: list[Json] = list(ascii_uppercase[:count])
    ranking: Json = {"type": "array", "items": {"enum": letters}, "minItems": count, "maxItems": count}
    return {
        "type": "object",
        "properties": {"ranking": ranking},
        "required": ["ranking"],
        "additionalProperties": False,
    }


def parse(text: str, count: int) -> tuple[tuple[int, ...], str]:
    """The places of the responses shown, the best first, out of what a model wrote; else what is wrong with it.

    The whole text must be the JSON object, bare or in one code fence.
    """
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import best_match

    bare = text.strip()
    fenced = _FENCE.fullmatch(bare)
    try:
        value: Any = json.loads(fenced[1] if fenced else bare)
    except (ValueError, RecursionError):
        return (), f"the answer is no JSON: {bare[:60]!r}"
    problem = best_match(Draft202012Validator(schema_for(count)).iter_errors(value))
    if problem is not None:
        return (), f"the JSON is no ranking: {problem.message[:120]}"
    ranking: list[str] = value["ranking"]
    if twice := [letter for letter, times in Counter(ranking).items() if times > 1]:
        return (), f"the JSON is no ranking: {', '.join(twice)} more than once"
    return tuple(ascii_uppercase.index(letter) for letter in ranking), ""


def votes(listing: Listing) -> list[Judgement]:
    """One vote for each pair of a ranking, in the order in which its two responses were shown; none where there is no ranking."""
    place = {name: number for number, name in enumerate(listing.ranking)}
    return [
        Judgement(
            id=content_id("vote", listing.id, first, second),
            prompt_id=listing.prompt_id,
            first_id=first,
            second_id=second,
            judge=listing.judge,
            outcome=Outcome.FIRST if place[first] < place[second] else Outcome.SECOND,
            principle=listing.principle,
            principle_digest=listing.principle_digest,
        )
        for first, second in combinations(listing.shown if place else (), 2)
    ]
