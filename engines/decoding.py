"""Generates text token by token from a finished prefill. A row's text follows from its own prompt and seed, not from its neighbours.

Every row draws from a random stream of its own (`engines.sampling`); finished rows leave the batch. What remains of the neighbours is
rounding: a batch of another size may move a probability in its last bits, which changes a draw about once in 10^6 tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import torch

from engines.base import Completion, Request, SamplingParams, TokenIds, Usage
from engines.prefill import Prefill, forward
from engines.sampling import draw, uniforms
from tenet.records import Finish

if TYPE_CHECKING:
    from engines.prompting import ChatTokenizer

_SPARE: Final = 8


class Decoder:
    """Completes batches of one model with one set of parameters."""

    def __init__(
        self, model: Any, tokenizer: ChatTokenizer, params: SamplingParams, eos: frozenset[int], max_length: int
    ) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self._params = params
        self._eos = eos
        self._max_length = max_length
        self._window = max((len(stop.encode()) for stop in params.stop), default=0) + _SPARE

    def run(self, state: Prefill, requests: Sequence[Request]) -> list[Completion]:
        """Complete one batch; row i of the prefill is request i. Uses the prefill's cache up."""
        params = self._params
        room = [min(params.max_tokens, self._max_length - len(request.tokens)) for request in requests]
        u = uniforms([request.seed for request in requests], max(room)) if params.temperature else None
        texts: list[list[int]] = [[] for _ in requests]
        finish = [Finish.LENGTH] * len(requests)
        alive = list(range(len(requests)))
        logits, mask, positions = state.logits, state.mask, state.lengths.clone()
        for step in range(max(room)):
            broken = (~torch.isfinite(logits.amax(-1))).tolist()
            numbers = torch.zeros(len(alive)).double() if u is None else u[alive, step]
            tokens = draw(logits, numbers, temperature=params.temperature, top_p=params.top_p)
            going: list[int] = []
            for place, (row, token) in enumerate(zip(alive, tokens.tolist(), strict=True)):
                end = Finish.ERROR if broken[place] else self._take(texts[row], token)
                finish[row] = end or Finish.LENGTH
                if end is None and len(texts[row]) < room[row]:
                    going.append(place)
            if not going:
                break
            if len(going) < len(alive):
                kept = torch.tensor(going, device=mask.device)
                state.cache.batch_select_indices(kept)
                mask, positions, tokens = mask[kept], positions[kept], tokens[kept]
                alive = [alive[place] for place in going]
            mask = torch.cat([mask, mask.new_ones(len(alive), 1)], dim=-1)
            logits = forward(self._model, tokens.unsqueeze(-1), mask, positions.unsqueeze(-1), state.cache)
            positions = positions + 1
        return [
            self._completion(request, tuple(text), end, cached)
            for request, text, end, cached in zip(requests, texts, finish, state.cached, strict=True)
        ]

    def _take(self, text: list[int], token: int) -> Finish | None:
        """Write a token down; STOP if the text ends with it."""
        text.append(token)
        if token in self._eos:
            return Finish.STOP
        if self._params.stop:
            end = self._tokenizer.decode(text[-self._window :])
            if any(stop in end for stop in self._params.stop):
                return Finish.STOP
        return None

    def _completion(self, request: Request, tokens: TokenIds, finish: Finish, cached: int) -> Completion:
        usage = Usage(len(request.tokens), len(tokens), cached)
        if finish is Finish.ERROR:
            return Completion("", finish, usage, tokens, error="the model gave NaN")
        body = tokens[:-1] if tokens and tokens[-1] in self._eos else tokens
        text = self._tokenizer.decode(body)
        cuts = [place for stop in self._params.stop if (place := text.find(stop)) >= 0]
        return Completion(text[: min(cuts)] if cuts else text, finish, usage, tokens)
