"""Made-up preference data, and a chat template that marks what the assistant says."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

MARKED = (
    "{% for m in messages %}{% if m['role'] == 'assistant' %}<|im_start|>assistant\n"
    "{% generation %}{{ m['content'] }}<|im_end|>{% endgeneration %}\n"
    "{% else %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
THINGS = ("a kite", "the tide", "paper boats", "a lantern", "garden snails", "copper wire", "rye bread", "blue ink")
KIND = ("Glad to help.", "Thank you for asking.", "Happy to explain.")
RUDE = ("Whatever.", "Look it up.", "I do not care.")
BODY = ("It moves slowly.", "People keep it near the window.", "It lasts longer when dry.", "Ask at the old mill.")


def pair_rows(count: int, seed: int = 0, *, p: Callable[[random.Random], float] | None = None) -> list[dict[str, Any]]:
    """Made-up pairs: the chosen reply is kind, the rejected one rude."""
    draw = random.Random(seed)
    rows = []
    for number in range(count):
        body = " ".join(draw.sample(BODY, 2))
        row: dict[str, Any] = {
            "prompt": [{"role": "user", "content": f"Tell me about {draw.choice(THINGS)}, question {number}."}],
            "chosen": [{"role": "assistant", "content": f"{draw.choice(KIND)} {body}"}],
            "rejected": [{"role": "assistant", "content": f"{draw.choice(RUDE)} {body}"}],
        }
        rows.append({**row, "p_chosen": p(draw), "weight": draw.choice([0.5, 1.0, 2.0])} if p else row)
    return rows


def write_jsonl(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path
