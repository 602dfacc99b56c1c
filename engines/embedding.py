"""Turns short texts into unit vectors with a transformers model: the mean of its last hidden states over the tokens of a text.

Meant for sentence encoders; any model that AutoModel loads will do, a causal one with less to say. Knows nothing of what the
texts are for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from engines.loading import context_length, find_model, hub_errors, load_config, load_tokenizer, quiet

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_BATCH: Final = 64


class MeanPooled:
    """One model as an encoder of texts, loaded at once.

    Raises:
        MissingInput: the model is not there, or cannot be loaded.
    """

    def __init__(self, model: str) -> None:
        import torch
        from transformers import AutoModel

        source = find_model(model)
        config = load_config(source)
        self.name = source.name
        self._tokenizer: Any = load_tokenizer(source)
        self._length = context_length(config, None)
        device = "cuda" if torch.cuda.is_available() else "cpu"
        with hub_errors(source.name), quiet():
            loaded: Any = AutoModel.from_pretrained(
                source.location, dtype=torch.float32, use_safetensors=True, **source.loader_kwargs
            )
        self._model: Any = loaded.to(device).eval()

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Encode texts [n] as unit vectors [n, d]; a text is cut to what the model takes."""
        import numpy as np

        order = sorted(range(len(texts)), key=lambda place: len(texts[place]))
        rows: list[Any] = [None] * len(texts)
        for places in _groups(order):
            for place, row in zip(places, self._encode([texts[place] for place in places]), strict=True):
                rows[place] = row
        return np.stack(rows).astype(np.float32)

    def _encode(self, texts: Sequence[str]) -> Any:
        import torch

        ids = [self._tokenizer.encode(text)[: self._length] for text in texts]
        width = max(1, *map(len, ids))
        tokens = torch.zeros((len(ids), width), dtype=torch.long)
        mask = torch.zeros((len(ids), width), dtype=torch.long)
        for row, one in enumerate(
            ids
        ):  # padded to the right: under causal and full attention alike the mask hides the rest
            tokens[row, : len(one)] = torch.tensor(one, dtype=torch.long)
            mask[row, : len(one)] = 1
        tokens, mask = tokens.to(self._model.device), mask.to(self._model.device)
        with torch.inference_mode():
            states = self._model(input_ids=tokens, attention_mask=mask).last_hidden_state.float()
        kept = mask[:, :, None]
        mean = (states * kept).sum(1) / kept.sum(1).clamp(min=1)
        return torch.nn.functional.normalize(mean, dim=-1).cpu().numpy()


def _groups(order: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(order), _BATCH):
        yield order[start : start + _BATCH]
