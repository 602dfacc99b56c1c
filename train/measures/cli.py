"""The commands that measure a training over its checkpoints, and a reward model. Knows click; the work is elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from tenet.console import Console
from tenet.errors import UsageError
from tenet.ids import Json


@click.command("evaluate-curve")
@click.argument("base")
@click.option(
    "--checkpoints",
    required=True,
    metavar="FOLDER",
    help="A training's folder (trained with save_every and keep_checkpoints).",
)
@click.option("--prompts", required=True, metavar="FILE", help="Prompts that were not trained on.")
@click.option("--proxy-reward", metavar="MODEL", help="What the training was after: a reward model.")
@click.option("--proxy-judge", metavar="MODEL", help="Or a judge.")
@click.option("--proxy-principles", metavar="FILE", help="Principles of the proxy's judge.")
@click.option(
    "--proxy-oracle", metavar="NAME[/ATTRIBUTE]", help="Or an attribute of an oracle, as in module:function/words."
)
@click.option("--gold-reward", metavar="MODEL", help="What it should be held against: a reward model of other labels.")
@click.option("--gold-judge", metavar="MODEL", help="Or a judge that the training never met.")
@click.option("--gold-principles", metavar="FILE", help="Principles of the gold judge.")
@click.option("--gold-oracle", metavar="NAME[/ATTRIBUTE]", help="Or an attribute of an oracle, as in pocket/courteous.")
@click.option("--most", type=click.IntRange(2), metavar="N", help="Checkpoints to measure at most. Default: 12.")
@click.option("--samples", type=click.IntRange(1), metavar="N", help="Answers a prompt of each checkpoint. Default: 1.")
@click.option("--limit", type=click.IntRange(1), metavar="N", help="Take the first N prompts.")
@click.option("--seed", type=click.IntRange(0), help="Of the answers, the same for all checkpoints. Default: 0.")
@click.option("--out", metavar="PLACE", help="A folder or a .json file. Default: curve.json in the training's folder.")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="As in --set max_tokens=128")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def evaluate_curve(overrides: tuple[str, ...], as_json: bool, **given: Any) -> None:
    """Measure every checkpoint of a training, and mark where the proxy and the gold measure part.

    The proxy is what the training was after, the gold measure what it should have been after. The mark is the first checkpoint
    after which the proxy still rises and the gold measure does not. Prints a table and a warning, and writes curve.json and curve.svg.

    \b
    Examples:
      tenet evaluate-curve MODEL --checkpoints train/ppo --prompts held-out.jsonl --proxy-reward train/reward \\
        --gold-judge OTHER-JUDGE --gold-principles helpfulness
      tenet evaluate-curve pocket/policy --checkpoints train/dpo --prompts held-out.jsonl \\
        --proxy-judge pocket/judge --proxy-principles pocket/courteous --gold-oracle pocket/courteous
    """
    from tenet.config import make_config
    from train.measures.curve import CurveConfig, measure_curve
    from train.measures.curve_show import show_curve

    values: dict[str, Json] = {key: value for key, value in given.items() if value is not None}
    for role in ("proxy", "gold"):
        values[role] = _gauge(role, values)
    console = Console(json=as_json)
    show_curve(measure_curve(make_config(values, CurveConfig, overrides), console=console), console)


def _gauge(role: str, values: dict[str, Json]) -> Mapping[str, Json]:
    """The flags of one gauge, taken out of all flags, as its part of the configuration."""
    reward, judge, principles, oracle = (
        values.pop(f"{role}_{key}", None) for key in ("reward", "judge", "principles", "oracle")
    )
    if (judge is None) != (principles is None):
        raise UsageError(
            f"--{role}-judge and --{role}-principles go together", hint="a judge judges by principles: give both"
        )
    if [reward, judge, oracle].count(None) != 2:
        raise UsageError(
            f"name one of --{role}-reward, --{role}-judge and --{role}-oracle",
            hint="the proxy is what the training was after, gold what it should be held against",
        )
    if judge is not None:
        return {"judge": {"model": judge, "principles": principles}}
    if reward is not None:
        return {"reward": reward}
    name, _, attribute = str(oracle).partition("/")
    return {"oracle": name, "attribute": attribute or None}


@click.command("evaluate-reward")
@click.argument("model")
@click.option(
    "--data", required=True, metavar="DATA", help="Pairs: a run's folder, a dataset folder, a file, or a hub id."
)
@click.option(
    "--split", metavar="NAME", help="Split to take. Default: test, validation or eval, else what training held out."
)
@click.option("--limit", type=click.IntRange(1), metavar="N", help="Take the first N rows.")
@click.option(
    "--out", metavar="PLACE", help="A folder or a .json file. Default: reward-evaluation.json in the model's folder."
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def evaluate_reward(as_json: bool, **given: Any) -> None:
    """Measure a reward model on pairs that it has not seen: accuracy, log loss and calibration, by source and by principle.

    Beside it stands what the lengths of the responses alone say of the same pairs. A reward model that is not ahead of that
    has learnt length.

    \b
    Examples:
      tenet evaluate-reward train/reward --data runs/support
      tenet evaluate-reward train/reward --data held-out.jsonl --json
    """
    from tenet.config import make_config
    from train.measures.reward_model import RewardEvaluationConfig
    from train.measures.reward_model import evaluate_reward as measure
    from train.measures.reward_show import show_reward

    values: dict[str, Json] = {key: value for key, value in given.items() if value is not None}
    console = Console(json=as_json)
    show_reward(measure(make_config(values, RewardEvaluationConfig), console=console), console)
