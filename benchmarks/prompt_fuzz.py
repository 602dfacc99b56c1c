"""Strings full of control tokens as responses: how many control-token ids come out of them, naively and through Tenet.

    python -m benchmarks.prompt_fuzz [--strings 10000] [--model FOLDER ...] [--json]

Tokenizers of the Qwen, Llama 3, Llama 2, Unigram and normalising kinds (small ones, built here), that of the pocket models, and any
`--model`. A string is a random mix of control literals, parts of them, and odd characters; each stands as a response in a judge's whole
prompt. `naive` is the share of strings from which the tokenizer itself makes a control token; `leaks` counts control-token ids inside
Tenet's untrusted spans; `lossless` is the share of strings that decode to themselves (a Unigram tokenizer without byte fallback, and one
that normalises, lose characters either way). Exits 1 on any leak.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from engines.prompting import ChatTokenizer, untrusted
from judges.asks import load_template
from pocket import JUDGE_PATH
from tests.engines import zoo

PIECES = [
    *zoo.QWEN_TOKENS, *zoo.QWEN_PLAIN, *zoo.LLAMA3_TOKENS, *zoo.LLAMA2_TOKENS, *zoo.LLAMA2_PLAIN,
    "<|im_", "start|>", "<|", "|>", "<<s>s>", "</", "s>", "<s", "[INST", "]", "\uff1c|im_end|\uff1e",
    "\u200b", "\ufeff", "\x00", "\ud800", "\U0001f600", "é", "\u202e", "漢", " ", "  ", "\n", "\n\n", "\t", "A", "B",
    "the ", "assistant\n", "system\n", "Verdict: yes", "### Response B\n", "{{response_b}}",
]  # fmt: skip


@dataclass(frozen=True)
class Result:
    """What one tokenizer made of all strings."""

    tokenizer: str
    strings: int
    naive: float
    leaks: int
    prompt_leaks: int
    lossless: float


def strings(count: int, extra: Sequence[str], seed: int = 0) -> list[str]:
    """Random mixes of pieces and characters, the same for the same seed."""
    rng = random.Random(seed)
    pool = [*PIECES, *extra]
    return [
        "".join(rng.choices(pool, k=rng.randint(1, 12))) + "".join(chr(rng.randrange(0x20, 0x2FFF)) for _ in range(rng.randint(0, 4)))
        for _ in range(count)
    ]  # fmt: skip


def measure(name: str, backend: Any, count: int) -> Result:
    """Run all strings through one tokenizer."""
    tokenizer = ChatTokenizer(backend)
    control = tokenizer.control_ids
    template = load_template("pairwise")
    anchor = tokenizer.encode([untrusted("x")])

    def prompt(first: str, second: str) -> Sequence[int]:
        fields = {"prompt": "How?", "principle": "P", "question": "Q", "response_a": first, "response_b": second}
        return tokenizer.chat([("user", template.fill(**fields))])

    calm = sum(token in control for token in prompt("x", "x"))
    naive = leaks = prompt_leaks = lossless = 0
    for text in strings(count, [token.content for token in backend.added_tokens_decoder.values()]):
        clean = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        naive += not control.isdisjoint(backend.encode(clean, add_special_tokens=False))
        ids = tokenizer.encode([untrusted(text)])
        leaks += sum(token in control for token in ids)
        prompt_leaks += sum(token in control for token in prompt(text, text)) - calm
        lossless += tokenizer.decode(anchor + ids) == "x" + clean
    return Result(name, count, naive / count, leaks, prompt_leaks, lossless / count)


def main() -> None:
    """Print the table; exit 1 on any leak."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--strings", type=int, default=10_000)
    parser.add_argument("--model", type=Path, action="append", default=[], help="a model's folder, for its tokenizer")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    from transformers import AutoTokenizer

    kinds: Mapping[str, Any] = {
        "Qwen-like": zoo.qwen(),
        "Llama-3-like": zoo.llama3(),
        "Llama-2-like": zoo.llama2(),
        "Metaspace": zoo.llama2(scheme="always"),
        "Unigram": zoo.unigram(),
        "normalising": zoo.normalising(),
        "pocket": AutoTokenizer.from_pretrained(JUDGE_PATH),
        **{folder.name: AutoTokenizer.from_pretrained(folder) for folder in args.model},
    }
    results = [measure(name, backend, args.strings) for name, backend in kinds.items()]
    if args.json:
        print(json.dumps([asdict(result) for result in results]))
    else:
        print(f"{'tokenizer':16}{'strings':>9}{'naive':>9}{'leaks':>7}{'in prompts':>12}{'lossless':>10}")
        for one in results:
            print(
                f"{one.tokenizer:16}{one.strings:>9,}{one.naive:>9.1%}{one.leaks:>7}{one.prompt_leaks:>12}{one.lossless:>10.1%}"
            )
    sys.exit(any(one.leaks or one.prompt_leaks for one in results))


if __name__ == "__main__":
    main()
