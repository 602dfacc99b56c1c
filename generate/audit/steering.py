"""Steerability as an audit: `tenet principles steer` on the run's own sample, its answers kept like those of the other audits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from generate.audit.bench import Bench
from generate.audit.model import Audit, Interval, Result, Row
from generate.steer import ALL, Steered, draw_cases, summaries
from judges.steer import READS, Reading, Swap, turn

FIGURE: Final = "decided verdicts that reverse with the principle"
_RESULTS: Final = {
    Reading.READS: Result.HOLDS, Reading.PARTLY: Result.OPEN, Reading.IGNORES: Result.FAILS, Reading.UNKNOWN: Result.TOO_FEW,
}  # fmt: skip


def steerability(bench: Bench, swaps: Sequence[Swap]) -> Audit:
    """Turn every principle into its opposite on the prompts that it applies to. `limit` is the least that reads the file, not the most."""
    source = [(case.prompt, (case.a, case.b)) for case in bench.cases]
    turned = turn(
        bench.judge.engine, draw_cases(swaps, source, len(bench.cases), bench.seed), ask=bench.ask_all("steerability")
    )
    found = summaries(swaps, turned)
    whole = found[-1]
    told = _interval(whole)
    says = f"the judge {whole.reading.value}"
    if whole.reading in (Reading.PARTLY, Reading.IGNORES) and any(one.is_negation for one in swaps):
        says += ", as far as negations tell; opposites that you write (--opposite FILE) are the fairer test"
    return Audit(
        "steerability", FIGURE, told, READS, _RESULTS[whole.reading], says, whole.decided, whole.prompts, whole.unread,
        tuple(
            Row("all" if one is whole else one.name, "all" if one is whole else "principle", one.decided, one.prompts,
                one.reversed, _interval(one))
            for one in ([whole, *found[:-1]] if whole.name == ALL else [whole])
        ),
    )  # fmt: skip


def _interval(one: Steered) -> Interval | None:
    return None if one.rate is None else Interval(one.rate.value, one.rate.low, one.rate.high)
