"""How the page writes numbers: one place, so that a share looks the same everywhere. From values to text."""

from __future__ import annotations

from generate.report.model import Change, Rate

SPACE = "\u202f"
"""A narrow no-break space, between a number and its unit."""
DASH = "\u2013"
MINUS = "\u2212"


def percent(share: float, digits: int = 0) -> str:
    """A share in percent. 100 and 0 are kept for all and none: 0.999 reads 99.9, never 100."""
    value = 100 * share
    if digits == 0 and (99.5 <= value < 100 or 0 < value < 0.5):
        digits = 1
    if digits and 0 < value < 0.05:
        return f"<0.1{SPACE}%"
    if digits and 99.95 <= value < 100:
        return f">99.9{SPACE}%"
    return f"{value:.{digits}f}{SPACE}%"


def between(rate: Rate) -> str:
    """A rate's 95 % interval, in percent without the sign: 84-91."""
    return f"{100 * rate.low:.0f}{DASH}{100 * rate.high:.0f}"


def points(value: float) -> str:
    """A difference of shares in percentage points, always with its sign: +58 points."""
    rounded = round(100 * value)
    sign = MINUS if rounded < 0 else "+" if rounded > 0 else "±"
    return f"{sign}{abs(rounded)}"


def points_between(before: Rate, after: Rate) -> str:
    """The difference of two shares as they are shown beside it, in whole percent: 100 and 92 differ by 8, whatever was rounded."""
    return points(round(after.value, 2) - round(before.value, 2))


def change_between(change: Change) -> str:
    """A change's 95 % interval in points, empty where none is known."""
    if change.low is None or change.high is None:
        return ""
    return f"{points(change.low)} to {points(change.high)}"


def number(value: float | None, digits: int = 0) -> str:
    """A number with thousands parted by commas; an en dash where there is none."""
    if value is None:
        return DASH
    return f"{value:,.{digits}f}".replace("-", MINUS)


def tokens(value: int | None) -> str:
    """A count of tokens as people say it: 950, 12.3k, 4.56M."""
    if value is None:
        return DASH
    for limit, unit in ((1_000_000_000, "G"), (1_000_000, "M"), (10_000, "k")):
        if value >= limit:
            base = 1_000 if unit == "k" else limit
            return f"{value / base:.3g}{SPACE}{unit}"
    return f"{value:,}"


def seconds(value: float | None) -> str:
    """A duration: 0.4 s, 48 s, 3 min 20 s, 2 h 5 min."""
    if value is None:
        return DASH
    if value < 9.95:
        return f"{value:.1f}{SPACE}s"
    whole = round(value)
    if whole < 60:
        return f"{whole}{SPACE}s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes}{SPACE}min {rest}{SPACE}s" if rest else f"{minutes}{SPACE}min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}{SPACE}h {minutes}{SPACE}min" if minutes else f"{hours}{SPACE}h"
