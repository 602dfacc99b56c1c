"""Draws against numbers worked by hand."""

import math

import pytest
import torch

from engines.sampling import draw, label_logprobs, uniforms

LOGITS = torch.log(torch.tensor([[0.5, 0.3, 0.2]]))


def one(u, **kwargs):
    return draw(LOGITS, torch.tensor([u], dtype=torch.float64), **kwargs).item()


@pytest.mark.parametrize(("u", "token"), [(0.0, 0), (0.499, 0), (0.501, 1), (0.799, 1), (0.801, 2), (0.999999, 2)])
def test_the_cumulative_distribution_is_inverted(u, token):
    assert one(u, temperature=1.0, top_p=1.0) == token


def test_zero_temperature_takes_the_likeliest():
    assert one(0.99, temperature=0.0, top_p=1.0) == 0


def test_half_the_temperature_squares_the_odds():
    # 0.25 : 0.09 : 0.04 of 0.38, so the first ends at 0.6579 and the second at 0.8947
    assert [one(u, temperature=0.5, top_p=1.0) for u in (0.65, 0.66, 0.89, 0.90)] == [0, 1, 1, 2]


def test_the_nucleus_is_the_fewest_tokens_that_reach_top_p():
    # 0.5 + 0.3 >= 0.7: two tokens, 0.625 and 0.375 of what is left
    assert [one(u, temperature=1.0, top_p=0.7) for u in (0.62, 0.63, 0.999)] == [0, 1, 1]
    assert one(0.999, temperature=1.0, top_p=0.4) == 0


def test_a_token_without_probability_is_never_drawn():
    logits = torch.tensor([[-math.inf, 0.0, -math.inf]])
    for u in (0.0, 1.0 - 2**-53):
        assert draw(logits, torch.tensor([u], dtype=torch.float64), temperature=1.0, top_p=1.0).item() == 1


def test_a_row_draws_from_its_own_stream():
    together = uniforms([3, 5], 4)
    assert together.dtype == torch.float64
    assert torch.equal(together[1], uniforms([5], 4)[0])
    assert not torch.equal(together[0], together[1])


def test_frequencies_follow_the_probabilities():
    u = uniforms([7], 20_000)[0]
    tokens = draw(LOGITS.expand(20_000, 3), u, temperature=1.0, top_p=1.0)
    shares = tokens.bincount().double() / 20_000
    assert shares.tolist() == pytest.approx([0.5, 0.3, 0.2], abs=0.01)


def test_label_variants_are_summed_over_the_whole_vocabulary():
    logits = torch.log(torch.tensor([[0.4, 0.2, 0.1, 0.3]])) + 5.0
    assert label_logprobs(logits, [(0, 2), (1,)]).exp().tolist()[0] == pytest.approx([0.5, 0.2])


def test_nan_stays_nan_and_zero_probability_has_a_floor():
    logits = torch.tensor([[math.nan, 0.0], [-math.inf, 0.0]])
    values = label_logprobs(logits, [(0,), (1,)])
    assert values[0].isnan().all()
    assert values[1].tolist() == [-1e4, 0.0]
