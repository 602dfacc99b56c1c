"""Makes the service of a reward model, or of a judge with its principles. Knows what each needs; no HTTP.

The texts of OpenRLHF are rendered by the policy's chat template. Unless a policy is named, the reward model's own template is taken
for it, or the judge's where its files are here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tenet.errors import UsageError
from tenet.ids import Json, digest
from tenet.records import Finish, Prompt, Sample
from train.rewards import JudgeSource, RewardModelSource
from train.serving.protocol import Limits
from train.serving.references import References, read_references
from train.serving.rendered import PolicyText
from train.serving.server import Service

if TYPE_CHECKING:
    from engines.codec import TokenizerLike
    from judges.pairwise import PairwiseJudge
    from tenet.judgeconfig import JudgeConfig

_HOSTED_HERE: Final = ("transformers", "vllm", "vllm-server")
_CHECKED: Final = 20


@dataclass(frozen=True)
class Knobs:
    """What both kinds of service are told. `policy` is the model whose chat template rendered the prompts."""

    policy: str | None = None
    missing: float | None = None
    batch: int = 32
    queue: int = 4096
    limits: Limits = field(default_factory=Limits)
    say: Callable[[str], None] = lambda _: None


def reward_service(model: str, knobs: Knobs) -> Service:
    """Serve a reward model.

    Raises:
        MissingInput: it is not there.
        UsageError: it is no reward model.
    """
    source = RewardModelSource(model)
    own = _tokenizer(model)
    policy = PolicyText(_tokenizer(knobs.policy) if knobs.policy else own)
    return _service(source, policy, knobs, probability=False, wrap=bool(own.chat_template))


def judge_service(config: JudgeConfig, principles: str, reference: Path | None, knobs: Knobs) -> Service:
    """Serve a judge: of pairs, against a reference a prompt; of single responses (kind rating or propositions), without.

    Raises:
        InvalidInput, MissingInput, UsageError: principles, references or the judge cannot be used.
        JudgeUnfit: the judge does not answer by label.
        EngineError: its engine does not start.
    """
    from constitution.load import load
    from engines.registry import create_engine
    from judges.registry import make_judge

    if config.members:
        raise UsageError("a panel gives no reward yet", hint="serve one of its members: --judge MODEL")
    compares = config.about_pairs
    if compares and reference is None:
        raise UsageError(
            f"a judge of kind {config.kind} compares, and there is nothing to compare with",
            hint="give --reference FILE with one response a prompt, or --set kind=rating",
        )
    if not compares and reference is not None:
        raise UsageError(f"a judge of kind {config.kind} looks at one response alone", hint="leave --reference out")
    constitution = load(principles)
    references = None
    if reference is not None:
        references, lines = read_references(reference)
        for line in lines:
            knobs.say(line)
    engine = create_engine(
        config.engine, config.model, chat_template_kwargs=config.chat_template_kwargs, prefill=config.prefill,
        base_url=config.base_url, options=config.options,
    )  # fmt: skip
    try:
        engine.check()
        engine.load()
        source = JudgeSource(make_judge(engine, constitution, config, seed=0), references)
        if references is not None:
            knobs.say(_checked(source.judge, references))
        template = knobs.policy or (config.model if config.engine in _HOSTED_HERE else None)
        policy = PolicyText(_tokenizer(template) if template else None)
        return _service(source, policy, knobs, probability=True, wrap=True)
    except BaseException:
        engine.close()
        raise


def _service(
    source: RewardModelSource | JudgeSource, policy: PolicyText, knobs: Knobs, *, probability: bool, wrap: bool
) -> Service:
    told = source.fingerprint
    principles: Json = told.get("principles")
    about: dict[str, Json] = {
        "model": source.name,
        "kind": told["kind"],
        "fingerprint": digest(told),
        "principles": principles["digest"] if isinstance(principles, dict) else None,
        "batch": knobs.batch,
        "queue": knobs.queue,
    }
    return Service(
        source, policy, about, probability=probability, wrap=wrap, missing=knobs.missing, batch=knobs.batch,
        queue=knobs.queue, limits=knobs.limits, warn=knobs.say,
    )  # fmt: skip


def _checked(judge: Any, references: References) -> str:
    """Have the judge compare references of some prompts with those of others, before anything is served."""
    from judges.preflight import preflight

    def cases() -> Iterator[tuple[Prompt, Sample, Sample]]:
        for (prompt, text), (_, other) in list(pairwise(references))[:_CHECKED]:
            if text.strip() != other.strip():
                yield prompt, _sample(prompt, 0, text), _sample(prompt, 1, other)

    pairs: PairwiseJudge = judge
    return preflight(pairs, cases()).summary


def _sample(prompt: Prompt, index: int, text: str) -> Sample:
    return Sample(digest([prompt.id, text])[:16], prompt.id, index, text.strip(), "reference", Finish.GIVEN)


def _tokenizer(model: str) -> TokenizerLike:
    from engines.loading import find_model, load_tokenizer

    return load_tokenizer(find_model(model))
