"""How often the pocket judge is right, against the oracle: `python benchmarks/pocket_judge.py [--json] [--pairs 1000]`.

Fresh held-out prompts with fresh replies, for every family: verdicts on decided pairs with wordings of training and with wordings never
trained on (and why those are new), both orders of every pair, critiques, and revisions made from the judge's own critiques. Intervals are
Wilson's at 95 %. The comparisons run packed (one prefix, several principles); a sample of them is run again as plain sequences through
the chat template, and the largest difference in p is printed.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import torch
from transformers import Qwen3ForCausalLM

from pocket import JUDGE_PATH, POLICY_PATH, critiques, oracle, world
from pocket.recipe.data import FAMILY_OF_KIND, RowMaker, Stage, Written
from pocket.recipe.models import load
from pocket.recipe.packing import Row, collate
from pocket.recipe.sampling import sample
from pocket.recipe.templates import COMPARE, CRITIQUE, REVISE, Encoder
from pocket.recipe.tokenizer import load_tokenizer
from pocket.wordings import Novelty, Wording, wordings
from tenet.intervals import wilson

ROWS: Final = 16
NOVELTIES: Final = (Novelty.FORM, Novelty.SYNONYM, Novelty.BOTH)


@dataclass(frozen=True)
class Rate:
    """A share of successes with its 95 % Wilson interval."""

    right: int
    of: int

    @property
    def share(self) -> float:
        """The share itself; nan of nothing."""
        return self.right / self.of if self.of else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        """The interval's two ends."""
        return wilson(self.share, self.of) if self.of else (math.nan, math.nan)

    @classmethod
    def of_all(cls, outcomes: list[bool]) -> Rate:
        """Count outcomes."""
        return cls(sum(outcomes), len(outcomes))


@dataclass(frozen=True)
class Asked:
    """One comparison: a pair, a wording, and P(A) in both orders once it is known (the second turned back)."""

    prompt: str
    first: str
    second: str
    wording: Wording
    decision: int
    p: float = math.nan
    p_swapped: float = math.nan

    @property
    def right(self) -> bool:
        """Whether the mean of both orders says what the oracle says."""
        return (self.p + self.p_swapped > 1) == (self.decision > 0)

    @property
    def consistent(self) -> bool:
        """Whether both orders name the same winner."""
        return (self.p > 0.5) == (self.p_swapped > 0.5)


class Judge:
    """The judge under test with what is needed to ask it."""

    def __init__(self, folder: Path) -> None:
        self.model: Qwen3ForCausalLM = load(folder).eval()
        self.encode = Encoder(load_tokenizer(folder))
        self.maker = RowMaker(self.encode, "heldout")

    def p_first(self, rows: list[Row]) -> list[list[float]]:
        """P(A) of every label of every row."""
        first, second = self.encode.labels
        out: list[list[float]] = []
        with torch.inference_mode():
            for start in range(0, len(rows), ROWS):
                part = rows[start : start + ROWS]
                batch = collate(part, int(self.encode.tokenizer.pad_token_id))
                states = self.model.model(
                    input_ids=batch.ids, attention_mask=batch.mask, position_ids=batch.positions, use_cache=False
                ).last_hidden_state.flatten(0, 1)
                logits = self.model.lm_head(states[batch.label_at])
                p = iter((logits[:, first] - logits[:, second]).sigmoid().tolist())
                out += [[next(p) for _ in row.labels] for row in part]
        return out

    def write(self, requests: list[list[int]], longest: int) -> list[str]:
        """Greedy continuations of token ids, in the order asked."""
        pad = int(self.encode.tokenizer.pad_token_id)
        texts = [""] * len(requests)
        order = sorted(range(len(requests)), key=lambda place: len(requests[place]))
        for start in range(0, len(order), 32):
            group = order[start : start + 32]
            width = max(len(requests[place]) for place in group)
            ids = torch.tensor([[pad] * (width - len(requests[place])) + requests[place] for place in group])
            mask = torch.tensor([[0] * (width - len(requests[place])) + [1] * len(requests[place]) for place in group])
            with torch.inference_mode():
                out = self.model.generate(input_ids=ids, attention_mask=mask, do_sample=False, max_new_tokens=longest)
            for place, text in zip(
                group, self.encode.tokenizer.batch_decode(out[:, width:], skip_special_tokens=True), strict=True
            ):
                texts[place] = text
        return texts


def pairs_for(
    maker: RowMaker, rng: random.Random, written: tuple[Written, ...]
) -> Iterator[tuple[world.PocketPrompt, str, str]]:
    """Endless pairs: of the world, or of what the policy wrote."""
    stage = Stage(written=written, written_share=1.0 if written else 0.0)
    while True:
        yield maker.pair(rng, stage)


def draw(judge: Judge, wanted: int, seed: int, written: tuple[Written, ...] = ()) -> list[Asked]:
    """`wanted` decided comparisons a family with a seen wording, and as many on the same pairs with an unseen one."""
    rng = random.Random(f"benchmark:{seed}")
    missing = dict.fromkeys(oracle.FAMILIES, wanted)
    asked: list[Asked] = []
    tries = 0
    for prompt, first, second in pairs_for(judge.maker, rng, written):
        tries += 1
        if not any(missing.values()) or (written and tries > 40 * wanted):
            return asked
        own = FAMILY_OF_KIND.get(prompt.kind)
        if not any(missing[family] for family in oracle.FAMILIES if family == own or family not in oracle.APPLIES):
            continue
        for family in oracle.FAMILIES:
            decision = oracle.decide(family, prompt.text, first, second)
            if decision and missing[family]:
                missing[family] -= 1
                new = rng.choice(NOVELTIES)
                unseen = [wording for wording in wordings(family, "unseen") if wording.novelty is new]
                both = (rng.choice(wordings(family)), rng.choice(unseen))
                asked += [Asked(prompt.text, first, second, wording, decision) for wording in both]
    return asked


def judged(judge: Judge, asked: list[Asked]) -> list[Asked]:
    """Ask every comparison in both orders."""
    groups: dict[tuple[str, str, str], list[int]] = defaultdict(list)
    for place, item in enumerate(asked):
        groups[item.prompt, item.first, item.second].append(place)
    order = sorted(groups, key=lambda key: len(key[1]) + len(key[2]) + 200 * len(groups[key]))
    straight = judge.p_first([_row(judge, asked, groups[key], swap=False) for key in order])
    swapped = judge.p_first([_row(judge, asked, groups[key], swap=True) for key in order])
    done = list(asked)
    for key, ps, qs in zip(order, straight, swapped, strict=True):
        for place, p, q in zip(groups[key], ps, qs, strict=True):
            item = asked[place]
            done[place] = Asked(item.prompt, item.first, item.second, item.wording, item.decision, p, 1 - q)
    return done


def _row(judge: Judge, asked: list[Asked], places: list[int], *, swap: bool) -> Row:
    item = asked[places[0]]
    first, second = (item.second, item.first) if swap else (item.first, item.second)
    values = {"prompt": item.prompt, "response_a": first, "response_b": second}
    row = Row.of(judge.encode.opening() + judge.maker.pairwise.ids(judge.encode, values, upto="principle"))
    for place in places:
        fields = {"principle": asked[place].wording.text, "question": COMPARE}
        row.add(judge.maker.pairwise.ids(judge.encode, fields, after="principle") + judge.encode.to_assistant())
        row.labels.append((len(row.ids) - 1, 0.5))
    return row


def plain_difference(judge: Judge, asked: list[Asked], count: int = 60) -> float:
    """The largest |dp| between packed rows and plain text through the chat template, over some comparisons."""
    first, second = judge.encode.labels
    worst = 0.0
    template = "".join("{{" + text + "}}" if is_field else text for text, is_field in judge.maker.pairwise.pieces)
    for item in asked[:: max(1, len(asked) // count)]:
        text = (
            template.replace("{{prompt}}", item.prompt)
            .replace("{{response_a}}", item.first)
            .replace("{{response_b}}", item.second)
        )
        text = text.replace("{{principle}}", item.wording.text).replace("{{question}}", COMPARE)
        chat = judge.encode.tokenizer.apply_chat_template(
            [{"role": "user", "content": text}], add_generation_prompt=True, tokenize=False
        )
        with torch.inference_mode():
            logits = judge.model(input_ids=torch.tensor([judge.encode(chat)])).logits[0, -1]
        worst = max(worst, abs(float((logits[first] - logits[second]).sigmoid()) - item.p))
    return worst


@dataclass(frozen=True)
class Reviewed:
    """One critique and, where the reply did not follow the principle, the revision made from it."""

    family: str
    split: str
    verdict_right: bool
    revised_right: bool | None


def reviews(judge: Judge, wanted: int, seed: int) -> list[Reviewed]:
    """`wanted` critiques a family and split; replies in between the poles get no negated wording, of which the oracle says nothing."""
    rng = random.Random(f"reviews:{seed}")
    cases = [
        (family, split, *_case(judge, rng, family, split))
        for family in oracle.FAMILIES
        for split in ("seen", "unseen")
        for _ in range(wanted)
    ]
    written = judge.write(
        [_critique_ids(judge, prompt, response, wording) for _, _, prompt, response, wording in cases], 70
    )
    holds = [oracle.has(family, prompt, response) for family, _, prompt, response, _ in cases]
    wrong = [place for place, held in enumerate(holds) if held is False]
    revised = judge.write(
        [_revise_ids(judge, *cases[place][2:4], written[place], cases[place][4]) for place in wrong], 140
    )
    better = {
        place: bool(oracle.has(cases[place][0], cases[place][2], text)) and oracle.read(cases[place][2], text).on_topic
        for place, text in zip(wrong, revised, strict=True)
    }
    return [
        Reviewed(
            family, split, text.strip().endswith(f"Verdict: {'no' if held is False else 'yes'}"), better.get(place)
        )
        for place, ((family, split, _, _, _), text, held) in enumerate(zip(cases, written, holds, strict=True))
    ]


def _case(judge: Judge, rng: random.Random, family: str, split: str) -> tuple[str, str, Wording]:
    while True:
        prompt = judge.maker.prompt(rng)
        if family in oracle.APPLIES and prompt.kind is not oracle.APPLIES[family] and rng.random() < 0.85:
            continue
        response = world.reply(prompt, world.draw_plan(rng, balanced=True), rng).text
        wording = rng.choice(wordings(family, "seen" if split == "seen" else "unseen"))
        if not wording.negated or critiques.is_extreme(family, prompt.text, response):
            return prompt.text, response, wording


def _critique_ids(judge: Judge, prompt: str, response: str, wording: Wording) -> list[int]:
    values = {"prompt": prompt, "response": response, "principle": wording.text, "question": CRITIQUE}
    return (
        judge.encode.opening() + judge.maker.critique_template.ids(judge.encode, values) + judge.encode.to_assistant()
    )


def _revise_ids(judge: Judge, prompt: str, response: str, critique: str, wording: Wording) -> list[int]:
    values = {
        "prompt": prompt,
        "response": response,
        "critique": critique,
        "principle": wording.text,
        "question": REVISE,
    }
    return judge.encode.opening() + judge.maker.revise_template.ids(judge.encode, values) + judge.encode.to_assistant()


def tabulate(asked: list[Asked], own: list[Asked], done: list[Reviewed]) -> dict[str, dict[str, Rate]]:
    """The figures by family and, under "all", over all of them."""
    table: dict[str, dict[str, Rate]] = {}
    for family in (*oracle.FAMILIES, "all"):
        mine = [item for item in asked if family in (item.wording.family, "all")]
        seen = [item for item in mine if item.wording.novelty is Novelty.NONE]
        unseen = [item for item in mine if item.wording.novelty is not Novelty.NONE]
        review = [item for item in done if family in (item.family, "all")]
        table[family] = {
            "seen": Rate.of_all([item.right for item in seen]),
            "unseen": Rate.of_all([item.right for item in unseen]),
            **{
                f"new {why}": Rate.of_all([item.right for item in unseen if item.wording.novelty is why])
                for why in NOVELTIES
            },
            "consistent": Rate.of_all([item.consistent for item in seen]),
            "consistent unseen": Rate.of_all([item.consistent for item in unseen]),
            "policy's own": Rate.of_all(
                [
                    item.right
                    for item in own
                    if family in (item.wording.family, "all") and item.wording.novelty is Novelty.NONE
                ]
            ),
            **{
                f"critique {split}": Rate.of_all([item.verdict_right for item in review if item.split == split])
                for split in ("seen", "unseen")
            },
            **{
                f"revision {split}": Rate.of_all(
                    [
                        bool(item.revised_right)
                        for item in review
                        if item.split == split and item.revised_right is not None
                    ]
                )
                for split in ("seen", "unseen")
            },
        }
    return table


def _print(table: dict[str, dict[str, Rate]], notes: dict[str, Any]) -> None:
    columns = list(table["all"])
    print(f"{'':18}" + "".join(f"{family[:11]:>13}" for family in table))
    for column in columns:
        print(f"{column:18}" + "".join(f"{row[column].share:13.3f}" for row in table.values()))
        print(f"{'':18}" + "".join(f"{'{:.3f}-{:.3f}'.format(*row[column].interval):>13}" for row in table.values()))
    print("\n".join(f"{name}: {value}" for name, value in notes.items()))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--judge", type=Path, default=JUDGE_PATH)
    parser.add_argument("--policy", type=Path, default=POLICY_PATH)
    parser.add_argument("--pairs", type=int, default=1000, help="decided pairs a family")
    parser.add_argument("--own", type=int, default=150, help="decided pairs a family of the policy's own replies")
    parser.add_argument("--reviews", type=int, default=60, help="critiques a family and kind of wording")
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    began = time.monotonic()
    judge = Judge(arguments.judge)
    asked = judged(judge, draw(judge, arguments.pairs, arguments.seed))
    own = (
        judged(judge, draw(judge, arguments.own, arguments.seed + 1, _written(arguments, judge)))
        if arguments.own
        else []
    )
    done = reviews(judge, arguments.reviews, arguments.seed + 2)
    table = tabulate(asked, own, done)
    notes = {
        "seed": arguments.seed,
        "pairs a family": arguments.pairs,
        "packed against plain, largest |dp|": plain_difference(judge, asked),
        "worst family seen": min(row["seen"].share for row in table.values()),
        "worst family unseen": min(row["unseen"].share for row in table.values()),
        "seconds": round(time.monotonic() - began, 1),
    }
    if arguments.json:
        figures = {
            name: {
                column: {**asdict(rate), "share": rate.share, "interval": rate.interval} for column, rate in row.items()
            }
            for name, row in table.items()
        }
        json.dump({"table": figures, "notes": notes}, sys.stdout, indent=1)
    else:
        _print(table, notes)


def _written(arguments: argparse.Namespace, judge: Judge) -> tuple[Written, ...]:
    prompts = world.prompts(240, arguments.seed, "heldout")
    texts = sample(load(arguments.policy).eval(), judge.encode, prompts, 4, arguments.seed)
    found = (Written(prompt, tuple(sorted(set(replies)))) for prompt, replies in zip(prompts, texts, strict=True))
    return tuple(item for item in found if len(item.replies) > 1)


if __name__ == "__main__":
    main()
