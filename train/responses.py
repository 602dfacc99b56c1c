"""Draws responses from a model through an engine, to compare two models on the same prompts with the same seeds.

Knows engines and prompts; no judge and no training.
"""

from __future__ import annotations

from collections.abc import Sequence

from engines.base import Completion, Engine, Request, SamplingParams
from engines.prompting import trusted, untrusted
from tenet.console import Console
from tenet.errors import TooManyFailures
from tenet.ids import content_id, seed_from
from tenet.records import Finish, Prompt, Sample
from train.measures.kl import Drawn

MAX_FAILED = 0.2


def draw_responses(
    engine: Engine,
    prompts: Sequence[Prompt],
    params: SamplingParams,
    *,
    samples: int,
    seed: int,
    name: str,
    console: Console,
    system: str = "",
    kept: list[Drawn] | None = None,
) -> list[Sample]:
    """Draw `samples` responses to each prompt, in the order of the prompts.

    The seed of a draw follows from `seed`, the prompt and its number, never from the model, so two models get the same. The tokens of
    complete responses are appended to `kept`, if it is given.

    Raises:
        TooManyFailures: more than a fifth of the draws failed; says why the first did.
        EngineError: the engine itself has failed.
    """
    owed = [(prompt, index) for prompt in prompts for index in range(samples)]
    drawn: list[Sample] = []
    size = engine.capabilities.batch
    with console.progress(f"answers of {name}") as progress:
        progress.start(len(owed))
        for start in range(0, len(owed), size):
            batch = owed[start : start + size]
            requests = [_request(engine, prompt, seed_from(seed, prompt.id, index), system) for prompt, index in batch]
            found = engine.generate(requests, params)
            drawn += [
                _sample(prompt, index, name, request, completion)
                for (prompt, index), request, completion in zip(batch, requests, found, strict=True)
            ]
            if kept is not None:
                kept += [
                    Drawn(prompt.id, tuple(request.tokens), tuple(completion.tokens))
                    for (prompt, _), request, completion in zip(batch, requests, found, strict=True)
                    if completion.tokens and completion.finish is not Finish.ERROR
                ]
            progress.advance(len(batch))
    _require_enough(drawn, name)
    return drawn


def _request(engine: Engine, prompt: Prompt, seed: int, system: str) -> Request:
    turns = [(turn.role, [untrusted(turn.content)]) for turn in prompt.messages]
    if system and prompt.messages[0].role != "system":
        turns.insert(0, ("system", [trusted(system)]))
    return Request(engine.tokenizer.chat(turns), seed)


def _sample(prompt: Prompt, index: int, name: str, request: Request, completion: Completion) -> Sample:
    return Sample(
        id=content_id("evaluated", prompt.id, index, name, list(request.tokens), request.seed, completion.text),
        prompt_id=prompt.id,
        index=index,
        text=completion.text.strip(),
        policy=name,
        finish=completion.finish,
        seed=request.seed,
        prompt_tokens=completion.usage.prompt_tokens,
        completion_tokens=completion.usage.completion_tokens,
        reason=completion.error,
    )


def _require_enough(drawn: Sequence[Sample], name: str) -> None:
    failed = [sample for sample in drawn if sample.finish is Finish.ERROR]
    if len(failed) > MAX_FAILED * len(drawn):
        raise TooManyFailures(
            f"{name}: {len(failed):,} of {len(drawn):,} answers failed; the first: {failed[0].reason}",
            hint="often prompts that leave no room for an answer: a smaller max_tokens, or shorter prompts",
        )
