"""Wilson's score interval, which every share in reports, evaluations and benchmarks is shown with. Knows numbers only."""

from __future__ import annotations

import math
from typing import Final

Z: Final = 1.959963984540054
"""The 97.5th percentile of the standard normal: intervals hold 95 %."""


def wilson(share: float, count: float) -> tuple[float, float]:
    """Wilson's score interval of a share seen over `count` independent units; (0, 1) where `count` is 0.

    Source: Wilson (1927). `count` need not be whole, so that an effective sample size can be given.
    """
    if count <= 0:
        return 0.0, 1.0
    shrink = 1 + Z * Z / count
    middle = (share + Z * Z / (2 * count)) / shrink
    reach = Z * math.sqrt(share * (1 - share) / count + Z * Z / (4 * count * count)) / shrink
    low, high = max(0.0, middle - reach), min(1.0, middle + reach)
    return 0.0 if share == 0 else low, 1.0 if share == 1 else high  # which rounding would miss by a hair
