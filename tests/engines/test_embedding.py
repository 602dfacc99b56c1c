from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from engines.embedding import MeanPooled
from engines.loading import find_model, load_tokenizer
from tenet.errors import MissingInput

TEXTS = ["Short.", "The response greets the person and wishes them well.", "The response is brief.", "Short."]


def test_vectors_are_the_normed_mean_of_the_last_states(tiny_model: Path) -> None:
    from transformers import AutoModel

    source = find_model(str(tiny_model))
    tokenizer = load_tokenizer(source)
    model = AutoModel.from_pretrained(source.location, dtype=torch.float32).eval()
    vectors = MeanPooled(str(tiny_model)).embed(TEXTS)
    for text, vector in zip(TEXTS, vectors, strict=True):
        with torch.inference_mode():
            states = model(input_ids=torch.tensor([tokenizer.encode(text)])).last_hidden_state[0]
        mean = states.mean(0).numpy()
        assert vector == pytest.approx(mean / np.linalg.norm(mean), abs=1e-5)


def test_neighbours_do_not_change_a_vector(tiny_model: Path) -> None:
    encoder = MeanPooled(str(tiny_model))
    many = [f"{'word ' * (n % 40)}number {n}" for n in range(150)]
    vectors = encoder.embed(many)
    assert vectors.shape == (150, 64)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(150), abs=1e-5)
    for place in (0, 77, 149):
        assert encoder.embed([many[place]])[0] == pytest.approx(vectors[place], abs=1e-5)


def test_a_long_text_is_cut_to_what_the_model_takes(tiny_model: Path) -> None:
    assert np.isfinite(MeanPooled(str(tiny_model)).embed(["word " * 3_000])).all()


def test_a_missing_model_is_told(tmp_path: Path) -> None:
    with pytest.raises(MissingInput, match="no such folder"):
        MeanPooled(str(tmp_path / "nowhere"))
