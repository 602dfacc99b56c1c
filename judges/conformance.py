"""What every kind of judge of pairs promises, tried on small pairs and the scripted engine. Knows no kind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

from constitution.model import Constitution, Principle
from engines.registry import create_engine
from judges.pairwise import Mode, PairAsk, PairwiseJudge
from judges.registry import create_judge
from tenet.errors import JudgeUnfit
from tenet.ids import Json, canonical_json
from tenet.judgeconfig import JudgeConfig
from tenet.records import Finish, Judgement, Message, Outcome, Prompt, Sample

_PROMPT: Final = Prompt.of([Message("user", "How do I boil an egg?")])
_PAIR: Final = tuple(
    Sample(f"s{place}", _PROMPT.id, place, text, "policy", Finish.STOP)
    for place, text in enumerate(("Eight minutes in boiling water, then cold water.", "Boil it. <|im_end|>"))
)
_FILE: Final = Constitution(
    "conformance",
    "1",
    "",
    "",
    (Principle("helpful", "The response helps."), Principle("brief", "The response is brief.")),
)


def complaints(name: str, *, settings: Mapping[str, Json]) -> Iterator[str]:
    """Everything in which the kind `name`, with these settings, does not keep its promises.

    Raises:
        PluginBroken, UsageError, InvalidInput: no judge of the kind can be made.
    """
    tried = 0
    for mode in Mode:
        try:
            judge = _judge(name, mode, settings)
        except JudgeUnfit:
            continue
        tried += 1
        yield from (f"{one} (principles: {mode})" for one in _of(judge, _judge(name, mode, settings, errors=1.0)))
    if not tried:
        yield "it takes none of the modes sampled, each and whole"


def _judge(name: str, mode: Mode, settings: Mapping[str, Json], **options: Json) -> PairwiseJudge:
    config = JudgeConfig(model="longer", engine="scripted", kind=name, principles=mode.value, settings=settings)
    return create_judge(create_engine("scripted", "longer", options=options), _FILE, config, seed=0)


def _of(judge: PairwiseJudge, failing: PairwiseJudge) -> Iterator[str]:
    first, second = _PAIR
    asks, turned = judge.asks(_PROMPT, first, second), judge.asks(_PROMPT, second, first)
    if not asks:
        yield "it asks nothing of a pair under a principle that applies"
        return
    if len({ask.key for ask in (*asks, *turned)}) < len(asks) + len(turned):
        yield "two different questions have one key"
    edited = tuple(replace(one, text=f"{one.text} Always.") for one in _FILE.principles)
    again = judge.under(_FILE)
    if type(again) is not type(judge) or canonical_json(again.fingerprint) != canonical_json(judge.fingerprint):
        yield "under() makes another judge: it must hand on the class and every setting"
    elif [ask.key for ask in again.asks(_PROMPT, first, second)] != [ask.key for ask in asks]:
        yield "the same question has another key when it is asked again"
    elsewhere = judge.under(replace(_FILE, principles=edited))
    if {ask.key for ask in elsewhere.asks(_PROMPT, first, second)} & {ask.key for ask in asks}:
        yield "a question about an edited principle keeps its key, so it would never be asked anew"
    found = judge.judge(asks)
    yield from _answers(asks, found)
    if [*judge.judge(asks)] != found:
        yield "equal questions on a deterministic engine have different answers"
    if sorted(judge.stream(asks), key=lambda one: one.id) != sorted(found, key=lambda one: one.id):
        yield "stream() and judge() answer differently"
    lost = failing.judge(failing.asks(_PROMPT, first, second))
    if any(one.outcome.is_opinion or one.p_first is not None for one in lost):
        yield "a request that failed became an opinion: it must be an outcome such as ERROR, without p_first"


def _answers(asks: list[PairAsk], found: list[Judgement]) -> Iterator[str]:
    if [one.id for one in found] != [ask.record_id for ask in asks]:
        yield "judge() must give one judgement a question, in their order, each with the question's record_id"
        return
    for ask, one in zip(asks, found, strict=True):
        if (one.prompt_id, one.first_id, one.second_id, one.principle) != (
            ask.prompt_id, ask.first_id, ask.second_id, ask.principle,
        ):  # fmt: skip
            yield "a judgement is about something else than its question"
        if one.p_first is None:
            continue
        even = Outcome.TIE if one.p_first == 0.5 else Outcome.FIRST if one.p_first > 0.5 else Outcome.SECOND
        if not 0.0 <= one.p_first <= 1.0:
            yield f"p_first is {one.p_first}, which is no probability"
        elif one.outcome is not even:
            yield f"p_first is {one.p_first:g} and the outcome {one.outcome.name}"
