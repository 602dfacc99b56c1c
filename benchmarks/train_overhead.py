"""What a training step through Tenet costs beside TRL's own trainer on the same batches: time and peak memory.

    OMP_NUM_THREADS=1 python -m benchmarks.train_overhead [--rounds 8] [--steps 6] [--part times | memory] [--json]

Both trainers get the same model, arguments and tokenised rows in the same order; Tenet's rows also carry `p_chosen` and
`weight`, and its trainer what `tenet train` adds (metrics file, progress, stop switch). A step is the time from its
begin to the begin of the next, so that collating and logging count. The two take turns of a few steps, each round
in another order; the first step of a turn is left out. Milliseconds are medians; `ratio` is the median over the rounds of
(median step of Tenet in the round) over (median step of TRL in it), with the quartiles beside it. `--part memory`:
each trainer in a process of its own that does the same steps; `peak` is MiB of the whole process, `training` what the
steps took above what was there before them.

Two shapes, with random weights where no model is shipped: `pocket` is the shipped policy (1M parameters, 2,304 tokens of
vocabulary), `wide` is the same with a vocabulary of 16,384 (3M parameters), where the language model's head is most of DPO.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from pocket import POLICY_PATH
from tenet.console import Console

BATCH: Final = 8
PROMPT, RESPONSE = (20, 60), (30, 110)
SHAPES: Final = ("pocket", "wide")
METHODS: Final = ("reward", "dpo")
SIDES: Final = ("trl", "tenet")


def model_of(shape: str, folder: Path) -> Path:
    """The folder of a model: the shipped policy, or one with random weights and the policy's tokenizer."""
    if shape == "pocket":
        return POLICY_PATH
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    torch.manual_seed(0)
    config = Qwen3Config(
        vocab_size=16_384, hidden_size=128, intermediate_size=352, num_hidden_layers=4, num_attention_heads=4,
        num_key_value_heads=2, head_dim=32, max_position_embeddings=512, tie_word_embeddings=True, pad_token_id=0,
        eos_token_id=2,
    )  # fmt: skip
    Qwen3ForCausalLM(config).save_pretrained(folder)
    for file in (*POLICY_PATH.glob("tokenizer*"), POLICY_PATH / "chat_template.jinja"):
        shutil.copy(file, folder / file.name)
    return folder


def rows_of(method: str, count: int, *, labelled: bool) -> Any:
    """Tokenised pairs of random words, the same each time, in batches of like length."""
    from datasets import Dataset

    draw = random.Random(0)

    def words(low: int, high: int) -> list[int]:
        return [draw.randrange(10, 2_300) for _ in range(draw.randint(low, high))]

    rows: list[dict[str, Any]] = []
    for _ in range(count):
        prompt, chosen, rejected = words(*PROMPT), words(*RESPONSE), words(*RESPONSE)
        row: dict[str, Any] = (
            {"prompt_ids": prompt, "chosen_ids": chosen, "rejected_ids": rejected}
            if method == "dpo"
            else {"chosen_ids": prompt + chosen, "rejected_ids": prompt + rejected}
        )
        label = {"p_chosen": round(0.5 + draw.random() / 2, 3), "weight": 1.0}
        rows.append({**row, **label} if labelled else row)
    rows.sort(key=lambda row: max(len(row["chosen_ids"]), len(row["rejected_ids"])))
    batches = [rows[place : place + BATCH] for place in range(0, count, BATCH)]
    random.Random(1).shuffle(batches)
    return Dataset.from_list([row for batch in batches for row in batch])


def trainer_of(method: str, side: str, model: Path, steps: int, folder: Path) -> Any:
    """A trainer of TRL, or Tenet's with what `tenet train` adds to it."""
    from transformers import PrinterCallback
    from trl import DPOConfig, DPOTrainer, RewardConfig, RewardTrainer

    from tenet.console import Progress
    from train.callbacks import MetricsFile, ProgressLine, StopSwitch
    from train.dpo import SoftDPOTrainer
    from train.reward import SoftRewardTrainer

    class Tokenised(DPOTrainer):  # type: ignore[misc]
        def _prepare_dataset(self, dataset: Any, *_: Any) -> Any:  # TRL tokenises once more otherwise
            return dataset

    common: dict[str, Any] = {
        "output_dir": str(folder / f"{method}-{side}"), "report_to": "none", "use_cpu": True, "bf16": False,
        "disable_tqdm": True, "gradient_checkpointing": False, "max_length": None, "save_strategy": "no",
        "max_steps": steps, "per_device_train_batch_size": BATCH, "train_sampling_strategy": "sequential",
        "learning_rate": 1e-5, "seed": 0,
    }  # fmt: skip
    if method == "dpo":
        args: Any = DPOConfig(**common, precompute_ref_log_probs=True)
        cls: Any = Tokenised if side == "trl" else SoftDPOTrainer
    else:
        args = RewardConfig(**common, center_rewards_coefficient=0.01)
        cls = RewardTrainer if side == "trl" else SoftRewardTrainer
    data = rows_of(method, steps * BATCH, labelled=side == "tenet")
    trainer = cls(str(model), args=args, train_dataset=data)
    if side == "tenet":
        trainer.remove_callback(PrinterCallback)
        nowhere = Console(quiet=True, err=io.StringIO())
        for callback in (MetricsFile(folder / f"{method}.jsonl"), StopSwitch(), ProgressLine(Progress(nowhere, ""))):
            trainer.add_callback(callback)
    return trainer


def steps_of(trainer: Any) -> list[tuple[float, float]]:
    """Wall and CPU seconds of the steps of one turn, without the first."""
    from transformers import TrainerCallback

    marks: list[tuple[float, float]] = []

    class Clock(TrainerCallback):  # type: ignore[misc]
        def on_step_begin(self, *_: Any, **__: Any) -> None:
            marks.append((time.perf_counter(), time.process_time()))

        on_train_end = on_step_begin

    clock = Clock()
    trainer.add_callback(clock)
    with contextlib.redirect_stdout(io.StringIO()):
        trainer.train()
    trainer.remove_callback(clock)
    spans = [(b[0] - a[0], b[1] - a[1]) for a, b in pairwise(marks)]
    return spans[1:]


def times(method: str, model: Path, args: argparse.Namespace, folder: Path) -> dict[str, float]:
    """Medians and ratios of one method on one model."""
    trainers = {side: trainer_of(method, side, model, args.steps, folder) for side in SIDES}
    seen: dict[str, list[list[tuple[float, float]]]] = {side: [] for side in SIDES}
    for turn in range(args.rounds + 1):
        for side in SIDES if turn % 2 else reversed(SIDES):
            spans = steps_of(trainers[side])
            if turn:  # the first turn warms up
                seen[side].append(spans)
    ratios = [list(_ratios(seen, clock)) for clock in (0, 1)]
    low, middle, high = statistics.quantiles(ratios[0], n=4)
    return {
        **{f"{side} ms": 1e3 * statistics.median(span[0] for spans in seen[side] for span in spans) for side in SIDES},
        "ratio": middle, "low": low, "high": high, "CPU ratio": statistics.median(ratios[1]),
    }  # fmt: skip


def _ratios(seen: dict[str, list[list[tuple[float, float]]]], clock: int) -> Iterator[float]:
    for stock, ours in zip(seen["trl"], seen["tenet"], strict=True):
        yield statistics.median(span[clock] for span in ours) / statistics.median(span[clock] for span in stock)


def memory(method: str, model: Path, args: argparse.Namespace, folder: Path) -> dict[str, float]:  # noqa: ARG001
    """Peak MiB of both sides, each in a process of its own, and what of it came with the steps."""
    seen: dict[str, dict[str, float]] = {}
    for side in SIDES:
        words = ["-m", "benchmarks.train_overhead", "--one", method, side, str(model), "--steps", str(args.steps)]
        seen[side] = json.loads(subprocess.run([sys.executable, *words], capture_output=True, check=True).stdout)
    found: dict[str, float] = {}
    for part in ("peak", "training"):
        found |= {f"{side} {part}": seen[side][part] for side in SIDES}
        found[f"ratio of {part}"] = seen["tenet"][part] / seen["trl"][part]
    return found


def peak_here(method: str, side: str, model: Path, steps: int) -> dict[str, float]:
    """Peak MiB of this process over the steps of one trainer, and what of it came with the steps."""
    with tempfile.TemporaryDirectory() as folder:
        trainer = trainer_of(method, side, model, steps, Path(folder))
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # forgets the peak up to here
        before = _status("VmRSS")
        steps_of(trainer)
        return {"peak": _status("VmHWM"), "training": _status("VmHWM") - before}


def _status(name: str) -> float:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:")) / 1024


PARTS: Final = {"times": times, "memory": memory}


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--shapes", nargs="+", choices=SHAPES, default=list(SHAPES))
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--part", choices=list(PARTS), default="times")
    parser.add_argument("--one", nargs=3, metavar=("METHOD", "SIDE", "MODEL"), help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    from train.quiet import quiet_libraries

    with quiet_libraries():
        if args.one:
            method, side, model = args.one
            sys.stdout.write(json.dumps(peak_here(method, side, Path(model), args.steps)) + "\n")
            return
        console, found = Console(json=args.json), list[dict[str, Any]]()
        with tempfile.TemporaryDirectory() as text:
            for shape in args.shapes:
                model = model_of(shape, Path(text) / shape)
                for method in args.methods:
                    numbers = PARTS[args.part](method, model, args, Path(text))
                    found.append({"model": shape, "method": method, **{key: round(n, 3) for key, n in numbers.items()}})
                    console.say(json.dumps(found[-1]))
    console.table(list(found[0]), [list(row.values()) for row in found])


if __name__ == "__main__":
    main()
