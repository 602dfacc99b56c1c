"""Make the two bundled checkpoints: `python -m pocket.build [tokenizer|policy|judge|all] --work DIR`.

Orchestration only. Everything is seeded; DIR holds the tokenizer and the training state, so that an interrupted build goes on where it
stopped. Finished models replace those in `pocket/models`.
"""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path

from pocket import JUDGE_PATH, POLICY_PATH


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")


def build(what: str, work: Path, threads: int) -> None:
    """Build one model or all, tokenizer first; what `work` already holds is not made again."""
    import torch

    from pocket.recipe import corpus
    from pocket.recipe.judge import train_judge
    from pocket.recipe.models import load, save
    from pocket.recipe.policy import train_policy
    from pocket.recipe.tokenizer import load_tokenizer, train_tokenizer

    torch.set_num_threads(threads)
    work.mkdir(parents=True, exist_ok=True)
    if not (work / "tokenizer" / "tokenizer.json").exists():
        train_tokenizer(corpus.texts()).save_pretrained(work / "tokenizer")
    tokenizer = load_tokenizer(work / "tokenizer")
    if what in ("policy", "all"):
        save(train_policy(tokenizer, work, _say), tokenizer, POLICY_PATH)
    if what in ("judge", "all"):
        publish = partial(save, tokenizer=tokenizer, folder=JUDGE_PATH)
        publish(train_judge(tokenizer, load(POLICY_PATH), work, _say, publish))


def main() -> None:
    """Read the command line and build."""
    parser = argparse.ArgumentParser(prog="python -m pocket.build", description=__doc__)
    parser.add_argument("what", nargs="?", default="all", choices=("tokenizer", "policy", "judge", "all"))
    parser.add_argument("--work", type=Path, required=True, help="folder for the training state")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    build(arguments.what, arguments.work, arguments.threads)


if __name__ == "__main__":
    main()
