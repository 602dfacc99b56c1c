"""How long `tenet principles watch` takes from a save to its effect: ten principles, one of them edited, 200 pairs of the pocket world.

A run judges pocket replies by ten principles, with the real pocket judge. The real command then watches the file, and edit after edit is
saved: reworded twice, put back, reweighted, removed. Each is timed from the write to the line that shows its effect and what relabelling
would cost. With `each` one principle touches every pair, so 200 pairs are 400 questions; with `sampled` the run is made so large that a
tenth of it holds 200 pairs. Exit 1 where a save of one edit took 10 seconds or more, or judged fewer pairs.

    python -m benchmarks.watch_latency
    python -m benchmarks.watch_latency --engine vllm --mode each --json
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.diff_effect import RUDE, SAMPLE, make_run
from constitution.load import load
from tenet.console import Console

BAR_SECONDS: Final = 10.0
HEAD: Final = "schema_version: 1\nname: ten\nprinciples:\n"
SHIPPED: Final = ("courteous", "brief", "honest", "harmless", "independent")
MORE: Final = (
    "The response is gentle with the person.",
    "The response comes to the point in a few words.",
    "The response says so when it does not know.",
    "The response does not help anybody to do harm.",
    "The response keeps its own view when the person pushes.",
)
EDITS: Final = ("reworded", "reworded again", "put back", "reweighted", "removed")


@dataclass(frozen=True)
class Save:
    """One save. `shown_seconds` are from the write to the line with effect and cost, `effect_seconds` from where the command noticed it to
    the effect; `cpu_seconds` are the command's own, which do not count what else the machine does.
    """

    engine: str
    mode: str
    edit: str
    pairs: int
    in_reach: int
    judged: int
    taken: int
    asked: int
    flips: int
    effect_seconds: float
    shown_seconds: float
    cpu_seconds: float


def texts() -> list[str]:
    """Ten principles that the pocket judge reads."""
    return [*(load(f"pocket/{name}").principles[0].text for name in SHIPPED), *MORE]


def written(edit: str = "") -> str:
    """The file, with its first principle edited."""
    items = []
    for number, text in enumerate(texts()):
        weight = 3 if edit == "reweighted" and number == 0 else 1
        if number == 0 and edit.startswith("reworded"):
            text = RUDE if edit == "reworded" else "The response is friendly and thanks the person."  # noqa: PLW2901
        if number or edit != "removed":
            items.append(f"  - id: p{number}\n    text: {json.dumps(text)}\n    weight: {weight}\n")
    return HEAD + "".join(items)


def bench(folder: Path, engine: str, mode: str, prompts: int, replies: int) -> list[Save]:
    """Make the run, watch its file, save edit after edit."""
    file = folder / "ten.yaml"
    file.write_text(written(), encoding="utf-8")
    run = make_run(folder, str(file), engine, prompts, replies, mode)
    words = [sys.executable, "-m", "tenet", "principles", "watch", str(file), "--run", str(run), "--json"]
    with (folder / "words.log").open("w") as log:
        environment = {**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(Path(__file__).parents[1])}
        command = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=log, text=True, env=environment)
        try:
            _line(command)  # the file as it is: the judge is loaded
            return [_saved(command, file, engine, mode, edit) for edit in EDITS]
        finally:
            command.terminate()
            command.wait()


def _saved(command: subprocess.Popen[str], file: Path, engine: str, mode: str, edit: str) -> Save:
    began, used = time.monotonic(), _used(command.pid)
    file.write_text(written(edit), encoding="utf-8")
    told = _line(command)
    shown, cpu = round(time.monotonic() - began, 2), round(_used(command.pid) - used, 2)
    if told["state"] == "same":
        return Save(engine, mode, edit, 0, 0, 0, 0, 0, 0, 0.0, shown, cpu)
    found = told["effect"]
    return Save(
        engine, mode, edit, found["pairs"], found["pairs_in_reach"], found["sample"], found["answers_taken"],
        found["asked"]["calls"], found["flips"], round(told["seconds"], 2), shown, cpu,
    )  # fmt: skip


def _used(pid: int) -> float:
    """The processor seconds of a process so far, user and system, as Linux counts them."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _line(command: subprocess.Popen[str]) -> dict[str, Any]:
    assert command.stdout is not None
    line = command.stdout.readline()
    if not line:
        raise RuntimeError("the command has ended; see what it said in words.log")
    found: dict[str, Any] = json.loads(line)
    return found


def good(saves: list[Save]) -> bool:
    """Whether every save was quick, and those that edit one principle's words judged a whole sample."""
    full = all(save.judged == SAMPLE for save in saves if save.edit in ("reworded", "reworded again"))
    return full and all(save.shown_seconds < BAR_SECONDS for save in saves)


def main() -> int:
    """Measure, print, and hold against the bar."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", default="transformers", choices=["transformers", "vllm"])
    parser.add_argument("--mode", default="both", choices=["both", "sampled", "each"])
    parser.add_argument("--replies", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    saves: list[Save] = []
    for mode, prompts in (("each", 80), ("sampled", 840)):
        if given.mode in ("both", mode):
            with tempfile.TemporaryDirectory() as folder:
                saves += bench(Path(folder), given.engine, mode, prompts, given.replies)
    Console(json=given.json).table(list(asdict(saves[0])), [list(asdict(save).values()) for save in saves])
    return 0 if good(saves) else 1


if __name__ == "__main__":
    sys.exit(main())
