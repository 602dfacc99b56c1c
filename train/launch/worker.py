"""One process of a launched training: `python -m train.launch.worker FOLDER` carries out FOLDER/order.json and leaves FOLDER/RANK.json.

Started by torchrun or accelerate, which give it its place by the environment. An error that a person can mend is left in the file and
not printed: the process that started all tells it once.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

from train.launch.order import carry_out, read_order, ready_for_ctrl_c


def main(folder: Path) -> int:
    """Train, leave the outcome, and give the exit code."""
    ready_for_ctrl_c()
    outcome = carry_out(read_order(folder / "order.json"))
    rank = os.environ.get("RANK", "0")
    part = folder / f"{rank}.part"
    part.write_text(json.dumps(asdict(outcome)), encoding="utf-8")
    part.rename(folder / f"{rank}.json")
    return outcome.code


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
