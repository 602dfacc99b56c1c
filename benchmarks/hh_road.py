"""The whole road on people's labels: both pipelines of `examples/` on HH-RLHF's harmless pairs, from the transcripts to the page.

Runs `tenet pipeline examples/sft-dpo.yaml` and `examples/sft-reward-ppo.yaml` as they stand on `../shared/data/hh-rlhf`, then each a
second time, which must carry out nothing. Prints the time of every stage, and what was measured: the reward model on held-out pairs beside
a baseline that sees only lengths, DPO's own agreement with held-out labels, and the trained policy against the one before. The pocket
models are no models for such text: the figures say that the road holds, not that the policy got better. Exits 1 if a stage fails or
runs twice.

    python -m benchmarks.hh_road
    python -m benchmarks.hh_road --set rows=100 --set prompts=10 --only sft-dpo
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tenet.console import Console, duration
from tenet.ids import Json
from tenet.yamlfile import load_yaml

ROOT = Path(__file__).parents[1]
DATA = ROOT.parent / "shared/data/hh-rlhf/harmless-base.test.jsonl.gz"
ROADS = ("sft-dpo", "sft-reward-ppo")


@dataclass(frozen=True)
class Road:
    """One pipeline, run: the JSON of both times, the wall time of both."""

    name: str
    stages: Sequence[Mapping[str, Any]]
    again: Sequence[Mapping[str, Any]]
    seconds: float
    seconds_again: float

    def result(self, stage: str) -> Mapping[str, Any]:
        """What a stage printed for --json; empty where there is no such stage."""
        return next((one["result"] or {} for one in self.stages if one["stage"] == stage), {})

    @property
    def unchanged(self) -> bool:
        """Whether the second time carried out nothing."""
        return all(one["did"] == "skip" for one in self.again)


def run(name: str, folder: Path, overrides: Sequence[str]) -> Road:
    """Run an example's pipeline twice in a folder, with those of the overrides that it has variables for."""
    file = ROOT / f"examples/{name}.yaml"
    variables: Any = load_yaml(file).data
    overrides = [one for one in overrides if one.partition("=")[0] in variables["variables"]]
    words = [sys.executable, "-m", "tenet", "pipeline", str(file), "--json"]
    words += ["--set", f"data={DATA}", "--set", f"folder={folder}"]
    words += [word for one in overrides for word in ("--set", one)]
    told, seconds = [], []
    for _ in range(2):
        began = time.monotonic()
        done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True)
        seconds.append(time.monotonic() - began)
        told.append(json.loads(done.stdout)["stages"])
    return Road(name, told[0], told[1], seconds[0], seconds[1])


def figures(road: Road) -> list[tuple[str, str]]:
    """What was measured, as words with intervals."""
    found: list[tuple[str, str]] = []
    for row in road.result("reward-accuracy").get("rows", [])[:1]:
        found.append((f"reward model, {row['pairs']:,} held-out pairs: accuracy", percent(row["model"]["accuracy"])))
        if row["length_only"]:
            found.append(("length only: accuracy", percent(row["length_only"]["accuracy"])))
        if row["ahead"]:
            low, high = (100 * row["ahead"][key] for key in ("low", "high"))
            found.append(
                ("reward model ahead of length", f"{100 * row['ahead']['value']:+.1f} points [{low:+.1f}, {high:+.1f}]")
            )
    accuracy = road.result("dpo").get("metrics", {}).get("eval_pair_accuracy")
    if accuracy is not None:
        found.append(
            (
                f"DPO, {road.result('dpo')['held_out']:,} held-out pairs: implied reward agrees",
                f"{100 * accuracy:.1f} %",
            )
        )
    loss = road.result("sft").get("metrics", {}).get("eval_loss")
    if loss is not None:
        found.append(("SFT, held out: loss a token", f"{loss:.2f} nats"))
    judged = road.result("evaluate").get("judge") or {}
    if judged.get("win_rate"):
        found.append(("trained policy preferred to SFT, by the pocket judge", percent(judged["win_rate"])))
    kl = (road.result("evaluate").get("kl") or {}).get("nats_per_response", {}).get("k3")
    if kl:
        found.append(("KL to SFT, nats an answer", f"{kl['value']:.2f} [{kl['low']:.2f}, {kl['high']:.2f}]"))
    for length in road.result("evaluate").get("lengths", []):
        before, after = (length[role]["value"] for role in ("base", "trained"))
        found += [(f"length in {length['name']}", f"{before:.1f} before, {after:.1f} after")]
    return found


def percent(rate: Mapping[str, float]) -> str:
    """A share with its 95 % interval."""
    return f"{100 * rate['value']:.1f} % [{100 * rate['low']:.1f}, {100 * rate['high']:.1f}]"


def show(roads: Sequence[Road], console: Console) -> None:
    """Print the tables."""
    rows: list[list[Json]] = [
        [road.name, one["stage"], duration(one["seconds"])] for road in roads for one in road.stages
    ]
    for road in roads:
        again = "nothing carried out" if road.unchanged else "CARRIED OUT AGAIN"
        rows.append(
            [road.name, f"all; a second time: {again}", f"{duration(road.seconds)}; {duration(road.seconds_again)}"]
        )
    console.table(["pipeline", "stage", "wall"], rows, right=["wall"])
    console.table(
        ["pipeline", "measured", ""], [[road.name, name, value] for road in roads for name, value in figures(road)]
    )


def main() -> int:
    """Run the roads, print what came of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=ROADS)
    parser.add_argument("--set", dest="overrides", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="Keep everything there.")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    console = Console(json=asked.json)
    if not DATA.is_file():
        console.say(f"{DATA} is not there: see the README of that folder")
        return 3
    with tempfile.TemporaryDirectory() as place:
        folder = asked.out or Path(place)
        roads = [run(name, folder / name, asked.overrides) for name in ROADS if asked.only in (None, name)]
    if asked.json:
        console.data(
            [
                {
                    "pipeline": road.name, "seconds": round(road.seconds, 1), "again": round(road.seconds_again, 1),
                    "unchanged": road.unchanged, "stages": {one["stage"]: one["seconds"] for one in road.stages},
                    "measured": dict(figures(road)),
                }
                for road in roads
            ]
        )  # fmt: skip
    else:
        show(roads, console)
    return 0 if all(road.unchanged for road in roads) else 1


if __name__ == "__main__":
    sys.exit(main())
