"""Checks of the environment's variables: those that break a command, and those that surprise. Reads variables and looks at folders."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

from tenet.doctor.model import Finding, Level, Place

LAUNCHER = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
TELEMETRY = {"HF_HUB_DISABLE_TELEMETRY": "1", "VLLM_NO_USAGE_STATS": "1"}
TRUE = frozenset({"1", "on", "yes", "true"})


def launcher(place: Place) -> Iterator[Finding]:
    """Variables of a launcher (torchrun) that is not there: a training would wait for ranks that never come."""
    if int(_number(place.variables.get("WORLD_SIZE"))) > 1:
        left = [name for name in LAUNCHER if name in place.variables]
        told = ", ".join(f"{name}={place.variables[name]}" for name in left)
        message = f"Left over from a launcher: {told}. A training would wait for processes that never come"
        yield Finding("launcher", Level.BROKEN, message, f"unset {' '.join(left)}")
    else:
        yield Finding("launcher", Level.OK, "No variables of a launcher are set")


def hub(place: Place) -> Iterator[Finding]:
    """The Hugging Face cache, and whether models can be downloaded."""
    named = next((name for name in ("HF_HUB_CACHE", "HF_HOME") if place.variables.get(name)), None)
    home = Path(place.variables.get("HF_HOME") or Path("~/.cache/huggingface").expanduser())
    cache = Path(place.variables.get("HF_HUB_CACHE") or home / "hub").expanduser()
    problem = _unusable(cache)
    if problem:
        cure = f"unset {named}" if named else f"export HF_HOME={Path('hf-cache').absolute()}"
        yield Finding("hub", Level.BROKEN, f"The cache of models, {cache}, cannot be used: {problem}", cure)
        return
    held = sum(1 for one in cache.glob("models--*")) if cache.is_dir() else 0
    offline = any(place.variables.get(name, "").lower() in TRUE for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"))
    words = f"{cache} holds {held} models"
    if offline:
        message = f"{words}; HF_HUB_OFFLINE is set: models by hub id must be there already"
        yield Finding(
            "hub", Level.NOTE, message, "unset HF_HUB_OFFLINE TRANSFORMERS_OFFLINE  # or name models by their folder"
        )
    else:
        yield Finding("hub", Level.OK, f"{words}; others are downloaded")


def telemetry(place: Place) -> Iterator[Finding]:
    """Whether libraries send usage statistics; Tenet turns them off unless a variable says otherwise."""
    on = [name for name in TELEMETRY if place.variables.get(name, "1").lower() not in TRUE]
    if on:
        message = f"Libraries send usage statistics, because {' and '.join(on)} say so"
        yield Finding("telemetry", Level.WARNING, message, "export " + " ".join(f"{name}=1" for name in on))
    else:
        yield Finding("telemetry", Level.OK, "Libraries send no usage statistics")


def encoding(place: Place) -> Iterator[Finding]:  # noqa: ARG001
    """Whether any text can be printed."""
    narrow = {stream.encoding for stream in (sys.stdout, sys.stderr) if not _prints(stream.encoding)}
    if narrow:
        message = f"Output is encoded as {', '.join(sorted(narrow))}: texts with other characters end a command"
        yield Finding("encoding", Level.BROKEN, message, "export PYTHONIOENCODING=utf-8")
    else:
        yield Finding("encoding", Level.OK, f"Output is encoded as {sys.stdout.encoding}")


def _prints(encoding: str | None) -> bool:
    try:
        "é 你好 🙂".encode(encoding or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _number(text: str | None) -> float:
    try:
        return float(text or 0)
    except ValueError:
        return 0


def _unusable(folder: Path) -> str:
    """Why a folder cannot be written to, once it is made; empty if it can."""
    path = folder.absolute()
    while not path.exists():
        if path.is_symlink():
            return f"{path} is a link to nothing"
        path = path.parent
    if not path.is_dir():
        return f"{path} is a file"
    return "" if os.access(path, os.W_OK | os.X_OK) else f"{path} is not writable"
