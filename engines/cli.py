"""The commands that serve models by hand: serve judge, and what stands elsewhere. Knows click; the work is elsewhere."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tenet.cligroup import GroupWithMore
from tenet.console import Console
from tenet.ids import Json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engines.server import Setup
    from engines.server_process import ServerProcess

LOOK_SECONDS = 0.5
ELSEWHERE = {"rewards": "train.serving.cli:rewards"}


@click.group(cls=GroupWithMore, elsewhere=ELSEWHERE)
def serve() -> None:
    """Serve a model, on this machine, until Ctrl-C: a judge to runs, or rewards to other RL stacks.

    A run starts and stops its own server with `engine: vllm-server`; serve by hand to keep one for several runs.

    \b
    Examples:
      tenet serve judge MODEL --port 8000
      tenet serve rewards --reward train/reward
    """


@serve.command()
@click.argument("model")
@click.option(
    "--port", type=click.IntRange(1, 65535), default=8000, show_default=True, help="Port; replicas take the next ones."
)
@click.option(
    "--replicas", type=click.IntRange(1), default=1, show_default=True, help="Servers, each on GPUs of its own."
)
@click.option(
    "--set",
    "flags",
    multiple=True,
    metavar="FLAG=VALUE",
    help="A flag of vLLM's server, as in --set max_model_len=8192",
)
@click.option(
    "--log", type=click.Path(path_type=Path), metavar="FILE", help="Where the servers print. Default: a temporary file."
)
@click.option(
    "--timeout", type=click.FloatRange(1), default=600.0, show_default=True, help="Seconds to wait for the start."
)
@click.option("--json", "as_json", is_flag=True, help="Print the addresses as JSON.")
def judge(
    model: str, port: int, replicas: int, flags: tuple[str, ...], log: Path | None, timeout: float, as_json: bool
) -> None:
    """Serve a judge with vLLM's OpenAI server until Ctrl-C, and print the lines of run.yaml that use it.

    MODEL is a folder or a hub id. Listens on 127.0.0.1 only; demands a key if VLLM_API_KEY is set in the environment.

    \b
    Examples:
      tenet serve judge MODEL
      tenet serve judge MODEL --replicas 2 --set tensor_parallel_size=2 --set max_model_len=8192
    """
    from engines.server import KEY_VARIABLE, Setup, running
    from tenet.config import dump_yaml

    options: dict[str, Json] = {**flags_of(flags), "port": port, "replicas": replicas, "start_timeout": timeout}
    if log is not None:
        options["log"] = str(log)
    setup = Setup.of(model, options)
    console = Console(json=as_json)
    console.say(f"Starting vLLM with {setup.source.name} ...")
    key = os.environ.get(KEY_VARIABLE, "").strip()
    try:
        with running(setup, key=key) as processes:
            found = description(setup, [process.base_url for process in processes], KEY_VARIABLE if key else "")
            console.data(found if as_json else dump_yaml({"judge": found["judge"]}))
            console.say(f"Serving until Ctrl-C; the log is {processes[0].launch.log}")
            watch(processes)
    except KeyboardInterrupt:
        console.say("Stopped.")


def watch(processes: Sequence[ServerProcess]) -> None:
    """Stay until interrupted.

    Raises:
        EngineError: one of the servers has ended.
    """
    while True:
        time.sleep(LOOK_SECONDS)
        for process in processes:
            if process.ended:
                raise process.failure(f"has ended with {process.status()}")


def description(setup: Setup, urls: Sequence[str], variable: str) -> dict[str, Json]:
    """What `--json` prints: the addresses, and the `judge` of a run.yaml that uses them. `variable` names the key's, if there is one."""
    source = setup.source
    folder = Path(source.location)
    tokenizer = str(folder.resolve()) if folder.is_dir() else source.location
    options: dict[str, Json] = {"api": "vllm", "tokenizer": tokenizer, "revision": source.revision}
    if variable:
        options["api_key_env"] = variable
    return {
        "base_url": list(urls),
        "judge": {"engine": "http", "model": source.name, "base_url": list(urls), "options": options},
    }


def flags_of(words: Sequence[str]) -> dict[str, Json]:
    """`FLAG=VALUE` as options; values are read as YAML, so 8192 is a number and true a truth value.

    Raises:
        InvalidInput: words that are none.
    """
    from typing import cast

    from tenet.config.overrides import overlay, plain
    from tenet.errors import InvalidInput

    found, problems = overlay({}, words)
    if problems:
        raise InvalidInput("the command line:", problems)
    return {name.replace("-", "_"): cast("Json", plain(value)) for name, value in found.items()}
