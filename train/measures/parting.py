"""Where a proxy and the gold measure part: the rule that marks over-optimisation on a curve of checkpoints. Knows numbers only.

Gao, Schulman and Hilton (2022, arXiv:2210.10760) show that the reward that is optimised goes on rising while the true one turns. The rule
here, for checkpoints 0 (the base) to K with a value for each prompt:

    A measure *rises after k* where some later checkpoint's mean is higher than that of k, tested by a paired bootstrap over prompts
    that is simultaneous over all later checkpoints (max-T: the largest difference over its standard error is compared with the 95th
    percentile of its own distribution under resampling).
    The curves part at the first k after which the proxy rises and the gold measure does not.

It marks the last checkpoint whose later training was seen to buy something that the gold measure confirms. With few prompts a true
rise of the gold measure is not seen and the mark lies too early: it errs on the side of warning. Gold *falls at* j, the first checkpoint
that some earlier one is higher than, tested likewise over all earlier ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tenet.ids import Json

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

RULE: Final = (
    "the first checkpoint after which the proxy rises at some later checkpoint and the gold measure at none"
    " (paired bootstrap over prompts, simultaneous over the later checkpoints, one-sided 95 %)"
)
LEVEL: Final = 0.95
RESAMPLES: Final = 2_000
_TINY: Final = 1e-12


@dataclass(frozen=True)
class Parting:
    """What the rule finds. `at` and `falls` are places in the sequence of checkpoints; None where there is no such place.

    `prompts` counts the prompts that every checkpoint has both values of, on which the tests rest.
    """

    at: int | None
    falls: int | None
    prompts: int

    def as_json(self) -> dict[str, Json]:
        """Give plain values."""
        return {"at": self.at, "gold_falls_at": self.falls, "prompts": self.prompts, "rule": RULE}


def parting(proxy: Sequence[Mapping[str, float]], gold: Sequence[Mapping[str, float]], *, seed: int = 0) -> Parting:
    """Apply the rule.

    Args:
        proxy: (checkpoints,) the mean of the proxy for each prompt, the base first.
        gold: likewise of the gold measure.
        seed: of the bootstrap.

    Raises:
        ValueError: the two are of different length, or no prompt has all values.
    """
    import numpy as np

    if len(proxy) != len(gold):
        raise ValueError(f"{len(proxy)} checkpoints of the proxy and {len(gold)} of the gold measure")
    common = sorted(set.intersection(*(set(one) for one in (*proxy, *gold)))) if proxy else []
    if not common:
        raise ValueError("no prompt has a value at every checkpoint")
    x, y = (np.array([[one[prompt] for prompt in common] for one in side], dtype=np.float64) for side in (proxy, gold))
    draws = np.random.default_rng(seed).multinomial(len(common), np.full(len(common), 1 / len(common)), RESAMPLES)
    weights = draws / len(common)
    at = next((k for k in range(len(x) - 1) if _rises(x, k, weights) and not _rises(y, k, weights)), None)
    falls = next((k for k in range(1, len(y)) if _any_higher(y[:k] - y[k], weights)), None)
    return Parting(at, falls, len(common))


def _rises(values: Floats, k: int, weights: Floats) -> bool:
    return _any_higher(values[k + 1 :] - values[k], weights)


def _any_higher(gaps: Floats, weights: Floats) -> bool:
    """Whether the mean of some row of differences is above 0, by the simultaneous test.

    Args:
        gaps: (rows, prompts) what other checkpoints have more than the one in question.
        weights: (resamples, prompts) with sum 1 each.
    """
    import numpy as np

    means = gaps.mean(axis=1)
    resampled = weights @ gaps.T
    errors = resampled.std(axis=0)
    sure = errors < _TINY  # every prompt differs by the same
    if bool((means[sure] > _TINY).any()):
        return True
    if bool(sure.all()):
        return False
    free = ~sure
    largest = ((resampled[:, free] - means[free]) / errors[free]).max(axis=1)
    return bool((means[free] / errors[free]).max() > np.quantile(largest, LEVEL))
