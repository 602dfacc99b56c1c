"""The commands that train and measure: train METHOD for every method; evaluate. Knows click; the work is elsewhere."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from tenet.cligroup import GroupWithPlugins
from tenet.console import Console
from tenet.errors import UsageError
from tenet.ids import Json
from tenet.plugins import Kind
from train.launch.options import LAUNCH_OPTIONS, launch_config, taken_launch

if TYPE_CHECKING:
    from train.config import TrainConfig
    from train.plugin import Train

F = TypeVar("F", bound=Callable[..., Any])


_PLUGGED = "Train by {}, which a plug-in brings (tenet plugins list)."


@click.group(cls=GroupWithPlugins, kind=Kind.TRAINERS, make=lambda name: _command(name, _PLUGGED.format(name)))
def train() -> None:
    """Train on a dataset: demonstrations (sft), pairs with soft labels (reward, dpo, kto), or prompts (online-dpo, ppo, rloo).

    The folder of a training is a model that transformers and vLLM load, with its record beside it. A training that was
    stopped goes on with --resume.

    \b
    Examples:
      tenet train dpo --model MODEL --data runs/support
      tenet train reward train.yaml --set epochs=2
      tenet train dpo train.yaml --resume
      tenet train dpo train.yaml --launch gpus
    """


def _options(command: F, more: Sequence[Callable[[Any], Any]] = ()) -> F:
    """The arguments that all trainings share, and `more` that some have."""
    options: list[Callable[[Any], Any]] = [
        click.argument("config", required=False, type=click.Path(path_type=Path)),
        click.option("--model", metavar="MODEL", help="Model to begin with: a folder or a hub id."),
        click.option("--data", metavar="DATA", help="A run's folder, a dataset folder, a file, or a hub id."),
        *more,
        click.option("--out", metavar="FOLDER", help="Where the trained model goes. Default: train/NAME."),
        click.option("--name", metavar="NAME", help="Folder under train/. Default: the method."),
        click.option("--limit", type=click.IntRange(1), metavar="N", help="Take the first N rows."),
        click.option(
            "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a key, as in --set epochs=2"
        ),
        click.option("--resume", is_flag=True, help="Go on with the training in the folder."),
        *LAUNCH_OPTIONS,
        click.option("--json", "as_json", is_flag=True, help="Print the result as JSON."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def _command(name: str, text: str, more: Sequence[Callable[[Any], Any]] = ()) -> click.Command:
    def run(config: Path | None, overrides: tuple[str, ...], resume: bool, as_json: bool, **given: Any) -> None:
        _train(name, config, overrides, given, resume=resume, as_json=as_json)

    return click.command(name, help=text)(_options(run, more))


_REWARD = click.option("--reward", metavar="MODEL", help="A reward model, as `tenet train reward` makes it.")


train.add_command(_command("sft", """Fine-tune on demonstrations: `messages`, `prompt` and `completion`, or `text`.

Of conversations only the assistant's words are learnt.

\b
Examples:
  tenet train sft --model MODEL --data runs/support --set learning_rate=1e-5
  tenet train sft --model MODEL --data demonstrations.jsonl --set lora.rank=16"""))  # fmt: skip
train.add_command(_command("reward", """Train a reward model on pairs, by soft Bradley-Terry.

Reads `p_chosen` and `weight` where the data has them. Reports accuracy and calibration on held-out pairs.

\b
Examples:
  tenet train reward --model MODEL --data runs/support
  tenet train reward train.yaml --set epochs=2 --json"""))  # fmt: skip
train.add_command(_command("dpo", """Train a policy on pairs, by DPO with soft labels.

Reads `p_chosen` and `weight` where the data has them.

\b
Examples:
  tenet train dpo --model MODEL --data runs/support --out train/polite
  tenet train dpo train.yaml --set beta=0.2 --set lora.rank=16 --resume"""))  # fmt: skip
train.add_command(_command("ppo", """Train a policy by PPO with a critic, on rewards for its own responses.

DATA gives prompts. The reward comes from a reward model, or from `judge` or `oracle` in train.yaml.

\b
Examples:
  tenet train ppo --model MODEL --reward train/reward --data prompts.jsonl
  tenet train ppo train.yaml --set kl=0.1 --set save_every=20 --resume""", [_REWARD]))  # fmt: skip
train.add_command(_command("rloo", """Train a policy by RLOO, the neighbour of PPO without a critic.

DATA and the reward are those of `tenet train ppo`.

\b
Examples:
  tenet train rloo --model MODEL --reward train/reward --data prompts.jsonl
  tenet train rloo train.yaml --set samples=8""", [_REWARD]))  # fmt: skip

_MODULES = {"ppo": "train.rl.ppo", "rloo": "train.rl.rloo"}

train.add_command(_command("kto", """Train a policy by KTO: on responses that are good or not, or on pairs.

Reads `prompt`, `completion` and `label` (with `p_good` and `weight` where they are), or pairs as dpo does.

\b
Examples:
  tenet train kto --model MODEL --data runs/support
  tenet train kto train.yaml --set undesirable=1.33"""))  # fmt: skip
train.add_command(_command("online-dpo", """Train a policy by DPO on its own answers, preferred while it learns.

A judge with a principles file prefers one of two answers to each prompt, in both orders; or a reward model does.

\b
Examples:
  tenet train online-dpo --model MODEL --data runs/support --set judge.model=JUDGE --set judge.principles=FILE
  tenet train online-dpo --model MODEL --data prompts.jsonl --set reward=train/reward"""))  # fmt: skip

train.add_command(launch_config)


def _train(
    name: str, file: Path | None, overrides: tuple[str, ...], given: Mapping[str, Any], *, resume: bool, as_json: bool
) -> None:
    from tenet.config import load_config, make_config

    values: dict[str, Json] = {key: value for key, value in given.items() if value is not None}
    launch = taken_launch(values)
    if file is None and not {"model", "data"} <= set(values):
        raise UsageError(
            "name a train.yaml, or give --model and --data",
            hint=f"for example: tenet train {name} --model MODEL --data runs/support",
        )
    cls, method = _trainer(name)
    words = [f"{key}={value}" for key, value in values.items()]
    config = load_config(file, cls, [*words, *overrides]) if file else make_config(values, cls, overrides)
    console = Console(json=as_json)
    command = shlex.join(["tenet", *sys.argv[1:]])
    if launch is not None:
        if method is not None:
            raise UsageError(f"--launch with {name}, which a plug-in brings", hint="start it with torchrun by hand")
        from train.launch.plan import Asked
        from train.launch.start import train_launched

        asked = Asked(**launch)
        told = train_launched(config, _address(name), asked, resume=resume, command=command, as_json=as_json)
        if as_json and not asked.node_rank:
            console.data(dict(told))
        return
    if method is None:
        from train.quiet import imported

        module, _, function = _address(name).partition(":")
        method = getattr(imported(module), function)
    result = method(config, console=console, resume=resume, command=command)
    if as_json:
        console.data(result.as_json())


def _address(name: str) -> str:
    """Where the function is that trains, as "module:function"."""
    module = _MODULES.get(name, f"train.{name.replace('-', '_')}")
    return f"{module}:train_{module.rpartition('.')[2]}"


def _trainer(name: str) -> tuple[type[TrainConfig], Train | None]:
    """The configuration of a method, and the function where a plug-in brings it."""
    from train.config import CONFIGS, Method
    from train.plugin import trainer_named

    plugged = trainer_named(name)
    return (CONFIGS[Method(name)], None) if plugged is None else (plugged.config, plugged.train)


@click.command()
@click.argument("base")
@click.argument("trained", nargs=-1, required=True)
@click.option("--prompts", required=True, metavar="FILE", help="Prompts that neither was trained on.")
@click.option("--judge", metavar="MODEL", help="Model that compares the answers, in both orders.")
@click.option("--principles", metavar="FILE", help="What the judge judges by: a file, or a shipped one's name.")
@click.option("--oracle", metavar="NAME", help="Reads attributes: pocket, or your own module:function.")
@click.option("--engine", type=click.Choice(["transformers", "vllm"]), help="Host of all models.")
@click.option("--samples", type=click.IntRange(1), metavar="N", help="Answers a prompt of each model. Default: 1.")
@click.option("--limit", type=click.IntRange(1), metavar="N", help="Take the first N prompts.")
@click.option("--seed", type=click.IntRange(0), help="Of the answers, the same for both models. Default: 0.")
@click.option(
    "--out", metavar="PLACE", help="A folder or a .json file. Default: TRAINED/evaluation.json; of several: comparison."
)
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="As in --set judge.mode=whole")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def evaluate(overrides: tuple[str, ...], as_json: bool, trained: tuple[str, ...], **given: Any) -> None:
    """Compare a trained model with its base, by a judge, by an oracle, or by both.

    Both answer the same prompts with the same seeds. The judge is asked in both orders. Prints one table, and writes
    evaluation.json and the answers. Several TRAINED are each compared with the base: one table, one plot
    (comparison.svg) and comparison.json, in the folder that --out names.

    \b
    Examples:
      tenet evaluate MODEL train/polite --prompts held-out.jsonl --judge JUDGE --principles helpfulness
      tenet evaluate pocket/policy train/dpo --prompts held-out.jsonl --oracle pocket --json
      tenet evaluate MODEL train/human-000 train/human-050 train/human-100 --prompts held-out.jsonl --oracle pocket
    """
    from tenet.config import make_config
    from train.evaluate import EvaluateConfig
    from train.evaluate import evaluate as compare
    from train.show import show_evaluation

    console = Console(json=as_json)
    if len(trained) > 1:
        from train.compare import compare_models, configs_for, show_comparison

        out = str(given.pop("out") or "comparison")
        configs = [
            make_config({**_values(given), "trained": one, "out": place}, EvaluateConfig, overrides)
            for one, place in configs_for(trained, out)
        ]
        show_comparison(compare_models(configs, Path(out), console=console), console)
        return
    config = make_config({**_values(given), "trained": trained[0]}, EvaluateConfig, overrides)
    show_evaluation(compare(config, console=console), console)


def _values(given: Mapping[str, Any]) -> dict[str, Json]:
    """Flags as configuration: the judge's belong together, and one engine hosts all unless told otherwise."""
    values: dict[str, Json] = {key: value for key, value in given.items() if value is not None}
    judge, principles = values.pop("judge", None), values.pop("principles", None)
    if (judge is None) != (principles is None):
        raise UsageError("--judge and --principles go together", hint="a judge judges by principles: give both")
    if judge is not None:
        engine = {"engine": values["engine"]} if "engine" in values else {}
        values["judge"] = {"model": judge, "principles": principles, **engine}
    return values
