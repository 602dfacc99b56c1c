"""Gives each of several servers GPUs of its own. Knows no server."""

from __future__ import annotations

import os
from collections.abc import Sequence

from tenet.errors import UsageError


def visible_devices() -> tuple[str, ...]:
    """The GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them; none where there are none."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return tuple(part.strip() for part in named.split(",") if part.strip() not in ("", "-1"))
    import torch

    return tuple(str(number) for number in range(torch.cuda.device_count()))


def assign_devices(
    devices: Sequence[str], replicas: int, need: int, share: float | None = None
) -> list[tuple[str, ...]]:
    """`need` GPUs for each replica, no GPU twice. Where there are too few and one is enough for a replica, they take turns, if `share`,
    the part of a GPU's memory that a replica takes, is small enough. Empty ones where there are no GPUs.

    Raises:
        UsageError: there are too few.
    """
    if not devices:
        return [()] * replicas
    if replicas * need <= len(devices):
        return [tuple(devices[number * need : (number + 1) * need]) for number in range(replicas)]
    crowd = -(-replicas // len(devices))
    if need == 1 and share is not None and share * crowd <= 1:
        return [(devices[number % len(devices)],) for number in range(replicas)]
    words = f"{replicas} replicas on {need} {'GPU' if need == 1 else 'GPUs'} each need {replicas * need}; there are {len(devices)}"
    cure = f"lower options.replicas to {max(1, len(devices) // need)}"
    if need == 1:
        cure += f", or let {crowd} share a GPU: gpu_memory_utilization: {int(90 / crowd) / 100}"
    raise UsageError(words, hint=cure)
