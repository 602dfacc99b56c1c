"""Names the devices that engines run on, so that two engines can be held against each other. Knows no engine.

A GPU is named by what CUDA_VISIBLE_DEVICES calls it, so that the first GPU of a process that sees only the third is not taken for the
first of the machine. An empty set says that nobody knows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from engines.server_devices import visible_devices

if TYPE_CHECKING:
    import torch

Place = frozenset[str]

UNKNOWN: Final[Place] = frozenset()
CPU: Final[Place] = frozenset({"cpu"})
_LOOPBACK: Final = frozenset({"localhost", "::1", "0.0.0.0"})  # noqa: S104 - compared, not bound


def gpus(names: Iterable[str]) -> Place:
    """The place of GPUs by the names that `visible_devices` gives them."""
    return frozenset(f"gpu:{name}" for name in names)


def first_gpus(count: int) -> Place:
    """The place of what takes the first so many GPUs that this process may use; unknown where there are not so many."""
    visible = visible_devices()
    return gpus(visible[:count]) if count <= len(visible) else UNKNOWN


def chosen_gpus(ids: Sequence[object]) -> tuple[str, ...]:
    """GPUs by what vLLM's `device_ids` holds: numbers count the GPUs that this process may use, anything else is a name.

    Numbers beyond them are left as they are, for vLLM to refuse.
    """
    visible = visible_devices()
    return tuple(visible[one] if isinstance(one, int) and 0 <= one < len(visible) else str(one) for one in ids)


def torch_place(device: torch.device) -> Place:
    """The place of a torch device."""
    if device.type != "cuda":
        return frozenset({str(device)})
    import torch

    return gpus(chosen_gpus([torch.cuda.current_device() if device.index is None else device.index]))


def address(host: str, port: int) -> str:
    """The place of a server; what all names of this machine's loopback mean is one place."""
    return f"{'127.0.0.1' if host in _LOOPBACK else host}:{port}"
