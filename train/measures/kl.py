"""KL divergence of a trained model from its reference, on responses that the trained model wrote. Loads one model at a time.

For a response y of tokens y_t drawn from the trained model p, with the reference q and l_t = log p(y_t) - log q(y_t), both given
the tokens before (Schulman 2020, "Approximating KL divergence"):

    k1 = sum_t l_t                           unbiased; negative on single responses
    k3 = sum_t (exp(-l_t) - 1 + l_t)         unbiased; never negative, of less spread near the reference

Far from the reference a few tokens that the trained model thinks next to impossible can carry all of k3; where the two differ widely, k1 is
the one to believe.

Both are means over responses, in nats per response, with a bootstrap by prompt; divided by the tokens they are nats per token. They
estimate KL(p || q) only for responses drawn at temperature 1 from the whole distribution, so others are refused. The token that ends a
response is part of it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tenet.console import Console
from tenet.ids import Json
from train.intervals import Estimate, mean, ratio

if TYPE_CHECKING:
    import torch

PASS_TOKENS: Final = 8_192
_MOST: Final = 700.0


@dataclass(frozen=True)
class Drawn:
    """One response as tokens, with the prompt that it was drawn from."""

    prompt_id: str
    prompt: tuple[int, ...]
    tokens: tuple[int, ...]


@dataclass(frozen=True)
class Divergence:
    """KL(trained || reference) by both estimators: nats per response, and nats per token."""

    k1: Estimate
    k3: Estimate
    k1_token: Estimate
    k3_token: Estimate

    def as_json(self) -> dict[str, Json]:
        """Give plain values."""
        return {
            "nats_per_response": {"k1": self.k1.as_json(), "k3": self.k3.as_json()},
            "nats_per_token": {"k1": self.k1_token.as_json(), "k3": self.k3_token.as_json()},
        }


def divergence(
    drawn: Sequence[Drawn], trained: Sequence[Sequence[float]], reference: Sequence[Sequence[float]], *, seed: int = 0
) -> Divergence:
    """Estimate from the log-probabilities of every token.

    Args:
        drawn: (responses,) what the trained model wrote; at least one.
        trained: (responses, tokens) natural-log probabilities by the trained model.
        reference: likewise by the reference.
        seed: of the bootstrap.

    Raises:
        ValueError: there are no responses.
    """
    k1, k3 = [], []
    for p, q in zip(trained, reference, strict=True):
        gaps = [a - b for a, b in zip(p, q, strict=True)]
        k1.append(sum(gaps))
        k3.append(sum(math.expm1(min(-gap, _MOST)) + gap for gap in gaps))
    prompts = [one.prompt_id for one in drawn]
    sizes = [float(len(one.tokens)) for one in drawn]
    return Divergence(
        mean(k1, prompts, seed=seed), mean(k3, prompts, seed=seed),
        ratio(k1, sizes, prompts, seed=seed), ratio(k3, sizes, prompts, seed=seed),
    )  # fmt: skip


def unbiased(temperature: float, top_p: float) -> str:
    """Why draws at these settings cannot be used; empty where they can."""
    if temperature == 1.0 and top_p >= 1.0:
        return ""
    return f"KL needs responses drawn at temperature 1 and top_p 1; these are of {temperature:g} and {top_p:g}"


def token_logps(
    model: str, drawn: Sequence[Drawn], *, name: str, console: Console, revision: str | None = None
) -> list[list[float]]:
    """Log-probability of every token of each response by a model from a folder or the Hub, in order.

    Float32 on a CPU, bfloat16 weights with float32 log-probabilities elsewhere.

    Raises:
        MissingInput: the model cannot be loaded.
    """
    import torch
    from transformers import AutoModelForCausalLM

    from engines.loading import find_model, hub_errors, quiet

    source = find_model(model, revision=revision)
    cuda = torch.cuda.is_available()
    with quiet(), hub_errors(source.name):
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            source.location,
            dtype=torch.bfloat16 if cuda else torch.float32,
            use_safetensors=True,
            **source.loader_kwargs,
        )
    loaded = loaded.to("cuda" if cuda else "cpu").eval()
    found: dict[int, list[float]] = {}
    places = sorted(range(len(drawn)), key=lambda place: len(drawn[place].prompt) + len(drawn[place].tokens))
    with torch.inference_mode(), console.progress(f"log-probabilities by {name}") as progress:
        progress.start(len(drawn))
        for group in _passes(places, drawn):
            rows = _scored(loaded, [drawn[place] for place in group])
            found.update(zip(group, rows, strict=True))
            progress.advance(len(group))
    return [found[place] for place in range(len(drawn))]


def _passes(places: Sequence[int], drawn: Sequence[Drawn]) -> list[list[int]]:
    """Places in batches, each of which takes at most `PASS_TOKENS` when it is padded to its longest, which is its last."""
    groups: list[list[int]] = []
    for place in places:
        size = len(drawn[place].prompt) + len(drawn[place].tokens)
        if groups and (len(groups[-1]) + 1) * size <= PASS_TOKENS:
            groups[-1].append(place)
        else:
            groups.append([place])
    return groups


def _scored(model: Any, rows: Sequence[Drawn]) -> list[list[float]]:
    """(rows, own tokens) natural-log probabilities; padding stands at the right, where no token looks."""
    import torch

    texts = [[*row.prompt, *row.tokens] for row in rows]
    width = max(map(len, texts))
    device = next(model.parameters()).device
    ids = torch.tensor([text + [0] * (width - len(text)) for text in texts], device=device)
    mask = torch.tensor([[1] * len(text) + [0] * (width - len(text)) for text in texts], device=device)
    first = min(len(row.prompt) for row in rows)
    logits: torch.Tensor = model(
        input_ids=ids, attention_mask=mask, use_cache=False, logits_to_keep=width - first + 1
    ).logits
    logps = torch.log_softmax(logits[:, :-1].float(), dim=-1).gather(-1, ids[:, first:].unsqueeze(-1)).squeeze(-1)
    return [
        line[len(row.prompt) - first : len(text) - first].tolist()
        for line, row, text in zip(logps, rows, texts, strict=True)
    ]
