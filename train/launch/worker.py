"""One process of a launched training: `python -m train.launch.worker FOLDER` carries out FOLDER/order.json and leaves FOLDER/RANK.json.

Started by torchrun or accelerate, which give it its place by the environment. An error that a person can mend is left in the file and
not printed: the process that started all tells it once.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Final

from train.launch.order import carry_out, read_order, ready_for_ctrl_c

_PR_SET_PDEATHSIG: Final = 1


def main(folder: Path) -> int:
    """Train, leave the outcome, and give the exit code."""
    ready_for_ctrl_c()
    _end_with_the_launcher()
    outcome = carry_out(read_order(folder / "order.json"))
    rank = os.environ.get("RANK", "0")
    part = folder / f"{rank}.part"
    part.write_text(json.dumps(asdict(outcome)), encoding="utf-8", newline="\n")
    part.replace(folder / f"{rank}.json")
    return outcome.code


def _end_with_the_launcher() -> None:
    """Be ended when the process that started us is killed; else we would train on, unseen, and hold the folder's lock."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
