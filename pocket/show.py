"""Tells a person what a demo has come to: one table, where the report is, and what to try next. Knows words and tables."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from shutil import which
from typing import Any, Final

from pocket.oracle import FAMILIES, OPPOSITES
from pocket.plan import DemoPlan
from tenet.console import Console
from tenet.ids import Json

SHIPPED: Final = "pocket/"


def show_demo(plan: DemoPlan, measured: Mapping[str, Any], console: Console) -> None:
    """Print the table on stdout (or all that was measured as JSON), and on stderr where the report is and what next."""
    if console.json:
        console.data({"folder": str(plan.out), "report": str(plan.report), "seed": plan.seed, **measured})
    else:
        count = measured["prompts"]["count"]
        title = f"Share of answers to {count:,} held-out questions, with 95 % intervals"
        console.table(["attribute", "asked", "base", "trained", "change in points"], rows(measured), title=title)
    console.say(f"Report: {plan.report}")
    console.say(next_step(plan, measured))


def rows(measured: Mapping[str, Any]) -> list[list[Json]]:
    """One row an attribute, those that the file asks for first."""
    asked = set(measured["asked"])
    rates = [one for one in measured["attributes"] if one["kind"] == "rate"]
    place = {name: number for number, name in enumerate(FAMILIES)}
    ordered = sorted(rates, key=lambda one: (one["name"] not in asked, place.get(one["name"], len(place))))
    return [
        [
            one["name"].replace("_", " "),
            "yes" if one["name"] in asked else "",
            _percent(one["base"]),
            _percent(one["trained"]),
            _points(one["change"]),
        ]
        for one in ordered
    ]


def program() -> str:
    """How this program is called from here: by its name where the shell finds it, else by its path, as `make demo` does."""
    if which("tenet") is not None or Path(sys.argv[0]).name != "tenet":
        return "tenet"
    return os.path.relpath(sys.argv[0])


def next_step(plan: DemoPlan, measured: Mapping[str, Any]) -> str:
    """What to try next, in one line."""
    asked = measured["asked"]
    name = plan.principles.removeprefix("principles/").removesuffix(".yaml")
    if len(asked) == 1 and asked[0] in OPPOSITES and name == SHIPPED + asked[0]:
        return f"Next, ask for the opposite: {program()} demo --principles {SHIPPED}{OPPOSITES[asked[0]]}"
    if Path(plan.principles).suffix in (".yaml", ".yml") and not name.startswith(SHIPPED):
        return f"Next, edit a principle in {plan.principles} and run the same command again."
    return f"Next, copy a file of principles/pocket, edit its text, and run: {program()} demo --principles FILE   (now: {name})"


def _percent(rate: Mapping[str, float]) -> str:
    return f"{100 * rate['value']:.0f} % [{100 * rate['low']:.0f}, {100 * rate['high']:.0f}]"


def _points(change: Mapping[str, float] | None) -> str:
    if change is None:
        return ""
    return f"{100 * change['value']:+.0f} [{100 * change['low']:+.0f}, {100 * change['high']:+.0f}]"
