"""What the two trainers of pairs share: labels into the batch, gaps out of it, scores on held-out rows.

A mixin over TRL's RewardTrainer and DPOTrainer that uses only what Trainer documents: `data_collator`, `log`,
`evaluation_loop`. The seams where TRL's own code is relied on are named in `train.reward` and `train.dpo` and guarded
by `tests/train/test_seams.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor

from train.calibration import Link, held_out_metrics
from train.sampler import ByLength

LABELS: Final = ("p_chosen", "weight")

Row = Mapping[str, Any]
Batch = dict[str, Tensor]


@dataclass(frozen=True)
class WithLabels:
    """A collator that also carries labels, by default `p_chosen` and `weight`, each (rows,) float32, where rows have them."""

    inner: Callable[[list[Any]], Batch]
    names: tuple[str, ...] = LABELS

    def __call__(self, rows: list[Row]) -> Batch:
        """Collate rows, all with the same columns."""
        batch = self.inner(rows)
        for name in self.names:
            if name in rows[0]:
                batch[name] = torch.tensor([row[name] for row in rows], dtype=torch.float32)
        return batch


def taken_labels(inputs: Batch) -> tuple[Tensor | None, Tensor | None]:
    """Take the labels out of a batch, so that what remains is what TRL expects."""
    return inputs.pop("p_chosen", None), inputs.pop("weight", None)


class PairTrainer(ByLength):
    """Mixin: put it in front of a TRL trainer whose `compute_loss` calls `observe` with each batch's gaps.

    `link` says what the gaps mean as probabilities.
    """

    link = Link.LOGISTIC

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.args.remove_unused_columns = False  # type: ignore[attr-defined]  # it would take the labels away unasked
        self.data_collator = WithLabels(self.data_collator)  # type: ignore[has-type]
        self._noted: dict[str, list[Tensor]] = {}
        self._seen: list[tuple[Tensor, Tensor, Tensor]] = []

    def observe(self, gap: Tensor, p: Tensor | None, weight: Tensor | None) -> None:
        """Keep a held-out batch's gaps for `held_out_metrics`; gaps of training batches are not kept.

        Args:
            gap: (rows,) above 0 where chosen is taken for the better; what it says as a probability, `link` knows.
            p: (rows,) labels; None means 1.
            weight: (rows,) None means 1.
        """
        if self.model.training:  # type: ignore[attr-defined]
            return
        gap = gap.detach().float()
        ones = torch.ones_like(gap)
        rows = (gap, ones if p is None else p, ones if weight is None else weight)
        gathered = self.accelerator.gather_for_metrics(rows)  # type: ignore[attr-defined]
        kept, labels, weights = (part.cpu() for part in gathered)
        self._seen.append((kept, labels, weights))

    def note(self, values: Mapping[str, Tensor]) -> None:
        """Keep numbers of a training batch, whose means go into the next log line. Scalars, on any device."""
        if self.model.training:  # type: ignore[attr-defined]
            for name, value in values.items():
                self._noted.setdefault(name, []).append(value.detach())

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Log with the means of what was noted since the last line."""
        if self.model.training:  # type: ignore[attr-defined]
            logs.update({name: float(torch.stack(values).mean()) for name, values in self._noted.items()})
            self._noted.clear()
        super().log(logs, start_time)  # type: ignore[misc]

    def evaluation_loop(self, *args: Any, **kwargs: Any) -> Any:
        """Evaluate, and add the scores of all held-out pairs together."""
        self._seen.clear()
        output = super().evaluation_loop(*args, **kwargs)  # type: ignore[misc]
        prefix = kwargs.get("metric_key_prefix", "eval")
        if self._seen:
            gap, p, weight = (torch.cat(part).tolist() for part in zip(*self._seen, strict=True))
            found = held_out_metrics(gap, p, weight, self.link)
            output.metrics.update({f"{prefix}_{key}": value for key, value in found.items()})
        return output

    def create_model_card(self, *args: Any, **kwargs: Any) -> None:
        """Leave the card to `train.card`, which knows where the data came from."""
