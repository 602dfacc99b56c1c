"""Tells a person where a run stands: a table, the stage at work, its servers, and what to do next. Words only; looks at nothing itself."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime
from typing import Final

from tenet.console import draw_table, duration, money, progress_line, quantity
from tenet.ids import Json
from tenet.live import Live
from tenet.runs.overview import StageView
from tenet.servers import ServerStats, slowest
from tenet.standing import StageStanding, Standing

DAY: Final = 86_400
_ALWAYS: Final = frozenset({"stage", "recorded", "failed", "owed", "shards", "outcomes", "last write"})
_RIGHT: Final = ("rate", "tokens in", "cached", "tokens out", "cost")


def page(standing: Standing, *, terminal: bool = False, colour: bool = False) -> str:
    """Everything about a run but what to do next, in lines."""
    run = standing.run
    title = f"{run.path}, begun {run.created}"
    if not standing.stages:
        return f"{title}: nothing recorded yet\n"
    rows = [_row(stage, standing.currency) for stage in standing.stages]
    shown = [name for name in rows[0] if name in _ALWAYS or any(row[name] is not None for row in rows)]
    cells = [[row[name] for name in shown] for row in rows]
    text = draw_table(shown, cells, title=title, terminal=terminal, colour=colour, right=_RIGHT)
    return text + (_block(standing.live, standing.currency, terminal=terminal, colour=colour) if standing.live else "")


def line(standing: Standing) -> str:
    """The stage at work in one line, for a log."""
    live = standing.live
    if live is None:
        return f"{_clock()} {standing.run.path}: between two stages"
    parts = [_headline(live)]
    if behind := slowest(live.servers):
        parts.append(f"slowest server {behind.name}, {_seconds(behind.p50)}")
    if live.cost is not None:
        parts.append(f"{money(live.cost)} {standing.currency}")
    return f"{_clock()} {' · '.join(parts)}"


def words(standing: Standing) -> list[str]:
    """What is wrong, who is at work, and what to do next."""
    run, told = standing.run, []
    if standing.cost is not None:
        told.append(f"Cost of the recorded answers: {money(standing.cost)} {standing.currency}.")
    aside = sum(stage.set_aside for stage in run.stages)
    if aside:
        told.append(f"{aside} damaged shards were set aside (*.corrupt-*); their rows are asked for again.")
    if run.writer is not None:
        told.append(f"Process {run.writer.pid} on {run.writer.host} is at work on it, since {run.writer.since}.")
    elif run.finished is None or any(stage.owed for stage in run.stages):
        told.append(f"Go on with: {run.command}")
    else:
        failed = sum(stage.failed for stage in run.stages)
        if failed:
            told.append(f"{failed:,} rows failed and were given up; ask again with: {run.command} --retry-failed")
        told.append(f"Finished {run.finished}. Next: {run.next}")
    return told


def _row(stage: StageStanding, currency: str) -> dict[str, Json]:
    """The cells of a stage; None where a column says nothing of it."""
    view, spent = stage.view, stage.spent
    shards = f"{view.published} done" + (f", {view.open} open" if view.open else "")
    return {
        "stage": view.name,
        "recorded": view.recorded,
        "failed": view.failed,
        "owed": view.owed,
        "rate": None if not stage.rate else f"{_figure(stage.rate)}/s",
        "tokens in": None if spent is None else quantity(spent.prompt_tokens),
        "cached": None if spent is None or spent.cached_share is None else f"{100 * spent.cached_share:.0f} %",
        "tokens out": None if spent is None else quantity(spent.completion_tokens),
        "cost": None if stage.cost is None else f"{money(stage.cost)} {currency}",
        "shards": shards,
        "outcomes": ", ".join(f"{name} {number:,}" for name, number in view.outcomes.items()),
        "last write": _ago(view),
    }


def _block(live: Live, currency: str, *, terminal: bool, colour: bool) -> str:
    """The stage at work, what the command has spent, and its servers."""
    lines = [_headline(live)]
    spent = live.spent
    if spent.tokens:
        share = "" if spent.cached_share is None else f" ({100 * spent.cached_share:.0f} % cached)"
        price = "" if live.cost is None else f", {money(live.cost)} {currency}"
        lines.append(
            f"this command so far: {quantity(spent.prompt_tokens)} tokens in{share}, "
            f"{quantity(spent.completion_tokens)} out{price}"
        )
    text = "\n".join(lines) + "\n"
    if not live.servers:
        return text
    behind = slowest(live.servers)
    columns = ["server", "answered", "requests/s", "in flight", "median", "95 %", "errors", "retries", ""]
    rows: list[list[Json]] = [[*_server(server), _remark(server, behind)] for server in live.servers]
    if not any(row[-1] for row in rows):
        columns, rows = columns[:-1], [row[:-1] for row in rows]
    right = ("requests/s", "in flight", "median", "95 %")
    return f"{text}\n{draw_table(columns, rows, terminal=terminal, colour=colour, right=right)}"


def _headline(live: Live) -> str:
    if live.planned is None:
        return f"{live.title}: finding out what is owed"
    return progress_line(live.title, live.done, live.planned, live.rate, flying=live.in_flight, outcomes=live.outcomes)


def _server(server: ServerStats) -> Iterator[Json]:
    yield server.name
    yield server.answered
    yield _figure(server.rate)
    yield f"{server.in_flight:,} of {server.window:,}"
    yield _seconds(server.p50)
    yield _seconds(server.p95)
    yield server.errors
    yield server.retries


def _remark(server: ServerStats, behind: ServerStats | None) -> str:
    if server.resting:
        return "takes no connection"
    return "slowest" if server is behind else ""


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def _seconds(value: float | None) -> str | None:
    if value is None:
        return None
    return f"{1000 * value:.0f} ms" if value < 1 else f"{value:.1f} s" if value < 60 else duration(value)


def _ago(view: StageView) -> str | None:
    """How long ago the stage was last written to; the time itself where that is more than a day."""
    if view.last_write is None:
        return None
    seconds = time.time() - datetime.fromisoformat(view.last_write).timestamp()
    return f"{duration(seconds)} ago" if seconds < DAY else view.last_write[:16].replace("T", " ")


def _clock() -> str:
    return time.strftime("%H:%M:%S")
