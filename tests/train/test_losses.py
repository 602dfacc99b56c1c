"""The losses against numbers worked by hand, against autograd, and against the stock formulas."""

import math

import pytest

torch = pytest.importorskip("torch")

from train.losses import (  # noqa: E402
    dpo_gap,
    entropy_floor,
    length_averaged_gap,
    margin_loss,
    normalised,
    sequence_logps,
    soft_hinge_loss,
    soft_ipo_loss,
    soft_preference_loss,
    token_logps,
    weighted_mean,
)


def test_soft_loss_is_the_cross_entropy_worked_by_hand():
    # s(ln 3) = 3/4, s(-ln 3) = 1/4. p = 0.9: -0.9 ln 0.75 - 0.1 ln 0.25
    gap = torch.tensor([math.log(3.0), math.log(3.0), 0.0, -math.log(3.0)])
    p = torch.tensor([0.9, 0.5, 0.7, 1.0])
    expected = [
        -0.9 * math.log(0.75) - 0.1 * math.log(0.25),
        -0.5 * math.log(0.75) - 0.5 * math.log(0.25),
        math.log(2.0),
        -math.log(0.25),
    ]
    assert soft_preference_loss(gap, p).tolist() == pytest.approx(expected, abs=1e-6)


def test_p_of_one_is_bit_equal_to_the_stock_loss():
    gap = torch.linspace(-30.0, 30.0, 401)
    stock = -torch.nn.functional.logsigmoid(gap)
    assert torch.equal(soft_preference_loss(gap), stock)
    assert torch.equal(soft_preference_loss(gap, torch.ones_like(gap)), stock)


def test_constant_p_is_conservative_dpo():
    gap, smoothing = torch.linspace(-4.0, 4.0, 9), 0.2
    log_sigmoid = torch.nn.functional.logsigmoid
    conservative = -(1 - smoothing) * log_sigmoid(gap) - smoothing * log_sigmoid(-gap)
    assert torch.allclose(soft_preference_loss(gap, torch.full_like(gap, 0.8)), conservative, atol=1e-6)


def test_gradient_is_sigmoid_minus_p():
    gap = torch.tensor([-2.0, 0.0, 1.5, 7.0], requires_grad=True)
    p = torch.tensor([0.1, 0.5, 0.9, 1.0])
    soft_preference_loss(gap, p).sum().backward()
    assert torch.allclose(gap.grad, torch.sigmoid(gap.detach()) - p, atol=1e-6)


def test_gradient_agrees_with_finite_differences():
    gap = torch.tensor([-1.0, 0.3, 2.0], dtype=torch.float64)
    p, h = torch.tensor([0.6, 0.9, 0.75], dtype=torch.float64), 1e-2
    slope = (soft_preference_loss(gap + h, p) - soft_preference_loss(gap - h, p)) / (2 * h)
    assert torch.allclose(slope.double(), torch.sigmoid(gap) - p, atol=1e-3)


@pytest.mark.parametrize("p", [0.55, 0.778, 0.95])
def test_the_minimum_is_at_logit_p_and_equals_the_entropy(p):
    gaps = torch.linspace(-5.0, 5.0, 10_001)
    losses = soft_preference_loss(gaps, torch.full_like(gaps, p))
    assert float(gaps[losses.argmin()]) == pytest.approx(math.log(p / (1 - p)), abs=2e-3)
    floor = -p * math.log(p) - (1 - p) * math.log(1 - p)
    assert float(losses.min()) == pytest.approx(floor, abs=1e-6)
    assert float(entropy_floor(torch.tensor([p]))) == pytest.approx(floor, abs=1e-6)


def test_entropy_floor_is_zero_for_certain_labels():
    assert entropy_floor(torch.tensor([0.0, 1.0])).tolist() == [0.0, 0.0]


def test_exchanging_the_responses_changes_nothing():
    gap, p = torch.tensor([0.4, -1.2]), torch.tensor([0.8, 0.3])
    assert torch.allclose(soft_preference_loss(gap, p), soft_preference_loss(-gap, 1 - p), atol=1e-6)


def test_ipo_worked_by_hand():
    # beta 0.25: t = 1 / (2 * 0.25) = 2
    gap, p = torch.tensor([2.0, 0.0, -1.0, 3.0]), torch.tensor([1.0, 0.8, 1.0, 0.75])
    expected = [0.0, 0.8 * 4 + 0.2 * 4, 9.0, 0.75 * 1 + 0.25 * 25]
    assert soft_ipo_loss(gap, p, 0.25).tolist() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("p", [0.5, 0.6, 0.9, 1.0])
def test_ipo_has_its_minimum_where_the_linear_probability_is_p(p):
    beta = 0.1
    gaps = torch.linspace(-8.0, 8.0, 16_001, dtype=torch.float64)
    losses = soft_ipo_loss(gaps, torch.full_like(gaps, p), beta)
    found = float(gaps[losses.argmin()])
    assert 0.5 + beta * found == pytest.approx(p, abs=2e-3)
    assert float(losses.min()) == pytest.approx(4 * p * (1 - p) / (2 * beta) ** 2, abs=1e-3)  # its last term


def test_hinge_worked_by_hand():
    gap, p = torch.tensor([0.5, 3.0, -2.0, 1.0]), torch.tensor([0.9, 0.9, 0.8, 0.7])
    # 0.9 * 0.5 + 0.1 * 1.5; 0.1 * 4; 0.8 * 3; 0.3 * 2
    assert soft_hinge_loss(gap, p).tolist() == pytest.approx([0.6, 0.4, 2.4, 0.6], abs=1e-6)


@pytest.mark.parametrize("p", [0.51, 0.7, 0.99])
def test_hinge_rounds_every_probability_to_a_gap_of_one(p):
    gaps = torch.linspace(-4.0, 4.0, 8_001, dtype=torch.float64)
    losses = soft_hinge_loss(gaps, torch.full_like(gaps, p))
    assert float(gaps[losses.argmin()]) == pytest.approx(1.0, abs=1e-6)
    assert float(losses.min()) == pytest.approx(2 * (1 - p), abs=1e-6)


def test_a_tie_pulls_nowhere():
    gap = torch.tensor([-0.9, 0.3, 0.9], requires_grad=True)
    soft_hinge_loss(gap, torch.full((3,), 0.5)).sum().backward()
    assert gap.grad.tolist() == [0.0, 0.0, 0.0]
    for loss in (soft_preference_loss, soft_hinge_loss, lambda gap, p: soft_ipo_loss(gap, p, 0.1)):
        level = torch.zeros(1, requires_grad=True)
        loss(level, torch.tensor([0.5])).sum().backward()
        assert float(level.grad) == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("loss", [soft_hinge_loss, lambda gap, p: soft_ipo_loss(gap, p, 0.3)], ids=["hinge", "ipo"])
def test_other_losses_under_the_same_rules(loss):
    gap, p = torch.linspace(-4.0, 4.0, 9), torch.linspace(0.0, 1.0, 9)
    assert torch.allclose(loss(gap, p), loss(-gap, 1 - p), atol=1e-5)  # exchanging the responses changes nothing
    assert torch.equal(loss(gap, torch.ones(9)), loss(gap, None))  # certainty is the stock loss
    both = p * loss(gap, torch.ones(9)) + (1 - p) * loss(-gap, torch.ones(9))
    assert torch.allclose(loss(gap, p), both, atol=1e-5)  # the expectation under the label


def test_a_margin_asks_for_more():
    gap, margin = torch.tensor([2.0, 2.0, -1.0]), torch.tensor([0.0, 2.0, 0.5])
    expected = [math.log1p(math.exp(-2.0)), math.log(2.0), math.log1p(math.exp(1.5))]
    assert margin_loss(gap, margin).tolist() == pytest.approx(expected, abs=1e-6)


def test_a_label_says_what_a_margin_says_and_stops_there():
    gaps, margin = torch.linspace(-2.0, 8.0, 10_001, dtype=torch.float64), torch.tensor(1.5, dtype=torch.float64)
    soft = soft_preference_loss(gaps, torch.sigmoid(margin).expand_as(gaps))
    assert float(gaps[soft.argmin()]) == pytest.approx(1.5, abs=2e-2)
    assert bool((margin_loss(gaps, margin.expand_as(gaps)).diff() < 0).all())  # a margin's loss never stops falling
    p = torch.sigmoid(margin)
    double = p * margin_loss(gaps, margin) + (1 - p) * margin_loss(-gaps, -margin)
    assert float(gaps[double.argmin()]) == pytest.approx(3.0, abs=2e-2)  # both together: twice the log-odds


def test_half_precision_gaps_are_computed_in_float32():
    gap = torch.tensor([1.0, -3.0], dtype=torch.bfloat16)
    assert soft_preference_loss(gap, torch.tensor([0.9, 0.9])).dtype == torch.float32


def test_weights_are_normalised_to_mean_one():
    assert normalised(torch.tensor([1.0, 1.0, 2.0])).tolist() == pytest.approx([0.75, 0.75, 1.5])


@pytest.mark.parametrize("bad", [[1.0, -0.1], [1.0, float("nan")], [0.0, 0.0]])
def test_impossible_weights_are_refused(bad):
    with pytest.raises(ValueError, match="weight"):
        normalised(torch.tensor(bad))


def test_weighted_mean_by_hand():
    assert float(weighted_mean(torch.tensor([1.0, 3.0]), torch.tensor([0.5, 1.5]))) == pytest.approx(2.5)
    assert float(weighted_mean(torch.tensor([1.0, 3.0]))) == 2.0


def test_micro_batches_and_processes_average_to_the_big_batch():
    generator = torch.Generator().manual_seed(0)
    loss, raw = torch.rand(24, generator=generator), torch.rand(24, generator=generator)
    weight = normalised(raw)
    whole = weighted_mean(loss, weight)
    parts = torch.stack([weighted_mean(a, b) for a, b in zip(loss.split(6), weight.split(6), strict=True)])
    assert float(parts.mean()) == pytest.approx(float(whole), abs=1e-6)
    own = torch.stack([(a * b).sum() / b.sum() for a, b in zip(loss.split(6), weight.split(6), strict=True)])
    assert abs(float(own.mean()) - float(whole)) > 1e-3  # dividing by each batch's own sum would not


def test_sequence_logps_sum_completion_tokens_only():
    logps = torch.tensor([[-9.0, -1.0, -2.0], [-9.0, -0.5, -9.0]])
    mask = torch.tensor([[0, 0, 1, 1], [0, 0, 1, 0]])
    assert sequence_logps(logps, mask).tolist() == [-3.0, -0.5]


def test_sequence_logps_ignore_virtual_tokens_in_front():
    logps = torch.tensor([[-7.0, -7.0, -9.0, -1.0, -2.0]])
    assert sequence_logps(logps, torch.tensor([[0, 0, 1, 1]])).tolist() == [-3.0]


def test_dpo_gap_by_hand():
    policy = torch.tensor([-10.0, -20.0, -12.0, -18.0])  # two chosen, two rejected
    reference = torch.tensor([-11.0, -20.0, -11.0, -19.0])
    # pair 1: (-10+11) - (-12+11) = 2; pair 2: 0 - 1 = -1; times beta 0.1
    assert dpo_gap(policy, reference, 0.1).tolist() == pytest.approx([0.2, -0.1], abs=1e-6)


def test_length_averaged_gap_by_hand():
    policy = torch.tensor([-10.0, -20.0, -12.0, -18.0])
    reference = torch.tensor([-12.0, -21.0, -11.0, -15.0])
    mask = torch.tensor([[0, 1, 1, 0], [0, 1, 0, 0], [0, 1, 1, 1], [0, 1, 1, 0]])
    # pair 1: 2 / 2 - (-1) / 3; pair 2: 1 / 1 - (-3) / 2
    assert length_averaged_gap(policy, reference, mask).tolist() == pytest.approx([4 / 3, 2.5], abs=1e-6)


def test_token_logps_read_one_place_ahead() -> None:
    logits = torch.log(torch.tensor([[[0.25, 0.75], [0.9, 0.1], [0.5, 0.5]]]))
    found = token_logps(logits + 3.0, torch.tensor([[0, 1, 0]]))
    assert found.tolist()[0] == pytest.approx([math.log(0.75), math.log(0.9)], abs=1e-6)
