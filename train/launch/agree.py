"""Whether any process of a training wants something, asked of all at the same step. Knows torch.distributed alone."""

from __future__ import annotations

from typing import Any


class Agreement:
    """One yes or no of all processes. Every process must ask at the same place, or those that do wait for ever."""

    def __init__(self) -> None:
        self._group: Any = None

    def any_says(self, mine: bool) -> bool:
        """Say whether any process says yes; mine alone where there is one process.

        Goes by gloo also beside NCCL: a GPU is not waited for, and four bytes take less than a millisecond.
        """
        import torch
        from torch import distributed

        if not distributed.is_available() or not distributed.is_initialized() or distributed.get_world_size() == 1:
            return mine
        if self._group is None:
            gloo = distributed.get_backend() == "gloo"
            self._group = distributed.group.WORLD if gloo else distributed.new_group(backend="gloo")
        said = torch.tensor([int(mine)])
        distributed.all_reduce(said, op=distributed.ReduceOp.MAX, group=self._group)
        return bool(said.item())
