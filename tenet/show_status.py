"""Tells a person where a run stands: a table, the stages at work, their servers, what to do next. Words only; looks at nothing itself."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from tenet.console import draw_table, duration, money, progress_line, quantity
from tenet.ids import Json
from tenet.live import Live, latest
from tenet.runs.overview import StageView
from tenet.servers import ServerStats, slowest
from tenet.standing import StageStanding, Standing

DAY: Final = 86_400
_ALWAYS: Final = ("stage", "recorded", "failed", "owed", "shards", "outcomes", "last write")
_RIGHT: Final = ("rate", "tokens in", "cached", "tokens out", "cost", "req/s", "in flight", "median", "95 %")
_PARTS: Final = (
    ("stage", "recorded", "failed", "owed", "rate", "last write"),
    ("stage", "tokens in", "cached", "tokens out", "cost"),
    ("stage", "shards", "outcomes"),
)
"""The columns of the table in a terminal that is too narrow for all of them: a table each."""


def page(standing: Standing, *, width: int | None = None, colour: bool = False) -> str:
    """Everything about a run but what to do next, in lines; `width` is the terminal's, None where there is none."""
    run = standing.run
    title = f"{run.path}, begun {run.created}"
    if not standing.stages:
        return f"{title}: nothing recorded yet\n"
    told = [
        stage
        for stage in standing.stages
        if stage.view.recorded or stage.view.failed or stage.view.owed or stage.view.set_aside
    ]
    rows = [_row(stage, standing.currency) for stage in told or standing.stages]
    shown = [name for name in rows[0] if name in _ALWAYS or any(row[name] is not None for row in rows)]
    parts = [shown] if _fits(shown, rows, width) else [[name for name in part if name in shown] for part in _PARTS]
    tables = [_table(part, rows, width, colour=colour) for part in parts if len(part) > 1]
    block = _block(standing.live, standing.currency, width, colour=colour)
    return f"{title}\n\n{''.join(tables)}{block}"


def _table(
    columns: Sequence[str], rows: Sequence[Mapping[str, Json]], width: int | None, *, colour: bool = False
) -> str:
    cells = [[row[name] for name in columns] for row in rows]
    cells = [row for row in cells if any(cell is not None for cell in row[1:])]
    return draw_table(columns, cells, terminal=width is not None, colour=colour, right=_RIGHT)


def _fits(columns: Sequence[str], rows: Sequence[Mapping[str, Json]], width: int | None) -> bool:
    return width is None or max(map(len, _table(columns, rows, None).splitlines())) < width


def line(standing: Standing) -> str:
    """The stages at work in one line, for a log."""
    now = latest(standing.live)
    if now is None:
        return f"{_clock()} {standing.run.path}: between two stages"
    parts = []
    for live in standing.live:
        behind = slowest(live.servers)
        server = f" · slowest server {_short(behind)}, {_seconds(behind.p50)}" if behind else ""
        parts.append(f"{_headline(live)}{server}")
    if now.cost is not None:
        parts.append(f"{money(now.cost)} {standing.currency}")
    return f"{_clock()} {' | '.join(parts)}"


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


def _block(told: Sequence[Live], currency: str, width: int | None, *, colour: bool) -> str:
    """The stages at work, what the command has spent, and each stage's servers, under its title where there are several stages."""
    text = "".join(f"{_headline(live)}\n" for live in told)
    now = latest(told)
    if now is not None and now.spent.tokens:
        spent = now.spent
        share = "" if spent.cached_share is None else f" ({100 * spent.cached_share:.0f} % cached)"
        price = "" if now.cost is None else f", {money(now.cost)} {currency}"
        text += (
            f"this command so far: {quantity(spent.prompt_tokens)} tokens in{share}, "
            f"{quantity(spent.completion_tokens)} out{price}\n"
        )
    for live in told:
        if live.servers:
            title = f"{live.title}, its servers:\n" if len(told) > 1 else ""
            text += f"\n{title}{_servers(live.servers, width, colour=colour)}"
    return text


def _servers(servers: Sequence[ServerStats], width: int | None, *, colour: bool) -> str:
    """A table of servers, without the columns that matter least where the terminal is narrow."""
    behind = slowest(servers)
    rows = [_server(server, behind) for server in servers]
    columns = [name for name in rows[0] if name or any(row[name] for row in rows)]
    for least in ("answered", "retries"):
        if not _fits(columns, rows, width):
            columns.remove(least)
    return _table(columns, rows, width, colour=colour)


def _headline(live: Live) -> str:
    if live.planned is None:
        return f"{live.title}: finding out what is owed"
    return progress_line(
        live.title, live.done, live.planned, live.rate,
        flying=live.in_flight, outcomes=live.outcomes, growing=live.growing,
    )  # fmt: skip


def _server(server: ServerStats, behind: ServerStats | None) -> dict[str, Json]:
    """The cells of a server."""
    return {
        "server": _short(server),
        "answered": server.answered,
        "req/s": _figure(server.rate),
        "in flight": f"{server.in_flight:,} of {server.window:,}",
        "median": _seconds(server.p50),
        "95 %": _seconds(server.p95),
        "errors": server.errors,
        "retries": server.retries,
        "": "resting" if server.resting else "slowest" if server is behind else "",
    }


def _short(server: ServerStats) -> str:
    """The part of an address that tells servers apart."""
    return server.name.partition("://")[2].removesuffix("/v1") or server.name


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
