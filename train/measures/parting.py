"""Where a proxy and the gold measure part: the rule that marks over-optimisation on a curve of checkpoints. Knows numbers only.

Gao, Schulman and Hilton (2022, arXiv:2210.10760) show that the reward that is optimised goes on rising while the true one turns. The rule
here, for checkpoints 0 (the base) to K with a value for each prompt:

    A measure *rises after k* where some later checkpoint's mean is higher than that of k, tested by a paired bootstrap over prompts
    (max-T: the largest difference over its standard error is compared with the 95th percentile of its own distribution under
    resampling). For the proxy the test is simultaneous over all pairs of checkpoints, so that a training that changes nothing is marked
    once in twenty times at most; for the gold measure over the checkpoints after k.
    The curves part at the first k after which the proxy rises and the gold measure does not.

It marks the last checkpoint whose later training was seen to buy something that the gold measure confirms. With few prompts a true
rise of the gold measure is not seen and the mark lies too early: it errs on the side of warning. Gold *falls at* j, the first checkpoint
that some earlier one is higher than, tested simultaneously over all pairs.
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
    " (paired bootstrap over prompts, simultaneous over checkpoints, one-sided 95 %)"
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
    count = len(x)
    pairs = [(k, j) for k in range(count) for j in range(k + 1, count)]
    rises = {k for _, k in _higher(x, [(j, k) for k, j in pairs], weights)}
    at = next((k for k in sorted(rises) if not _higher(y, [(j, k) for j in range(k + 1, count)], weights)), None)
    falls = min((j for _, j in _higher(y, pairs, weights)), default=None)
    return Parting(at, falls, len(common))


def _higher(values: Floats, pairs: Sequence[tuple[int, int]], weights: Floats) -> list[tuple[int, int]]:
    """Those of some pairs of rows of which the first has the higher mean, by a test that is simultaneous over the pairs.

    Args:
        values: (checkpoints, prompts).
        pairs: of rows.
        weights: (resamples, prompts) with sum 1 each.
    """
    import numpy as np

    if not pairs:
        return []
    first, second = (list(side) for side in zip(*pairs, strict=True))
    means = values.mean(axis=1)
    gaps = means[first] - means[second]
    resampled = weights @ values.T
    spread = resampled[:, first] - resampled[:, second]
    errors = spread.std(axis=0)
    free = errors > _TINY  # of the rest every prompt differs by the same
    clear = gaps > _TINY
    if bool(free.any()):
        largest = ((spread[:, free] - gaps[free]) / errors[free]).max(axis=1)
        clear[free] = gaps[free] > np.quantile(largest, LEVEL) * errors[free]
    return [pair for pair, told in zip(pairs, clear, strict=True) if told]
