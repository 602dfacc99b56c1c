"""The sample stage: which completions are owed for a shard of prompts, and how a completion becomes a `Sample`.

Knows engines and prompts; no judge, no principle. A sample's key covers the model, the sampling parameters, the prompt's token ids, the
draw's seed and its index, so a longer prompt list or more samples a prompt only add keys.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from engines.base import Completion, Engine, Request, SamplingParams, TokenIds
from engines.prompting import trusted, untrusted
from generate.context import Context, Step
from generate.jobs import Address, Job, Part, carry_out
from generate.shards import LazyShards
from generate.spending import POLICY
from tenet.ids import Json, content_id, digest, seed_from
from tenet.records import Finish, Prompt, Sample
from tenet.runs import Row
from tenet.workers.local import Task


@dataclass(frozen=True)
class Draw:
    """One completion that is owed: of which prompt, and the request that gets it."""

    key: str
    prompt_id: str
    index: int
    policy: str
    request: Request


@dataclass(frozen=True)
class Policy:
    """A policy as the stage sees it: its name in the records, its engine, and how it is drawn from."""

    name: str
    engine: Engine
    params: SamplingParams
    samples: int
    system: str = ""

    @property
    def identity(self) -> dict[str, Json]:
        """What its samples depend on."""
        return {
            "model": self.engine.info.as_json(),
            "sampling": self.params.as_json(),
            "samples": self.samples,
            "system": self.system,
        }

    def need(self, one: Draw) -> tuple[int, int]:
        """Tokens that a draw reads, and the most that it writes."""
        return len(one.request.tokens), self.params.max_tokens

    def tokens(self, prompt: Prompt) -> TokenIds:
        """A prompt through the model's chat template; `system` goes in front unless the prompt has a system turn of its own."""
        turns = [(message.role, [untrusted(message.content)]) for message in prompt.messages]
        if self.system and prompt.messages[0].role != "system":
            turns.insert(0, ("system", [trusted(self.system)]))
        return self.engine.tokenizer.chat(turns)

    def draws(self, prompt: Prompt, seed: int) -> Iterator[Draw]:
        """What is owed for one prompt; `seed` is the run's."""
        tokens = self.tokens(prompt)
        same = content_id("draw", self.engine.info.as_json(), self.params.as_json(), list(tokens))
        for index in range(self.samples):
            own = seed_from(seed, prompt.id, self.name, index)
            yield Draw(
                content_id("sample", same, prompt.id, self.name, own, index),
                prompt.id,
                index,
                self.name,
                Request(tokens, own, prompt.id),
            )


def owed(prompts: Sequence[Prompt], policy: Policy, seed: int) -> list[Task[Draw]]:
    """Every draw of a shard, recorded or not, in the order of the prompts."""
    return [Task(draw.key, draw) for prompt in prompts for draw in policy.draws(prompt, seed)]


def draw(policy: Policy, tasks: Iterable[Task[Draw]]) -> Iterator[Row[Sample]]:
    """Ask the policy for draws, as it has room for them. A failed one stays as a row with its reason."""
    waiting: dict[int, Draw] = {}

    def requests() -> Iterator[Request]:
        for place, task in enumerate(tasks):
            waiting[place] = task.payload
            yield task.payload.request

    for place, completion in policy.engine.stream_completions(requests(), policy.params):
        yield _row(waiting.pop(place), completion)


def _row(one: Draw, completion: Completion) -> Row[Sample]:
    failed = completion.finish is Finish.ERROR
    sample = Sample(
        id=one.key,
        prompt_id=one.prompt_id,
        index=one.index,
        text=completion.text,
        policy=one.policy,
        finish=completion.finish,
        seed=one.request.seed,
        prompt_tokens=completion.usage.prompt_tokens,
        completion_tokens=completion.usage.completion_tokens,
        reason=completion.error,
        cached_tokens=completion.usage.cached_tokens,
    )
    return Row(one.key, sample, ok=not failed, reason=completion.error)


def sample_all(context: Context, policies: Sequence[Policy]) -> None:
    """Draw what is owed from each policy, one model at a time.

    Raises:
        TooManyFailures: more than `max_failures` of a policy's draws failed.
    """
    for policy in policies:
        carry_out(context, sample_job(context, policy, alone=len(policies) == 1))
        policy.engine.close()
    plan_samples(context, policies)


def plan_samples(context: Context, policies: Sequence[Policy]) -> None:
    """Note how many samples all policies together owe; a job of one alone notes that itself."""
    if len(policies) > 1:
        stage = context.run.stage(Step.SAMPLES, Sample)
        stage.plan(context.shards.total * sum(policy.samples for policy in policies))


def sample_job(context: Context, policy: Policy, *, alone: bool) -> Job[Draw, Sample]:
    """All draws from one policy. With several policies each one's rows are strays to the others, so only one that is `alone` is ever
    settled.
    """
    prompts = context.run.stage(Step.PROMPTS, Prompt).state
    return Job(
        Address(Part.SAMPLES, policy=policy.name), Step.SAMPLES, POLICY, f"sampling {policy.name}",
        context.run.stage(Step.SAMPLES, Sample), _shards(context, policy), partial(draw, policy), policy.need,
        plan=digest([policy.identity, context.config.seed, prompts]) if alone else "", servers=policy.engine.stats,
    )  # fmt: skip


def _shards(context: Context, policy: Policy) -> LazyShards[Draw]:
    return LazyShards(
        len(context.shards),
        lambda shard: owed(context.shards[shard], policy, context.config.seed),
        lambda shard: len(context.shards[shard]) * policy.samples,
    )
