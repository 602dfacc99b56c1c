"""The command `tenet serve rewards`. Knows click; the work is elsewhere."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tenet.errors import InvalidInput, MissingInput, Problem, UsageError

if TYPE_CHECKING:
    from tenet.judgeconfig import JudgeConfig
    from train.serving.server import Service
    from train.serving.setup import Knobs

SHORTEST_KEY = 16


@click.command()
@click.option("--reward", metavar="MODEL", help="A reward model, as tenet train reward writes it.")
@click.option("--judge", metavar="MODEL", help="A judge, instead of a reward model.")
@click.option("--principles", metavar="FILE", help="What the judge judges by: a file, or a shipped one's name.")
@click.option(
    "--reference", type=click.Path(path_type=Path), metavar="FILE",
    help="Prompts with one response each, to compare with.",
)  # fmt: skip
@click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="A key of the judge, as in --set engine=vllm"
)
@click.option(
    "--policy", metavar="MODEL", help="Model whose chat template rendered the prompts. Default: the one served."
)
@click.option(
    "--missing", type=float, metavar="X", help="Reward where nothing can be said. Default: refuse (status 422)."
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; others need a key.")
@click.option("--port", type=click.IntRange(0, 65535), default=5000, show_default=True, help="Port; 0 for a free one.")
@click.option("--api-key-file", type=click.Path(path_type=Path), metavar="FILE", help="File with the key to ask for.")
@click.option("--batch", type=click.IntRange(1, 4096), default=32, show_default=True, help="Most responses at once.")
@click.option("--queue", type=click.IntRange(1), default=4096, show_default=True, help="Most responses that wait.")
@click.option("--json", "as_json", is_flag=True, help="Print what is served, and where, as JSON.")
def rewards(
    reward: str | None, judge: str | None, principles: str | None, reference: Path | None, overrides: tuple[str, ...],
    policy: str | None, missing: float | None, host: str, port: int, api_key_file: Path | None, batch: int, queue: int,
    as_json: bool,
) -> None:  # fmt: skip
    """Serve rewards to other RL stacks until Ctrl-C: from a reward model, or from a judge and its principles.

    Answers OpenRLHF at /get_reward, and train.serving's clients for verl and TRL at /score. /health and /metrics tell how it does.
    A judge of pairs gives P(better than the reference response to that prompt); with --set kind=rating it needs none.

    \b
    Examples:
      tenet serve rewards --reward train/reward
      tenet serve rewards --judge JUDGE --principles helpfulness --reference answers.jsonl
      tenet serve rewards --judge JUDGE --principles helpfulness --set kind=rating --set engine=vllm
    """
    from tenet.console import Console
    from train.serving.guard import is_local
    from train.serving.server import serve
    from train.serving.setup import Knobs

    _require_one(reward, judge, principles, reference, overrides)
    if missing is not None and not math.isfinite(missing):
        raise UsageError("--missing must be a number", hint="for example: --missing 0")
    key = read_key(api_key_file) if api_key_file else ""
    if not key and not is_local(host):
        raise UsageError(
            f"--host {host} lets other machines ask, and there is no key",
            hint="write a long random one into a file and give --api-key-file FILE, or leave --host out",
        )
    console = Console(json=as_json)
    service = _service(
        reward, judge, principles, reference, overrides, Knobs(policy, missing, batch, queue, say=console.say)
    )

    def ready(address: str) -> None:
        console.data({"address": address, **service.about} if as_json else address)
        console.say(f"Serving {service.about['model']} until Ctrl-C; for OpenRLHF: {address}/get_reward")

    try:
        counters = serve(service, host=host, port=port, key=key, ready=ready)
    finally:
        service.source.close()
    console.say(f"Stopped. Rewards given: {counters.value('rows_total'):,.0f}")


def _service(
    reward: str | None, judge: str | None, principles: str | None, reference: Path | None, overrides: tuple[str, ...],
    knobs: Knobs,
) -> Service:  # fmt: skip
    from train.serving.setup import judge_service, reward_service

    if reward is not None:
        return reward_service(reward, knobs)
    return judge_service(judge_config(judge or "", overrides), principles or "", reference, knobs)


def judge_config(model: str, overrides: tuple[str, ...]) -> JudgeConfig:
    """The judge that the flags name; every principle is asked about unless told otherwise.

    Raises:
        InvalidInput: with everything that is wrong.
    """
    from tenet.config import make_config
    from tenet.judgeconfig import JudgeConfig

    return make_config({"model": model, "principles": "each"}, JudgeConfig, overrides)


def read_key(path: Path) -> str:
    """The key in a file.

    Raises:
        MissingInput: there is no such file.
        InvalidInput: it holds no key of use.
    """
    try:
        key = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise MissingInput(
            f"{path}: the key cannot be read: {type(error).__name__}", hint="write it into that file"
        ) from None
    if len(key) < SHORTEST_KEY or not key.isascii() or not key.isprintable() or " " in key:
        hint = "make one: python -c 'import secrets; print(secrets.token_urlsafe(32))'"
        problem = Problem(f"a key is {SHORTEST_KEY} or more printable ASCII characters without spaces", path, hint=hint)
        raise InvalidInput("the key cannot be used", [problem])
    return key


def _require_one(
    reward: str | None, judge: str | None, principles: str | None, reference: Path | None, overrides: tuple[str, ...]
) -> None:
    if (reward is None) == (judge is None):
        raise UsageError(
            "give either --reward MODEL or --judge MODEL", hint="tenet serve rewards --reward train/reward"
        )
    if judge is not None and principles is None:
        raise UsageError("--judge and --principles go together", hint="a judge judges by principles: give both")
    if reward is not None and (principles or reference or overrides):
        raise UsageError("--principles, --reference and --set are for a judge", hint="leave them out, or give --judge")
