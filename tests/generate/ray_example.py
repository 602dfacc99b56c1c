"""Runs on Ray that are cut into shards of a few prompts, so that a small run gives two actors something to do."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest

import generate.crew
from generate.context import Context
from generate.crew import Crew
from tenet.workers.settling import Made, Order
from tests.generate.runs_example import CUTTERS, cut_shards

SHARD = 4


class SmallCrew(Crew):
    """A crew that cuts the run as the tests' driver does; an actor imports it from here."""

    def make(self, order: Order) -> Made[Any, Any]:
        """As `Crew.make`."""
        _cut()
        return super().make(order)

    def call(self, name: str) -> Any:
        """As `Crew.call`."""
        _cut()
        return super().call(name)


def cut_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut runs into shards of `SHARD` prompts, in this process and in the actors that it starts."""

    def crew_of(context: Context) -> Crew:
        return SmallCrew(context.run.path.resolve(), context.run.driver, context.config, context.constitution)

    cut_shards(monkeypatch, SHARD)
    monkeypatch.setattr(generate.crew, "crew_of", crew_of)


def _cut() -> None:
    for module in CUTTERS:
        import_module(f"generate.{module}").PROMPTS_PER_SHARD = SHARD  # type: ignore[attr-defined]
